/* The budget of a turn's reads: io_uring and epoll keep it in different ways and pass the same
 * test. */
#ifndef RINGLET_TEST_READS_BY_TURNS_H
#define RINGLET_TEST_READS_BY_TURNS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/owned.h"
#include "proactor/backend.h"

enum { READ_COUNT = 40, READ_LENGTH = 128 * 1024 };

static int read_begun_count, read_done_count;

static void *take_read_memory(struct op *op)
{
	static char bytes[READ_LENGTH]; /* nobody looks into it */

	(void)op;
	read_begun_count++;
	return bytes;
}

static void count_read(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	(void)op;
	read_done_count++;
}

/* A read of a cached file is copied when it starts. Many together would delay the loop, and their
 * data would leave the processor's caches before it is sent. A read that waits for its turn can be
 * cancelled. */
static void assert_reads_begin_by_turns(struct proactor *proactor)
{
	auto_fd file = memfd_create("file", MFD_CLOEXEC);
	struct op reads[READ_COUNT], *last = &reads[READ_COUNT - 1];

	read_begun_count = read_done_count = 0;
	assert_int_equal(ftruncate(file, READ_LENGTH), 0);
	for (int i = 0; i < READ_COUNT; i++) {
		op_init(&reads[i], count_read);
		proactor_read_into(proactor, &reads[i], file, take_read_memory, READ_LENGTH, 0);
	}
	proactor_cancel(proactor, last);
	for (int turns = 0; read_done_count < READ_COUNT; turns++) {
		int before = read_begun_count;

		assert_true(turns < 100000);
		assert_int_equal(proactor_turn(proactor, 1000000), 0);
		assert_in_range(read_begun_count - before, 0, TURN_READ_LENGTH_MAX / READ_LENGTH);
	}
	assert_int_equal(read_begun_count, READ_COUNT - 1);
	assert_int_equal(last->result, -ECANCELED);
	for (int i = 0; i < READ_COUNT - 1; i++)
		assert_int_equal(reads[i].result, READ_LENGTH);
}

#endif
