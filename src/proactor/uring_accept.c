/* Accepting: one multishot request per listening socket, its descriptors delivered in batches.
 *
 * What arrives is collected in the socket's record and settled once all completions of a turn are
 * seen, so that a burst is one done().  A batch then belongs to the loan; when done() has returned
 * and no further accept waits, the multishot is cancelled: connections stay in the backlog, where
 * another worker may take them.  The few that slip through meanwhile are kept for the next accept,
 * or closed with the socket.
 *
 * A cancelled accept ends after the multishot has, with all that it still brought. */
#include "proactor/uring.h"

#include <errno.h>
#include <stdlib.h>

struct accepted {
	int listener;
	unsigned count, size;
	int fds[];
};

static void unsettle(struct uring *uring, struct record *record)
{
	if (!list_is_linked(&record->node))
		list_append(&uring->unsettled, &record->node);
}

static void arm(struct uring *uring, struct record *record)
{
	struct io_uring_sqe *sqe = record_arm(uring, record);

	if (uring->accept_singly)
		io_uring_prep_accept(sqe, record->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	else
		io_uring_prep_multishot_accept(
			sqe, record->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	uring_sign(sqe, TAG_MULTISHOT, record);
}

void accept_submit(struct uring *uring, struct op *op)
{
	struct record *record = record_get(uring, op->fd);

	if (!record) {
		op_complete(&uring->proactor, op, -ENOMEM);
		return;
	}
	if (!record->listening) {
		record->listening = true;
		record->accepted = NULL;
	}
	record->op = op;
	if (record->accepted)
		unsettle(uring, record);
	else if (!record->armed)
		arm(uring, record);
}

void accept_cancel(struct uring *uring, struct op *op)
{
	struct record *record = record_find(uring, op->fd);

	record_stop(uring, record);
	unsettle(uring, record);
}

/* Room for one more; NULL when there is no memory. */
static struct accepted *grow(struct uring *uring, struct accepted *accepted)
{
	unsigned size = accepted ? accepted->size * 2 : 64;
	struct accepted *grown;

	if (accepted && accepted->count < accepted->size)
		return accepted;
	if (!accepted && uring->accepted) {
		grown = uring->accepted;
		uring->accepted = NULL;
		return grown;
	}
	grown = realloc(accepted, sizeof(*grown) + size * sizeof(int));
	if (!grown)
		return NULL;
	if (!accepted)
		grown->count = 0;
	grown->size = size;
	return grown;
}

static void keep(struct uring *uring, struct record *record, int fd)
{
	struct accepted *accepted = grow(uring, record->accepted);

	if (!accepted) {
		close(fd);
		return;
	}
	accepted->fds[accepted->count++] = fd;
	record->accepted = accepted;
}

void accept_completed(struct uring *uring, struct record *record, int result)
{
	if (record->closing) {
		if (result >= 0)
			close(result);
		return;
	}
	if (result >= 0)
		keep(uring, record, result);
	else if (result != -ECANCELED && result != -EAGAIN && !accept_error_passes(-result))
		record->error = result;
	if (result == -EMFILE)
		pipe_pool_trim(&uring->pipes); /* connections need descriptors more */
	unsettle(uring, record);
}

static void finish(struct uring *uring, struct record *record, int64_t result)
{
	struct op *op = record->op;

	record->op = NULL;
	op_complete(&uring->proactor, op, result);
}

static void deliver(struct uring *uring, struct record *record)
{
	struct accepted *accepted = record->accepted;

	accepted->listener = record->fd;
	record->accepted = NULL;
	record->op->accept.fds = accepted->fds;
	finish(uring, record, accepted->count);
}

/* An error that comes with descriptors is dropped: if it lasts, the next accept meets it again. */
static void settle(struct uring *uring, struct record *record)
{
	struct op *op = record_waiting(record);
	int error = record->error;

	record->error = 0;
	if (!op)
		record_stop(uring, record);
	else if (op->cancelled && record->armed)
		record_stop(uring, record);
	else if (record->accepted)
		deliver(uring, record);
	else if (op->cancelled)
		finish(uring, record, -ECANCELED);
	else if (error)
		finish(uring, record, error);
	else if (!record->armed)
		arm(uring, record);
}

void accept_settle(struct uring *uring)
{
	struct list_node *node;

	while ((node = list_take_first(&uring->unsettled)))
		settle(uring, container_of(node, struct record, node));
}

/* The listener may have been closed in done(), and its number be another's: then this looks at a
 * record that either receives or has its own accept waiting. */
void accept_loan_ended(struct uring *uring, const int *fds)
{
	struct accepted *accepted = container_of(fds, struct accepted, fds);
	struct record *record = record_find(uring, accepted->listener);

	if (record && record->listening && !record_waiting(record))
		record_stop(uring, record);
	accepted->count = 0;
	free(uring->accepted);
	uring->accepted = accepted;
}

void accept_discard(struct record *record)
{
	struct accepted *accepted = record->accepted;

	for (unsigned i = 0; accepted && i < accepted->count; i++)
		close(accepted->fds[i]);
	free(accepted);
	record->accepted = NULL;
}
