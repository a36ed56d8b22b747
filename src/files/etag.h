/* Entity tags of files (RFC 9110 §8.8.3).
 *
 * A strong tag promises that equal tags mean equal bytes.  The time of modification alone cannot:
 * archives, package managers and reproducible builds give different files one time.  So a tag is
 * made, as the setting `etag` says, of the content's hash, or of what the file system changes with
 * every change.  Where neither can be trusted, there is no tag. */
#ifndef RINGLET_FILES_ETAG_H
#define RINGLET_FILES_ETAG_H

#include <limits.h>

#include "base/hash.h"
#include "files/content.h"
#include "files/root.h"

/* In the order of the setting's words. */
enum etag_mode {
	ETAG_AUTO,    /* what the cache may hold in memory: as CONTENT; else the text of FILE.etag;
			 else by mtime, ctime, inode and length */
	ETAG_CONTENT, /* by the content's hash */
	ETAG_TIME,    /* by mtime and length */
	ETAG_NO,
};

enum {
	ETAG_TEXT_MAX = 64, /* of a tag without its quotes */
	ETAG_PATH_SIZE = PATH_MAX + 8,
};

/* For the setting's table. */
extern const char *const etag_words[];
const char *etag_check(const char *const *strings, size_t count, size_t *wrong);

/* The text of a tag, without quotes; length 0: there is none. */
struct etag {
	size_t length;
	char bytes[ETAG_TEXT_MAX];
};

/* The tags of a location's files, and the hashes that were computed for them. */
struct etags {
	struct proactor *proactor;
	enum etag_mode mode;
	struct buckets known; /* not open before the first hash is known */
	struct list by_use;   /* of these, the most recently used first */
	size_t known_count;
	struct list jobs; /* files being hashed */
	bool is_closing;
};

void etags_open(struct etags *etags, struct proactor *proactor, enum etag_mode mode);

/* When no search is under way.  Turns the loop until no file is being hashed. */
void etags_close(struct etags *etags);

/* A search for the tag of one file; embedded in its owner. */
struct etag_search {
	/* Set by the owner; all of it stays valid until done(). */
	struct etags *etags;
	struct content *content; /* of the file, behind a descriptor */
	const struct stat *stat; /* of the file */
	struct root_directory *directory;
	struct text path; /* of the file, beneath the directory */

	/* Runs from the loop, once, when no op of the search is active. */
	void (*done)(struct etag_search *search);

	/* The outcome. */
	struct etag etag;

	/* Private. */
	struct list_node node; /* among a job's searches */
	struct op op;
	unsigned attempts;
	int fd; /* of FILE.etag */
	struct stat sidecar;
	bool cancelled;
	char bytes[ETAG_TEXT_MAX + 8]; /* of FILE.etag */
	char sidecar_path[ETAG_PATH_SIZE];
};

/* True: the tag is found, and done() will not run. */
bool etag_search_start(struct etag_search *search);

/* done() still runs, soon. */
void etag_search_cancel(struct etag_search *search);

/* Does the time of modification say when the file was modified?  Not if it is one of those that
 * tools write into every file. */
bool etag_trusts_time(const struct stat *stat);

#endif
