/* A file as a response body whose pieces are extents: the wire sends them by zero copy, and not a
 * byte of the file enters this process.  Of what is in memory already the pieces are bytes. */
#ifndef RINGLET_FILES_EXTENTS_H
#define RINGLET_FILES_EXTENTS_H

#include "files/content.h"
#include "http/body.h"
#include "http/range.h"

/* These ranges of the content, one after the other; the source holds it until release().  NULL: out
 * of memory. */
struct body_source *extents_open(
	struct proactor *proactor, struct content *content, const struct range_set *set);

/* Frees the memory kept for later sources. */
void extents_trim(void);

#endif
