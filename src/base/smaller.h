/* The smaller of two lengths, offsets or times. */
#ifndef RINGLET_BASE_SMALLER_H
#define RINGLET_BASE_SMALLER_H

#include <stdint.h>

static inline uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif
