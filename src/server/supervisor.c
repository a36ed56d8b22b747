/* The supervisor: a loop over signals and one pipe; no threads, no proactor, and the only process
 * that forks workers.
 *
 * STARTING until every worker has said on the pipe that it accepts; a death before that ends the
 * start, since what failed once at the start fails again.  SERVING: a dead worker is replaced, and
 * inherits the slot's listening sockets with all that is queued on them.  ENDING: nobody is
 * replaced; workers that do not end in time are killed.
 *
 * It keeps its privileges (a new worker needs them to drop them again) and touches nothing that
 * comes from clients. */
#include "server/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/owned.h"
#include "server/announcement.h"
#include "server/daemon.h"
#include "server/restart.h"
#include "server/worker.h"

#define SECOND_NS UINT64_C(1000000000)

/* Added to timeouts.drain before a worker that does not end is killed; and without draining. */
#define DRAIN_PATIENCE_NS (5 * SECOND_NS)
#define STOP_PATIENCE_NS  (3 * SECOND_NS)
#define FORK_RETRY_NS     (1 * SECOND_NS)

/* Descriptors of a worker that are always there: standard ones, logs, signals, the backend's own,
 * and some to spare for what libraries open. */
enum { FIXED_DESCRIPTOR_COUNT = 22 };

enum supervisor_state { STARTING, SERVING, DRAINING, STOPPING };

struct child {
	pid_t pid; /* 0: none */
	struct restart restart;
	uint64_t due_ns; /* when to start the next one; UINT64_MAX: not at all */
};

struct supervisor {
	struct server server;
	enum supervisor_state state;
	struct child *children;
	int signals;
	int ready_pipe[2]; /* a byte from each worker that begins to accept */
	size_t ready_count;
	int report;           /* to the foreground process of a daemon, or -1 */
	uint64_t kill_due_ns; /* UINT64_MAX: nobody is to be killed */
	int exit_code;
};

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* --- what comes before the first worker ---------------------------------------------------- */

static unsigned count_workers(const struct section *settings, bool single_process)
{
	uint64_t wanted = section_number(settings, "workers");
	cpu_set_t cpus;

	if (single_process)
		return 1;
	if (wanted > 0)
		return (unsigned)wanted;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 1;
	return (unsigned)CPU_COUNT(&cpus);
}

static enum backend_choice wanted_backend(const struct section *settings, const char *option)
{
	const char *word = option ? option : section_string(settings, "backend");

	if (strcmp(word, "epoll") == 0)
		return BACKEND_EPOLL;
	return strcmp(word, "io_uring") == 0 ? BACKEND_IO_URING : BACKEND_AUTO;
}

static void share_out_descriptors(struct server *server, const struct section *settings)
{
	uint64_t wanted = section_number(section_child(settings, "limits", 0), "connections");
	uint64_t cached = section_number(section_child(settings, "cache", 0), "entries");
	uint64_t fixed = FIXED_DESCRIPTOR_COUNT, limit = descriptors_raise_limit();

	for (size_t i = 0; section_child(settings, "listen", i); i++)
		fixed++;
	for (size_t i = 0; section_child(settings, "site", i); i++)
		fixed++;
	server->descriptors = descriptors_share_out(limit, fixed, wanted, cached);
	if (server->descriptors.connection_count_max < wanted)
		log_warning("%llu descriptors allow %llu connections per worker, not %llu "
			    "(limits.connections); raise the hard limit: ulimit -Hn",
			(unsigned long long)limit,
			(unsigned long long)server->descriptors.connection_count_max,
			(unsigned long long)wanted);
}

static int map_pages(struct server *server)
{
	size_t size = server->worker_count * sizeof(struct metrics);
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return fail(-errno, "cannot map the pages of metrics");
	server->pages = pages;
	return 0;
}

static void warn_of_root(const struct server *server)
{
	if (geteuid() == 0 && (!server->user.wanted || server->user.uid == 0))
		log_warning("workers run as root; name another user: user = \"www-data\"");
}

static int server_open(struct server *server, const struct configuration *configuration,
	const struct supervisor_options *options)
{
	const struct section *settings = configuration->root;
	int r;

	*server = (struct server){
		.configuration = configuration,
		.worker_count = count_workers(settings, options->single_process),
		.single_process = options->single_process,
		.daemon = options->daemon,
		.logs = { .error_fd = -1, .access_fd = -1 },
	};
	r = user_find(&server->user, section_string(settings, "user"));
	if (r == 0)
		r = announce_backend(server, wanted_backend(settings, options->backend));
	if (r < 0)
		return r;
	warn_of_root(server);
	share_out_descriptors(server, settings);
	r = logs_open(&server->logs, settings, options->quiet, options->daemon);
	if (r == 0)
		r = map_pages(server);
	if (r == 0)
		r = listening_open(&server->listening, settings, server->worker_count);
	if (r == 0)
		r = pid_file_write(section_string(settings, "pid_file"));
	if (r == 0)
		announce_roots(server);
	return r;
}

static void server_close(struct server *server)
{
	if (server->listening.count > 0)
		pid_file_remove(section_string(server->configuration->root, "pid_file"));
	listening_free(&server->listening);
	if (server->pages)
		munmap(server->pages, server->worker_count * sizeof(struct metrics));
	logs_close(&server->logs);
}

/* The signals that anybody here handles; workers inherit the mask.  SIGPIPE is of no use to a
 * server: a peer that is gone is an error of the send. */
static void block_signals(sigset_t *signals)
{
	static const int HANDLED[] = { SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2,
		SIGCHLD };

	sigemptyset(signals);
	for (size_t i = 0; i < sizeof(HANDLED) / sizeof(HANDLED[0]); i++)
		sigaddset(signals, HANDLED[i]);
	sigprocmask(SIG_BLOCK, signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* --- workers ------------------------------------------------------------------------------ */

static void tell_ready(void *context)
{
	const struct supervisor *supervisor = context;

	if (supervisor->server.daemon)
		detach_from_terminal();
	if (write(supervisor->ready_pipe[1], "1", 1) < 0)
		log_warning("cannot tell the supervisor: %s", strerror(errno));
	close(supervisor->ready_pipe[1]);
}

static int become_worker(const struct server *server, pid_t parent)
{
	int r = user_become(&server->user);

	if (r == 0)
		r = die_with_parent(parent);
	if (r == 0)
		r = forbid_new_privileges();
	return r;
}

/* Does not return. */
static void run_child(struct supervisor *supervisor, unsigned slot, pid_t parent)
{
	int exit_code = EXIT_FAILURE;

	close(supervisor->signals);
	close(supervisor->ready_pipe[0]);
	if (supervisor->report >= 0)
		close(supervisor->report);
	listening_keep_slot(&supervisor->server.listening, slot);
	if (become_worker(&supervisor->server, parent) == 0)
		exit_code = worker_run(&supervisor->server, slot, tell_ready, supervisor);
	exit(exit_code);
}

static void spawn(struct supervisor *supervisor, unsigned slot)
{
	struct child *child = &supervisor->children[slot];
	pid_t parent = getpid(), pid = fork();
	uint64_t now_ns = monotonic_ns();

	if (pid == 0)
		run_child(supervisor, slot, parent);
	child->due_ns = UINT64_MAX;
	if (pid < 0) {
		log_error("cannot fork worker %u: %s", slot + 1, strerror(errno));
		child->due_ns = now_ns + FORK_RETRY_NS;
		return;
	}
	child->pid = pid;
	restart_started(&child->restart, now_ns);
}

static unsigned count_children(const struct supervisor *supervisor)
{
	unsigned count = 0;

	for (unsigned slot = 0; slot < supervisor->server.worker_count; slot++)
		count += supervisor->children[slot].pid > 0;
	return count;
}

static void signal_children(const struct supervisor *supervisor, int number)
{
	for (unsigned slot = 0; slot < supervisor->server.worker_count; slot++) {
		if (supervisor->children[slot].pid > 0)
			kill(supervisor->children[slot].pid, number);
	}
}

/* --- ending ------------------------------------------------------------------------------- */

/* Closed here first, so that the kernel queues nothing on a socket nobody accepts from. */
static void drain(struct supervisor *supervisor)
{
	const struct section *settings = supervisor->server.configuration->root;
	uint64_t drain_ns = section_number(section_child(settings, "timeouts", 0), "drain");

	supervisor->state = DRAINING;
	supervisor->kill_due_ns = monotonic_ns() + drain_ns + DRAIN_PATIENCE_NS;
	listening_close(&supervisor->server.listening);
	signal_children(supervisor, SIGTERM);
}

static void stop(struct supervisor *supervisor)
{
	supervisor->state = STOPPING;
	supervisor->kill_due_ns = monotonic_ns() + STOP_PATIENCE_NS;
	listening_close(&supervisor->server.listening);
	signal_children(supervisor, SIGINT);
}

static bool is_ending(const struct supervisor *supervisor)
{
	return supervisor->state == DRAINING || supervisor->state == STOPPING;
}

static void kill_overdue(struct supervisor *supervisor, uint64_t now_ns)
{
	if (now_ns < supervisor->kill_due_ns)
		return;
	log_warning("%u workers did not end in time and are killed", count_children(supervisor));
	supervisor->kill_due_ns = UINT64_MAX;
	signal_children(supervisor, SIGKILL);
}

/* --- deaths and restarts ------------------------------------------------------------------ */

static void describe_end(struct buffer *text, int status)
{
	if (WIFSIGNALED(status))
		buffer_append_format(text, "was killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		buffer_append_format(text, "exited with %d", WEXITSTATUS(status));
}

static void log_death(unsigned slot, pid_t pid, int status, const char *consequence)
{
	char memory[128];
	struct buffer end;

	buffer_init(&end, memory, sizeof(memory));
	describe_end(&end, status);
	log_error("worker %u (pid %d) %.*s%s", slot + 1, (int)pid,
		TEXT_ARGUMENTS(buffer_text(&end)), consequence);
}

/* The dead worker's connections are gone; its page must not go on to claim them. */
static void correct_page(struct metrics *page)
{
	for (size_t i = METRICS_COUNTER_COUNT; i < METRICS_COUNT; i++)
		page->values[i] = 0;
	page->values[METRIC_CONNECTIONS_CLOSED] = page->values[METRIC_CONNECTIONS_ACCEPTED];
	page->pid = 0;
	page->restarts++;
}

static void plan_restart(struct supervisor *supervisor, unsigned slot, pid_t pid, int status)
{
	struct child *child = &supervisor->children[slot];
	uint64_t now_ns = monotonic_ns();
	uint64_t delay_ns = restart_delay_ns(&child->restart, now_ns);
	char consequence[64] = "; restarting";

	if (delay_ns > 0)
		snprintf(consequence, sizeof(consequence), "; restarting in %u s",
			(unsigned)(delay_ns / SECOND_NS));
	log_death(slot, pid, status, consequence);
	correct_page(&supervisor->server.pages[slot]);
	child->due_ns = now_ns + delay_ns;
}

static void handle_death(struct supervisor *supervisor, unsigned slot, int status)
{
	struct child *child = &supervisor->children[slot];
	pid_t pid = child->pid;

	child->pid = 0;
	switch (supervisor->state) {
	case STARTING:
		log_death(slot, pid, status, " before it served");
		supervisor->exit_code = EXIT_FAILURE;
		stop(supervisor);
		return;
	case SERVING:
		plan_restart(supervisor, slot, pid, status);
		return;
	case DRAINING:
	case STOPPING:
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			log_death(slot, pid, status, " while ending");
		return;
	}
}

static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned slot = 0; slot < supervisor->server.worker_count; slot++) {
			if (supervisor->children[slot].pid == pid)
				handle_death(supervisor, slot, status);
		}
	}
}

static void restart_due(struct supervisor *supervisor, uint64_t now_ns)
{
	if (is_ending(supervisor))
		return;
	for (unsigned slot = 0; slot < supervisor->server.worker_count; slot++) {
		if (now_ns >= supervisor->children[slot].due_ns)
			spawn(supervisor, slot);
	}
}

/* --- the loop ----------------------------------------------------------------------------- */

static void handle_signal(struct supervisor *supervisor, int number)
{
	switch (number) {
	case SIGTERM:
	case SIGQUIT:
		if (is_ending(supervisor))
			stop(supervisor);
		else
			drain(supervisor);
		return;
	case SIGINT:
		stop(supervisor);
		return;
	case SIGCHLD:
		return; /* reap() asks anyway, since signals may merge */
	default:
		log_warning("signal %d (%s) has no meaning in this version; restart to apply a "
			    "changed configuration",
			number, strsignal(number));
	}
}

/* An order to end, delivered together with the deaths it caused, comes before them. */
static void handle_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo information;

	while (read(supervisor->signals, &information, sizeof(information)) == sizeof(information))
		handle_signal(supervisor, (int)information.ssi_signo);
}

/* Every worker serves: from here on the error log is the place for messages. */
static void begin_serving(struct supervisor *supervisor)
{
	supervisor->state = SERVING;
	announce_ready(&supervisor->server);
	daemon_report(&supervisor->report);
	if (supervisor->server.daemon)
		detach_from_terminal();
	logs_use_error_log(&supervisor->server.logs);
	log_set_speaker("supervisor");
}

static void count_ready(struct supervisor *supervisor)
{
	char bytes[64];
	ssize_t length = read(supervisor->ready_pipe[0], bytes, sizeof(bytes));

	if (length > 0)
		supervisor->ready_count += (size_t)length;
	if (supervisor->state == STARTING &&
		supervisor->ready_count == supervisor->server.worker_count)
		begin_serving(supervisor);
}

static uint64_t next_due_ns(const struct supervisor *supervisor)
{
	uint64_t due_ns = supervisor->kill_due_ns;

	for (unsigned slot = 0; slot < supervisor->server.worker_count; slot++) {
		if (!is_ending(supervisor) && supervisor->children[slot].due_ns < due_ns)
			due_ns = supervisor->children[slot].due_ns;
	}
	return due_ns;
}

static int wait_ms(const struct supervisor *supervisor)
{
	uint64_t due_ns = next_due_ns(supervisor), now_ns = monotonic_ns();

	if (due_ns == UINT64_MAX)
		return -1;
	return due_ns > now_ns ? (int)((due_ns - now_ns) / 1000000 + 1) : 0;
}

static void supervise(struct supervisor *supervisor)
{
	struct pollfd events[] = {
		{ .fd = supervisor->signals, .events = POLLIN },
		{ .fd = supervisor->ready_pipe[0], .events = POLLIN },
	};

	while (!is_ending(supervisor) || count_children(supervisor) > 0) {
		uint64_t now_ns;

		if (poll(events, 2, wait_ms(supervisor)) < 0 && errno != EINTR)
			log_error("the supervisor cannot wait: %s", strerror(errno));
		handle_signals(supervisor);
		count_ready(supervisor);
		reap(supervisor);
		now_ns = monotonic_ns();
		kill_overdue(supervisor, now_ns);
		restart_due(supervisor, now_ns);
	}
}

static int open_channels(struct supervisor *supervisor, const sigset_t *signals)
{
	supervisor->signals = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (supervisor->signals < 0)
		return fail(-errno, "cannot open a signal descriptor");
	if (pipe2(supervisor->ready_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail(-errno, "cannot open a pipe to the workers");
	return 0;
}

static void close_channels(struct supervisor *supervisor)
{
	close(supervisor->signals);
	close(supervisor->ready_pipe[0]);
	close(supervisor->ready_pipe[1]);
}

static int run_workers(struct supervisor *supervisor, const sigset_t *signals)
{
	unsigned worker_count = supervisor->server.worker_count;
	auto_free struct child *children = calloc(worker_count, sizeof(struct child));

	if (!children || open_channels(supervisor, signals) < 0)
		return EXIT_FAILURE;
	supervisor->children = children;
	for (unsigned slot = 0; slot < worker_count; slot++)
		spawn(supervisor, slot);
	supervise(supervisor);
	close_channels(supervisor);
	return supervisor->exit_code;
}

/* --- one process -------------------------------------------------------------------------- */

static void say_ready(void *context)
{
	struct supervisor *supervisor = context;

	announce_ready(&supervisor->server);
	daemon_report(&supervisor->report);
	if (supervisor->server.daemon)
		detach_from_terminal();
}

static int run_single(struct supervisor *supervisor)
{
	if (user_become(&supervisor->server.user) < 0 || forbid_new_privileges() < 0)
		return EXIT_FAILURE;
	return worker_run(&supervisor->server, 0, say_ready, supervisor);
}

int supervisor_run(
	const struct configuration *configuration, const struct supervisor_options *options)
{
	struct supervisor supervisor = { .report = -1, .kill_due_ns = UINT64_MAX };
	int exit_code = EXIT_FAILURE;
	sigset_t signals;

	log_set_level(section_word(configuration->root, "log_level"));
	if (options->daemon) {
		int r = daemon_begin(&supervisor.report, &exit_code);

		if (r != 0)
			return exit_code;
	}
	block_signals(&signals);
	if (server_open(&supervisor.server, configuration, options) == 0)
		exit_code = options->single_process ? run_single(&supervisor)
						    : run_workers(&supervisor, &signals);
	server_close(&supervisor.server);
	return exit_code;
}
