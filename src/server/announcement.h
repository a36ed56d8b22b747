/* The lines that a start prints on standard error, and the choice of the backend. */
#ifndef RINGLET_SERVER_ANNOUNCEMENT_H
#define RINGLET_SERVER_ANNOUNCEMENT_H

#include "server/server.h"

/* Resolves `wanted` (also BACKEND_AUTO) to server->backend and prints the first line:
 * "ringlet 0.1.0, io_uring (kernel 6.1, liburing 2.3), 2 workers", or why io_uring cannot be used.
 * 0, or a negative errno: `wanted` is BACKEND_IO_URING and the kernel refused it. */
int announce_backend(struct server *server, enum backend_choice wanted);

/* Prints "serving www": the roots, relative to the current directory if below it. */
void announce_roots(const struct server *server);

/* Prints the last line: "ready: http://localhost:8080/   (Ctrl-C stops)". */
void announce_ready(const struct server *server);

#endif
