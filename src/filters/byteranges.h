/* Several ranges in one response: the media type multipart/byteranges (RFC 9110 §14.6). */
#ifndef RINGLET_FILTERS_BYTERANGES_H
#define RINGLET_FILTERS_BYTERANGES_H

#include "files/range.h"
#include "http/body.h"

enum { BYTERANGES_BOUNDARY_LENGTH = 32 };

struct byteranges {
	struct range_set set;
	uint64_t length;        /* of the whole representation */
	struct text media_type; /* of the representation; its bytes outlive the body */
	char boundary[BYTERANGES_BOUNDARY_LENGTH];
};

/* A boundary that nobody who wrote the file can have known.  0 or a negative errno. */
int byteranges_choose_boundary(struct byteranges *parts);

/* "multipart/byteranges; boundary=…" */
void byteranges_append_media_type(struct buffer *buffer, const struct byteranges *parts);

/* Takes `inner` over, which is the bytes of the ranges one after the other, and puts a head before
 * each part.  *length is that of the result.  NULL: out of memory, inner stays the caller's. */
struct body_source *byteranges_open(
	struct body_source *inner, const struct byteranges *parts, int64_t *length);

/* Frees the memory kept for later bodies. */
void byteranges_trim(void);

#endif
