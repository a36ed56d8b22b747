/* http/method.h, http/status.h, http/request.h: the small tables of requests and responses. */
#include "assert_text.h"

#include "http/method.h"
#include "http/request.h"
#include "http/status.h"

static void test_every_method_is_found_by_its_name(void **state)
{
	(void)state;
	for (unsigned method = 0; method < METHOD_COUNT; method++)
		assert_int_equal(method_of(method_name((enum method)method)), method);
}

/* RFC 9110 §9.1 */
static void test_methods_are_case_sensitive(void **state)
{
	(void)state;
	assert_int_equal(method_of(text_literal("get")), METHOD_UNKNOWN);
	assert_int_equal(method_of(text_literal("GETS")), METHOD_UNKNOWN);
	assert_int_equal(method_of(text_literal("GE")), METHOD_UNKNOWN);
	assert_int_equal(method_of(text_literal("")), METHOD_UNKNOWN);
}

/* RFC 9110 §10.2.1 */
static void test_allow_lists_methods_with_commas(void **state)
{
	char memory[128];
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, memory, sizeof(memory));
	method_append_allow(&buffer, METHOD_BIT(METHOD_HEAD) | METHOD_BIT(METHOD_GET));
	assert_text(buffer_text(&buffer), "GET, HEAD");
	buffer.length = 0;
	method_append_allow(&buffer, METHOD_BIT(METHOD_POST));
	assert_text(buffer_text(&buffer), "POST");
	buffer.length = 0;
	method_append_allow(&buffer, 0);
	assert_text(buffer_text(&buffer), "");
	method_append_allow(&buffer, METHOD_BIT(METHOD_COUNT) - 1);
	assert_text(buffer_text(&buffer),
		"GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, CONNECT, TRACE");
	assert_false(buffer.truncated);
}

static void test_statuses_have_reasons_and_bodies(void **state)
{
	(void)state;
	assert_text(status_reason(200), "OK");
	assert_text(status_reason(404), "Not Found");
	assert_text(status_body(404), "404 Not Found\n");
	assert_text(status_body(505), "505 HTTP Version Not Supported\n");
	assert_text(status_reason(100), "Continue");
	assert_text(status_reason(511), "Network Authentication Required");
}

static void test_every_status_of_the_server_is_known(void **state)
{
	static const unsigned STATUSES[] = { 200, 301, 400, 403, 404, 405, 408, 413, 414, 417, 431,
		500, 501, 503, 505 };

	(void)state;
	for (size_t i = 0; i < sizeof(STATUSES) / sizeof(STATUSES[0]); i++) {
		assert_false(text_equal(status_reason(STATUSES[i]), text_literal("Unknown")));
		assert_true(text_starts_with(
			text_from(status_body(STATUSES[i]), 4), status_reason(STATUSES[i])));
	}
}

static void test_codes_without_an_entry_are_unknown(void **state)
{
	static const unsigned CODES[] = { 0, 99, 102, 299, 418, 512, 599, 1000, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
		assert_text(status_reason(CODES[i]), "Unknown");
		assert_text(status_body(CODES[i]), "Unknown\n");
	}
}

/* RFC 9110 §6.4.1 */
static void test_interim_204_and_304_have_no_content(void **state)
{
	(void)state;
	assert_false(status_has_content(100));
	assert_false(status_has_content(103));
	assert_false(status_has_content(204));
	assert_false(status_has_content(304));
	assert_true(status_has_content(200));
	assert_true(status_has_content(301));
	assert_true(status_has_content(404));
}

static void test_the_first_field_of_a_name_in_any_case_is_found(void **state)
{
	static struct request request;
	struct field fields[] = {
		{ TEXT("Accept"), TEXT("a") },
		{ TEXT("X-One"), TEXT("b") },
		{ TEXT("accept"), TEXT("c") },
	};

	(void)state;
	request_init(&request);
	memcpy(request.fields, fields, sizeof(fields));
	request.field_count = 3;
	assert_ptr_equal(request_field(&request, text_literal("ACCEPT")), &request.fields[0]);
	assert_ptr_equal(request_field(&request, text_literal("x-one")), &request.fields[1]);
	assert_null(request_field(&request, text_literal("X-On")));
	request.field_count = 1;
	assert_null(request_field(&request, text_literal("x-one")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_method_is_found_by_its_name),
		cmocka_unit_test(test_methods_are_case_sensitive),
		cmocka_unit_test(test_allow_lists_methods_with_commas),
		cmocka_unit_test(test_statuses_have_reasons_and_bodies),
		cmocka_unit_test(test_every_status_of_the_server_is_known),
		cmocka_unit_test(test_codes_without_an_entry_are_unknown),
		cmocka_unit_test(test_interim_204_and_304_have_no_content),
		cmocka_unit_test(test_the_first_field_of_a_name_in_any_case_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
