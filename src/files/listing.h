/* What a directory contains, sorted for people: directories first, then by name.
 *
 * Requests for one directory share one listing.  It is read once, on the thread pool, however many
 * requests wait for it, and kept for a second, unless an entry is made, renamed or removed before.
 * The length or time of a file in a listing may therefore be a second old. */
#ifndef RINGLET_FILES_LISTING_H
#define RINGLET_FILES_LISTING_H

#include <time.h>

#include "proactor/proactor.h"

enum {
	LISTING_COUNT_MAX = 10000,              /* further entries are left out */
	LISTINGS_LENGTH_MAX = 64 * 1024 * 1024, /* bytes of a location's listings */
};

enum listing_kind { LISTING_DIRECTORY, LISTING_FILE, LISTING_LINK };

struct listing_entry {
	size_t name; /* its offset in the listing's names */
	enum listing_kind kind;
	uint64_t length; /* of a file */
	time_t modified; /* not of a link */
};

/* Special files and names with control bytes are left out, because they cannot be requested.  Links
 * are not followed, so that a listing tells nothing about their targets. */
struct listing {
	size_t count;
	struct listing_entry *entries;
	char *names;
	bool is_cut; /* entries were left out because there are too many */

	/* Private. */
	struct listings *listings;
	struct list_node node; /* among the location's; unlinked: not shared any more */
	struct op op;          /* the read, then the time for which it is kept */
	struct list waits;
	struct stat stat; /* of the directory, before it was read */
	bool was_quiet;   /* had the directory not changed for a while? */
	int fd;
	size_t user_count; /* holders, and the op */
	size_t entries_size, names_length, names_size;
};

/* The listings of a location. */
struct listings;

/* With or without names that begin with a dot.  NULL: out of memory. */
struct listings *listings_open(struct proactor *proactor, bool dot_files);

/* No request may wait for a listing.  Turns the loop; listings that are held stay valid. */
void listings_close(struct listings *listings);

/* A request that waits for a listing; embedded in its owner. */
struct listing_wait {
	/* Set by the owner. */
	int fd; /* the directory, O_PATH is enough; open until found() */

	/* Runs from the loop, once.  The listing is held for the owner, or NULL and `error` says
	 * why: -ENOBUFS, the listings of the location are too long; or another negative errno. */
	void (*found)(struct listing_wait *wait, struct listing *listing, int error);

	/* Private. */
	struct listings *listings;
	struct list_node node;
	struct op op;
	struct stat stat;
};

void listing_await(struct listings *listings, struct listing_wait *wait);
void listing_return(struct listing *listing);

#endif
