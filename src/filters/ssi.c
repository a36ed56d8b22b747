/* Server-side includes: a body made of documents inside one another.
 *
 * The outermost document's body is the filter's inner one; each include puts another on top, a
 * reader of its own, until that one has ended.  Long text is passed on in place, up to the next
 * directive; short text and what directives write is gathered until something must be awaited.  A
 * directive is carried out when it is read whole, and its value is written before reading goes on:
 *
 *	value left? ── write it            document ended? ── back to its includer, or the end
 *	     │ no                               │ no
 *	looking a file up? ── LATER        bytes left? ── scan: text, or a directive
 *	     └── no ─────────────────────────┘  └── no: the body's next piece
 *
 * so that at any time there is one document being read, one value or one lookup, in memory of a
 * fixed size: a document's path and settings, eight of them at most, and one buffer each for a
 * directive and for the output.
 *
 * A document that includes itself, over whatever detour, is known by device and inode, so that no
 * link hides it.  release() may come at any time: bodies release themselves, and a lookup or a
 * close that is under way keeps the filter's memory until it has ended. */
#include "filters/ssi_private.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/block_pool.h"
#include "base/log.h"
#include "base/metrics.h"
#include "files/reader.h"
#include "filters/filter.h"
#include "http/status.h"

static const char ERROR_MESSAGE[] = "[an error occurred while processing the directive]";
static const char TIME_FORMAT[] = "%A, %d-%b-%Y %H:%M:%S %Z";

static struct block_pool ssi_pool = BLOCK_POOL(sizeof(struct ssi), 16);
static struct block_pool document_pool = BLOCK_POOL(sizeof(struct document), 16);

static struct ssi *ssi_of(struct body_source *source)
{
	return container_of(source, struct ssi, source);
}

/* --- errors ------------------------------------------------------------------------------- */

void ssi_fail(struct ssi *ssi, const char *format, ...)
{
	const struct document *document = ssi->document;
	char what[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	log_warning("ssi: %s/%.*s:%u: %s", ssi->root->path, (int)document->path_length,
		document->path, document->scanner.directive_line, what);
	metrics_add(METRIC_SSI_ERRORS, 1);
	ssi->value = (struct text){ document->error_message, document->error_length };
	ssi->encoding = SSI_ENCODING_NONE;
}

/* --- documents ---------------------------------------------------------------------------- */

/* What the last step waited for has come. */
static void go_on(struct ssi *ssi)
{
	assert(ssi->is_awaiting);
	ssi->is_awaiting = false;
	if (!ssi->is_awaited)
		return;
	ssi->is_awaited = false;
	ssi->source.ready(&ssi->source); /* may release us: last */
}

static void body_ready(struct body_source *body)
{
	go_on(body->consumer);
}

/* A query holds for what the document includes, too, unless that is named with its own. */
static void set_path(struct document *document, struct text path, struct text query)
{
	assert(path.length + query.length <= sizeof(document->path));
	memcpy(document->path, path.bytes, path.length);
	document->path_length = path.length;
	document->query = document->includer ? document->includer->query : (struct text){ NULL, 0 };
	if (query.bytes) {
		memcpy(document->path + path.length, query.bytes, query.length);
		document->query = (struct text){ document->path + path.length, query.length };
	}
}

/* True: the body is the document's from now on; false: out of memory. */
static bool begin_document(
	struct ssi *ssi, struct body_source *body, struct text path, const struct stat *stat)
{
	struct document *document = block_pool_take(&document_pool);

	if (!document)
		return false;
	document->includer = ssi->document;
	document->body = body;
	document->rest = (struct text){ NULL, 0 };
	document->body_is_ended = document->is_ended = false;
	ssi_scanner_init(&document->scanner, ssi->directive);
	document->device = stat->st_dev;
	document->inode = stat->st_ino;
	document->error_length = sizeof(ERROR_MESSAGE) - 1;
	memcpy(document->error_message, ERROR_MESSAGE, sizeof(ERROR_MESSAGE));
	memcpy(document->time_format, TIME_FORMAT, sizeof(TIME_FORMAT));
	document->sizes_are_abbreviated = false;
	document->skip_depth = 0;
	set_path(document, path, ssi->query);
	body->ready = body_ready;
	body->consumer = ssi;
	ssi->document = document;
	ssi->depth++;
	return true;
}

static void end_document(struct ssi *ssi)
{
	struct document *document = ssi->document;

	ssi->document = document->includer;
	ssi->depth--;
	document->body->release(document->body);
	block_pool_return(&document_pool, document);
}

static bool is_being_read(const struct ssi *ssi, const struct stat *stat)
{
	for (const struct document *document = ssi->document; document;
		document = document->includer) {
		if (document->device == stat->st_dev && document->inode == stat->st_ino)
			return true;
	}
	return false;
}

/* --- looking up --------------------------------------------------------------------------- */

static void ssi_free(struct ssi *ssi)
{
	ssi_request_free(ssi->request);
	block_pool_return(&ssi_pool, ssi);
}

/* Reading goes on, if anybody still wants it. */
static void end_looking(struct ssi *ssi)
{
	ssi->is_looking = false;
	if (ssi->is_released)
		ssi_free(ssi);
	else
		go_on(ssi);
}

static void found_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	end_looking(container_of(op, struct ssi, close));
}

void ssi_close_found(struct ssi *ssi)
{
	op_init(&ssi->close, found_closed);
	proactor_close(ssi->proactor, &ssi->close, ssi->lookup.fd);
}

static void fail_lookup(struct ssi *ssi)
{
	struct text reason = status_reason(ssi->lookup.status);

	ssi_fail(ssi, "/%s: %u %.*s", ssi->lookup.path, ssi->lookup.status, TEXT_ARGUMENTS(reason));
}

static void looked_up(struct lookup *lookup)
{
	struct ssi *ssi = container_of(lookup, struct ssi, lookup);

	if (lookup->status == 200) {
		assert(!ssi->is_released); /* the lookup was cancelled, and finds nothing */
		ssi->found(ssi);
		return;
	}
	if (!ssi->is_released)
		fail_lookup(ssi);
	end_looking(ssi);
}

void ssi_look_up(struct ssi *ssi, struct text path, void (*found)(struct ssi *ssi))
{
	if (!router_permits(ssi->location, path, &ssi->client)) {
		ssi_fail(ssi, "%.*s: not for this client", TEXT_ARGUMENTS(path));
		return;
	}
	ssi->found = found;
	ssi->is_looking = lookup_start(&ssi->lookup, path) == 0;
	if (!ssi->is_looking)
		fail_lookup(ssi);
}

static void refuse_found(struct ssi *ssi, const char *why)
{
	ssi_fail(ssi, "/%s: %s", ssi->lookup.path, why);
	ssi_close_found(ssi);
}

/* False: out of memory. */
static bool begin_found(struct ssi *ssi, struct content *content)
{
	const struct lookup *lookup = &ssi->lookup;
	struct body_source *body;
	struct range_set whole;

	range_set_whole(&whole, (uint64_t)lookup->stat.st_size);
	body = reader_open(ssi->proactor, content, &whole);
	if (!body)
		return false;
	if (begin_document(ssi, body, lookup_path(lookup), &lookup->stat))
		return true;
	body->release(body);
	return false;
}

void ssi_include(struct ssi *ssi)
{
	struct content *content;

	if (is_being_read(ssi, &ssi->lookup.stat)) {
		refuse_found(ssi, "includes itself");
		return;
	}
	if (lookup_path(&ssi->lookup).length + ssi->query.length > PATH_MAX) {
		refuse_found(ssi, "path and query are too long");
		return;
	}
	content = content_of_file(ssi->proactor, ssi->lookup.fd);
	if (!content) {
		refuse_found(ssi, "out of memory");
		return;
	}
	if (!begin_found(ssi, content))
		ssi_fail(ssi, "/%s: out of memory", ssi->lookup.path);
	content_return(content);
	end_looking(ssi);
}

/* --- producing ---------------------------------------------------------------------------- */

/* Outcomes of a step, beside those of produce(). */
enum {
	AGAIN = BODY_LATER + 1, /* not for want of anything */
	FULL,                   /* what was written so far is sent first */
};

/* Text is copied if it is short, since a send costs more; else it is sent in its place. */
static int write_text(struct ssi *ssi, struct buffer *output, struct text text)
{
	if (text.length > SSI_COPIED_MAX || text.length > buffer_room(output)) {
		ssi->text = text;
		return FULL;
	}
	buffer_append(output, text);
	return AGAIN;
}

/* An included file that cannot be read on ends; the answer is cut only with the outermost. */
static int note_unreadable(struct ssi *ssi, int error)
{
	struct document *document = ssi->document;

	if (!document->includer)
		return error;
	document->scanner.directive_line = document->scanner.line;
	document->is_ended = true;
	ssi_fail(ssi, "cannot be read on: %s", strerror(-error));
	return AGAIN;
}

static int read_on(struct ssi *ssi)
{
	struct document *document = ssi->document;
	struct body_piece piece;
	int outcome = document->body->produce(document->body, &piece, SIZE_MAX);

	if (outcome < 0)
		return note_unreadable(ssi, outcome);
	if (outcome == BODY_LATER)
		return BODY_LATER;
	assert(piece.fd < 0);
	document->rest = piece.bytes;
	document->body_is_ended = outcome == BODY_LAST;
	return AGAIN;
}

static int take_found(
	struct ssi *ssi, struct buffer *output, enum ssi_found found, struct text bytes)
{
	struct ssi_scanner *scanner = &ssi->document->scanner;

	switch (found) {
	case SSI_TEXT:
		return ssi->document->skip_depth > 0 ? AGAIN : write_text(ssi, output, bytes);
	case SSI_DIRECTIVE:
		metrics_add(METRIC_SSI_DIRECTIVES, 1);
		ssi_carry_out(ssi, &scanner->directive);
		break;
	case SSI_TOO_LONG:
		ssi_fail(ssi, "a directive longer than %d bytes", SSI_DIRECTIVE_LENGTH_MAX);
		break;
	case SSI_UNENDED:
		ssi_fail(ssi, "a directive that does not end");
		break;
	case SSI_NOTHING:
		break;
	}
	return AGAIN;
}

static int scan(struct ssi *ssi, struct buffer *output)
{
	struct document *document = ssi->document;
	struct text bytes;
	enum ssi_found found = ssi_scan(&document->scanner, &document->rest, &bytes);

	return take_found(ssi, output, found, bytes);
}

static int scan_end(struct ssi *ssi, struct buffer *output)
{
	struct document *document = ssi->document;
	struct text bytes;
	enum ssi_found found = ssi_scan_end(&document->scanner, &bytes);

	document->is_ended = found == SSI_NOTHING;
	return take_found(ssi, output, found, bytes);
}

static int leave_document(struct ssi *ssi)
{
	if (!ssi->document->includer)
		return BODY_LAST;
	end_document(ssi);
	return AGAIN;
}

static int step(struct ssi *ssi, struct buffer *output)
{
	struct document *document = ssi->document;

	if (ssi->value.length > 0) {
		ssi_append_encoded(output, &ssi->value, ssi->encoding);
		return ssi->value.length > 0 ? FULL : AGAIN;
	}
	if (ssi->is_looking)
		return BODY_LATER;
	if (document->is_ended)
		return leave_document(ssi);
	if (document->rest.length > 0)
		return scan(ssi, output);
	if (document->body_is_ended)
		return scan_end(ssi, output);
	return read_on(ssi);
}

/* BODY_PIECE: there is something to send, or nothing any more. */
static int write_output(struct ssi *ssi)
{
	struct buffer output;
	int outcome;

	buffer_init(&output, ssi->memory, sizeof(ssi->memory));
	do
		outcome = step(ssi, &output);
	while (outcome == AGAIN);
	ssi->output = buffer_text(&output);
	ssi->is_awaiting = outcome == BODY_LATER;
	if (outcome < 0)
		ssi->error = outcome;
	if (output.length == 0 && (outcome < 0 || outcome == BODY_LATER))
		return outcome;
	return BODY_PIECE;
}

/* The next bytes to send, if there are any. */
static int find_output(struct ssi *ssi)
{
	if (ssi->output.length > 0)
		return BODY_PIECE;
	if (ssi->text.length == 0 && ssi->error == 0 && !ssi->is_awaiting) {
		int outcome = write_output(ssi);

		if (outcome != BODY_PIECE || ssi->output.length > 0)
			return outcome;
	}
	if (ssi->text.length > 0) {
		ssi->output = ssi->text;
		ssi->text = (struct text){ NULL, 0 };
		return BODY_PIECE;
	}
	if (ssi->is_awaiting)
		return BODY_LATER;
	return ssi->error < 0 ? ssi->error : BODY_PIECE;
}

/* The outermost document is read, with nothing left to come. */
static bool is_over(const struct ssi *ssi)
{
	const struct document *document = ssi->document;

	return ssi->output.length == 0 && ssi->text.length == 0 && ssi->value.length == 0 &&
	       ssi->error == 0 && !ssi->is_looking && !document->includer &&
	       document->body_is_ended && document->rest.length == 0 &&
	       document->scanner.reading == SSI_READING_TEXT && document->scanner.mark_length == 0;
}

static int produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct ssi *ssi = ssi_of(source);
	int outcome;

	assert(!ssi->is_awaited);
	*piece = (struct body_piece){ .fd = -1 };
	outcome = find_output(ssi);
	ssi->is_awaited = outcome == BODY_LATER;
	if (outcome != BODY_PIECE)
		return outcome;
	piece->bytes = text_first(ssi->output, length_max);
	ssi->output = text_from(ssi->output, piece->bytes.length);
	if (is_over(ssi))
		return BODY_LAST;
	assert(piece->bytes.length > 0); /* an empty chunk would be the last (RFC 9112 §7.1) */
	return BODY_PIECE;
}

/* --- beginning and end -------------------------------------------------------------------- */

static void release(struct body_source *source)
{
	struct ssi *ssi = ssi_of(source);

	ssi->is_released = true;
	while (ssi->document)
		end_document(ssi);
	if (ssi->is_looking)
		lookup_cancel(&ssi->lookup);
	else
		ssi_free(ssi);
}

static struct ssi *ssi_new(const struct filter_context *context)
{
	struct ssi *ssi = block_pool_take(&ssi_pool);

	if (!ssi)
		return NULL;
	ssi->source = (struct body_source){ .produce = produce, .release = release };
	ssi->proactor = context->exchange->proactor;
	ssi->root = context->root;
	ssi->location = context->exchange->location;
	ssi->client = access_client_of(context->exchange);
	/* Whatever else a lookup may be told is not for us. */
	ssi->lookup = (struct lookup){
		.root = context->root,
		.dot_files = context->dot_files,
		.is_quiet = true,
		.done = looked_up,
	};
	ssi->document = NULL;
	ssi->depth = ssi->include_count = 0;
	ssi->value = ssi->output = ssi->text = ssi->query = (struct text){ NULL, 0 };
	ssi->error = 0;
	ssi->is_looking = ssi->is_awaiting = ssi->is_awaited = ssi->is_released = false;
	ssi->request = ssi_request_new(context->exchange, context->path);
	if (ssi->request)
		return ssi;
	block_pool_return(&ssi_pool, ssi);
	return NULL;
}

static struct body_source *open_ssi(
	struct body_source *inner, int64_t *length, const struct filter_context *context)
{
	struct ssi *ssi = ssi_new(context);

	if (!ssi)
		return NULL;
	if (!begin_document(ssi, inner, context->path, context->stat)) {
		ssi_free(ssi);
		return NULL;
	}
	*length = -1;
	return &ssi->source;
}

static void trim(void)
{
	block_pool_trim(&ssi_pool);
	block_pool_trim(&document_pool);
}

const struct filter ssi_filter = {
	.name = "ssi",
	.media_type = TEXT("text/html"),
	.open = open_ssi,
	.trim = trim,
};
