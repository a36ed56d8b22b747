/* Zero copy: a file goes to a socket without passing through user space.
 *
 * By splice, the default: file → pooled pipe → socket, both hops linked in one submission, so that
 * a kernel worker does them without coming back in between.  An extent is what a pipe holds; after
 * each the pipe goes to the op that has waited longest, if one does.
 *
 *	QUEUED    for a pipe; where none can be made at all, sendfile(2) serves
 *	CHAINED   both hops; all moved → next extent, or the end
 *	          a short fill → MOVING, the second hop alone
 *	          a full socket → the pipe is emptied and returned, WAITING
 *	WAITING   for the socket → QUEUED
 *
 * A parked op holds no pipe: what did not reach the socket is read again from the file later.
 * Otherwise slow readers would hold every pipe.  The socket is non-blocking, or each of them would
 * hold a kernel worker.
 *
 * By sendfile(2), called inline and without waiting: at most INLINE_LENGTH_MAX per op and turn,
 * because the loop stands still meanwhile, the longer if the file is not in memory.  `auto` does so
 * for what is at most AUTO_LENGTH_MAX, where waking a kernel worker costs more than the copy of
 * page references itself, and splices the rest. */
#include "proactor/uring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>

#include "base/metrics.h"

enum { INLINE_LENGTH_MAX = 256 * 1024, AUTO_LENGTH_MAX = 64 * 1024, PAGE_LENGTH = 4096 };

static bool begin_extent(struct uring *uring, struct op *op);

static uint64_t remaining(const struct op *op)
{
	return op->sendfile.length - op->moved;
}

static uint64_t position(const struct op *op)
{
	return op->sendfile.offset + op->moved;
}

/* --- inline sendfile(2) ------------------------------------------------------------------- */

static void queue(struct op *op, struct list *list)
{
	op->step = STEP_QUEUED;
	list_append(list, &op->node);
}

static void call_failed(struct uring *uring, struct op *op, int error)
{
	if (error == EAGAIN)
		socket_wait(uring, op);
	else if (error == EINTR)
		queue(op, &uring->inline_turns);
	else
		op_complete(&uring->proactor, op, -error);
}

static void call_sendfile(struct uring *uring, struct op *op)
{
	uint64_t length = remaining(op) < INLINE_LENGTH_MAX ? remaining(op) : INLINE_LENGTH_MAX;
	off_t offset = (off_t)position(op);
	ssize_t moved = sendfile(op->fd, op->sendfile.file, &offset, length);

	metrics_add(METRIC_SENDFILE_CALLS, 1);
	if (moved < 0) {
		call_failed(uring, op, errno);
		return;
	}
	metrics_add(METRIC_SENDFILE_BYTES, (uint64_t)moved);
	op->moved += (uint64_t)moved;
	if (remaining(op) == 0)
		op_complete(&uring->proactor, op, (int64_t)op->moved);
	else if (moved == 0)
		op_complete(&uring->proactor, op, -ENODATA);
	else
		queue(op, &uring->inline_turns);
}

void sendfile_take_turns(struct uring *uring)
{
	struct list turns;
	struct list_node *node;

	list_move_all(&turns, &uring->inline_turns);
	while ((node = list_take_first(&turns)))
		call_sendfile(uring, container_of(node, struct op, node));
}

/* --- pipes -------------------------------------------------------------------------------- */

static void serve_pipe_waiters(struct uring *uring)
{
	struct list waiters;
	struct list_node *node;

	list_move_all(&waiters, &uring->pipe_waiters);
	while ((node = list_take_first(&waiters))) {
		if (!begin_extent(uring, container_of(node, struct op, node)))
			break;
	}
	while ((node = list_take_first(&waiters)))
		list_append(&uring->pipe_waiters, node);
}

static void return_pipe(struct uring *uring, struct op *op)
{
	pipe_pool_return(&uring->pipes, op->sendfile.pipe, op->sendfile.piped);
	op->sendfile.pipe = NULL;
	op->sendfile.piped = 0;
}

static void finish(struct uring *uring, struct op *op, int64_t result)
{
	if (result < 0 && op->sendfile.piped > 0) {
		/* Left half full it would leak its bytes into the next response. */
		pipe_pool_discard(&uring->pipes, op->sendfile.pipe);
		op->sendfile.pipe = NULL;
	} else {
		return_pipe(uring, op);
	}
	op_complete(&uring->proactor, op, result);
	serve_pipe_waiters(uring);
}

static void park(struct uring *uring, struct op *op)
{
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

	io_uring_prep_splice(sqe, op->sendfile.file, (int64_t)position(op),
		op->sendfile.pipe->write_fd, -1, length, 0);
	sqe->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
	uring_sign(sqe, TAG_FILL, op);
}

static void request_flush(struct uring *uring, struct op *op, unsigned length)
{
	struct io_uring_sqe *sqe = uring_request(uring);
	bool more = op->sendfile.more || remaining(op) > length;

	io_uring_prep_splice(sqe, op->sendfile.pipe->read_fd, -1, op->fd, -1, length,
		SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0));
	uring_sign(sqe, TAG_OP, op);
}

/* A pipe holds pages: a fill that begins within one ends at the end of one, or it would be short
 * and break the link. */
static void request_extent(struct uring *uring, struct op *op)
{
	uint64_t room = op->sendfile.pipe->length - position(op) % PAGE_LENGTH;
	unsigned length = (unsigned)(remaining(op) < room ? remaining(op) : room);

	op->step = STEP_CHAINED;
	op->sendfile.piped = length; /* unless sendfile_filled() learns otherwise */
	uring_reserve(uring, 2);
	request_fill(uring, op, length);
	request_flush(uring, op, length);
}

/* False: the op waits for a pipe. */
static bool begin_extent(struct uring *uring, struct op *op)
{
	int r = pipe_pool_take(&op->sendfile.pipe, &uring->pipes);

	if (r == -EBUSY)
		queue(op, &uring->pipe_waiters);
	else if (r < 0)
		call_sendfile(uring, op);
	else
		request_extent(uring, op);
	return r != -EBUSY;
}

static void next_extent(struct uring *uring, struct op *op)
{
	if (list_is_empty(&uring->pipe_waiters)) {
		request_extent(uring, op);
		return;
	}
	return_pipe(uring, op);
	queue(op, &uring->pipe_waiters);
	serve_pipe_waiters(uring);
}

static void flush_again(struct uring *uring, struct op *op)
{
	op->step = STEP_MOVING;
	request_flush(uring, op, (unsigned)op->sendfile.piped);
}

/* The bytes of the pipe went, in part went, or did not go to the socket. */
static void flushed(struct uring *uring, struct op *op, int result)
{
	uint64_t moved = result > 0 ? (uint64_t)result : 0;

	metrics_add(METRIC_SPLICED_BYTES, moved);
	op->moved += moved;
	op->sendfile.piped -= moved;
	if (remaining(op) == 0)
		finish(uring, op, (int64_t)op->moved);
	else if (op->cancelled)
		finish(uring, op, -ECANCELED);
	else if (op->sendfile.piped == 0)
		next_extent(uring, op);
	else if (result >= 0 || result == -EAGAIN || result == -ENOBUFS)
		park(uring, op);
	else if (result == -EINTR || result == -ECANCELED)
		flush_again(uring, op);
	else
		finish(uring, op, result);
}

/* The fill moved less than it was asked to, which broke the link: the flush was not tried. */
void sendfile_filled(struct uring *uring, struct op *op, int result)
{
	metrics_add(METRIC_SPLICES, result > 0);
	op->sendfile.piped = result > 0 ? (uint64_t)result : 0;
	if (op->cancelled)
		finish(uring, op, -ECANCELED);
	else if (result > 0)
		flush_again(uring, op);
	else if (result == 0)
		finish(uring, op, -ENODATA);
	else if (result == -EINTR || result == -ECANCELED)
		request_extent(uring, op);
	else
		finish(uring, op, result);
}

/* --- the op ------------------------------------------------------------------------------- */

static bool is_inline(const struct uring *uring, const struct op *op)
{
	switch (uring->zero_copy) {
	case ZERO_COPY_SPLICE:
		return false;
	case ZERO_COPY_SENDFILE:
		return true;
	case ZERO_COPY_AUTO:
		return op->sendfile.length <= AUTO_LENGTH_MAX;
	}
	return false;
}

void sendfile_submit(struct uring *uring, struct op *op)
{
	if (is_inline(uring, op))
		call_sendfile(uring, op);
	else
		begin_extent(uring, op);
}

void sendfile_completed(struct uring *uring, struct op *op, int result)
{
	if (op->step == STEP_WAITING) {
		if (op->cancelled)
			op_complete(&uring->proactor, op, -ECANCELED);
		else
			sendfile_submit(uring, op); /* it meets whatever made the poll fail */
		return;
	}
	metrics_add(METRIC_SPLICES, (result > 0) + (op->step == STEP_CHAINED));
	flushed(uring, op, result);
}

/* A chain that runs already ends soon by itself, for its socket is non-blocking. */
void sendfile_cancel(struct uring *uring, struct op *op)
{
	switch ((enum op_step)op->step) {
	case STEP_QUEUED:
		op_complete(&uring->proactor, op, -ECANCELED);
		return;
	case STEP_CHAINED:
		uring_cancel_request(uring, TAG_FILL, op);
		return;
	case STEP_MOVING:
	case STEP_WAITING:
		uring_cancel_request(uring, TAG_OP, op);
		return;
	case STEP_INSISTING:
		assert(false);
		return;
	}
}
