/* Hash tables whose nodes are embedded in their owners: an array of lists, one per bucket.  The
 * number of buckets is fixed, since whatever is kept in one is bounded. */
#ifndef RINGLET_BASE_HASH_H
#define RINGLET_BASE_HASH_H

#include "base/list.h"
#include "base/text.h"

struct buckets {
	struct list *lists; /* NULL: not open */
	size_t mask;
};

/* For about `count` nodes.  0 or -ENOMEM. */
int buckets_open(struct buckets *buckets, size_t count);

/* The nodes stay their owners'. */
void buckets_close(struct buckets *buckets);

static inline struct list *buckets_at(const struct buckets *buckets, uint64_t hash)
{
	return &buckets->lists[hash & buckets->mask];
}

/* A seed that no client knows: with it nobody can choose names that share a bucket. */
uint64_t hash_seed(void);

/* Texts and seeds that differ have different hashes, but for a chance of 2^-64 or so. */
uint64_t hash_text(uint64_t seed, struct text text);

#endif
