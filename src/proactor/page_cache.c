/* Two ways to ask, neither of which waits or moves more than a byte.
 *
 * cachestat(2), kernel 6.5, counts the pages of a range in one call.  It counts pages that are
 * still being read, too; so the last byte is then tried as well, for pages are read in order.  The
 * kernel answers it only to the owner of a file, or one who may write it, and a worker mostly is
 * neither: the first refusal ends the asking.
 *
 * Otherwise bytes are tried with preadv2(RWF_NOWAIT), each as far from the last as the kernel reads
 * ahead, in order and no further than the first that is missing: trying one makes the kernel read
 * it, and a page read out of order would pass for a whole stretch the next time. */
#include "proactor/page_cache.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Newer than Debian 12's headers; the number is the same on every architecture but alpha. */
enum { SYSTEM_CALL_CACHESTAT = 451 };

enum { STRIDE = 128 * 1024 };

enum finding { PRESENT, ABSENT, UNKNOWN };

struct cached_range {
	uint64_t offset, length;
};

struct cached_pages {
	uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

/* Some filesystems cannot read without waiting. */
static enum finding try_byte(int file, uint64_t offset)
{
	char byte;
	const struct iovec piece = { &byte, 1 };
	ssize_t length = preadv2(file, &piece, 1, (off_t)offset, RWF_NOWAIT);

	if (length < 0)
		return errno == EOPNOTSUPP ? UNKNOWN : ABSENT;
	return length > 0 ? PRESENT : ABSENT;
}

static enum finding try_bytes(int file, uint64_t offset, uint64_t length)
{
	const uint64_t last = offset + length - 1;
	enum finding finding = PRESENT;

	for (; offset < last && finding == PRESENT; offset += STRIDE)
		finding = try_byte(file, offset);
	return finding == PRESENT ? try_byte(file, last) : finding;
}

static enum finding count_pages(
	struct page_cache *cache, int file, uint64_t offset, uint64_t length)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const uint64_t count = (offset + length - 1) / page - offset / page + 1;
	struct cached_range range = { offset, length };
	struct cached_pages pages = { 0 };

	if (cache->refuses_counting)
		return UNKNOWN;
	if (syscall(SYSTEM_CALL_CACHESTAT, file, &range, &pages, 0) < 0) {
		cache->refuses_counting = errno == ENOSYS || errno == EPERM;
		return UNKNOWN;
	}
	return pages.cached >= count ? PRESENT : ABSENT;
}

static bool ask(struct page_cache *cache, int file, uint64_t offset, uint64_t length)
{
	switch (count_pages(cache, file, offset, length)) {
	case PRESENT:
		return try_byte(file, offset + length - 1) != ABSENT;
	case ABSENT:
		return false;
	case UNKNOWN:
		break;
	}
	return try_bytes(file, offset, length) == PRESENT;
}

bool page_cache_holds(struct page_cache *cache, int file, uint64_t offset, uint64_t length)
{
	if (file == cache->held_file && offset >= cache->held_begin &&
		offset + length <= cache->held_end)
		return true;
	if (!ask(cache, file, offset, length))
		return false;
	cache->held_file = file;
	cache->held_begin = offset;
	cache->held_end = offset + length;
	return true;
}

void page_cache_forget(struct page_cache *cache)
{
	cache->held_end = 0;
}
