/* XXH3 with 128 bits, in its canonical (big endian) form. */
#include <string.h>
#include <xxhash.h>

#include "files/content_hash.h"

bool content_hash_is_built(void)
{
	return true;
}

struct content_hash *content_hash_new(void)
{
	XXH3_state_t *state = XXH3_createState();

	if (state)
		XXH3_128bits_reset(state);
	return (struct content_hash *)state;
}

void content_hash_add(struct content_hash *hash, struct text bytes)
{
	XXH3_128bits_update((XXH3_state_t *)hash, bytes.bytes, bytes.length);
}

void content_hash_digest(const struct content_hash *hash, unsigned char digest[CONTENT_HASH_SIZE])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest((const XXH3_state_t *)hash));
	memcpy(digest, canonical.digest, CONTENT_HASH_SIZE);
}

void content_hash_free(struct content_hash *hash)
{
	XXH3_freeState((XXH3_state_t *)hash);
}
