/* Which sibling the client prefers, and whether it is recent enough.  The endpoint does the
 * lookups. */
#include "files/siblings.h"

#include <string.h>

#include "base/hash.h"
#include "base/settings.h"

static const struct sibling_kind all_kinds[SIBLING_KIND_COUNT] = {
	{ "zst", ".zst", TEXT("zstd") },
	{ "br", ".br", TEXT("br") },
	{ "gz", ".gz", TEXT("gzip") },
};

static const struct sibling_kind *kind_named(const char *name)
{
	for (size_t i = 0; i < SIBLING_KIND_COUNT; i++) {
		if (strcmp(all_kinds[i].name, name) == 0)
			return &all_kinds[i];
	}
	return NULL;
}

const char *siblings_check(const char *const *names, size_t count, size_t *wrong)
{
	for (size_t i = 0; i < count; i++) {
		*wrong = i;
		if (!kind_named(names[i]))
			return "unknown kind";
		if (setting_repeats(names, i))
			return "named twice";
	}
	return NULL;
}

void siblings_find_kinds(const struct sibling_kind *kinds[SIBLING_KIND_COUNT],
	const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		kinds[i] = kind_named(names[i]);
}

int siblings_choose(const struct sibling_kind *const *kinds, size_t count, unsigned tried,
	const struct accept_codings *codings)
{
	unsigned least = accept_codings_weight(codings, text_literal("identity"));
	unsigned most = 0;
	int chosen = -1;

	for (size_t i = 0; i < count; i++) {
		unsigned weight = accept_codings_weight(codings, kinds[i]->coding);

		if ((tried & 1u << i) != 0 || weight <= most || weight < least)
			continue;
		most = weight;
		chosen = (int)i;
	}
	return chosen;
}

bool sibling_is_current(const struct stat *sibling, const struct stat *original)
{
	return sibling->st_mtim.tv_sec + SIBLING_AGE_S_MAX >= original->st_mtim.tv_sec;
}

bool stale_siblings_add(struct stale_siblings *stale, const struct stat *sibling)
{
	const uint64_t version[] = { sibling->st_ino, (uint64_t)sibling->st_ctim.tv_sec,
		(uint64_t)sibling->st_ctim.tv_nsec };
	uint64_t hash = hash_text(0, (struct text){ (const char *)version, sizeof(version) });
	uint64_t *slot = &stale->versions[hash % 64];
	bool is_new = *slot != hash;

	*slot = hash;
	return is_new;
}
