/* Precompressed siblings: page.html.zst, .br and .gz beside page.html, which may be sent in its
 * place (RFC 9110 §12.5.3). */
#ifndef RINGLET_FILES_SIBLINGS_H
#define RINGLET_FILES_SIBLINGS_H

#include <sys/stat.h>

#include "http/request.h"

enum { SIBLING_KIND_COUNT = 3 };

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
	const struct request *request);

/* Was it made after the last change of its original?  A copy of the original's time counts, also
 * one that was cut to the second, as some tools do. */
bool sibling_is_current(const struct stat *sibling, const struct stat *original);

#endif
