/* Precompressed siblings: page.html.zst, .br and .gz, which may be sent in place of page.html
 * (RFC 9110 §12.5.3). */
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

/* Finds the kinds of names that siblings_check() has accepted, in the same order. */
void siblings_find_kinds(const struct sibling_kind *kinds[SIBLING_KIND_COUNT],
	const char *const *names, size_t count);

/* The index of the kind with the highest weight, the first of equal ones, leaving out those whose
 * bit is set in `tried`; -1: no remaining kind weighs as much as the original. */
int siblings_choose(const struct sibling_kind *const *kinds, size_t count, unsigned tried,
	const struct accept_codings *codings);

/* Was the sibling made after the last change of its original?  Up to SIBLING_AGE_S_MAX earlier
 * counts: copying and unpacking change the order of the two, and some tools cut times to the
 * second. */
bool sibling_is_current(const struct stat *sibling, const struct stat *original);

/* Siblings that were logged as too old, so that each version is logged once.  A fixed table: if
 * very many siblings are too old, some are logged again.  Initialise to zero. */
struct stale_siblings {
	uint64_t versions[64];
};

/* Adds this version of a sibling; false: it was there. */
bool stale_siblings_add(struct stale_siblings *stale, const struct stat *sibling);

#endif
