/* The hash multiplies eight bytes at a time into 128 bits and folds them (the scheme of wyhash). */
#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

__extension__ typedef unsigned __int128 product_t;

#define FACTOR_OF_WORDS UINT64_C(0xa0761d6478bd642f)
#define FACTOR_OF_REST  UINT64_C(0xe7037ed1a0b428db)
#define FACTOR_OF_END   UINT64_C(0x8ebc6af09c88c6e3)

int buckets_open(struct buckets *buckets, size_t count)
{
	size_t size = 16;

	while (size < count)
		size *= 2;
	buckets->lists = malloc(size * sizeof(struct list));
	if (!buckets->lists)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++)
		list_init(&buckets->lists[i]);
	buckets->mask = size - 1;
	return 0;
}

void buckets_close(struct buckets *buckets)
{
	free(buckets->lists);
	buckets->lists = NULL;
}

uint64_t hash_seed(void)
{
	struct timespec now;
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed))
		return seed;
	clock_gettime(CLOCK_MONOTONIC, &now); /* early in the life of a machine */
	return (uint64_t)now.tv_nsec * FACTOR_OF_END ^ (uint64_t)(uintptr_t)&now;
}

static uint64_t fold(uint64_t word, uint64_t factor)
{
	product_t product = (product_t)word * factor;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_text(uint64_t seed, struct text text)
{
	uint64_t hash = seed ^ text.length * FACTOR_OF_END;
	uint64_t word = 0;

	for (; text.length >= sizeof(word); text = text_from(text, sizeof(word))) {
		memcpy(&word, text.bytes, sizeof(word));
		hash = fold(hash ^ word, FACTOR_OF_WORDS);
	}
	word = 0;
	if (text.length > 0)
		memcpy(&word, text.bytes, text.length);
	return fold(fold(hash ^ word, FACTOR_OF_REST) ^ seed, FACTOR_OF_END);
}
