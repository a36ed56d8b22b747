/* Blocks of one size, kept for the next taker: no allocation per request once warm.  At most
 * `kept_max` free blocks are kept; the rest goes back to the heap, so that a burst does not hold
 * its memory for ever.  Single-threaded: one pool belongs to one worker. */
#ifndef RINGLET_BASE_BLOCK_POOL_H
#define RINGLET_BASE_BLOCK_POOL_H

#include <stddef.h>

struct block_pool {
	size_t block_size;
	size_t kept_max;
	size_t kept_count;
	size_t taken_count;
	void *kept; /* the first free block; each holds a pointer to the next */
};

#define BLOCK_POOL(size, max)                                                                      \
	{                                                                                          \
		.block_size = (size), .kept_max = (max)                                            \
	}

/* A block with undefined contents, or NULL when the heap is exhausted. */
void *block_pool_take(struct block_pool *pool);
void block_pool_return(struct block_pool *pool, void *block);

/* Frees what is kept.  Blocks still taken stay valid and may be returned later. */
void block_pool_trim(struct block_pool *pool);

#endif
