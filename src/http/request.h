/* What a request is, on any wire.
 *
 * Texts point into the head that the wire keeps until the exchange is over; `path` points into
 * memory of the exchange.  Field names are as received and compared ignoring case. */
#ifndef RINGLET_HTTP_REQUEST_H
#define RINGLET_HTTP_REQUEST_H

#include "http/method.h"

enum { REQUEST_FIELDS_MAX = 100 }; /* more are answered with 431 */

enum http_version { HTTP_1_0, HTTP_1_1, HTTP_2 };

struct field {
	struct text name;
	struct text value; /* without surrounding white space */
};

/* How the body's length is told (RFC 9112 §6.3). */
#define REQUEST_LENGTH_CHUNKED UINT64_MAX

struct request {
	enum method method;
	enum http_version version;
	struct text line;   /* "GET /a?b HTTP/1.1", as received: for logs and echo */
	struct text target; /* "/a?b"; of "http://host/a?b" only that part; "*" */
	struct text query;  /* "b"; without the question mark */
	struct text host;   /* the value of Host or the authority, port included; may be empty */
	struct text path;   /* decoded, dot segments resolved, begins with "/" */
	uint64_t content_length; /* 0: no body; REQUEST_LENGTH_CHUNKED */
	bool expects_continue;   /* Expect: 100-continue, and HTTP/1.1 */
	unsigned field_count;
	struct field fields[REQUEST_FIELDS_MAX];
};

/* A request of which nothing is known yet; does not touch the array of fields. */
void request_init(struct request *request);

/* "?b", also "?" alone; empty: the target has no query. */
struct text request_query_part(const struct request *request);

/* The first field of that name, or NULL.  Comparison ignores case. */
const struct field *request_field(const struct request *request, struct text name);

/* The next one after `previous` (NULL: the first), or NULL: a list may come in several lines. */
const struct field *request_field_after(
	const struct request *request, struct text name, const struct field *previous);

/* The value of the first parameter of that name in the query, as it was written: "1" of
 * "a=b&fold=1", empty of "fold"; NULL bytes: there is no such parameter. */
struct text request_parameter(const struct request *request, struct text name);

#endif
