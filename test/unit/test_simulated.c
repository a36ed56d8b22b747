/* The simulated kernel: what the tests that use it rely on, besides the contract. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "simulated/simulated.h"

struct call {
	struct op op;
	unsigned done_count;
	int64_t result;
};

static void call_done(struct proactor *proactor, struct op *op)
{
	struct call *call = container_of(op, struct call, op);

	(void)proactor;
	call->done_count++;
	call->result = op->result;
}

static void call_init(struct call *call)
{
	*call = (struct call){ 0 };
	op_init(&call->op, call_done);
}

static struct proactor *open_seed(uint64_t seed)
{
	struct simulated_options options = { .seed = seed };
	struct proactor *proactor;

	assert_int_equal(simulated_open(&proactor, &options), 0);
	return proactor;
}

static int64_t finish(struct proactor *proactor, struct call *call)
{
	for (int i = 0; i < 1000 && call->done_count == 0; i++)
		assert_int_equal(proactor_turn(proactor, PROACTOR_WAIT_FOREVER), 0);
	assert_int_equal(call->done_count, 1);
	return call->result;
}

static void close_fd(struct proactor *proactor, int fd)
{
	struct call call;

	call_init(&call);
	proactor_close(proactor, &call.op, fd);
	assert_int_equal(finish(proactor, &call), 0);
}

/* --- the clock ----------------------------------------------------------------------------- */

static void test_an_hour_costs_one_turn(void **state)
{
	struct proactor *proactor = open_seed(1);
	uint64_t before_ns = proactor_now_ns(proactor);
	int64_t wall_before_ns = proactor_wall_ns(proactor);
	struct call call;

	(void)state;
	call_init(&call);
	proactor_timeout(proactor, &call.op, 3600000000000);
	assert_int_equal(proactor_turn(proactor, PROACTOR_WAIT_FOREVER), 0);
	assert_int_equal(call.done_count, 1);
	assert_int_equal(proactor_now_ns(proactor), before_ns + 3600000000000);
	assert_int_equal(proactor_wall_ns(proactor), wall_before_ns + 3600000000000);
	proactor_free(proactor);
}

static void test_with_nothing_to_do_waiting_returns(void **state)
{
	struct proactor *proactor = open_seed(1);
	uint64_t before_ns = proactor_now_ns(proactor);

	(void)state;
	assert_int_equal(proactor_turn(proactor, PROACTOR_WAIT_FOREVER), 0);
	assert_int_equal(proactor_now_ns(proactor), before_ns);
	proactor_free(proactor);
}

/* --- seeds --------------------------------------------------------------------------------- */

/* Receives 1000 bytes and records how they were cut. */
static void record_cuts(char *record, size_t size, uint64_t seed)
{
	struct proactor *proactor = open_seed(seed);
	static const char bytes[1000];
	struct simulated_client *client;
	int64_t received = 0;
	struct call call;
	int fd;

	record[0] = '\0';
	client = simulated_connect_pair(proactor, &fd);
	simulated_client_send(client, (struct text){ bytes, sizeof(bytes) });
	while (received < (int64_t)sizeof(bytes)) {
		size_t length = strlen(record);

		call_init(&call);
		proactor_receive(proactor, &call.op, fd);
		received += finish(proactor, &call);
		snprintf(record + length, size - length, "%lld ", (long long)received);
	}
	close_fd(proactor, fd);
	proactor_free(proactor);
}

static void test_the_same_seed_gives_the_same_run(void **state)
{
	char first[8192], second[8192], other[8192];

	(void)state;
	record_cuts(first, sizeof(first), 7);
	record_cuts(second, sizeof(second), 7);
	record_cuts(other, sizeof(other), 8);
	assert_string_equal(first, second);
	assert_string_not_equal(first, other);
}

static void test_seed_0_leaves_nothing_to_chance(void **state)
{
	char record[8192];

	(void)state;
	record_cuts(record, sizeof(record), 0);
	assert_string_equal(record, "1000 ");
}

/* --- errors on demand ------------------------------------------------------------------------ */

static void test_injected_errors_end_the_next_ops_of_their_kind(void **state)
{
	struct proactor *proactor = open_seed(3);
	int root = simulated_open_root(proactor), fd;
	struct call receive, stat, timeout;
	struct stat status;

	(void)state;
	simulated_connect_pair(proactor, &fd);
	call_init(&receive);
	call_init(&stat);
	proactor_receive(proactor, &receive.op, fd);
	assert_int_equal(proactor_turn(proactor, 0), 0);
	simulated_fail_next(proactor, OP_RECEIVE, -ETIMEDOUT);
	simulated_fail_next(proactor, OP_STAT, -EIO);
	assert_int_equal(finish(proactor, &receive), -ETIMEDOUT);
	proactor_stat(proactor, &stat.op, root, &status);
	assert_int_equal(finish(proactor, &stat), -EIO);
	call_init(&stat);
	proactor_stat(proactor, &stat.op, root, &status);
	assert_int_equal(finish(proactor, &stat), 0);
	call_init(&timeout);
	proactor_timeout(proactor, &timeout.op, 1);
	assert_int_equal(finish(proactor, &timeout), -ETIME);
	close_fd(proactor, root);
	close_fd(proactor, fd);
	proactor_free(proactor);
}

static void test_open_descriptors_are_counted(void **state)
{
	struct proactor *proactor = open_seed(0);
	int root = simulated_open_root(proactor), listener = simulated_listen(proactor);

	(void)state;
	assert_int_equal(root, SIMULATED_FD_FIRST);
	assert_int_equal(simulated_open_count(proactor), 2);
	simulated_limit_descriptors(proactor, 2);
	assert_int_equal(simulated_open_root(proactor), -EMFILE);
	close_fd(proactor, root);
	assert_int_equal(simulated_open_root(proactor), root);
	close_fd(proactor, root);
	close_fd(proactor, listener);
	assert_int_equal(simulated_open_count(proactor), 0);
	proactor_free(proactor);
}

/* --- connections ----------------------------------------------------------------------------- */

static void test_closing_with_bytes_unread_resets(void **state)
{
	struct proactor *proactor = open_seed(0);
	struct simulated_client *client;
	int fd;

	(void)state;
	client = simulated_connect_pair(proactor, &fd);
	simulated_client_send(client, text_of("unread"));
	assert_int_equal(proactor_turn(proactor, 0), 0);
	close_fd(proactor, fd);
	assert_true(simulated_client_saw_reset(client));
	proactor_free(proactor);
}

static void test_bytes_that_arrive_after_the_close_reset(void **state)
{
	struct proactor *proactor = open_seed(0);
	struct simulated_client *client;
	int fd;

	(void)state;
	client = simulated_connect_pair(proactor, &fd);
	close_fd(proactor, fd);
	assert_int_equal(proactor_turn(proactor, PROACTOR_WAIT_FOREVER), 0);
	assert_true(simulated_client_saw_end(client));
	assert_false(simulated_client_saw_reset(client));
	simulated_client_send(client, text_of("late"));
	assert_int_equal(proactor_turn(proactor, PROACTOR_WAIT_FOREVER), 0);
	assert_true(simulated_client_saw_reset(client));
	proactor_free(proactor);
}

static void test_a_halted_client_fills_the_socket(void **state)
{
	static char bytes[1000];
	struct proactor *proactor = open_seed(5);
	struct iovec vector = { bytes, sizeof(bytes) };
	struct simulated_client *client;
	struct call send;
	int fd;

	(void)state;
	client = simulated_connect_pair(proactor, &fd);
	simulated_client_set_buffers(client, 100);
	simulated_client_stop_reading(client);
	call_init(&send);
	proactor_send(proactor, &send.op, fd, &vector, 1, false);
	for (int i = 0; i < 300; i++)
		assert_int_equal(proactor_turn(proactor, 0), 0);
	assert_int_equal(send.op.moved, 100);
	simulated_client_read(client, 50);
	for (int i = 0; i < 300; i++)
		assert_int_equal(proactor_turn(proactor, 0), 0);
	assert_int_equal(simulated_client_received(client).length, 50);
	assert_int_equal(send.op.moved, 150);
	simulated_client_start_reading(client);
	assert_int_equal(finish(proactor, &send), sizeof(bytes));
	close_fd(proactor, fd);
	proactor_free(proactor);
}

/* --- the caller's side of the promises -------------------------------------------------------- */

/* Runs a forbidden call in a process of its own; returns whether an assertion stopped it. */
static bool is_refused(void (*misuse)(struct proactor *proactor, int fd, struct call *calls))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct proactor *proactor = open_seed(0);
		struct call calls[2];
		int fd;

		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		signal(SIGABRT, SIG_DFL);
		simulated_connect_pair(proactor, &fd);
		call_init(&calls[0]);
		call_init(&calls[1]);
		misuse(proactor, fd, calls);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void receive_twice(struct proactor *proactor, int fd, struct call *calls)
{
	proactor_receive(proactor, &calls[0].op, fd);
	proactor_receive(proactor, &calls[1].op, fd);
}

static void send_twice(struct proactor *proactor, int fd, struct call *calls)
{
	struct iovec vector = { "x", 1 };

	proactor_send(proactor, &calls[0].op, fd, &vector, 1, false);
	proactor_sendfile(proactor, &calls[1].op, fd, fd, 0, 1, false);
}

static void close_while_receiving(struct proactor *proactor, int fd, struct call *calls)
{
	proactor_receive(proactor, &calls[0].op, fd);
	proactor_close(proactor, &calls[1].op, fd);
}

static void receive_while_sending(struct proactor *proactor, int fd, struct call *calls)
{
	struct iovec vector = { "x", 1 };

	proactor_send(proactor, &calls[0].op, fd, &vector, 1, false);
	proactor_receive(proactor, &calls[1].op, fd);
}

static void test_misuse_of_a_descriptor_is_an_assertion(void **state)
{
	(void)state;
	assert_true(is_refused(receive_twice));
	assert_true(is_refused(send_twice));
	assert_true(is_refused(close_while_receiving));
	assert_false(is_refused(receive_while_sending));
}

/* --- loss of power ------------------------------------------------------------------------ */

/* Opens a file in the root directory for writing; `how` with O_CREAT makes it. */
static int open_file(struct proactor *proactor, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags, .mode = flags & O_CREAT ? 0600 : 0 };
	struct call call;

	call_init(&call);
	proactor_open_file(proactor, &call.op, AT_FDCWD, path, &how);
	return (int)finish(proactor, &call);
}

static void write_file(struct proactor *proactor, int fd, const char *bytes)
{
	struct call call;

	call_init(&call);
	proactor_write(proactor, &call.op, fd, bytes, strlen(bytes), 0);
	assert_int_equal(finish(proactor, &call), strlen(bytes));
}

static void sync_file(struct proactor *proactor, int fd)
{
	struct call call;

	call_init(&call);
	proactor_fsync(proactor, &call.op, fd);
	assert_int_equal(finish(proactor, &call), 0);
}

/* expected NULL: the file does not exist. */
static void assert_found(
	struct proactor *lost, unsigned survivors, const char *path, const char *expected)
{
	const struct simulated_options options = { 0 };
	struct proactor *proactor;
	struct text found;

	assert_int_equal(simulated_open_after_loss(&proactor, &options, lost, survivors), 0);
	found = simulated_read_file(proactor, path);
	if (expected)
		assert_true(found.bytes && text_equal(found, text_of(expected)));
	else
		assert_null(found.bytes);
	free((char *)found.bytes);
	proactor_free(proactor);
}

enum { ALL_SURVIVES = SIMULATED_UNSYNCED_CONTENTS | SIMULATED_UNSYNCED_NAMES };

static void test_of_a_loss_of_power_what_was_synced_survives(void **state)
{
	struct proactor *proactor = open_seed(0);
	int directory, file;

	(void)state;
	simulated_make_file(proactor, "folder/old", text_literal("old"));
	simulated_sync(proactor);
	directory = open_file(proactor, "folder", O_RDONLY | O_DIRECTORY);
	file = open_file(proactor, "folder/new", O_WRONLY | O_CREAT);
	write_file(proactor, file, "new");

	assert_found(proactor, ALL_SURVIVES, "folder/new", "new");
	assert_found(proactor, SIMULATED_UNSYNCED_NAMES, "folder/new", "");
	assert_found(proactor, SIMULATED_UNSYNCED_CONTENTS, "folder/new", NULL);
	sync_file(proactor, file);
	assert_found(proactor, SIMULATED_ONLY_SYNCED, "folder/new", NULL);
	assert_found(proactor, SIMULATED_UNSYNCED_NAMES, "folder/new", "new");
	sync_file(proactor, directory);
	assert_found(proactor, SIMULATED_ONLY_SYNCED, "folder/new", "new");
	write_file(proactor, file, "too");
	assert_found(proactor, SIMULATED_ONLY_SYNCED, "folder/new", "new");
	simulated_remove(proactor, "folder/old");
	assert_found(proactor, SIMULATED_ONLY_SYNCED, "folder/old", "old");
	assert_found(proactor, ALL_SURVIVES, "folder/old", NULL);
	close_fd(proactor, file);
	close_fd(proactor, directory);
	proactor_free(proactor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_hour_costs_one_turn),
		cmocka_unit_test(test_with_nothing_to_do_waiting_returns),
		cmocka_unit_test(test_the_same_seed_gives_the_same_run),
		cmocka_unit_test(test_seed_0_leaves_nothing_to_chance),
		cmocka_unit_test(test_injected_errors_end_the_next_ops_of_their_kind),
		cmocka_unit_test(test_open_descriptors_are_counted),
		cmocka_unit_test(test_closing_with_bytes_unread_resets),
		cmocka_unit_test(test_bytes_that_arrive_after_the_close_reset),
		cmocka_unit_test(test_a_halted_client_fills_the_socket),
		cmocka_unit_test(test_of_a_loss_of_power_what_was_synced_survives),
		cmocka_unit_test(test_misuse_of_a_descriptor_is_an_assertion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
