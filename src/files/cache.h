/* Outcomes of lookups, kept for later requests: the status of a path, the representation, and its
 * content, behind an open descriptor or, if it is short, in memory.
 *
 * A worker has one cache, found by its proactor.  Each location that serves files has a view of it.
 */
#ifndef RINGLET_FILES_CACHE_H
#define RINGLET_FILES_CACHE_H

#include "files/content.h"
#include "files/lookup.h"
#include "files/representation.h"

/* All of them are 0 at first: nothing is kept. */
struct cache_limits {
	size_t entry_count_max;
	size_t descriptor_count_max; /* of files that are kept open */
	size_t byte_count_max;       /* of contents in memory */
	size_t file_length_max;      /* of a file that is read into memory */
	size_t directory_count_max;  /* of watched directories */
};

/* To be called before the first view is opened. */
void cache_limit(const struct cache_limits *limits);

/* The greatest length of a file that may be held in memory; 0: no file is. */
size_t cache_loaded_length_max(void);

/* A kept outcome of a lookup; valid until the next call or the next turn of the loop. */
struct cached_file {
	unsigned status;  /* 200, 301, 403 or 404, as a lookup's */
	struct text path; /* of what was found, as lookup_path() */
	struct stat stat;
	struct representation representation;
	struct content *content; /* a response that sends it holds it (content_take) */
};

struct cache_view {
	/* Set by the owner. */
	struct root *root;
	const char *const *index; /* as a lookup's */
	size_t index_count;
	bool wants_bytes; /* whether short files are read into memory */

	/* Private. */
	struct cache_tree *tree; /* NULL: nothing is kept */
};

/* 0 or a negative errno that was logged. */
int cache_open(struct cache_view *view, struct proactor *proactor);

/* The last view closes the cache, and turns the loop until all ops of the cache have ended. */
void cache_close(struct cache_view *view);

/* The key of an entry.  One path has several entries where its meaning depends on the use, for
 * example as requested and as a fallback: `purpose` is a number for the use. */
struct cache_key {
	struct text path; /* begins with "/" */
	unsigned purpose;
};

/* NULL: the path must be looked up. */
const struct cached_file *cache_find(struct cache_view *view, const struct cache_key *key);

/* The moment at which a lookup begins.  A later event may make its outcome untrue. */
struct cache_moment {
	uint64_t events;
	uint64_t now_ns;
};
struct cache_moment cache_now(const struct cache_view *view);

/* Keeps the outcome of a lookup (with notes_links) that began at the moment `since`, unless it may
 * be untrue already.  With status 200 the representation and the content are needed, too; the cache
 * takes the content by itself.  Returns the entry for the key, which may be older, or NULL. */
const struct cached_file *cache_keep(struct cache_view *view, const struct cache_key *key,
	const struct cache_moment *since, const struct lookup *lookup,
	const struct representation *representation, struct content *content);

#endif
