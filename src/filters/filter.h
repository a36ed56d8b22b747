/* Filters: a body source that consumes a body source, pieces in, pieces out.
 *
 * This is where bodies are worked on between the file and the wire (compression, includes,
 * multipart), and filters stack: the wire pulls the outermost, which pulls the one it consumes.
 * There is no state beside the source, and nothing runs ahead of the wire's demand. */
#ifndef RINGLET_FILTERS_FILTER_H
#define RINGLET_FILTERS_FILTER_H

#include "http/body.h"

struct filter {
	const char *name;

	/* Does every byte pass unchanged?  Then a range of what goes in is a range of the result.
	 */
	bool keeps_bytes;

	/* Takes `inner` over, whose release() is then the filter's to call.  *length (in bytes, -1:
	 * unknown) is that of inner before and of the result after.  NULL: out of memory, inner
	 * stays the caller's and *length as it was. */
	struct body_source *(*open)(struct body_source *inner, int64_t *length);
};

/* Lets everything pass: what a filter is at the least, and the measure of what filtering costs. */
extern const struct filter identity_filter;

#endif
