/* Receiving: one multishot request per socket, into buffers that all sockets share.
 *
 * What a client sends at once is there when its connection is seen.  Therefore the first receive of
 * a socket is tried by a call, which spares an enter and a turn, and only then becomes a request: a
 * single one, and what follows is armed an enter later than it could be.  A connection that is over
 * after one answer has no multishot then that would have to be cancelled.
 *
 * The kernel takes a buffer when there are bytes to put into it, so that idle connections hold
 * none.  A completion is lent to the receive op that waits, and the buffer goes back to the kernel
 * when done() has returned.  Submitting the next receive while the multishot lives only stores a
 * pointer.
 *
 * Bytes that come while nobody waits are copied to the descriptor's spill, because a kept buffer
 * would be missing elsewhere, and the multishot is cancelled, so that the rest stays with the
 * kernel.  The spill is bounded by what one turn can bring: all buffers of the ring.  A later
 * receive gets the spill first, a block at a time; a receive waits only when the spill is empty, so
 * that the order of bytes is kept.
 *
 * When the buffers run out (ENOBUFS) the multishot ends.  Buffers are lent for one turn only, so
 * before the next enter all are back, and those that found none are armed again. */
#include "proactor/uring.h"

#include <errno.h>
#include <string.h>

#include "base/metrics.h"

struct spill {
	struct list_node node;
	unsigned length;
	char bytes[];
};

enum { BUFFER_GROUP = 0 };

size_t receive_spill_size(unsigned buffer_length)
{
	return sizeof(struct spill) + buffer_length;
}

static void arm(struct uring *uring, struct record *record)
{
	struct io_uring_sqe *sqe = record_arm(uring, record);

	if (record->begun)
		io_uring_prep_recv_multishot(sqe, record->fd, NULL, 0, 0);
	else
		io_uring_prep_recv(sqe, record->fd, NULL, 0, 0);
	record->begun = true;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
	uring_sign(sqe, TAG_MULTISHOT, record);
}

static char *buffer_bytes(const struct receive_buffers *buffers, unsigned id)
{
	return buffers->bytes + (size_t)id * buffers->length;
}

static void return_buffer(struct receive_buffers *buffers, unsigned id)
{
	io_uring_buf_ring_add(buffers->ring, buffer_bytes(buffers, id), buffers->length,
		(unsigned short)id, io_uring_buf_ring_mask(buffers->count), 0);
	io_uring_buf_ring_advance(buffers->ring, 1);
}

/* --- the spill ---------------------------------------------------------------------------- */

static struct spill *spill_last(const struct record *record)
{
	return container_of(record->spill.head.previous, struct spill, node);
}

static struct spill *spill_room(struct uring *uring, struct record *record, size_t length)
{
	struct spill *spill = spill_last(record);

	if (!list_is_empty(&record->spill) && spill->length + length <= uring->buffers.length)
		return spill;
	spill = block_pool_take(&uring->spill_blocks);
	if (!spill)
		return NULL;
	spill->length = 0;
	list_append(&record->spill, &spill->node);
	return spill;
}

static void spill_append(struct uring *uring, struct record *record, struct text bytes)
{
	struct spill *spill = spill_room(uring, record, bytes.length);

	metrics_add(METRIC_RECEIVE_SPILLS, 1);
	record_stop(uring, record);
	if (!spill) {
		record->error = -ENOMEM; /* a gap must not go unnoticed */
		return;
	}
	memcpy(spill->bytes + spill->length, bytes.bytes, bytes.length);
	spill->length += (unsigned)bytes.length;
}

static void lend(struct uring *uring, struct op *op, const char *bytes, size_t length)
{
	op->receive.loan = (struct text){ bytes, length };
	op_complete(&uring->proactor, op, (int64_t)length);
}

void receive_discard(struct uring *uring, struct record *record)
{
	struct list_node *node;

	while ((node = list_take_first(&record->spill)))
		block_pool_return(&uring->spill_blocks, container_of(node, struct spill, node));
}

/* --- ops ---------------------------------------------------------------------------------- */

static void wait_for_bytes(struct uring *uring, struct record *record)
{
	if (record->armed || list_is_linked(&record->node))
		return;
	if (record->begun)
		list_append(&uring->resting, &record->node);
	else
		arm(uring, record);
}

static int64_t receive_now(struct uring *uring, struct record *record, struct spill *spill)
{
	ssize_t length = recv(record->fd, spill->bytes, uring->buffers.length, MSG_DONTWAIT);

	return length < 0 ? -errno : length;
}

/* False: there is nothing yet.  Nor is more of a burst of connections taken than blocks are kept:
 * the rest waits for the ring's buffers. */
static bool receive_at_once(struct uring *uring, struct record *record, struct op *op)
{
	struct block_pool *blocks = &uring->spill_blocks;
	bool is_room = blocks->taken_count < blocks->kept_max;
	struct spill *spill = is_room ? block_pool_take(blocks) : NULL;
	int64_t result = spill ? receive_now(uring, record, spill) : -EAGAIN;

	if (result > 0) {
		record->begun = true;
		lend(uring, op, spill->bytes, (size_t)result);
		return true;
	}
	if (spill)
		block_pool_return(blocks, spill);
	if (result == -EAGAIN || result == -EINTR)
		return false;
	op_complete(&uring->proactor, op, result);
	return true;
}

void receive_submit(struct uring *uring, struct op *op)
{
	struct record *record = record_get(uring, op->fd);
	struct list_node *node = record ? list_take_first(&record->spill) : NULL;

	if (!record) {
		op_complete(&uring->proactor, op, -ENOMEM);
	} else if (node) {
		struct spill *spill = container_of(node, struct spill, node);

		lend(uring, op, spill->bytes, spill->length);
	} else if (record->error) {
		op_complete(&uring->proactor, op, record->error);
		record->error = 0;
	} else if (record->begun || !receive_at_once(uring, record, op)) {
		record->op = op;
		wait_for_bytes(uring, record);
	}
}

/* The kernel knows nothing of the op: it ends at once, and what the multishot still brings is kept
 * for the next receive. */
void receive_cancel(struct uring *uring, struct op *op)
{
	struct record *record = record_find(uring, op->fd);

	record->op = NULL;
	op_complete(&uring->proactor, op, -ECANCELED);
	record_stop(uring, record);
}

static struct op *take_waiting(struct record *record)
{
	struct op *op = record_waiting(record);

	if (op)
		record->op = NULL;
	return op;
}

static void received(struct uring *uring, struct record *record, unsigned id, int length)
{
	const char *bytes = buffer_bytes(&uring->buffers, id);
	struct op *op = length > 0 ? take_waiting(record) : NULL;

	if (op) {
		lend(uring, op, bytes, (size_t)length);
		return;
	}
	if (length > 0 && !record->closing && !record->error)
		spill_append(uring, record, (struct text){ bytes, (size_t)length });
	return_buffer(&uring->buffers, id);
}

/* The end of the stream, or an error.  The end need not be kept: the kernel says it again. */
static void ended(struct uring *uring, struct record *record, int result)
{
	struct op *op = take_waiting(record);

	if (op)
		op_complete(&uring->proactor, op, result);
	else
		record->error = result;
}

void receive_completed(struct uring *uring, struct record *record, int result, unsigned flags)
{
	bool starved = result == -ENOBUFS;

	if (flags & IORING_CQE_F_BUFFER)
		received(uring, record, flags >> IORING_CQE_BUFFER_SHIFT, result);
	if (starved)
		metrics_add(METRIC_RECEIVE_SHORTAGES, 1);
	else if (result <= 0 && result != -ECANCELED && result != -EINTR && result != -EAGAIN)
		ended(uring, record, result);
	if (record->armed || !record_waiting(record))
		return;
	if (starved)
		list_append(&uring->due, &record->node);
	else
		arm(uring, record);
}

void receive_arm_due(struct uring *uring)
{
	struct list_node *node;

	while ((node = list_take_first(&uring->due))) {
		struct record *record = container_of(node, struct record, node);

		if (record_waiting(record) && !record->armed)
			arm(uring, record);
	}
	list_move_all(&uring->due, &uring->resting);
}

void receive_loan_ended(struct uring *uring, const char *bytes)
{
	struct receive_buffers *buffers = &uring->buffers;
	size_t length = (size_t)buffers->count * buffers->length;

	if (bytes >= buffers->bytes && bytes < buffers->bytes + length)
		return_buffer(
			buffers, (unsigned)((size_t)(bytes - buffers->bytes) / buffers->length));
	else
		block_pool_return(&uring->spill_blocks, container_of(bytes, struct spill, bytes));
}
