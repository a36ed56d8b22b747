/* server/access_log.h: whatever a client sends, a line of the log stays one line of its format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/access_log.h"

/* 2026-11-21T09:46:03.123456789Z */
#define WALL_NS INT64_C(1795254363123456789)

static char memory[ACCESS_LINE_LENGTH_MAX + 1];

static struct access_entry usual_entry(void)
{
	return (struct access_entry){
		.wall_ns = WALL_NS,
		.duration_ns = 1234567,
		.body_length = 6,
		.status = 200,
		.remote = TEXT("192.0.2.1"),
		.line = TEXT("GET /a?b HTTP/1.1"),
		.target = TEXT("/a?b"),
		.protocol = TEXT("HTTP/1.1"),
		.host = TEXT("example.com"),
		.referer = TEXT("http://example.com/"),
		.user_agent = TEXT("curl/7.88.1"),
		.location = TEXT("/"),
		.endpoint = TEXT("static"),
	};
}

static const char *combined(const struct access_entry *entry)
{
	struct buffer line;

	buffer_init(&line, memory, sizeof(memory) - 1);
	access_log_append_combined(&line, entry);
	assert_true(line.length <= ACCESS_LINE_LENGTH_MAX);
	memory[line.length] = '\0';
	return memory;
}

static const char *json(const struct access_entry *entry)
{
	struct buffer line;

	buffer_init(&line, memory, sizeof(memory) - 1);
	access_log_append_json(&line, entry);
	assert_true(line.length <= ACCESS_LINE_LENGTH_MAX);
	memory[line.length] = '\0';
	return memory;
}

static void test_combined_line_reads_as_in_other_servers(void **state)
{
	struct access_entry entry = usual_entry();

	(void)state;
	assert_string_equal(combined(&entry),
		"192.0.2.1 - - [21/Nov/2026:09:46:03 +0000] \"GET /a?b HTTP/1.1\" 200 6 "
		"\"http://example.com/\" \"curl/7.88.1\"\n");
}

static void test_what_is_not_there_is_a_dash_in_combined(void **state)
{
	struct access_entry entry = { .wall_ns = WALL_NS, .status = 400 };

	(void)state;
	assert_string_equal(
		combined(&entry), "- - - [21/Nov/2026:09:46:03 +0000] \"-\" 400 0 \"-\" \"-\"\n");
}

static void test_combined_escapes_what_could_forge_or_steer(void **state)
{
	struct access_entry entry = usual_entry();

	(void)state;
	entry.line = text_literal("GET /\"\\\n\r\t\x1b[2J\x7f\xc3\xa9\0 HTTP/1.1");
	entry.user_agent = text_literal("a\" 200 0 \"b");
	assert_string_equal(combined(&entry),
		"192.0.2.1 - - [21/Nov/2026:09:46:03 +0000] "
		"\"GET /\\x22\\x5C\\x0A\\x0D\\x09\\x1B[2J\\x7F\\xC3\\xA9\\x00 HTTP/1.1\" 200 6 "
		"\"http://example.com/\" \"a\\x22 200 0 \\x22b\"\n");
}

static void test_json_line_is_one_object(void **state)
{
	struct access_entry entry = usual_entry();

	(void)state;
	assert_string_equal(json(&entry),
		"{\"time\":\"2026-11-21T09:46:03.123Z\",\"remote\":\"192.0.2.1\","
		"\"method\":\"GET\",\"target\":\"/a?b\",\"protocol\":\"HTTP/1.1\","
		"\"status\":200,\"bytes\":6,\"duration_ms\":1.234,\"cut\":false,"
		"\"host\":\"example.com\",\"referer\":\"http://example.com/\","
		"\"user_agent\":\"curl/7.88.1\",\"location\":\"/\",\"endpoint\":\"static\"}\n");
}

static void assert_json_target(struct text target, const char *expected)
{
	struct access_entry entry = { .wall_ns = WALL_NS, .status = 200, .target = target };
	const char *line = json(&entry), *start = strstr(line, "\"target\":");
	const char *end = strstr(line, ",\"protocol\":");

	assert_non_null(start);
	assert_non_null(end);
	start += strlen("\"target\":");
	assert_int_equal(end - start, strlen(expected));
	assert_memory_equal(start, expected, strlen(expected));
}

static void test_json_escapes_quotes_backslashes_and_controls(void **state)
{
	(void)state;
	assert_json_target(text_literal("\"\\/"), "\"\\\"\\\\/\"");
	assert_json_target(
		text_literal("\0\n\r\t\x1f\x7f"), "\"\\u0000\\u000A\\u000D\\u0009\\u001F\\u007F\"");
	assert_json_target(text_literal("\xc2\x80\xc2\x9b\xc2\xa0"), "\"\\u0080\\u009B\xc2\xa0\"");
}

static void test_json_keeps_utf8_and_escapes_what_is_none(void **state)
{
	(void)state;
	assert_json_target(text_literal("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	assert_json_target(text_literal("\xff\x80"), "\"\\\\xFF\\\\x80\"");
	/* Overlong, surrogate, beyond U+10FFFF. */
	assert_json_target(text_literal("\xc0\xaf"), "\"\\\\xC0\\\\xAF\"");
	assert_json_target(text_literal("\xe0\x80\xaf"), "\"\\\\xE0\\\\x80\\\\xAF\"");
	assert_json_target(text_literal("\xed\xa0\x80"), "\"\\\\xED\\\\xA0\\\\x80\"");
	assert_json_target(text_literal("\xf4\x90\x80\x80"), "\"\\\\xF4\\\\x90\\\\x80\\\\x80\"");
	/* Truncated, at the end and before another character. */
	assert_json_target(text_literal("\xe2\x82"), "\"\\\\xE2\\\\x82\"");
	assert_json_target(text_literal("\xe2\x82x"), "\"\\\\xE2\\\\x82x\"");
	assert_json_target(text_literal("\xf0\x9f\x98"), "\"\\\\xF0\\\\x9F\\\\x98\"");
}

/* Reads a JSON string as strictly as RFC 8259; returns what follows it. */
static const char *skip_string(const char *bytes)
{
	assert_int_equal(*bytes++, '"');
	while (*bytes != '"') {
		assert_true((unsigned char)*bytes >= 0x20);
		if (*bytes == '\\') {
			bytes++;
			assert_non_null(strchr("\"\\/bfnrtu", *bytes));
		}
		bytes++;
	}
	return bytes + 1;
}

static void assert_one_flat_object(const char *bytes)
{
	assert_int_equal(*bytes, '{');
	do {
		bytes = skip_string(bytes + 1);
		assert_int_equal(*bytes++, ':');
		bytes = *bytes == '"' ? skip_string(bytes)
				      : bytes + strspn(bytes, "0123456789.truefals");
	} while (*bytes == ',');
	assert_string_equal(bytes, "}\n");
}

static struct text noise(char *bytes, size_t length, unsigned *seed)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)rand_r(seed);
	return (struct text){ bytes, length };
}

static void test_random_bytes_never_break_a_line(void **state)
{
	char target[64], agent[64];
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct access_entry entry = usual_entry();
		const char *line;

		entry.target = noise(target, (size_t)round % sizeof(target), &seed);
		entry.user_agent = noise(agent, sizeof(agent), &seed);
		entry.line = entry.target;
		assert_one_flat_object(json(&entry));
		line = combined(&entry);
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
		for (const char *byte = line; *byte != '\n'; byte++)
			assert_true(*byte >= 0x20 && *byte < 0x7f);
	}
}

static void test_longest_and_worst_texts_fit(void **state)
{
	static char worst[20000];
	struct text text = { worst, sizeof(worst) };
	struct access_entry entry = usual_entry();

	(void)state;
	memset(worst, 1, sizeof(worst));
	entry.remote = entry.line = entry.target = entry.protocol = entry.host = text;
	entry.referer = entry.user_agent = entry.location = entry.endpoint = text;
	entry.duration_ns = entry.body_length = UINT64_MAX;
	assert_one_flat_object(json(&entry));
	assert_non_null(strchr(combined(&entry), '\n'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_combined_line_reads_as_in_other_servers),
		cmocka_unit_test(test_what_is_not_there_is_a_dash_in_combined),
		cmocka_unit_test(test_combined_escapes_what_could_forge_or_steer),
		cmocka_unit_test(test_json_line_is_one_object),
		cmocka_unit_test(test_json_escapes_quotes_backslashes_and_controls),
		cmocka_unit_test(test_json_keeps_utf8_and_escapes_what_is_none),
		cmocka_unit_test(test_random_bytes_never_break_a_line),
		cmocka_unit_test(test_longest_and_worst_texts_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
