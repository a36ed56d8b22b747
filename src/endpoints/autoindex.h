/* The page that lists a directory: read on the thread pool, sent piece by piece. */
#ifndef RINGLET_ENDPOINTS_AUTOINDEX_H
#define RINGLET_ENDPOINTS_AUTOINDEX_H

#include "http/exchange.h"
#include "proactor/proactor.h"

/* Answers with a listing of the directory `fd`, which stays the caller's, at the address that was
 * asked for; or with an error.  done(owner) runs from the loop right after the answer.  False: out
 * of memory, nothing was answered and done() will not run. */
bool autoindex_start(
	struct exchange *exchange, int fd, bool dot_files, void (*done)(void *owner), void *owner);

#endif
