/* A path never leads above "/", has nothing left to resolve, and is the same after a round trip
 * through a Location field. */
#include "fuzz.h"

#include "http/byte.h"
#include "http/path.h"

enum { PATH_SIZE = 4096 };

static void check_segments(struct text path)
{
	assert(path.length > 0 && path.bytes[0] == '/');
	while (path.length > 0) {
		struct text segment;

		path = text_from(path, 1);
		segment = text_first(path, text_find(path, '/'));
		path = text_from(path, segment.length);
		assert(segment.length > 0 || path.length == 0);
		assert(!text_equal(segment, text_literal(".")));
		assert(!text_equal(segment, text_literal("..")));
		for (size_t i = 0; i < segment.length; i++)
			assert(!byte_is_control(segment.bytes[i]));
	}
}

static void check_round_trip(struct text path)
{
	static char encoded_memory[3 * PATH_SIZE], memory[PATH_SIZE];
	struct buffer encoded, again;

	buffer_init(&encoded, encoded_memory, sizeof(encoded_memory));
	path_append_encoded(&encoded, path);
	assert(!encoded.truncated);
	assert(!text_starts_with(buffer_text(&encoded), text_literal("//")));
	for (size_t i = 0; i < encoded.length; i++)
		assert(encoded.bytes[i] > 0x20 && encoded.bytes[i] < 0x7f);
	buffer_init(&again, memory, sizeof(memory));
	assert(path_normalize(&again, buffer_text(&encoded)) == 0);
	assert(text_equal(buffer_text(&again), path));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static char memory[PATH_SIZE];
	struct text raw = { (const char *)bytes, length };
	struct buffer path;

	buffer_init(&path, memory, sizeof(memory));
	if (path_normalize(&path, raw) < 0 || path.truncated)
		return 0;
	check_segments(buffer_text(&path));
	path_has_dot_segment(buffer_text(&path));
	check_round_trip(buffer_text(&path));
	return 0;
}
