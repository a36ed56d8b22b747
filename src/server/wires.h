/* The wires of a worker, and their options out of the configuration. */
#ifndef RINGLET_SERVER_WIRES_H
#define RINGLET_SERVER_WIRES_H

#include "base/settings.h"
#include "http1/service.h"

struct wires {
	struct http1_service http1;
};

/* The wire that new connections belong to, until wire->kind->close().  The pointers stay the
 * caller's. */
struct wire *wires_open(struct wires *wires, struct proactor *proactor, const struct router *router,
	const struct section *configuration);

#endif
