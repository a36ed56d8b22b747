/* From a path to an open file beneath a root, or to the reason why there is none.
 *
 * The kernel keeps the path inside: openat2(2) with RESOLVE_BENEATH, so that neither "..", nor a
 * symbolic link, nor a race between the two leads out.  A lookup costs one open and one fstat; more
 * only for index files, for links with an absolute target, and for what is not served anyway. */
#ifndef RINGLET_FILES_LOOKUP_H
#define RINGLET_FILES_LOOKUP_H

#include <limits.h>

#include "files/root.h"

struct lookup;

/* Runs from the loop, once, when no op of the lookup is active: its memory is the owner's. */
typedef void lookup_done_fn(struct lookup *lookup);

struct lookup {
	/* Set by the owner. */
	struct root *root;
	const char *const *index; /* names that stand for a directory, tried in order */
	size_t index_count;
	bool dot_files;       /* may segments begin with "."? */
	bool wants_directory; /* with 403 for want of an index, fd is the directory, O_PATH */
	bool is_quiet;        /* 404 is not logged: there is more to look for */
	bool notes_links;     /* find out passed_link, which costs what is behind a link an open */
	lookup_done_fn *done;

	/* The outcome, when done() runs. */
	unsigned status;  /* 200: here is a file; 301: a directory, asked for without its slash;
			     403, 404, 500, 503: none, and it was logged */
	int fd;           /* of the file, now the owner's to close; -1 */
	struct stat stat; /* of the file */
	bool passed_link; /* a symbolic link was followed, or met */
	struct root_directory *directory; /* what the path is beneath, until done() returns; NULL
					     with 503 only */
	bool is_late; /* it led to, or stopped in, a file system that may keep calls waiting */

	/* Private. */
	struct op op;
	struct root_wait wait;
	size_t index_next;
	size_t path_length; /* of what was asked for; in `path` an index name may follow */
	unsigned attempts;
	unsigned switch_count; /* how often a link seems to have been switched */
	bool probing;          /* opening the directory itself, only to know that it is one */
	bool cancelled;
	char *resolved; /* where an absolute link led, beneath the root; NULL */
	char path[PATH_MAX];
};

/* `path` begins with "/" and is copied.  0; or a negative errno (too long, or with a segment that
 * begins with "." where that is not allowed), with lookup->status set and the failure logged:
 * done() will not run then. */
int lookup_start(struct lookup *lookup, struct text path);

/* done() still runs, soon; a file that was opened meanwhile is closed, status is 503. */
void lookup_cancel(struct lookup *lookup);

/* The path of the file found, without its leading slash, its index name included. */
struct text lookup_path(const struct lookup *lookup);

#endif
