/* Deadlines: one FIFO per duration. */
#include "proactor/deadline.h"

#include <assert.h>

#include "base/smaller.h"
#include "proactor/backend.h"

void deadline_queue_open(struct deadline_queue *queue, struct proactor *proactor,
	uint64_t duration_ns, deadline_expired_fn *expired)
{
	queue->duration_ns = duration_ns;
	queue->expired = expired;
	list_init(&queue->waiting);
	list_append(&proactor->deadline_queues, &queue->node);
}

void deadline_queue_close(struct deadline_queue *queue)
{
	assert(list_is_empty(&queue->waiting));
	list_remove(&queue->node);
}

void deadline_init(struct deadline *deadline)
{
	list_node_init(&deadline->node);
	deadline->due_ns = 0;
}

void deadline_start(
	struct deadline *deadline, struct deadline_queue *queue, struct proactor *proactor)
{
	list_remove(&deadline->node);
	if (queue->duration_ns == 0)
		return;
	deadline->due_ns = proactor->now_ns + queue->duration_ns;
	proactor->none_due_before_ns = smaller(proactor->none_due_before_ns, deadline->due_ns);
	list_append(&queue->waiting, &deadline->node);
}

void deadline_stop(struct deadline *deadline)
{
	list_remove(&deadline->node);
}

static struct deadline *first_of(const struct deadline_queue *queue)
{
	struct list_node *node = list_first(&queue->waiting);

	return node ? container_of(node, struct deadline, node) : NULL;
}

static uint64_t first_due_ns(const struct proactor *proactor)
{
	uint64_t next_ns = UINT64_MAX;

	list_for_each (node, &proactor->deadline_queues) {
		struct deadline *first = first_of(container_of(node, struct deadline_queue, node));

		if (first)
			next_ns = smaller(next_ns, first->due_ns);
	}
	return next_ns;
}

/* expired() may start deadlines anew: those are not due in this turn, so that the loop ends. */
static void expire_queue(struct proactor *proactor, struct deadline_queue *queue)
{
	struct deadline *first = first_of(queue);

	while (first && first->due_ns <= proactor->now_ns) {
		deadline_stop(first);
		queue->expired(proactor, first);
		first = first_of(queue);
	}
}

void deadlines_expire(struct proactor *proactor)
{
	if (proactor->now_ns < proactor->none_due_before_ns)
		return;
	list_for_each (node, &proactor->deadline_queues)
		expire_queue(proactor, container_of(node, struct deadline_queue, node));
	proactor->none_due_before_ns = first_due_ns(proactor);
}
