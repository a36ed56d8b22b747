/* A Range field, after a line with the length of the representation. The ranges that are sent lie
 * within it, never overlap, and are the same when requested in other words. */
#include "fuzz.h"

#include "files/range.h"

enum { FIELD_SIZE = 4096 };

/* No range is empty or reaches beyond the end, and no two touch. */
static void check_set(const struct range_set *set, uint64_t length)
{
	assert(set->count > 0 && set->count <= RANGE_COUNT_MAX);
	assert(range_set_length(set) <= length);
	for (unsigned i = 0; i < set->count; i++) {
		const struct range *a = &set->ranges[i];

		assert(a->length > 0);
		assert(a->offset < length && a->length <= length - a->offset);
		for (unsigned j = 0; j < i; j++) {
			const struct range *b = &set->ranges[j];

			assert(a->offset + a->length < b->offset ||
				b->offset + b->length < a->offset);
		}
	}
}

static void check_round_trip(const struct range_set *set, uint64_t length)
{
	static char memory[FIELD_SIZE];
	struct range_set again;
	struct buffer field;

	buffer_init(&field, memory, sizeof(memory));
	buffer_append_string(&field, "Bytes=");
	for (unsigned i = 0; i < set->count; i++) {
		buffer_append_number(&field, set->ranges[i].offset);
		buffer_append_byte(&field, '-');
		buffer_append_number(&field, set->ranges[i].offset + set->ranges[i].length - 1);
		buffer_append_string(&field, " ,\t,");
	}
	assert(!field.truncated);
	assert(range_parse(&again, buffer_text(&field), length) == RANGE_PARTIAL);
	assert(again.count == set->count);
	for (unsigned i = 0; i < set->count; i++) {
		assert(again.ranges[i].offset == set->ranges[i].offset);
		assert(again.ranges[i].length == set->ranges[i].length);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct text rest = { (const char *)bytes, length };
	struct text number = fuzz_take_line(&rest);
	struct range_set set;
	uint64_t whole;

	/* No file is longer. */
	if (text_to_number(&whole, number) < 0 || whole > INT64_MAX)
		return 0;
	if (range_parse(&set, rest, whole) != RANGE_PARTIAL)
		return 0;
	check_set(&set, whole);
	check_round_trip(&set, whole);
	return 0;
}
