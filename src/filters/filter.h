/* Filters: body sources that consume a body source and change its bytes.
 *
 * The wire pulls the outermost filter, which pulls the source inside it.  A filter holds no state
 * beside its source, and never runs ahead of what the wire asks for.
 *
 * What a filter makes of a file may depend on the request and on other files.  The exchange is over
 * once it is answered, so open() copies whatever the filter needs of the request later.
 *
 * Validators, ranges and the length of the file do not hold for what a filter makes of it. */
#ifndef RINGLET_FILTERS_FILTER_H
#define RINGLET_FILTERS_FILTER_H

#include <sys/stat.h>

#include "http/body.h"

struct exchange;
struct root;

/* What is filtered for whom.  All of it is valid during open() only, but for the root, which lives
 * as long as the endpoint's state. */
struct filter_context {
	struct exchange *exchange;
	struct root *root; /* other files are looked up beneath it */
	bool dot_files;    /* also those whose names begin with a dot? */
	struct text path;  /* of the file beneath the root, without a leading slash */
	const struct stat *stat;
};

struct filter {
	const char *name;
	struct text media_type; /* of what it works on, without parameters */

	/* NULL: the filter changes nothing.  Takes `inner` over, whose release() is then the
	 * filter's to call.  *length (in bytes, -1: unknown) is that of inner before and of the
	 * result after.  NULL: out of memory, inner stays the caller's and *length as it was. */
	struct body_source *(*open)(
		struct body_source *inner, int64_t *length, const struct filter_context *context);

	/* Frees the memory kept for later bodies. */
	void (*trim)(void);
};

/* Server-side includes: carries out the directives in HTML (docs/endpoints.md). */
extern const struct filter ssi_filter;

enum { FILTER_COUNT = 2 }; /* that have a name in the configuration */

/* The filter of that name, or NULL. */
const struct filter *filter_named(const char *name);

/* For the setting: what is wrong with a list of names, see struct setting. */
const char *filters_check(const char *const *names, size_t count, size_t *wrong);

/* Does the filter work on that media type, parameters included? */
bool filter_applies(const struct filter *filter, struct text media_type);

/* Frees the memory that all of them keep. */
void filters_trim(void);

#endif
