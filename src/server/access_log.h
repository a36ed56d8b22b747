/* One line for each response: the combined format that other servers write, or a JSON object.
 *
 * Everything that a client sent is escaped, so that a line is one line, its quotes are its own,
 * and a terminal shows it without obeying it; a JSON line is valid JSON whatever came.  Times are
 * UTC.  Long texts are cut, so that a line has a bound. */
#ifndef RINGLET_SERVER_ACCESS_LOG_H
#define RINGLET_SERVER_ACCESS_LOG_H

#include "base/buffer.h"
#include "http/router.h"
#include "http/wire.h"
#include "proactor/proactor.h"

/* In the order of the words of the setting access_log_format. */
enum access_log_format { ACCESS_LOG_COMBINED, ACCESS_LOG_JSON };

enum { ACCESS_LINE_LENGTH_MAX = 9216 };

/* What a line says.  The texts are as received: unescaped, unbounded, possibly empty. */
struct access_entry {
	int64_t wall_ns; /* when the response ended, ns since 1970 */
	uint64_t duration_ns;
	uint64_t body_length; /* bytes of the body that left */
	unsigned status;
	bool cut;             /* the response ended before its last byte */
	struct text remote;   /* "127.0.0.1" */
	struct text line;     /* "GET /a?b HTTP/1.1" */
	struct text target;   /* "/a?b" */
	struct text protocol; /* "HTTP/1.1" */
	struct text host, referer, user_agent;
	struct text location, endpoint; /* empty when no location was found */
};

/* The lines end in a newline and never exceed ACCESS_LINE_LENGTH_MAX. */
void access_log_append_combined(struct buffer *line, const struct access_entry *entry);
void access_log_append_json(struct buffer *line, const struct access_entry *entry);

/* The line for a finished response. */
void access_log_append(struct buffer *line, enum access_log_format format,
	const struct finished_exchange *finished, struct proactor *proactor);

#endif
