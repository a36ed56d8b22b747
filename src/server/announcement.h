/* What a start says on standard error, and the choice of the backend that its first line tells. */
#ifndef RINGLET_SERVER_ANNOUNCEMENT_H
#define RINGLET_SERVER_ANNOUNCEMENT_H

#include "server/server.h"

/* Resolves `wanted` (BACKEND_AUTO too) to server->backend and says the first line:
 * "ringlet 0.1.0, io_uring (kernel 6.1, liburing 2.3), 2 workers", or why not io_uring.  0, or the
 * negative errno with which io_uring, though asked for by name, was refused. */
int announce_backend(struct server *server, enum backend_choice wanted);

/* "serving www": the roots, as seen from the current directory. */
void announce_roots(const struct server *server);

/* "ready: http://localhost:8080/   (Ctrl-C stops)": the last line. */
void announce_ready(const struct server *server);

#endif
