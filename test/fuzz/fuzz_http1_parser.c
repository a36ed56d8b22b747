/* The request head ends at the same byte however slowly it arrives. Every input gets an answer;
 * texts point into the head and consist of allowed bytes. */
#include "fuzz.h"

#include "http/byte.h"
#include "http1/parser.h"

enum { HEADER_BYTES_MAX = 16384 };

static struct request request;
static struct http1_head result;

static int64_t find_slowly(struct text bytes)
{
	struct http1_scan scan = { 0 };
	int64_t found = 0;

	for (size_t length = 0; found == 0 && length <= bytes.length; length++)
		found = http1_find_head(&scan, text_first(bytes, length), HEADER_BYTES_MAX);
	return found;
}

static void check_fields(struct text head)
{
	assert(request.field_count <= REQUEST_FIELDS_MAX);
	for (unsigned i = 0; i < request.field_count; i++) {
		struct text name = request.fields[i].name, value = request.fields[i].value;

		assert(name.length > 0);
		assert(fuzz_lies_within(name, head));
		assert(fuzz_lies_within(value, head));
		assert(text_find(name, ' ') == name.length);
		for (size_t at = 0; at < value.length; at++)
			assert(byte_is_field_value(value.bytes[at]));
	}
}

/* What would allow to smuggle a request in the body of another (RFC 9112 §11.2). */
static void check_framing(void)
{
	unsigned length_count = 0, coding_count = 0;

	for (unsigned i = 0; i < request.field_count; i++) {
		struct text name = request.fields[i].name;

		length_count += text_equal_ignoring_case(name, text_literal("content-length"));
		coding_count += text_equal_ignoring_case(name, text_literal("transfer-encoding"));
	}
	assert(length_count + coding_count <= 1);
	assert((request.content_length == REQUEST_LENGTH_CHUNKED) == (coding_count == 1));
	if (coding_count == 0)
		assert(request.content_length <= INT64_MAX);
	if (length_count + coding_count == 0)
		assert(request.content_length == 0);
}

static void check_parsed(struct text head)
{
	unsigned status = http1_parse_head(&request, &result, head);

	assert(fuzz_lies_within(request.line, head));
	assert(fuzz_lies_within(request.target, head));
	if (status != 0) {
		assert(status == 400 || status == 417 || status == 431 || status == 501 ||
			status == 505);
		assert(result.why);
		return;
	}
	assert(!result.why);
	assert(fuzz_lies_within(request.query, head));
	assert(fuzz_lies_within(request.host, head));
	assert(request.version == HTTP_1_0 || request_field(&request, text_literal("host")));
	check_fields(head);
	check_framing();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct text input = { (const char *)bytes, length };
	struct http1_scan scan = { 0 };
	int64_t found = http1_find_head(&scan, input, HEADER_BYTES_MAX);

	assert(find_slowly(input) == found);
	assert(found <= (int64_t)length);
	check_parsed(found > 0 ? text_first(input, (size_t)found) : input);
	return 0;
}
