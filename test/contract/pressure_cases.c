/* Little room and many ops: small queues, few receive buffers, hundreds of completions at once. */
#include "cases.h"

struct line {
	struct peer peer;
	int fd;
	struct call call;
};

static struct line *lines_new(struct fixture *fixture, size_t count)
{
	struct line *lines = calloc(count, sizeof(*lines));

	assert_non_null(lines);
	for (size_t i = 0; i < count; i++) {
		lines[i].fd = make_pair(fixture, &lines[i].peer);
		call_init(&lines[i].call, fixture);
	}
	return lines;
}

static void lines_free(struct fixture *fixture, struct line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		call_reset(&lines[i].call);
		peer_close(&lines[i].peer);
		close_fd(fixture, lines[i].fd);
	}
	free(lines);
}

/* --- queues ------------------------------------------------------------------------------- */

/* Every line: one receive waiting, one byte from the peer, and a read of a file. */
static void receive_and_read_at_once(struct fixture *fixture, size_t count)
{
	struct line *lines = lines_new(fixture, count);
	struct call *reads = calloc(count, sizeof(*reads));
	char *bytes = malloc(count);
	int file;

	make_pattern_file(fixture, "file", 0, count);
	file = open_name(fixture, "file", O_RDONLY);
	for (size_t i = 0; i < count; i++) {
		proactor_receive(fixture->proactor, &lines[i].call.op, lines[i].fd);
		call_init(&reads[i], fixture);
		proactor_read(fixture->proactor, &reads[i].op, file, &bytes[i], 1, i);
		peer_write(&lines[i].peer, "x", 1);
	}
	turn_until (fixture, proactor_active_count(fixture->proactor) == 0)
		;
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(lines[i].call.done_count, 1);
		assert_int_equal(lines[i].call.result, 1);
		assert_int_equal(reads[i].done_count, 1);
		assert_int_equal(reads[i].result, 1);
	}
	assert_pattern(bytes, 0, count);
	close_fd(fixture, file);
	free(bytes);
	free(reads);
	lines_free(fixture, lines, count);
}

static void test_1_more_ops_than_the_submission_queue_holds_all_end(void **state)
{
	struct proactor_options options = { .entries = 4 };

	fixture_reopen(*state, &options);
	receive_and_read_at_once(*state, 64);
}

static void test_1_hundreds_of_completions_in_one_turn_all_arrive(void **state)
{
	struct proactor_options options = { .entries = 8 };

	fixture_reopen(*state, &options);
	receive_and_read_at_once(*state, 300);
}

static void test_5_cancels_beyond_the_submission_queue_all_arrive(void **state)
{
	struct proactor_options options = { .entries = 4 };
	struct fixture *fixture = *state;
	enum { COUNT = 100 };
	struct line *lines;

	fixture_reopen(fixture, &options);
	lines = lines_new(fixture, COUNT);
	for (int i = 0; i < COUNT; i++)
		proactor_receive(fixture->proactor, &lines[i].call.op, lines[i].fd);
	settle(fixture);
	for (int i = 0; i < COUNT; i++)
		proactor_cancel(fixture->proactor, &lines[i].call.op);
	turn_until (fixture, proactor_active_count(fixture->proactor) == 0)
		;
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(lines[i].call.result, -ECANCELED);
	lines_free(fixture, lines, COUNT);
}

/* --- receive buffers ---------------------------------------------------------------------- */

static void receive_again(struct call *call)
{
	if (call->result > 0 && call->length < call->wanted)
		proactor_receive(call->fixture->proactor, &call->op, call->op.fd);
}

static void receive_on_all(struct fixture *fixture, struct line *lines, size_t count, size_t length)
{
	char *bytes = pattern_new(0, length);

	for (size_t i = 0; i < count; i++) {
		lines[i].call.then = receive_again;
		lines[i].call.wanted = length;
		proactor_receive(fixture->proactor, &lines[i].call.op, lines[i].fd);
	}
	for (size_t i = 0; i < count; i++)
		peer_write(&lines[i].peer, bytes, length);
	turn_until (fixture, proactor_active_count(fixture->proactor) == 0)
		;
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(lines[i].call.length, length);
		assert_memory_equal(lines[i].call.bytes, bytes, length);
	}
	free(bytes);
}

static void test_3_few_receive_buffers_serve_many_connections(void **state)
{
	struct proactor_options options = { .receive_buffer_count = 2,
		.receive_buffer_length = 1024 };
	struct fixture *fixture = *state;
	struct line *lines;

	fixture_reopen(fixture, &options);
	lines = lines_new(fixture, 50);
	receive_on_all(fixture, lines, 50, 20000);
	lines_free(fixture, lines, 50);
}

static void test_3_one_flooding_peer_starves_no_other(void **state)
{
	struct proactor_options options = { .receive_buffer_count = 4,
		.receive_buffer_length = 1024 };
	struct fixture *fixture = *state;
	char *flood = pattern_new(0, 200000);
	struct line *lines;

	fixture_reopen(fixture, &options);
	lines = lines_new(fixture, 11);
	lines[10].call.then = receive_again;
	lines[10].call.wanted = 200000;
	proactor_receive(fixture->proactor, &lines[10].call.op, lines[10].fd);
	peer_write(&lines[10].peer, flood, 200000);
	receive_on_all(fixture, lines, 10, 3000);
	assert_int_equal(lines[10].call.length, 200000);
	assert_memory_equal(lines[10].call.bytes, flood, 200000);
	free(flood);
	lines_free(fixture, lines, 11);
}

/* Nobody asks for a receive while most of the bytes arrive. */
static void receive_with_pauses(struct fixture *fixture, size_t part, size_t count)
{
	char *bytes = pattern_new(0, part * count);
	struct line *line = lines_new(fixture, 1);

	for (size_t i = 0; i < count; i++) {
		peer_write(&line->peer, bytes + i * part, part);
		if (i % 4 != 3)
			settle(fixture);
		proactor_receive(fixture->proactor, &line->call.op, line->fd);
		assert_true(finish(&line->call) > 0);
	}
	assert_int_equal(receive_until(&line->call, line->fd, part * count), part * count);
	assert_pattern(line->call.bytes, 0, part * count);
	free(bytes);
	lines_free(fixture, line, 1);
}

static void test_bytes_between_two_receives_keep_their_order(void **state)
{
	receive_with_pauses(*state, 100, 200);
	receive_with_pauses(*state, 9000, 20);
	receive_with_pauses(*state, 1, 300);
}

static void test_bytes_between_two_receives_survive_few_buffers(void **state)
{
	struct proactor_options options = { .receive_buffer_count = 2,
		.receive_buffer_length = 512 };

	fixture_reopen(*state, &options);
	receive_with_pauses(*state, 700, 100);
}

static void test_the_end_that_came_between_two_receives_follows_the_bytes(void **state)
{
	struct fixture *fixture = *state;
	struct line *line = lines_new(fixture, 1);

	peer_write(&line->peer, "one", 3);
	assert_int_equal(receive_until(&line->call, line->fd, 3), 3);
	peer_write(&line->peer, "two", 3);
	settle(fixture);
	peer_end(&line->peer);
	settle(fixture);
	assert_int_equal(receive_until(&line->call, line->fd, 100), 0);
	assert_int_equal(line->call.length, 6);
	assert_memory_equal(line->call.bytes, "onetwo", 6);
	lines_free(fixture, line, 1);
}

static void test_a_peer_that_floods_a_pause_is_held_back_and_then_heard(void **state)
{
	struct fixture *fixture = *state;
	size_t length = 4 << 20, written = 0;
	char *bytes = pattern_new(0, length);
	struct line *line = lines_new(fixture, 1);

	peer_write(&line->peer, bytes, 1);
	assert_int_equal(receive_until(&line->call, line->fd, 1), 1);
	written = 1;
	for (int i = 0; i < 50; i++) {
		written += fixture->side->write(&line->peer, bytes + written, length - written);
		turn(fixture, 0);
	}
	turn_until (fixture, line->call.length == length) {
		written += fixture->side->write(&line->peer, bytes + written, length - written);
		if (!op_is_active(&line->call.op))
			proactor_receive(fixture->proactor, &line->call.op, line->fd);
	}
	assert_memory_equal(line->call.bytes, bytes, length);
	free(bytes);
	lines_free(fixture, line, 1);
}

/* --- everything together ------------------------------------------------------------------ */

static int64_t return_0(void *context)
{
	(void)context;
	return 0;
}

/* The same few ops for a long time: nothing wears out. */
static void test_1_thousands_of_ops_in_a_row_all_end(void **state)
{
	struct proactor_options options = { .entries = 8, .receive_buffer_count = 2 };
	struct fixture *fixture = *state;
	struct line *line;
	struct call timeout, work, read;
	char byte;
	int file;

	fixture_reopen(fixture, &options);
	line = lines_new(fixture, 1);
	make_pattern_file(fixture, "file", 0, 1);
	file = open_name(fixture, "file", O_RDONLY);
	call_init(&timeout, fixture);
	call_init(&work, fixture);
	call_init(&read, fixture);
	for (unsigned i = 1; i <= 2000; i++) {
		peer_write(&line->peer, "x", 1);
		proactor_receive(fixture->proactor, &line->call.op, line->fd);
		proactor_timeout(fixture->proactor, &timeout.op, 0);
		proactor_work(fixture->proactor, &work.op, return_0, NULL);
		proactor_read(fixture->proactor, &read.op, file, &byte, 1, 0);
		turn_until (fixture, proactor_active_count(fixture->proactor) == 0)
			;
		assert_int_equal(line->call.done_count, i);
		assert_int_equal(timeout.done_count, i);
		assert_int_equal(work.done_count, i);
		assert_int_equal(read.done_count, i);
	}
	close_fd(fixture, file);
	lines_free(fixture, line, 1);
}

int run_pressure_cases(void)
{
	const struct CMUnitTest pressure[] = {
		contract_case(test_1_more_ops_than_the_submission_queue_holds_all_end),
		contract_case(test_1_hundreds_of_completions_in_one_turn_all_arrive),
		contract_case(test_5_cancels_beyond_the_submission_queue_all_arrive),
		contract_case(test_3_few_receive_buffers_serve_many_connections),
		contract_case(test_3_one_flooding_peer_starves_no_other),
		contract_case(test_bytes_between_two_receives_keep_their_order),
		contract_case(test_bytes_between_two_receives_survive_few_buffers),
		contract_case(test_the_end_that_came_between_two_receives_follows_the_bytes),
		contract_case(test_a_peer_that_floods_a_pause_is_held_back_and_then_heard),
		contract_case(test_1_thousands_of_ops_in_a_row_all_end),
	};

	return cmocka_run_group_tests(pressure, NULL, NULL);
}
