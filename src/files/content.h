/* The content of a file, counted: behind a descriptor, or in memory.  Whoever sends of it holds it,
 * so that many responses share one descriptor (what reads it says where, the file's own position is
 * never used) and it may be forgotten by whoever found it while it is being sent. */
#ifndef RINGLET_FILES_CONTENT_H
#define RINGLET_FILES_CONTENT_H

#include "http/body.h"
#include "proactor/proactor.h"

struct content {
	int fd;                    /* -1: in memory */
	struct text bytes;         /* in memory: all of it */
	struct headroom *headroom; /* before the bytes; who sends them counts as a user of it */

	/* Behind a descriptor: what the file was when it was found, if its owner says so. */
	bool is_described;
	struct timespec modified;
	off_t length;

	/* Private. */
	struct proactor *proactor;
	struct op op; /* the close */
	size_t user_count;
};

/* The caller is the first to hold it; fd is the content's from now on.  NULL: out of memory, fd
 * stays the caller's. */
struct content *content_of_file(struct proactor *proactor, int fd);

/* Likewise, for that many bytes, which the caller fills before anybody else sees them. */
struct content *content_in_memory(size_t length);
char *content_memory(struct content *content);

/* Says what the file was when it was found. */
void content_describe(struct content *content, const struct stat *stat);

/* Was the file rewritten in place since?  Not if it only grew, as logs do. */
bool content_has_changed(const struct content *content, const struct stat *stat);

/* Another one holds it; returns it. */
struct content *content_take(struct content *content);

/* Whoever returns it last has the file closed, by an op. */
void content_return(struct content *content);

/* Frees the memory kept for later contents. */
void content_trim(void);

#endif
