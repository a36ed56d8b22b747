/* Shared by the programs of the benchmark: they end when something they need fails, and raise their
 * limit of descriptors. */
#ifndef RINGLET_TEST_BENCH_PROGRAM_H
#define RINGLET_TEST_BENCH_PROGRAM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)

/* Prints the reason (errno) and exits with 2. */
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
