/* What answers requests below a location.  One file in src/endpoints/ and one line in
 * endpoints/registry.c make an endpoint; it never touches a socket and never blocks. */
#ifndef RINGLET_HTTP_ENDPOINT_H
#define RINGLET_HTTP_ENDPOINT_H

#include "base/settings.h"
#include "http/exchange.h"

struct endpoint {
	const char *name;                      /* as in `endpoint = "static"` */
	const char *summary;                   /* one line, for the documentation */
	const struct setting *settings;        /* its own, in its locations; NULL: none */
	const struct setting *shared_settings; /* a table that other endpoints have too; its rows
						  may stand in a site; NULL: none */
	unsigned methods;                      /* METHOD_BIT()s it handles; others are 405 */
	bool sub_paths;                        /* does "/ping" also answer "/ping/x"? */
	bool sends_files; /* as files where the wire can, hence not compressed */
	bool local;       /* for clients of this machine alone, unless `allow` names others */

	/* Once per location and worker, before any request; may block.  *state is passed to the
	 * others. 0 or a negative errno that was logged.  NULL: no state. */
	int (*open)(void **state, const struct section *location, struct proactor *proactor);

	/* No exchange is unanswered; body sources may still be alive.  NULL: nothing to do. */
	void (*close)(void *state);

	/* After the head: answer now or later, exactly once. */
	void (*handle)(void *state, struct exchange *exchange);

	/* The router refused the request with that status (403, 405): true when the endpoint
	 * answers, now or later and with that status.  NULL: it has nothing to say. */
	bool (*refuse)(void *state, struct exchange *exchange, unsigned status);

	/* The client is gone: answer soon, with anything.  NULL: handle() answers soon by itself.
	 */
	void (*cancelled)(void *state, struct exchange *exchange);
};

#endif
