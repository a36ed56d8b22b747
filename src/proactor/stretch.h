/* How much of a file one attempt to send it moves, and whether that would wait for a disk: the same
 * on both backends. */
#ifndef RINGLET_PROACTOR_STRETCH_H
#define RINGLET_PROACTOR_STRETCH_H

#include "base/smaller.h"
#include "proactor/op.h"
#include "proactor/page_cache.h"

enum { STRETCH_LENGTH_MAX = 1024 * 1024 };

/* Bytes that one attempt should move; never 0. */
static inline uint64_t stretch_length(const struct op *op)
{
	return (uint64_t)STRETCH_LENGTH_MAX >> op->sendfile.halvings;
}

/* An attempt has moved `moved` bytes, which was all it tried (is_whole) or all the socket took. */
void stretch_note(struct op *op, uint64_t moved, bool is_whole);

/* Whether the next stretch is in memory.  If so, all up to op->sendfile.in_memory_end is. */
bool stretch_is_in_memory(struct op *op, struct page_cache *cache);

/* Bytes of a sendfile that have not been moved yet, and where in the file they begin. */
static inline uint64_t stretch_remaining(const struct op *op)
{
	return op->sendfile.length - op->moved;
}

static inline uint64_t stretch_begin(const struct op *op)
{
	return op->sendfile.offset + op->moved;
}

#endif
