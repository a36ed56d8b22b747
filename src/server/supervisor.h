/* The process that the user starts.  It owns the listening sockets and the workers. */
#ifndef RINGLET_SERVER_SUPERVISOR_H
#define RINGLET_SERVER_SUPERVISOR_H

#include "server/configuration.h"

struct supervisor_options {
	const char *backend; /* -b: overrides the configuration; NULL */
	bool quiet;          /* -q: no access log */
	bool single_process; /* --single-process */
	bool daemon;         /* -d */
};

/* Runs the server until a signal ends it.  Returns the exit code: 0, or 1 after a message on
 * stderr. */
int supervisor_run(
	const struct configuration *configuration, const struct supervisor_options *options);

#endif
