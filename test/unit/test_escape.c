/* base/escape.h, and the error log as its user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* cmocka's; ours is in base/log.h */

#include "base/escape.h"
#include "base/log.h"

/* The result of each form for a text. */
static const struct {
	struct text text;
	const char *message, *combined, *json;
} CASES[] = {
	{ TEXT("plain ~!"), "plain ~!", "plain ~!", "plain ~!" },
	{ TEXT("a\"b"), "a\"b", "a\\x22b", "a\\\"b" },
	{ TEXT("a\\nb"), "a\\x5Cnb", "a\\x5Cnb", "a\\\\nb" },
	{ TEXT("\0\n\x1b\x7f"), "\\x00\\x0A\\x1B\\x7F", "\\x00\\x0A\\x1B\\x7F",
		"\\u0000\\u000A\\u001B\\u007F" },
	{ TEXT("\xc3\xa9"), "\xc3\xa9", "\\xC3\\xA9", "\xc3\xa9" },
	{ TEXT("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80", "\\xF0\\x9F\\x98\\x80",
		"\xf0\x9f\x98\x80" },
	/* C1: CSI, NEL */
	{ TEXT("\xc2\x9b\xc2\x85"), "\\xC2\\x9B\\xC2\\x85", "\\xC2\\x9B\\xC2\\x85",
		"\\u009B\\u0085" },
	/* right-to-left override, isolate, zero width, line separator, byte order mark */
	{ TEXT("\xe2\x80\xae"), "\\xE2\\x80\\xAE", "\\xE2\\x80\\xAE", "\\u202E" },
	{ TEXT("\xe2\x81\xa6"), "\\xE2\\x81\\xA6", "\\xE2\\x81\\xA6", "\\u2066" },
	{ TEXT("\xe2\x80\x8b"), "\\xE2\\x80\\x8B", "\\xE2\\x80\\x8B", "\\u200B" },
	{ TEXT("\xe2\x80\xa8"), "\\xE2\\x80\\xA8", "\\xE2\\x80\\xA8", "\\u2028" },
	{ TEXT("\xef\xbb\xbf"), "\\xEF\\xBB\\xBF", "\\xEF\\xBB\\xBF", "\\uFEFF" },
	/* stray, overlong, cut */
	{ TEXT("\x9b\xff"), "\\x9B\\xFF", "\\x9B\\xFF", "\\\\x9B\\\\xFF" },
	{ TEXT("\xc0\xaf"), "\\xC0\\xAF", "\\xC0\\xAF", "\\\\xC0\\\\xAF" },
	{ TEXT("\xe2\x82"), "\\xE2\\x82", "\\xE2\\x82", "\\\\xE2\\\\x82" },
};

static void assert_form(struct text text, enum escape_form form, const char *expected)
{
	char memory[256];
	struct buffer buffer;

	buffer_init(&buffer, memory, sizeof(memory));
	escape_append(&buffer, text, form, SIZE_MAX);
	assert_int_equal(buffer.length, strlen(expected));
	assert_memory_equal(memory, expected, buffer.length);
}

static void test_each_form_escapes_what_forges_or_hides(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		assert_form(CASES[i].text, ESCAPE_MESSAGE, CASES[i].message);
		assert_form(CASES[i].text, ESCAPE_COMBINED, CASES[i].combined);
		assert_form(CASES[i].text, ESCAPE_JSON, CASES[i].json);
	}
}

static void test_bound_never_cuts_an_escape_or_a_character(void **state)
{
	static const struct text text = TEXT("a\n\xc3\xa9z");

	(void)state;
	for (size_t length_max = 0; length_max < 16; length_max++) {
		char memory[32];
		struct buffer buffer;

		buffer_init(&buffer, memory, sizeof(memory));
		escape_append(&buffer, text, ESCAPE_JSON, length_max);
		assert_true(buffer.length <= length_max);
		assert_memory_equal(memory, "a\\u000A\xc3\xa9z", buffer.length);
		assert_true(buffer.length == 0 || buffer.length == 1 || buffer.length == 7 ||
			    buffer.length == 9 || buffer.length == 10);
	}
}

static void keep_line(void *context, struct text line)
{
	struct buffer *kept = context;

	kept->length = 0;
	buffer_append(kept, line);
	buffer_append_byte(kept, '\0');
}

static void test_error_log_escapes_its_messages(void **state)
{
	char memory[LOG_LINE_LENGTH_MAX + 1];
	struct buffer kept;

	(void)state;
	buffer_init(&kept, memory, sizeof(memory));
	log_set_sink(keep_line, &kept);
	log_warning("no \"%s\"", "\xc2\x9b\xe2\x80\xae\\x\n");
	assert_non_null(strstr(memory, " warning no \"\\xC2\\x9B\\xE2\\x80\\xAE\\x5Cx\\x0A\"\n"));
	log_set_sink(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_form_escapes_what_forges_or_hides),
		cmocka_unit_test(test_bound_never_cuts_an_escape_or_a_character),
		cmocka_unit_test(test_error_log_escapes_its_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
