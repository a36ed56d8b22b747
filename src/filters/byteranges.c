/* The parts of a multipart body.
 *
 * Heads are pieces from memory, what is between them are the inner body's own pieces, file extents
 * too: the inner body is never asked for more than what is left of a part, so that a head falls due
 * exactly between two of its pieces.  One head at a time is written, where the one before was; the
 * length of all is known beforehand by writing each once. */
#include "filters/byteranges.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

#include "base/block_pool.h"
#include "base/list.h"
#include "base/smaller.h"

enum { HEAD_SIZE = 512 }; /* a media type is a constant of media_type.c, and short */

struct multipart {
	struct body_source source;
	struct body_source *inner;
	struct byteranges parts;
	unsigned next;       /* the part whose head is written next */
	uint64_t left;       /* bytes of the part before that are still to come */
	struct text pending; /* of a head, or of the end */
	bool ending;         /* what is pending is the end */
	char head[HEAD_SIZE];
};

static struct block_pool pool = BLOCK_POOL(sizeof(struct multipart), 16);

int byteranges_choose_boundary(struct byteranges *parts)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char random[BYTERANGES_BOUNDARY_LENGTH / 2];

	if (getrandom(random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		return -EAGAIN;
	for (size_t i = 0; i < sizeof(random); i++) {
		parts->boundary[2 * i] = digits[random[i] >> 4];
		parts->boundary[2 * i + 1] = digits[random[i] & 15];
	}
	return 0;
}

static void append_boundary(struct buffer *buffer, const struct byteranges *parts)
{
	buffer_append(buffer, (struct text){ parts->boundary, sizeof(parts->boundary) });
}

void byteranges_append_media_type(struct buffer *buffer, const struct byteranges *parts)
{
	buffer_append(buffer, text_literal("multipart/byteranges; boundary="));
	append_boundary(buffer, parts);
}

/* --- heads -------------------------------------------------------------------------------- */

static void append_head(struct buffer *buffer, const struct byteranges *parts, unsigned index)
{
	if (index > 0)
		buffer_append(buffer, text_literal("\r\n"));
	buffer_append(buffer, text_literal("--"));
	append_boundary(buffer, parts);
	buffer_append(buffer, text_literal("\r\nContent-Type: "));
	buffer_append(buffer, parts->media_type);
	buffer_append(buffer, text_literal("\r\nContent-Range: "));
	range_append_content(buffer, &parts->set.ranges[index], parts->length);
	buffer_append(buffer, text_literal("\r\n\r\n"));
}

static void append_end(struct buffer *buffer, const struct byteranges *parts)
{
	buffer_append(buffer, text_literal("\r\n--"));
	append_boundary(buffer, parts);
	buffer_append(buffer, text_literal("--\r\n"));
}

/* What stands before part `index`, or behind the last. */
static struct text write_head(struct multipart *multipart, unsigned index)
{
	struct buffer buffer;

	buffer_init(&buffer, multipart->head, sizeof(multipart->head));
	if (index < multipart->parts.set.count)
		append_head(&buffer, &multipart->parts, index);
	else
		append_end(&buffer, &multipart->parts);
	assert(!buffer.truncated);
	return buffer_text(&buffer);
}

static uint64_t length_of(struct multipart *multipart)
{
	uint64_t length = range_set_length(&multipart->parts.set);

	for (unsigned i = 0; i <= multipart->parts.set.count; i++)
		length += write_head(multipart, i).length;
	return length;
}

/* --- the body ----------------------------------------------------------------------------- */

static struct multipart *multipart_of(struct body_source *source)
{
	return container_of(source, struct multipart, source);
}

static void begin_part(struct multipart *multipart)
{
	const struct range_set *set = &multipart->parts.set;

	multipart->pending = write_head(multipart, multipart->next);
	if (multipart->next < set->count)
		multipart->left = set->ranges[multipart->next++].length;
	else
		multipart->ending = true;
}

static int produce_head(struct multipart *multipart, struct body_piece *piece, size_t length_max)
{
	struct text bytes = text_first(multipart->pending, length_max);

	multipart->pending = text_from(multipart->pending, bytes.length);
	*piece = (struct body_piece){
		.bytes = bytes,
		.fd = -1,
		.is_continued = !multipart->ending || multipart->pending.length > 0,
	};
	return piece->is_continued ? BODY_PIECE : BODY_LAST;
}

static int produce_part(struct multipart *multipart, struct body_piece *piece, size_t length_max)
{
	size_t wanted = (size_t)smaller(multipart->left, length_max);
	int outcome = multipart->inner->produce(multipart->inner, piece, wanted);

	if (outcome < 0 || outcome == BODY_LATER)
		return outcome;
	multipart->left -= piece->fd < 0 ? piece->bytes.length : piece->length;
	if (outcome == BODY_LAST &&
		(multipart->left > 0 || multipart->next < multipart->parts.set.count))
		return -ENODATA;
	return BODY_PIECE;
}

static int produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct multipart *multipart = multipart_of(source);

	if (multipart->pending.length == 0 && multipart->left == 0)
		begin_part(multipart);
	if (multipart->pending.length > 0)
		return produce_head(multipart, piece, length_max);
	return produce_part(multipart, piece, length_max);
}

static void release(struct body_source *source)
{
	struct multipart *multipart = multipart_of(source);

	multipart->inner->release(multipart->inner);
	block_pool_return(&pool, multipart);
}

static void inner_ready(struct body_source *inner)
{
	struct multipart *multipart = inner->consumer;

	multipart->source.ready(&multipart->source);
}

struct body_source *byteranges_open(
	struct body_source *inner, const struct byteranges *parts, int64_t *length)
{
	struct multipart *multipart = block_pool_take(&pool);

	if (!multipart)
		return NULL;
	*multipart = (struct multipart){
		.source = { .produce = produce, .release = release },
		.inner = inner,
		.parts = *parts,
	};
	inner->ready = inner_ready;
	inner->consumer = multipart;
	*length = (int64_t)length_of(multipart);
	return &multipart->source;
}

void byteranges_trim(void)
{
	block_pool_trim(&pool);
}
