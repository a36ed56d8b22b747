/* A file to a socket by splice: file → pooled pipe → socket, both hops linked in one submission, so
 * that a kernel worker does them without coming back in between, and waits if the disk has to be
 * waited for.  A stretch is at most what a pipe holds; after each the pipe goes to the op that has
 * waited longest, if one does.
 *
 *	QUEUED    for a pipe; where none can be made at all, sendfile(2) serves
 *	CHAINED   both hops; all moved → next stretch, or the end
 *	          a short fill → MOVING, the second hop alone
 *	          a full socket → the pipe is emptied and returned, WAITING
 *	WAITING   for the socket → QUEUED
 *
 * A parked op holds no pipe: what did not reach the socket is read again from the file later.
 * Otherwise slow readers would hold every pipe.  The socket is non-blocking, or each of them would
 * hold a kernel worker. */
#include "proactor/uring.h"

#include <errno.h>
#include <fcntl.h>

#include "base/metrics.h"

enum { PAGE_LENGTH = 4096 };

/* --- pipes -------------------------------------------------------------------------------- */

static void serve_pipe_waiters(struct uring *uring)
{
	struct list waiters;
	struct list_node *node;

	list_move_all(&waiters, &uring->pipe_waiters);
	while ((node = list_take_first(&waiters))) {
		if (!splice_begin(uring, container_of(node, struct op, node)))
			break;
	}
	while ((node = list_take_first(&waiters)))
		list_append(&uring->pipe_waiters, node);
}

static void return_pipe(struct uring *uring, struct op *op)
{
	pipe_pool_return(&uring->pipes, op->sendfile.pipe, op->sendfile.pipe->piped);
	op->sendfile.pipe = NULL;
}

static void finish(struct uring *uring, struct op *op, int64_t result)
{
	if (result < 0 && op->sendfile.pipe->piped > 0) {
		/* Left half full it would leak its bytes into the next response. */
		pipe_pool_discard(&uring->pipes, op->sendfile.pipe);
		op->sendfile.pipe = NULL;
	} else {
		return_pipe(uring, op);
	}
	op_complete(&uring->proactor, op, result);
	serve_pipe_waiters(uring);
}

static void park(struct uring *uring, struct op *op, uint64_t moved)
{
	stretch_note(op, moved, false);
	return_pipe(uring, op);
	socket_wait(uring, op);
	serve_pipe_waiters(uring);
}

/* --- the splice chain --------------------------------------------------------------------- */

/* Completes only when it fails or is short, and then the flush it is linked with does not: each
 * chain has exactly one completion. */
static void request_fill(struct uring *uring, struct op *op, unsigned length)
{
	struct io_uring_sqe *sqe = uring_request(uring);

	io_uring_prep_splice(sqe, op->sendfile.file, (int64_t)stretch_begin(op),
		op->sendfile.pipe->write_fd, -1, length, 0);
	sqe->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
	uring_sign(sqe, TAG_FILL, op);
}

static void request_flush(struct uring *uring, struct op *op, unsigned length)
{
	struct io_uring_sqe *sqe = uring_request(uring);
	bool more = op->sendfile.more || stretch_remaining(op) > length;

	io_uring_prep_splice(sqe, op->sendfile.pipe->read_fd, -1, op->fd, -1, length,
		SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0));
	uring_sign(sqe, TAG_OP, op);
}

/* A pipe holds pages: a fill that begins within one ends at the end of one, or it would be short
 * and break the link. */
static void request_stretch(struct uring *uring, struct op *op)
{
	uint64_t room = smaller(op->sendfile.pipe->length, stretch_length(op)) -
			stretch_begin(op) % PAGE_LENGTH;
	unsigned length = (unsigned)smaller(stretch_remaining(op), room);

	op->step = STEP_CHAINED;
	op->sendfile.pipe->piped = length; /* unless splice_filled() learns otherwise */
	uring_reserve(uring, 2);
	request_fill(uring, op, length);
	request_flush(uring, op, length);
}

/* Nobody overtakes who waits for a pipe already.  False: the op waits, too. */
bool splice_begin(struct uring *uring, struct op *op)
{
	int r = -EBUSY;

	if (list_is_empty(&uring->pipe_waiters))
		r = pipe_pool_take(&op->sendfile.pipe, &uring->pipes);
	if (r == -EBUSY)
		uring_queue(op, &uring->pipe_waiters);
	else if (r < 0)
		sendfile_inline(uring, op);
	else
		request_stretch(uring, op);
	return r != -EBUSY;
}

static void next_stretch(struct uring *uring, struct op *op)
{
	stretch_note(op, 0, true);
	return_pipe(uring, op);
	sendfile_continue(uring, op);
	serve_pipe_waiters(uring);
}

static void flush_again(struct uring *uring, struct op *op)
{
	op->step = STEP_MOVING;
	request_flush(uring, op, op->sendfile.pipe->piped);
}

/* The bytes of the pipe went, in part went, or did not go to the socket. */
void splice_flushed(struct uring *uring, struct op *op, int result)
{
	unsigned moved = result > 0 ? (unsigned)result : 0;

	metrics_add(METRIC_SPLICES, (result > 0) + (op->step == STEP_CHAINED));
	metrics_add(METRIC_SPLICED_BYTES, moved);
	op->moved += moved;
	op->sendfile.pipe->piped -= moved;
	if (stretch_remaining(op) == 0)
		finish(uring, op, (int64_t)op->moved);
	else if (op->cancelled)
		finish(uring, op, -ECANCELED);
	else if (op->sendfile.pipe->piped == 0)
		next_stretch(uring, op);
	else if (result >= 0 || result == -EAGAIN || result == -ENOBUFS)
		park(uring, op, moved);
	else if (result == -EINTR || result == -ECANCELED)
		flush_again(uring, op);
	else
		finish(uring, op, result);
}

/* The fill moved less than it was asked to, which broke the link: the flush was not tried. */
void splice_filled(struct uring *uring, struct op *op, int result)
{
	metrics_add(METRIC_SPLICES, result > 0);
	op->sendfile.pipe->piped = result > 0 ? (unsigned)result : 0;
	if (op->cancelled)
		finish(uring, op, -ECANCELED);
	else if (result > 0)
		flush_again(uring, op);
	else if (result == 0)
		finish(uring, op, -ENODATA);
	else if (result == -EINTR || result == -ECANCELED)
		request_stretch(uring, op);
	else
		finish(uring, op, result);
}
