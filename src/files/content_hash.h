/* A fast hash of 128 bits over a file's content: XXH3, by libxxhash, which only
 * content_hash_xxhash.c includes.  It tells versions of a file apart; it is no defence against
 * somebody who makes two files with one hash on purpose. */
#ifndef RINGLET_FILES_CONTENT_HASH_H
#define RINGLET_FILES_CONTENT_HASH_H

#include "base/text.h"

enum { CONTENT_HASH_SIZE = 16 };

struct content_hash;

/* False: this build has no libxxhash (meson, option xxhash). */
bool content_hash_is_built(void);

/* NULL: out of memory, or not built. */
struct content_hash *content_hash_new(void);
void content_hash_add(struct content_hash *hash, struct text bytes);

/* The hash of all bytes added; the same on every machine. */
void content_hash_digest(const struct content_hash *hash, unsigned char digest[CONTENT_HASH_SIZE]);
void content_hash_free(struct content_hash *hash);

#endif
