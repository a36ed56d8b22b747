/* A file as a response body that passes through memory, so that filters can work on it: read by
 * asynchronous reads into a buffer, ahead of the sender. */
#ifndef RINGLET_FILES_READER_H
#define RINGLET_FILES_READER_H

#include "files/content.h"
#include "http/body.h"
#include "http/range.h"

/* A reader's memory, whatever the length of its file: a client that does not read its response
 * costs no more. */
enum { READER_BUFFER_LENGTH = 262144 };

/* These ranges of a content with a descriptor, one after the other; the source holds it until its
 * last read after release() has ended.  A file that has become shorter ends the body with -ENODATA;
 * of one that has grown no more is read.  NULL: out of memory. */
struct body_source *reader_open(
	struct proactor *proactor, struct content *content, const struct range_set *set);

/* Frees the memory kept for later readers. */
void reader_trim(void);

#endif
