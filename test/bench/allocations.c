/* Counts the heap allocations of a program that preloads it (LD_PRELOAD).
 *
 * The environment variable ALLOCATIONS names a file that holds the count. It is mapped and shared,
 * so that a test can read it while the program runs, forked processes are counted too, and the
 * program needs no interface for it. The allocations are done by glibc, called by its internal
 * names. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

/* Until the file is mapped, the count is not visible. */
static _Atomic uint64_t count_before_mapping;
static _Atomic uint64_t *allocation_count = &count_before_mapping;

__attribute__((constructor)) static void map_count(void)
{
	const char *name = getenv("ALLOCATIONS");
	int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
	void *mapped;

	if (fd < 0)
		return;
	mapped = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped != MAP_FAILED)
		allocation_count = mapped;
}

void *malloc(size_t size)
{
	atomic_fetch_add(allocation_count, 1);
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	atomic_fetch_add(allocation_count, 1);
	return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	atomic_fetch_add(allocation_count, 1);
	return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	atomic_fetch_add(allocation_count, 1);
	return __libc_memalign(alignment, size);
}
