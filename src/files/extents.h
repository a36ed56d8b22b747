/* A file as a response body.  The pieces of a content with a descriptor are extents of its file,
 * which the wire sends by zero copy, without reading them.  The pieces of a content in memory are
 * bytes. */
#ifndef RINGLET_FILES_EXTENTS_H
#define RINGLET_FILES_EXTENTS_H

#include "files/content.h"
#include "files/range.h"
#include "http/body.h"

/* A source of these ranges of the content, one after the other.  It holds the content until
 * release().  NULL: out of memory. */
struct body_source *extents_open(
	struct proactor *proactor, struct content *content, const struct range_set *set);

/* Frees the memory that is kept for later sources. */
void extents_trim(void);

#endif
