/* The content of a file, behind a descriptor or in memory, with a reference count.  Each response
 * that sends the content holds it, so that many responses share one descriptor, and the cache may
 * drop the content while it is being sent.  Reads give their offset; the file's own position is
 * never used. */
#ifndef RINGLET_FILES_CONTENT_H
#define RINGLET_FILES_CONTENT_H

#include "http/body.h"
#include "proactor/proactor.h"

struct content {
	int fd;                    /* -1: in memory */
	struct text bytes;         /* the whole content, if it is in memory */
	struct headroom *headroom; /* before the bytes; each sender of the bytes counts as a user */

	/* Of a file that content_describe() was called for: what the lookup found. */
	bool is_described;
	struct timespec modified;
	off_t length;

	/* Private. */
	struct proactor *proactor;
	struct op op; /* the close */
	size_t user_count;
};

/* The caller holds the content, which owns fd from now on.  NULL: out of memory, the caller still
 * owns fd. */
struct content *content_of_file(struct proactor *proactor, int fd);

/* A content of `length` bytes.  The caller fills content_memory() before it shares the content. */
struct content *content_in_memory(size_t length);
char *content_memory(struct content *content);

/* Remembers the time and the length that a lookup found. */
void content_describe(struct content *content, const struct stat *stat);

/* Whether the file was rewritten in place since.  A file that only grew, like a log, was not. */
bool content_has_changed(const struct content *content, const struct stat *stat);

/* Adds a holder; returns the content. */
struct content *content_take(struct content *content);

/* Removes a holder.  The last one frees the content; the file is closed by an op. */
void content_return(struct content *content);

/* Frees the memory that is kept for later contents. */
void content_trim(void);

#endif
