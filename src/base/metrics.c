/* The page of counters: which one this process writes, and sums over all. */
#include "base/metrics.h"

#include <assert.h>
#include <string.h>

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

void metrics_count_response(unsigned endpoint, unsigned status, uint64_t duration_ns)
{
	struct endpoint_metrics *own;
	uint64_t *count;

	assert(endpoint < METRICS_ENDPOINTS_MAX);
	assert(status >= METRICS_STATUS_MIN);
	assert(status < METRICS_STATUS_MIN + METRICS_STATUS_COUNT);
	own = &metrics->endpoints[endpoint];
	count = &own->responses[status - METRICS_STATUS_MIN];
	__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
	histogram_add(&own->durations, duration_ns);
}

void metrics_sum_endpoint(struct endpoint_metrics *sum, unsigned endpoint)
{
	memset(sum, 0, sizeof(*sum));
	for (size_t i = 0; i < page_count; i++) {
		const struct endpoint_metrics *page = &all_pages[i].endpoints[endpoint];

		for (unsigned status = 0; status < METRICS_STATUS_COUNT; status++)
			sum->responses[status] +=
				__atomic_load_n(&page->responses[status], __ATOMIC_RELAXED);
		histogram_merge(&sum->durations, &page->durations);
	}
}
