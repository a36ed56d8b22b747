/* Reading ahead.
 *
 * The memory is one buffer of two halves.  What must come from a disk is read by halves: while
 * `current` is being sent, the half it leaves free is filled with what is `ahead`.  What is in
 * memory already need not be waited for, and the longer a piece, the less it costs to send: it is
 * read into both halves at once, when what was there before has left.  One read at a time, in the
 * order of the ranges, none across the end of one.
 *
 * The buffer is taken when a read really begins and returned when nothing is in it, so that many
 * readers take turns with the same, and a HEAD request needs none: the first produce() begins the
 * first read.
 *
 * release() may come at any time.  The read that is under way owns the buffer until it ends; then
 * everything is returned, and the reader goes back to its pool. */
#include "files/reader.h"

#include <assert.h>
#include <errno.h>

#include "base/block_pool.h"
#include "base/smaller.h"

enum { HALF = READER_BUFFER_LENGTH / 2 };

/* How much of a file is asked about at once, whether it is in memory. */
enum { LOOK_LENGTH = 4 * 1024 * 1024 };

/* Of the buffer; both 0: nothing. */
struct stretch {
	size_t begin, end;
};

struct reader {
	struct body_source source;
	struct op op; /* the read */
	struct proactor *proactor;
	uint64_t length;          /* of all ranges */
	uint64_t produced_length; /* bytes handed out so far */
	struct range_set set;
	unsigned range_index;       /* of the range that is being read */
	uint64_t range_read_length; /* bytes of that range so far */
	uint64_t in_memory_length;  /* so much of that range was seen to be in memory */
	char *buffer;
	struct stretch current; /* being handed out; the last of it may still be on its way */
	size_t position;        /* of what is handed out next */
	struct stretch ahead;   /* read, comes next */
	size_t read_begin;      /* where in the buffer the read goes */
	struct content *content;
	int error;    /* of a read: met by the consumer after what was read before it */
	bool awaited; /* BODY_LATER was said, ready() is owed */
	bool released;
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

/* Of what is left of the range, as much as fits into both halves. */
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

/* Where what is read next finds room; nowhere: both 0. */
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

static void note_read(struct reader *reader, int64_t result)
{
	if (result <= 0) {
		reader->error = result < 0 ? (int)result : -ENODATA;
		return;
	}
	reader->ahead = (struct stretch){ reader->read_begin, reader->read_begin + (size_t)result };
	advance(reader, (uint64_t)result);
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

/* What was handed out has left. */
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
	content_return(reader->content);
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
	*reader = (struct reader){
		.source = { .produce = produce, .release = release },
		.proactor = proactor,
		.length = range_set_length(set),
		.set = *set,
		.content = content_take(content),
	};
	op_init(&reader->op, read_ended);
	return &reader->source;
}

void reader_trim(void)
{
	block_pool_trim(&reader_pool);
	block_pool_trim(&buffer_pool);
}
