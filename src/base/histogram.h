/* How long things took: counts in fixed buckets, log-linear, so that adding is a few instructions
 * and a quantile of microseconds is as exact as one of minutes.
 *
 * Each doubling of the time, from 1024 ns to about 275 s, is cut into 16 equal buckets: a quantile
 * is at most 6.25 % too long.  A bucket holds what is longer than the bound before it and at most
 * its own, so that the powers of two among the bounds can be told to others without an error.
 *
 * One process writes a histogram; others may read it meanwhile, without locks (base/metrics.h). */
#ifndef RINGLET_BASE_HISTOGRAM_H
#define RINGLET_BASE_HISTOGRAM_H

#include <stdint.h>

enum {
	HISTOGRAM_STEP_BITS = 4,
	HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS, /* buckets per doubling */
	HISTOGRAM_BITS_MIN = 10,                    /* 1024 ns: what is not longer is one bucket */
	HISTOGRAM_DOUBLINGS = 28,
	HISTOGRAM_BITS_MAX = HISTOGRAM_BITS_MIN + HISTOGRAM_DOUBLINGS,
	HISTOGRAM_BUCKET_COUNT = 1 + HISTOGRAM_DOUBLINGS * HISTOGRAM_STEPS + 1,
};

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKET_COUNT]; /* the last: longer than all bounds */
	uint64_t sum_ns;
};

/* Which bucket holds that time. */
static inline unsigned histogram_bucket(uint64_t ns)
{
	uint64_t below = ns > 0 ? ns - 1 : 0;
	unsigned bits, step;

	if (below >> HISTOGRAM_BITS_MIN == 0)
		return 0;
	bits = 63u - (unsigned)__builtin_clzll(below);
	if (bits >= HISTOGRAM_BITS_MAX)
		return HISTOGRAM_BUCKET_COUNT - 1;
	step = (unsigned)(below >> (bits - HISTOGRAM_STEP_BITS)) & (HISTOGRAM_STEPS - 1);
	return 1 + (bits - HISTOGRAM_BITS_MIN) * HISTOGRAM_STEPS + step;
}

/* The longest time in that bucket; of the last UINT64_MAX. */
uint64_t histogram_bound_ns(unsigned bucket);

static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
	uint64_t *count = &histogram->counts[histogram_bucket(ns)];

	__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&histogram->sum_ns, histogram->sum_ns + ns, __ATOMIC_RELAXED);
}

/* Adds what `other`, which somebody may be writing, holds. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

uint64_t histogram_count(const struct histogram *histogram);

/* How many took at most 2^bits ns; exact from HISTOGRAM_BITS_MIN to HISTOGRAM_BITS_MAX. */
uint64_t histogram_count_within(const struct histogram *histogram, unsigned bits);

/* The time that `per_thousand` of 1000 did not exceed: the bound of its bucket; of the last bucket
 * the bound before.  0 when nothing was added. */
uint64_t histogram_quantile_ns(const struct histogram *histogram, unsigned per_thousand);

#endif
