/* What a directory contains, sorted for people: directories first, then by name. */
#ifndef RINGLET_FILES_LISTING_H
#define RINGLET_FILES_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { LISTING_COUNT_MAX = 10000 }; /* what is beyond is left out */

enum listing_kind { LISTING_DIRECTORY, LISTING_FILE, LISTING_LINK };

struct listing_entry {
	char *name;
	enum listing_kind kind;
	uint64_t length; /* of a file */
	time_t modified; /* not of a link */
};

/* All zero but for the first two is empty. */
struct listing {
	int fd;         /* the directory, O_PATH will do; stays the caller's */
	bool dot_files; /* also what begins with a dot? */
	bool is_cut;    /* there is more */
	size_t count;
	struct listing_entry *entries;
};

/* Reads the directory, which blocks: for a thread of the pool.  Left out is what cannot be asked
 * for: special files, names with control bytes.  Links are not followed, so that nothing is told
 * of what they lead to.  0 or a negative errno. */
int listing_read(struct listing *listing);
void listing_reset(struct listing *listing);

#endif
