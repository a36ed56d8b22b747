/* A stretch is twice what the socket accepted last time, between 64 KiB and 1 MiB: filling a whole
 * pipe, or asking the page cache about 4 MiB, is wasted on a slow client.
 *
 * A positive answer of the page cache holds for this op until it has sent that far or had to wait
 * for its socket, which may have taken long. */
#include "proactor/stretch.h"

enum { HALVINGS_MAX = 4, STRETCHES_PER_LOOK = 4 };

void stretch_note(struct op *op, uint64_t moved, bool is_whole)
{
	if (is_whole) {
		if (op->sendfile.halvings > 0)
			op->sendfile.halvings--;
		return;
	}
	op->sendfile.in_memory_end = 0;
	op->sendfile.halvings = HALVINGS_MAX;
	while (op->sendfile.halvings > 0 && stretch_length(op) < 2 * moved)
		op->sendfile.halvings--;
}

bool stretch_is_in_memory(struct op *op, struct page_cache *cache)
{
	uint64_t begin = stretch_begin(op);
	uint64_t length = smaller(stretch_remaining(op), STRETCHES_PER_LOOK * stretch_length(op));

	if (op->sendfile.in_memory_end >= begin + smaller(length, stretch_length(op)))
		return true;
	if (op->is_late || !page_cache_holds(cache, op->sendfile.file, begin, length))
		return false;
	op->sendfile.in_memory_end = begin + length;
	return true;
}
