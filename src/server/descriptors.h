/* The limit of descriptors of a process, and how it divides them. */
#ifndef RINGLET_SERVER_DESCRIPTORS_H
#define RINGLET_SERVER_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

struct descriptor_budget {
	uint64_t connection_count_max; /* per worker */
	unsigned pipe_count_max;       /* splice pipes per worker */
	uint64_t cached_count_max;     /* files that a worker's cache keeps open */
	bool scarce;                   /* accept singly: a batch could exceed the limit */
};

/* Raises RLIMIT_NOFILE to its hard limit; returns the new value. */
uint64_t descriptors_raise_limit(void);

/* Divides `limit` descriptors: `fixed_count` are always in use, some go to pipes and to the cache,
 * and each connection needs two, a socket and a file.  Connections and cached files get at most the
 * number wanted. */
struct descriptor_budget descriptors_share_out(uint64_t limit, uint64_t fixed_count,
	uint64_t connection_count_wanted, uint64_t cached_count_wanted);

#endif
