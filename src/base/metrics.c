/* The page of counters: which one this process writes, and sums over all. */
#include "base/metrics.h"

#include <assert.h>

#define DESCRIPTION(constant, key, help) { key, help },
const struct metric_description metric_descriptions[METRICS_COUNT] = { METRICS_COUNTERS(DESCRIPTION)
		METRICS_GAUGES(DESCRIPTION) };
#undef DESCRIPTION

static struct metrics private_page;
struct metrics *metrics = &private_page;

static const struct metrics *all_pages = &private_page;
static size_t page_count = 1;

void metrics_attach(struct metrics *pages, size_t count, size_t own)
{
	assert(own < count);
	metrics = &pages[own];
	all_pages = pages;
	page_count = count;
}

const struct metrics *metrics_pages(size_t *count)
{
	*count = page_count;
	return all_pages;
}

uint64_t metrics_sum(enum metric metric)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < page_count; i++)
		sum += __atomic_load_n(&all_pages[i].values[metric], __ATOMIC_RELAXED);
	return sum;
}
