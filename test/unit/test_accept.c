/* http/accept.h and request_parameter(): what a request prefers, and what its query says. */
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
		{ "0.123", 123 }, { "0.", 0 }, { "1.001", 0 }, { "2", 0 }, { "0.1234", 0 },
		{ "", 0 }, { "x", 0 }, { "-1", 0 } };
	char accept[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(accept, sizeof(accept), "a/b ; level=1 ; Q=%s", cases[i].q);
		assert_int_equal(weight(accept, "a/b"), cases[i].weight);
	}
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
	assert_null(request_parameter(&request, text_literal("bare")).bytes);
	assert_null(request_parameter(&request, text_literal("old")).bytes);
}

/* --- Accept-Encoding (RFC 9110 §12.5.3) --------------------------------------------------- */

static unsigned encoding_weight(const char *accepted, const char *coding)
{
	request_init(&request);
	if (accepted)
		request.fields[request.field_count++] =
			(struct field){ text_literal("Accept-Encoding"), text_of(accepted) };
	return accept_encoding_weight(&request, text_of(coding));
}

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
		cmocka_unit_test(test_several_fields_are_one_list),
		cmocka_unit_test(test_parameter_of_the_query_is_found_by_its_whole_name),
		cmocka_unit_test(test_codings_weigh_what_is_said),
		cmocka_unit_test(test_star_covers_codings_that_are_not_named),
		cmocka_unit_test(test_identity_is_acceptable_unless_excluded),
		cmocka_unit_test(test_without_the_field_identity_alone_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
