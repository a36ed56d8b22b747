/* Files: open as openat2(2), and what can be done with an open file. */
#include "cases.h"

#include <linux/openat2.h>
#include <stdio.h>

static int64_t open_how(struct fixture *fixture, const char *name, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };
	struct call call;

	if (flags & O_CREAT)
		how.mode = 0600;
	call_init(&call, fixture);
	proactor_open_file(fixture->proactor, &call.op, fixture->directory, name, &how);
	return finish(&call);
}

static int64_t open_beneath(struct fixture *fixture, const char *name)
{
	return open_how(fixture, name, O_RDONLY, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

static int64_t write_at(
	struct fixture *fixture, int fd, const char *bytes, size_t length, uint64_t offset)
{
	struct call call;

	call_init(&call, fixture);
	proactor_write(fixture->proactor, &call.op, fd, bytes, length, offset);
	return finish(&call);
}

static void test_open_tells_what_is_wrong_with_a_path(void **state)
{
	struct fixture *fixture = *state;
	const struct side *side = fixture->side;

	side->make_directory(fixture, "directory");
	side->write_file(fixture, "file", 0, "abc", 3);
	assert_int_equal(open_name(fixture, "missing", O_RDONLY), -ENOENT);
	assert_int_equal(open_name(fixture, "", O_RDONLY), -ENOENT);
	assert_int_equal(open_name(fixture, "missing/file", O_RDONLY), -ENOENT);
	assert_int_equal(open_name(fixture, "file/below", O_RDONLY), -ENOTDIR);
	assert_int_equal(open_name(fixture, "file/", O_RDONLY), -ENOTDIR);
	assert_int_equal(open_name(fixture, "file", O_RDONLY | O_DIRECTORY), -ENOTDIR);
	assert_int_equal(open_name(fixture, "directory", O_WRONLY), -EISDIR);
	assert_int_equal(open_name(fixture, "file", O_WRONLY | O_CREAT | O_EXCL), -EEXIST);
}

static void test_open_stays_beneath_its_directory(void **state)
{
	struct fixture *fixture = *state;
	const struct side *side = fixture->side;
	int fd;

	side->make_directory(fixture, "inner");
	side->write_file(fixture, "inner/file", 0, "abc", 3);
	side->make_symlink(fixture, "out", "../outside");
	side->make_symlink(fixture, "absolute", "/etc/passwd");
	side->make_symlink(fixture, "loop", "loop");
	side->make_symlink(fixture, "in", "inner/file");
	side->make_symlink(fixture, "inner/up", "../inner/file");
	assert_int_equal(open_beneath(fixture, "../outside"), -EXDEV);
	assert_int_equal(open_beneath(fixture, "inner/../../outside"), -EXDEV);
	assert_int_equal(open_beneath(fixture, "/inner/file"), -EXDEV);
	assert_int_equal(open_beneath(fixture, "out"), -EXDEV);
	assert_int_equal(open_beneath(fixture, "absolute"), -EXDEV);
	assert_int_equal(open_beneath(fixture, "loop"), -ELOOP);
	assert_int_equal(open_how(fixture, "in", O_RDONLY, RESOLVE_NO_SYMLINKS), -ELOOP);
	fd = (int)open_beneath(fixture, "in");
	assert_true(fd >= 0);
	close_fd(fixture, fd);
	fd = (int)open_beneath(fixture, "inner/../inner/./up");
	assert_true(fd >= 0);
	close_fd(fixture, fd);
}

static void test_open_creates_and_truncates(void **state)
{
	struct fixture *fixture = *state;
	char bytes[8];
	int fd = open_name(fixture, "new", O_RDWR | O_CREAT | O_EXCL);

	assert_true(fd >= 0);
	assert_int_equal(write_at(fixture, fd, "abc", 3, 0), 3);
	close_fd(fixture, fd);
	assert_int_equal(fixture->side->read_file(fixture, "new", bytes, sizeof(bytes)), 3);
	fd = open_name(fixture, "new", O_RDWR | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(read_at(fixture, fd, bytes, sizeof(bytes), 0), 0);
	close_fd(fixture, fd);
}

static void test_read_gives_the_file_and_0_at_its_end(void **state)
{
	struct fixture *fixture = *state;
	size_t length = 200000, seen = 0;
	char *bytes = malloc(length);
	int fd;

	make_pattern_file(fixture, "file", 0, length);
	fd = open_name(fixture, "file", O_RDONLY);
	while (seen < length) {
		int64_t count = read_at(fixture, fd, bytes + seen, length - seen, seen);

		assert_true(count > 0);
		seen += (size_t)count;
	}
	assert_pattern(bytes, 0, length);
	assert_int_equal(read_at(fixture, fd, bytes, 10, length), 0);
	assert_int_equal(read_at(fixture, fd, bytes, 10, length + 100000), 0);
	free(bytes);
	close_fd(fixture, fd);
}

/* --- memory that is asked for late --------------------------------------------------------- */

struct late {
	struct call call;
	bool refuses;
	unsigned asked_count;
	char bytes[65536];
};

static void *give_memory(struct op *op)
{
	struct late *late = container_of(op, struct late, call.op);

	late->asked_count++;
	return late->refuses ? NULL : late->bytes;
}

static void test_memory_is_asked_for_once_when_a_read_begins(void **state)
{
	struct fixture *fixture = *state;
	enum { COUNT = 40 };
	struct late *lates = calloc(COUNT, sizeof(*lates));
	int file;

	make_pattern_file(fixture, "file", 0, sizeof(lates->bytes));
	file = open_name(fixture, "file", O_RDONLY);
	for (int i = 0; i < COUNT; i++) {
		call_init(&lates[i].call, fixture);
		lates[i].refuses = i % 4 == 1;
		proactor_read_into(fixture->proactor, &lates[i].call.op, file, give_memory,
			sizeof(lates->bytes), 0);
		if (i % 4 == 2)
			proactor_cancel(fixture->proactor, &lates[i].call.op);
	}
	turn_until (fixture, proactor_active_count(fixture->proactor) == 0)
		;
	for (int i = 0; i < COUNT; i++) {
		const struct call *call = &lates[i].call;

		assert_int_equal(call->done_count, 1);
		if (lates[i].refuses)
			assert_int_equal(call->result, -ENOMEM);
		else if (call->result < 0)
			assert_true(i % 4 == 2 && call->result == -ECANCELED);
		else
			assert_pattern(lates[i].bytes, 0, (size_t)call->result);
		assert_in_range(lates[i].asked_count, call->result != -ECANCELED, 1);
	}
	close_fd(fixture, file);
	free(lates);
}

static void test_errors_of_descriptors_are_results(void **state)
{
	struct fixture *fixture = *state;
	int nothing = 1000000, fd;
	struct stat status;
	struct call call;
	char bytes[8];

	assert_int_equal(read_at(fixture, nothing, bytes, 8, 0), -EBADF);
	assert_int_equal(write_at(fixture, nothing, "x", 1, 0), -EBADF);
	call_init(&call, fixture);
	proactor_stat(fixture->proactor, &call.op, nothing, &status);
	assert_int_equal(finish(&call), -EBADF);
	proactor_fsync(fixture->proactor, &call.op, nothing);
	assert_int_equal(finish(&call), -EBADF);
	proactor_close(fixture->proactor, &call.op, nothing);
	assert_int_equal(finish(&call), -EBADF);
	assert_int_equal(read_at(fixture, fixture->directory, bytes, 8, 0), -EISDIR);
	fixture->side->write_file(fixture, "file", 0, "abc", 3);
	fd = open_name(fixture, "file", O_RDONLY);
	assert_int_equal(write_at(fixture, fd, "x", 1, 0), -EBADF);
	close_fd(fixture, fd);
}

static void test_4_write_writes_everything(void **state)
{
	struct fixture *fixture = *state;
	size_t length = 3000000;
	char *bytes = pattern_new(0, length), *seen = malloc(length);
	int fd = open_name(fixture, "file", O_RDWR | O_CREAT);

	assert_int_equal(write_at(fixture, fd, bytes, length, 0), length);
	assert_int_equal(fixture->side->read_file(fixture, "file", seen, length), length);
	assert_memory_equal(seen, bytes, length);
	assert_int_equal(write_at(fixture, fd, "xyz", 3, 10), 3);
	assert_int_equal(fixture->side->read_file(fixture, "file", seen, 14), 14);
	assert_memory_equal(seen + 10, "xyz", 3);
	assert_pattern(seen + 13, 13, 1);
	free(bytes);
	free(seen);
	close_fd(fixture, fd);
}

static void test_append_writes_where_the_position_is(void **state)
{
	struct fixture *fixture = *state;
	char bytes[16];
	int fd = open_name(fixture, "log", O_WRONLY | O_CREAT | O_APPEND), other;

	assert_int_equal(write_at(fixture, fd, "one ", 4, OP_APPEND), 4);
	fixture->side->write_file(fixture, "log", 4, "two ", 4);
	assert_int_equal(write_at(fixture, fd, "three", 5, OP_APPEND), 5);
	assert_int_equal(fixture->side->read_file(fixture, "log", bytes, 16), 13);
	assert_memory_equal(bytes, "one two three", 13);
	other = open_name(fixture, "log", O_WRONLY);
	assert_int_equal(write_at(fixture, other, "ON", 2, OP_APPEND), 2);
	assert_int_equal(write_at(fixture, other, "E", 1, OP_APPEND), 1);
	assert_int_equal(fixture->side->read_file(fixture, "log", bytes, 16), 13);
	assert_memory_equal(bytes, "ONE two three", 13);
	close_fd(fixture, fd);
	close_fd(fixture, other);
}

static void test_stat_tells_type_and_length(void **state)
{
	struct fixture *fixture = *state;
	struct stat status;
	struct call call;
	int fd;

	make_pattern_file(fixture, "file", 5000000000, 100);
	fd = open_name(fixture, "file", O_RDONLY);
	call_init(&call, fixture);
	proactor_stat(fixture->proactor, &call.op, fd, &status);
	assert_int_equal(finish(&call), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_int_equal(status.st_size, 5000000100);
	proactor_stat(fixture->proactor, &call.op, fixture->directory, &status);
	assert_int_equal(finish(&call), 0);
	assert_true(S_ISDIR(status.st_mode));
	close_fd(fixture, fd);
}

static void test_fsync_of_a_written_file_succeeds(void **state)
{
	struct fixture *fixture = *state;
	struct call call;
	int fd = open_name(fixture, "file", O_WRONLY | O_CREAT);

	assert_int_equal(write_at(fixture, fd, "abc", 3, 0), 3);
	call_init(&call, fixture);
	proactor_fsync(fixture->proactor, &call.op, fd);
	assert_int_equal(finish(&call), 0);
	close_fd(fixture, fd);
}

static void test_rename_replaces_in_one_step(void **state)
{
	struct fixture *fixture = *state;
	struct call call;
	char bytes[8];

	fixture->side->write_file(fixture, "new", 0, "new", 3);
	fixture->side->write_file(fixture, "old", 0, "older", 5);
	call_init(&call, fixture);
	proactor_rename(fixture->proactor, &call.op, fixture->directory, "new", "old", 0);
	assert_int_equal(finish(&call), 0);
	assert_int_equal(fixture->side->read_file(fixture, "new", bytes, 8), -ENOENT);
	assert_int_equal(fixture->side->read_file(fixture, "old", bytes, 8), 3);
	assert_memory_equal(bytes, "new", 3);
	proactor_rename(fixture->proactor, &call.op, fixture->directory, "missing", "old", 0);
	assert_int_equal(finish(&call), -ENOENT);
	proactor_rename(
		fixture->proactor, &call.op, fixture->directory, "old", "other", RENAME_NOREPLACE);
	assert_int_equal(finish(&call), 0);
	fixture->side->write_file(fixture, "new", 0, "newer", 5);
	proactor_rename(
		fixture->proactor, &call.op, fixture->directory, "new", "other", RENAME_NOREPLACE);
	assert_int_equal(finish(&call), -EEXIST);
	assert_int_equal(fixture->side->read_file(fixture, "other", bytes, 8), 3);
}

static int64_t unlink_name(struct fixture *fixture, const char *name, int flags)
{
	struct call call;

	call_init(&call, fixture);
	proactor_unlink(fixture->proactor, &call.op, fixture->directory, name, flags);
	return finish(&call);
}

static void test_unlink_removes_a_name(void **state)
{
	struct fixture *fixture = *state;
	char bytes[8];
	int fd;

	fixture->side->write_file(fixture, "file", 0, "abc", 3);
	fixture->side->make_directory(fixture, "directory");
	fixture->side->write_file(fixture, "directory/file", 0, "abc", 3);
	fd = open_name(fixture, "file", O_RDONLY);
	assert_int_equal(unlink_name(fixture, "file", 0), 0);
	assert_int_equal(unlink_name(fixture, "file", 0), -ENOENT);
	assert_true(read_at(fixture, fd, bytes, 8, 0) > 0);
	assert_int_equal(unlink_name(fixture, "directory", 0), -EISDIR);
	assert_int_equal(unlink_name(fixture, "directory", AT_REMOVEDIR), -ENOTEMPTY);
	assert_int_equal(unlink_name(fixture, "directory/file", AT_REMOVEDIR), -ENOTDIR);
	assert_int_equal(unlink_name(fixture, "directory/file", 0), 0);
	assert_int_equal(unlink_name(fixture, "directory", AT_REMOVEDIR), 0);
	close_fd(fixture, fd);
}

int run_file_cases(void)
{
	const struct CMUnitTest files[] = {
		contract_case(test_open_tells_what_is_wrong_with_a_path),
		contract_case(test_open_stays_beneath_its_directory),
		contract_case(test_open_creates_and_truncates),
		contract_case(test_read_gives_the_file_and_0_at_its_end),
		contract_case(test_memory_is_asked_for_once_when_a_read_begins),
		contract_case(test_errors_of_descriptors_are_results),
		contract_case(test_4_write_writes_everything),
		contract_case(test_append_writes_where_the_position_is),
		contract_case(test_stat_tells_type_and_length),
		contract_case(test_fsync_of_a_written_file_succeeds),
		contract_case(test_rename_replaces_in_one_step),
		contract_case(test_unlink_removes_a_name),
	};

	return cmocka_run_group_tests(files, NULL, NULL);
}
