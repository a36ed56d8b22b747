/* The cost of a request in user space, for callgrind to count: serves a case a number of times.
 *
 *	instructions ping 200
 *
 * The connections, router and endpoints of one worker on the simulated backend, so that neither the
 * kernel nor the machine matters. Only what runs inside serve() is counted
 * (--toggle-collect=serve). test_instructions.py takes the difference of two counts, so that work
 * that is done once does not count, and subtracts the simulated backend's own part. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "endpoints/registry.h"
#include "files/cache.h"
#include "http1/service.h"
#include "simulated/simulated.h"

enum { PIPELINED = 16, TURNS_MAX = 1000, FILE_LENGTH = 1024 };

#define SECOND       UINT64_C(1000000000)

#define FROM_PROGRAM "Host: 127.0.0.1:8080\r\n\r\n"
#define FROM_BROWSER                                                                               \
	"Host: www.example.com\r\n"                                                                \
	"Connection: keep-alive\r\n"                                                               \
	"sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n"                          \
	"sec-ch-ua-mobile: ?0\r\n"                                                                 \
	"sec-ch-ua-platform: \"Linux\"\r\n"                                                        \
	"Upgrade-Insecure-Requests: 1\r\n"                                                         \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "      \
	"Chrome/130.0.0.0 Safari/537.36\r\n"                                                       \
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"     \
	"image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n"                          \
	"Sec-Fetch-Site: none\r\n"                                                                 \
	"Sec-Fetch-Mode: navigate\r\n"                                                             \
	"Sec-Fetch-Dest: document\r\n"                                                             \
	"Accept-Encoding: gzip, deflate, br, zstd\r\n"                                             \
	"Accept-Language: en-US,en;q=0.9\r\n"                                                      \
	"Cookie: session=0123456789abcdef0123456789abcdef\r\n\r\n"

struct measured {
	const char *name;
	const char *request;
	unsigned depth;     /* requests sent together */
	bool is_connecting; /* each time anew */
	const char *expected;
};

static const struct measured CASES[] = {
	{ "ping", "GET /ping HTTP/1.1\r\n" FROM_PROGRAM, 1, false, "HTTP/1.1 200 " },
	{ "browser", "GET /ping HTTP/1.1\r\n" FROM_BROWSER, 1, false, "HTTP/1.1 200 " },
	{ "file", "GET /file.txt HTTP/1.1\r\n" FROM_PROGRAM, 1, false, "HTTP/1.1 200 " },
	{ "not-modified",
		"GET /file.txt HTTP/1.1\r\n"
		"If-Modified-Since: Thu, 01 Jan 2026 00:00:01 GMT\r\n" FROM_PROGRAM,
		1, false, "HTTP/1.1 304 " },
	{ "not-found", "GET /missing.txt HTTP/1.1\r\n" FROM_PROGRAM, 1, false, "HTTP/1.1 404 " },
	{ "pipelined", "GET /ping HTTP/1.1\r\n" FROM_PROGRAM, PIPELINED, false, "HTTP/1.1 200 " },
	{ "connection", "GET /ping HTTP/1.1\r\nConnection: close\r\n" FROM_PROGRAM, 1, true,
		"HTTP/1.1 200 " },
};

static const struct http1_options OPTIONS = {
	.header_bytes = 16384,
	.body_bytes = 1000000,
	.keep_alive_requests = UINT64_MAX,
	.header_timeout_ns = 10 * SECOND,
	.body_timeout_ns = 30 * SECOND,
	.idle_timeout_ns = 75 * SECOND,
	.send_timeout_ns = 60 * SECOND,
	.keep_alive = true,
	.server_field = true,
};

static struct proactor *proactor;
static struct router router;
static struct stream_service streams;
static struct http1_service service;
static struct section *section;

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "instructions: %s\n", what);
	exit(2);
}

static void must(bool is_good, const char *what)
{
	if (!is_good)
		give_up(what);
}

/* --- the server ----------------------------------------------------------------------------- */

static void make_file(void)
{
	static char contents[FILE_LENGTH];

	memset(contents, 'x', sizeof(contents));
	simulated_make_file(proactor, "www/file.txt", (struct text){ contents, sizeof(contents) });
}

/* Like a configuration with root "www". */
static void *open_static(void)
{
	struct setting_value *value;
	void *state;

	section = section_new(NULL, NULL, static_endpoint.settings, NULL);
	must(section != NULL, "section");
	section->tables[1] = static_endpoint.shared_settings;
	value = section_add_value(section, section_find_setting(section, "root"), 1);
	must(value && setting_value_add_string(value, text_literal("www")) == 0, "root");
	must(section_complete(section) == 0, "settings");
	must(static_endpoint.open(&state, section, proactor) == 0, "static");
	return state;
}

static void *open_ping(void)
{
	void *state;

	must(ping_endpoint.open(&state, NULL, proactor) == 0, "ping");
	return state;
}

/* Some locations, as configurations have them. */
static void open_server(void)
{
	static const char *const PINGS[] = { "/ping", "/api/v1", "/download", "/stats" };
	struct site *site;

	cache_limit(&(struct cache_limits){ .entry_count_max = 1000,
		.descriptor_count_max = 100,
		.byte_count_max = 1 << 20,
		.file_length_max = 1 << 16,
		.directory_count_max = 1000 });
	must(simulated_open(&proactor, &(struct simulated_options){ 0 }) == 0, "simulated");
	make_file();
	simulated_advance(proactor, 10 * SECOND); /* the cache loads no new file */
	router_init(&router);
	site = router_add_site(&router, text_literal("*"));
	for (size_t i = 0; i < sizeof(PINGS) / sizeof(PINGS[0]); i++)
		router_add_location(site, text_of(PINGS[i]), &ping_endpoint, open_ping());
	router_add_location(site, text_literal("/"), &static_endpoint, open_static());
	stream_service_open(&streams, proactor, 0);
	http1_service_open(&service, &streams, &router, &OPTIONS);
}

/* No timeout may expire: the ends of connections would be measured, too. */
static void close_server(void)
{
	http1_service_stop(&service);
	for (int i = 0; i < TURNS_MAX && service.wire.connection_count > 0; i++)
		proactor_turn(proactor, SECOND);
	http1_service_close(&service);
	router_reset(&router);
	for (int i = 0; i < TURNS_MAX && proactor_active_count(proactor) > 0; i++)
		proactor_turn(proactor, SECOND);
	section_free(section);
	proactor_free(proactor);
}

/* --- what is counted ------------------------------------------------------------------------ */

/* Callgrind finds it by its name. */
void serve(int new_socket);

/* A turn of the worker's loop. Before it, what the listener does with a new connection. */
__attribute__((noinline, noipa)) void serve(int new_socket)
{
	if (new_socket >= 0)
		http1_service_accept(&service, new_socket, false);
	proactor_turn(proactor, 0);
}

/* --- the client ----------------------------------------------------------------------------- */

static unsigned count_answers(const struct simulated_client *client, const char *expected)
{
	struct text rest = simulated_client_received(client);
	unsigned count = 0;

	while (rest.length > 0) {
		const char *found = memmem(rest.bytes, rest.length, expected, strlen(expected));

		if (!found)
			return count;
		count++;
		rest = text_from(rest, (size_t)(found - rest.bytes) + 1);
	}
	return count;
}

static void send_requests(struct simulated_client *client, const struct measured *measured)
{
	for (unsigned i = 0; i < measured->depth; i++)
		simulated_client_send(client, text_of(measured->request));
}

static void await_answers(struct simulated_client *client, const struct measured *measured, int fd)
{
	int turns = 0;

	while (count_answers(client, measured->expected) < measured->depth ||
		service.active_pool.taken_count > 0) {
		must(turns++ < TURNS_MAX, "no answer came");
		serve(fd);
		fd = -1;
	}
	simulated_client_take(client, simulated_client_received(client).length);
}

static void repeat_on_one(const struct measured *measured, unsigned count)
{
	int fd;
	struct simulated_client *client = simulated_connect_pair(proactor, &fd);

	for (unsigned i = 0; i < count; i += measured->depth) {
		send_requests(client, measured);
		await_answers(client, measured, fd);
		fd = -1;
	}
	simulated_client_end(client);
}

static void repeat_connecting(const struct measured *measured, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int fd;
		struct simulated_client *client = simulated_connect_pair(proactor, &fd);

		send_requests(client, measured);
		await_answers(client, measured, fd);
		simulated_client_end(client);
		for (int turns = 0; service.wire.connection_count > 0; turns++) {
			must(turns < TURNS_MAX, "the connection did not end");
			serve(-1);
		}
	}
}

static const struct measured *find_case(const char *name)
{
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		if (strcmp(CASES[i].name, name) == 0)
			return &CASES[i];
	}
	give_up("no such case");
}

int main(int argument_count, char **arguments)
{
	const struct measured *measured;
	unsigned count;

	if (argument_count != 3) {
		fprintf(stderr, "usage: %s CASE COUNT\n", arguments[0]);
		return 2;
	}
	measured = find_case(arguments[1]);
	count = (unsigned)strtoul(arguments[2], NULL, 10);
	log_set_level(LOG_LEVEL_ERROR);
	open_server();
	if (measured->is_connecting)
		repeat_connecting(measured, count);
	else
		repeat_on_one(measured, count);
	close_server();
	return 0;
}
