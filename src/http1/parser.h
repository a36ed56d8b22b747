/* From bytes to a request head (RFC 9112 §2 to §5): pure functions, strict and bounded.
 *
 * First http1_find_head() looks, incrementally, for where the head ends; then, once per request,
 * http1_parse_head() takes the complete head apart.  Anything that two implementations could read
 * differently is refused. */
#ifndef RINGLET_HTTP1_PARSER_H
#define RINGLET_HTTP1_PARSER_H

#include "http/request.h"

/* What was looked at already, so that a head that comes byte by byte costs no more than one that
 * comes whole.  All zero for a new head. */
struct http1_scan {
	size_t examined;   /* bytes without an end of the head */
	size_t line_start; /* where the line begins that `examined` is in */
	bool line_seen;    /* the request line is complete */
	const char *why;   /* with a negated status: what is wrong, for the log; static */
};

/* Looks for the end of the head at the beginning of `bytes` (which the caller keeps, and presents
 * again, longer).  Returns the head's length, its empty line included; 0: incomplete; or a negated
 * status: -400 (a line ends in LF without CR, or a NUL), -414 (the request line alone is longer
 * than header_bytes_max), -431 (the head is).  One empty line before the request line is skipped
 * (RFC 9112 §2.2) and counted as part of the head; a second one is -400.  Neither what lies beyond
 * header_bytes_max nor how the bytes were cut into calls changes the answer. */
int64_t http1_find_head(struct http1_scan *scan, struct text bytes, size_t header_bytes_max);

/* What the wire itself needs to know beside the request. */
struct http1_head {
	bool keep_alive; /* what the client wants, by its version and Connection (RFC 9112 §9.3) */
	const char *why; /* with a 4xx or 5xx: what is wrong, for the log; static */
};

/* Takes a complete head apart.  Texts of the request point into `head`.  Does not fill in
 * request->path.  0, or a status: 400, 417 (an expectation that is not 100-continue), 431 (too many
 * fields), 501 (an unknown transfer coding), 505.  After a status, request->line, ->method,
 * ->target and ->version hold what could be read. */
unsigned http1_parse_head(struct request *request, struct http1_head *result, struct text head);

#endif
