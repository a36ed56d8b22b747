/* The filter that compresses.
 *
 * What costs time, deflate(), is work of the thread pool and never the loop's.  One piece of the
 * inner source at a time is taken there and read in place, since it is valid until the next one is
 * asked for; what comes out is collected in one buffer, and handed out when that is full, at the
 * end, or when the inner source says LATER: then all it has given is flushed, so that a slow source
 * reaches its reader as it goes.  Nothing else runs ahead of the wire's demand, and memory is the
 * same however long the body is.
 *
 *	PULLING      the inner source is to be asked, or has said LATER
 *	COMPRESSING  a thread has the piece, the buffer and zlib's state
 *	HANDING_OUT  the buffer is the wire's
 *	FAILED       the wire is told, or is about to be
 *
 * release() may come at any time.  Work that is under way owns everything until it ends; then the
 * inner source is released, and the state goes back to those that are kept: zlib's 256 KiB are not
 * allocated for each body. */
#include "filters/gzip.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/list.h"
#include "base/metrics.h"
#include "proactor/proactor.h"

enum {
	INPUT_LENGTH_MAX = 65536,     /* given to a thread at once: some ms */
	OUTPUT_LENGTH_MAX = 32768,    /* handed out at once */
	KEPT_MAX = 8,                 /* idle states */
	WINDOW_BITS = MAX_WBITS + 16, /* with gzip's head and checksum */
	MEMORY_LEVEL = 8,
};

enum gzip_state { GZIP_PULLING, GZIP_COMPRESSING, GZIP_HANDING_OUT, GZIP_FAILED };

struct gzip {
	struct body_source source;
	struct body_source *inner;
	struct proactor *proactor;
	struct op op;
	z_stream stream;
	enum gzip_state state;
	unsigned level;
	int flush;                     /* what the work at hand is told: Z_NO_FLUSH, … */
	uLong counted_in, counted_out; /* of zlib's totals */
	bool begun;                    /* zlib's state is this body's */
	bool ended;                    /* zlib has written its last byte */
	bool unflushed;                /* something went in since the last flush */
	bool inner_awaited;            /* the inner source said LATER */
	bool awaited;                  /* so did we, ready() is owed */
	bool released;
	int error;
	size_t handed_length; /* of the output */
	unsigned char output[OUTPUT_LENGTH_MAX];
};

static struct gzip *kept[KEPT_MAX];
static size_t kept_count;
static size_t taken_count, taken_count_max = SIZE_MAX;

static struct gzip *gzip_of(struct body_source *source)
{
	return container_of(source, struct gzip, source);
}

/* --- memory -------------------------------------------------------------------------------- */

static struct gzip *make(void)
{
	struct gzip *gzip = malloc(sizeof(*gzip));

	if (!gzip)
		return NULL;
	gzip->stream = (z_stream){ 0 };
	if (deflateInit2(&gzip->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS,
		    MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(gzip);
		return NULL;
	}
	return gzip;
}

static void destroy(struct gzip *gzip)
{
	deflateEnd(&gzip->stream);
	free(gzip);
}

static struct gzip *take(void)
{
	struct gzip *gzip;

	if (taken_count >= taken_count_max)
		return NULL;
	gzip = kept_count > 0 ? kept[--kept_count] : make();
	if (gzip)
		taken_count++;
	return gzip;
}

static void give_back(struct gzip *gzip)
{
	taken_count--;
	if (kept_count < KEPT_MAX)
		kept[kept_count++] = gzip;
	else
		destroy(gzip);
}

void gzip_limit(size_t count_max)
{
	taken_count_max = count_max;
}

void gzip_trim(void)
{
	while (kept_count > 0)
		destroy(kept[--kept_count]);
}

/* --- a thread's part ----------------------------------------------------------------------- */

static int64_t compress_piece(void *context)
{
	struct gzip *gzip = context;
	int r;

	if (!gzip->begun &&
		(deflateReset(&gzip->stream) != Z_OK ||
			deflateParams(&gzip->stream, (int)gzip->level, Z_DEFAULT_STRATEGY) != Z_OK))
		return -EIO;
	gzip->begun = true;
	r = deflate(&gzip->stream, gzip->flush);
	gzip->ended = r == Z_STREAM_END;
	/* Z_BUF_ERROR: there was nothing left to do. */
	return r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR ? 0 : -EIO;
}

/* --- the loop's part ----------------------------------------------------------------------- */

static void fail_with(struct gzip *gzip, int error)
{
	gzip->state = GZIP_FAILED;
	gzip->error = error;
}

static void start_work(struct gzip *gzip, int flush)
{
	if (!gzip->begun)
		metrics_add(METRIC_COMPRESSIONS, 1);
	gzip->state = GZIP_COMPRESSING;
	gzip->flush = flush;
	proactor_work(gzip->proactor, &gzip->op, compress_piece, gzip);
}

static void take_in(struct gzip *gzip, struct text bytes, bool is_last)
{
	gzip->stream.next_in = (unsigned char *)(uintptr_t)bytes.bytes;
	gzip->stream.avail_in = (unsigned)bytes.length;
	gzip->unflushed = true;
	start_work(gzip, is_last ? Z_FINISH : Z_NO_FLUSH);
}

/* All that is in must be compressed. */
static void pull(struct gzip *gzip)
{
	struct body_piece piece;
	int outcome;

	do {
		piece = (struct body_piece){ .fd = -1 };
		outcome = gzip->inner->produce(gzip->inner, &piece, INPUT_LENGTH_MAX);
	} while (outcome == BODY_PIECE && piece.fd < 0 && piece.bytes.length == 0);
	if (outcome < 0) {
		fail_with(gzip, outcome);
	} else if (outcome == BODY_LATER) {
		gzip->inner_awaited = true;
		gzip->state = GZIP_PULLING;
		if (gzip->unflushed)
			start_work(gzip, Z_SYNC_FLUSH);
	} else if (piece.fd >= 0) {
		fail_with(gzip, -ENOTSUP);
	} else {
		take_in(gzip, piece.bytes, outcome == BODY_LAST);
	}
}

/* zlib had room left: it has nothing more to say to this flush. */
static bool is_work_complete(const struct gzip *gzip)
{
	return gzip->ended || gzip->stream.avail_out > 0;
}

static size_t output_length(const struct gzip *gzip)
{
	return OUTPUT_LENGTH_MAX - gzip->stream.avail_out;
}

static void empty_output(struct gzip *gzip)
{
	gzip->stream.next_out = gzip->output;
	gzip->stream.avail_out = OUTPUT_LENGTH_MAX;
	gzip->handed_length = 0;
}

static void pull_unless_awaited(struct gzip *gzip)
{
	gzip->state = GZIP_PULLING;
	if (!gzip->inner_awaited)
		pull(gzip);
}

/* After work that succeeded. */
static void go_on(struct gzip *gzip)
{
	bool is_flushed = gzip->flush == Z_SYNC_FLUSH && is_work_complete(gzip);

	if (is_flushed)
		gzip->unflushed = false;
	if (!is_work_complete(gzip) || gzip->ended || (is_flushed && output_length(gzip) > 0))
		gzip->state = GZIP_HANDING_OUT;
	else
		pull_unless_awaited(gzip);
}

static void count_work(struct gzip *gzip)
{
	const z_stream *stream = &gzip->stream;

	metrics_add(METRIC_COMPRESSION_BYTES_IN, stream->total_in - gzip->counted_in);
	metrics_add(METRIC_COMPRESSION_BYTES_OUT, stream->total_out - gzip->counted_out);
	gzip->counted_in = stream->total_in;
	gzip->counted_out = stream->total_out;
}

/* The wire may release us: last. */
static void tell_if_due(struct gzip *gzip)
{
	if (!gzip->awaited || gzip->state == GZIP_PULLING || gzip->state == GZIP_COMPRESSING)
		return;
	gzip->awaited = false;
	gzip->source.ready(&gzip->source);
}

static void end(struct gzip *gzip)
{
	gzip->inner->release(gzip->inner);
	give_back(gzip);
}

static void work_done(struct proactor *proactor, struct op *op)
{
	struct gzip *gzip = container_of(op, struct gzip, op);

	(void)proactor;
	if (gzip->released) {
		end(gzip);
		return;
	}
	if (op->result < 0) {
		fail_with(gzip, (int)op->result);
	} else {
		count_work(gzip);
		go_on(gzip);
	}
	tell_if_due(gzip);
}

/* It may come while what it gave before is being flushed, or has not left. */
static void inner_ready(struct body_source *inner)
{
	struct gzip *gzip = inner->consumer;

	gzip->inner_awaited = false;
	if (gzip->released || gzip->state != GZIP_PULLING)
		return;
	pull(gzip);
	tell_if_due(gzip);
}

/* --- the wire's side ----------------------------------------------------------------------- */

static int hand_out(struct gzip *gzip, struct body_piece *piece, size_t length_max)
{
	const struct text output = { (const char *)gzip->output, output_length(gzip) };
	struct text bytes = text_first(text_from(output, gzip->handed_length), length_max);

	piece->bytes = bytes;
	gzip->handed_length += bytes.length;
	return gzip->ended && gzip->handed_length == output.length ? BODY_LAST : BODY_PIECE;
}

/* What was handed out has left: when that is all, the buffer is free for what follows. */
static void leave_output_behind(struct gzip *gzip)
{
	bool is_complete = is_work_complete(gzip);

	if (gzip->ended || gzip->handed_length < output_length(gzip))
		return;
	empty_output(gzip);
	if (is_complete)
		pull_unless_awaited(gzip);
	else
		start_work(gzip, gzip->flush);
}

static int produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct gzip *gzip = gzip_of(source);

	assert(!gzip->awaited);
	*piece = (struct body_piece){ .fd = -1 };
	if (gzip->state == GZIP_PULLING)
		pull_unless_awaited(gzip);
	else if (gzip->state == GZIP_HANDING_OUT)
		leave_output_behind(gzip);
	if (gzip->state == GZIP_FAILED)
		return gzip->error;
	if (gzip->state == GZIP_HANDING_OUT)
		return hand_out(gzip, piece, length_max);
	gzip->awaited = true;
	return BODY_LATER;
}

static void release(struct body_source *source)
{
	struct gzip *gzip = gzip_of(source);

	gzip->released = true;
	if (op_is_active(&gzip->op))
		proactor_cancel(gzip->proactor, &gzip->op);
	else
		end(gzip);
}

static struct body_source *open_gzip(
	struct body_source *inner, struct proactor *proactor, unsigned level)
{
	struct gzip *gzip = take();

	if (!gzip)
		return NULL;
	gzip->source = (struct body_source){ .produce = produce, .release = release };
	gzip->inner = inner;
	gzip->proactor = proactor;
	gzip->level = level;
	gzip->state = GZIP_PULLING;
	gzip->begun = gzip->ended = gzip->unflushed = false;
	gzip->inner_awaited = gzip->awaited = gzip->released = false;
	gzip->counted_in = gzip->counted_out = 0;
	gzip->stream.avail_in = 0;
	empty_output(gzip);
	op_init(&gzip->op, work_done);
	inner->ready = inner_ready;
	inner->consumer = gzip;
	return &gzip->source;
}

const struct body_coder gzip_coder = { .name = TEXT("gzip"), .open = open_gzip };
