/* server/log_writer.h on the epoll backend: batches, bounds, failures, and the end. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* cmocka's; ours is in base/log.h */

#include "base/log.h"
#include "base/metrics.h"
#include "server/log_writer.h"

static struct proactor *proactor;
static struct log_writer writer;
static char reported[4 * LOG_LINE_LENGTH_MAX]; /* messages of the error log */

static void keep_report(void *context, struct text line)
{
	size_t length = strlen(reported);

	(void)context;
	snprintf(reported + length, sizeof(reported) - length, "%.*s", TEXT_ARGUMENTS(line));
}

static int open_loop(void **state)
{
	const struct proactor_options options = { .thread_count = 1 };

	(void)state;
	reported[0] = '\0';
	log_set_sink(keep_report, NULL);
	return proactor_open(&proactor, BACKEND_EPOLL, &options);
}

static int close_loop(void **state)
{
	(void)state;
	log_writer_close(&writer);
	proactor_free(proactor);
	log_set_sink(NULL, NULL);
	return 0;
}

static void append(const char *line)
{
	log_writer_append(&writer, text_of(line));
}

static void run_until_idle(void)
{
	while (!log_writer_is_idle(&writer))
		assert_int_equal(proactor_turn(proactor, PROACTOR_WAIT_FOREVER), 0);
}

static void assert_file_holds(int fd, const char *expected)
{
	char bytes[4096];
	ssize_t length = pread(fd, bytes, sizeof(bytes) - 1, 0);

	assert_true(length >= 0);
	bytes[length] = '\0';
	assert_string_equal(bytes, expected);
}

static int open_file(void)
{
	char path[] = "/tmp/ringlet-log-XXXXXX";
	int fd = mkostemp(path, O_APPEND | O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

static void test_lines_arrive_whole_and_in_order(void **state)
{
	int fd = open_file();

	(void)state;
	assert_int_equal(log_writer_open(&writer, proactor, fd, "test", 4096), 0);
	assert_true(log_writer_is_idle(&writer));
	append("one\n");
	append("two\n");
	append("three\n");
	run_until_idle();
	append("four\n");
	run_until_idle();
	assert_file_holds(fd, "one\ntwo\nthree\nfour\n");
	close(fd);
}

static void test_lines_that_gather_leave_in_one_write(void **state)
{
	uint64_t before = metrics_sum(METRIC_OPS_SUBMITTED);
	int fd = open_file();

	(void)state;
	assert_int_equal(log_writer_open(&writer, proactor, fd, "test", 4096), 0);
	for (int i = 0; i < 100; i++)
		append("line\n");
	run_until_idle();
	assert_int_equal(metrics_sum(METRIC_OPS_SUBMITTED) - before, 2);
	close(fd);
}

static void test_lines_beyond_the_bound_are_dropped_and_reported_once(void **state)
{
	uint64_t before = metrics_sum(METRIC_LOG_LINES_DROPPED);
	int fd = open_file();

	(void)state;
	assert_int_equal(log_writer_open(&writer, proactor, fd, "access_log", 40), 0);
	append("in flight\n");
	append("0123456789abcdef\n"); /* 17 of 20 bytes */
	append("too long\n");
	append("too long\n");
	append("ok\n");
	run_until_idle();
	assert_file_holds(fd, "in flight\n0123456789abcdef\nok\n");
	assert_int_equal(metrics_sum(METRIC_LOG_LINES_DROPPED) - before, 2);
	assert_non_null(strstr(reported, "access_log: 2 lines dropped"));
	assert_null(strstr(strchr(reported, '\n') + 1, "dropped"));
	close(fd);
}

static void test_batch_grows_with_a_burst_and_shrinks_again(void **state)
{
	enum { LINES = 20000 };
	uint64_t before = metrics_sum(METRIC_LOG_LINES_DROPPED);
	size_t size, grown;
	int fd = open_file();

	(void)state;
	assert_int_equal(log_writer_open(&writer, proactor, fd, "test", LOG_WRITER_SIZE), 0);
	size = writer.filling.size;
	for (int i = 0; i < LINES; i++)
		append("one of a burst of lines\n");
	grown = writer.filling.size;
	assert_true(grown >= LINES * 20 && grown <= LOG_WRITER_SIZE / 2);
	run_until_idle();
	assert_int_equal(lseek(fd, 0, SEEK_END), LINES * strlen("one of a burst of lines\n"));
	assert_int_equal(metrics_sum(METRIC_LOG_LINES_DROPPED), before);
	for (int i = 0; i < 32; i++) {
		append("line\n");
		run_until_idle();
	}
	assert_int_equal(writer.filling.size, size);
	assert_int_equal(writer.writing.size, size);
	close(fd);
}

static void report_into_itself(void *context, struct text line)
{
	keep_report(NULL, line);
	log_writer_append(context, line);
}

static void test_failing_error_log_does_not_feed_on_its_own_reports(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(log_writer_open(&writer, proactor, fd, "error_log", 4096), 0);
	log_set_sink(report_into_itself, &writer);
	append("lost\n");
	run_until_idle();
	append("lost, too\n");
	run_until_idle();
	assert_non_null(strstr(reported, "cannot write error_log"));
	assert_null(strstr(strchr(reported, '\n') + 1, "cannot write"));
	log_set_sink(keep_report, NULL);
	close(fd);
}

static void test_writing_goes_on_after_a_failure(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), fd = open_file();

	(void)state;
	assert_int_equal(log_writer_open(&writer, proactor, full, "access_log", 4096), 0);
	append("lost\n");
	run_until_idle();
	writer.fd = fd;
	append("kept\n");
	run_until_idle();
	assert_file_holds(fd, "kept\n");
	assert_non_null(strstr(reported, "access_log: 1 lines dropped"));
	close(full);
	close(fd);
}

static void test_writes_to_a_pipe_end_at_a_line(void **state)
{
	char bytes[8192], line[1001];
	ssize_t length, total = 0;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_DIRECT), 0); /* a read gets one write */
	memset(line, 'x', sizeof(line));
	line[999] = '\n';
	line[1000] = '\0';
	assert_int_equal(log_writer_open(&writer, proactor, ends[1], "test", 65536), 0);
	for (int i = 0; i < 10; i++)
		append(line);
	run_until_idle();
	while (total < 10000) {
		length = read(ends[0], bytes, sizeof(bytes));
		assert_true(length > 0 && length <= 4096);
		assert_int_equal(bytes[length - 1], '\n');
		total += length;
	}
	close(ends[0]);
	close(ends[1]);
}

static void test_flush_writes_what_the_loop_did_not(void **state)
{
	int fd = open_file();

	(void)state;
	assert_int_equal(log_writer_open(&writer, proactor, fd, "test", 4096), 0);
	append("one\n");
	append("two\n");
	proactor_cancel(proactor, &writer.write);
	while (proactor_active_count(proactor) > 0)
		assert_int_equal(proactor_turn(proactor, PROACTOR_WAIT_FOREVER), 0);
	log_writer_flush(&writer);
	assert_true(log_writer_is_idle(&writer));
	assert_file_holds(fd, "one\ntwo\n");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_lines_arrive_whole_and_in_order, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
			test_lines_that_gather_leave_in_one_write, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
			test_lines_beyond_the_bound_are_dropped_and_reported_once, open_loop,
			close_loop),
		cmocka_unit_test_setup_teardown(
			test_batch_grows_with_a_burst_and_shrinks_again, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
			test_failing_error_log_does_not_feed_on_its_own_reports, open_loop,
			close_loop),
		cmocka_unit_test_setup_teardown(
			test_writing_goes_on_after_a_failure, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
			test_writes_to_a_pipe_end_at_a_line, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
			test_flush_writes_what_the_loop_did_not, open_loop, close_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
