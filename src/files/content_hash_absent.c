/* Stands in for content_hash_xxhash.c in a build without libxxhash: nothing is hashed. */
#include "files/content_hash.h"

#include <stddef.h>

bool content_hash_is_built(void)
{
	return false;
}

struct content_hash *content_hash_new(void)
{
	return NULL;
}

void content_hash_add(struct content_hash *hash, struct text bytes)
{
	(void)hash;
	(void)bytes;
}

void content_hash_digest(const struct content_hash *hash, unsigned char digest[CONTENT_HASH_SIZE])
{
	(void)hash;
	(void)digest;
}

void content_hash_free(struct content_hash *hash)
{
	(void)hash;
}
