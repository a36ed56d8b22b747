/* Time, other threads, and the loop itself. */
#include "cases.h"

#include <pthread.h>

#include "proactor/deadline.h"

#define MILLISECOND_NS 1000000ULL

/* --- timeouts and deadlines --------------------------------------------------------------- */

static void test_timeout_ends_no_earlier_than_asked(void **state)
{
	struct fixture *fixture = *state;
	uint64_t before_ns = proactor_now_ns(fixture->proactor);
	struct call timeout;

	call_init(&timeout, fixture);
	proactor_timeout(fixture->proactor, &timeout.op, 3 * MILLISECOND_NS);
	assert_int_equal(finish(&timeout), -ETIME);
	assert_true(proactor_now_ns(fixture->proactor) >= before_ns + 3 * MILLISECOND_NS);
}

static void test_timeouts_end_in_order_of_their_time(void **state)
{
	struct fixture *fixture = *state;
	const unsigned delays[5] = { 3, 0, 2, 3, 1 };
	const unsigned order[5] = { 1, 4, 2, 0, 3 };
	struct call timeouts[5];

	for (int i = 0; i < 5; i++) {
		call_init(&timeouts[i], fixture);
		proactor_timeout(fixture->proactor, &timeouts[i].op, delays[i] * MILLISECOND_NS);
	}
	turn_until (fixture, proactor_active_count(fixture->proactor) == 0)
		;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(timeouts[i].done_count, 1);
		assert_int_equal(timeouts[i].result, -ETIME);
		assert_true(i == 0 || timeouts[order[i]].order > timeouts[order[i - 1]].order);
	}
}

static int64_t time_of_day_ahead_ns(const struct fixture *fixture)
{
	return proactor_wall_ns(fixture->proactor) - (int64_t)proactor_now_ns(fixture->proactor);
}

static void test_time_of_day_goes_on_with_monotonic_time(void **state)
{
	struct fixture *fixture = *state;
	int64_t ahead_ns = time_of_day_ahead_ns(fixture);
	struct call timeout;

	for (int i = 0; i < 4; i++) {
		call_init(&timeout, fixture);
		proactor_timeout(fixture->proactor, &timeout.op, 40 * MILLISECOND_NS);
		assert_int_equal(finish(&timeout), -ETIME);
		assert_true(llabs(time_of_day_ahead_ns(fixture) - ahead_ns) <
			    (long long)(10 * MILLISECOND_NS));
	}
}

static void test_waiting_lasts_until_the_next_timeout(void **state)
{
	struct fixture *fixture = *state;
	struct call timeout;

	call_init(&timeout, fixture);
	proactor_timeout(fixture->proactor, &timeout.op, 2 * MILLISECOND_NS);
	while (timeout.done_count == 0)
		turn(fixture, PROACTOR_WAIT_FOREVER);
	assert_int_equal(timeout.result, -ETIME);
}

static struct deadline *expired[8];
static unsigned expired_count;

static void note_expired(struct proactor *proactor, struct deadline *deadline)
{
	(void)proactor;
	assert_false(deadline_is_running(deadline));
	expired[expired_count++] = deadline;
}

static void test_deadlines_expire_in_order_and_not_when_stopped(void **state)
{
	struct fixture *fixture = *state;
	struct deadline_queue quick, slow, never;
	struct deadline deadlines[5];

	expired_count = 0;
	deadline_queue_open(&quick, fixture->proactor, 2 * MILLISECOND_NS, note_expired);
	deadline_queue_open(&slow, fixture->proactor, 6 * MILLISECOND_NS, note_expired);
	deadline_queue_open(&never, fixture->proactor, 0, note_expired);
	for (int i = 0; i < 5; i++)
		deadline_init(&deadlines[i]);
	deadline_start(&deadlines[0], &slow, fixture->proactor);
	deadline_start(&deadlines[1], &quick, fixture->proactor);
	deadline_start(&deadlines[2], &quick, fixture->proactor);
	deadline_start(&deadlines[3], &quick, fixture->proactor);
	deadline_start(&deadlines[4], &never, fixture->proactor);
	deadline_stop(&deadlines[2]);
	deadline_stop(&deadlines[2]);
	turn_until (fixture, expired_count == 3)
		;
	assert_ptr_equal(expired[0], &deadlines[1]);
	assert_ptr_equal(expired[1], &deadlines[3]);
	assert_ptr_equal(expired[2], &deadlines[0]);
	assert_false(deadline_is_running(&deadlines[4]));
	deadline_queue_close(&quick);
	deadline_queue_close(&slow);
	deadline_queue_close(&never);
}

static void test_a_stopped_deadline_does_not_keep_the_loop_awake(void **state)
{
	struct fixture *fixture = *state;
	struct deadline_queue quick, slow;
	struct deadline stopped, deadline;
	unsigned turns = 0;

	expired_count = 0;
	deadline_queue_open(&quick, fixture->proactor, MILLISECOND_NS, note_expired);
	deadline_queue_open(&slow, fixture->proactor, 20 * MILLISECOND_NS, note_expired);
	deadline_init(&stopped);
	deadline_init(&deadline);
	deadline_start(&stopped, &quick, fixture->proactor);
	deadline_start(&deadline, &slow, fixture->proactor);
	deadline_stop(&stopped);
	turn_until (fixture, expired_count > 0)
		turns++;
	assert_ptr_equal(expired[0], &deadline);
	assert_in_range(turns, 1, 9);
	deadline_queue_close(&quick);
	deadline_queue_close(&slow);
}

static void test_a_deadline_started_anew_counts_from_then(void **state)
{
	struct fixture *fixture = *state;
	struct deadline_queue queue;
	struct deadline deadline;
	uint64_t before_ns;
	struct call timeout;

	expired_count = 0;
	deadline_queue_open(&queue, fixture->proactor, 4 * MILLISECOND_NS, note_expired);
	deadline_init(&deadline);
	deadline_start(&deadline, &queue, fixture->proactor);
	call_init(&timeout, fixture);
	proactor_timeout(fixture->proactor, &timeout.op, MILLISECOND_NS);
	assert_int_equal(finish(&timeout), -ETIME);
	expired_count = 0;
	before_ns = proactor_now_ns(fixture->proactor);
	deadline_start(&deadline, &queue, fixture->proactor);
	turn_until (fixture, expired_count > 0)
		;
	assert_true(proactor_now_ns(fixture->proactor) >= before_ns + 4 * MILLISECOND_NS);
	deadline_queue_close(&queue);
}

/* --- waking ------------------------------------------------------------------------------- */

static void *wake(void *argument)
{
	struct call *call = argument;

	proactor_wake(call->fixture->proactor, &call->op);
	return NULL;
}

static void test_a_wake_from_another_thread_ends_the_waiting(void **state)
{
	struct fixture *fixture = *state;
	struct call call;
	pthread_t thread;

	call_init(&call, fixture);
	proactor_await_wake(fixture->proactor, &call.op);
	settle(fixture);
	assert_true(op_is_active(&call.op));
	assert_int_equal(pthread_create(&thread, NULL, wake, &call), 0);
	if (!fixture->side->has_threads)
		pthread_join(thread, NULL);
	while (call.done_count == 0)
		turn(fixture, PROACTOR_WAIT_FOREVER);
	assert_int_equal(call.result, 0);
	if (fixture->side->has_threads)
		pthread_join(thread, NULL);
}

static void test_a_wake_before_its_await_is_kept(void **state)
{
	struct fixture *fixture = *state;
	struct call call;
	pthread_t thread;

	call_init(&call, fixture);
	assert_int_equal(pthread_create(&thread, NULL, wake, &call), 0);
	pthread_join(thread, NULL);
	settle(fixture);
	assert_int_equal(call.done_count, 0);
	proactor_await_wake(fixture->proactor, &call.op);
	assert_int_equal(finish(&call), 0);
}

static void test_many_wakes_end_one_await(void **state)
{
	struct fixture *fixture = *state;
	struct call call;

	call_init(&call, fixture);
	proactor_await_wake(fixture->proactor, &call.op);
	for (int i = 0; i < 10; i++)
		proactor_wake(fixture->proactor, &call.op);
	assert_int_equal(finish(&call), 0);
	settle(fixture);
	assert_int_equal(call.done_count, 1);
	proactor_await_wake(fixture->proactor, &call.op);
	settle(fixture);
	assert_int_equal(call.done_count, 1);
	proactor_cancel(fixture->proactor, &call.op);
	assert_int_equal(finish(&call), -ECANCELED);
}

/* --- work --------------------------------------------------------------------------------- */

struct work {
	struct call call;
	int64_t number;
	pthread_t thread;
};

static int64_t square(void *context)
{
	struct work *work = context;

	work->thread = pthread_self();
	return work->number * work->number;
}

static void test_work_runs_beside_the_loop_and_returns_its_value(void **state)
{
	struct fixture *fixture = *state;
	struct work work = { .number = -7 };

	call_init(&work.call, fixture);
	proactor_work(fixture->proactor, &work.call.op, square, &work);
	assert_int_equal(finish(&work.call), 49);
	if (fixture->side->has_threads)
		assert_false(pthread_equal(work.thread, pthread_self()));
}

static void test_a_hundred_pieces_of_work_all_end(void **state)
{
	struct fixture *fixture = *state;
	struct work *works = calloc(100, sizeof(*works));

	for (int i = 0; i < 100; i++) {
		works[i].number = i;
		call_init(&works[i].call, fixture);
		proactor_work(fixture->proactor, &works[i].call.op, square, &works[i]);
	}
	turn_until (fixture, proactor_active_count(fixture->proactor) == 0)
		;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(works[i].call.done_count, 1);
		assert_int_equal(works[i].call.result, i * i);
	}
	free(works);
}

static void test_5_cancelled_work_ends_once(void **state)
{
	struct fixture *fixture = *state;
	struct work *works = calloc(100, sizeof(*works));

	for (int i = 0; i < 100; i++) {
		works[i].number = i;
		call_init(&works[i].call, fixture);
		proactor_work(fixture->proactor, &works[i].call.op, square, &works[i]);
		if (i % 10 == 9)
			turn(fixture, 0);
		proactor_cancel(fixture->proactor, &works[i / 2].call.op);
	}
	turn_until (fixture, proactor_active_count(fixture->proactor) == 0)
		;
	for (int i = 0; i < 100; i++) {
		int64_t result = works[i].call.result;

		assert_int_equal(works[i].call.done_count, 1);
		assert_true(result == i * i || (i < 50 && result == -ECANCELED));
	}
	free(works);
}

/* --- the loop ----------------------------------------------------------------------------- */

static void stop_loop(struct call *call)
{
	proactor_stop(call->fixture->proactor);
}

static void test_stop_ends_run(void **state)
{
	struct fixture *fixture = *state;
	struct call first, second;

	call_init(&first, fixture);
	call_init(&second, fixture);
	second.then = stop_loop;
	proactor_timeout(fixture->proactor, &first.op, 0);
	proactor_timeout(fixture->proactor, &second.op, MILLISECOND_NS);
	fixture->turning = true;
	assert_int_equal(proactor_run(fixture->proactor), 0);
	fixture->turning = false;
	assert_int_equal(first.done_count, 1);
	assert_int_equal(second.done_count, 1);
}

/* Waits for a timeout, and counts how often the loop turned meanwhile. */
static void assert_does_not_spin(struct fixture *fixture)
{
	unsigned turn_count = 0;
	struct call timeout;

	settle(fixture);
	call_init(&timeout, fixture);
	proactor_timeout(fixture->proactor, &timeout.op, 20 * MILLISECOND_NS);
	for (; timeout.done_count == 0; turn_count++)
		turn(fixture, PROACTOR_WAIT_FOREVER);
	assert_true(turn_count < 8);
}

static void test_waiting_does_not_spin(void **state)
{
	assert_does_not_spin(*state);
}

/* Receives one byte that came late, so that the backend has waited for this descriptor. */
static void receive_late(struct peer *peer, int fd)
{
	struct call receive;

	call_init(&receive, peer->fixture);
	proactor_receive(peer->fixture->proactor, &receive.op, fd);
	settle(peer->fixture);
	peer_write(peer, "x", 1);
	assert_int_equal(finish(&receive), 1);
	call_reset(&receive);
}

static void test_bytes_that_nobody_asked_for_do_not_make_it_spin(void **state)
{
	struct fixture *fixture = *state;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	receive_late(&peer, fd);
	peer_write(&peer, "more", 4);
	assert_does_not_spin(fixture);
	peer_write(&peer, "more", 4);
	assert_does_not_spin(fixture);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_a_peer_that_is_gone_does_not_make_it_spin(void **state)
{
	struct fixture *fixture = *state;
	struct peer ended, gone;
	int fds[2] = { make_pair(fixture, &ended), make_pair(fixture, &gone) };

	receive_late(&ended, fds[0]);
	receive_late(&gone, fds[1]);
	peer_end(&ended);
	peer_reset(&gone);
	assert_does_not_spin(fixture);
	peer_close(&ended);
	close_fd(fixture, fds[0]);
	close_fd(fixture, fds[1]);
}

static void test_connections_that_nobody_accepts_do_not_make_it_spin(void **state)
{
	struct fixture *fixture = *state;
	int listener = fixture->side->listen(fixture);
	struct peer peers[3];
	struct call accept;

	call_init(&accept, fixture);
	proactor_accept(fixture->proactor, &accept.op, listener);
	settle(fixture);
	fixture->side->connect(fixture, &peers[0], listener);
	assert_int_equal(finish(&accept), 1);
	for (int i = 1; i < 3; i++) {
		fixture->side->connect(fixture, &peers[i], listener);
		assert_does_not_spin(fixture);
	}
	close_fd(fixture, listener);
	close_fd(fixture, accept.fds[0]);
	for (int i = 0; i < 3; i++)
		peer_close(&peers[i]);
}

static void test_a_parked_send_does_not_make_it_spin(void **state)
{
	struct fixture *fixture = *state;
	size_t length = 4 << 20;
	char *bytes = pattern_new(0, length);
	struct iovec vector = { bytes, length };
	struct call send;
	struct peer peer;
	int fd = make_small_pair(fixture, &peer);

	call_init(&send, fixture);
	proactor_send(fixture->proactor, &send.op, fd, &vector, 1, false);
	turn_until (fixture, send.op.moved > 0)
		;
	assert_does_not_spin(fixture);
	proactor_cancel(fixture->proactor, &send.op);
	assert_int_equal(finish(&send), -ECANCELED);
	free(bytes);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static bool submitting;

static void assert_not_submitting(struct call *call)
{
	(void)call;
	assert_false(submitting);
}

/* Submits every kind that can be over at once, from inside a done(). */
struct nest {
	struct call first, timeout, read, work, close;
	int file, other;
	char byte;
};

static int64_t return_1(void *context)
{
	(void)context;
	return 1;
}

static void submit_at_once(struct call *call)
{
	struct nest *nest = container_of(call, struct nest, first);
	struct proactor *proactor = call->fixture->proactor;

	submitting = true;
	proactor_timeout(proactor, &nest->timeout.op, 0);
	proactor_read(proactor, &nest->read.op, nest->file, &nest->byte, 1, 0);
	proactor_work(proactor, &nest->work.op, return_1, NULL);
	proactor_close(proactor, &nest->close.op, nest->other);
	proactor_cancel(proactor, &nest->timeout.op);
	submitting = false;
}

static void test_2_done_never_runs_inside_a_submit(void **state)
{
	struct fixture *fixture = *state;
	struct nest nest = { 0 };
	struct call *calls[] = { &nest.timeout, &nest.read, &nest.work, &nest.close };

	fixture->side->write_file(fixture, "file", 0, "x", 1);
	nest.file = open_name(fixture, "file", O_RDONLY);
	nest.other = open_name(fixture, "file", O_RDONLY);
	for (int i = 0; i < 4; i++) {
		call_init(calls[i], fixture);
		calls[i]->then = assert_not_submitting;
	}
	call_init(&nest.first, fixture);
	nest.first.then = submit_at_once;
	proactor_timeout(fixture->proactor, &nest.first.op, 0);
	turn_until (fixture, nest.close.done_count && nest.read.done_count)
		;
	turn_until (fixture, proactor_active_count(fixture->proactor) == 0)
		;
	assert_int_equal(nest.read.result, 1);
	assert_int_equal(nest.work.result, 1);
	close_fd(fixture, nest.file);
}

static void free_call(struct call *call)
{
	*(bool *)call->bytes = true;
	memset(call, 0xee, sizeof(*call));
	free(call);
}

/* call->bytes is borrowed to tell that it happened. */
static void test_6_an_op_may_be_freed_by_its_done(void **state)
{
	struct fixture *fixture = *state;
	struct call *timeout = malloc(sizeof(*timeout)), *read = malloc(sizeof(*read));
	bool timeout_freed = false, read_freed = false;
	char byte;

	call_init(timeout, fixture);
	call_init(read, fixture);
	timeout->then = read->then = free_call;
	timeout->bytes = (char *)&timeout_freed;
	read->bytes = (char *)&read_freed;
	proactor_timeout(fixture->proactor, &timeout->op, 0);
	proactor_read(fixture->proactor, &read->op, fixture->directory, &byte, 1, 0);
	turn_until (fixture, timeout_freed && read_freed)
		;
	settle(fixture);
}

static void test_6_a_done_may_submit_its_op_anew(void **state)
{
	struct fixture *fixture = *state;
	struct call call;

	call_init(&call, fixture);
	for (int i = 0; i < 100; i++) {
		proactor_timeout(fixture->proactor, &call.op, 0);
		finish(&call);
		proactor_work(fixture->proactor, &call.op, return_1, NULL);
		assert_int_equal(finish(&call), 1);
	}
	assert_int_equal(call.done_count, 200);
}

int run_time_cases(void)
{
	const struct CMUnitTest time_and_threads[] = {
		contract_case(test_timeout_ends_no_earlier_than_asked),
		contract_case(test_timeouts_end_in_order_of_their_time),
		contract_case(test_time_of_day_goes_on_with_monotonic_time),
		contract_case(test_waiting_lasts_until_the_next_timeout),
		contract_case(test_deadlines_expire_in_order_and_not_when_stopped),
		contract_case(test_a_stopped_deadline_does_not_keep_the_loop_awake),
		contract_case(test_a_deadline_started_anew_counts_from_then),
		contract_case(test_a_wake_from_another_thread_ends_the_waiting),
		contract_case(test_a_wake_before_its_await_is_kept),
		contract_case(test_many_wakes_end_one_await),
		contract_case(test_work_runs_beside_the_loop_and_returns_its_value),
		contract_case(test_a_hundred_pieces_of_work_all_end),
		contract_case(test_5_cancelled_work_ends_once),
		contract_case(test_stop_ends_run),
		contract_case(test_waiting_does_not_spin),
		contract_case(test_bytes_that_nobody_asked_for_do_not_make_it_spin),
		contract_case(test_a_peer_that_is_gone_does_not_make_it_spin),
		contract_case(test_connections_that_nobody_accepts_do_not_make_it_spin),
		contract_case(test_a_parked_send_does_not_make_it_spin),
		contract_case(test_2_done_never_runs_inside_a_submit),
		contract_case(test_6_an_op_may_be_freed_by_its_done),
		contract_case(test_6_a_done_may_submit_its_op_anew),
	};

	return cmocka_run_group_tests(time_and_threads, NULL, NULL);
}
