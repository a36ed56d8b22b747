/* Request bodies taken off the wire.
 *
 * Content is passed through as parts of the input, never copied.  All around it (size lines, the
 * line ends after chunks, trailers) is taken byte by byte through the steps of struct http1_body,
 * so that input may be cut anywhere.  Strict like the head: a size is bare hexadecimal digits, a
 * line ends in CR LF, a trailer has a name and a colon.  Extensions and trailers are bounded,
 * looked through and dropped (RFC 9112 §7.1), so that no trailer can change what the head said. */
#include "http1/body.h"

#include <assert.h>
#include <errno.h>

#include "http/byte.h"

void http1_body_init(struct http1_body *body, uint64_t content_length)
{
	bool chunked = content_length == REQUEST_LENGTH_CHUNKED;

	*body = (struct http1_body){
		.step = chunked ? HTTP1_BODY_SIZE : HTTP1_BODY_CONTENT,
		.chunked = chunked,
		.remaining = chunked ? 0 : content_length,
	};
	if (content_length == 0)
		body->step = HTTP1_BODY_WHOLE;
}

static void begin_size(struct http1_body *body)
{
	body->step = HTTP1_BODY_SIZE;
	body->past_name = false;
	body->blank_seen = false;
	body->digit_count = 0;
	body->line_length = 0;
	body->remaining = 0;
}

/* The size line is complete: content follows, or after the size 0 the trailer section. */
static void end_size(struct http1_body *body)
{
	body->step = body->remaining > 0 ? HTTP1_BODY_CONTENT : HTTP1_BODY_TRAILER;
	body->past_name = false;
	body->line_empty = true;
	body->line_length = 0;
}

static int add_size_digit(struct http1_body *body, char digit)
{
	int value = byte_hex_value(digit);

	if (value < 0 || body->remaining > INT64_MAX >> 4)
		return -EPROTO;
	body->remaining = body->remaining << 4 | (uint64_t)value;
	body->digit_count++;
	return 0;
}

/* Blanks may stand before the semicolon of an extension (RFC 9112 §7.1.1) and nowhere else. */
static int take_size_byte(struct http1_body *body, char byte)
{
	bool blank = byte == ' ' || byte == '\t';

	if (body->past_name)
		return byte_is_field_value(byte) ? 0 : -EPROTO;
	if (body->digit_count > 0 && (blank || byte == ';')) {
		body->blank_seen = true;
		body->past_name = byte == ';';
		return 0;
	}
	return body->blank_seen ? -EPROTO : add_size_digit(body, byte);
}

/* A folded line begins with a blank, which no name does. */
static int take_trailer_byte(struct http1_body *body, char byte)
{
	if (body->past_name)
		return byte_is_field_value(byte) ? 0 : -EPROTO;
	if (byte == ':' && !body->line_empty) {
		body->past_name = true;
		return 0;
	}
	body->line_empty = false;
	return byte_is_token(byte) ? 0 : -EPROTO;
}

/* A byte of a line that is not its end.  Sizes are bounded per line, trailers all together. */
static int take_line_byte(struct http1_body *body, char byte)
{
	if (++body->line_length > HTTP1_BODY_LINE_MAX)
		return -EPROTO;
	if (body->step == HTTP1_BODY_SIZE)
		return take_size_byte(body, byte);
	return body->step == HTTP1_BODY_TRAILER ? take_trailer_byte(body, byte) : -EPROTO;
}

static int end_size_line(struct http1_body *body)
{
	if (body->digit_count == 0 || (body->blank_seen && !body->past_name))
		return -EPROTO;
	end_size(body);
	return 0;
}

static int end_trailer(struct http1_body *body)
{
	if (body->line_empty)
		body->step = HTTP1_BODY_WHOLE;
	else if (!body->past_name)
		return -EPROTO;
	body->line_empty = true;
	body->past_name = false;
	return 0;
}

static int end_line(struct http1_body *body)
{
	switch (body->step) {
	case HTTP1_BODY_SIZE:
		return end_size_line(body);
	case HTTP1_BODY_CHUNK_END:
		begin_size(body);
		return 0;
	case HTTP1_BODY_TRAILER:
		return end_trailer(body);
	case HTTP1_BODY_CONTENT: /* has no lines */
	case HTTP1_BODY_WHOLE:
		break;
	}
	assert(false);
	return -EPROTO;
}

static int take_byte(struct http1_body *body, char byte)
{
	if (body->after_cr) {
		body->after_cr = false;
		return byte == '\n' ? end_line(body) : -EPROTO;
	}
	if (byte == '\r') {
		body->after_cr = true;
		return 0;
	}
	return take_line_byte(body, byte);
}

static void take_content(struct http1_body *body, struct text *input, struct text *content)
{
	*content = text_first(*input, body->remaining);
	*input = text_from(*input, content->length);
	body->remaining -= content->length;
	if (body->remaining == 0)
		body->step = body->chunked ? HTTP1_BODY_CHUNK_END : HTTP1_BODY_WHOLE;
}

int http1_body_decode(struct http1_body *body, struct text *input, struct text *content)
{
	int r;

	*content = (struct text){ 0 };
	while (input->length > 0 && body->step != HTTP1_BODY_WHOLE && content->length == 0) {
		if (body->step == HTTP1_BODY_CONTENT) {
			take_content(body, input, content);
			continue;
		}
		r = take_byte(body, input->bytes[0]);
		if (r < 0)
			return r;
		*input = text_from(*input, 1);
	}
	return body->step == HTTP1_BODY_WHOLE;
}
