/* http/location_fields.h: which fields a configuration may add, and what an answer makes of
 * them. */
#include "assert_text.h"

#include "http/location_fields.h"

static const struct setting TABLE[] = {
	{ .name = "add_header", .type = SETTING_STRINGS },
	{ .name = "remove_header", .type = SETTING_STRINGS },
	{ .name = "expires", .type = SETTING_DURATION },
	{ 0 },
};

static struct exchange exchange;
static struct section *section;
static struct location_fields *fields;

static void set(const char *name, const char *string)
{
	struct setting_value *value = section_find_value(section, name);
	size_t wrong;

	if (!value)
		value = section_add_value(section, section_find_setting(section, name), 1);
	assert_int_equal(setting_value_add_string(value, text_of(string)), 0);
	assert_null(setting_value_parse(value, &wrong));
}

static int set_up(void **state)
{
	(void)state;
	section = section_new(NULL, NULL, TABLE, NULL);
	exchange_init(&exchange, NULL, NULL);
	return section ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	location_fields_free(fields);
	fields = NULL;
	section_free(section);
	return 0;
}

static void apply(unsigned status)
{
	exchange.response.status = status;
	assert_int_equal(location_fields_new(&fields, section), 0);
	assert_non_null(fields);
	location_fields_apply(fields, &exchange.response);
}

static void assert_field(unsigned index, const char *name, const char *value)
{
	assert_true(index < exchange.response.field_count);
	assert_text(exchange.response.fields[index].name, name);
	assert_text(exchange.response.fields[index].value, value);
}

static void add_own(const char *name, const char *value)
{
	exchange_add_field(&exchange, text_of(name), text_of(value));
}

static void test_without_settings_there_is_nothing_to_apply(void **state)
{
	(void)state;
	assert_int_equal(location_fields_new(&fields, section), 0);
	assert_null(fields);
}

static void test_fields_are_added_behind_the_own_ones(void **state)
{
	(void)state;
	add_own("ETag", "\"a\"");
	set("add_header", "X-One:  1 ");
	set("add_header", "X-One: 2");
	apply(404);
	assert_int_equal(exchange.response.field_count, 3);
	assert_field(0, "ETag", "\"a\"");
	assert_field(1, "X-One", "1");
	assert_field(2, "X-One", "2");
}

static void test_own_fields_stay_and_lists_add_up(void **state)
{
	(void)state;
	add_own("etag", "\"a\"");
	add_own("vary", "Accept-Encoding");
	set("add_header", "ETag: \"b\"");
	set("add_header", "Vary: Origin");
	apply(200);
	assert_int_equal(exchange.response.field_count, 3);
	assert_field(0, "etag", "\"a\"");
	assert_field(2, "Vary", "Origin");
}

static void test_removed_fields_make_room_for_added_ones(void **state)
{
	(void)state;
	add_own("ETag", "\"a\"");
	add_own("Allow", "GET");
	set("remove_header", "etag");
	set("remove_header", "SERVER");
	set("add_header", "ETag: \"b\"");
	apply(200);
	assert_true(exchange.response.server_removed);
	assert_int_equal(exchange.response.field_count, 2);
	assert_field(0, "Allow", "GET");
	assert_field(1, "ETag", "\"b\"");
}

static void test_an_error_is_not_to_be_kept(void **state)
{
	(void)state;
	set("expires", "1h");
	set("add_header", "Expires: 0");
	apply(500);
	assert_int_equal(exchange.response.field_count, 0);
	assert_false(exchange.response.expires);
}

static void test_expires_is_an_age_and_a_date(void **state)
{
	(void)state;
	set("expires", "90s");
	apply(304);
	assert_int_equal(exchange.response.field_count, 1);
	assert_field(0, "Cache-Control", "max-age=90");
	assert_true(exchange.response.expires);
	assert_int_equal(exchange.response.expires_seconds, 90);
}

static void test_expires_gives_way_to_what_the_endpoint_says(void **state)
{
	(void)state;
	add_own("Cache-Control", "no-store");
	set("expires", "90s");
	apply(200);
	assert_int_equal(exchange.response.field_count, 1);
	assert_false(exchange.response.expires);
}

static const char *check_added(const char *string)
{
	size_t wrong;

	return location_fields_check_added(&string, 1, &wrong);
}

static void test_only_whole_fields_beside_the_framing_are_accepted(void **state)
{
	static const char *const WRONG[] = { "", "X", "X:", ": x", "X : y", "X: a\nY: b",
		"X: a\x7f", "Content-Length: 5", "DATE: x" };
	static const char *const RIGHT[] = { "X: y", "X:y", "X:a\tb", "X: \xc3\xa4",
		"x!#$%&'*: :" };

	(void)state;
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
		assert_non_null(check_added(WRONG[i]));
	for (size_t i = 0; i < sizeof(RIGHT) / sizeof(RIGHT[0]); i++)
		assert_null(check_added(RIGHT[i]));
}

#define fields_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fields_test(test_without_settings_there_is_nothing_to_apply),
		fields_test(test_fields_are_added_behind_the_own_ones),
		fields_test(test_own_fields_stay_and_lists_add_up),
		fields_test(test_removed_fields_make_room_for_added_ones),
		fields_test(test_an_error_is_not_to_be_kept),
		fields_test(test_expires_is_an_age_and_a_date),
		fields_test(test_expires_gives_way_to_what_the_endpoint_says),
		fields_test(test_only_whole_fields_beside_the_framing_are_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
