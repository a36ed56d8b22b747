/* How many descriptors a process may have, and what it does with them. */
#ifndef RINGLET_SERVER_DESCRIPTORS_H
#define RINGLET_SERVER_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

struct descriptor_budget {
	uint64_t connection_count_max; /* per worker */
	unsigned pipe_count_max;       /* splice pipes per worker */
	uint64_t cached_count_max;     /* files that a worker's cache keeps open */
	bool scarce;                   /* connections must be counted one by one */
};

/* Raises RLIMIT_NOFILE to its hard limit; returns what it is then. */
uint64_t descriptors_raise_limit(void);

/* Shares `limit` descriptors out: `fixed_count` are in use whatever happens, a few go to pipes and
 * to the cache, and the rest is for connections, each with its socket and one file; no more than
 * wanted of either. */
struct descriptor_budget descriptors_share_out(uint64_t limit, uint64_t fixed_count,
	uint64_t connection_count_wanted, uint64_t cached_count_wanted);

#endif
