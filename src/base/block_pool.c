/* A free list of equal blocks. */
#include "base/block_pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void *block_pool_take(struct block_pool *pool)
{
	void *block = pool->kept;

	if (block) {
		memcpy(&pool->kept, block, sizeof(void *));
		pool->kept_count--;
	} else {
		block = malloc(pool->block_size);
		if (!block)
			return NULL;
	}
	pool->taken_count++;
	return block;
}

void block_pool_return(struct block_pool *pool, void *block)
{
	assert(pool->taken_count > 0);
	assert(pool->block_size >= sizeof(void *));
	pool->taken_count--;
	if (pool->kept_count >= pool->kept_max) {
		free(block);
		return;
	}
	memcpy(block, &pool->kept, sizeof(void *));
	pool->kept = block;
	pool->kept_count++;
}

void block_pool_trim(struct block_pool *pool)
{
	while (pool->kept) {
		void *block = pool->kept;

		memcpy(&pool->kept, block, sizeof(void *));
		free(block);
	}
	pool->kept_count = 0;
}
