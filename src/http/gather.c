/* Gathering: a sink that copies into blocks, and a source that hands the blocks out.
 *
 * Everything received is consumed at once, since the blocks are the memory that backpressure would
 * save; what bounds them is the budget, counted in whole blocks.  It is one number, as there is one
 * worker in a process.  A body whose announced length exceeds a bound is refused before its first
 * byte, so that a client that asks first (Expect: 100-continue) need not send it. */
#include "http/gather.h"

#include <assert.h>
#include <errno.h>

#include "base/block_pool.h"

enum { BLOCKS_KEPT = 256, GATHERS_KEPT = 64 };

_Static_assert(sizeof(struct gather_block) == GATHER_BLOCK_SIZE, "a block has no padding");

static struct block_pool block_pool = BLOCK_POOL(sizeof(struct gather_block), BLOCKS_KEPT);
static struct block_pool gather_pool = BLOCK_POOL(sizeof(struct gather), GATHERS_KEPT);
static uint64_t limit = UINT64_MAX;

void gather_limit(uint64_t length_max)
{
	limit = length_max;
}

void gather_trim(void)
{
	block_pool_trim(&block_pool);
	block_pool_trim(&gather_pool);
}

struct gather *gather_new(struct exchange *exchange, void *context)
{
	struct gather *gather = block_pool_take(&gather_pool);

	if (!gather)
		return NULL;
	*gather = (struct gather){ .exchange = exchange, .context = context };
	list_init(&gather->blocks);
	return gather;
}

static struct gather_block *block_of(struct list_node *node)
{
	return container_of(node, struct gather_block, node);
}

static void return_first_block(struct gather *gather)
{
	block_pool_return(&block_pool, block_of(list_take_first(&gather->blocks)));
}

void gather_free(struct gather *gather)
{
	while (!list_is_empty(&gather->blocks))
		return_first_block(gather);
	block_pool_return(&gather_pool, gather);
}

/* --- memory ------------------------------------------------------------------------------- */

static uint64_t room(void)
{
	uint64_t taken = (uint64_t)block_pool.taken_count * GATHER_BLOCK_SIZE;

	return taken < limit ? limit - taken : 0;
}

/* The last block if it has room, else a new one; NULL: there is none to be had. */
static struct gather_block *open_block(struct gather *gather)
{
	struct gather_block *block = block_of(gather->blocks.head.previous);

	if (!list_is_empty(&gather->blocks) && block->length < GATHER_BLOCK_LENGTH)
		return block;
	block = room() >= GATHER_BLOCK_SIZE ? block_pool_take(&block_pool) : NULL;
	if (!block)
		return NULL;
	block->length = 0;
	list_append(&gather->blocks, &block->node);
	return block;
}

int gather_append(struct gather *gather, struct text bytes)
{
	while (bytes.length > 0) {
		struct gather_block *block = open_block(gather);
		struct text part;

		if (!block)
			return -ENOBUFS;
		part = text_first(bytes, GATHER_BLOCK_LENGTH - block->length);
		memcpy(block->bytes + block->length, part.bytes, part.length);
		block->length += part.length;
		gather->length += part.length;
		bytes = text_from(bytes, part.length);
	}
	return 0;
}

/* --- the sink ----------------------------------------------------------------------------- */

static void received(struct body_sink *sink, struct text bytes)
{
	struct gather *gather = container_of(sink, struct gather, sink);

	if (gather_append(gather, bytes) < 0)
		gather->done(gather, 503);
	else
		exchange_consumed(gather->exchange, bytes.length);
}

static unsigned status_of(int error)
{
	switch (error) {
	case 0:
		return 0;
	case -EMSGSIZE:
		return 413;
	case -ETIMEDOUT:
		return 408;
	default: /* -EPROTO, -ECONNRESET */
		return 400;
	}
}

static void ended(struct body_sink *sink, int error)
{
	struct gather *gather = container_of(sink, struct gather, sink);

	gather->done(gather, status_of(error));
}

/* 0, or the status that says why a body of the announced length need not be sent. */
static unsigned refusal(const struct gather *gather, uint64_t length_max)
{
	uint64_t length = gather->exchange->request.content_length;

	if (length == REQUEST_LENGTH_CHUNKED)
		return 0;
	if (length > length_max)
		return 413;
	return length > room() ? 503 : 0;
}

void gather_receive(struct gather *gather, uint64_t length_max, gather_done_fn *done)
{
	unsigned status = refusal(gather, length_max);

	if (status != 0) {
		done(gather, status);
		return;
	}
	gather->done = done;
	gather->sink = (struct body_sink){ .received = received, .ended = ended };
	exchange_receive(gather->exchange, &gather->sink, length_max);
}

/* --- the source --------------------------------------------------------------------------- */

static struct gather *gather_of(struct body_source *source)
{
	return container_of(source, struct gather, source);
}

/* The block whose last byte went out with the piece before is done with: an answer that is being
 * sent gives its memory back on the way. */
static int produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct gather *gather = gather_of(source);
	struct gather_block *block;

	*piece = (struct body_piece){ .fd = -1 };
	if (gather->length == 0)
		return BODY_LAST;
	block = block_of(list_first(&gather->blocks));
	if (block->length == gather->sent_length) {
		return_first_block(gather);
		gather->sent_length = 0;
		block = block_of(list_first(&gather->blocks));
	}
	piece->bytes = text_first(
		text_from((struct text){ block->bytes, block->length }, gather->sent_length),
		length_max);
	gather->sent_length += piece->bytes.length;
	gather->length -= piece->bytes.length;
	return gather->length == 0 ? BODY_LAST : BODY_PIECE;
}

static void release(struct body_source *source)
{
	gather_free(gather_of(source));
}

void gather_answer(struct gather *gather, unsigned status, struct text media_type)
{
	gather->source = (struct body_source){ .produce = produce, .release = release };
	exchange_add_field(gather->exchange, text_literal("Content-Type"), media_type);
	exchange_answer(gather->exchange, status, &gather->source, (int64_t)gather->length);
}
