/* From a response to bytes (RFC 9112 §4, §6, §7.1): pure. */
#ifndef RINGLET_HTTP1_WRITER_H
#define RINGLET_HTTP1_WRITER_H

#include "http/exchange.h"

enum http1_framing {
	HTTP1_FRAMING_NONE,        /* a status without content: 204, 304 */
	HTTP1_FRAMING_LENGTH,      /* Content-Length */
	HTTP1_FRAMING_CHUNKED,     /* Transfer-Encoding: chunked */
	HTTP1_FRAMING_UNTIL_CLOSE, /* HTTP/1.0 and length unknown: the end of the connection */
};

struct http1_response_head {
	enum http1_framing framing;
	uint64_t length;     /* of HTTP1_FRAMING_LENGTH */
	struct text date;    /* the value of Date */
	struct text expires; /* the value of Expires; empty: none */
	bool server;         /* "Server: Ringlet"? */
	bool close;          /* "Connection: close"? */
	bool keep_alive;     /* "Connection: keep-alive": to HTTP/1.0 clients that asked for it */
};

/* How a response to this request is framed (RFC 9112 §6.3). */
enum http1_framing http1_choose_framing(
	const struct request *request, const struct response *response);

/* Appends status line, Date, Server, Expires, the response's fields, framing, Connection, the empty
 * line; or, where there is no room, nothing but `truncated`.  The status line is always HTTP/1.1
 * (RFC 9110 §2.5). */
void http1_write_head(struct buffer *buffer, const struct response *response,
	const struct http1_response_head *head);

/* The same from a copy that was kept, where this head is like the one before: with a length,
 * without Expires and Connection.  Keeps the copy the first time. */
void http1_write_prepared_head(struct buffer *buffer, const struct response *response,
	const struct http1_response_head *head);

/* "1a2f\r\n" before a chunk of `length` (> 0) bytes. */
void http1_write_chunk_head(struct buffer *buffer, uint64_t length);

#define HTTP1_CHUNK_END  text_literal("\r\n")
#define HTTP1_LAST_CHUNK text_literal("0\r\n\r\n")
#define HTTP1_CONTINUE   text_literal("HTTP/1.1 100 Continue\r\n\r\n")

#endif
