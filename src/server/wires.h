/* The wires of a worker, and their options out of the configuration. */
#ifndef RINGLET_SERVER_WIRES_H
#define RINGLET_SERVER_WIRES_H

#include "base/settings.h"
#include "http1/service.h"

struct wires {
	struct stream_service streams;
	struct http1_service http1;
};

/* The wire that new connections belong to, until wire->kind->close().  `unsent_length_max` bounds
 * all streams together (net/stream.h).  The pointers stay the caller's. */
struct wire *wires_open(struct wires *wires, struct proactor *proactor, uint64_t unsent_length_max,
	const struct router *router, const struct section *configuration);

#endif
