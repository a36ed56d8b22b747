/* What the programs of the benchmark have in common: they end when something they need fails, and
 * want as many descriptors as they may have. */
#ifndef RINGLET_TEST_BENCH_PROGRAM_H
#define RINGLET_TEST_BENCH_PROGRAM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)

/* Says why (errno) and ends with 2. */
static inline _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(2);
}

static inline uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static inline void raise_descriptor_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

#endif
