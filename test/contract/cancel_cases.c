/* Promise 5: a cancel is a request; the op still ends once, with -ECANCELED or its true result. */
#include "cases.h"

#include <sys/socket.h>

/* --- one op of each kind ------------------------------------------------------------------ */

/* What the kinds work on. */
struct bench {
	struct fixture *fixture;
	int listener, socket, file, event;
	struct peer peer;
	char bytes[1 << 20]; /* more than a socket holds */
	struct iovec vector;
	struct stat status;
	struct open_how how;
};

static int64_t return_5(void *context)
{
	(void)context;
	return 5;
}

typedef void submit_fn(struct bench *bench, struct call *call);

static void submit_accept(struct bench *bench, struct call *call)
{
	proactor_accept(bench->fixture->proactor, &call->op, bench->listener);
}

static void submit_receive(struct bench *bench, struct call *call)
{
	proactor_receive(bench->fixture->proactor, &call->op, bench->socket);
}

static void submit_send(struct bench *bench, struct call *call)
{
	bench->vector = (struct iovec){ bench->bytes, sizeof(bench->bytes) };
	proactor_send(bench->fixture->proactor, &call->op, bench->socket, &bench->vector, 1, false);
}

static void submit_sendfile(struct bench *bench, struct call *call)
{
	proactor_sendfile(
		bench->fixture->proactor, &call->op, bench->socket, bench->file, 0, 4000000, false);
}

static void submit_open(struct bench *bench, struct call *call)
{
	bench->how = (struct open_how){ .flags = O_RDONLY | O_CLOEXEC };
	proactor_open_file(bench->fixture->proactor, &call->op, bench->fixture->directory, "file",
		&bench->how);
}

static void submit_stat(struct bench *bench, struct call *call)
{
	proactor_stat(bench->fixture->proactor, &call->op, bench->file, &bench->status);
}

static void submit_read(struct bench *bench, struct call *call)
{
	proactor_read(bench->fixture->proactor, &call->op, bench->file, bench->bytes, 100, 0);
}

static void submit_write(struct bench *bench, struct call *call)
{
	proactor_write(bench->fixture->proactor, &call->op, bench->file, "abc", 3, 0);
}

static void submit_fsync(struct bench *bench, struct call *call)
{
	proactor_fsync(bench->fixture->proactor, &call->op, bench->file);
}

static void submit_rename(struct bench *bench, struct call *call)
{
	proactor_rename(
		bench->fixture->proactor, &call->op, bench->fixture->directory, "from", "to", 0);
}

static void submit_unlink(struct bench *bench, struct call *call)
{
	proactor_unlink(
		bench->fixture->proactor, &call->op, bench->fixture->directory, "victim", 0);
}

static void submit_poll(struct bench *bench, struct call *call)
{
	proactor_poll(bench->fixture->proactor, &call->op, bench->event, POLLIN);
}

static void submit_timeout(struct bench *bench, struct call *call)
{
	proactor_timeout(bench->fixture->proactor, &call->op, 3600000000000);
}

static void submit_wake(struct bench *bench, struct call *call)
{
	proactor_await_wake(bench->fixture->proactor, &call->op);
}

static void submit_work(struct bench *bench, struct call *call)
{
	proactor_work(bench->fixture->proactor, &call->op, return_5, NULL);
}

/* In these circumstances an op that parks can only be cancelled; the others may as well end with
 * their true result (open: any descriptor, read: any count). */
static const struct kind {
	enum op_kind kind;
	submit_fn *submit;
	bool parks; /* it waits until something happens */
	int64_t result;
} kinds[] = {
	{ OP_ACCEPT, submit_accept, true, 0 },
	{ OP_RECEIVE, submit_receive, true, 0 },
	{ OP_SEND, submit_send, true, 0 },
	{ OP_SENDFILE, submit_sendfile, true, 0 },
	{ OP_OPEN, submit_open, false, 0 },
	{ OP_STAT, submit_stat, false, 0 },
	{ OP_READ, submit_read, false, 0 },
	{ OP_WRITE, submit_write, false, 3 },
	{ OP_FSYNC, submit_fsync, false, 0 },
	{ OP_RENAME, submit_rename, false, 0 },
	{ OP_UNLINK, submit_unlink, false, 0 },
	{ OP_POLL, submit_poll, true, 0 },
	{ OP_TIMEOUT, submit_timeout, true, 0 },
	{ OP_WAKE, submit_wake, true, 0 },
	{ OP_WORK, submit_work, false, 5 },
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

/* Fills the socket, so that sends park. */
static void fill_socket(struct bench *bench)
{
	struct call call;

	call_init(&call, bench->fixture);
	submit_send(bench, &call);
	turn_until_parked(&call);
	proactor_cancel(bench->fixture->proactor, &call.op);
	assert_int_equal(finish(&call), -ECANCELED);
}

static struct bench *bench_new(struct fixture *fixture)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	const struct side *side = fixture->side;

	bench->fixture = fixture;
	make_pattern_file(fixture, "file", 0, 4000000);
	side->write_file(fixture, "from", 0, "x", 1);
	side->write_file(fixture, "victim", 0, "x", 1);
	bench->listener = side->listen(fixture);
	bench->socket = make_small_pair(fixture, &bench->peer);
	bench->event = side->open_event(fixture);
	bench->file = open_name(fixture, "file", O_RDWR);
	assert_true(bench->file >= 0);
	fill_socket(bench);
	return bench;
}

static void bench_free(struct bench *bench)
{
	peer_close(&bench->peer);
	close_fd(bench->fixture, bench->listener);
	close_fd(bench->fixture, bench->socket);
	close_fd(bench->fixture, bench->event);
	close_fd(bench->fixture, bench->file);
	free(bench);
}

static void assert_ended_once(struct bench *bench, const struct kind *kind, struct call *call)
{
	finish(call);
	settle(bench->fixture);
	assert_int_equal(call->done_count, 1);
	if (call->result == -ECANCELED)
		return;
	if (kind->parks)
		fail_msg("kind %d ended with %lld", kind->kind, (long long)call->result);
	if (kind->kind == OP_OPEN && call->result >= 0)
		close_fd(bench->fixture, (int)call->result);
	else if (kind->kind == OP_READ)
		assert_true(call->result > 0);
	else
		assert_int_equal(call->result, kind->result);
}

static void test_5_cancel_right_after_submitting_ends_once(void **state)
{
	struct fixture *fixture = *state;
	struct bench *bench = bench_new(fixture);

	for (size_t i = 0; i < KIND_COUNT; i++) {
		struct call call;

		call_init(&call, fixture);
		kinds[i].submit(bench, &call);
		proactor_cancel(fixture->proactor, &call.op);
		assert_int_equal(call.done_count, 0);
		assert_ended_once(bench, &kinds[i], &call);
	}
	bench_free(bench);
}

static void test_5_cancel_while_waiting_ends_once(void **state)
{
	struct fixture *fixture = *state;
	struct bench *bench = bench_new(fixture);

	for (size_t i = 0; i < KIND_COUNT; i++) {
		struct call call;

		if (!kinds[i].parks)
			continue;
		call_init(&call, fixture);
		kinds[i].submit(bench, &call);
		settle(fixture);
		assert_true(op_is_active(&call.op));
		proactor_cancel(fixture->proactor, &call.op);
		assert_ended_once(bench, &kinds[i], &call);
		assert_int_equal(call.result, -ECANCELED);
	}
	bench_free(bench);
}

static void test_5_cancel_one_turn_later_ends_once(void **state)
{
	struct fixture *fixture = *state;
	struct bench *bench = bench_new(fixture);

	for (size_t i = 0; i < KIND_COUNT; i++) {
		struct call call;

		call_init(&call, fixture);
		kinds[i].submit(bench, &call);
		turn(fixture, 0);
		if (call.done_count == 0) {
			proactor_cancel(fixture->proactor, &call.op);
			assert_ended_once(bench, &kinds[i], &call);
		} else if (kinds[i].kind == OP_OPEN) {
			close_fd(fixture, (int)call.result);
		}
	}
	bench_free(bench);
}

static void test_5_a_second_cancel_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct bench *bench = bench_new(fixture);

	for (size_t i = 0; i < KIND_COUNT; i++) {
		struct call call;

		call_init(&call, fixture);
		kinds[i].submit(bench, &call);
		proactor_cancel(fixture->proactor, &call.op);
		proactor_cancel(fixture->proactor, &call.op);
		turn(fixture, 0);
		proactor_cancel(fixture->proactor, &call.op);
		if (call.done_count == 0)
			assert_ended_once(bench, &kinds[i], &call);
		else if (kinds[i].kind == OP_OPEN && call.result >= 0)
			close_fd(fixture, (int)call.result);
		settle(fixture);
		assert_int_equal(call.done_count, 1);
	}
	bench_free(bench);
}

static void test_5_cancel_of_an_idle_op_is_harmless(void **state)
{
	struct fixture *fixture = *state;
	struct call call;

	call_init(&call, fixture);
	proactor_cancel(fixture->proactor, &call.op);
	proactor_timeout(fixture->proactor, &call.op, 0);
	assert_int_equal(finish(&call), -ETIME);
	proactor_cancel(fixture->proactor, &call.op);
	proactor_timeout(fixture->proactor, &call.op, 0);
	assert_int_equal(finish(&call), -ETIME);
}

/* --- cancelling from a done() -------------------------------------------------------------- */

struct couple {
	struct call calls[2];
};

static void cancel_both(struct call *call)
{
	struct couple *couple = call->fixture->context;

	proactor_cancel(call->fixture->proactor, &couple->calls[0].op);
	proactor_cancel(call->fixture->proactor, &couple->calls[1].op);
}

static void test_5_cancel_of_a_completed_op_keeps_its_result(void **state)
{
	struct fixture *fixture = *state;
	struct couple couple;

	fixture->context = &couple;
	for (int i = 0; i < 2; i++) {
		call_init(&couple.calls[i], fixture);
		couple.calls[i].then = cancel_both;
		proactor_timeout(fixture->proactor, &couple.calls[i].op, 0);
	}
	turn_until (fixture, couple.calls[0].done_count && couple.calls[1].done_count)
		;
	assert_int_equal(couple.calls[0].result, -ETIME);
	assert_int_equal(couple.calls[1].result, -ETIME);
	assert_int_equal(couple.calls[0].done_count + couple.calls[1].done_count, 2);
}

/* --- what a cancel must not lose ------------------------------------------------------------ */

static void test_5_cancelled_receives_lose_no_byte(void **state)
{
	struct fixture *fixture = *state;
	enum { ROUNDS = 300, PART = 37 };
	char *bytes = pattern_new(0, (size_t)ROUNDS * PART);
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&receive, fixture);
	for (size_t i = 0; i < ROUNDS; i++) {
		if (i % 3 == 0)
			peer_write(&peer, bytes + i * PART, PART);
		if (!op_is_active(&receive.op))
			proactor_receive(fixture->proactor, &receive.op, fd);
		if (i % 3 == 1)
			peer_write(&peer, bytes + i * PART, PART);
		if (i % 2 == 0)
			turn(fixture, 0);
		proactor_cancel(fixture->proactor, &receive.op);
		if (i % 3 == 2)
			peer_write(&peer, bytes + i * PART, PART);
		if (i % 5 != 0)
			turn(fixture, 0);
	}
	turn_until (fixture, !op_is_active(&receive.op))
		;
	assert_int_equal(receive_until(&receive, fd, (size_t)ROUNDS * PART), ROUNDS * PART);
	assert_pattern(receive.bytes, 0, (size_t)ROUNDS * PART);
	call_reset(&receive);
	free(bytes);
	peer_close(&peer);
	close_fd(fixture, fd);
}

/* Ends the op in the middle, and compares what the peer got with what the op says. */
static void cancel_midway(struct fixture *fixture, submit_fn *submit)
{
	struct bench *bench = bench_new(fixture);
	struct call call;
	struct peer peer;
	int fd = make_small_pair(fixture, &peer), spare = bench->socket;

	bench->socket = fd;
	pattern_fill(bench->bytes, 0, sizeof(bench->bytes));
	call_init(&call, fixture);
	submit(bench, &call);
	turn_until (fixture, call.op.moved > 0)
		;
	settle(fixture);
	peer_expect_pattern(&peer, 0, 1000);
	fixture->side->stop_reading(&peer);
	proactor_cancel(fixture->proactor, &call.op);
	finish(&call);
	assert_int_equal(proactor_shutdown(fixture->proactor, fd, SHUT_WR), 0);
	peer_expect_pattern(&peer, 1000, call.op.moved - 1000);
	peer_expect_end(&peer);
	peer_close(&peer);
	close_fd(fixture, fd);
	bench->socket = spare;
	bench_free(bench);
}

static void test_5_moved_of_a_cancelled_sendfile_is_true(void **state)
{
	cancel_midway(*state, submit_sendfile);
}

static void test_5_moved_of_a_cancelled_send_is_true(void **state)
{
	cancel_midway(*state, submit_send);
}

static void test_5_after_a_cancelled_poll_the_event_is_still_there(void **state)
{
	struct fixture *fixture = *state;
	int event = fixture->side->open_event(fixture);
	struct call poll;

	call_init(&poll, fixture);
	for (int i = 0; i < 20; i++) {
		proactor_poll(fixture->proactor, &poll.op, event, POLLIN);
		if (i % 2 == 0)
			turn(fixture, 0);
		proactor_cancel(fixture->proactor, &poll.op);
		assert_int_equal(finish(&poll), -ECANCELED);
	}
	fixture->side->signal_event(fixture, event);
	proactor_poll(fixture->proactor, &poll.op, event, POLLIN);
	assert_int_equal(finish(&poll), POLLIN);
	close_fd(fixture, event);
}

static void test_5_a_cancelled_open_leaks_no_descriptor(void **state)
{
	struct fixture *fixture = *state;
	struct open_how how = { .flags = O_RDWR | O_CREAT | O_CLOEXEC, .mode = 0600 };
	struct call call;

	call_init(&call, fixture);
	for (int i = 0; i < 100; i++) {
		proactor_open_file(
			fixture->proactor, &call.op, fixture->directory, "created", &how);
		if (i % 3 > 0)
			turn(fixture, 0);
		proactor_cancel(fixture->proactor, &call.op);
		if (op_is_active(&call.op))
			finish(&call);
		if (call.result >= 0)
			close_fd(fixture, (int)call.result);
		else
			assert_int_equal(call.result, -ECANCELED);
	}
	assert_int_equal(call.done_count, 100);
}

/* Nothing may write into a buffer once its op is over. */
static void test_6_a_cancelled_read_leaves_the_memory_alone(void **state)
{
	struct fixture *fixture = *state;
	enum { COUNT = 16, LENGTH = 1 << 20 };
	struct call *reads = calloc(COUNT, sizeof(*reads));
	char *bytes = malloc((size_t)COUNT * LENGTH);
	int file;

	make_pattern_file(fixture, "file", 0, (size_t)COUNT * LENGTH);
	file = open_name(fixture, "file", O_RDONLY);
	for (int i = 0; i < COUNT; i++) {
		call_init(&reads[i], fixture);
		proactor_read(fixture->proactor, &reads[i].op, file, bytes + i * LENGTH, LENGTH,
			(uint64_t)i * LENGTH);
	}
	turn(fixture, 0);
	for (int i = 0; i < COUNT; i++)
		proactor_cancel(fixture->proactor, &reads[i].op);
	turn_until (fixture, proactor_active_count(fixture->proactor) == 0)
		;
	memset(bytes, 0x55, (size_t)COUNT * LENGTH);
	settle(fixture);
	for (size_t i = 0; i < (size_t)COUNT * LENGTH; i++)
		assert_true(bytes[i] == 0x55);
	close_fd(fixture, file);
	free(bytes);
	free(reads);
}

int run_cancel_cases(void)
{
	const struct CMUnitTest cancelling[] = {
		contract_case(test_5_cancel_right_after_submitting_ends_once),
		contract_case(test_5_cancel_while_waiting_ends_once),
		contract_case(test_5_cancel_one_turn_later_ends_once),
		contract_case(test_5_a_second_cancel_changes_nothing),
		contract_case(test_5_cancel_of_an_idle_op_is_harmless),
		contract_case(test_5_cancel_of_a_completed_op_keeps_its_result),
		contract_case(test_5_cancelled_receives_lose_no_byte),
		contract_case(test_5_moved_of_a_cancelled_sendfile_is_true),
		contract_case(test_5_moved_of_a_cancelled_send_is_true),
		contract_case(test_5_after_a_cancelled_poll_the_event_is_still_there),
		contract_case(test_5_a_cancelled_open_leaks_no_descriptor),
		contract_case(test_6_a_cancelled_read_leaves_the_memory_alone),
	};

	return cmocka_run_group_tests(cancelling, NULL, NULL);
}
