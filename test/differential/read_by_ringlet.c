/* Reads a stream like src/http1/input.c: finds and parses a head, then decodes its body; the next
 * head begins where the body ended. */
#include "reading.h"

#include "http1/body.h"
#include "http1/parser.h"

enum { HEADER_BYTES_MAX = 16384 };

static struct request request; /* its array of fields is too large for a stack */

/* The length of the head, 0 if it is incomplete, or a negated status. */
static int64_t find_head(
	struct text stream, size_t start, const struct cuts *cuts, const char **why)
{
	struct http1_scan scan = { 0 };
	int64_t found = 0;
	size_t end = start;

	while (found == 0 && end < stream.length) {
		end = next_cut(cuts, end, stream);
		found = http1_find_head(
			&scan, text_from(text_first(stream, end), start), HEADER_BYTES_MAX);
	}
	*why = scan.why;
	return found;
}

static void take_request(struct reading_message *message, bool keep_alive)
{
	struct text rest = request.line;

	message->method = text_first(rest, text_find(rest, ' '));
	rest = text_from(rest, message->method.length + 1);
	message->target = text_first(rest, text_find(rest, ' '));
	message->query = request.query;
	if (request.target.length < message->target.length)
		message->authority = request.host;
	message->major = 1;
	message->minor = request.version == HTTP_1_0 ? 0 : 1;
	message->field_count = request.field_count;
	for (unsigned i = 0; i < request.field_count; i++)
		message->fields[i] = request.fields[i];
	message->content_length = request.content_length;
	message->keep_alive = keep_alive;
	message->head_read = true;
}

static const char *body_fault(const struct http1_body *body)
{
	switch (body->step) {
	case HTTP1_BODY_SIZE:
		return "chunk size";
	case HTTP1_BODY_CHUNK_END:
		return "chunk end";
	case HTTP1_BODY_TRAILER:
		return "trailer";
	case HTTP1_BODY_CONTENT:
	case HTTP1_BODY_WHOLE:
		break;
	}
	return "content";
}

/* Where the body ends, or SIZE_MAX if it does not. */
static size_t read_body(struct reading *reading, struct reading_message *message,
	struct text stream, size_t start, const struct cuts *cuts)
{
	struct http1_body body;
	size_t at = start, memory_start = reading->memory.length;
	int r = 0;

	http1_body_init(&body, message->content_length);
	do {
		struct text part = text_from(text_first(stream, next_cut(cuts, at, stream)), at);
		struct text rest = part, content;

		r = http1_body_decode(&body, &rest, &content);
		buffer_append(&reading->memory, content);
		at += part.length - rest.length;
	} while (r == 0 && at < stream.length);
	message->body = text_from(buffer_text(&reading->memory), memory_start);
	if (r < 0) {
		reading->refused = true;
		reading->why = body_fault(&body);
		reading->refused_at = at;
	}
	return r > 0 ? at : SIZE_MAX;
}

/* Whether another message may follow. */
static bool read_message(
	struct reading *reading, size_t *at, struct text stream, const struct cuts *cuts)
{
	struct reading_message *message = begin_message(reading, *at);
	struct http1_head head;
	int64_t length;
	size_t end;

	if (!message)
		return false;
	length = find_head(stream, *at, cuts, &reading->why);
	reading->refused = length < 0;
	if (length <= 0)
		return false;
	reading->refused = http1_parse_head(&request, &head,
				   text_first(text_from(stream, *at), (size_t)length)) != 0;
	reading->why = head.why;
	if (reading->refused)
		return false;
	take_request(message, head.keep_alive);
	end = read_body(reading, message, stream, *at + (size_t)length, cuts);
	if (end == SIZE_MAX)
		return false;
	message->whole = true;
	message->length = end - *at;
	*at = end;
	return head.keep_alive;
}

void read_by_ringlet(struct reading *reading, struct text stream, const struct cuts *cuts)
{
	size_t at = 0;

	begin_reading(reading);
	while (at < stream.length && read_message(reading, &at, stream, cuts))
		continue;
}
