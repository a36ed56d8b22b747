/* The endpoints that take request bodies, called without a wire, on every backend: echo,
 * palindrome, store. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "endpoints/registry.h"
#include "http/gather.h"
#include "simulated/simulated.h"
#include "visit.h"

/* After base/log.h: it has a macro `fail`. */
#include <cmocka.h>

static const char *backend;
static uint64_t seed;
static struct place place;
static struct visit caller;

/* The open endpoint, one at a time, in its own location. */
static const struct endpoint *endpoint;
static struct section *location;
static void *endpoint_state;

static void add_value(const char *name, const char *string)
{
	struct setting_value *value =
		section_add_value(location, section_find_setting(location, name), 1);
	size_t wrong;

	assert_non_null(value);
	assert_int_equal(setting_value_add_string(value, text_of(string)), 0);
	assert_null(setting_value_parse(value, &wrong));
}

/* `name` may be NULL: every setting has its default. */
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

/* --- palindrome --------------------------------------------------------------------------- */

static const struct {
	const char *text;
	bool exact, folded;
	unsigned length;
} palindromes[] = {
	{ "", true, true, 0 },
	{ "a", true, true, 1 },
	{ "aa", true, true, 2 },
	{ "ab", false, false, 2 },
	{ "racecar", true, true, 7 },
	{ "Racecar", false, true, 7 },
	{ "A man, a plan, a canal: Panama!", false, true, 31 },
	{ "\t., \n;!", false, true, 7 },
	{ "ab,", false, false, 3 },
	{ "\x01"
	  "a",
		false, false, 2 },
	{ "aZ[{`@a", false, true, 7 },
	{ "a[a", true, true, 3 },
	{ "\u00e4a\u00e4", true, true, 3 },
	{ "\u00c4a\u00e4", false, false, 3 },
	{ "\u20ac\U0001f600\u20ac", true, true, 3 },
	{ "\u20ac\U0001f600", false, false, 2 },
	{ "\u00a0\u07ff\u0800\uffff\U00010000\U0010ffff\U00010000\uffff\u0800\u07ff\u00a0", true,
		true, 11 },
	{ "1,2.1", false, true, 5 },
};

static void assert_palindrome(struct text text, bool folding, bool expected, unsigned length)
{
	char json[128];

	begin(METHOD_POST, text);
	if (folding)
		caller.exchange.request.query = text_literal("x=fold&fold=1");
	finish();
	snprintf(json, sizeof(json), "{\"palindrome\": %s, \"length\": %u}\n",
		expected ? "true" : "false", length);
	assert_int_equal(visit_status(&caller), 200);
	assert_true(text_equal(visit_body(&caller), text_of(json)));
	assert_field("Content-Type", "application/json");
}

static void test_palindromes_are_told_from_other_texts(void **state)
{
	(void)state;
	open_endpoint(&palindrome_endpoint, NULL, NULL);
	for (size_t i = 0; i < sizeof(palindromes) / sizeof(palindromes[0]); i++) {
		struct text text = text_of(palindromes[i].text);

		assert_palindrome(text, false, palindromes[i].exact, palindromes[i].length);
		assert_palindrome(text, true, palindromes[i].folded, palindromes[i].length);
	}
}

/* Lengths around the size of a block, and around the length from which on a thread does the
 * work. */
static void test_palindromes_of_any_length_are_exact(void **state)
{
	static const unsigned lengths[] = { 4079, 4080, 4081, 8160, 16384, 16385, 1000001 };

	(void)state;
	open_endpoint(&palindrome_endpoint, NULL, NULL);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		unsigned length = lengths[i];
		char *bytes = malloc(length);

		for (unsigned j = 0; j < length; j++)
			bytes[j] = (char)('a' + (j < length / 2 ? j : length - 1 - j) % 26);
		assert_palindrome((struct text){ bytes, length }, false, true, length);
		bytes[length / 2 - 1] = '-';
		assert_palindrome((struct text){ bytes, length }, false, false, length);
		assert_palindrome((struct text){ bytes, length }, true, length % 2 == 0, length);
		free(bytes);
	}
}

static void assert_fault(struct text text, unsigned offset)
{
	char json[128];

	ask(METHOD_POST, text);
	snprintf(json, sizeof(json), "{\"error\": \"invalid UTF-8\", \"offset\": %u}\n", offset);
	assert_int_equal(visit_status(&caller), 400);
	assert_true(text_equal(visit_body(&caller), text_of(json)));
}

static void test_invalid_utf8_is_400_with_its_offset(void **state)
{
	static const char *const faults[] = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3",
		"\xc3(", "\xe2\x82", "\xe2(\xa1", "\xe0\x80\x80", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe" };

	(void)state;
	open_endpoint(&palindrome_endpoint, NULL, NULL);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		static char bytes[20000];

		assert_fault(text_of(faults[i]), 0);
		snprintf(bytes, sizeof(bytes), "\u20acab%s\u20ac", faults[i]);
		assert_fault(text_of(bytes), 5);
		memset(bytes, 'x', sizeof(bytes));
		memcpy(bytes + 4079, faults[i], strlen(faults[i]));
		assert_fault((struct text){ bytes, sizeof(bytes) }, 4079);
	}
}

static void test_palindrome_is_told_as_text_to_whom_prefers_it(void **state)
{
	(void)state;
	open_endpoint(&palindrome_endpoint, NULL, NULL);
	begin(METHOD_POST, text_literal("abba"));
	add_request_field("Accept", "text/plain");
	finish();
	assert_body("true\n");
	assert_field("Content-Type", "text/plain; charset=utf-8");
	begin(METHOD_POST, text_literal("abb"));
	add_request_field("accept", "application/json;q=0.5, text/*");
	finish();
	assert_body("false\n");
	begin(METHOD_POST, text_literal("a\xff"));
	add_request_field("Accept", "text/plain");
	finish();
	assert_int_equal(visit_status(&caller), 400);
	assert_body("invalid UTF-8 at offset 1\n");
	begin(METHOD_POST, text_literal("a"));
	add_request_field("Accept", "*/*");
	finish();
	assert_field("Content-Type", "application/json");
}

static void test_palindrome_of_a_body_that_fails_says_why(void **state)
{
	(void)state;
	open_endpoint(&palindrome_endpoint, NULL, NULL);
	begin(METHOD_POST, text_literal("abba"));
	caller.body_error = -ECONNRESET;
	finish();
	assert_int_equal(visit_status(&caller), 400);
}

/* --- store -------------------------------------------------------------------------------- */

static void open_store(const char *store_bytes)
{
	place_make_directory(&place, "store");
	endpoint = &store_endpoint;
	location = section_new(NULL, NULL, endpoint->settings, NULL);
	add_value("directory", place_path(&place, "store"));
	add_value("store_bytes", store_bytes);
	assert_int_equal(section_complete(location), 0);
	assert_int_equal(endpoint->open(&endpoint_state, location, place.proactor), 0);
}

static void assert_asked(enum method method, const char *body, unsigned status)
{
	ask(method, text_of(body));
	assert_int_equal(visit_status(&caller), status);
}

static void assert_stored(const char *value)
{
	assert_asked(METHOD_GET, "", 200);
	assert_true(text_equal(visit_body(&caller), text_of(value)));
}

static void test_value_is_read_for_a_wire_that_cannot_send_files(void **state)
{
	(void)state;
	open_store("1K");
	assert_asked(METHOD_PUT, "value", 201);
	for (unsigned sends_no_files = 0; sends_no_files < 2; sends_no_files++) {
		begin(METHOD_GET, text_literal(""));
		caller.sends_no_files = sends_no_files;
		finish();
		assert_body("value");
		assert_int_equal(caller.extent_count, sends_no_files ? 0 : 1);
	}
}

/* Unfinished files would have one of the next names. */
static void assert_nothing_left_behind(void)
{
	for (unsigned number = 0; place_is_simulated(&place) && number < 2000; number++) {
		char name[64];

		snprintf(name, sizeof(name), "store/.value-%d-%u", getpid(), number);
		assert_null(simulated_read_file(place.proactor, name).bytes);
	}
}

/* RFC 9110 §15.5.12 */
static void test_value_whose_length_is_not_told_is_411_and_changes_nothing(void **state)
{
	(void)state;
	open_store("1K");
	assert_asked(METHOD_PUT, "kept", 201);
	assert_asked(METHOD_PUT, "", 411);
	assert_asked(METHOD_POST, "", 411);
	assert_stored("kept");
}

static void test_value_is_created_replaced_read_and_removed(void **state)
{
	(void)state;
	open_store("1K");
	assert_asked(METHOD_GET, "", 404);
	assert_body("Nothing is stored here.\n");
	assert_asked(METHOD_POST, "first", 201);
	assert_stored("first");
	assert_field("Content-Type", "application/octet-stream");
	assert_asked(METHOD_PUT, "the second", 204);
	assert_stored("the second");
	begin(METHOD_PUT, text_literal(""));
	visit_add_field(&caller, "content-length", "0");
	finish();
	assert_int_equal(visit_status(&caller), 204);
	assert_stored("");
	assert_asked(METHOD_DELETE, "", 204);
	assert_asked(METHOD_GET, "", 404);
	assert_asked(METHOD_DELETE, "", 204);
	assert_asked(METHOD_PUT, "again", 201);
	assert_nothing_left_behind();
}

static void test_value_of_any_length_is_exact_and_one_too_long_changes_nothing(void **state)
{
	static char bytes[10001];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = place_byte(i);
	open_store("10000");
	for (size_t length = 1; length <= 10000; length += 3333) {
		ask(METHOD_PUT, (struct text){ bytes, length });
		assert_int_equal(visit_status(&caller), length == 1 ? 201 : 204);
		ask(METHOD_GET, text_literal(""));
		assert_int_equal(caller.length, length);
		assert_true(caller.patterned);
	}
	ask(METHOD_PUT, (struct text){ bytes, 10001 });
	assert_int_equal(visit_status(&caller), 413);
	begin(METHOD_PUT, (struct text){ bytes, 10001 });
	caller.exchange.request.content_length = REQUEST_LENGTH_CHUNKED;
	finish();
	assert_int_equal(visit_status(&caller), 413);
	ask(METHOD_GET, text_literal(""));
	assert_int_equal(caller.length, 10000);
}

static void test_body_that_breaks_off_stores_nothing(void **state)
{
	(void)state;
	open_store("1K");
	assert_asked(METHOD_PUT, "whole", 201);
	begin(METHOD_PUT, text_literal("hal"));
	caller.body_error = -ECONNRESET;
	finish();
	assert_int_equal(visit_status(&caller), 400);
	assert_stored("whole");
}

static void test_of_many_first_writers_one_creates(void **state)
{
	enum { WRITERS = 20 };
	struct visit *writers = calloc(WRITERS, sizeof(*writers));
	unsigned created_count = 0;

	(void)state;
	open_store("1K");
	for (unsigned i = 0; i < WRITERS; i++) {
		visit_init_with_body(&writers[i], &place, METHOD_PUT, text_literal("value"));
		endpoint->handle(endpoint_state, &writers[i].exchange);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		visit_await_answer(&writers[i]);
		created_count += visit_status(&writers[i]) == 201;
		assert_true(visit_status(&writers[i]) == 201 || visit_status(&writers[i]) == 204);
	}
	assert_int_equal(created_count, 1);
	assert_stored("value");
	assert_nothing_left_behind();
	free(writers);
}

static const enum op_kind saving_kinds[] = { OP_OPEN, OP_WRITE, OP_FSYNC, OP_RENAME };

/* Each op before the rename may fail: the old value stays. */
static void test_failed_step_leaves_the_old_value(void **state)
{
	static const struct {
		int error;
		unsigned status;
	} cases[] = { { -ENOSPC, 507 }, { -EDQUOT, 507 }, { -EIO, 500 }, { -EACCES, 500 },
		{ -EMFILE, 500 } };

	(void)state;
	open_store("1K");
	assert_asked(METHOD_PUT, "old", 201);
	for (size_t i = 0; i < sizeof(saving_kinds) / sizeof(saving_kinds[0]); i++) {
		for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
			log_set_level(LOG_LEVEL_ERROR + 1);
			simulated_fail_next(place.proactor, saving_kinds[i], cases[j].error);
			assert_asked(METHOD_PUT, "new", cases[j].status);
			assert_stored("old");
			assert_nothing_left_behind();
		}
	}
	simulated_fail_next(place.proactor, OP_RENAME, -EEXIST);
	simulated_fail_next(place.proactor, OP_RENAME, -EIO);
	assert_asked(METHOD_PUT, "new", 500);
	assert_stored("old");
	simulated_fail_next(place.proactor, OP_UNLINK, -EIO);
	assert_asked(METHOD_DELETE, "", 500);
	assert_stored("old");
	simulated_fail_next(place.proactor, OP_OPEN, -EIO);
	assert_asked(METHOD_GET, "", 500);
	simulated_fail_next(place.proactor, OP_STAT, -EIO);
	assert_asked(METHOD_GET, "", 500);
	assert_stored("old");
}

static bool is_value(const char *expected)
{
	struct text value = simulated_read_file(place.proactor, "store/value");
	bool is = text_equal(value, text_of(expected));

	free((char *)value.bytes);
	return is;
}

/* Sends the whole body at once, without a turn. */
static void begin_saving(const char *value)
{
	begin(METHOD_PUT, text_of(value));
	endpoint->handle(endpoint_state, &caller.exchange);
	caller.body_wanted = false;
	caller.exchange.sink->received(caller.exchange.sink, caller.body);
	caller.exchange.sink->ended(caller.exchange.sink, 0);
}

/* After a kill behind any op there is one whole value, and the new one before the client gets its
 * answer. */
static void test_at_every_moment_there_is_one_whole_value(void **state)
{
	(void)state;
	open_store("1K");
	assert_asked(METHOD_PUT, "old", 201);
	begin_saving("new");
	for (unsigned i = 0; i < 1000 && caller.answer_count == 0; i++) {
		assert_true(is_value("old") || is_value("new"));
		assert_int_equal(proactor_turn(place.proactor, 0), 0);
	}
	assert_int_equal(visit_status(&caller), 204);
	assert_true(is_value("new"));
}

/* The directory is synced before the answer. If that fails, the value is not acknowledged. */
static void test_answer_waits_for_the_directory(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR + 1);
	open_store("1K");
	assert_asked(METHOD_PUT, "old", 201);
	begin_saving("new");
	for (unsigned i = 0; i < 1000 && !is_value("new"); i++)
		assert_int_equal(proactor_turn(place.proactor, 0), 0);
	assert_int_equal(caller.answer_count, 0);
	simulated_fail_next(place.proactor, OP_FSYNC, -EIO);
	visit_await_answer(&caller);
	assert_int_equal(visit_status(&caller), 500);
	assert_nothing_left_behind();
}

/* The machine starts again after a power loss at this moment: it has the old value or the new one
 * (the new one if it was acknowledged), and can store the next one. */
static void assert_machine_found(
	unsigned survivors, const char *before, const char *after, bool promised)
{
	const struct simulated_options options = { .seed = seed };
	struct place machine = { .backend = backend };
	static struct visit visitor;
	struct text found;
	void *state = NULL;

	assert_int_equal(
		simulated_open_after_loss(&machine.proactor, &options, place.proactor, survivors),
		0);
	assert_int_equal(endpoint->open(&state, location, machine.proactor), 0);
	visit(&visitor, &machine, endpoint, state, "/");
	found = visit_status(&visitor) == 200 ? visit_body(&visitor) : text_literal("nothing");
	assert_true(text_equal(found, text_of(after)) ||
		    (!promised && text_equal(found, text_of(before))));
	visit_init_with_body(&visitor, &machine, METHOD_PUT, text_literal("next"));
	endpoint->handle(state, &visitor.exchange);
	visit_await_answer(&visitor);
	assert_in_range(visit_status(&visitor), 201, 204);
	visit(&visitor, &machine, endpoint, state, "/");
	assert_true(text_equal(visit_body(&visitor), text_literal("next")));
	endpoint->close(state);
	place_close(&machine);
}

/* However much of the data without a sync survives. */
static void assert_power_may_go(const char *before, const char *after, bool promised)
{
	enum { ALL = SIMULATED_UNSYNCED_CONTENTS | SIMULATED_UNSYNCED_NAMES };

	for (unsigned survivors = SIMULATED_ONLY_SYNCED; survivors <= ALL; survivors++)
		assert_machine_found(survivors, before, after, promised);
}

static void await_answer_while_power_may_go(const char *before, const char *after)
{
	for (unsigned i = 0; i < 1000 && caller.answer_count == 0; i++) {
		assert_power_may_go(before, after, false);
		assert_int_equal(proactor_turn(place.proactor, 0), 0);
	}
	assert_in_range(visit_status(&caller), 201, 204);
	assert_power_may_go(before, after, true);
}

static void test_at_every_moment_the_power_may_go(void **state)
{
	(void)state;
	open_store("1K");
	simulated_sync(place.proactor);
	begin_saving("old");
	await_answer_while_power_may_go("nothing", "old");
	begin_saving("new");
	await_answer_while_power_may_go("old", "new");
	begin(METHOD_DELETE, text_literal(""));
	endpoint->handle(endpoint_state, &caller.exchange);
	await_answer_while_power_may_go("new", "nothing");
}

/* --- all of it ---------------------------------------------------------------------------- */

#define AT_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest everywhere[] = {
	AT_PLACE(test_echo_is_the_head_an_empty_line_and_the_body),
	AT_PLACE(test_echo_shows_secrets_when_told_to),
	AT_PLACE(test_echo_of_a_long_body_is_byte_for_byte),
	AT_PLACE(test_echo_of_a_body_that_fails_says_why),
	AT_PLACE(test_echo_without_room_is_503_and_works_again),
	AT_PLACE(test_palindromes_are_told_from_other_texts),
	AT_PLACE(test_palindromes_of_any_length_are_exact),
	AT_PLACE(test_invalid_utf8_is_400_with_its_offset),
	AT_PLACE(test_palindrome_is_told_as_text_to_whom_prefers_it),
	AT_PLACE(test_palindrome_of_a_body_that_fails_says_why),
	AT_PLACE(test_value_whose_length_is_not_told_is_411_and_changes_nothing),
	AT_PLACE(test_value_is_created_replaced_read_and_removed),
	AT_PLACE(test_value_is_read_for_a_wire_that_cannot_send_files),
	AT_PLACE(test_value_of_any_length_is_exact_and_one_too_long_changes_nothing),
	AT_PLACE(test_body_that_breaks_off_stores_nothing),
	AT_PLACE(test_of_many_first_writers_one_creates),
};

static const struct CMUnitTest simulated_only[] = {
	AT_PLACE(test_failed_step_leaves_the_old_value),
	AT_PLACE(test_at_every_moment_there_is_one_whole_value),
	AT_PLACE(test_answer_waits_for_the_directory),
};

static const struct CMUnitTest power[] = {
	AT_PLACE(test_at_every_moment_the_power_may_go),
};

/* Writes are short, and ops end late and in any order. */
static int run_seeds(void)
{
	int failed_count = 0;

	for (seed = 1; seed <= 20 && failed_count == 0; seed++) {
		printf("seed %llu\n", (unsigned long long)seed);
		failed_count += cmocka_run_group_tests(everywhere, NULL, NULL);
		failed_count += cmocka_run_group_tests(power, NULL, NULL);
	}
	return failed_count;
}

int main(int argument_count, char **arguments)
{
	int failed_count;

	if (argument_count < 2) {
		fprintf(stderr, "usage: test_body_endpoints BACKEND\n");
		return 2;
	}
	backend = arguments[1];
	failed_count = cmocka_run_group_tests(everywhere, NULL, NULL);
	if (strcmp(backend, "simulated") == 0) {
		failed_count += cmocka_run_group_tests(simulated_only, NULL, NULL);
		failed_count += cmocka_run_group_tests(power, NULL, NULL);
		failed_count += run_seeds();
	}
	return failed_count;
}
