/* Extents of a file.  The source counts how much of which range has been produced.  If the file has
 * become shorter, sending the extent fails with -ENODATA.
 *
 * A file that is rewritten in place while it is sent would arrive as a mixture, or with zeros after
 * a truncation.  So the source examines the file before the last extent of a long body, and ends
 * with -ENODATA if it has changed.  This cannot be complete: data queued in the socket refers to
 * the page cache and may still change.
 *
 * Sources come from a pool of the process and may outlive the endpoint that made them. */
#include "files/extents.h"

#include <assert.h>
#include <errno.h>

#include "base/block_pool.h"
#include "base/smaller.h"

enum {
	LONG_LENGTH_MIN = 4 * 1024 * 1024, /* below, too little is left to find out while sending */
	LONG_LENGTH_MAX = 16 * 1024 * 1024, /* beyond, wires ask for several extents anyway */
	LAST_LENGTH = 256 * 1024,
};

struct extents {
	struct body_source source;
	struct op op; /* examines the file */
	struct proactor *proactor;
	struct stat stat;
	bool is_examined, is_awaited, is_released;
	struct content *content;
	unsigned index;           /* of the range that the next extent belongs to */
	uint64_t produced_length; /* bytes of that range so far */
	struct range_set set;
};

static struct block_pool pool = BLOCK_POOL(sizeof(struct extents), 256);

static struct extents *extents_of(struct body_source *source)
{
	return container_of(source, struct extents, source);
}

static void fill_piece(
	struct body_piece *piece, const struct content *content, uint64_t offset, uint64_t length)
{
	piece->fd = content->fd;
	if (content->fd < 0) {
		piece->bytes = text_first(text_from(content->bytes, offset), length);
		piece->headroom = offset == 0 ? content->headroom : NULL;
	} else {
		piece->offset = offset;
		piece->length = length;
	}
}

static void extents_end(struct extents *extents)
{
	if (extents->content->headroom)
		extents->content->headroom->user_count--;
	content_return(extents->content);
	block_pool_return(&pool, extents);
}

static void extents_examined(struct proactor *proactor, struct op *op)
{
	struct extents *extents = container_of(op, struct extents, op);

	(void)proactor;
	extents->is_awaited = false;
	if (extents->is_released) {
		extents_end(extents);
		return;
	}
	extents->source.ready(&extents->source); /* may release us: last */
}

/* The first piece goes out unexamined: its file was looked up just now. */
static bool needs_examination(const struct extents *extents, uint64_t length, uint64_t left)
{
	return length == left && extents->produced_length > 0 &&
	       extents->index + 1 == extents->set.count && !extents->is_examined &&
	       extents->content->is_described;
}

/* The end of a long range is an extent of its own: the file is examined before it. */
static uint64_t extent_length(uint64_t left, uint64_t length_max)
{
	if (left > LONG_LENGTH_MIN && left <= LONG_LENGTH_MAX)
		left -= LAST_LENGTH;
	return smaller(left, length_max);
}

static int extents_examine(struct extents *extents, struct body_piece *piece)
{
	extents->is_examined = extents->is_awaited = true;
	piece->is_continued = true;
	op_init(&extents->op, extents_examined);
	proactor_stat(extents->proactor, &extents->op, extents->content->fd, &extents->stat);
	return BODY_LATER;
}

static bool has_changed(const struct extents *extents)
{
	return extents->is_examined &&
	       (extents->op.result < 0 || content_has_changed(extents->content, &extents->stat));
}

static int extents_produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct extents *extents = extents_of(source);
	const struct range *range = &extents->set.ranges[extents->index];
	uint64_t left = range->length - extents->produced_length;
	uint64_t length = extent_length(left, length_max);

	*piece = (struct body_piece){ .fd = -1 };
	if (left == 0)
		return BODY_LAST; /* an empty file */
	assert(!extents->is_awaited);
	if (needs_examination(extents, length, left))
		return extents_examine(extents, piece);
	if (has_changed(extents))
		return -ENODATA;
	fill_piece(piece, extents->content, range->offset + extents->produced_length, length);
	extents->produced_length += length;
	if (length < left)
		return BODY_PIECE;
	extents->produced_length = 0;
	return ++extents->index == extents->set.count ? BODY_LAST : BODY_PIECE;
}

static void extents_release(struct body_source *source)
{
	struct extents *extents = extents_of(source);

	extents->is_released = true;
	if (extents->is_awaited)
		proactor_cancel(extents->proactor, &extents->op);
	else
		extents_end(extents);
}

struct body_source *extents_open(
	struct proactor *proactor, struct content *content, const struct range_set *set)
{
	struct extents *extents = block_pool_take(&pool);

	if (!extents)
		return NULL;
	extents->source =
		(struct body_source){ .produce = extents_produce, .release = extents_release };
	extents->proactor = proactor;
	extents->is_examined = extents->is_awaited = extents->is_released = false;
	extents->content = content_take(content);
	if (content->headroom)
		content->headroom->user_count++;
	extents->index = 0;
	extents->produced_length = 0;
	range_set_copy(&extents->set, set);
	return &extents->source;
}

void extents_trim(void)
{
	block_pool_trim(&pool);
}
