/* One request and its response, on any wire.
 *
 * The wire (http1, later http2) owns the exchange, fills in the request, and calls the endpoint's
 * handle().  The endpoint looks at the request, adds fields, and calls exchange_answer() exactly
 * once, at once or later, also after cancelled() told it that the client is gone.  Until then the
 * exchange and all its texts stay valid; afterwards only the body source lives on, until its
 * release(). */
#ifndef RINGLET_HTTP_EXCHANGE_H
#define RINGLET_HTTP_EXCHANGE_H

#include <sys/socket.h>

#include "http/body.h"
#include "http/request.h"

struct compression;
struct exchange;
struct location;
struct location_fields;
struct proactor;
struct proxies;

enum {
	RESPONSE_FIELDS_MAX = 24,          /* that an endpoint may add */
	RESPONSE_FIELD_NAME_MAX = 32,      /* the length of their names */
	LOCATION_FIELDS_MAX = 16,          /* that the configuration may add to those */
	LOCATION_FIELDS_LENGTH_MAX = 4096, /* of their names and values */
	COMPRESSION_FIELDS_MAX = 2,        /* that compression may add */
	RESPONSE_MEMORY_SIZE = 2048,       /* for the values of fields, and short bodies */
	REQUEST_PATH_SIZE = 4096,          /* a longer path is answered with 414 */
	PREPARED_HEAD_SIZE = 512,          /* a longer head is rendered each time */
	EXCHANGE_SCRATCH_SIZE = 1024,      /* the endpoint's, see exchange_scratch() */
	EXCHANGE_WINDOW = 65536,           /* request body bytes not yet consumed, at most */
};

/* What a wire does for the exchange; called through the functions below only. */
struct exchange_wire {
	void (*answered)(struct exchange *exchange);
	void (*body_wanted)(struct exchange *exchange);
	void (*body_consumed)(struct exchange *exchange, size_t length);
	/* Of who connects; AF_UNSPEC when it is not known; NULL: it never is. */
	void (*peer_address)(struct exchange *exchange, struct sockaddr_storage *address);
	bool (*is_draining)(const struct exchange *exchange); /* NULL: it never is */
	bool (*sends_files)(const struct exchange *exchange); /* NULL: it always does */
};

/* A body that is already in memory, as a source. */
struct memory_source {
	struct body_source source;
	struct text bytes;
};

/* The head of a response that is the same each time but for its Date, as the wire rendered it the
 * first time.  Zeroed at first; it belongs to the state of the endpoint that names it in every such
 * response, and to nobody else. */
struct prepared_head {
	size_t length; /* 0: not rendered yet */
	size_t date;   /* where the value of Date begins */
	char bytes[PREPARED_HEAD_SIZE];
};

struct response {
	unsigned status;
	struct body_source *body;       /* NULL: no content */
	int64_t length;                 /* of the body; -1: unknown */
	struct prepared_head *prepared; /* NULL: the head is this response's own */
	unsigned field_count;
	struct field fields[RESPONSE_FIELDS_MAX + LOCATION_FIELDS_MAX + COMPRESSION_FIELDS_MAX];
	struct text whole_type; /* exchange_describe_whole()'s; empty: it was not called */
	int64_t whole_length;
	bool server_removed;      /* no Server, whatever the wire has to say */
	bool expires;             /* with a field Expires: */
	uint64_t expires_seconds; /* so long after Date */
	struct buffer memory;     /* where names and values are copied to */
	struct memory_source from_memory;
	char bytes[RESPONSE_MEMORY_SIZE];
};

struct exchange {
	const struct exchange_wire *wire;
	struct proactor *proactor;
	const struct location *location; /* whose endpoint handles it; NULL: answered by the wire */
	const struct location_fields *fields;  /* what the answer gets, by configuration; NULL */
	const struct compression *compression; /* of its body; NULL: none */
	const struct proxies *proxies;         /* who may speak for clients; NULL: nobody */
	struct body_sink *sink;                /* of the request body, once wanted */
	uint64_t body_length_max;
	uint64_t started_ns;  /* when the first byte of the request was seen */
	uint64_t sent_length; /* bytes of the response body that left, for the log */
	bool secure;          /* the bytes cross the network encrypted */
	bool answered;
	bool cancelled;
	struct request request;
	struct response response;
	char path_memory[REQUEST_PATH_SIZE];
	_Alignas(16) char scratch[EXCHANGE_SCRATCH_SIZE];
};

/* Makes an exchange ready for the next request; does not touch the large arrays. */
void exchange_init(
	struct exchange *exchange, const struct exchange_wire *wire, struct proactor *proactor);

/* --- for endpoints ------------------------------------------------------------------------ */

/* Memory of EXCHANGE_SCRATCH_SIZE bytes that is the endpoint's until it answers:
 *	struct lookup *lookup = exchange_scratch(exchange, sizeof(*lookup)); */
void *exchange_scratch(struct exchange *exchange, size_t size);

/* The value is copied, without control bytes: whatever it is made of, it stays one line.  The name
 * is not: it lasts as long as the program, as a literal does, and has at most
 * RESPONSE_FIELD_NAME_MAX bytes.  What finds no room is left out whole, with a warning.  The names
 * of framing (Content-Length, Transfer-Encoding, Connection, Date, Server) are the wire's and must
 * not be added. */
void exchange_add_field(struct exchange *exchange, struct text name, struct text value);

/* The media type (valid until the answer) and length of the representation that this answer is
 * about, be it a part of it or none: 206, 304.  What is not described is what the answer shows. */
void exchange_describe_whole(struct exchange *exchange, struct text media_type, uint64_t length);

/* Answers with `length` bytes of `body` (-1: unknown; chunked in HTTP/1.1, close-delimited in 1.0).
 * body may be NULL with length 0. */
void exchange_answer(
	struct exchange *exchange, unsigned status, struct body_source *body, int64_t length);

/* Answers with bytes (of that media type; empty: unsaid) that stay valid until the exchange is over
 * (static memory, or memory taken by exchange_copy). */
void exchange_answer_bytes(
	struct exchange *exchange, unsigned status, struct text media_type, struct text bytes);

/* "404 Not Found\n" as text/plain. */
void exchange_answer_error(struct exchange *exchange, unsigned status);

/* For wires: the body of the answer cannot be produced, and nothing of the answer has left.  Takes
 * an error's place without telling the wire: 503 where the machine ran out of something, else 500.
 * The old body is released. */
void exchange_replace_answer(struct exchange *exchange, int error);

/* 301 and the like: `location` is copied.  One that finds no room is answered with 414. */
void exchange_answer_redirect(struct exchange *exchange, unsigned status, struct text location);

/* Is the server ending: is this one of the last requests it will answer? */
bool exchange_is_draining(const struct exchange *exchange);

/* Can the wire send pieces that are files?  If not, every piece of the body must be in memory:
 * files are then sent by a reader, and the body can be compressed. */
bool exchange_sends_files(const struct exchange *exchange);

/* Copies bytes into the response's own memory; what does not fit is cut. */
struct text exchange_copy(struct exchange *exchange, struct text bytes);

/* The peer is who connects; the client is who asks: the peer, or whom a trusted proxy names (then
 * without a port).  AF_UNSPEC when it is not known. */
void exchange_peer_address(struct exchange *exchange, struct sockaddr_storage *address);
void exchange_client_address(struct exchange *exchange, struct sockaddr_storage *address);

/* Asks for the request body, at most length_max bytes of it (-EMSGSIZE beyond).  Without this call
 * the body is discarded.  Sends 100 (Continue) if the client expects it. */
void exchange_receive(struct exchange *exchange, struct body_sink *sink, uint64_t length_max);

/* `length` bytes that received() delivered are done with: as many more may come, and may come
 * before this returns (not when it is called from received() itself). */
void exchange_consumed(struct exchange *exchange, size_t length);

#endif
