/* The command line.
 *
 * Exit codes: 0 on success; 1 when the configuration or the start fails; 2 for wrong usage.  The
 * whole command line is checked before any file is read. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proactor/proactor.h"
#include "server/configuration.h"
#include "server/supervisor.h"

enum { EXIT_USAGE = 2 };

enum action {
	ACTION_RUN,
	ACTION_TEST,
	ACTION_PRINT,
	ACTION_HELP,
	ACTION_HELP_CONFIG,
	ACTION_VERSION,
};

struct arguments {
	enum action action;
	const char *file;
	const char *directory, *port, *address;
	const char *format; /* of --help-config; NULL: text */
	struct supervisor_options options;
};

static const char USAGE[] = "usage: ringlet [DIR] [-p PORT] [-l ADDRESS] [OPTION...]\n"
			    "       ringlet -c FILE [-t | -T] [OPTION...]\n";

static const char HELP[] =
	"\n"
	"Serves files over HTTP, on io_uring or epoll.\n"
	"\n"
	"Quick start, without a configuration:\n"
	"  DIR                    directory to serve (default: .): DIR/dynamic/ is read,\n"
	"                         other files use zero copy; /ping answers pong\n"
	"  -p, --port PORT        port (default: 8080; 0: any free port)\n"
	"  -l, --listen ADDRESS   address (default: 127.0.0.1 and ::1)\n"
	"\n"
	"With a configuration:\n"
	"  -c, --config FILE      configuration file\n"
	"  -t, --test             check the file, print \"FILE: ok\" and exit\n"
	"  -T, --print            print the settings with all defaults and exit\n"
	"      --help-config      describe every setting (=markdown, =man: as a document)\n"
	"\n"
	"Running:\n"
	"  -b, --backend NAME     auto, io_uring or epoll\n"
	"  -q, --quiet            no access log\n"
	"  -d, --daemon           run in the background; return once it serves\n"
	"      --single-process   one worker and no supervisor: for debuggers\n"
	"\n"
	"  -V, --version          versions, ring features and the backend of auto\n"
	"  -h, --help             this text\n"
	"\n"
	"Examples:\n"
	"  ringlet                            this directory on http://localhost:8080/\n"
	"  ringlet /srv/www -p 80 -l 0.0.0.0  a directory on all IPv4 addresses\n"
	"  ringlet -c ringlet.conf -t         check a configuration\n"
	"  ringlet -c ringlet.conf -d         run it in the background\n"
	"\n"
	"Signals: TERM and QUIT finish requests and exit, INT exits at once.\n"
	"Exit code: 0 success; 1 the configuration or the start failed; 2 wrong usage.\n";

static int complain_usage(const char *format, const char *argument)
{
	if (format) {
		fputs("ringlet: ", stderr);
		fprintf(stderr, format, argument);
		fputc('\n', stderr);
	}
	fputs(USAGE, stderr);
	fputs("try ringlet --help\n", stderr);
	return EXIT_USAGE;
}

/* --- arguments ----------------------------------------------------------------------------- */

enum { OPTION_SINGLE_PROCESS = 256, OPTION_HELP_CONFIG };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "test", no_argument, NULL, 't' },
	{ "print", no_argument, NULL, 'T' },
	{ "port", required_argument, NULL, 'p' },
	{ "listen", required_argument, NULL, 'l' },
	{ "backend", required_argument, NULL, 'b' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "daemon", no_argument, NULL, 'd' },
	{ "single-process", no_argument, NULL, OPTION_SINGLE_PROCESS },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ "help-config", optional_argument, NULL, OPTION_HELP_CONFIG },
	{ 0 },
};

static int set_help_config(struct arguments *arguments, const char *format)
{
	if (format && strcmp(format, "markdown") != 0 && strcmp(format, "man") != 0)
		return complain_usage(
			"--help-config=%s: expected markdown, man or nothing", format);
	arguments->action = ACTION_HELP_CONFIG;
	arguments->format = format;
	return 0;
}

static int set_option(struct arguments *arguments, int option, const char *argument)
{
	switch (option) {
	case 'c':
		arguments->file = argument;
		return 0;
	case 't':
		arguments->action = ACTION_TEST;
		return 0;
	case 'T':
		arguments->action = ACTION_PRINT;
		return 0;
	case 'p':
		arguments->port = argument;
		return 0;
	case 'l':
		arguments->address = argument;
		return 0;
	case 'b':
		arguments->options.backend = argument;
		return 0;
	case 'q':
		arguments->options.quiet = true;
		return 0;
	case 'd':
		arguments->options.daemon = true;
		return 0;
	case OPTION_SINGLE_PROCESS:
		arguments->options.single_process = true;
		return 0;
	case 'V':
		arguments->action = ACTION_VERSION;
		return 0;
	case 'h':
		arguments->action = ACTION_HELP;
		return 0;
	case OPTION_HELP_CONFIG:
		return set_help_config(arguments, argument);
	}
	return complain_usage(NULL, NULL); /* getopt_long() said what is wrong */
}

static bool is_port(const char *port)
{
	uint64_t number;

	return text_to_number(&number, text_of(port)) == 0 && number <= 65535;
}

static bool is_backend(const char *name)
{
	return strcmp(name, "auto") == 0 || strcmp(name, "io_uring") == 0 ||
	       strcmp(name, "epoll") == 0;
}

static int check_arguments(const struct arguments *arguments)
{
	const struct supervisor_options *options = &arguments->options;

	if (arguments->file && (arguments->directory || arguments->port || arguments->address))
		return complain_usage(
			"-c %s: the file sets root and addresses; expected no DIR, -p or -l",
			arguments->file);
	if (arguments->port && !is_port(arguments->port))
		return complain_usage("-p %s: expected a port from 0 to 65535", arguments->port);
	if (options->backend && !is_backend(options->backend))
		return complain_usage("-b %s: expected auto, io_uring or epoll", options->backend);
	if (options->daemon && options->single_process)
		return complain_usage("-d and --single-process exclude each other", NULL);
	return 0;
}

static int parse_arguments(struct arguments *arguments, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:tTp:l:b:qdVh", long_options, NULL)) != -1) {
		int r = set_option(arguments, option, optarg);

		if (r != 0)
			return r;
	}
	if (optind < argc)
		arguments->directory = argv[optind++];
	if (optind < argc)
		return complain_usage("%s: expected one DIR only", argv[optind]);
	return check_arguments(arguments);
}

/* --- actions ------------------------------------------------------------------------------- */

static int print_version(void)
{
	struct uring_probe probe = { 0 };

	proactor_probe_uring(&probe);
	printf("ringlet %s\n", RINGLET_VERSION);
	printf("liburing %s\n", probe.library[0] != '\0' ? probe.library : "none");
	printf("ring features: %s\n", probe.features[0] != '\0' ? probe.features : "none");
	if (probe.error == 0)
		printf("backend auto: io_uring\n");
	else
		printf("backend auto: epoll (%s)\n", probe.reason);
	return EXIT_SUCCESS;
}

static int print_help(void)
{
	fputs(USAGE, stdout);
	fputs(HELP, stdout);
	return EXIT_SUCCESS;
}

static int run_action(const struct arguments *arguments, const struct configuration *configuration)
{
	switch (arguments->action) {
	case ACTION_TEST:
		if (configuration_rehearse(configuration) < 0)
			return EXIT_FAILURE;
		printf("%s: ok\n", configuration->path[0] ? configuration->path : "quick start");
		return EXIT_SUCCESS;
	case ACTION_PRINT:
		configuration_print(configuration, stdout);
		return EXIT_SUCCESS;
	case ACTION_RUN:
		return supervisor_run(configuration, &arguments->options);
	case ACTION_HELP:
	case ACTION_HELP_CONFIG:
	case ACTION_VERSION:
		break;
	}
	return EXIT_FAILURE;
}

static int apply_options(
	struct configuration *configuration, const struct supervisor_options *options)
{
	int r = 0;

	if (options->backend)
		r = configuration_override(configuration, "backend", options->backend);
	if (r == 0 && options->quiet)
		r = configuration_override(configuration, "access_log", "");
	return r;
}

static int configure_and_run(const struct arguments *arguments)
{
	struct configuration *configuration;
	int r;

	if (arguments->file)
		r = configuration_load(&configuration, arguments->file);
	else
		r = configuration_quick_start(
			&configuration, arguments->directory, arguments->port, arguments->address);
	if (r < 0)
		return EXIT_FAILURE;
	r = apply_options(configuration, &arguments->options);
	r = r < 0 ? EXIT_FAILURE : run_action(arguments, configuration);
	configuration_free(configuration);
	return r;
}

/* A failed write to standard output is an error: `ringlet -T >/dev/full`. */
static int flush_output(int code)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("ringlet: standard output");
		return EXIT_FAILURE;
	}
	return code;
}

static int act(const struct arguments *arguments)
{
	switch (arguments->action) {
	case ACTION_HELP:
		return print_help();
	case ACTION_HELP_CONFIG:
		configuration_print_help(arguments->format, stdout);
		return EXIT_SUCCESS;
	case ACTION_VERSION:
		return print_version();
	case ACTION_RUN:
	case ACTION_TEST:
	case ACTION_PRINT:
		break;
	}
	return configure_and_run(arguments);
}

/* A file or socket that is opened as descriptor 0, 1 or 2 would get every message meant for a
 * closed standard stream. */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	int r;

	open_standard_streams();
	r = parse_arguments(&arguments, argc, argv);
	return r != 0 ? r : flush_output(act(&arguments));
}
