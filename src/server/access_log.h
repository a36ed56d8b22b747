/* One line per response: the combined format of other servers, or a JSON object.
 *
 * Text from the client is escaped (base/escape.h): it cannot end the line or a quoted part, and a
 * terminal does not interpret it.  JSON lines are valid JSON for any input.  Times are UTC.  Long
 * texts are cut, so that the length of a line is bounded. */
#ifndef RINGLET_SERVER_ACCESS_LOG_H
#define RINGLET_SERVER_ACCESS_LOG_H

#include "base/buffer.h"
#include "http/router.h"
#include "http/wire.h"
#include "proactor/proactor.h"

/* In the order of the words of the setting access_log_format. */
enum access_log_format { ACCESS_LOG_COMBINED, ACCESS_LOG_JSON };

enum { ACCESS_LINE_LENGTH_MAX = 9216 };

/* The content of a line.  The texts are as received: not escaped, of any length, possibly empty. */
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

/* A line ends in a newline and is at most ACCESS_LINE_LENGTH_MAX bytes long. */
void access_log_append_combined(struct buffer *line, const struct access_entry *entry);
void access_log_append_json(struct buffer *line, const struct access_entry *entry);

/* The line for a finished response. */
void access_log_append(struct buffer *line, enum access_log_format format,
	const struct finished_exchange *finished, struct proactor *proactor);

#endif
