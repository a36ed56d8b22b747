/* A file as a response body whose pieces are extents: the wire sends them by zero copy, and not a
 * byte of the file enters this process. */
#ifndef RINGLET_FILES_EXTENTS_H
#define RINGLET_FILES_EXTENTS_H

#include "http/body.h"
#include "http/range.h"
#include "proactor/proactor.h"

/* One extent at most: fairness between connections and the progress of a send count in these. */
#define EXTENT_LENGTH_MAX UINT64_C(1048576)

/* These ranges of `fd`, one after the other.  fd is the source's from now on: closed after
 * release().  NULL: out of memory, fd stays the caller's. */
struct body_source *extents_open(struct proactor *proactor, int fd, const struct range_set *set);

/* Frees the memory kept for later sources. */
void extents_trim(void);

#endif
