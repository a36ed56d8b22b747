/* Bodies compressed on their way, by the thread pool: the content coding gzip (RFC 1952). */
#ifndef RINGLET_FILTERS_GZIP_H
#define RINGLET_FILTERS_GZIP_H

#include "http/compression.h"

/* Its open() says no when memory is short, or when as many bodies are being compressed as are
 * allowed.  An inner source that gives pieces of files ends the body with -ENOTSUP. */
extern const struct body_coder gzip_coder;

/* How many bodies this worker compresses at once; until it is set there is no bound.  Each takes
 * about 300 KiB. */
void gzip_limit(size_t count_max);

/* Frees the memory kept for later bodies. */
void gzip_trim(void);

#endif
