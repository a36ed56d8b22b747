/* Deadlines of a fixed duration, cheap enough for one per connection and request.
 *
 * All deadlines of one queue last equally long, so that they expire in the order they were started:
 * starting is an append, stopping an unlink, and the first of each queue is the next.  The loop
 * looks at them only when one of all that were started may be due; mostly it was stopped since. */
#ifndef RINGLET_PROACTOR_DEADLINE_H
#define RINGLET_PROACTOR_DEADLINE_H

#include <stdint.h>

#include "base/list.h"

struct proactor;
struct deadline;

/* Runs from the loop, after the done()s of the turn; the deadline is stopped already. */
typedef void deadline_expired_fn(struct proactor *proactor, struct deadline *deadline);

struct deadline {
	struct list_node node;
	uint64_t due_ns;
};

struct deadline_queue {
	struct list_node node; /* in the proactor */
	struct list waiting;
	uint64_t duration_ns;
	deadline_expired_fn *expired;
};

/* duration_ns 0: a deadline of this queue never expires. */
void deadline_queue_open(struct deadline_queue *queue, struct proactor *proactor,
	uint64_t duration_ns, deadline_expired_fn *expired);

/* No deadline may be running in it. */
void deadline_queue_close(struct deadline_queue *queue);

void deadline_init(struct deadline *deadline);

/* From now on; a running deadline, of this queue or another, starts anew. */
void deadline_start(
	struct deadline *deadline, struct deadline_queue *queue, struct proactor *proactor);
void deadline_stop(struct deadline *deadline);

static inline bool deadline_is_running(const struct deadline *deadline)
{
	return list_is_linked(&deadline->node);
}

/* Private to proactor.c: runs those due. */
void deadlines_expire(struct proactor *proactor);

#endif
