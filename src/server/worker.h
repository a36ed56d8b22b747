/* A worker: one loop thread with one proactor, its connections, its logs. */
#ifndef RINGLET_SERVER_WORKER_H
#define RINGLET_SERVER_WORKER_H

#include "server/server.h"

/* The worker accepts connections; called once, from worker_run(). */
typedef void worker_ready_fn(void *context);

/* Serves in the calling process until a signal ends it: SIGTERM and SIGQUIT drain, SIGINT stops.
 * These signals are blocked already.  The same function serves --single-process and a process that
 * the supervisor forked; privileges have been given up.  Returns the exit code. */
int worker_run(struct server *server, unsigned slot, worker_ready_fn *ready, void *ready_context);

#endif
