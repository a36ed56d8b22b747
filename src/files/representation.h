/* What a file is to HTTP (RFC 9110 §8): its type, its length, its validators.  Immutable once made;
 * a rewrite of the file makes another one. */
#ifndef RINGLET_FILES_REPRESENTATION_H
#define RINGLET_FILES_REPRESENTATION_H

#include <sys/stat.h>

#include "http/exchange.h"

enum { ETAG_LENGTH_MAX = 2 + 16 + 1 + 16 };

struct representation {
	struct text media_type;
	uint64_t length;
	struct timespec modified;
};

/* `path` is for the media type only. */
struct representation representation_of(struct text path, const struct stat *stat);

/* A strong validator (§8.8.3) of the length and the time of modification in ns: it changes with a
 * rewrite of the same length within the same second. */
void representation_write_etag(const struct representation *representation, struct buffer *etag);

/* Content-Type, Last-Modified, ETag. */
void representation_add_fields(
	const struct representation *representation, struct exchange *exchange);

#endif
