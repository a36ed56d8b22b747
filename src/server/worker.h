/* A worker: one thread with a proactor, its connections and its logs. */
#ifndef RINGLET_SERVER_WORKER_H
#define RINGLET_SERVER_WORKER_H

#include "server/server.h"

/* The worker accepts connections; called once, from worker_run(). */
typedef void worker_ready_fn(void *context);

struct worker_options {
	unsigned slot; /* which listening sockets */
	unsigned page; /* which page of metrics */
	int channel;   /* to the supervisor (server/channel.h); -1: there is none */
	worker_ready_fn *ready;
	void *context;
};

/* Serves in the calling process until an order ends it; privileges have been dropped.  Without a
 * channel the signals are the orders: SIGTERM and SIGQUIT drain, and stop when they come again;
 * SIGINT stops.  With one these signals only ask the supervisor for an order.  They are blocked
 * already.  Returns the exit code. */
int worker_run(struct server *server, const struct worker_options *options);

#endif
