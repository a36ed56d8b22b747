/* Precompressed siblings: page.html.zst, .br and .gz beside page.html, which may be sent in its
 * place (RFC 9110 §12.5.3). */
#ifndef RINGLET_FILES_SIBLINGS_H
#define RINGLET_FILES_SIBLINGS_H

#include <sys/stat.h>

#include "http/accept.h"

enum { SIBLING_KIND_COUNT = 3 };

/* How much older than its original a sibling may be. */
enum { SIBLING_AGE_S_MAX = 60 };

struct sibling_kind {
	const char *name;   /* in the configuration: "gz" */
	const char *suffix; /* of the file: ".gz" */
	struct text coding; /* in Content-Encoding: "gzip" */
};

/* For the setting: what is wrong with the names of kinds, see struct setting. */
const char *siblings_check(const char *const *names, size_t count, size_t *wrong);

/* The kinds of these names, in their order; the names are right. */
void siblings_find_kinds(const struct sibling_kind *kinds[SIBLING_KIND_COUNT],
	const char *const *names, size_t count);

/* The index of the kind that the client wants most, the first of equals, but none of those in the
 * set of bits `tried`; -1: it wants what is left no more than the original. */
int siblings_choose(const struct sibling_kind *const *kinds, size_t count, unsigned tried,
	const struct accept_codings *codings);

/* Was it made after the last change of its original?  Copying and unpacking may leave the two in
 * either order, and some tools cut times to the second; hence the tolerance. */
bool sibling_is_current(const struct stat *sibling, const struct stat *original);

/* The siblings that were found too old, so that each version of one is logged once, as long as not
 * many others come between.  Zeroed at first. */
struct stale_siblings {
	uint64_t versions[64];
};

/* Is it the first time for this version? */
bool stale_siblings_add(struct stale_siblings *stale, const struct stat *sibling);

#endif
