/* http/negotiation.h: a parameter of the query, and what Accept asks for. */
#include "assert_text.h"

#include "http/negotiation.h"

static void assert_parameter(const char *query, const char *expected)
{
	struct text value;

	assert_true(query_find(&value, text_of(query), text_literal("format")));
	assert_text(value, expected);
}

static void test_parameter_is_found_wherever_it_stands(void **state)
{
	struct text value;

	(void)state;
	assert_parameter("format=json", "json");
	assert_parameter("a=b&format=json&c", "json");
	assert_parameter("xformat=1&formatx=2&format=json", "json");
	assert_parameter("format=json&format=text", "json");
	assert_parameter("format", "");
	assert_parameter("format=&a", "");
	assert_parameter("format=a=b", "a=b");
	assert_false(query_find(&value, text_literal(""), text_literal("format")));
	assert_false(query_find(&value, text_literal("a=format&&=&b"), text_literal("format")));
}

static unsigned quality(const char *accept)
{
	static struct request request;

	request_init(&request);
	request.fields[0] = (struct field){ text_literal("Host"), text_literal("x") };
	request.fields[1] = (struct field){ text_literal("accept"), text_of(accept) };
	request.field_count = 2;
	return accept_quality(&request, text_literal("application/json"));
}

static void test_media_type_that_is_named_has_its_weight(void **state)
{
	(void)state;
	assert_int_equal(quality("application/json"), 1000);
	assert_int_equal(quality("text/html, Application/JSON;charset=utf-8"), 1000);
	assert_int_equal(quality("application/json ; q=0.5,text/html"), 500);
	assert_int_equal(quality("application/json;a=b;Q=0.125"), 125);
	assert_int_equal(quality("application/json;q=1.000"), 1000);
	assert_int_equal(quality("application/json;q=0"), 0);
	assert_int_equal(quality("application/json;q=0.000"), 0);
}

static void test_media_type_that_is_not_named_has_none(void **state)
{
	(void)state;
	assert_int_equal(quality(""), 0);
	assert_int_equal(quality("*/*"), 0);
	assert_int_equal(quality("text/html, application/*, application/jsonp"), 0);
	assert_int_equal(quality(",;,=,;q="), 0);
}

static void test_weight_that_is_none_counts_as_one(void **state)
{
	(void)state;
	assert_int_equal(quality("application/json;q="), 1000);
	assert_int_equal(quality("application/json;q=0.x"), 1000);
	assert_int_equal(quality("application/json;q=-1"), 1000);
	assert_int_equal(quality("application/json;q=0.00000001"), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameter_is_found_wherever_it_stands),
		cmocka_unit_test(test_media_type_that_is_named_has_its_weight),
		cmocka_unit_test(test_media_type_that_is_not_named_has_none),
		cmocka_unit_test(test_weight_that_is_none_counts_as_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
