/* A chunked body has the same content, end and verdict however its bytes are cut. */
#include "fuzz.h"

#include "base/buffer.h"
#include "http1/body.h"

struct decoded {
	int result;
	size_t left_length;
	struct buffer content;
};

static struct decoded decode_in_parts(struct text input, size_t part_length)
{
	struct decoded decoded = { 0 };
	struct http1_body body;

	http1_body_init(&body, REQUEST_LENGTH_CHUNKED);
	buffer_init(&decoded.content, malloc(input.length + 1), input.length + 1);
	assert(decoded.content.bytes);
	do {
		struct text part = text_first(input, part_length), rest = part, found;

		decoded.result = http1_body_decode(&body, &rest, &found);
		assert(fuzz_lies_within(found, part));
		assert(decoded.result < 0 || part.length == 0 || rest.length < part.length);
		buffer_append(&decoded.content, found);
		input = text_from(input, part.length - rest.length);
	} while (decoded.result == 0 && input.length > 0);
	decoded.left_length = input.length;
	assert(!decoded.content.truncated);
	return decoded;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const size_t PART_LENGTHS[] = { 1, 2, 5 };
	struct text input = { (const char *)bytes, length };
	struct decoded whole = decode_in_parts(input, SIZE_MAX);

	for (size_t i = 0; i < sizeof(PART_LENGTHS) / sizeof(PART_LENGTHS[0]); i++) {
		struct decoded parts = decode_in_parts(input, PART_LENGTHS[i]);

		assert(parts.result == whole.result);
		assert(text_equal(buffer_text(&parts.content), buffer_text(&whole.content)));
		if (whole.result == 1)
			assert(parts.left_length == whole.left_length);
		free(parts.content.bytes);
	}
	free(whole.content.bytes);
	return 0;
}
