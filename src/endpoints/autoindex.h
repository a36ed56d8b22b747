/* The page that lists a directory, sent piece by piece. */
#ifndef RINGLET_ENDPOINTS_AUTOINDEX_H
#define RINGLET_ENDPOINTS_AUTOINDEX_H

#include "files/listing.h"
#include "http/exchange.h"

/* Answers the request with a page that lists the directory `fd`, which the caller keeps open until
 * done(owner) runs, from the loop, right after the answer; or with an error.  False: out of memory;
 * the request is not answered and done() will not run. */
bool autoindex_start(struct exchange *exchange, struct listings *listings, int fd,
	void (*done)(void *owner), void *owner);

#endif
