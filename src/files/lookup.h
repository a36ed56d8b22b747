/* A lookup turns a path into an open file beneath a root, or into the status to answer with.
 *
 * The kernel keeps the path inside the root: with RESOLVE_BENEATH, openat2(2) refuses "..", links
 * and races that lead out.  A lookup costs one open and one fstat; index files, links with an
 * absolute target, and errors cost more. */
#ifndef RINGLET_FILES_LOOKUP_H
#define RINGLET_FILES_LOOKUP_H

#include <limits.h>

#include "files/root.h"

struct lookup;

/* Runs from the loop, once, when no op of the lookup is active; the owner may free the lookup then.
 */
typedef void lookup_done_fn(struct lookup *lookup);

struct lookup {
	/* Set by the owner. */
	struct root *root;
	const char *const *index; /* names that stand for a directory, tried in order */
	size_t index_count;
	bool dot_files;       /* may segments begin with "."? */
	bool wants_directory; /* if there is no index file (403), fd is the directory, O_PATH */
	bool is_quiet;        /* do not log 404: the owner has other paths to try */
	bool notes_links;     /* find out passed_link; costs one more open if there is a link */
	lookup_done_fn *done;

	/* The outcome, when done() runs. */
	unsigned status;  /* 200: a file; 301: a directory whose path lacks its slash; 403, 404,
			     500, 503: no file, and logged */
	int fd;           /* of the file; the owner closes it; -1: none */
	struct stat stat; /* of the file */
	bool passed_link; /* there is a symbolic link on the path */
	struct root_directory *directory; /* what the path is beneath, until done() returns; NULL
					     with 503 only */
	bool is_late; /* it led to, or stopped in, a file system that may keep calls waiting */

	/* Private. */
	struct op op;
	struct root_wait wait;
	size_t index_next;
	size_t path_length; /* of the requested path; in `path` an index name may follow it */
	unsigned attempts;
	unsigned switch_count; /* retries because a link seems to have been switched */
	bool probing;          /* opening the directory itself, to see whether it is one */
	bool cancelled;
	char *resolved; /* the path beneath the root that an absolute link leads to; NULL */
	char path[PATH_MAX];
};

/* `path` begins with "/" and is copied.  Returns 0, or a negative errno if the path is too long or
 * has a segment that begins with "." and must not; then lookup->status is set, the failure is
 * logged, and done() does not run. */
int lookup_start(struct lookup *lookup, struct text path);

/* done() still runs, soon, with status 503 and no file. */
void lookup_cancel(struct lookup *lookup);

/* The path of the file found: with its index name, without its leading slash. */
struct text lookup_path(const struct lookup *lookup);

#endif
