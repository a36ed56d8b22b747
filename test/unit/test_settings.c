/* base/settings.h: values from text and back, fallbacks, inheritance. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/settings.h"

#define SECOND UINT64_C(1000000000)

static const char *const colours[] = { "red", "green", NULL };

static const struct setting inner_table[] = {
	{ .name = "depth", .type = SETTING_NUMBER, .fallback = "3" },
	{ .name = "root", .type = SETTING_DIRECTORY, .inherited = true },
	{ .name = "names",
		.type = SETTING_STRINGS,
		.fallback = "{\"a b\", \"c\"}",
		.inherited = true },
	{ 0 },
};

static const struct setting extension_table[] = {
	{ .name = "root", .type = SETTING_DIRECTORY, .inherited = true },
	{ 0 },
};

static const struct setting box_table[] = {
	{ .name = "lid", .type = SETTING_YES_NO, .fallback = "no" }, { 0 }
};

static const struct setting table[] = {
	{ .name = "size",
		.type = SETTING_SIZE,
		.fallback = "16K",
		.minimum = 1024,
		.maximum = 1 << 20 },
	{ .name = "wait", .type = SETTING_DURATION, .fallback = "10s" },
	{ .name = "colour", .type = SETTING_WORD, .words = colours, .fallback = "green" },
	{ .name = "log", .type = SETTING_STRING, .fallback = "\"\"" },
	{ .name = "box", .type = SETTING_SECTION, .children = box_table },
	{ .name = "inner", .type = SETTING_SECTION, .titled = true, .children = inner_table },
	{ .name = "root", .type = SETTING_DIRECTORY, .inherited = true },
	{ .name = "names", .type = SETTING_STRINGS, .inherited = true },
	{ 0 },
};

static const struct setting *setting_named(const char *name)
{
	const struct setting *setting = table;

	while (strcmp(setting->name, name) != 0)
		setting++;
	return setting;
}

static struct section *write_value(struct section *section, const char *name, const char *string)
{
	struct setting_value *value =
		section_add_value(section, section_find_setting(section, name), 7);

	assert_int_equal(setting_value_add_string(value, text_of(string)), 0);
	return section;
}

/* The parsed number, or UINT64_MAX when it was refused; the complaint stands in `message`. */
static char message[256];

static uint64_t parse(const char *name, const char *string)
{
	struct section *root = section_new(NULL, NULL, table, NULL);
	struct setting_value *value = section_add_value(root, setting_named(name), 1);
	struct buffer wrong;
	uint64_t number = UINT64_MAX;

	buffer_init(&wrong, message, sizeof(message) - 1);
	setting_value_add_string(value, text_of(string));
	if (setting_value_parse(value, &wrong) == 0)
		number = value->number;
	message[wrong.length] = '\0';
	section_free(root);
	return number;
}

static void test_sizes_and_durations_have_units(void **state)
{
	(void)state;
	assert_true(parse("size", "2048") == 2048);
	assert_true(parse("size", "16K") == 16384);
	assert_true(parse("size", "1M") == 1 << 20);
	assert_true(parse("wait", "250ms") == SECOND / 4);
	assert_true(parse("wait", "2m") == 120 * SECOND);
	assert_true(parse("wait", "1d") == 86400 * SECOND);
	assert_true(parse("wait", "0") == 0);
}

static void test_a_wrong_number_says_what_is_expected(void **state)
{
	(void)state;
	assert_true(parse("wait", "10") == UINT64_MAX);
	assert_string_equal(message,
		"wait = 10: no unit, expected a time with its unit ms, s, m, h or d as in 10s");
	assert_true(parse("size", "16Q") == UINT64_MAX);
	assert_string_equal(message,
		"size = 16Q: unknown unit, expected a size in bytes, or with K, "
		"M or G as in 16K, from 1K to 1M");
	assert_true(parse("size", "1") == UINT64_MAX);
	assert_non_null(strstr(message, "too small"));
	assert_true(parse("size", "2M") == UINT64_MAX);
	assert_non_null(strstr(message, "too large"));
	assert_true(parse("size", "99999999999999999999G") == UINT64_MAX);
	assert_non_null(strstr(message, "too large"));
	assert_true(parse("size", "0x10") == UINT64_MAX);
	assert_non_null(strstr(message, "not a decimal number"));
	assert_true(parse("size", "-1") == UINT64_MAX);
	assert_non_null(strstr(message, "not a number"));
}

static void test_octal_numbers_are_refused(void **state)
{
	(void)state;
	assert_true(parse("size", "02000") == UINT64_MAX);
	assert_non_null(strstr(message, "octal"));
	assert_true(parse("wait", "010s") == UINT64_MAX);
	assert_non_null(strstr(message, "octal"));
}

static void test_an_unknown_word_lists_the_known_ones(void **state)
{
	(void)state;
	assert_true(parse("colour", "green") == 1);
	assert_true(parse("colour", "blue") == UINT64_MAX);
	assert_string_equal(message, "colour = blue: unknown word, expected red or green");
}

static void test_what_was_not_written_has_its_fallback(void **state)
{
	struct section *root = section_new(NULL, NULL, table, NULL);
	const char *const *names;
	size_t count;

	(void)state;
	section_new(root, setting_named("inner"), inner_table, "x");
	assert_int_equal(section_complete(root), 0);
	assert_true(section_number(root, "size") == 16384);
	assert_true(section_number(root, "wait") == 10 * SECOND);
	assert_int_equal(section_word(root, "colour"), 1);
	assert_string_equal(section_string(root, "colour"), "green");
	assert_string_equal(section_string(root, "log"), "");
	assert_false(section_yes(section_child(root, "box", 0), "lid"));
	names = section_strings(section_child(root, "inner", 0), "names", &count);
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "a b");
	assert_string_equal(names[1], "c");
	assert_null(section_child(root, "inner", 1));
	section_free(root);
}

static void test_an_inherited_setting_is_looked_up_outwards(void **state)
{
	struct section *root = section_new(NULL, NULL, table, NULL);
	struct section *one = section_new(root, setting_named("inner"), inner_table, "one");
	struct section *two = section_new(root, setting_named("inner"), inner_table, "two");
	size_t count;

	(void)state;
	write_value(root, "root", "/outer");
	write_value(root, "names", "n");
	write_value(two, "root", "/own");
	assert_int_equal(section_complete(root), 0);
	assert_string_equal(section_string(one, "root"), "/outer");
	assert_string_equal(section_string(two, "root"), "/own");
	assert_string_equal(section_strings(one, "names", &count)[0], "n");
	section_free(root);
}

static void test_only_who_needs_an_inherited_setting_misses_it(void **state)
{
	struct section *root = section_new(NULL, NULL, table, NULL);
	struct section *one = section_new(root, setting_named("inner"), box_table, "one");

	(void)state;
	assert_int_equal(section_complete(root), 0);
	assert_null(section_find_missing(root));
	assert_null(section_string(root, "root"));
	one->extension = extension_table;
	assert_string_equal(section_find_missing(one)->name, "root");
	write_value(root, "root", "/outer");
	assert_null(section_find_missing(one));
	section_free(root);
}

static void test_where_is_the_line_of_the_value_or_of_its_section(void **state)
{
	struct section *root = section_new(NULL, NULL, table, NULL);
	const char *file;
	unsigned line;

	(void)state;
	root->file = "some.conf";
	root->line = 30;
	write_value(root, "log", "x");
	assert_int_equal(section_complete(root), 0);
	section_where(root, "log", &file, &line);
	assert_string_equal(file, "some.conf");
	assert_int_equal(line, 7);
	section_where(root, "size", &file, &line);
	assert_int_equal(line, 30);
	section_free(root);
}

static void assert_printed(const char *name, const char *string, const char *expected)
{
	struct section *root = section_new(NULL, NULL, table, NULL);
	struct setting_value *value = section_add_value(root, setting_named(name), 1);
	char memory[128];
	struct buffer buffer;

	setting_value_add_string(value, text_of(string));
	buffer_init(&buffer, memory, sizeof(memory));
	assert_int_equal(setting_value_parse(value, &buffer), 0);
	setting_value_append(value, &buffer);
	assert_true(text_equal(buffer_text(&buffer), text_of(expected)));
	section_free(root);
}

static void test_values_print_in_their_largest_unit_and_quoted(void **state)
{
	(void)state;
	assert_printed("size", "16384", "16K");
	assert_printed("size", "1025", "1025");
	assert_printed("wait", "60s", "1m");
	assert_printed("wait", "1500ms", "1500ms");
	assert_printed("wait", "0", "0ms");
	assert_printed("colour", "red", "red");
	assert_printed("log", "a\"b\\c${d}\n", "\"a\\\"b\\\\c\\${d}\\x0A\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_and_durations_have_units),
		cmocka_unit_test(test_a_wrong_number_says_what_is_expected),
		cmocka_unit_test(test_octal_numbers_are_refused),
		cmocka_unit_test(test_an_unknown_word_lists_the_known_ones),
		cmocka_unit_test(test_what_was_not_written_has_its_fallback),
		cmocka_unit_test(test_an_inherited_setting_is_looked_up_outwards),
		cmocka_unit_test(test_only_who_needs_an_inherited_setting_misses_it),
		cmocka_unit_test(test_where_is_the_line_of_the_value_or_of_its_section),
		cmocka_unit_test(test_values_print_in_their_largest_unit_and_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
