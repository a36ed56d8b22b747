/* Records of descriptors: what the backend knows of a socket beyond the op at hand.
 *
 * Only accept and receive need one, because their multishot requests outlive ops.  A record is made
 * by the first such op and goes with proactor_close(), after the last completion that names it:
 * descriptor numbers are reused at once, and so is the memory of a record.
 *
 * A receiving descriptor is closed by the submission that also cancels its multishot: the record
 * leaves the table at once, as the number may come back with the next accept, and lives on as an
 * orphan until the last completion.  A listener is closed after that, with what it accepted
 * meanwhile.
 *
 * Requests are submitted in the order they were made.  Therefore a cancelling that is still queued
 * when its multishot ends by itself can never meet the request that is armed after it. */
#include "proactor/uring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct record *record_find(const struct uring *uring, int fd)
{
	return (size_t)fd < uring->records_length ? uring->records[fd] : NULL;
}

static bool make_room(struct uring *uring, size_t fd)
{
	size_t length = uring->records_length ? uring->records_length : 64;
	struct record **records;

	while (length <= fd)
		length *= 2;
	if (length == uring->records_length)
		return true;
	records = realloc(uring->records, length * sizeof(struct record *));
	if (!records)
		return false;
	for (size_t i = uring->records_length; i < length; i++)
		records[i] = NULL;
	uring->records = records;
	uring->records_length = length;
	return true;
}

static struct record *make_record(struct uring *uring, int fd)
{
	struct record *record;

	if (!make_room(uring, (size_t)fd))
		return NULL;
	record = block_pool_take(&uring->record_blocks);
	if (!record)
		return NULL;
	*record = (struct record){ .fd = fd };
	list_node_init(&record->node);
	list_init(&record->spill);
	uring->records[fd] = record;
	return record;
}

struct record *record_get(struct uring *uring, int fd)
{
	struct record *record;

	assert(fd >= 0);
	record = record_find(uring, fd);
	return record ? record : make_record(uring, fd);
}

struct io_uring_sqe *record_arm(struct uring *uring, struct record *record)
{
	assert(!record->armed);
	record->armed = true;
	record->in_flight++;
	return uring_request(uring);
}

void record_stop(struct uring *uring, struct record *record)
{
	struct io_uring_sqe *sqe;

	if (!record->armed || record->stopping)
		return;
	record->stopping = true;
	record->in_flight++;
	sqe = uring_request(uring);
	io_uring_prep_cancel64(sqe, uring_signature(TAG_MULTISHOT, record), 0);
	uring_sign(sqe, TAG_STOP, record);
}

static void release(struct uring *uring, struct record *record)
{
	list_remove(&record->node);
	if (record->listening)
		accept_discard(record);
	else
		receive_discard(uring, record);
	if (uring->records[record->fd] == record)
		uring->records[record->fd] = NULL;
	block_pool_return(&uring->record_blocks, record);
}

static void close_when_quiet(struct uring *uring, struct record *record)
{
	struct op *op = record->op;

	if (!record->closing || record->in_flight > 0)
		return;
	release(uring, record);
	if (op)
		uring_close_now(uring, op);
}

void record_completed(struct uring *uring, struct record *record, int result, unsigned flags)
{
	if (!(flags & IORING_CQE_F_MORE)) {
		record->armed = false;
		record->in_flight--;
	}
	if (record->listening)
		accept_completed(uring, record, result);
	else
		receive_completed(uring, record, result, flags);
	close_when_quiet(uring, record);
}

/* Not found although it lives: the kernel was busy with it, and has to be asked again. */
void record_stopped(struct uring *uring, struct record *record, int result)
{
	const struct op *waiting = record_waiting(record);

	record->stopping = false;
	record->in_flight--;
	if (result < 0 && !(waiting && !waiting->cancelled))
		record_stop(uring, record);
	close_when_quiet(uring, record);
}

static void begin_closing(struct uring *uring, struct record *record)
{
	assert(!record->op);
	assert(!record->closing);
	record->closing = true;
	list_remove(&record->node);
	record_stop(uring, record);
}

void record_leave(struct uring *uring, int fd)
{
	struct record *record = record_find(uring, fd);

	if (!record)
		return;
	begin_closing(uring, record);
	uring->records[fd] = NULL;
	list_append(&uring->orphans, &record->node);
	close_when_quiet(uring, record);
}

void record_close(struct uring *uring, struct op *op)
{
	struct record *record = record_find(uring, op->fd);

	if (!record || !record->listening) {
		record_leave(uring, op->fd);
		uring_close_now(uring, op);
		return;
	}
	begin_closing(uring, record);
	record->op = op;
	close_when_quiet(uring, record);
}

void records_free(struct uring *uring)
{
	list_for_each_safe (node, &uring->orphans)
		release(uring, container_of(node, struct record, node));
	for (size_t fd = 0; fd < uring->records_length; fd++)
		if (uring->records[fd])
			release(uring, uring->records[fd]);
	free(uring->records);
	block_pool_trim(&uring->record_blocks);
}
