/* Request bodies as they stand on the wire (RFC 9112 §6, §7.1): counted or chunked; pure. */
#ifndef RINGLET_HTTP1_BODY_H
#define RINGLET_HTTP1_BODY_H

#include "http/request.h"

enum http1_body_step {
	HTTP1_BODY_SIZE,      /* in a chunk-size line */
	HTTP1_BODY_CONTENT,   /* in content, counted or of a chunk */
	HTTP1_BODY_CHUNK_END, /* in the CRLF after a chunk */
	HTTP1_BODY_TRAILER,   /* in the trailer section */
	HTTP1_BODY_WHOLE,
};

struct http1_body {
	enum http1_body_step step;
	bool chunked;
	bool after_cr;        /* a CR was seen, LF must follow */
	bool line_empty;      /* the trailer line has no byte yet */
	bool past_name;       /* past the colon of a trailer, past the semicolon of a chunk size */
	bool blank_seen;      /* behind the digits of a chunk size */
	unsigned digit_count; /* of the chunk size */
	unsigned line_length; /* bytes of size lines (per line) and of trailers (together) */
	uint64_t remaining;   /* content bytes of the body or chunk still to come */
};

enum { HTTP1_BODY_LINE_MAX = 4096 }; /* of a chunk-size line with its extensions; of all trailers */

/* content_length as in struct request. */
void http1_body_init(struct http1_body *body, uint64_t content_length);

/* Takes bytes from the front of *input and sets *content to the next content in them (a part of the
 * input, possibly empty).  To be called until *input is empty or the body is whole.  0: more is
 * needed or left, 1: whole (what is left in *input belongs to the next request), -EPROTO. */
int http1_body_decode(struct http1_body *body, struct text *input, struct text *content);

#endif
