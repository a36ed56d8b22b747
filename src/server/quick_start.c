/* The quick start: a configuration without a file, for `ringlet [DIR] [-p PORT] [-l ADDR]`.
 *
 * It is written as the text of a configuration and read as one, so that there is one reader; -T
 * shows it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/owned.h"
#include "server/configuration_load.h"

/* "10.0.0.1", "::1", "[::1]" with the port; or an address that has one already. */
static void print_listen(FILE *text, const char *address, const char *port)
{
	bool bare_ipv6 = address[0] != '[' && strchr(address, ':');
	struct address addresses[ADDRESSES_MAX];
	auto_free char *name = NULL;
	const char *expected;

	if (!port && address_parse_all(addresses, text_of(address), &expected) > 0)
		name = strdup(address);
	else if (asprintf(&name, bare_ipv6 ? "[%s]:%s" : "%s:%s", address, port ? port : "8080") <
		 0)
		name = NULL;
	fputs("listen ", text);
	setting_print_quoted(text_of(name ? name : ""), text);
	fputc('\n', text);
}

static void print_site(FILE *text, const char *directory)
{
	fputs("site \"*\" {\n  root = ", text);
	setting_print_quoted(text_of(directory), text);
	fputs("\n"
	      "  location \"/\"         { endpoint = \"static\" }\n"
	      "  location \"/dynamic/\" { endpoint = \"dynamic\" filters = {\"ssi\"} }\n"
	      "  location \"/ping\"     { endpoint = \"ping\" }\n"
	      "}\n",
		text);
}

int configuration_quick_start(struct configuration **configuration, const char *directory,
	const char *port, const char *address)
{
	auto_free char *current = getcwd(NULL, 0);
	auto_free char *bytes = NULL;
	size_t length = 0;
	FILE *text;

	if (!current) {
		int error = errno;

		fprintf(stderr,
			"quick start: cannot find the current directory: %s, expected to "
			"be started in one that exists\n",
			strerror(error));
		return -error;
	}
	text = open_memstream(&bytes, &length);
	if (!text)
		return -errno;
	print_listen(text, address ? address : "localhost", port);
	print_site(text, directory ? directory : ".");
	if (fclose(text) != 0)
		return -ENOMEM;
	return configuration_load_text(configuration, "", current, bytes, length);
}
