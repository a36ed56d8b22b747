/* A file as a response body that passes through memory, so that filters can change it. Asynchronous
 * reads fill a buffer ahead of the sender. */
#ifndef RINGLET_FILES_READER_H
#define RINGLET_FILES_READER_H

#include "files/content.h"
#include "files/range.h"
#include "http/body.h"

/* The memory of a reader.  It does not depend on the length of the file, nor on how fast the client
 * reads its response. */
enum { READER_BUFFER_LENGTH = 262144 };

/* A source of these ranges of a content with a descriptor, one after the other.  The source holds
 * the content until it is released and its last read has ended.  If the file has become shorter,
 * the body fails with -ENODATA; if it has grown, the ranges stay the same.  NULL: out of memory. */
struct body_source *reader_open(
	struct proactor *proactor, struct content *content, const struct range_set *set);

/* Frees the memory that is kept for later readers. */
void reader_trim(void);

#endif
