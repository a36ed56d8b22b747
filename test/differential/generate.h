/* Streams of good, odd and broken requests, from a grammar and a seed: the same seed gives the same
 * stream on every machine. */
#ifndef RINGLET_TEST_GENERATE_H
#define RINGLET_TEST_GENERATE_H

#include "base/buffer.h"
#include "reading.h"

/* Fills an empty buffer, and chooses cuts for a stream of that length. */
void generate_stream(struct buffer *stream, struct cuts *cuts, uint64_t seed);

#endif
