/* Reading ahead.
 *
 * The chunks are a ring: chunks[first] is the one being sent, the following ones are full, and the
 * one after those is being read; one read at a time, in the order of the ranges, none across the
 * end of one.  A chunk's memory is taken when its read really begins and returned when its last
 * byte has left, so that a short file holds one and a HEAD request none: the first produce() begins
 * the first read.
 *
 * release() may come at any time.  The read that is under way owns its chunk until it ends; then
 * everything is returned, and the reader goes back to its pool. */
#include "files/reader.h"

#include <assert.h>
#include <errno.h>

#include "base/block_pool.h"

struct chunk {
	char *bytes;
	size_t start, end; /* what is still to be sent */
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
	struct chunk chunks[READER_CHUNK_COUNT];
	unsigned first, full_count;
	struct content *content;
	int error;    /* of a read: met by the consumer after what was read before it */
	bool awaited; /* BODY_LATER was said, ready() is owed */
	bool released;
};

static struct block_pool reader_pool = BLOCK_POOL(sizeof(struct reader), 64);
static struct block_pool chunk_pool = BLOCK_POOL(READER_CHUNK_LENGTH, 32);

static struct reader *reader_of(struct body_source *source)
{
	return container_of(source, struct reader, source);
}

static struct chunk *chunk_at(struct reader *reader, unsigned position)
{
	return &reader->chunks[(reader->first + position) % READER_CHUNK_COUNT];
}

static void return_chunk(struct chunk *chunk)
{
	if (chunk->bytes)
		block_pool_return(&chunk_pool, chunk->bytes);
	*chunk = (struct chunk){ NULL, 0, 0 };
}

/* --- reading ------------------------------------------------------------------------------ */

static bool may_read(const struct reader *reader)
{
	return !op_is_active(&reader->op) && reader->error == 0 &&
	       reader->range_index < reader->set.count && reader->full_count < READER_CHUNK_COUNT;
}

static void *take_chunk(struct op *op)
{
	struct reader *reader = container_of(op, struct reader, op);
	struct chunk *chunk = chunk_at(reader, reader->full_count);

	chunk->bytes = block_pool_take(&chunk_pool);
	return chunk->bytes;
}

static void read_ahead(struct reader *reader)
{
	const struct range *range = &reader->set.ranges[reader->range_index];
	uint64_t left;

	if (!may_read(reader))
		return;
	left = range->length - reader->range_read_length;
	proactor_read_into(reader->proactor, &reader->op, reader->content->fd, take_chunk,
		left < READER_CHUNK_LENGTH ? (size_t)left : READER_CHUNK_LENGTH,
		range->offset + reader->range_read_length);
}

static void advance(struct reader *reader, uint64_t length)
{
	reader->range_read_length += length;
	if (reader->range_read_length < reader->set.ranges[reader->range_index].length)
		return;
	reader->range_index++;
	reader->range_read_length = 0;
}

static void note_read(struct reader *reader, int64_t result)
{
	struct chunk *chunk = chunk_at(reader, reader->full_count);

	if (result <= 0) {
		return_chunk(chunk);
		/* What is being sent may come free; with nothing to wait for there is no hope. */
		if (result != -ENOMEM || reader->full_count == 0)
			reader->error = result < 0 ? (int)result : -ENODATA;
		return;
	}
	chunk->start = 0;
	chunk->end = (size_t)result;
	reader->full_count++;
	advance(reader, (uint64_t)result);
}

static void end(struct reader *reader);

static void chunk_read(struct proactor *proactor, struct op *op)
{
	struct reader *reader = container_of(op, struct reader, op);

	(void)proactor;
	note_read(reader, op->result);
	if (reader->released) {
		end(reader);
		return;
	}
	if (op->result > 0)
		read_ahead(reader);
	if (reader->awaited) {
		reader->awaited = false;
		reader->source.ready(&reader->source); /* may release us: last */
	}
}

/* --- producing ---------------------------------------------------------------------------- */

static void return_sent_chunk(struct reader *reader)
{
	struct chunk *chunk = chunk_at(reader, 0);

	if (reader->full_count == 0 || chunk->start < chunk->end)
		return;
	return_chunk(chunk);
	reader->first = (reader->first + 1) % READER_CHUNK_COUNT;
	reader->full_count--;
}

static int hand_out(struct reader *reader, struct body_piece *piece, size_t length_max)
{
	struct chunk *chunk = chunk_at(reader, 0);
	size_t length = chunk->end - chunk->start;

	if (length > length_max)
		length = length_max;
	piece->bytes = (struct text){ chunk->bytes + chunk->start, length };
	chunk->start += length;
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
	return_sent_chunk(reader);
	read_ahead(reader);
	if (reader->full_count > 0)
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
	for (unsigned i = 0; i < READER_CHUNK_COUNT; i++)
		return_chunk(&reader->chunks[i]);
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
	op_init(&reader->op, chunk_read);
	return &reader->source;
}

void reader_trim(void)
{
	block_pool_trim(&reader_pool);
	block_pool_trim(&chunk_pool);
}
