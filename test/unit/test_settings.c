/* base/settings.h: values from text and back, defaults, inheritance. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/owned.h"
#include "base/settings.h"

#define SECOND UINT64_C(1000000000)
#define DAY    (86400 * SECOND)

static const char *const colours[] = { "red", "green", NULL };
static const char *const files[] = { "-", "", NULL };

static const struct setting table[] = {
	{ "size", SETTING_SIZE, IN_SERVER, "16K", .minimum = 1024, .maximum = 1 << 20 },
	{ "wait", SETTING_DURATION, IN_SERVER, "10s", .maximum = 730 * DAY },
	{ "colour", SETTING_WORD, IN_SERVER, "green", .words = colours },
	{ "colours", SETTING_STRINGS, IN_SERVER, "{}", .words = colours },
	{ "log", SETTING_STRING, IN_SERVER, "\"\"" },
	{ "file", SETTING_FILE, IN_SERVER, "off", .words = files },
	{ "include", SETTING_INCLUDE, IN_ANY },
	{ "box", SETTING_SECTION, IN_SERVER, .opens = IN_LIMITS },
	{ "lid", SETTING_YES_NO, IN_LIMITS, "no" },
	{ "site", SETTING_SECTION, IN_SERVER, .opens = IN_SITE, .titles = 2 },
	{ "location", SETTING_SECTION, IN_SITE, .opens = IN_LOCATION, .titles = 1 },
	{ "depth", SETTING_NUMBER, IN_LOCATION, "3" },
	{ "root", SETTING_DIRECTORY, IN_SITE | IN_LOCATION, .required = true },
	{ "names", SETTING_STRINGS, IN_SITE | IN_LOCATION, "{\"a b\", \"c\"}" },
	{ 0 },
};

static struct section *root, *site, *one, *two;

static const struct setting *setting_named(const char *name)
{
	const struct setting *setting = table;

	while (strcmp(setting->name, name) != 0)
		setting++;
	return setting;
}

/* A site with two locations. */
static int set_up(void **state)
{
	(void)state;
	root = section_new(NULL, NULL, table, NULL);
	root->kind = IN_SERVER;
	site = section_new(root, setting_named("site"), NULL, "a.example");
	one = section_new(site, setting_named("location"), NULL, "/one");
	two = section_new(site, setting_named("location"), NULL, "/two");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	section_free(root);
	return 0;
}

static struct setting_value *write_value(
	struct section *section, const char *name, const char *string)
{
	struct setting_value *value =
		section_add_value(section, section_find_setting(section, name), 7);

	assert_int_equal(setting_value_add_string(value, text_of(string)), 0);
	return value;
}

/* --- one value ---------------------------------------------------------------------------- */

static const struct {
	const char *name, *string;
	uint64_t number;
	const char *printed;
} right[] = {
	{ "size", "2048", 2048, "2K" },
	{ "size", "16K", 16384, "16K" },
	{ "size", "16k", 16384, "16K" },
	{ "size", "1m", 1 << 20, "1M" },
	{ "size", "1025", 1025, "1025" },
	{ "wait", "250ms", SECOND / 4, "250ms" },
	{ "wait", "90s", 90 * SECOND, "90s" },
	{ "wait", "60s", 60 * SECOND, "1m" },
	{ "wait", "15m", 900 * SECOND, "15m" },
	{ "wait", "12h", DAY / 2, "12h" },
	{ "wait", "30d", 30 * DAY, "30d" },
	{ "wait", "52w", 364 * DAY, "52w" },
	{ "wait", "1y", 365 * DAY, "1y" },
	{ "wait", "0", 0, "0" },
	{ "wait", "0s", 0, "0" },
	{ "lid", "yes", 1, "yes" },
	{ "lid", "on", 1, "yes" },
	{ "lid", "no", 0, "no" },
	{ "lid", "off", 0, "no" },
	{ "colour", "red", 0, "red" },
	{ "colour", "green", 1, "green" },
	{ "file", "off", 1, "off" },
	{ "file", "", 1, "off" },
	{ "file", "-", 1, "\"-\"" },
	{ "file", "./off", 0, "\"./off\"" },
	{ "log", "a\"b\\c${d}\n", 0, "\"a\\\"b\\\\c\\${d}\\x0A\"" },
	{ "log", "a\xe2\x80\x8b\xc3\xa9", 0, "\"a\\xE2\\x80\\x8B\xc3\xa9\"" },
};

static void test_values_are_read_and_print_in_their_largest_unit(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct section *section = section_new(NULL, NULL, table, NULL);
		struct setting_value *value = write_value(section, right[i].name, right[i].string);
		auto_free char *printed = NULL;
		size_t length, wrong;
		FILE *file = open_memstream(&printed, &length);

		assert_null(setting_value_parse(value, &wrong));
		assert_true(value->number == right[i].number);
		setting_value_print(value, file);
		fclose(file);
		assert_string_equal(printed, right[i].printed);
		section_free(section);
	}
}

static const struct {
	const char *name, *string, *what, *expected;
} wrong_ones[] = {
	{ "wait", "10", "no unit",
		"a time with its unit ms, s, m, h, d, w or y as in 10s, from 0 to 2y" },
	{ "wait", "10S", "unknown unit", NULL },
	{ "size", "16Q", "unknown unit",
		"a size in bytes, or with K, M or G as in 16K, from 1K to 1M" },
	{ "size", "1", "too small", NULL },
	{ "size", "2M", "too large", NULL },
	{ "size", "99999999999999999999G", "too large", NULL },
	{ "size", "0x10", "not a decimal number", NULL },
	{ "size", "-1", "not a number", NULL },
	{ "size", "02000", "leading zeros are not allowed", NULL },
	{ "wait", "010s", "leading zeros are not allowed", NULL },
	{ "lid", "true", "unknown word", "yes or no" },
	{ "colour", "blue", "unknown word", "red or green" },
	{ "colours", "blue", "unknown word", "a list in braces of red or green" },
	{ "root", "", "empty", "an existing directory" },
	{ "file", "-", NULL, "the path of a file or - or off" },
};

static void test_a_wrong_value_says_what_is_wrong_and_expected(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong_ones) / sizeof(wrong_ones[0]); i++) {
		struct section *section = section_new(NULL, NULL, table, NULL);
		struct setting_value *value =
			write_value(section, wrong_ones[i].name, wrong_ones[i].string);
		auto_free char *expected = NULL;
		size_t length, wrong;
		FILE *file = open_memstream(&expected, &length);
		const char *what = setting_value_parse(value, &wrong);

		if (wrong_ones[i].what)
			assert_string_equal(what, wrong_ones[i].what);
		setting_print_expected(value->setting, file);
		fclose(file);
		if (wrong_ones[i].expected)
			assert_string_equal(expected, wrong_ones[i].expected);
		section_free(section);
	}
}

static void test_the_nearest_word_is_one_slip_away(void **state)
{
	static const char *const words[] = { "listen", "workers", "index", "root", "301", NULL };
	static const struct {
		const char *word, *nearest;
	} cases[] = { { "worker", "workers" }, { "Workers", "workers" }, { "idnex", "index" },
		{ "rot", "root" }, { "303", NULL }, { "lsiten", "listen" }, { "keep_alive", NULL },
		{ "x", NULL }, { "a_word_of_more_than_thirty_two_letters", NULL }, { "", NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *nearest = setting_nearest(words, cases[i].word);

		if (cases[i].nearest)
			assert_string_equal(nearest, cases[i].nearest);
		else
			assert_null(nearest);
	}
}

static void test_what_nobody_sees_is_known(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		unsigned code_point;
	} cases[] = { { "\xef\xbb\xbf", 3, 0xfeff }, { "\xe2\x80\x8bx", 3, 0x200b },
		{ "\xc2\xa0", 2, 0xa0 }, { "\xc2\x85", 2, 0x85 }, { "\x01", 1, 1 },
		{ "\x7f", 1, 0x7f }, { "\xe2\x80\xae", 3, 0x202e }, { "a", 0, 0 },
		{ "\xc3\xa9", 0, 0 }, { "\xff", 0, 0 }, { "\xe2", 0, 0 }, { "", 0, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned code_point;

		assert_int_equal(
			setting_invisible(text_of(cases[i].bytes), &code_point), cases[i].length);
		if (cases[i].length > 0)
			assert_int_equal(code_point, cases[i].code_point);
	}
}

/* --- the tree ----------------------------------------------------------------------------- */

static void test_what_was_not_written_has_its_default(void **state)
{
	const char *const *names;
	size_t count;

	(void)state;
	assert_int_equal(section_complete(root), 0);
	assert_true(section_number(root, "size") == 16384);
	assert_true(section_number(root, "wait") == 10 * SECOND);
	assert_int_equal(section_word(root, "colour"), 1);
	assert_string_equal(section_string(root, "colour"), "green");
	assert_string_equal(section_string(root, "log"), "");
	assert_string_equal(section_string(root, "file"), "");
	assert_false(section_yes(section_child(root, "box", 0), "lid"));
	assert_int_equal(section_number(one, "depth"), 3);
	names = section_strings(one, "names", &count);
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "a b");
	assert_string_equal(names[1], "c");
	assert_null(section_child(site, "location", 2));
}

static void test_a_row_stands_only_in_its_sections(void **state)
{
	(void)state;
	assert_null(section_find_setting(root, "lid"));
	assert_null(section_find_setting(root, "root"));
	assert_null(section_find_setting(site, "depth"));
	assert_ptr_equal(section_find_setting(site, "root"), section_find_setting(one, "root"));
	assert_non_null(section_find_setting(one, "include"));
}

static void test_an_inherited_setting_is_looked_up_outwards(void **state)
{
	size_t count;

	(void)state;
	write_value(site, "root", "/outer");
	write_value(site, "names", "n");
	write_value(two, "root", "/own");
	assert_int_equal(section_complete(root), 0);
	assert_string_equal(section_string(one, "root"), "/outer");
	assert_string_equal(section_string(two, "root"), "/own");
	assert_string_equal(section_strings(one, "names", &count)[0], "n");
	assert_int_equal(count, 1);
}

static void test_only_the_innermost_section_misses_a_required_setting(void **state)
{
	(void)state;
	assert_null(section_find_missing(root));
	assert_null(section_find_missing(site));
	assert_null(section_string(site, "root"));
	assert_string_equal(section_find_missing(one)->name, "root");
	write_value(site, "root", "/outer");
	assert_null(section_find_missing(one));
}

static void test_a_section_may_have_several_titles(void **state)
{
	(void)state;
	assert_int_equal(section_add_title(site, text_literal("b.example")), 0);
	assert_string_equal(site->title, "a.example");
	assert_int_equal(site->titles->count, 2);
	assert_string_equal(site->titles->strings[1], "b.example");
}

#define tree_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_read_and_print_in_their_largest_unit),
		cmocka_unit_test(test_a_wrong_value_says_what_is_wrong_and_expected),
		cmocka_unit_test(test_the_nearest_word_is_one_slip_away),
		cmocka_unit_test(test_what_nobody_sees_is_known),
		tree_test(test_what_was_not_written_has_its_default),
		tree_test(test_a_row_stands_only_in_its_sections),
		tree_test(test_an_inherited_setting_is_looked_up_outwards),
		tree_test(test_only_the_innermost_section_misses_a_required_setting),
		tree_test(test_a_section_may_have_several_titles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
