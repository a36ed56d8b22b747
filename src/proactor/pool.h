/* A few threads for what has no readiness: file operations under epoll, and CPU work.
 *
 * A producer/consumer queue in each direction.  The loop submits ops and, when the descriptor
 * pool_event_fd() becomes readable, collects those that are finished.  Threads start when first
 * needed, with every signal blocked.  Waking the loop from another thread (OP_WAKE) uses the same
 * descriptor. */
#ifndef RINGLET_PROACTOR_POOL_H
#define RINGLET_PROACTOR_POOL_H

#include "proactor/op.h"

struct pool;

/* What a thread does with an op; its return value becomes op->result. */
typedef int64_t pool_run_fn(struct op *op);

int pool_open(struct pool **pool, unsigned thread_count_max);

/* Waits for the threads; nothing may be queued or running. */
void pool_free(struct pool *pool);

/* Queues the op, whose is_late is set; run(op) is called on a thread.  0, or a negative errno when
 * not even one thread could be started (the op is not queued then). */
int pool_submit(struct pool *pool, struct op *op, pool_run_fn *run);

/* Takes an op back that no thread has begun with: true, and it is no longer queued. */
bool pool_withdraw(struct pool *pool, struct op *op);

/* An eventfd (non-blocking): readable when there is something to collect or pool_signal() was
 * called. */
int pool_event_fd(const struct pool *pool);
void pool_signal(struct pool *pool); /* from any thread */

/* Empties the eventfd, and moves the finished ops (their result is set) to `finished`. */
void pool_collect(struct pool *pool, struct list *finished);

#endif
