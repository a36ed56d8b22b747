/* http1/writer.h: response heads, byte for byte (RFC 9112 §4, §6, §7.1). */
#include "assert_text.h"

#include "http1/writer.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static char memory[4096];

static struct text written(unsigned status, struct http1_response_head head)
{
	static struct response response;
	struct buffer buffer;

	response.status = status;
	response.field_count = 2;
	response.fields[0] = (struct field){ TEXT("Content-Type"), TEXT("text/plain") };
	response.fields[1] = (struct field){ TEXT("Allow"), TEXT("") };
	head.date = text_literal(DATE);
	buffer_init(&buffer, memory, sizeof(memory));
	http1_write_head(&buffer, &response, &head);
	assert_false(buffer.truncated);
	return buffer_text(&buffer);
}

static void test_a_head_with_length(void **state)
{
	struct http1_response_head head = {
		.framing = HTTP1_FRAMING_LENGTH,
		.length = 14,
		.server = true,
		.close = true,
	};

	(void)state;
	assert_text(written(404, head), "HTTP/1.1 404 Not Found\r\n"
					"Date: " DATE "\r\n"
					"Server: Ringlet\r\n"
					"Content-Type: text/plain\r\n"
					"Allow: \r\n"
					"Content-Length: 14\r\n"
					"Connection: close\r\n"
					"\r\n");
}

static void test_a_chunked_head(void **state)
{
	struct http1_response_head head = { .framing = HTTP1_FRAMING_CHUNKED };

	(void)state;
	assert_text(written(200, head), "HTTP/1.1 200 OK\r\n"
					"Date: " DATE "\r\n"
					"Content-Type: text/plain\r\n"
					"Allow: \r\n"
					"Transfer-Encoding: chunked\r\n"
					"\r\n");
}

/* RFC 9110 §8.6 and §6.4.1: 204 has no Content-Length. */
static void test_a_head_without_content_has_no_framing(void **state)
{
	struct http1_response_head head = { .framing = HTTP1_FRAMING_NONE, .length = 7 };

	(void)state;
	assert_text(written(204, head), "HTTP/1.1 204 No Content\r\n"
					"Date: " DATE "\r\n"
					"Content-Type: text/plain\r\n"
					"Allow: \r\n"
					"\r\n");
}

static void test_a_head_up_to_the_close(void **state)
{
	struct http1_response_head head = {
		.framing = HTTP1_FRAMING_UNTIL_CLOSE,
		.close = true,
		.keep_alive = true,
	};

	(void)state;
	assert_text(written(200, head), "HTTP/1.1 200 OK\r\n"
					"Date: " DATE "\r\n"
					"Content-Type: text/plain\r\n"
					"Allow: \r\n"
					"Connection: close\r\n"
					"\r\n");
}

static void test_keep_alive_is_said_when_asked_for(void **state)
{
	struct http1_response_head head = {
		.framing = HTTP1_FRAMING_LENGTH,
		.length = UINT64_MAX,
		.keep_alive = true,
	};

	(void)state;
	assert_text(written(200, head), "HTTP/1.1 200 OK\r\n"
					"Date: " DATE "\r\n"
					"Content-Type: text/plain\r\n"
					"Allow: \r\n"
					"Content-Length: 18446744073709551615\r\n"
					"Connection: keep-alive\r\n"
					"\r\n");
}

static void test_a_status_without_an_entry_is_written(void **state)
{
	struct http1_response_head head = { 0 };

	(void)state;
	assert_true(text_starts_with(written(299, head), text_literal("HTTP/1.1 299 Unknown\r\n")));
}

static enum http1_framing choose(enum http_version version, unsigned status, int64_t length)
{
	static struct request request;
	static struct response response;

	request.version = version;
	response.status = status;
	response.length = length;
	return http1_choose_framing(&request, &response);
}

/* RFC 9112 §6.3 */
static void test_framing_follows_version_status_and_length(void **state)
{
	(void)state;
	assert_int_equal(choose(HTTP_1_1, 200, 0), HTTP1_FRAMING_LENGTH);
	assert_int_equal(choose(HTTP_1_1, 200, INT64_MAX), HTTP1_FRAMING_LENGTH);
	assert_int_equal(choose(HTTP_1_0, 200, 5), HTTP1_FRAMING_LENGTH);
	assert_int_equal(choose(HTTP_1_1, 200, -1), HTTP1_FRAMING_CHUNKED);
	assert_int_equal(choose(HTTP_1_0, 200, -1), HTTP1_FRAMING_UNTIL_CLOSE);
	assert_int_equal(choose(HTTP_1_1, 204, 0), HTTP1_FRAMING_NONE);
	assert_int_equal(choose(HTTP_1_1, 304, 5), HTTP1_FRAMING_NONE);
	assert_int_equal(choose(HTTP_1_0, 304, -1), HTTP1_FRAMING_NONE);
}

/* RFC 9110 §9.3.2: the head of a response to HEAD is that to GET. */
static void test_framing_of_head_is_that_of_get(void **state)
{
	static struct request request;
	static struct response response = { .status = 200, .length = 1234 };

	(void)state;
	request.version = HTTP_1_1;
	request.method = METHOD_HEAD;
	assert_int_equal(http1_choose_framing(&request, &response), HTTP1_FRAMING_LENGTH);
	response.length = -1;
	assert_int_equal(http1_choose_framing(&request, &response), HTTP1_FRAMING_CHUNKED);
}

static struct text chunk_head(uint64_t length)
{
	struct buffer buffer;

	buffer_init(&buffer, memory, sizeof(memory));
	http1_write_chunk_head(&buffer, length);
	return buffer_text(&buffer);
}

static void test_chunk_sizes_are_hexadecimal(void **state)
{
	(void)state;
	assert_text(chunk_head(1), "1\r\n");
	assert_text(chunk_head(16), "10\r\n");
	assert_text(chunk_head(0x1a2f), "1a2f\r\n");
	assert_text(chunk_head(UINT64_MAX), "ffffffffffffffff\r\n");
}

static void test_a_head_without_room_is_not_written(void **state)
{
	static struct response response = { .status = 200 };
	struct http1_response_head head = { .date = text_literal(DATE) };
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, memory, 20);
	http1_write_head(&buffer, &response, &head);
	assert_true(buffer.truncated);
	assert_int_equal(buffer.length, 0);
}

static struct text written_prepared(
	struct prepared_head *prepared, struct text date, struct http1_response_head head)
{
	static struct response response;
	struct buffer buffer;

	response.status = 200;
	response.prepared = prepared;
	response.field_count = 1;
	response.fields[0] = (struct field){ TEXT("Content-Type"), TEXT("text/plain") };
	head.date = date;
	buffer_init(&buffer, memory, sizeof(memory));
	buffer_append_string(&buffer, "before");
	http1_write_prepared_head(&buffer, &response, &head);
	assert_false(buffer.truncated);
	return text_from(buffer_text(&buffer), strlen("before"));
}

static void test_a_prepared_head_differs_by_its_date_alone(void **state)
{
	const struct http1_response_head head = {
		.framing = HTTP1_FRAMING_LENGTH,
		.length = 4,
		.server = true,
	};
	static struct prepared_head prepared;

	(void)state;
	for (char second = '0'; second <= '9'; second++) {
		char date[] = DATE, expected[] = "HTTP/1.1 200 OK\r\n"
						 "Date: " DATE "\r\n"
						 "Server: Ringlet\r\n"
						 "Content-Type: text/plain\r\n"
						 "Content-Length: 4\r\n"
						 "\r\n";

		date[24] = second;
		expected[strlen("HTTP/1.1 200 OK\r\nDate: ") + 24] = second;
		assert_text(written_prepared(&prepared, text_of(date), head), expected);
		assert_true(prepared.length > 0);
	}
}

static void test_a_head_that_says_more_is_not_prepared(void **state)
{
	const struct text date = TEXT(DATE);
	const struct http1_response_head usual = { .framing = HTTP1_FRAMING_LENGTH };
	const struct http1_response_head others[] = {
		{ .framing = HTTP1_FRAMING_LENGTH, .close = true },
		{ .framing = HTTP1_FRAMING_LENGTH, .keep_alive = true },
		{ .framing = HTTP1_FRAMING_LENGTH, .expires = TEXT(DATE) },
		{ .framing = HTTP1_FRAMING_CHUNKED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		static char alone[sizeof(memory)];
		struct prepared_head none = { 0 }, kept = { 0 };
		struct text head = written_prepared(&none, date, others[i]);

		assert_int_equal(none.length, 0);
		memcpy(alone, head.bytes, head.length);
		alone[head.length] = '\0';
		(void)written_prepared(&kept, date, usual);
		assert_text(written_prepared(&kept, date, others[i]), alone);
	}
}

static void test_a_prepared_head_without_room_writes_nothing(void **state)
{
	const struct http1_response_head head = { .framing = HTTP1_FRAMING_LENGTH,
		.date = TEXT(DATE) };
	struct prepared_head prepared = { 0 };
	struct response response = { .status = 200, .prepared = &prepared };
	struct buffer buffer;

	(void)state;
	(void)written_prepared(&prepared, text_literal(DATE), head);
	buffer_init(&buffer, memory, prepared.length - 1);
	http1_write_prepared_head(&buffer, &response, &head);
	assert_true(buffer.truncated);
	assert_int_equal(buffer.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_head_with_length),
		cmocka_unit_test(test_a_prepared_head_differs_by_its_date_alone),
		cmocka_unit_test(test_a_head_that_says_more_is_not_prepared),
		cmocka_unit_test(test_a_prepared_head_without_room_writes_nothing),
		cmocka_unit_test(test_a_chunked_head),
		cmocka_unit_test(test_a_head_without_content_has_no_framing),
		cmocka_unit_test(test_a_head_up_to_the_close),
		cmocka_unit_test(test_keep_alive_is_said_when_asked_for),
		cmocka_unit_test(test_a_status_without_an_entry_is_written),
		cmocka_unit_test(test_framing_follows_version_status_and_length),
		cmocka_unit_test(test_framing_of_head_is_that_of_get),
		cmocka_unit_test(test_chunk_sizes_are_hexadecimal),
		cmocka_unit_test(test_a_head_without_room_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
