/* A wire: the connections of one worker that speak one protocol.  This is all that the worker knows
 * of it; which wires there are stands in server/wires.c. */
#ifndef RINGLET_HTTP_WIRE_H
#define RINGLET_HTTP_WIRE_H

#include "http/exchange.h"

struct wire;

struct wire_kind {
	/* Takes over a connected, non-blocking socket, whose client speaks TLS or does not. */
	void (*accept)(struct wire *, int fd, bool tls);

	/* From now on every response is the last of its connection, and a connection without a
	 * request is closed after a second of silence. */
	void (*drain)(struct wire *);

	/* Closes every connection now. */
	void (*stop)(struct wire *);

	/* No connection may be left. */
	void (*close)(struct wire *);
};

/* What the access log tells of a response.  Valid during the call. */
struct finished_exchange {
	const struct exchange *exchange;
	const struct sockaddr_storage *client;
	bool cut; /* it ended before its last byte */
};

/* Embedded in the wire's own state. */
struct wire {
	const struct wire_kind *kind;
	size_t connection_count;

	/* The worker's, set after the wire was opened: a connection was closed, a response has
	 * ended.  Either may be NULL. */
	void *owner;
	void (*closed)(void *owner);
	void (*finished)(void *owner, const struct finished_exchange *);
};

#endif
