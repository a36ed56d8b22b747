/* A body source that reads ahead.
 *
 * The buffer has two halves.  Bytes that are not in the page cache are read by halves: while
 * `current` is being sent, the other half is filled with the bytes `ahead`.  Reads of bytes in the
 * page cache do not wait, and longer pieces cost less to send, so these are read into both halves
 * at once, after the previous piece has been sent.  There is one read at a time, in the order of
 * the ranges, and no read crosses the end of a range.
 *
 * The content is returned once its last byte has been read, before that has been sent, so that
 * files which include one another do not all stay open.
 *
 * The buffer is taken when a read starts and returned when it is empty, so that many readers share
 * few buffers.  The first produce() starts the first read; a response to HEAD needs no buffer.
 *
 * release() may come at any time.  An active read owns the buffer until it ends; then the buffer,
 * the content and the reader are returned. */
#include "files/reader.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/block_pool.h"
#include "base/smaller.h"

enum { HALF = READER_BUFFER_LENGTH / 2 };

/* The length of one probe of the page cache. */
enum { LOOK_LENGTH = 4 * 1024 * 1024 };

/* A part of the buffer; empty if both are 0. */
struct stretch {
	size_t begin, end;
};

struct reader {
	struct body_source source;
	struct op op; /* the read */
	struct proactor *proactor;
	uint64_t length;            /* of all ranges */
	uint64_t produced_length;   /* bytes produced so far */
	unsigned range_index;       /* of the range that is being read */
	uint64_t range_read_length; /* bytes of that range so far */
	uint64_t in_memory_length;  /* bytes of that range found in the page cache */
	char *buffer;
	struct stretch current;  /* being produced; its last piece may not have been sent yet */
	size_t position;         /* of the next piece */
	struct stretch ahead;    /* read already, to be produced next */
	size_t read_begin;       /* where in the buffer the read puts its bytes */
	struct content *content; /* NULL: returned */
	int error;               /* of a read; returned after the bytes that were read before it */
	bool awaited; /* the last produce() returned BODY_LATER; ready() must be called */
	bool released;
	struct range_set set; /* last: only the ranges in use are written */
};

static struct block_pool reader_pool = BLOCK_POOL(sizeof(struct reader), 64);
static struct block_pool buffer_pool = BLOCK_POOL(READER_BUFFER_LENGTH, 16);

static struct reader *reader_of(struct body_source *source)
{
	return container_of(source, struct reader, source);
}

static void return_buffer(struct reader *reader)
{
	if (reader->buffer)
		block_pool_return(&buffer_pool, reader->buffer);
	reader->buffer = NULL;
}

/* --- reading ------------------------------------------------------------------------------ */

static bool may_read(const struct reader *reader)
{
	return !op_is_active(&reader->op) && reader->error == 0 &&
	       reader->range_index < reader->set.count && reader->ahead.end == 0;
}

/* Whether the next bytes of the range, as many as fit into both halves, are in the page cache. */
static bool is_in_memory(struct reader *reader, uint64_t left)
{
	const struct range *range = &reader->set.ranges[reader->range_index];
	uint64_t needed = reader->range_read_length + smaller(left, READER_BUFFER_LENGTH);
	uint64_t length = smaller(left, LOOK_LENGTH);

	if (needed <= reader->in_memory_length)
		return true;
	if (!proactor_is_in_memory(reader->proactor, reader->content->fd,
		    range->offset + reader->range_read_length, length))
		return false;
	reader->in_memory_length = reader->range_read_length + length;
	return true;
}

/* The part of the buffer for the next read; empty: there is no room. */
static struct stretch find_room(struct reader *reader, uint64_t left)
{
	const struct stretch both = { 0, READER_BUFFER_LENGTH };
	const struct stretch first = { 0, HALF };
	const struct stretch second = { HALF, READER_BUFFER_LENGTH };

	if (reader->current.end == 0)
		return left > HALF && is_in_memory(reader, left) ? both : first;
	if (reader->current.end <= HALF)
		return second;
	if (reader->current.begin >= HALF)
		return first;
	return (struct stretch){ 0, 0 };
}

static void *take_buffer(struct op *op)
{
	struct reader *reader = container_of(op, struct reader, op);

	if (!reader->buffer)
		reader->buffer = block_pool_take(&buffer_pool);
	return reader->buffer ? reader->buffer + reader->read_begin : NULL;
}

static void read_ahead(struct reader *reader)
{
	const struct range *range = &reader->set.ranges[reader->range_index];
	uint64_t left;
	struct stretch room;

	if (!may_read(reader))
		return;
	left = range->length - reader->range_read_length;
	room = find_room(reader, left);
	if (room.end == 0)
		return;
	reader->read_begin = room.begin;
	proactor_read_into(reader->proactor, &reader->op, reader->content->fd, take_buffer,
		(size_t)smaller(left, room.end - room.begin),
		range->offset + reader->range_read_length);
}

static void advance(struct reader *reader, uint64_t length)
{
	reader->range_read_length += length;
	if (reader->range_read_length < reader->set.ranges[reader->range_index].length)
		return;
	reader->range_index++;
	reader->range_read_length = 0;
	reader->in_memory_length = 0;
}

static void return_content(struct reader *reader)
{
	if (reader->content)
		content_return(reader->content);
	reader->content = NULL;
}

static void note_read(struct reader *reader, int64_t result)
{
	if (result <= 0) {
		reader->error = result < 0 ? (int)result : -ENODATA;
		return;
	}
	reader->ahead = (struct stretch){ reader->read_begin, reader->read_begin + (size_t)result };
	advance(reader, (uint64_t)result);
	if (reader->range_index == reader->set.count)
		return_content(reader);
}

static void end(struct reader *reader);

static void read_ended(struct proactor *proactor, struct op *op)
{
	struct reader *reader = container_of(op, struct reader, op);

	(void)proactor;
	if (reader->released) {
		end(reader);
		return;
	}
	note_read(reader, op->result);
	if (reader->awaited) {
		reader->awaited = false;
		reader->source.ready(&reader->source); /* may release us: last */
	}
}

/* --- producing ---------------------------------------------------------------------------- */

/* The previous piece has been sent. */
static void move_on(struct reader *reader)
{
	if (reader->position < reader->current.end)
		return;
	reader->current = reader->ahead;
	reader->position = reader->current.begin;
	reader->ahead = (struct stretch){ 0, 0 };
	if (reader->current.end == 0 && !op_is_active(&reader->op))
		return_buffer(reader);
}

static int hand_out(struct reader *reader, struct body_piece *piece, size_t length_max)
{
	size_t length = smaller(reader->current.end - reader->position, length_max);

	piece->bytes = (struct text){ reader->buffer + reader->position, length };
	reader->position += length;
	reader->produced_length += length;
	piece->is_continued = reader->produced_length < reader->length;
	return piece->is_continued ? BODY_PIECE : BODY_LAST;
}

static int produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct reader *reader = reader_of(source);

	assert(!reader->awaited);
	*piece = (struct body_piece){ .fd = -1 };
	if (reader->length == 0)
		return BODY_LAST;
	move_on(reader);
	read_ahead(reader);
	if (reader->current.end > 0)
		return hand_out(reader, piece, length_max);
	if (reader->error < 0)
		return reader->error;
	reader->awaited = true;
	piece->is_continued = true;
	return BODY_LATER;
}

/* --- the end ------------------------------------------------------------------------------ */

static void end(struct reader *reader)
{
	return_buffer(reader);
	return_content(reader);
	block_pool_return(&reader_pool, reader);
}

static void release(struct body_source *source)
{
	struct reader *reader = reader_of(source);

	reader->released = true;
	if (op_is_active(&reader->op))
		proactor_cancel(reader->proactor, &reader->op);
	else
		end(reader);
}

struct body_source *reader_open(
	struct proactor *proactor, struct content *content, const struct range_set *set)
{
	struct reader *reader = block_pool_take(&reader_pool);

	assert(content->fd >= 0);
	if (!reader)
		return NULL;
	memset(reader, 0, offsetof(struct reader, set));
	reader->source = (struct body_source){ .produce = produce, .release = release };
	reader->proactor = proactor;
	reader->length = range_set_length(set);
	reader->content = content_take(content);
	range_set_copy(&reader->set, set);
	op_init(&reader->op, read_ended);
	return &reader->source;
}

void reader_trim(void)
{
	block_pool_trim(&reader_pool);
	block_pool_trim(&buffer_pool);
}
