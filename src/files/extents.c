/* Extents of a file.  The source is a counter: how much of which range was asked for.  A file that
 * has become shorter is found out by whoever sends the extent (-ENODATA).
 *
 * Sources come from a pool of the process and may outlive the endpoint that made them. */
#include "files/extents.h"

#include "base/block_pool.h"
#include "base/smaller.h"

struct extents {
	struct body_source source;
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

static int produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct extents *extents = extents_of(source);
	const struct range *range = &extents->set.ranges[extents->index];
	uint64_t left = range->length - extents->produced_length;
	uint64_t length = smaller(length_max, left);

	*piece = (struct body_piece){ .fd = -1 };
	if (left == 0)
		return BODY_LAST; /* an empty file */
	fill_piece(piece, extents->content, range->offset + extents->produced_length, length);
	extents->produced_length += length;
	if (length < left)
		return BODY_PIECE;
	extents->produced_length = 0;
	return ++extents->index == extents->set.count ? BODY_LAST : BODY_PIECE;
}

static void release(struct body_source *source)
{
	struct extents *extents = extents_of(source);

	if (extents->content->headroom)
		extents->content->headroom->user_count--;
	content_return(extents->content);
	block_pool_return(&pool, extents);
}

struct body_source *extents_open(
	struct proactor *proactor, struct content *content, const struct range_set *set)
{
	struct extents *extents = block_pool_take(&pool);

	(void)proactor;
	if (!extents)
		return NULL;
	extents->source = (struct body_source){ .produce = produce, .release = release };
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
