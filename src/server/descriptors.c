/* The budget of descriptors.  Connections beyond it wait in the backlog; without a budget they
 * would fail with EMFILE in the middle of a request. */
#include "server/descriptors.h"

#include <sys/resource.h>

enum {
	PIPE_COUNT_MAX = 16, /* more pipes do not make splicing faster */
	PIPE_SHARE = 8,      /* at most one pipe (two descriptors) per 8 descriptors */
	PER_PIPE = 2,
	CACHE_SHARE = 16,       /* at most one cached file per 16 descriptors */
	CACHED_COUNT_MAX = 512, /* few files are both popular and too long for memory */
	PER_CONNECTION = 2,     /* the socket and a file */
	PLENTY = 1024,          /* connections; one batch beyond this limit does no harm */
};

uint64_t descriptors_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = { limit.rlim_max, limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	return limit.rlim_cur;
}

struct descriptor_budget descriptors_share_out(uint64_t limit, uint64_t fixed_count,
	uint64_t connection_count_wanted, uint64_t cached_count_wanted)
{
	uint64_t free_count = limit > fixed_count ? limit - fixed_count : 0;
	uint64_t pipe_count = free_count / PIPE_SHARE;
	struct descriptor_budget budget = {
		.connection_count_max = connection_count_wanted,
		.cached_count_max = cached_count_wanted,
	};
	uint64_t affordable;

	if (budget.cached_count_max > CACHED_COUNT_MAX)
		budget.cached_count_max = CACHED_COUNT_MAX;
	if (budget.cached_count_max > free_count / CACHE_SHARE)
		budget.cached_count_max = free_count / CACHE_SHARE;
	free_count -= budget.cached_count_max;
	if (pipe_count > PIPE_COUNT_MAX)
		pipe_count = PIPE_COUNT_MAX;
	if (pipe_count == 0)
		pipe_count = 1;
	budget.pipe_count_max = (unsigned)pipe_count;
	free_count -= free_count > pipe_count * PER_PIPE ? pipe_count * PER_PIPE : free_count;
	affordable = free_count / PER_CONNECTION > 0 ? free_count / PER_CONNECTION : 1;
	if (affordable < budget.connection_count_max)
		budget.connection_count_max = affordable;
	budget.scarce = budget.connection_count_max < PLENTY;
	return budget;
}
