/* The endpoints that take request bodies, asked without a wire, on every backend: echo. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "endpoints/registry.h"
#include "http/gather.h"
#include "proactor/simulated.h"
#include "visit.h"

/* After base/log.h: it has a macro `fail`. */
#include <cmocka.h>

static const char *backend;
static uint64_t seed;
static struct place place;
static struct visit caller;

/* What is open: one endpoint at a time, in a location of its own. */
static const struct endpoint *endpoint;
static struct section *location;
static void *endpoint_state;

static void add_value(const char *name, const char *string)
{
	struct setting_value *value =
		section_add_value(location, section_find_setting(location, name), 1);
	char memory[128];
	struct buffer wrong;

	buffer_init(&wrong, memory, sizeof(memory));
	assert_non_null(value);
	assert_int_equal(setting_value_add_string(value, text_of(string)), 0);
	assert_int_equal(setting_value_parse(value, &wrong), 0);
}

/* `name` may be NULL: every setting at its fallback. */
static void open_endpoint(const struct endpoint *opened, const char *name, const char *string)
{
	static const struct setting none[] = { { 0 } };

	endpoint = opened;
	location = section_new(NULL, NULL, endpoint->settings ? endpoint->settings : none, NULL);
	if (name)
		add_value(name, string);
	assert_int_equal(section_complete(location), 0);
	endpoint_state = NULL;
	if (endpoint->open)
		assert_int_equal(endpoint->open(&endpoint_state, location, place.proactor), 0);
}

static void close_endpoint(void)
{
	if (endpoint && endpoint->close)
		endpoint->close(endpoint_state);
	section_free(location);
	endpoint = NULL;
	location = NULL;
}

static int set_up(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	place_open(&place, backend, seed);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gather_limit(UINT64_MAX);
	close_endpoint();
	place_close(&place);
	return 0;
}

static void begin(enum method method, struct text body)
{
	visit_init_with_body(&caller, &place, method, body);
}

static void finish(void)
{
	endpoint->handle(endpoint_state, &caller.exchange);
	visit_await_answer(&caller);
	visit_pull_all(&caller, SIZE_MAX);
}

static void ask(enum method method, struct text body)
{
	begin(method, body);
	finish();
}

#define assert_body(expected) assert_true(text_equal(visit_body(&caller), text_literal(expected)))
#define assert_field(name, expected)                                                               \
	assert_true(text_equal(visit_field(&caller, name), text_literal(expected)))

static void add_request_field(const char *name, const char *value)
{
	struct request *request = &caller.exchange.request;

	request->fields[request->field_count++] = (struct field){ text_of(name), text_of(value) };
}

/* --- echo --------------------------------------------------------------------------------- */

static void begin_echo(struct text body)
{
	begin(METHOD_POST, body);
	caller.exchange.request.line = text_literal("POST /echo?a HTTP/1.1");
	add_request_field("hOST", "example.com");
	add_request_field("Cookie", "secret");
	add_request_field("authorization", "Basic c2VjcmV0");
	add_request_field("Proxy-Authorization", "secret");
	add_request_field("X-Empty", "");
}

static void test_echo_is_the_head_an_empty_line_and_the_body(void **state)
{
	(void)state;
	open_endpoint(&echo_endpoint, NULL, NULL);
	begin_echo(text_literal("the body"));
	finish();
	assert_int_equal(visit_status(&caller), 200);
	assert_body("POST /echo?a HTTP/1.1\r\nhOST: example.com\r\nCookie: [redacted]\r\n"
		    "authorization: [redacted]\r\nProxy-Authorization: [redacted]\r\n"
		    "X-Empty: \r\n\r\nthe body");
	assert_field("Content-Type", "text/plain; charset=utf-8");
	assert_field("X-Content-Type-Options", "nosniff");
}

static void test_echo_shows_secrets_when_told_to(void **state)
{
	(void)state;
	open_endpoint(&echo_endpoint, "redact", "no");
	begin_echo(text_literal(""));
	finish();
	assert_body("POST /echo?a HTTP/1.1\r\nhOST: example.com\r\nCookie: secret\r\n"
		    "authorization: Basic c2VjcmV0\r\nProxy-Authorization: secret\r\n"
		    "X-Empty: \r\n\r\n");
}

static void test_echo_of_a_long_body_is_byte_for_byte(void **state)
{
	size_t length = 1 << 20;
	char *bytes = malloc(length);

	(void)state;
	for (size_t i = 0; i < length; i++)
		bytes[i] = place_byte(i);
	open_endpoint(&echo_endpoint, NULL, NULL);
	begin(METHOD_PUT, (struct text){ bytes, length });
	finish();
	assert_int_equal(caller.length, length + 4);
	assert_int_equal(caller.exchange.response.length, length + 4);
	assert_memory_equal(caller.kept + 4, bytes, sizeof(caller.kept) - 4);
	free(bytes);
}

static void test_echo_of_a_body_that_fails_says_why(void **state)
{
	(void)state;
	open_endpoint(&echo_endpoint, NULL, NULL);
	begin(METHOD_POST, text_literal("half a bo"));
	caller.body_error = -EPROTO;
	finish();
	assert_int_equal(visit_status(&caller), 400);
	begin(METHOD_POST, text_literal("half a bo"));
	caller.body_error = -ETIMEDOUT;
	finish();
	assert_int_equal(visit_status(&caller), 408);
}

static void test_echo_without_room_is_503_and_works_again(void **state)
{
	static char bytes[20000];

	(void)state;
	open_endpoint(&echo_endpoint, NULL, NULL);
	gather_limit(16384);
	for (unsigned chunked = 0; chunked < 2; chunked++) {
		begin(METHOD_POST, (struct text){ bytes, sizeof(bytes) });
		if (chunked)
			caller.exchange.request.content_length = REQUEST_LENGTH_CHUNKED;
		finish();
		assert_int_equal(visit_status(&caller), 503);
	}
	ask(METHOD_POST, text_literal("short"));
	assert_int_equal(visit_status(&caller), 200);
}

/* --- all of it ---------------------------------------------------------------------------- */

#define AT_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest everywhere[] = {
	AT_PLACE(test_echo_is_the_head_an_empty_line_and_the_body),
	AT_PLACE(test_echo_shows_secrets_when_told_to),
	AT_PLACE(test_echo_of_a_long_body_is_byte_for_byte),
	AT_PLACE(test_echo_of_a_body_that_fails_says_why),
	AT_PLACE(test_echo_without_room_is_503_and_works_again),
};

int main(int argument_count, char **arguments)
{
	if (argument_count < 2) {
		fprintf(stderr, "usage: test_body_endpoints BACKEND\n");
		return 2;
	}
	backend = arguments[1];
	return cmocka_run_group_tests(everywhere, NULL, NULL);
}
