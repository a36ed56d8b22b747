/* Zero copy: a file goes to a socket without passing through user space, in one of two ways.
 *
 * By splice, on the ring (uring_splice.c): a kernel worker moves the bytes and may wait for the
 * disk.  That is the default, `splice`, as long as half of the pipes are free; beyond that it does
 * as `auto`.
 *
 * By sendfile(2), called inline and without waiting for the socket: half the cost where one file is
 * sent to few clients, since no worker has to be woken.  But the loop stands still meanwhile, so
 * each call moves 1 MiB at most, and all ops have a share of a turn together (uring.c); who had no
 * part of it is first in the next.
 *
 * `auto` asks the page cache (stretch.h) and calls sendfile(2) for what is there; else the ring
 * moves a stretch, and then the page cache is asked again.  Other ops on the same file share a
 * positive answer until the turn ends.  A file system that may answer late is always left to the
 * ring. */
#include "proactor/uring.h"

#include <assert.h>
#include <errno.h>
#include <sys/sendfile.h>

#include "base/metrics.h"

/* --- inline sendfile(2) ------------------------------------------------------------------- */

static void call_failed(struct uring *uring, struct op *op, int error)
{
	if (error == EAGAIN) {
		stretch_note(op, 0, false);
		socket_wait(uring, op);
	} else if (error == EINTR) {
		uring_queue(op, &uring->turns);
	} else {
		op_complete(&uring->proactor, op, -error);
	}
}

/* A call that was cut short has filled the socket, or met the end of the file, which the call after
 * the wait will tell. */
static void called(struct uring *uring, struct op *op, uint64_t moved, uint64_t length)
{
	metrics_add(METRIC_SENDFILE_BYTES, moved);
	op->moved += moved;
	uring_use_share(uring, moved);
	stretch_note(op, moved, moved == length);
	if (stretch_remaining(op) == 0)
		op_complete(&uring->proactor, op, (int64_t)op->moved);
	else if (moved == 0)
		op_complete(&uring->proactor, op, -ENODATA);
	else if (moved < length)
		socket_wait(uring, op);
	else
		uring_queue(op, &uring->turns);
}

/* Not beyond what was looked for, if it was; but as much as that, whatever the socket took last,
 * since what does not fit costs nothing. */
static uint64_t call_length(const struct op *op)
{
	uint64_t position = stretch_begin(op);
	uint64_t length = smaller(stretch_remaining(op), STRETCH_LENGTH_MAX);

	if (op->sendfile.in_memory_end <= position)
		return length;
	return smaller(length, op->sendfile.in_memory_end - position);
}

void sendfile_inline(struct uring *uring, struct op *op)
{
	uint64_t length = call_length(op);
	off_t offset = (off_t)stretch_begin(op);
	ssize_t moved = sendfile(op->fd, op->sendfile.file, &offset, length);

	metrics_add(METRIC_SENDFILE_CALLS, 1);
	if (moved < 0)
		call_failed(uring, op, errno);
	else
		called(uring, op, (uint64_t)moved, length);
}

/* --- which way ---------------------------------------------------------------------------- */

/* Files that wait for a disk can hold every pipe and kernel worker.  While half of the pipes are
 * taken, a file in memory does not queue behind them. */
static bool may_call(const struct uring *uring)
{
	return uring->zero_copy != ZERO_COPY_SPLICE ||
	       uring->pipes.taken_count >= (uring->pipes.count_max + 1) / 2;
}

void sendfile_continue(struct uring *uring, struct op *op)
{
	if (op->is_late || !may_call(uring))
		splice_begin(uring, op);
	else if (uring->turn_share == 0)
		uring_queue(op, &uring->turns);
	else if (uring->zero_copy == ZERO_COPY_SENDFILE ||
		 stretch_is_in_memory(op, &uring->page_cache))
		sendfile_inline(uring, op);
	else
		splice_begin(uring, op);
}

/* --- the op ------------------------------------------------------------------------------- */

void sendfile_submit(struct uring *uring, struct op *op)
{
	sendfile_continue(uring, op);
}

void sendfile_completed(struct uring *uring, struct op *op, int result)
{
	if (op->step != STEP_WAITING) {
		splice_flushed(uring, op, result);
		return;
	}
	if (op->cancelled)
		op_complete(&uring->proactor, op, -ECANCELED);
	else
		sendfile_continue(uring, op); /* it meets whatever made the poll fail */
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
