/* Zero copy: a file goes to a socket without passing through user space, in one of two ways.
 *
 * By splice, on the ring (uring_splice.c): a kernel worker moves the bytes and may wait for the
 * disk.  That is the default.
 *
 * By sendfile(2), called inline and without waiting for the socket: half the cost where one file is
 * sent to few clients, since no worker has to be woken.  But the loop stands still meanwhile, so
 * each call moves 1 MiB at most, and all ops have a share of a turn together (uring.c); who had no
 * part of it is first in the next.
 *
 * A stretch is what the socket took last, twice: a slow reader's few KiB are not worth a pipeful
 * that comes back, or a look at 4 MiB.  A call just tries all that was looked at.
 *
 * `auto` looks whether the bytes are in memory and calls sendfile(2) if they are; else the ring
 * moves a stretch, and then it is looked again.  What was looked for is believed until an op has
 * got there, but not across a wait for the socket, which may have been long; and for the rest of
 * the turn by all who want the same file. */
#include "proactor/uring.h"

#include <assert.h>
#include <errno.h>
#include <sys/sendfile.h>

#include "base/metrics.h"

enum {
	STRETCH_LENGTH_MAX = 1024 * 1024,
	STRETCH_HALVINGS_MAX = 4,
	STRETCHES_PER_LOOK = 4,
};

/* --- stretches ---------------------------------------------------------------------------- */

uint64_t sendfile_stretch(const struct op *op)
{
	return (uint64_t)STRETCH_LENGTH_MAX >> op->sendfile.halvings;
}

void sendfile_note_stretch(struct op *op, uint64_t moved, bool is_whole)
{
	if (is_whole) {
		if (op->sendfile.halvings > 0)
			op->sendfile.halvings--;
		return;
	}
	op->sendfile.halvings = STRETCH_HALVINGS_MAX;
	while (op->sendfile.halvings > 0 && sendfile_stretch(op) < 2 * moved)
		op->sendfile.halvings--;
}

/* --- inline sendfile(2) ------------------------------------------------------------------- */

static void call_failed(struct uring *uring, struct op *op, int error)
{
	if (error == EAGAIN) {
		sendfile_note_stretch(op, 0, false);
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
	sendfile_note_stretch(op, moved, moved == length);
	if (sendfile_remaining(op) == 0)
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
	uint64_t position = sendfile_position(op);
	uint64_t length = smaller(sendfile_remaining(op), STRETCH_LENGTH_MAX);

	if (op->sendfile.in_memory_end <= position)
		return length;
	return smaller(length, op->sendfile.in_memory_end - position);
}

void sendfile_inline(struct uring *uring, struct op *op)
{
	uint64_t length = call_length(op);
	off_t offset = (off_t)sendfile_position(op);
	ssize_t moved = sendfile(op->fd, op->sendfile.file, &offset, length);

	metrics_add(METRIC_SENDFILE_CALLS, 1);
	if (moved < 0)
		call_failed(uring, op, errno);
	else
		called(uring, op, (uint64_t)moved, length);
}

/* --- which way ---------------------------------------------------------------------------- */

static bool is_in_memory(struct uring *uring, struct op *op)
{
	uint64_t begin = sendfile_position(op);
	uint64_t stretch = sendfile_stretch(op);
	uint64_t length = smaller(sendfile_remaining(op), STRETCHES_PER_LOOK * stretch);

	if (op->sendfile.in_memory_end >= begin + smaller(length, stretch))
		return true;
	if (!page_cache_holds(&uring->page_cache, op->sendfile.file, begin, length))
		return false;
	op->sendfile.in_memory_end = begin + length;
	return true;
}

void sendfile_continue(struct uring *uring, struct op *op)
{
	if (uring->zero_copy == ZERO_COPY_SPLICE)
		splice_begin(uring, op);
	else if (uring->turn_share == 0)
		uring_queue(op, &uring->turns);
	else if (uring->zero_copy == ZERO_COPY_SENDFILE || is_in_memory(uring, op))
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
	op->sendfile.in_memory_end = 0;
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
