/* The quick start: a configuration without a file, for `ringlet [DIR] [-p PORT] [-l ADDR]`.
 *
 * It is written as the text of a configuration and read as one, so that there is one way in; -T
 * shows it.  Whether an address that this machine lacks (::1 without IPv6) is an error or may be
 * left out is the supervisor's to decide: path is "". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/owned.h"
#include "net/address.h"
#include "server/configuration_load.h"

static void print_quoted(FILE *text, const char *string)
{
	size_t size = 4 * strlen(string) + 4;
	auto_free char *memory = malloc(size);
	struct buffer buffer;

	if (!memory)
		return;
	buffer_init(&buffer, memory, size);
	setting_append_quoted(&buffer, text_of(string));
	fwrite(buffer.bytes, 1, buffer.length, text);
}

static bool is_address(const char *name)
{
	struct address address;
	const char *expected;

	return address_parse(&address, text_of(name), &expected) == 0;
}

/* "10.0.0.1", "::1", "[::1]" with the port; or what is an address already. */
static int name_listener(char **name, const char *address, const char *port)
{
	bool bare_ipv6 = address[0] != '[' && strchr(address, ':');
	int r;

	if (!port && is_address(address)) {
		*name = strdup(address);
		return *name ? 0 : -ENOMEM;
	}
	r = asprintf(name, bare_ipv6 ? "[%s]:%s" : "%s:%s", address, port ? port : "8080");
	return r < 0 ? -ENOMEM : 0;
}

static int print_listen(FILE *text, const char *address, const char *port)
{
	auto_free char *name = NULL;
	int r = name_listener(&name, address, port);

	if (r < 0)
		return r;
	fputs("listen ", text);
	print_quoted(text, name);
	fputs(" {}\n", text);
	return 0;
}

static int print_listeners(FILE *text, const char *address, const char *port)
{
	int r;

	if (address)
		return print_listen(text, address, port);
	r = print_listen(text, "127.0.0.1", port);
	return r < 0 ? r : print_listen(text, "::1", port);
}

static void print_site(FILE *text, const char *directory)
{
	fputs("site \"*\" {\n  root = ", text);
	print_quoted(text, directory);
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
	FILE *text = current ? open_memstream(&bytes, &length) : NULL;
	int r;

	if (!text)
		return -errno;
	r = print_listeners(text, address, port);
	print_site(text, directory ? directory : ".");
	if (fclose(text) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	return configuration_load_text(configuration, "", "quick start", current, bytes, length);
}
