/* What lookups found, kept for the next who asks: the status of a path, the representation, and its
 * content, behind an open descriptor or, if it is short, in memory.
 *
 * A worker has one cache, found by its proactor.  Each location that serves files has a view of it.
 */
#ifndef RINGLET_FILES_CACHE_H
#define RINGLET_FILES_CACHE_H

#include "files/content.h"
#include "files/lookup.h"
#include "files/representation.h"

/* 0 everywhere, as at first: nothing is kept. */
struct cache_limits {
	size_t entry_count_max;
	size_t descriptor_count_max; /* files kept open */
	size_t byte_count_max;       /* of contents in memory */
	size_t file_length_max;      /* that is taken into memory */
	size_t directory_count_max;  /* watched */
};

/* Before the first view is opened. */
void cache_limit(const struct cache_limits *limits);

/* The length up to which files may be held in memory; 0: none are. */
size_t cache_loaded_length_max(void);

/* A kept outcome of a lookup; valid until the loop goes on or another is asked for. */
struct cached_file {
	unsigned status;  /* 200, 301, 403 or 404, as a lookup's */
	struct text path; /* of what was found, as lookup_path() */
	struct stat stat;
	struct representation representation;
	struct content *content; /* whoever sends it takes it */
};

struct cache_view {
	/* Set by the owner. */
	struct root *root;
	const char *const *index; /* as a lookup's */
	size_t index_count;
	bool wants_bytes; /* are short files to be in memory? */

	/* Private. */
	struct cache_tree *tree; /* NULL: nothing is kept */
};

/* 0 or a negative errno that was logged. */
int cache_open(struct cache_view *view, struct proactor *proactor);

/* Turns the loop until what the cache does for the last view has ended. */
void cache_close(struct cache_view *view);

/* What is asked for.  What one path means may differ: `purpose` tells such uses of it apart. */
struct cache_key {
	struct text path; /* begins with "/" */
	unsigned purpose;
};

/* NULL: it must be looked up. */
const struct cached_file *cache_find(struct cache_view *view, const struct cache_key *key);

/* When a lookup begins; what happens from then on may make its outcome untrue. */
struct cache_moment {
	uint64_t events;
	uint64_t now_ns;
};
struct cache_moment cache_now(const struct cache_view *view);

/* Keeps the outcome of a lookup that began at that moment (with notes_links), unless it cannot be
 * relied on.  With status 200: what the file is, and its content, which the cache takes by itself.
 * Returns what is kept of it now, maybe from before, or NULL. */
const struct cached_file *cache_keep(struct cache_view *view, const struct cache_key *key,
	const struct cache_moment *since, const struct lookup *lookup,
	const struct representation *representation, struct content *content);

#endif
