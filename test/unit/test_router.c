/* http/router.h: which endpoint gets a request, and what the answer is if none does. */
#include "assert_text.h"

#include <stdlib.h>

#include "base/log.h"
#include "http/compression.h"
#include "http/router.h"

static unsigned closed_count, answered_count, log_line_count;
static void *handled_by;

static void answer_pong(void *state, struct exchange *exchange)
{
	handled_by = state;
	exchange_answer_bytes(exchange, 200, text_literal("text/plain"), text_literal("pong"));
}

static void count_closed(void *state)
{
	(void)state;
	closed_count++;
}

enum { READING = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD) };

static const struct endpoint FILES = {
	.name = "files",
	.methods = READING,
	.sub_paths = true,
	.handle = answer_pong,
	.close = count_closed,
};
static const struct endpoint PING = {
	.name = "ping",
	.methods = READING | METHOD_BIT(METHOD_POST),
	.handle = answer_pong,
};

static const struct endpoint ZERO_COPY = {
	.name = "zero-copy",
	.methods = READING,
	.sends_files = true,
	.handle = answer_pong,
};

static bool can_send_files;

static bool sends_files(const struct exchange *exchange)
{
	(void)exchange;
	return can_send_files;
}

static void note_answered(struct exchange *exchange)
{
	(void)exchange;
	answered_count++;
}

static const struct exchange_wire WIRE = { .answered = note_answered, .sends_files = sends_files };

struct fixture {
	struct router router;
	struct exchange exchange;
};

static void count_line(void *context, struct text line)
{
	(void)context;
	(void)line;
	log_line_count++;
}

static int open_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct site *site;

	if (!fixture)
		return -1;
	log_set_sink(count_line, NULL);
	router_init(&fixture->router);
	site = router_add_site(&fixture->router, text_literal("*"));
	router_add_location(site, text_literal("/"), &FILES, "root");
	router_add_location(site, text_literal("/dynamic/"), &FILES, "dynamic");
	router_add_location(site, text_literal("/dynamic/deeper/"), &FILES, "deeper");
	router_add_location(site, text_literal("/ping"), &PING, "ping");
	closed_count = answered_count = log_line_count = 0;
	handled_by = NULL;
	*state = fixture;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *fixture = *state;

	router_reset(&fixture->router);
	log_set_sink(NULL, NULL);
	free(fixture);
	return 0;
}

/* The status of the answer. */
static unsigned dispatch(struct fixture *fixture, const char *method, struct text target)
{
	struct exchange *exchange = &fixture->exchange;

	exchange_init(exchange, &WIRE, NULL);
	handled_by = NULL;
	answered_count = 0;
	exchange->request.method = method_of(text_of(method));
	exchange->request.line = exchange->request.target = target;
	exchange->request.host = text_literal("localhost");
	router_dispatch(&fixture->router, exchange);
	assert_int_equal(answered_count, 1);
	return exchange->response.status;
}

static void assert_handled(struct fixture *fixture, const char *target, const char *state)
{
	assert_int_equal(dispatch(fixture, "GET", text_of(target)), 200);
	assert_string_equal(handled_by, state);
	assert_non_null(fixture->exchange.location);
}

static void assert_answer(
	struct fixture *fixture, const char *method, const char *target, unsigned status)
{
	assert_int_equal(dispatch(fixture, method, text_of(target)), status);
	assert_null(handled_by);
	assert_null(fixture->exchange.location);
}

static void assert_allow(const struct fixture *fixture, const char *methods)
{
	const struct response *response = &fixture->exchange.response;

	assert_true(response->field_count >= 1);
	assert_text(response->fields[0].name, "Allow");
	assert_text(response->fields[0].value, methods);
}

static void test_the_longest_prefix_of_whole_segments_wins(void **state)
{
	assert_handled(*state, "/", "root");
	assert_handled(*state, "/index.html", "root");
	assert_handled(*state, "/dynamic", "root");
	assert_handled(*state, "/dynamic/", "dynamic");
	assert_handled(*state, "/dynamic/a", "dynamic");
	assert_handled(*state, "/dynamic/deeper", "dynamic");
	assert_handled(*state, "/dynamic/deeper/a/b", "deeper");
	assert_handled(*state, "/ping", "ping");
	assert_handled(*state, "/pingx", "root");
}

static void test_the_path_is_normalised_before_it_is_matched(void **state)
{
	assert_handled(*state, "/a/../ping", "ping");
	assert_handled(*state, "/%70ing", "ping");
	assert_handled(*state, "/dynamic/../x", "root");
	assert_handled(*state, "//ping", "ping");
}

static void test_the_query_is_no_part_of_the_path(void **state)
{
	struct fixture *fixture = *state;

	assert_handled(fixture, "/ping?/../x", "ping");
	assert_text(fixture->exchange.request.path, "/ping");
	assert_handled(fixture, "/?%2F%00", "root");
	assert_handled(fixture, "/a%3Fb", "root");
	assert_text(fixture->exchange.request.path, "/a?b");
}

/* RFC 9110 §4.2.3: the path that the parser leaves of "http://host" and "http://host?a". */
static void test_an_empty_path_is_the_top(void **state)
{
	assert_handled(*state, "", "root");
	assert_handled(*state, "?a", "root");
}

static void test_sub_paths_are_404_where_they_are_not_taken(void **state)
{
	assert_answer(*state, "GET", "/ping/x", 404);
	assert_answer(*state, "GET", "/ping/", 404);
	assert_answer(*state, "PUT", "/ping/x", 404);
}

static void test_without_a_location_it_is_404(void **state)
{
	struct fixture *fixture = *state;
	struct site *site = router_add_site(&fixture->router, text_literal("localhost"));

	router_add_location(site, text_literal("/ping"), &PING, "ping");
	assert_answer(fixture, "GET", "/x", 404);
	assert_handled(fixture, "/ping", "ping");
}

/* RFC 9110 §15.5.6 */
static void test_405_says_what_is_allowed(void **state)
{
	assert_answer(*state, "POST", "/index.html", 405);
	assert_allow(*state, "GET, HEAD, OPTIONS");
	assert_answer(*state, "DELETE", "/ping", 405);
	assert_allow(*state, "GET, HEAD, POST, OPTIONS");
}

/* RFC 9110 §9.3.8, §15.5.6: TRACE would show what a proxy added to the request. */
static void test_trace_is_405(void **state)
{
	assert_answer(*state, "TRACE", "/", 405);
	assert_allow(*state, "GET, HEAD, OPTIONS");
	assert_answer(*state, "TRACE", "*", 400);
}

/* RFC 9110 §9.3.6: the target of CONNECT is no path. */
static void test_connect_is_405(void **state)
{
	assert_answer(*state, "CONNECT", "example.com:443", 405);
	assert_allow(*state, "GET, HEAD, POST, OPTIONS");
}

/* RFC 9110 §9.3.7 */
static void test_options_of_the_server_lists_methods(void **state)
{
	struct fixture *fixture = *state;

	assert_answer(fixture, "OPTIONS", "*", 200);
	assert_allow(fixture, "GET, HEAD, POST, OPTIONS");
	assert_int_equal(fixture->exchange.response.length, 0);
	assert_answer(fixture, "GET", "*", 400);
}

/* RFC 9110 §9.3.7, §10.2.1 */
static void test_options_of_a_path_lists_those_of_its_location(void **state)
{
	struct fixture *fixture = *state;

	assert_answer(fixture, "OPTIONS", "/ping", 200);
	assert_allow(fixture, "GET, HEAD, POST, OPTIONS");
	assert_int_equal(fixture->exchange.response.length, 0);
	assert_answer(fixture, "OPTIONS", "/none/at/all", 200);
	assert_allow(fixture, "GET, HEAD, OPTIONS");
	assert_answer(fixture, "OPTIONS", "/ping/x", 404);
	assert_answer(fixture, "OPTIONS", "/%", 400);
}

static void test_options_is_the_endpoints_that_knows_it(void **state)
{
	static const struct endpoint ALL = {
		.name = "all",
		.methods = READING | METHOD_BIT(METHOD_OPTIONS),
		.handle = answer_pong,
	};
	struct fixture *fixture = *state;
	struct site *site = router_add_site(&fixture->router, text_literal("localhost"));

	router_add_location(site, text_literal("/all"), &ALL, "all");
	assert_int_equal(dispatch(fixture, "OPTIONS", text_literal("/all")), 200);
	assert_string_equal(handled_by, "all");
}

/* RFC 9110 §9.1 */
static void test_an_unknown_method_is_501(void **state)
{
	assert_answer(*state, "BREW", "/ping", 501);
	assert_answer(*state, "get", "/nowhere%", 501);
}

static void test_a_broken_path_is_400_and_logged(void **state)
{
	static const char *const TARGETS[] = { "/%", "/a%2Fb", "/%00", "a", "ftp://a/b",
		"https://localhost/" };

	for (size_t i = 0; i < sizeof(TARGETS) / sizeof(TARGETS[0]); i++) {
		log_line_count = 0;
		assert_answer(*state, "GET", TARGETS[i], 400);
		assert_int_equal(log_line_count, 1);
	}
}

static void test_a_path_too_long_is_414(void **state)
{
	static char target[REQUEST_PATH_SIZE + 1];

	memset(target, 'a', sizeof(target));
	target[0] = '/';
	assert_int_equal(dispatch(*state, "GET", (struct text){ target, REQUEST_PATH_SIZE }), 200);
	assert_int_equal(
		dispatch(*state, "GET", (struct text){ target, REQUEST_PATH_SIZE + 1 }), 414);
}

static void add_compressed(
	struct fixture *fixture, const char *path, const struct endpoint *endpoint)
{
	static const struct setting table[] = {
		{ .name = "compress_types", .type = SETTING_STRINGS, .fallback = "{}" },
		{ .name = "compress_min_bytes", .type = SETTING_SIZE, .fallback = "100" },
		{ .name = "compress_level", .type = SETTING_NUMBER, .fallback = "7" },
		{ 0 },
	};
	static const struct body_coder coder = { .name = TEXT("gzip") };
	struct site *site = router_add_site(&fixture->router, text_literal("compressed"));
	struct location *location = router_add_location(site, text_of(path), endpoint, "state");
	struct section *section = section_new(NULL, NULL, table, NULL);

	assert_non_null(section);
	assert_int_equal(section_complete(section), 0);
	assert_int_equal(compression_new(&location->compression, section, &coder), 0);
	section_free(section);
}

static void test_what_leaves_as_a_file_is_not_compressed(void **state)
{
	static const struct {
		const struct endpoint *endpoint;
		bool can_send_files, is_compressed;
	} rows[] = {
		{ &FILES, true, true },
		{ &FILES, false, true },
		{ &ZERO_COPY, true, false },
		{ &ZERO_COPY, false, true },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		router_reset(&fixture->router);
		add_compressed(fixture, "/x", rows[i].endpoint);
		can_send_files = rows[i].can_send_files;
		assert_handled(fixture, "/x", "state");
		assert_int_equal(fixture->exchange.compression != NULL, rows[i].is_compressed);
	}
}

static void assert_site(const struct router *router, const char *host, const char *name)
{
	assert_text(router_find_site(router, text_of(host))->name, name);
}

static void test_a_site_is_found_whatever_case_and_port(void **state)
{
	struct fixture *fixture = *state;
	struct router *router = &fixture->router;

	router_add_site(router, text_literal("Example.com"));
	router_add_site(router, text_literal("[::1]"));
	assert_site(router, "example.com", "Example.com");
	assert_site(router, "EXAMPLE.COM:8080", "Example.com");
	assert_site(router, "example.com:", "Example.com");
	assert_site(router, "[::1]:8080", "[::1]");
	assert_site(router, "[::1]", "[::1]");
	assert_site(router, "[::2]:8080", "*");
	assert_site(router, "www.example.com", "*");
	assert_site(router, "", "*");
	assert_site(router, ":80", "*");
	assert_site(router, "[", "*");
	assert_site(router, "*", "*");
}

static void test_names_come_before_wildcards_and_the_longest_of_these_first(void **state)
{
	struct fixture *fixture = *state;
	struct router *router = &fixture->router;

	router_add_site(router, text_literal("*.example.com"));
	router_add_site(router, text_literal("*.b.Example.com"));
	router_add_site(router, text_literal("a.b.example.com"));
	assert_site(router, "a.b.example.com.:80", "a.b.example.com");
	assert_site(router, "c.b.example.com", "*.b.Example.com");
	assert_site(router, "A.C.B.EXAMPLE.COM.", "*.b.Example.com");
	assert_site(router, "b.example.com", "*.example.com");
	assert_site(router, "example.com", "*");
	assert_site(router, "notexample.com", "*");
	assert_site(router, "other.org", "*");
}

static void test_without_a_catch_all_the_first_site_answers(void **state)
{
	struct router router;

	(void)state;
	router_init(&router);
	assert_null(router_find_site(&router, text_literal("a")));
	router_add_site(&router, text_literal("first"));
	router_add_site(&router, text_literal("second"));
	assert_site(&router, "second", "second");
	assert_site(&router, "third", "first");
	router_reset(&router);
}

static void test_reset_closes_every_endpoint(void **state)
{
	struct fixture *fixture = *state;

	router_reset(&fixture->router);
	assert_int_equal(closed_count, 3); /* PING has nothing to close */
	assert_null(router_find_site(&fixture->router, text_literal("a")));
}

#define router_test(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		router_test(test_the_longest_prefix_of_whole_segments_wins),
		router_test(test_the_path_is_normalised_before_it_is_matched),
		router_test(test_the_query_is_no_part_of_the_path),
		router_test(test_an_empty_path_is_the_top),
		router_test(test_sub_paths_are_404_where_they_are_not_taken),
		router_test(test_without_a_location_it_is_404),
		router_test(test_405_says_what_is_allowed),
		router_test(test_trace_is_405),
		router_test(test_connect_is_405),
		router_test(test_options_of_the_server_lists_methods),
		router_test(test_options_of_a_path_lists_those_of_its_location),
		router_test(test_options_is_the_endpoints_that_knows_it),
		router_test(test_an_unknown_method_is_501),
		router_test(test_a_broken_path_is_400_and_logged),
		router_test(test_a_path_too_long_is_414),
		router_test(test_what_leaves_as_a_file_is_not_compressed),
		router_test(test_a_site_is_found_whatever_case_and_port),
		router_test(test_names_come_before_wildcards_and_the_longest_of_these_first),
		router_test(test_without_a_catch_all_the_first_site_answers),
		router_test(test_reset_closes_every_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
