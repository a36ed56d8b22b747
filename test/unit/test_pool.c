/* proactor/pool.h: work goes to threads, results come back, nothing happens twice. This suite also
 * runs under the thread sanitizer. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "proactor/pool.h"

enum { WAIT_MS_MAX = 10000 };

/* An op that reports when it runs, and continues when it is told to. */
struct gate {
	struct op op;
	sem_t entered, released;
};

static void never_called(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	(void)op;
	fail_msg("the pool called done()");
}

static void gate_init(struct gate *gate)
{
	op_init(&gate->op, never_called);
	sem_init(&gate->entered, 0, 0);
	sem_init(&gate->released, 0, 0);
}

static int64_t run_gate(struct op *op)
{
	struct gate *gate = container_of(op, struct gate, op);

	sem_post(&gate->entered);
	sem_wait(&gate->released);
	return 7;
}

static int64_t run_double(struct op *op)
{
	return 2 * (int64_t)(uintptr_t)op->work.context;
}

/* Collects until `count` ops have come back. */
static void collect_count(struct pool *pool, struct list *collected, size_t count)
{
	list_init(collected);
	while (count > 0) {
		struct pollfd pollfd = { .fd = pool_event_fd(pool), .events = POLLIN };
		struct list finished;
		struct list_node *node;

		assert_int_equal(poll(&pollfd, 1, WAIT_MS_MAX), 1);
		pool_collect(pool, &finished);
		while ((node = list_take_first(&finished))) {
			list_append(collected, node);
			count--;
		}
	}
}

static bool is_readable(struct pool *pool)
{
	struct pollfd pollfd = { .fd = pool_event_fd(pool), .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

static void test_every_op_comes_back_once_with_its_result(void **state)
{
	enum { COUNT = 1000 };
	static struct op ops[COUNT];
	struct list collected;
	struct pool *pool;

	(void)state;
	assert_int_equal(pool_open(&pool, 4), 0);
	for (size_t i = 0; i < COUNT; i++) {
		op_init(&ops[i], never_called);
		ops[i].work.context = (void *)(uintptr_t)i;
		assert_int_equal(pool_submit(pool, &ops[i], run_double), 0);
	}
	collect_count(pool, &collected, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(ops[i].result, 2 * i);
		assert_true(list_is_linked(&ops[i].node));
		list_remove(&ops[i].node);
	}
	assert_true(list_is_empty(&collected));
	pool_free(pool);
}

static void test_as_many_ops_run_at_once_as_there_may_be_threads(void **state)
{
	struct gate gates[3];
	struct list collected;
	struct pool *pool;

	(void)state;
	assert_int_equal(pool_open(&pool, 3), 0);
	for (size_t i = 0; i < 3; i++) {
		gate_init(&gates[i]);
		assert_int_equal(pool_submit(pool, &gates[i].op, run_gate), 0);
	}
	for (size_t i = 0; i < 3; i++)
		sem_wait(&gates[i].entered);
	for (size_t i = 0; i < 3; i++)
		sem_post(&gates[i].released);
	collect_count(pool, &collected, 3);
	pool_free(pool);
}

static void test_a_burst_wakes_the_loop_once(void **state)
{
	struct gate last;
	struct op ops[8];
	struct list collected;
	struct pool *pool;
	eventfd_t wakes;

	(void)state;
	assert_int_equal(pool_open(&pool, 1), 0);
	for (size_t i = 0; i < 8; i++) {
		op_init(&ops[i], never_called);
		ops[i].work.context = NULL;
		assert_int_equal(pool_submit(pool, &ops[i], run_double), 0);
	}
	gate_init(&last);
	assert_int_equal(pool_submit(pool, &last.op, run_gate), 0);
	sem_wait(&last.entered); /* the only thread has finished all others */
	assert_int_equal(eventfd_read(pool_event_fd(pool), &wakes), 0);
	assert_int_equal(wakes, 1);
	pool_collect(pool, &collected);
	sem_post(&last.released);
	collect_count(pool, &collected, 1);
	assert_int_equal(last.op.result, 7);
	pool_free(pool);
}

static void test_a_queued_op_can_be_withdrawn_and_a_running_one_not(void **state)
{
	struct gate running, waiting;
	struct list collected;
	struct pool *pool;

	(void)state;
	gate_init(&running);
	gate_init(&waiting);
	assert_int_equal(pool_open(&pool, 1), 0);
	assert_int_equal(pool_submit(pool, &running.op, run_gate), 0);
	sem_wait(&running.entered);
	assert_int_equal(pool_submit(pool, &waiting.op, run_gate), 0);
	assert_false(pool_withdraw(pool, &running.op));
	assert_true(pool_withdraw(pool, &waiting.op));
	assert_false(pool_withdraw(pool, &waiting.op));
	assert_false(list_is_linked(&waiting.op.node));
	sem_post(&running.released);
	collect_count(pool, &collected, 1);
	assert_false(pool_withdraw(pool, &running.op));
	assert_int_equal(sem_trywait(&waiting.entered), -1);
	pool_free(pool);
}

static void test_withdrawing_races_with_running_and_loses_nothing(void **state)
{
	enum { COUNT = 500 };
	static struct op ops[COUNT];
	size_t withdrawn_count = 0;
	struct list collected;
	struct pool *pool;

	(void)state;
	assert_int_equal(pool_open(&pool, 2), 0);
	for (size_t i = 0; i < COUNT; i++) {
		op_init(&ops[i], never_called);
		ops[i].work.context = NULL;
		assert_int_equal(pool_submit(pool, &ops[i], run_double), 0);
		if (i % 2 == 1 && pool_withdraw(pool, &ops[i - 1]))
			withdrawn_count++;
	}
	collect_count(pool, &collected, COUNT - withdrawn_count);
	pool_free(pool);
}

static void test_a_signal_makes_the_descriptor_readable_until_collected(void **state)
{
	struct list collected;
	struct pool *pool;

	(void)state;
	assert_int_equal(pool_open(&pool, 1), 0);
	assert_false(is_readable(pool));
	pool_signal(pool);
	pool_signal(pool);
	assert_true(is_readable(pool));
	pool_collect(pool, &collected);
	assert_true(list_is_empty(&collected));
	assert_false(is_readable(pool));
	pool_free(pool);
}

static int64_t run_count_blocked_signals(struct op *op)
{
	int64_t count = 0;
	sigset_t blocked;

	(void)op;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	for (int signal = 1; signal < 32; signal++)
		count += sigismember(&blocked, signal);
	return count;
}

static void test_threads_block_signals_and_the_loop_does_not(void **state)
{
	struct list collected;
	struct pool *pool;
	struct op op;
	sigset_t blocked;

	(void)state;
	op_init(&op, never_called);
	assert_int_equal(pool_open(&pool, 1), 0);
	assert_int_equal(pool_submit(pool, &op, run_count_blocked_signals), 0);
	collect_count(pool, &collected, 1);
	assert_int_equal(op.result, 29); /* all but SIGKILL and SIGSTOP */
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	assert_false(sigismember(&blocked, SIGTERM));
	pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_op_comes_back_once_with_its_result),
		cmocka_unit_test(test_as_many_ops_run_at_once_as_there_may_be_threads),
		cmocka_unit_test(test_a_burst_wakes_the_loop_once),
		cmocka_unit_test(test_a_queued_op_can_be_withdrawn_and_a_running_one_not),
		cmocka_unit_test(test_withdrawing_races_with_running_and_loses_nothing),
		cmocka_unit_test(test_a_signal_makes_the_descriptor_readable_until_collected),
		cmocka_unit_test(test_threads_block_signals_and_the_loop_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
