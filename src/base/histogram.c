/* Reading histograms: merging, counting, quantiles.  What is read belongs to the reader, but for
 * the source of a merge, which its writer may be adding to. */
#include "base/histogram.h"

#include <assert.h>

uint64_t histogram_bound_ns(unsigned bucket)
{
	unsigned doubling, step;

	assert(bucket < HISTOGRAM_BUCKET_COUNT);
	if (bucket == 0)
		return UINT64_C(1) << HISTOGRAM_BITS_MIN;
	if (bucket == HISTOGRAM_BUCKET_COUNT - 1)
		return UINT64_MAX;
	doubling = (bucket - 1) / HISTOGRAM_STEPS;
	step = (bucket - 1) % HISTOGRAM_STEPS;
	return (uint64_t)(HISTOGRAM_STEPS + step + 1)
	       << (HISTOGRAM_BITS_MIN - HISTOGRAM_STEP_BITS + doubling);
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKET_COUNT; i++)
		histogram->counts[i] += __atomic_load_n(&other->counts[i], __ATOMIC_RELAXED);
	histogram->sum_ns += __atomic_load_n(&other->sum_ns, __ATOMIC_RELAXED);
}

static uint64_t count_before(const struct histogram *histogram, unsigned end)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < end; i++)
		count += histogram->counts[i];
	return count;
}

uint64_t histogram_count(const struct histogram *histogram)
{
	return count_before(histogram, HISTOGRAM_BUCKET_COUNT);
}

uint64_t histogram_count_within(const struct histogram *histogram, unsigned bits)
{
	assert(bits >= HISTOGRAM_BITS_MIN && bits <= HISTOGRAM_BITS_MAX);
	return count_before(histogram, 1 + (bits - HISTOGRAM_BITS_MIN) * HISTOGRAM_STEPS);
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, unsigned per_thousand)
{
	uint64_t count = histogram_count(histogram);
	uint64_t rank = (count * per_thousand + 999) / 1000;
	uint64_t passed = 0;
	unsigned bucket = 0;

	if (count == 0)
		return 0;
	while (bucket < HISTOGRAM_BUCKET_COUNT - 2) {
		passed += histogram->counts[bucket];
		if (passed >= rank)
			break;
		bucket++;
	}
	return histogram_bound_ns(bucket);
}
