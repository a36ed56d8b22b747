/* filters/gzip.h: the output is gzip of the input, whenever the input comes and however it ends.
 *
 * Runs on each backend; the simulated one works in the loop's thread, the others in threads of the
 * pool. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/list.h"
#include "filters/gzip.h"
#include "place.h"

enum { TURNS_MAX = 100000 };

static const char *backend;
static struct place place;

/* --- zlib, watched -------------------------------------------------------------------------- */

static int deflate_failure;      /* what the next calls return without working; Z_OK: they work */
static bool init_fails;          /* deflateInit2() finds no memory */
static unsigned loop_call_count; /* of deflate() in this thread */
static pthread_t loop_thread;

int __real_deflate(z_stream *stream, int flush);
int __wrap_deflate(z_stream *stream, int flush);
int __real_deflateInit2_(z_stream *stream, int level, int method, int window_bits, int memory_level,
	int strategy, const char *version, int size);
int __wrap_deflateInit2_(z_stream *stream, int level, int method, int window_bits, int memory_level,
	int strategy, const char *version, int size);

int __wrap_deflate(z_stream *stream, int flush)
{
	if (pthread_equal(pthread_self(), loop_thread))
		loop_call_count++;
	return deflate_failure != Z_OK ? deflate_failure : __real_deflate(stream, flush);
}

int __wrap_deflateInit2_(z_stream *stream, int level, int method, int window_bits, int memory_level,
	int strategy, const char *version, int size)
{
	if (init_fails)
		return Z_MEM_ERROR;
	return __real_deflateInit2_(
		stream, level, method, window_bits, memory_level, strategy, version, size);
}

/* --- the source that is compressed ---------------------------------------------------------- */

struct step {
	int outcome; /* enum body_outcome, or a negative errno */
	struct text bytes;
	bool is_file;
};

/* Plays its steps, and gives at most as many bytes as requested. */
struct player {
	struct body_source source;
	const struct step *steps;
	unsigned position, release_count;
	size_t given_length; /* of the step at hand */
	bool owes_ready;     /* it said LATER */
};

static int play(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct player *player = container_of(source, struct player, source);
	const struct step *step = &player->steps[player->position];
	struct text left = text_from(step->bytes, player->given_length);

	assert_int_equal(player->release_count, 0);
	assert_false(player->owes_ready);
	player->owes_ready = step->outcome == BODY_LATER;
	*piece = (struct body_piece){
		.fd = step->is_file ? 7 : -1, .bytes = text_first(left, length_max), .length = 1
	};
	player->given_length += piece->bytes.length;
	if (left.length > length_max)
		return BODY_PIECE;
	player->position++;
	player->given_length = 0;
	return step->outcome;
}

static void note_release(struct body_source *source)
{
	container_of(source, struct player, source)->release_count++;
}

/* --- the wire ------------------------------------------------------------------------------- */

struct wire {
	struct player player;
	struct body_source *body;
	bool ready;
	z_stream inflated;
	bool stream_ended;
	uint64_t length; /* of what was inflated */
	size_t kept_length;
	char kept[262144]; /* the beginning of it */
};

static void note_ready(struct body_source *source)
{
	struct wire *wire = source->consumer;

	assert_false(wire->ready);
	wire->ready = true;
}

static void wire_open(struct wire *wire, const struct step *steps)
{
	memset(wire, 0, offsetof(struct wire, kept));
	wire->player.source = (struct body_source){ .produce = play, .release = note_release };
	wire->player.steps = steps;
	wire->body = gzip_coder.open(&wire->player.source, place.proactor, 6);
	assert_non_null(wire->body);
	wire->body->ready = note_ready;
	wire->body->consumer = wire;
	assert_int_equal(inflateInit2(&wire->inflated, MAX_WBITS + 16), Z_OK);
}

static void inflate_bytes(struct wire *wire, struct text bytes)
{
	static char memory[65536];
	size_t room, length;

	wire->inflated.next_in = (unsigned char *)(uintptr_t)bytes.bytes;
	wire->inflated.avail_in = (unsigned)bytes.length;
	do {
		int r;

		wire->inflated.next_out = (unsigned char *)memory;
		wire->inflated.avail_out = sizeof(memory);
		r = inflate(&wire->inflated, Z_SYNC_FLUSH);
		assert_true(r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR);
		wire->stream_ended = wire->stream_ended || r == Z_STREAM_END;
		length = sizeof(memory) - wire->inflated.avail_out;
		room = sizeof(wire->kept) - wire->kept_length;
		memcpy(wire->kept + wire->kept_length, memory, length < room ? length : room);
		wire->kept_length += length < room ? length : room;
		wire->length += length;
	} while (wire->inflated.avail_out == 0);
	assert_int_equal(wire->inflated.avail_in, 0);
}

static void await_ready(struct wire *wire)
{
	for (unsigned i = 0; i < TURNS_MAX && !wire->ready; i++)
		place_turn(&place);
	assert_true(wire->ready);
	wire->ready = false;
}

/* The bytes that come without waiting. */
static int try_to_pull(struct wire *wire, size_t length_max)
{
	struct body_piece piece;
	int outcome = wire->body->produce(wire->body, &piece, length_max);

	assert_false(wire->ready);
	if (outcome < 0 || outcome == BODY_LATER)
		return outcome;
	assert_true(piece.fd < 0);
	assert_true(piece.bytes.length > 0 && piece.bytes.length <= length_max);
	inflate_bytes(wire, piece.bytes);
	return outcome;
}

static int pull(struct wire *wire, size_t length_max)
{
	int outcome = try_to_pull(wire, length_max);

	while (outcome == BODY_LATER) {
		await_ready(wire);
		outcome = try_to_pull(wire, length_max);
	}
	return outcome;
}

static int pull_all(struct wire *wire, size_t length_max)
{
	int outcome;

	do
		outcome = pull(wire, length_max);
	while (outcome == BODY_PIECE);
	return outcome;
}

/* Everything in flight ends; the inner source was released once, and not too early. */
static void wire_close(struct wire *wire)
{
	wire->body->release(wire->body);
	while (proactor_active_count(place.proactor) > 0) {
		assert_int_equal(wire->player.release_count, 0);
		place_turn(&place);
	}
	assert_int_equal(wire->player.release_count, 1);
	assert_false(wire->ready);
	inflateEnd(&wire->inflated);
}

static void player_ready(struct wire *wire)
{
	assert_true(wire->player.owes_ready);
	wire->player.owes_ready = false;
	wire->player.source.ready(&wire->player.source);
}

static void assert_kept(const struct wire *wire, const char *string)
{
	assert_int_equal(wire->kept_length, strlen(string));
	assert_memory_equal(wire->kept, string, wire->kept_length);
}

static int set_up(void **state)
{
	static uint64_t seed;

	(void)state;
	deflate_failure = Z_OK;
	init_fails = false;
	gzip_limit(SIZE_MAX);
	place_open(&place, backend, seed++);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	place_close(&place);
	gzip_trim();
	return 0;
}

/* --- what comes out ------------------------------------------------------------------------- */

/* Text in which no two places are alike and which compresses to half. */
static struct text pattern(size_t length)
{
	static char bytes[200000];
	static size_t made;
	static uint32_t random = 1;

	assert_true(length <= sizeof(bytes));
	for (; made < length; made++) {
		random = random * 1664525 + 1013904223;
		bytes[made] = (char)('a' + (random >> 28));
	}
	return (struct text){ bytes, length };
}

static void test_a_body_comes_out_as_it_went_in(void **state)
{
	static struct wire wire;
	const struct text bytes = pattern(200000);
	const struct step steps[] = {
		{ BODY_PIECE, text_first(bytes, 1), false },
		{ BODY_PIECE, text_first(text_from(bytes, 1), 99999), false },
		{ BODY_PIECE, { 0 }, false },
		{ BODY_LAST, text_from(bytes, 100000), false },
	};

	(void)state;
	wire_open(&wire, steps);
	assert_int_equal(pull_all(&wire, SIZE_MAX), BODY_LAST);
	assert_true(wire.stream_ended);
	assert_int_equal(wire.kept_length, bytes.length);
	assert_memory_equal(wire.kept, bytes.bytes, bytes.length);
	wire_close(&wire);
}

static void test_pieces_are_as_short_as_is_asked_for(void **state)
{
	static struct wire wire;
	const struct text bytes = pattern(3000);
	const struct step steps[] = { { BODY_PIECE, bytes, false }, { BODY_LAST, { 0 }, false } };

	(void)state;
	wire_open(&wire, steps);
	assert_int_equal(pull_all(&wire, 7), BODY_LAST);
	assert_true(wire.stream_ended);
	assert_memory_equal(wire.kept, bytes.bytes, bytes.length);
	wire_close(&wire);
}

static void test_an_empty_body_is_an_empty_stream(void **state)
{
	static const struct step steps[] = { { BODY_LAST, { 0 }, false } };
	static struct wire wire;

	(void)state;
	wire_open(&wire, steps);
	assert_int_equal(pull_all(&wire, SIZE_MAX), BODY_LAST);
	assert_true(wire.stream_ended);
	assert_int_equal(wire.length, 0);
	wire_close(&wire);
}

/* Incompressible bytes fill the output again and again, also at the end. */
static void test_what_grows_comes_out_whole(void **state)
{
	static struct wire wire;
	static char noise[150000];
	const struct step steps[] = { { BODY_LAST, { noise, sizeof(noise) }, false } };
	uint64_t random = 88172645463325252;

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		noise[i] = (char)random;
	}
	wire_open(&wire, steps);
	assert_int_equal(pull_all(&wire, SIZE_MAX), BODY_LAST);
	assert_true(wire.stream_ended);
	assert_int_equal(wire.kept_length, sizeof(noise));
	assert_memory_equal(wire.kept, noise, sizeof(noise));
	wire_close(&wire);
}

static void test_the_loop_never_compresses(void **state)
{
	static struct wire wire;
	const struct step steps[] = { { BODY_LAST, pattern(200000), false } };

	(void)state;
	loop_thread = pthread_self();
	loop_call_count = 0;
	wire_open(&wire, steps);
	assert_int_equal(pull_all(&wire, SIZE_MAX), BODY_LAST);
	wire_close(&wire);
	assert_int_equal(loop_call_count, 0);
}

/* --- slow sources --------------------------------------------------------------------------- */

static void test_what_has_come_leaves_while_more_is_awaited(void **state)
{
	static const struct step steps[] = {
		{ BODY_LATER, { 0 }, false },
		{ BODY_PIECE, TEXT("first "), false },
		{ BODY_LATER, { 0 }, false },
		{ BODY_PIECE, TEXT("second "), false },
		{ BODY_LATER, { 0 }, false },
		{ BODY_LAST, TEXT("third"), false },
	};
	static struct wire wire;

	(void)state;
	wire_open(&wire, steps);
	assert_int_equal(try_to_pull(&wire, SIZE_MAX), BODY_LATER);
	assert_int_equal(proactor_active_count(place.proactor), 0);
	player_ready(&wire);
	assert_false(wire.ready);
	await_ready(&wire);
	assert_int_equal(try_to_pull(&wire, SIZE_MAX), BODY_PIECE);
	assert_kept(&wire, "first ");
	assert_int_equal(try_to_pull(&wire, SIZE_MAX), BODY_LATER);
	player_ready(&wire);
	assert_int_equal((await_ready(&wire), try_to_pull(&wire, SIZE_MAX)), BODY_PIECE);
	assert_kept(&wire, "first second ");
	/* Ready before the wire tries again. */
	player_ready(&wire);
	assert_int_equal(pull_all(&wire, SIZE_MAX), BODY_LAST);
	assert_kept(&wire, "first second third");
	assert_true(wire.stream_ended);
	wire_close(&wire);
}

static void test_a_source_may_be_ready_while_it_is_flushed(void **state)
{
	static const struct step steps[] = {
		{ BODY_PIECE, TEXT("a"), false },
		{ BODY_LATER, { 0 }, false },
		{ BODY_LAST, TEXT("b"), false },
	};
	static struct wire wire;

	(void)state;
	wire_open(&wire, steps);
	assert_int_equal(try_to_pull(&wire, SIZE_MAX), BODY_LATER);
	while (wire.player.position < 2)
		place_turn(&place);
	player_ready(&wire);
	await_ready(&wire);
	assert_int_equal(pull_all(&wire, SIZE_MAX), BODY_LAST);
	assert_kept(&wire, "ab");
	wire_close(&wire);
}

/* --- ends ----------------------------------------------------------------------------------- */

static void test_an_error_of_the_source_passes(void **state)
{
	static const struct step steps[] = { { BODY_PIECE, TEXT("abc"), false },
		{ -EIO, { 0 }, false } };
	static struct wire wire;

	(void)state;
	wire_open(&wire, steps);
	assert_int_equal(pull_all(&wire, SIZE_MAX), -EIO);
	assert_false(wire.stream_ended);
	wire_close(&wire);
	wire_open(&wire, steps + 1);
	assert_int_equal(try_to_pull(&wire, SIZE_MAX), -EIO);
	wire_close(&wire);
}

static void test_a_piece_of_a_file_is_refused(void **state)
{
	static const struct step steps[] = { { BODY_LAST, { 0 }, true } };
	static struct wire wire;

	(void)state;
	wire_open(&wire, steps);
	assert_int_equal(pull_all(&wire, SIZE_MAX), -ENOTSUP);
	wire_close(&wire);
}

static void test_a_failure_of_zlib_ends_the_body(void **state)
{
	static const struct step steps[] = { { BODY_LAST, TEXT("abc"), false } };
	static struct wire wire;

	(void)state;
	deflate_failure = Z_STREAM_ERROR;
	wire_open(&wire, steps);
	assert_int_equal(pull_all(&wire, SIZE_MAX), -EIO);
	wire_close(&wire);
	/* The next body starts from the beginning. */
	deflate_failure = Z_OK;
	wire_open(&wire, steps);
	assert_int_equal(pull_all(&wire, SIZE_MAX), BODY_LAST);
	assert_kept(&wire, "abc");
	wire_close(&wire);
}

static void test_without_memory_the_source_stays_the_callers(void **state)
{
	struct player player = { .source = { .produce = play, .release = note_release } };

	(void)state;
	gzip_trim();
	init_fails = true;
	assert_null(gzip_coder.open(&player.source, place.proactor, 6));
	assert_int_equal(player.release_count, 0);
}

static void test_release_waits_for_what_is_under_way(void **state)
{
	const struct step steps[] = {
		{ BODY_PIECE, pattern(60000), false },
		{ BODY_LATER, { 0 }, false },
		{ BODY_LAST, pattern(60000), false },
	};
	static struct wire wire;

	(void)state;
	/* Before anything. */
	wire_open(&wire, steps);
	wire_close(&wire);
	/* In the middle of work: either nothing of it was done or everything. */
	for (unsigned turns = 0; turns < 4; turns++) {
		wire_open(&wire, steps);
		assert_int_equal(try_to_pull(&wire, SIZE_MAX), BODY_LATER);
		for (unsigned i = 0; i < turns && proactor_active_count(place.proactor) > 0; i++)
			place_turn(&place);
		wire.ready = false;
		wire_close(&wire);
	}
	/* With a piece that was given out in part, and with a source that is waited for. */
	wire_open(&wire, steps);
	assert_int_equal(pull(&wire, 10), BODY_PIECE);
	wire_close(&wire);
	wire_open(&wire, steps + 1);
	assert_int_equal(try_to_pull(&wire, SIZE_MAX), BODY_LATER);
	wire_close(&wire);
}

static void test_after_release_ready_says_nothing(void **state)
{
	const struct step steps[] = {
		{ BODY_PIECE, pattern(60000), false },
		{ BODY_LATER, { 0 }, false },
		{ BODY_LAST, { 0 }, false },
	};
	static struct wire wire;

	(void)state;
	wire_open(&wire, steps);
	assert_int_equal(try_to_pull(&wire, SIZE_MAX), BODY_LATER);
	while (wire.player.position < 2)
		place_turn(&place);
	wire.body->release(wire.body);
	if (wire.player.release_count == 0)
		player_ready(&wire);
	while (proactor_active_count(place.proactor) > 0)
		place_turn(&place);
	assert_false(wire.ready);
	assert_int_equal(wire.player.release_count, 1);
	inflateEnd(&wire.inflated);
}

/* --- chance --------------------------------------------------------------------------------- */

enum { COURSE_STEPS_MAX = 6, COURSE_PIECE_MAX = 40000, COURSE_COUNT = 300 };

static uint32_t chance;

static uint32_t below(uint32_t bound)
{
	chance = chance * 1664525 + 1013904223;
	return (chance >> 8) % bound;
}

/* All bytes of the steps, in memory of their own. */
static struct text make_course(struct step *steps)
{
	static char bytes[COURSE_STEPS_MAX * COURSE_PIECE_MAX];
	unsigned count = 1 + below(COURSE_STEPS_MAX);
	size_t length = 0;

	for (unsigned i = 0; i < count; i++) {
		struct text piece = text_from(pattern(200000), below(100000));

		piece = text_first(piece, below(2) ? below(100) : below(COURSE_PIECE_MAX));
		steps[i] = (struct step){ BODY_PIECE, piece, false };
		if (i + 1 == count)
			steps[i].outcome = below(8) ? BODY_LAST : -EIO;
		else if (below(3) == 0)
			steps[i].outcome = BODY_LATER;
		if (steps[i].outcome < 0 || steps[i].outcome == BODY_LATER)
			steps[i].bytes.length = 0;
		memcpy(bytes + length, steps[i].bytes.bytes, steps[i].bytes.length);
		length += steps[i].bytes.length;
	}
	return (struct text){ bytes, length };
}

/* The source becomes ready at random, at the latest when nothing else can happen. */
static void await_by_chance(struct wire *wire)
{
	for (unsigned i = 0; i < TURNS_MAX && !wire->ready; i++) {
		bool is_last_chance = proactor_active_count(place.proactor) == 0;

		if (wire->player.owes_ready && (is_last_chance || below(2)))
			player_ready(wire);
		else
			place_turn(&place);
	}
	assert_true(wire->ready);
	wire->ready = false;
}

/* Sometimes the client leaves, with or without an op in flight. */
static int pull_by_chance(struct wire *wire)
{
	static const size_t LENGTHS[] = { 100, 4096, SIZE_MAX };
	int outcome = try_to_pull(wire, LENGTHS[below(3)]);

	if (below(50) == 0)
		return -ECANCELED;
	if (outcome != BODY_LATER)
		return outcome;
	await_by_chance(wire);
	return BODY_PIECE;
}

static void test_any_course_ends_whole_or_cut(void **state)
{
	static struct wire wire;
	struct step steps[COURSE_STEPS_MAX];
	unsigned whole_count = 0;

	(void)state;
	chance = 1;
	for (unsigned i = 0; i < COURSE_COUNT; i++) {
		struct text expected = make_course(steps);
		int outcome;

		wire_open(&wire, steps);
		do
			outcome = pull_by_chance(&wire);
		while (outcome == BODY_PIECE);
		whole_count += outcome == BODY_LAST;
		assert_true(wire.kept_length <= expected.length);
		assert_memory_equal(wire.kept, expected.bytes, wire.kept_length);
		if (outcome == BODY_LAST) {
			assert_true(wire.stream_ended);
			assert_int_equal(wire.kept_length, expected.length);
		}
		wire_close(&wire);
	}
	assert_true(whole_count > COURSE_COUNT / 4 && whole_count < COURSE_COUNT);
}

/* --- memory --------------------------------------------------------------------------------- */

static size_t allocated(void)
{
	struct mallinfo2 information = mallinfo2();

	return information.uordblks + information.hblkhd;
}

static void test_memory_does_not_grow_with_the_body(void **state)
{
	static char zeros[1 << 26];
	static const struct step steps[] = { { BODY_LAST, { zeros, sizeof(zeros) }, false } };
	static struct wire wire;
	size_t before;

	(void)state;
	wire_open(&wire, steps);
	assert_int_equal(pull(&wire, 1000), BODY_PIECE);
	before = allocated();
	assert_int_equal(pull_all(&wire, SIZE_MAX), BODY_LAST);
	assert_int_equal(allocated(), before);
	assert_true(wire.length == sizeof(zeros));
	assert_true(wire.stream_ended);
	wire_close(&wire);
}

static void test_warm_bodies_allocate_nothing(void **state)
{
	static const struct step steps[] = { { BODY_LAST, TEXT("abc"), false } };
	static struct wire wire;
	size_t before = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		wire_open(&wire, steps);
		assert_int_equal(pull_all(&wire, SIZE_MAX), BODY_LAST);
		assert_kept(&wire, "abc");
		wire_close(&wire);
		if (i == 1)
			before = allocated();
	}
	assert_int_equal(allocated(), before);
}

static void test_a_burst_does_not_hold_its_memory_for_ever(void **state)
{
	enum { COUNT = 50 };
	struct player players[COUNT];
	struct body_source *bodies[COUNT];
	size_t before = allocated();

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		players[i] =
			(struct player){ .source = { .produce = play, .release = note_release } };
		bodies[i] = gzip_coder.open(&players[i].source, place.proactor, 1);
		assert_non_null(bodies[i]);
	}
	for (unsigned i = 0; i < COUNT; i++)
		bodies[i]->release(bodies[i]);
	assert_true(allocated() < before + COUNT / 4 * 300000);
}

static void test_beyond_the_limit_there_is_no_room(void **state)
{
	struct player players[3] = {
		{ .source = { .produce = play, .release = note_release } },
		{ .source = { .produce = play, .release = note_release } },
		{ .source = { .produce = play, .release = note_release } },
	};
	struct body_source *first, *second;

	(void)state;
	gzip_limit(2);
	first = gzip_coder.open(&players[0].source, place.proactor, 6);
	second = gzip_coder.open(&players[1].source, place.proactor, 6);
	assert_non_null(first);
	assert_non_null(second);
	assert_null(gzip_coder.open(&players[2].source, place.proactor, 6));
	first->release(first);
	first = gzip_coder.open(&players[2].source, place.proactor, 6);
	assert_non_null(first);
	first->release(first);
	second->release(second);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_body_comes_out_as_it_went_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_pieces_are_as_short_as_is_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_empty_body_is_an_empty_stream, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_grows_comes_out_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_has_come_leaves_while_more_is_awaited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_source_may_be_ready_while_it_is_flushed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_error_of_the_source_passes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_piece_of_a_file_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_failure_of_zlib_ends_the_body, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_without_memory_the_source_stays_the_callers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_release_waits_for_what_is_under_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_after_release_ready_says_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_any_course_ends_whole_or_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_memory_does_not_grow_with_the_body, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_warm_bodies_allocate_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_burst_does_not_hold_its_memory_for_ever, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_beyond_the_limit_there_is_no_room, set_up, tear_down),
	};
	/* On the simulated backend, work runs in the loop. */
	const struct CMUnitTest tests_of_threads[] = {
		cmocka_unit_test_setup_teardown(test_the_loop_never_compresses, set_up, tear_down),
	};
	int failed_count;

	assert_true(argc > 1);
	backend = argv[1];
	failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	if (strcmp(backend, "simulated") != 0)
		failed_count += cmocka_run_group_tests(tests_of_threads, NULL, NULL);
	return failed_count;
}
