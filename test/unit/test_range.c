/* files/range.h: what a Range field asks for (RFC 9110 §14). */
#include "assert_text.h"

#include <stdio.h>

#include "files/range.h"

static struct range_set set;

/* The ranges as "0-4 6-9", or the other outcome. */
static struct text asked(const char *value, uint64_t length)
{
	static char memory[2048];
	struct buffer buffer;

	buffer_init(&buffer, memory, sizeof(memory));
	switch (range_parse(&set, text_of(value), length)) {
	case RANGE_WHOLE:
		return text_literal("whole");
	case RANGE_UNSATISFIABLE:
		return text_literal("unsatisfiable");
	case RANGE_PARTIAL:
		break;
	}
	for (unsigned i = 0; i < set.count; i++) {
		if (i > 0)
			buffer_append_byte(&buffer, ' ');
		buffer_append_number(&buffer, set.ranges[i].offset);
		buffer_append_byte(&buffer, '-');
		buffer_append_number(&buffer, set.ranges[i].offset + set.ranges[i].length - 1);
	}
	assert_false(buffer.truncated);
	return buffer_text(&buffer);
}

/* The examples of §14.1.2, for a representation of 10000 bytes. */
static void test_examples_of_the_rfc(void **state)
{
	(void)state;
	assert_text(asked("bytes=0-499", 10000), "0-499");
	assert_text(asked("bytes=500-999", 10000), "500-999");
	assert_text(asked("bytes=-500", 10000), "9500-9999");
	assert_text(asked("bytes=9500-", 10000), "9500-9999");
	assert_text(asked("bytes=0-0,-1", 10000), "0-0 9999-9999");
	assert_text(asked("bytes= 0-999, 4500-5499, -1000", 10000), "0-999 4500-5499 9000-9999");
	assert_text(asked("bytes=500-600,601-999", 10000), "500-999");
	assert_text(asked("bytes=500-700,601-999", 10000), "500-999");
}

static void test_ends_beyond_the_end_are_the_end(void **state)
{
	(void)state;
	assert_text(asked("bytes=5-10", 10), "5-9");
	assert_text(asked("bytes=9-", 10), "9-9");
	assert_text(asked("bytes=-11", 10), "0-9");
	assert_text(asked("bytes=0-18446744073709551616", 10), "0-9");
	assert_text(asked("bytes=-99999999999999999999999", 10), "0-9");
}

static void test_nothing_within_the_representation_is_unsatisfiable(void **state)
{
	(void)state;
	assert_text(asked("bytes=10-", 10), "unsatisfiable");
	assert_text(asked("bytes=10-12, 20-", 10), "unsatisfiable");
	assert_text(asked("bytes=-0", 10), "unsatisfiable");
	assert_text(asked("bytes=0-0", 0), "unsatisfiable");
	assert_text(asked("bytes=99999999999999999999999-", 10), "unsatisfiable");
	assert_text(asked("bytes=10-,-0,3-4", 10), "3-4");
}

/* §14.1.2: satisfiable, but of no bytes at all. */
static void test_the_end_of_nothing_is_the_whole(void **state)
{
	(void)state;
	assert_text(asked("bytes=-5", 0), "whole");
	assert_text(asked("bytes=-5,0-", 0), "whole");
}

/* §14.2: an unknown unit MUST be ignored, an invalid field MAY be. */
static void test_what_is_no_range_of_bytes_is_ignored(void **state)
{
	static const char *const wrong[] = { "", "bytes", "bytes=", "bytes=,",
		"bytes= ", "lines=0-4", "bytes 0-4", "bytes:0-4", " bytes=0-4", "bytes =0-4",
		"bytes=5", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=0-4a", "bytes=+0-4",
		"bytes=0x0-4", "bytes=0-4-5", "bytes=--5", "bytes=0 - 4", "bytes=0-4;5-6",
		"bytes=0-4,5-4", "bytes=0-4,x", "bytes=0-4 6-7", "bytes=\"0-4\"" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (!text_equal(asked(wrong[i], 10), text_literal("whole")))
			fail_saying("\"%s\" is read\n", wrong[i]);
	}
}

static void test_unit_ignores_case_and_lists_may_have_gaps(void **state)
{
	(void)state;
	assert_text(asked("Bytes=0-4", 10), "0-4");
	assert_text(asked("bytes=,, 0-1 ,\t,4-5,", 10), "0-1 4-5");
}

/* §15.3.7.2: the requested order, except for ranges that were joined. */
static void test_order_is_kept(void **state)
{
	(void)state;
	assert_text(asked("bytes=8-9,0-1,4-5", 10), "8-9 0-1 4-5");
	assert_text(asked("bytes=-1,50-,0-0", 10), "9-9 0-0");
}

static void test_ranges_that_overlap_or_touch_become_one(void **state)
{
	(void)state;
	assert_text(asked("bytes=0-5,3-8", 10), "0-8");
	assert_text(asked("bytes=3-8,0-5", 10), "0-8");
	assert_text(asked("bytes=0-1,2-3", 10), "0-3");
	assert_text(asked("bytes=2-3,0-1", 10), "0-3");
	assert_text(asked("bytes=0-1,3-4", 10), "0-1 3-4");
	assert_text(asked("bytes=4-4,0-9", 10), "0-9");
	assert_text(asked("bytes=0-,-10", 10), "0-9");
	assert_text(asked("bytes=8-9,0-1,4-5,1-4", 10), "8-9 0-5");
	assert_text(asked("bytes=0-1,8-9,4-5,2-7", 10), "0-9");
	assert_text(asked("bytes=20-29,0-9,40-49,9-20", 50), "0-29 40-49");
}

static void list(char *value, size_t size, unsigned count, unsigned step)
{
	size_t length = (size_t)snprintf(value, size, "bytes=");

	for (unsigned i = 0; i < count; i++)
		length += (size_t)snprintf(
			value + length, size - length, "%u-%u,", i * step, i * step);
	assert_true(length < size);
}

static void test_number_of_ranges_is_bounded(void **state)
{
	char value[4096];

	(void)state;
	list(value, sizeof(value), RANGE_COUNT_MAX, 2);
	assert_int_equal(range_parse(&set, text_of(value), 1000), RANGE_PARTIAL);
	assert_int_equal(set.count, RANGE_COUNT_MAX);
	list(value, sizeof(value), RANGE_COUNT_MAX + 1, 2);
	assert_int_equal(range_parse(&set, text_of(value), 1000), RANGE_WHOLE);
	list(value, sizeof(value), RANGE_COUNT_MAX + 1, 0);
	assert_int_equal(range_parse(&set, text_of(value), 1000), RANGE_WHOLE);
}

/* For every request, the ranges are within the representation, do not touch, and cover the same
 * bytes. */
static void test_any_ranges_are_joined_to_the_bytes_asked_for(void **state)
{
	uint32_t random = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		uint64_t wanted = 0, got = 0;
		char value[256];
		size_t length = (size_t)snprintf(value, sizeof(value), "bytes=");

		for (unsigned i = 0; i < 1 + round % 8; i++) {
			unsigned start, end;

			random = random * 1664525 + 1013904223;
			start = random >> 26;
			end = start + (random >> 20) % 8;
			for (unsigned bit = start; bit <= end && bit < 64; bit++)
				wanted |= UINT64_C(1) << bit;
			length += (size_t)snprintf(
				value + length, sizeof(value) - length, "%u-%u,", start, end);
		}
		assert_int_equal(range_parse(&set, text_of(value), 64), RANGE_PARTIAL);
		for (unsigned i = 0; i < set.count; i++) {
			for (uint64_t j = 0; j < set.ranges[i].length; j++) {
				uint64_t bit = UINT64_C(1) << (set.ranges[i].offset + j);

				assert_false(got & bit);
				got |= bit;
			}
		}
		assert_true(got == wanted);
	}
}

static void test_positions_have_64_bits(void **state)
{
	const uint64_t length = INT64_MAX;

	(void)state;
	assert_text(asked("bytes=9223372036854775806-", length),
		"9223372036854775806-9223372036854775806");
	assert_text(asked("bytes=9223372036854775807-", length), "unsatisfiable");
	assert_text(asked("bytes=5000000000-5000000009,-1", length),
		"5000000000-5000000009 9223372036854775806-9223372036854775806");
}

static void test_content_range_names_first_last_and_length(void **state)
{
	char memory[64];
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, memory, sizeof(memory));
	range_append_content(&buffer, &(struct range){ 42, 1191 }, 1234);
	assert_text(buffer_text(&buffer), "bytes 42-1232/1234");
	buffer_init(&buffer, memory, sizeof(memory));
	range_append_unsatisfied(&buffer, 47022);
	assert_text(buffer_text(&buffer), "bytes */47022");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples_of_the_rfc),
		cmocka_unit_test(test_ends_beyond_the_end_are_the_end),
		cmocka_unit_test(test_nothing_within_the_representation_is_unsatisfiable),
		cmocka_unit_test(test_the_end_of_nothing_is_the_whole),
		cmocka_unit_test(test_what_is_no_range_of_bytes_is_ignored),
		cmocka_unit_test(test_unit_ignores_case_and_lists_may_have_gaps),
		cmocka_unit_test(test_order_is_kept),
		cmocka_unit_test(test_ranges_that_overlap_or_touch_become_one),
		cmocka_unit_test(test_number_of_ranges_is_bounded),
		cmocka_unit_test(test_any_ranges_are_joined_to_the_bytes_asked_for),
		cmocka_unit_test(test_positions_have_64_bits),
		cmocka_unit_test(test_content_range_names_first_last_and_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
