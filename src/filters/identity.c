/* The filter that changes nothing: the pattern for those that do.
 *
 * It holds no bytes of its own, so that a piece of the inner source is passed on as it is, file
 * extents too, and is valid as long.  What is left is the wiring every filter needs: produce()
 * pulls from the inner source, its ready() becomes ours, release() is passed on. */
#include "filters/filter.h"

#include "base/block_pool.h"
#include "base/list.h"

struct identity {
	struct body_source source;
	struct body_source *inner;
};

static struct block_pool pool = BLOCK_POOL(sizeof(struct identity), 64);

static struct identity *identity_of(struct body_source *source)
{
	return container_of(source, struct identity, source);
}

static int produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct body_source *inner = identity_of(source)->inner;

	return inner->produce(inner, piece, length_max);
}

static void release(struct body_source *source)
{
	struct identity *identity = identity_of(source);

	identity->inner->release(identity->inner);
	block_pool_return(&pool, identity);
}

static void inner_ready(struct body_source *inner)
{
	struct identity *identity = inner->consumer;

	identity->source.ready(&identity->source);
}

static struct body_source *open_identity(
	struct body_source *inner, int64_t *length, const struct filter_context *context)
{
	struct identity *identity = block_pool_take(&pool);

	(void)length; /* as long as before */
	(void)context;
	if (!identity)
		return NULL;
	*identity = (struct identity){
		.source = { .produce = produce, .release = release },
		.inner = inner,
	};
	inner->ready = inner_ready;
	inner->consumer = identity;
	return &identity->source;
}

static void trim(void)
{
	block_pool_trim(&pool);
}

const struct filter identity_filter = {
	.name = "identity",
	.keeps_bytes = true,
	.open = open_identity,
	.trim = trim,
};
