/* Escapes: for HTML, for URLs, and for text from outside in the lines of the logs, where it can
 * neither forge a line nor steer a terminal.
 *
 * In the logs, escaped are control characters (C0, DEL, C1 with NEL), characters that are invisible
 * or turn the direction of writing, the backslash, and bytes that are not UTF-8. */
#ifndef RINGLET_BASE_ESCAPE_H
#define RINGLET_BASE_ESCAPE_H

#include "base/buffer.h"

enum escape_form {
	ESCAPE_MESSAGE,  /* error log: \xNN for a byte; quotes stay */
	ESCAPE_COMBINED, /* access log: \xNN for a byte, also for '"' and all that is not ASCII */
	ESCAPE_JSON, /* inside a string (RFC 8259 §7): \uNNNN; the text \xNN for a stray byte */
};

/* The byte as it stands in HTML: a reference for one of & < > " ', else itself. */
struct text escape_html(const char *byte);

/* "%2F" (RFC 3986 §2.1), written to `escape`. */
struct text escape_percent(char escape[3], char byte);

/* Appends at most `length_max` bytes, and whole escapes and characters only. */
void escape_append(
	struct buffer *buffer, struct text text, enum escape_form form, size_t length_max);

#endif
