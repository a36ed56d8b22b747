/* Whether a part of a file is in memory: asked before a call that would wait for the disk. */
#ifndef RINGLET_PROACTOR_PAGE_CACHE_H
#define RINGLET_PROACTOR_PAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

/* What the kernel lets one know, and the last thing it told; starts zeroed. */
struct page_cache {
	bool refuses_counting; /* cachestat(2): unknown, forbidden, or the files are not ours */
	int held_file;         /* this part of it was in memory; held_end 0: nothing is known */
	uint64_t held_begin, held_end;
};

/* True: reading these bytes (at least one) will not wait, as far as can be found out.  False: they
 * are not all there, or nobody can tell.  May make the kernel begin to read them; never waits.
 * What was found last is believed until page_cache_forget(): many clients ask for one file. */
bool page_cache_holds(struct page_cache *cache, int file, uint64_t offset, uint64_t length);

/* Time went by, or descriptors were closed. */
void page_cache_forget(struct page_cache *cache);

#endif
