/* http1/body.h: however the bytes of a body are cut, its content is the same (RFC 9112 §6,
 * §7.1). */
#include "assert_text.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "http1/body.h"

static char content_memory[8192];

struct decoded {
	int result; /* as returned by http1_body_decode() */
	struct text content;
	struct text left;
};

/* Decodes `input` in parts of at most `part_length` bytes, each in memory of its own size, so that
 * a read beyond it is noticed. */
static struct decoded decode_in_parts(
	struct text input, uint64_t content_length, size_t part_length)
{
	struct decoded decoded = { .left = input };
	struct http1_body body;
	struct buffer content;

	http1_body_init(&body, content_length);
	buffer_init(&content, content_memory, sizeof(content_memory));
	do {
		struct text part = text_first(decoded.left, part_length);
		char *copy = malloc(part.length + 1);
		struct text rest = { copy + 1, part.length }, found;

		assert_non_null(copy);
		memcpy(copy + 1, part.bytes, part.length);
		decoded.result = http1_body_decode(&body, &rest, &found);
		buffer_append(&content, found);
		decoded.left = text_from(decoded.left, part.length - rest.length);
		free(copy);
	} while (decoded.result == 0 && decoded.left.length > 0);
	decoded.content = buffer_text(&content);
	return decoded;
}

static const size_t PART_LENGTHS[] = { 1, 2, 3, 7, SIZE_MAX };
enum { PART_LENGTH_COUNT = sizeof(PART_LENGTHS) / sizeof(PART_LENGTHS[0]) };

static void assert_decodes(
	struct text input, uint64_t content_length, const char *content, const char *left)
{
	for (size_t i = 0; i < PART_LENGTH_COUNT; i++) {
		struct decoded decoded = decode_in_parts(input, content_length, PART_LENGTHS[i]);

		assert_int_equal(decoded.result, 1);
		assert_text(decoded.content, content);
		assert_text(decoded.left, left);
	}
}

static void assert_ends_with(int result, struct text input)
{
	for (size_t i = 0; i < PART_LENGTH_COUNT; i++) {
		struct decoded decoded =
			decode_in_parts(input, REQUEST_LENGTH_CHUNKED, PART_LENGTHS[i]);

		if (decoded.result != result)
			fail_saying("%d instead of %d for \"%.*s\" in parts of %zu\n",
				decoded.result, result, TEXT_ARGUMENTS(input), PART_LENGTHS[i]);
	}
}

#define assert_chunked(input, content, left)                                                       \
	assert_decodes(text_literal(input), REQUEST_LENGTH_CHUNKED, content, left)
#define assert_refused(input)    assert_ends_with(-EPROTO, text_literal(input))
#define assert_incomplete(input) assert_ends_with(0, text_literal(input))

static void test_no_content_is_whole_at_once(void **state)
{
	(void)state;
	assert_decodes(text_literal(""), 0, "", "");
	assert_decodes(text_literal("GET /"), 0, "", "GET /");
}

static void test_counted_content_ends_with_its_count(void **state)
{
	(void)state;
	assert_decodes(text_literal("hello"), 5, "hello", "");
	assert_decodes(text_literal("helloGET /"), 5, "hello", "GET /");
	assert_decodes(text_literal("\r\n\r\n\r\n"), 4, "\r\n\r\n", "\r\n");
}

static void test_counted_content_may_be_larger_than_memory(void **state)
{
	struct http1_body body;
	struct text input = text_literal("abc"), content;

	(void)state;
	http1_body_init(&body, INT64_MAX);
	assert_int_equal(http1_body_decode(&body, &input, &content), 0);
	assert_text(content, "abc");
	assert_true(body.remaining == INT64_MAX - 3);
}

static void test_chunks_are_joined(void **state)
{
	(void)state;
	assert_chunked("5\r\nhello\r\n0\r\n\r\n", "hello", "");
	assert_chunked("1\r\na\r\n2\r\nbc\r\n0\r\n\r\nGET /", "abc", "GET /");
	assert_chunked("0\r\n\r\n", "", "");
	assert_chunked("a\r\n0123456789\r\n0\r\n\r\n", "0123456789", "");
	assert_chunked("B\r\n\xff content\r\n\r\n0\r\n\r\n", "\xff content\r\n", "");
	assert_chunked("9\r\n\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n0\r\n\r\n", "");
	assert_chunked("000000000000000000000005\r\nhello\r\n000\r\n\r\n", "hello", "");
}

/* RFC 9112 §7.1.1 */
static void test_extensions_are_ignored(void **state)
{
	(void)state;
	assert_chunked("5;a=b\r\nhello\r\n0;c\r\n\r\n", "hello", "");
	assert_chunked("1;q=\"\t 5\"\r\nx\r\n0\r\n\r\n", "x", "");
	assert_chunked("1 \t;a\r\nx\r\n0 ;b = c\r\n\r\n", "x", "");
}

/* RFC 9112 §7.1.2 */
static void test_trailers_are_dropped(void **state)
{
	(void)state;
	assert_chunked("1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\nGET /", "x", "GET /");
}

/* RFC 9112 §7.1.2, §5.1, §5.2 */
static void test_trailers_have_names_and_colons(void **state)
{
	(void)state;
	assert_chunked("0\r\nA:\r\nB: c: d\r\n!#$%&'*+-.^_`|~09azAZ:\xff\r\n\r\n", "", "");
	assert_refused("0\r\nA\r\n\r\n");
	assert_refused("0\r\n: b\r\n\r\n");
	assert_refused("0\r\nA : b\r\n\r\n");
	assert_refused("0\r\nA\t: b\r\n\r\n");
	assert_refused("0\r\n A: b\r\n\r\n");
	assert_refused("0\r\nA: b\r\n c\r\n\r\n");
	assert_refused("0\r\nA: b\r\nGET / HTTP/1.1\r\n\r\n");
	assert_refused("0\r\nA(: b\r\n\r\n");
	assert_refused("0\r\n\xc3\xa4: b\r\n\r\n");
}

static void test_sizes_are_bare_hexadecimal_digits(void **state)
{
	(void)state;
	assert_refused("\r\n");
	assert_refused(";a\r\n");
	assert_refused("g\r\n");
	assert_refused("-1\r\n");
	assert_refused("+1\r\n");
	assert_refused("0x1\r\n");
	assert_refused(" 1\r\n");
	assert_refused("1 \r\n");
	assert_refused("1 2;a\r\n");
	assert_refused(" 1;a\r\n");
	assert_refused("1\t\r\n");
	assert_refused("1,1\r\n");
	assert_refused("1_0\r\n");
}

static void test_sizes_that_overflow_are_refused(void **state)
{
	(void)state;
	assert_incomplete("7fffffffffffffff\r\n");
	assert_refused("8000000000000000\r\n");
	assert_refused("ffffffffffffffff\r\n");
	assert_refused("10000000000000000\r\n");
	assert_refused("100000000000000001\r\n");
}

static void test_lines_end_in_cr_lf(void **state)
{
	(void)state;
	assert_refused("1\nx\r\n0\r\n\r\n");
	assert_refused("1\rx");
	assert_refused("1\r\r\n");
	assert_refused("1\r\nx\n0\r\n\r\n");
	assert_refused("1\r\nxy\r\n");
	assert_refused("1\r\nx\rz");
	assert_refused("1;a\nx");
	assert_refused("1;a\rb\r\n");
	assert_refused("0\r\n\n");
	assert_refused("0\r\nA: b\n\r\n");
	assert_refused("0\r\nA: b\rC\r\n");
}

static void test_control_bytes_are_refused_in_lines(void **state)
{
	(void)state;
	assert_refused("1;\0\r\n");
	assert_refused("1;\x7f\r\n");
	assert_refused("0\r\nA: \0\r\n\r\n");
	assert_refused("0\r\nA: \x1b\r\n\r\n");
}

static void test_a_body_is_not_whole_before_its_last_byte(void **state)
{
	static const struct text WHOLE = TEXT("3;x\r\nabc\r\n0\r\nT: u\r\n\r\n");

	(void)state;
	for (size_t length = 0; length < WHOLE.length; length++)
		assert_ends_with(0, text_first(WHOLE, length));
	assert_ends_with(1, WHOLE);
}

/* Begins with `before`, then `count` times "x", then `after`. */
static struct text long_line(
	char *memory, size_t size, const char *before, size_t count, const char *after)
{
	struct buffer buffer;

	buffer_init(&buffer, memory, size);
	buffer_append_string(&buffer, before);
	while (count-- > 0)
		buffer_append_byte(&buffer, 'x');
	buffer_append_string(&buffer, after);
	assert_false(buffer.truncated);
	return buffer_text(&buffer);
}

static void test_extensions_are_bounded(void **state)
{
	char memory[HTTP1_BODY_LINE_MAX + 64];

	(void)state;
	assert_ends_with(
		0, long_line(memory, sizeof(memory), "1;", HTTP1_BODY_LINE_MAX - 2, "\r\n"));
	assert_ends_with(
		-EPROTO, long_line(memory, sizeof(memory), "1;", HTTP1_BODY_LINE_MAX - 1, ""));
}

static void test_trailers_are_bounded_together(void **state)
{
	char memory[HTTP1_BODY_LINE_MAX + 64];

	(void)state;
	assert_ends_with(1, long_line(memory, sizeof(memory),
				    "0\r\nA: b\r\nC:", HTTP1_BODY_LINE_MAX - 6, "\r\n\r\n"));
	assert_ends_with(-EPROTO,
		long_line(memory, sizeof(memory), "0\r\nA: b\r\nC:", HTTP1_BODY_LINE_MAX - 5, ""));
}

static void test_leading_zeros_of_a_size_are_bounded(void **state)
{
	char memory[HTTP1_BODY_LINE_MAX + 1];

	(void)state;
	memset(memory, '0', sizeof(memory));
	assert_ends_with(0, (struct text){ memory, HTTP1_BODY_LINE_MAX });
	assert_ends_with(-EPROTO, (struct text){ memory, HTTP1_BODY_LINE_MAX + 1 });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_content_is_whole_at_once),
		cmocka_unit_test(test_counted_content_ends_with_its_count),
		cmocka_unit_test(test_counted_content_may_be_larger_than_memory),
		cmocka_unit_test(test_chunks_are_joined),
		cmocka_unit_test(test_extensions_are_ignored),
		cmocka_unit_test(test_trailers_are_dropped),
		cmocka_unit_test(test_trailers_have_names_and_colons),
		cmocka_unit_test(test_sizes_are_bare_hexadecimal_digits),
		cmocka_unit_test(test_sizes_that_overflow_are_refused),
		cmocka_unit_test(test_lines_end_in_cr_lf),
		cmocka_unit_test(test_control_bytes_are_refused_in_lines),
		cmocka_unit_test(test_a_body_is_not_whole_before_its_last_byte),
		cmocka_unit_test(test_extensions_are_bounded),
		cmocka_unit_test(test_trailers_are_bounded_together),
		cmocka_unit_test(test_leading_zeros_of_a_size_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
