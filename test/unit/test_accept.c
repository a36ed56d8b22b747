/* http/accept.h and request_parameter(): what a request prefers, and what its query contains. */
#include "assert_text.h"

#include <stdio.h>

#include "http/accept.h"

static struct request request;

static unsigned weight(const char *accept, const char *media_type)
{
	request_init(&request);
	request.fields[request.field_count++] =
		(struct field){ text_literal("accept"), text_of(accept) };
	return accept_weight(&request, text_of(media_type));
}

static unsigned encoding_weight(const char *accepted, const char *coding)
{
	struct accept_codings codings;

	request_init(&request);
	if (accepted)
		request.fields[request.field_count++] =
			(struct field){ text_literal("Accept-Encoding"), text_of(accepted) };
	accept_codings_read(&codings, &request);
	return accept_codings_weight(&codings, text_of(coding));
}

static void test_without_accept_everything_is_welcome(void **state)
{
	(void)state;
	request_init(&request);
	assert_int_equal(accept_weight(&request, text_literal("text/plain")), 1000);
}

static void test_most_specific_range_decides(void **state)
{
	static const char accept[] = "text/*;q=0.3, text/plain;q=0.7, */*;q=0.5";

	(void)state;
	assert_int_equal(weight(accept, "text/plain"), 700);
	assert_int_equal(weight(accept, "text/html"), 300);
	assert_int_equal(weight(accept, "image/png"), 500);
	assert_int_equal(weight("*/*, text/plain;q=0", "text/plain"), 0);
	assert_int_equal(weight("TEXT/Plain", "text/plain"), 1000);
}

static void test_what_is_not_covered_has_no_weight(void **state)
{
	(void)state;
	assert_int_equal(weight("text/html", "text/plain"), 0);
	assert_int_equal(weight("", "text/plain"), 0);
	assert_int_equal(weight("text", "text/plain"), 0);
	assert_int_equal(weight("text/plai*", "text/plain"), 0);
	assert_int_equal(weight("tex/*", "text/plain"), 0);
}

static void test_weights_are_thousandths(void **state)
{
	static const struct {
		const char *q;
		unsigned weight;
	} cases[] = { { "0", 0 }, { "1", 1000 }, { "1.000", 1000 }, { "0.5", 500 },
		{ "0.123", 123 }, { "0.", 0 }, { "1.", 1000 }, { "0.000", 0 } };
	char accept[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(accept, sizeof(accept), "a/b ; level=1 ; Q=%s", cases[i].q);
		assert_int_equal(weight(accept, "a/b"), cases[i].weight);
	}
}

/* Neither an exclusion nor a wish: what else is said of the type counts. */
static void test_element_with_a_malformed_weight_is_as_good_as_absent(void **state)
{
	static const char *const WEIGHTS[] = { "", "x", "-1", "2", "1.001", "0.1234", "00.5", "05",
		".5", "0.5x", "\"0.5\"", "0.x", "+1", "1e0", "0x1" };
	char accept[64];

	(void)state;
	for (size_t i = 0; i < sizeof(WEIGHTS) / sizeof(WEIGHTS[0]); i++) {
		snprintf(accept, sizeof(accept), "a/b;q=%s", WEIGHTS[i]);
		assert_int_equal(weight(accept, "a/b"), 0);
		snprintf(accept, sizeof(accept), "a/b;q=%s, */*;q=0.4", WEIGHTS[i]);
		assert_int_equal(weight(accept, "a/b"), 400);
		snprintf(accept, sizeof(accept), "identity;q=%s", WEIGHTS[i]);
		assert_int_equal(encoding_weight(accept, "identity"), 1);
		snprintf(accept, sizeof(accept), "gzip;q=%s, br", WEIGHTS[i]);
		assert_int_equal(encoding_weight(accept, "gzip"), 0);
		assert_int_equal(encoding_weight(accept, "br"), 1000);
	}
}

/* RFC 9110 §5.6.4 */
static void test_separators_in_quotes_separate_nothing(void **state)
{
	static const char accept[] =
		"text/html;a=\"x, a/b;q=0, \\\"c/d;q=1\";q=0.5, a/b;c=\";q=0\";q=0.25";

	(void)state;
	assert_int_equal(weight(accept, "text/html"), 500);
	assert_int_equal(weight(accept, "a/b"), 250);
	assert_int_equal(weight(accept, "c/d"), 0);
	assert_int_equal(weight("a/b;c=\"open, c/d", "c/d"), 0);
	assert_int_equal(weight("a/b;c=\"open\\", "a/b"), 1000);
}

static bool prefers_json(const char *accept)
{
	weight(accept, "x/y");
	return accept_prefers(
		&request, text_literal("application/json"), text_literal("text/plain"));
}

/* RFC 9110 §12.5.1 */
static void test_who_weighs_more_or_is_named_more_exactly_is_preferred(void **state)
{
	(void)state;
	assert_true(prefers_json("application/json"));
	assert_true(prefers_json("application/json, */*"));
	assert_true(prefers_json("*/*;q=0.1, application/json;q=0.5"));
	assert_true(prefers_json("application/*, */*"));
	assert_true(prefers_json("text/plain;q=0.9, application/*"));
	assert_false(prefers_json("application/json;q=0.9, */*"));
	assert_false(prefers_json("text/plain, application/json"));
	assert_false(prefers_json("text/plain, */*"));
	assert_false(prefers_json("*/*"));
	assert_false(prefers_json("application/json;q=0"));
	assert_false(prefers_json("text/html"));
	assert_false(prefers_json(""));
	request_init(&request);
	assert_false(accept_prefers(
		&request, text_literal("application/json"), text_literal("text/plain")));
}

static void test_several_fields_are_one_list(void **state)
{
	(void)state;
	request_init(&request);
	request.fields[request.field_count++] =
		(struct field){ text_literal("Accept"), text_literal("a/b;q=0.2") };
	request.fields[request.field_count++] =
		(struct field){ text_literal("ACCEPT"), text_literal("c/d;q=0.4") };
	assert_int_equal(accept_weight(&request, text_literal("a/b")), 200);
	assert_int_equal(accept_weight(&request, text_literal("c/d")), 400);
}

static void test_parameter_of_the_query_is_found_by_its_whole_name(void **state)
{
	(void)state;
	request_init(&request);
	request.query = text_literal("folder=2&fold=1&fold=3&empty=&bare");
	assert_text(request_parameter(&request, text_literal("fold")), "1");
	assert_text(request_parameter(&request, text_literal("folder")), "2");
	assert_text(request_parameter(&request, text_literal("empty")), "");
	assert_non_null(request_parameter(&request, text_literal("bare")).bytes);
	assert_text(request_parameter(&request, text_literal("bare")), "");
	assert_null(request_parameter(&request, text_literal("old")).bytes);
	assert_null(request_parameter(&request, text_literal("1")).bytes);
	request.query = text_literal("a=fold&&=&b&&fold=a=b");
	assert_text(request_parameter(&request, text_literal("fold")), "a=b");
	request.query = text_literal("");
	assert_null(request_parameter(&request, text_literal("fold")).bytes);
}

/* --- Accept-Encoding (RFC 9110 §12.5.3) --------------------------------------------------- */

static void test_codings_weigh_what_is_said(void **state)
{
	(void)state;
	assert_int_equal(encoding_weight("gzip", "gzip"), 1000);
	assert_int_equal(encoding_weight("GZip;q=0.5, br", "gzip"), 500);
	assert_int_equal(encoding_weight("gzip;q=0.5,br ; Q=0.7", "br"), 700);
	assert_int_equal(encoding_weight("gzip;q=0", "gzip"), 0);
	assert_int_equal(encoding_weight("gzip", "br"), 0);
	assert_int_equal(encoding_weight("gzippy", "gzip"), 0);
	assert_int_equal(encoding_weight("x-gzip;q=0.3", "gzip"), 300); /* §8.4.1.3 */
}

static void test_only_a_hundred_elements_are_read(void **state)
{
	char accepted[1024] = "";

	(void)state;
	for (int i = 0; i < 99; i++)
		strcat(accepted, "a,");
	strcat(accepted, "gzip,br");
	assert_int_equal(encoding_weight(accepted, "gzip"), 1000);
	assert_int_equal(encoding_weight(accepted, "br"), 0);
}

static void test_star_covers_codings_that_are_not_named(void **state)
{
	(void)state;
	assert_int_equal(encoding_weight("*;q=0.5, gzip;q=0.2", "gzip"), 200);
	assert_int_equal(encoding_weight("*;q=0.5, gzip;q=0.2", "br"), 500);
	assert_int_equal(encoding_weight("*;q=0.5, gzip;q=0.2", "identity"), 500);
	assert_int_equal(encoding_weight("*, br;q=0", "br"), 0);
}

static void test_identity_is_acceptable_unless_excluded(void **state)
{
	(void)state;
	assert_int_equal(encoding_weight("gzip", "identity"), 1);
	assert_int_equal(encoding_weight("", "identity"), 1);
	assert_int_equal(encoding_weight("gzip, identity;q=0.5", "identity"), 500);
	assert_int_equal(encoding_weight("gzip, identity;q=0", "identity"), 0);
	assert_int_equal(encoding_weight("gzip, *;q=0", "identity"), 0);
	assert_int_equal(encoding_weight("*;q=0, identity;q=0.1", "identity"), 100);
}

static void test_without_the_field_identity_alone_is_sent(void **state)
{
	(void)state;
	assert_int_equal(encoding_weight(NULL, "identity"), 1);
	assert_int_equal(encoding_weight(NULL, "gzip"), 0);
	assert_int_equal(encoding_weight("", "gzip"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_accept_everything_is_welcome),
		cmocka_unit_test(test_most_specific_range_decides),
		cmocka_unit_test(test_what_is_not_covered_has_no_weight),
		cmocka_unit_test(test_weights_are_thousandths),
		cmocka_unit_test(test_element_with_a_malformed_weight_is_as_good_as_absent),
		cmocka_unit_test(test_separators_in_quotes_separate_nothing),
		cmocka_unit_test(test_who_weighs_more_or_is_named_more_exactly_is_preferred),
		cmocka_unit_test(test_several_fields_are_one_list),
		cmocka_unit_test(test_parameter_of_the_query_is_found_by_its_whole_name),
		cmocka_unit_test(test_codings_weigh_what_is_said),
		cmocka_unit_test(test_only_a_hundred_elements_are_read),
		cmocka_unit_test(test_star_covers_codings_that_are_not_named),
		cmocka_unit_test(test_identity_is_acceptable_unless_excluded),
		cmocka_unit_test(test_without_the_field_identity_alone_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
