/* filters/byteranges.h: what goes through the parts of a body, both ways. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"
#include "filters/byteranges.h"

/* Returns the outcomes of a list, one for each produce(). */
struct player {
	struct body_source source;
	const int *outcomes;
	unsigned position, release_count;
	size_t length_max;
};

static struct player *player_of(struct body_source *source)
{
	return container_of(source, struct player, source);
}

static int play(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct player *player = player_of(source);

	player->length_max = length_max;
	*piece = (struct body_piece){ .fd = 7, .offset = player->position, .length = 1 };
	return player->outcomes[player->position++];
}

static void note_release(struct body_source *source)
{
	player_of(source)->release_count++;
}

static void count_ready(struct body_source *source)
{
	unsigned *count = source->consumer;

	(*count)++;
}

/* --- multipart/byteranges (RFC 9110 §14.6) ------------------------------------------------ */

static struct body_source *open_parts(struct player *player, const int *outcomes)
{
	static const struct byteranges parts = {
		.set = { 2, { { 0, 2 }, { 8, 1 } } },
		.length = 10,
		.media_type = TEXT("text/plain"),
		.boundary = "0123456789abcdef0123456789abcde",
	};
	int64_t length = 3;
	struct body_source *source;

	*player = (struct player){
		.source = { .produce = play, .release = note_release },
		.outcomes = outcomes,
	};
	source = byteranges_open(&player->source, &parts, &length);
	assert_non_null(source);
	assert_true(length > 3);
	return source;
}

static void test_parts_ask_for_no_more_than_is_left_of_them(void **state)
{
	static const int outcomes[] = { BODY_PIECE, BODY_PIECE, BODY_LAST };
	static const int fds[] = { -1, 7, 7, -1, 7 };
	static const size_t lengths[] = { 0, 2, 1, 1, 1 };
	struct player player;
	struct body_piece piece;
	struct body_source *source = open_parts(&player, outcomes);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(source->produce(source, &piece, 1000), BODY_PIECE);
		assert_int_equal(piece.fd, fds[i]);
		assert_int_equal(player.length_max, lengths[i]);
	}
	assert_int_equal(source->produce(source, &piece, 1000), BODY_LAST);
	assert_int_equal(piece.fd, -1);
	source->release(source);
	assert_int_equal(player.release_count, 1);
}

static void test_parts_that_end_too_early_are_cut(void **state)
{
	static const int outcomes[] = { BODY_LAST };
	struct player player;
	struct body_piece piece;
	struct body_source *source = open_parts(&player, outcomes);

	(void)state;
	assert_int_equal(source->produce(source, &piece, 1000), BODY_PIECE);
	assert_int_equal(source->produce(source, &piece, 1000), -ENODATA);
	source->release(source);
}

static void test_parts_pass_readiness_and_errors(void **state)
{
	static const int outcomes[] = { BODY_LATER, -EIO };
	struct player player;
	struct body_piece piece;
	unsigned ready_count = 0;
	struct body_source *source = open_parts(&player, outcomes);

	(void)state;
	source->ready = count_ready;
	source->consumer = &ready_count;
	assert_int_equal(source->produce(source, &piece, 1000), BODY_PIECE);
	assert_int_equal(source->produce(source, &piece, 1000), BODY_LATER);
	player.source.ready(&player.source);
	assert_int_equal(ready_count, 1);
	assert_int_equal(source->produce(source, &piece, 1000), -EIO);
	source->release(source);
}

static void test_no_two_boundaries_are_alike(void **state)
{
	struct byteranges a, b;

	(void)state;
	assert_int_equal(byteranges_choose_boundary(&a), 0);
	assert_int_equal(byteranges_choose_boundary(&b), 0);
	assert_memory_not_equal(a.boundary, b.boundary, sizeof(a.boundary));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_ask_for_no_more_than_is_left_of_them),
		cmocka_unit_test(test_parts_that_end_too_early_are_cut),
		cmocka_unit_test(test_parts_pass_readiness_and_errors),
		cmocka_unit_test(test_no_two_boundaries_are_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
