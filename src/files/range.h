/* Range requests (RFC 9110 §14): which bytes of a representation a Range field asks for.  Pure. */
#ifndef RINGLET_FILES_RANGE_H
#define RINGLET_FILES_RANGE_H

#include <string.h>

#include "base/buffer.h"

/* A request for more ranges is answered with the whole: 200.  Readers of archives (zchunk,
 * zstd:chunked, uproot) ask for some hundred at once. */
enum { RANGE_COUNT_MAX = 256 };

struct range {
	uint64_t offset, length;
};

/* Some parts of a representation, in the order in which they are sent. */
struct range_set {
	unsigned count;
	struct range ranges[RANGE_COUNT_MAX];
};

enum range_outcome {
	RANGE_WHOLE,         /* the field does not count: everything, and 200 */
	RANGE_PARTIAL,       /* 206; the set has at least one range, none of them empty */
	RANGE_UNSATISFIABLE, /* 416 */
};

/* Reads the value of a Range field against a representation of `length` bytes.  Ranges that overlap
 * or touch become one, at the place of the first of them; those beyond the end are left out.  *set
 * is of use when the outcome is RANGE_PARTIAL. */
enum range_outcome range_parse(struct range_set *set, struct text value, uint64_t length);

/* Everything. */
void range_set_whole(struct range_set *set, uint64_t length);

/* Of the array only what counts. */
static inline void range_set_copy(struct range_set *to, const struct range_set *from)
{
	to->count = from->count;
	memcpy(to->ranges, from->ranges, from->count * sizeof(from->ranges[0]));
}

/* The bytes of all ranges together. */
uint64_t range_set_length(const struct range_set *set);

/* "bytes 0-4/10": the value of Content-Range (§14.4), for a representation of `length` bytes. */
void range_append_content(struct buffer *buffer, const struct range *range, uint64_t length);

/* The same for 416, where a star stands for the range. */
void range_append_unsatisfied(struct buffer *buffer, uint64_t length);

#endif
