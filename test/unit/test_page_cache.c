/* Is a part of a file in the page cache? Uses a file in the build directory, because files on tmpfs
 * are never cold. A case that cannot make a file cold is skipped. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/owned.h"
#include "proactor/page_cache.h"

enum { LENGTH = 1 << 20 };

/* Tests both ways to find out; the second is used where cachestat(2) is refused. */
static struct page_cache counting, trying = { .refuses_counting = true };

static int forget(void **state)
{
	(void)state;
	page_cache_forget(&counting);
	page_cache_forget(&trying);
	return 0;
}

static void skip_because(const char *reason)
{
	print_message("%s\n", reason);
	skip();
}

static int make_file(void)
{
	char name[] = "test-page-cache-XXXXXX";
	int file = mkstemp(name);
	char *bytes = calloc(1, LENGTH);

	assert_true(file >= 0);
	unlink(name);
	assert_int_equal(write(file, bytes, LENGTH), LENGTH);
	assert_int_equal(fsync(file), 0);
	free(bytes);
	return file;
}

/* Reads the file once, as a response does. */
static void warm(int file, off_t offset, size_t length)
{
	char *bytes = malloc(length);

	assert_int_equal(pread(file, bytes, length, offset), length);
	free(bytes);
}

/* Uses mincore(2), which gives the right result for a locked page. */
static bool is_cold(int file, size_t begin, size_t end)
{
	static unsigned char present[LENGTH / 4096];
	void *pages = mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, file, 0);
	bool cold = true;

	assert_true(pages != MAP_FAILED);
	assert_int_equal(mincore(pages, LENGTH, present), 0);
	for (size_t i = begin / 4096; i < end / 4096; i++)
		cold = cold && !(present[i] & 1);
	munmap(pages, LENGTH);
	return cold;
}

/* Returns false if that is impossible, as on a file system in memory. Pages that the kernel is
 * using stay for a while. */
static bool chill(int file)
{
	for (int tries = 0; tries < 100 && !is_cold(file, 0, LENGTH); tries++)
		assert_int_equal(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
	return is_cold(file, 0, LENGTH);
}

static int make_cold_file(void)
{
	int file = make_file();

	if (!chill(file))
		skip_because("this file system is in memory only");
	return file;
}

/* The probe makes the kernel read, and a fast disk may have finished the last page by then. */
static void assert_not_held(struct page_cache *way, int file)
{
	bool held = page_cache_holds(way, file, 0, LENGTH);

	if (held && way == &trying)
		assert_false(is_cold(file, LENGTH - 4096, LENGTH));
	else
		assert_false(held);
}

static void test_what_was_just_written_is_in_memory(void **state)
{
	auto_fd file = make_file();

	(void)state;
	assert_true(page_cache_holds(&counting, file, 0, LENGTH));
	assert_true(page_cache_holds(&counting, file, 5, 1));
	assert_true(page_cache_holds(&counting, file, LENGTH - 1, 1));
}

static void test_trying_bytes_finds_what_counting_pages_finds(void **state)
{
	auto_fd file = make_file();

	(void)state;
	if (!page_cache_holds(&trying, file, 0, 1))
		skip_because("this file system cannot read without waiting");
	assert_true(page_cache_holds(&trying, file, 0, LENGTH));
	assert_true(page_cache_holds(&trying, file, LENGTH - 1, 1));
}

static void test_what_is_beyond_the_end_is_not_in_memory(void **state)
{
	auto_fd file = make_file();

	(void)state;
	assert_false(page_cache_holds(&counting, file, LENGTH, 1));
	assert_false(page_cache_holds(&counting, file, LENGTH - 1, 4097));
	assert_false(page_cache_holds(&trying, file, LENGTH, 1));
}

static void test_a_cold_file_is_not_in_memory_until_it_was_read(void **state)
{
	struct page_cache *const ways[] = { &counting, &trying };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		auto_fd file = make_cold_file();

		assert_not_held(ways[i], file);
		warm(file, 0, LENGTH);
		assert_true(page_cache_holds(ways[i], file, 0, LENGTH));
	}
}

static void test_a_cold_stretch_in_the_middle_is_noticed(void **state)
{
	struct page_cache *const ways[] = { &counting, &trying };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		auto_fd file = make_cold_file();

		assert_int_equal(posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM), 0);
		warm(file, 0, LENGTH / 4);
		warm(file, LENGTH - 4096, 4096);
		if (!is_cold(file, LENGTH / 2, LENGTH - 4096))
			skip_because("the system has read more than it was asked for");
		assert_true(page_cache_holds(ways[i], file, 0, LENGTH / 4));
		assert_not_held(ways[i], file);
	}
}

static void test_what_was_found_is_believed_until_it_is_forgotten(void **state)
{
	auto_fd file = make_file();
	auto_fd other = make_cold_file();

	(void)state;
	assert_true(page_cache_holds(&counting, file, 4096, LENGTH / 2));
	if (!chill(file))
		skip_because("this file system is in memory only");
	assert_true(page_cache_holds(&counting, file, 4096, LENGTH / 2));
	assert_true(page_cache_holds(&counting, file, 8192, 1));
	assert_false(page_cache_holds(&counting, file, 4095, 2));
	assert_false(page_cache_holds(&counting, file, 4096, LENGTH / 2 + 1));
	assert_not_held(&counting, other);
	page_cache_forget(&counting);
	assert_false(page_cache_holds(&counting, file, 4096, LENGTH / 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_what_was_just_written_is_in_memory, forget),
		cmocka_unit_test_setup(test_trying_bytes_finds_what_counting_pages_finds, forget),
		cmocka_unit_test_setup(test_what_is_beyond_the_end_is_not_in_memory, forget),
		cmocka_unit_test_setup(test_a_cold_file_is_not_in_memory_until_it_was_read, forget),
		cmocka_unit_test_setup(test_a_cold_stretch_in_the_middle_is_noticed, forget),
		cmocka_unit_test_setup(
			test_what_was_found_is_believed_until_it_is_forgotten, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
