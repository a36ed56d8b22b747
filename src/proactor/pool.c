/* The thread pool: two queues of ops under one mutex, and an eventfd to the loop.
 *
 * An op travels  queued → (a thread runs it) → finished → collected.  Its owner, the loop, leaves
 * it alone meanwhile, but for pool_withdraw(): op->is_queued, cleared under the mutex when a thread
 * begins with it, tells whether it can still be taken back.
 *
 * The eventfd is written only when the finished queue was empty: a burst costs the loop one wake.
 * Ops that may be kept waiting for long (op->is_late) have a queue of their own and half of the
 * threads: a file system that has stopped answering does not stop what needs no file.
 *
 * A thread is started when more ops are queued than threads are idle.  Threads block every signal,
 * so that signals reach the loop, and never write metrics, which have a single writer. */
#include "proactor/pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct pool {
	pthread_mutex_t mutex; /* guards all that follows, but for event_fd and threads */
	pthread_cond_t wanted; /* something was queued, or the pool ends */
	struct list queued;
	struct list queued_late;
	struct list finished;
	size_t queued_count; /* in both queues */
	unsigned late_count; /* late ops that threads are busy with */
	unsigned idle_count; /* threads that wait for `wanted` */
	bool ending;
	int event_fd;
	unsigned thread_count_max; /* never changes */
	unsigned thread_count;     /* the loop's alone */
	pthread_t threads[];
};

int pool_open(struct pool **pool_out, unsigned thread_count_max)
{
	struct pool *pool;

	assert(thread_count_max > 0);
	pool = calloc(1, sizeof(*pool) + thread_count_max * sizeof(pool->threads[0]));
	if (!pool)
		return -ENOMEM;
	pool->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (pool->event_fd < 0) {
		int error = errno;

		free(pool);
		return -error;
	}
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->wanted, NULL);
	list_init(&pool->queued);
	list_init(&pool->queued_late);
	list_init(&pool->finished);
	pool->thread_count_max = thread_count_max;
	*pool_out = pool;
	return 0;
}

void pool_free(struct pool *pool)
{
	pthread_mutex_lock(&pool->mutex);
	assert(list_is_empty(&pool->queued));
	assert(list_is_empty(&pool->queued_late));
	pool->ending = true;
	pthread_cond_broadcast(&pool->wanted);
	pthread_mutex_unlock(&pool->mutex);
	for (unsigned i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
	assert(list_is_empty(&pool->finished));
	close(pool->event_fd);
	pthread_cond_destroy(&pool->wanted);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
}

/* --- the threads' side -------------------------------------------------------------------- */

static bool may_begin_late(const struct pool *pool)
{
	return !list_is_empty(&pool->queued_late) &&
	       pool->late_count < (pool->thread_count_max + 1) / 2;
}

/* Waits for an op; NULL when the pool ends.  The mutex is held. */
static struct op *take_queued(struct pool *pool)
{
	struct list_node *node;

	while (list_is_empty(&pool->queued) && !may_begin_late(pool) && !pool->ending) {
		pool->idle_count++;
		pthread_cond_wait(&pool->wanted, &pool->mutex);
		pool->idle_count--;
	}
	node = list_take_first(&pool->queued);
	if (!node)
		node = list_take_first(&pool->queued_late);
	if (!node)
		return NULL;
	pool->queued_count--;
	return container_of(node, struct op, node);
}

/* The mutex is held, but not while the op runs. */
static void run_op(struct pool *pool, struct op *op)
{
	pool_run_fn *run = op->run;
	bool is_late = op->is_late;
	bool first;

	op->is_queued = false;
	pool->late_count += is_late;
	pthread_mutex_unlock(&pool->mutex);
	op->result = run(op);
	pthread_mutex_lock(&pool->mutex);
	pool->late_count -= is_late;
	if (is_late && may_begin_late(pool))
		pthread_cond_signal(&pool->wanted);
	first = list_is_empty(&pool->finished);
	list_append(&pool->finished, &op->node);
	if (first)
		pool_signal(pool);
}

static void *run_thread(void *argument)
{
	struct pool *pool = argument;
	struct op *op;

	pthread_mutex_lock(&pool->mutex);
	while ((op = take_queued(pool)))
		run_op(pool, op);
	pthread_mutex_unlock(&pool->mutex);
	return NULL;
}

/* --- the loop's side ---------------------------------------------------------------------- */

/* A new thread inherits the signal mask of its creator.  0 or a negative errno. */
static int start_thread(struct pool *pool)
{
	pthread_t *thread = &pool->threads[pool->thread_count];
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, run_thread, pool);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return -error;
	pthread_setname_np(*thread, "ringlet-pool");
	pool->thread_count++;
	return 0;
}

/* An idle thread that was woken but has not run yet still counts as idle, and what it was woken
 * for as queued: the comparison holds at any time. */
int pool_submit(struct pool *pool, struct op *op, pool_run_fn *run)
{
	bool behind;
	int r;

	pthread_mutex_lock(&pool->mutex);
	op->run = run;
	op->is_queued = true;
	list_append(op->is_late ? &pool->queued_late : &pool->queued, &op->node);
	pool->queued_count++;
	behind = pool->queued_count > pool->idle_count;
	pthread_cond_signal(&pool->wanted);
	pthread_mutex_unlock(&pool->mutex);
	if (!behind || pool->thread_count == pool->thread_count_max)
		return 0;
	r = start_thread(pool);
	if (r < 0 && pool->thread_count == 0) {
		pool_withdraw(pool, op);
		return r;
	}
	return 0;
}

bool pool_withdraw(struct pool *pool, struct op *op)
{
	bool queued;

	pthread_mutex_lock(&pool->mutex);
	queued = op->is_queued;
	if (queued) {
		op->is_queued = false;
		list_remove(&op->node);
		pool->queued_count--;
	}
	pthread_mutex_unlock(&pool->mutex);
	return queued;
}

int pool_event_fd(const struct pool *pool)
{
	return pool->event_fd;
}

void pool_signal(struct pool *pool)
{
	/* Fails only when the counter is full, and then the descriptor is readable anyway. */
	eventfd_write(pool->event_fd, 1);
}

/* Emptied before the queue is taken: what a thread finishes in between finds the queue either not
 * yet taken, or empty and signals. */
void pool_collect(struct pool *pool, struct list *finished)
{
	eventfd_t count;

	eventfd_read(pool->event_fd, &count);
	pthread_mutex_lock(&pool->mutex);
	list_move_all(finished, &pool->finished);
	pthread_mutex_unlock(&pool->mutex);
}
