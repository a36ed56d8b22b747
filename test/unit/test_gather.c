/* http/gather.h: a body is in memory completely or not at all, within its limits. */
#include "assert_text.h"

#include <errno.h>
#include <stdlib.h>

#include "http/gather.h"

static struct exchange *exchange;
static struct gather *gather;
static unsigned wanted_count, done_count, done_status;
static size_t consumed_length;

static void note_answered(struct exchange *answered)
{
	(void)answered;
}

static void note_wanted(struct exchange *wanting)
{
	(void)wanting;
	wanted_count++;
}

static void note_consumed(struct exchange *consuming, size_t length)
{
	(void)consuming;
	consumed_length += length;
}

static const struct exchange_wire WIRE = { note_answered, note_wanted, note_consumed };

static void note_done(struct gather *done, unsigned status)
{
	assert_ptr_equal(done, gather);
	done_count++;
	done_status = status;
}

static int set_up(void **state)
{
	(void)state;
	exchange = malloc(sizeof(*exchange));
	assert_non_null(exchange);
	exchange_init(exchange, &WIRE, NULL);
	exchange->request.content_length = REQUEST_LENGTH_CHUNKED;
	wanted_count = done_count = done_status = 0;
	consumed_length = 0;
	gather = gather_new(exchange, &wanted_count);
	assert_non_null(gather);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gather_free(gather);
	gather_limit(UINT64_MAX);
	gather_trim();
	free(exchange);
	return 0;
}

static char byte_at(size_t offset)
{
	return (char)(offset * 7 + (offset >> 8) * 13);
}

/* Sends `length` bytes of the pattern, in parts of at most part_length_max. */
static void receive_pattern(size_t length, size_t part_length_max)
{
	char *bytes = malloc(length);
	size_t sent = 0;

	for (size_t i = 0; i < length; i++)
		bytes[i] = byte_at(i);
	while (sent < length && done_count == 0) {
		struct text part = text_first(
			text_from((struct text){ bytes, length }, sent), part_length_max);

		exchange->sink->received(exchange->sink, part);
		sent += part.length;
	}
	free(bytes);
}

static void test_body_of_any_length_in_parts_of_any_length_is_whole(void **state)
{
	static const size_t lengths[] = { 1, GATHER_BLOCK_LENGTH - 1, GATHER_BLOCK_LENGTH,
		GATHER_BLOCK_LENGTH + 1, 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t offset = 0;

		gather_receive(gather, UINT64_MAX, note_done);
		receive_pattern(lengths[i], i % 2 ? 1000 : 16384);
		exchange->sink->ended(exchange->sink, 0);
		assert_int_equal(done_count, 1);
		assert_int_equal(done_status, 0);
		assert_int_equal(gather->length, lengths[i]);
		assert_int_equal(consumed_length, lengths[i]);
		list_for_each (node, &gather->blocks) {
			struct gather_block *block = container_of(node, struct gather_block, node);

			for (size_t j = 0; j < block->length; j++)
				assert_int_equal(block->bytes[j], byte_at(offset++));
		}
		assert_int_equal(offset, lengths[i]);
		tear_down(NULL);
		set_up(NULL);
	}
}

static void test_errors_of_a_body_are_statuses(void **state)
{
	static const struct {
		int error;
		unsigned status;
	} cases[] = { { -EMSGSIZE, 413 }, { -EPROTO, 400 }, { -ECONNRESET, 400 },
		{ -ETIMEDOUT, 408 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		gather_receive(gather, 100, note_done);
		exchange->sink->ended(exchange->sink, cases[i].error);
		assert_int_equal(done_status, cases[i].status);
		tear_down(NULL);
		set_up(NULL);
	}
}

static void test_bound_of_the_endpoint_is_the_wires_to_keep(void **state)
{
	(void)state;
	gather_receive(gather, 100, note_done);
	assert_int_equal(wanted_count, 1);
	assert_int_equal(exchange->body_length_max, 100);
}

static void test_body_announced_too_long_is_never_asked_for(void **state)
{
	(void)state;
	exchange->request.content_length = 101;
	gather_receive(gather, 100, note_done);
	assert_int_equal(done_status, 413);
	assert_int_equal(wanted_count, 0);
}

static void test_body_announced_beyond_the_workers_bound_is_never_asked_for(void **state)
{
	(void)state;
	gather_limit(8192);
	exchange->request.content_length = 8193;
	gather_receive(gather, UINT64_MAX, note_done);
	assert_int_equal(done_status, 503);
	assert_int_equal(wanted_count, 0);
}

static void test_body_that_grows_beyond_the_workers_bound_ends_with_503(void **state)
{
	(void)state;
	gather_limit(3 * GATHER_BLOCK_SIZE);
	gather_receive(gather, UINT64_MAX, note_done);
	receive_pattern(100000, 1000);
	assert_int_equal(done_count, 1);
	assert_int_equal(done_status, 503);
	assert_int_equal(gather->length, 3 * GATHER_BLOCK_LENGTH);
}

static void test_bound_counts_all_gathers_and_what_is_freed_is_free(void **state)
{
	struct gather *other = gather_new(exchange, NULL);

	(void)state;
	gather_limit(GATHER_BLOCK_SIZE);
	assert_int_equal(gather_append(other, text_literal("a")), 0);
	assert_int_equal(gather_append(gather, text_literal("b")), -ENOBUFS);
	gather_free(other);
	assert_int_equal(gather_append(gather, text_literal("b")), 0);
}

static void test_answer_hands_out_every_byte_and_frees_itself(void **state)
{
	static const size_t maxima[] = { 1000, GATHER_BLOCK_LENGTH, SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct body_piece piece;
		size_t length = 0;
		int outcome;

		gather_receive(gather, UINT64_MAX, note_done);
		receive_pattern(2 * GATHER_BLOCK_LENGTH, SIZE_MAX);
		gather_answer(gather, 200, text_literal("text/plain"));
		assert_int_equal(exchange->response.length, 2 * GATHER_BLOCK_LENGTH);
		do {
			outcome = gather->source.produce(&gather->source, &piece, maxima[i]);
			assert_true(piece.fd < 0);
			assert_true(piece.bytes.length <= maxima[i]);
			for (size_t j = 0; j < piece.bytes.length; j++)
				assert_int_equal(piece.bytes.bytes[j], byte_at(length++));
		} while (outcome == BODY_PIECE);
		assert_int_equal(outcome, BODY_LAST);
		assert_int_equal(length, 2 * GATHER_BLOCK_LENGTH);
		gather->source.release(&gather->source);
		free(exchange);
		set_up(NULL);
	}
}

static void test_empty_answer_is_one_empty_last_piece(void **state)
{
	struct body_piece piece;

	(void)state;
	gather_answer(gather, 200, text_literal("text/plain"));
	assert_int_equal(gather->source.produce(&gather->source, &piece, 100), (int)BODY_LAST);
	assert_int_equal(piece.bytes.length, 0);
}

#define GATHERING(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GATHERING(test_body_of_any_length_in_parts_of_any_length_is_whole),
		GATHERING(test_errors_of_a_body_are_statuses),
		GATHERING(test_bound_of_the_endpoint_is_the_wires_to_keep),
		GATHERING(test_body_announced_too_long_is_never_asked_for),
		GATHERING(test_body_announced_beyond_the_workers_bound_is_never_asked_for),
		GATHERING(test_body_that_grows_beyond_the_workers_bound_ends_with_503),
		GATHERING(test_bound_counts_all_gathers_and_what_is_freed_is_free),
		GATHERING(test_answer_hands_out_every_byte_and_frees_itself),
		GATHERING(test_empty_answer_is_one_empty_last_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
