/* The io_uring backend beside the contract of all backends: stepping down, reasons, pipes, spills,
 * shortages, and the limits of kernel workers and queues. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "base/owned.h"
#include "proactor/uring.h"
#include "reads_by_turns.h"

/* --- the set-up ladder -------------------------------------------------------------------- */

static struct {
	unsigned refused_flags; /* EINVAL */
	unsigned entries_max;   /* ENOMEM beyond */
	int error;              /* in any case */
	unsigned call_count, entries, completions, flags;
} kernel;

static int fake_init(unsigned entries, struct io_uring *ring, struct io_uring_params *params)
{
	(void)ring;
	kernel.call_count++;
	kernel.entries = entries;
	kernel.completions = params->cq_entries;
	kernel.flags = params->flags;
	if (kernel.error)
		return kernel.error;
	if (params->flags & kernel.refused_flags)
		return -EINVAL;
	return entries > kernel.entries_max ? -ENOMEM : 0;
}

static int init_ring(unsigned refused_flags, unsigned entries_max, const char **features)
{
	struct io_uring ring;

	memset(&kernel, 0, sizeof(kernel));
	kernel.refused_flags = refused_flags;
	kernel.entries_max = entries_max;
	return ring_init(&ring, 1024, features, fake_init);
}

static void test_a_new_kernel_is_asked_for_everything(void **state)
{
	const char *features;

	(void)state;
	assert_int_equal(init_ring(0, 4096, &features), 0);
	assert_int_equal(kernel.call_count, 1);
	assert_non_null(strstr(features, "single_issuer defer_taskrun"));
	assert_true(kernel.completions >= 4 * kernel.entries);
	assert_true(kernel.flags & IORING_SETUP_CQSIZE);
}

static void test_flags_step_down_on_einval(void **state)
{
	const char *features;

	(void)state;
	assert_int_equal(init_ring(IORING_SETUP_DEFER_TASKRUN, 4096, &features), 0);
	assert_string_equal(features, "single_issuer coop_taskrun ");
	assert_int_equal(init_ring(IORING_SETUP_SINGLE_ISSUER, 4096, &features), 0);
	assert_string_equal(features, "");
	assert_int_equal(kernel.call_count, 3);
	assert_int_equal(init_ring(IORING_SETUP_CQSIZE, 4096, &features), -EINVAL);
}

static void test_entries_are_halved_on_enomem(void **state)
{
	const char *features;

	(void)state;
	assert_int_equal(init_ring(0, 100, &features), 0);
	assert_int_equal(kernel.entries, 64);
	assert_non_null(strstr(features, "defer_taskrun"));
	assert_int_equal(init_ring(0, 1, &features), -ENOMEM);
}

static void test_a_prohibition_is_not_asked_again(void **state)
{
	const char *features;
	struct io_uring ring;

	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.error = -EPERM;
	assert_int_equal(ring_init(&ring, 1024, &features, fake_init), -EPERM);
	assert_int_equal(kernel.call_count, 1);
}

/* --- reasons ------------------------------------------------------------------------------ */

static void test_reasons_name_error_cause_and_remedy(void **state)
{
	struct refusal setup = { .call = "io_uring_setup" };
	struct refusal old = { .call = "IORING_REGISTER_PROBE", .missing = "IORING_OP_SPLICE" };
	char reason[256];

	(void)state;
	refusal_explain(reason, sizeof(reason), &setup, -EPERM, 2);
	assert_string_equal(reason, "io_uring_setup says EPERM (kernel.io_uring_disabled=2); "
				    "to allow it: sysctl kernel.io_uring_disabled=0");
	refusal_explain(reason, sizeof(reason), &setup, -EPERM, 0);
	assert_non_null(strstr(reason, "io_uring_setup says EPERM (a container's seccomp profile"));
	assert_non_null(strstr(reason, "; to allow it: "));
	refusal_explain(reason, sizeof(reason), &setup, -ENOSYS, -1);
	assert_non_null(strstr(reason, "says ENOSYS (an old kernel"));
	refusal_explain(reason, sizeof(reason), &setup, -ENOMEM, 0);
	assert_non_null(strstr(reason, "LimitMEMLOCK"));
	refusal_explain(reason, sizeof(reason), &setup, -EMFILE, 0);
	assert_non_null(strstr(reason, "LimitNOFILE"));
	refusal_explain(reason, sizeof(reason), &old, -ENOSYS, 0);
	assert_non_null(strstr(reason, "lacks IORING_OP_SPLICE"));
	refusal_explain(reason, sizeof(reason), &setup, -EXDEV, 0);
	assert_non_null(strstr(reason, "says EXDEV"));
}

static void test_probe_tells_library_and_features(void **state)
{
	struct uring_probe probe;

	(void)state;
	proactor_probe_uring(&probe);
	assert_int_equal(probe.error, 0);
	assert_string_equal(probe.reason, "");
	assert_true(probe.library[0] >= '2');
	assert_non_null(strstr(probe.features, "buffer_ring"));
}

/* --- pipes -------------------------------------------------------------------------------- */

static void test_pipes_are_bounded_and_used_again(void **state)
{
	struct pipe_pool pool;
	struct pipe_pair *first, *second, *third;

	(void)state;
	pipe_pool_open(&pool, 2, 65536);
	assert_int_equal(pipe_pool_take(&first, &pool), 0);
	assert_int_equal(pipe_pool_take(&second, &pool), 0);
	assert_int_equal(pipe_pool_take(&third, &pool), -EBUSY);
	pipe_pool_return(&pool, first, 0);
	assert_int_equal(pipe_pool_take(&third, &pool), 0);
	assert_ptr_equal(third, first);
	pipe_pool_return(&pool, third, 0);
	pipe_pool_return(&pool, second, 0);
	assert_int_equal(pool.count, 2);
	pipe_pool_close(&pool);
	assert_int_equal(pool.count, 0);
}

static void test_a_returned_pipe_is_empty(void **state)
{
	struct pipe_pool pool;
	struct pipe_pair *pipe;
	char byte;

	(void)state;
	pipe_pool_open(&pool, 1, 65536);
	assert_int_equal(pipe_pool_take(&pipe, &pool), 0);
	assert_int_equal(write(pipe->write_fd, "secret", 6), 6);
	pipe_pool_return(&pool, pipe, 6);
	assert_int_equal(pipe_pool_take(&pipe, &pool), 0);
	assert_int_equal(read(pipe->read_fd, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	pipe_pool_return(&pool, pipe, 0);
	pipe_pool_close(&pool);
}

static void test_a_pipe_that_cannot_be_emptied_is_closed(void **state)
{
	struct pipe_pool pool;
	struct pipe_pair *pipe;

	(void)state;
	pipe_pool_open(&pool, 1, 65536);
	close(pool.null_fd);
	pool.null_fd = -1;
	assert_int_equal(pipe_pool_take(&pipe, &pool), 0);
	assert_int_equal(write(pipe->write_fd, "secret", 6), 6);
	pipe_pool_return(&pool, pipe, 6);
	assert_int_equal(pool.count, 0);
	assert_true(list_is_empty(&pool.idle));
	pipe_pool_close(&pool);
}

/* --- a proactor and its calls ------------------------------------------------------------- */

struct call {
	struct op op;
	unsigned done_count;
	int64_t result;
	int fd;      /* the first connection that was accepted */
	char *bytes; /* where received bytes go; NULL: nowhere */
	size_t length;
};

static void call_done(struct proactor *proactor, struct op *op)
{
	struct call *call = container_of(op, struct call, op);

	(void)proactor;
	call->done_count++;
	call->result = op->result;
	if (op->kind == OP_ACCEPT && op->result > 0)
		call->fd = op->accept.fds[0];
	if (op->kind == OP_RECEIVE && op->result > 0 && call->bytes) {
		memcpy(call->bytes + call->length, op->receive.loan.bytes, (size_t)op->result);
		call->length += (size_t)op->result;
	}
}

static void call_init(struct call *call)
{
	*call = (struct call){ .result = 0 };
	op_init(&call->op, call_done);
}

static struct proactor *open_proactor(struct proactor_options options)
{
	struct proactor *proactor;

	assert_int_equal(proactor_open(&proactor, BACKEND_IO_URING, &options), 0);
	return proactor;
}

/* The proactor does not see what the test does between turns, so waits are short. */
static void turn(struct proactor *proactor, unsigned *turn_count)
{
	assert_true(++*turn_count < 100000);
	assert_int_equal(proactor_turn(proactor, 1000000), 0);
}

#define turn_until(proactor, condition)                                                            \
	for (unsigned turn_count = 0; !(condition); turn(proactor, &turn_count))

static int64_t finish(struct proactor *proactor, struct call *call)
{
	turn_until (proactor, call->done_count > 0)
		;
	assert_int_equal(call->done_count, 1);
	call->done_count = 0;
	return call->result;
}

static void close_by_op(struct proactor *proactor, int fd)
{
	struct call call;

	call_init(&call);
	proactor_close(proactor, &call.op, fd);
	assert_int_equal(finish(proactor, &call), 0);
}

static uint64_t counted(enum metric metric)
{
	return metrics->values[metric];
}

/* A connected pair of non-blocking TCP sockets with small buffers. */
static void make_pair(int pair[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	auto_fd listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int length = 16384;

	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &length, sizeof(length));
	setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &length, sizeof(length));
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(pair[1], SOL_SOCKET, SO_RCVBUF, &length, sizeof(length));
	assert_int_equal(connect(pair[1], (struct sockaddr *)&address, size), 0);
	pair[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(pair[0] >= 0);
	assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
}

static char pattern_at(size_t position)
{
	return (char)(position * 7 + position / 251);
}

static int make_file(size_t length)
{
	int file = memfd_create("test", MFD_CLOEXEC);
	char *bytes;

	assert_int_equal(ftruncate(file, (off_t)length), 0);
	bytes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	assert_true(bytes != MAP_FAILED);
	for (size_t i = 0; i < length; i++)
		bytes[i] = pattern_at(i);
	munmap(bytes, length);
	return file;
}

static void write_pattern(int fd, size_t position, size_t length)
{
	char bytes[256];

	assert_true(length <= sizeof(bytes));
	for (size_t i = 0; i < length; i++)
		bytes[i] = pattern_at(position + i);
	assert_int_equal(write(fd, bytes, length), length);
}

static void assert_pattern(const char *bytes, size_t position, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != pattern_at(position + i))
			fail_msg("byte %zu of the stream is wrong", position + i);
}

/* Reads what has arrived; returns its length. */
static size_t read_pattern(int fd, size_t position)
{
	char bytes[65536];
	ssize_t length = read(fd, bytes, sizeof(bytes));

	if (length < 0) {
		assert_int_equal(errno, EAGAIN);
		return 0;
	}
	assert_pattern(bytes, position, (size_t)length);
	return (size_t)length;
}

/* --- receiving ---------------------------------------------------------------------------- */

/* The request has usually arrived when the connection is accepted. */
static void test_what_is_there_already_is_received_without_an_enter(void **state)
{
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });
	uint64_t enters = counted(METRIC_ENTERS);
	char bytes[16];
	struct call receive;
	int pair[2];

	(void)state;
	make_pair(pair);
	call_init(&receive);
	receive.bytes = bytes;
	write_pattern(pair[1], 0, 8);
	proactor_receive(proactor, &receive.op, pair[0]);
	assert_int_equal(finish(proactor, &receive), 8);
	assert_int_equal(counted(METRIC_ENTERS), enters);
	proactor_receive(proactor, &receive.op, pair[0]);
	write_pattern(pair[1], 8, 8);
	assert_int_equal(finish(proactor, &receive), 8);
	assert_pattern(bytes, 0, 16);
	assert_int_equal(uring_of(proactor)->spill_blocks.taken_count, 0);
	close_by_op(proactor, pair[0]);
	close(pair[1]);
	proactor_free(proactor);
}

/* The spill takes only as much of a burst as it has blocks; the rest waits for the ring's
 * buffers. */
static void test_a_burst_is_received_in_bounded_memory(void **state)
{
	enum { COUNT = 80 };
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });
	const struct block_pool *blocks = &uring_of(proactor)->spill_blocks;
	struct call receives[COUNT];
	int pairs[COUNT][2];

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		make_pair(pairs[i]);
		call_init(&receives[i]);
		write_pattern(pairs[i][1], 0, 8);
		proactor_receive(proactor, &receives[i].op, pairs[i][0]);
	}
	assert_int_equal(blocks->taken_count, blocks->kept_max);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(finish(proactor, &receives[i]), 8);
		close_by_op(proactor, pairs[i][0]);
		close(pairs[i][1]);
	}
	assert_int_equal(blocks->taken_count, 0);
	proactor_free(proactor);
}

static void test_bytes_that_nobody_waits_for_are_spilled_in_order(void **state)
{
	enum { LENGTH = 6400 };
	struct proactor *proactor = open_proactor((struct proactor_options){
		.receive_buffer_count = 8, .receive_buffer_length = 64 });
	uint64_t spills = counted(METRIC_RECEIVE_SPILLS);
	char bytes[LENGTH];
	struct call receive;
	int pair[2];

	(void)state;
	make_pair(pair);
	call_init(&receive);
	receive.bytes = bytes;
	for (size_t position = 0; position < LENGTH; position += 256)
		write_pattern(pair[1], position, 256);
	while (receive.length < LENGTH) {
		proactor_receive(proactor, &receive.op, pair[0]);
		assert_true(finish(proactor, &receive) > 0);
	}
	assert_pattern(bytes, 0, LENGTH);
	assert_true(counted(METRIC_RECEIVE_SPILLS) > spills);
	close_by_op(proactor, pair[0]);
	close(pair[1]);
	proactor_free(proactor);
}

static void test_a_flood_while_nobody_waits_stays_with_the_kernel(void **state)
{
	struct proactor *proactor = open_proactor((struct proactor_options){
		.receive_buffer_count = 4, .receive_buffer_length = 128 });
	struct uring *uring = uring_of(proactor);
	struct call receive;
	int pair[2];

	(void)state;
	make_pair(pair);
	call_init(&receive);
	proactor_receive(proactor, &receive.op, pair[0]);
	for (size_t position = 0; position < 12800; position += 128)
		write_pattern(pair[1], position, 128);
	assert_true(finish(proactor, &receive) > 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(proactor_turn(proactor, 0), 0);
	assert_true(uring->spill_blocks.taken_count <= 4);
	close_by_op(proactor, pair[0]);
	assert_int_equal(uring->spill_blocks.taken_count, 0);
	close(pair[1]);
	proactor_free(proactor);
}

/* Ten connections that always have bytes to read, and two buffers for all of them. */
static void test_a_shortage_of_buffers_loses_no_connection(void **state)
{
	enum { COUNT = 10, ROUNDS = 20 };
	struct proactor *proactor = open_proactor((struct proactor_options){
		.receive_buffer_count = 2, .receive_buffer_length = 64 });
	uint64_t shortages = counted(METRIC_RECEIVE_SHORTAGES);
	struct call calls[COUNT];
	char bytes[COUNT][ROUNDS * 32];
	int pairs[COUNT][2];

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		make_pair(pairs[i]);
		call_init(&calls[i]);
		calls[i].bytes = bytes[i];
		proactor_receive(proactor, &calls[i].op, pairs[i][0]);
	}
	for (size_t round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < COUNT; i++)
			write_pattern(pairs[i][1], round * 32, 32);
		for (int i = 0; i < COUNT; i++)
			do {
				assert_true(finish(proactor, &calls[i]) > 0);
				proactor_receive(proactor, &calls[i].op, pairs[i][0]);
			} while (calls[i].length < (round + 1) * 32);
	}
	assert_true(counted(METRIC_RECEIVE_SHORTAGES) > shortages);
	for (int i = 0; i < COUNT; i++) {
		assert_pattern(bytes[i], 0, ROUNDS * 32);
		proactor_cancel(proactor, &calls[i].op);
		assert_int_equal(finish(proactor, &calls[i]), -ECANCELED);
		close_by_op(proactor, pairs[i][0]);
		close(pairs[i][1]);
	}
	proactor_free(proactor);
}

/* Does one of: wait for bytes, ask the op to end, nothing for a turn. */
static void act_at_random(struct proactor *proactor, struct call *receive, int fd, unsigned dice)
{
	if (!op_is_active(&receive->op))
		receive->done_count = 0;
	if (!op_is_active(&receive->op) && dice % 3 != 0)
		proactor_receive(proactor, &receive->op, fd);
	else if (dice % 5 == 0)
		proactor_cancel(proactor, &receive->op);
}

static void test_order_survives_pauses_and_cancels(void **state)
{
	enum { COUNT = 5, LENGTH = 40000 };
	struct proactor *proactor = open_proactor((struct proactor_options){
		.receive_buffer_count = 4, .receive_buffer_length = 64, .entries = 8 });
	static char bytes[COUNT][LENGTH];
	struct call calls[COUNT];
	size_t written[COUNT] = { 0 };
	int pairs[COUNT][2], whole = 0;
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		make_pair(pairs[i]);
		call_init(&calls[i]);
		calls[i].bytes = bytes[i];
	}
	turn_until (proactor, whole == COUNT) {
		int i = rand_r(&seed) % COUNT;

		for (size_t pieces = 0; pieces < 3 && written[i] < LENGTH; pieces++) {
			write_pattern(pairs[i][1], written[i], 100);
			written[i] += 100;
		}
		for (i = whole = 0; i < COUNT; i++) {
			act_at_random(proactor, &calls[i], pairs[i][0], rand_r(&seed) >> 4);
			whole += calls[i].length == LENGTH;
		}
	}
	for (int i = 0; i < COUNT; i++) {
		assert_pattern(bytes[i], 0, LENGTH);
		proactor_cancel(proactor, &calls[i].op);
		turn_until (proactor, !op_is_active(&calls[i].op))
			;
		close_by_op(proactor, pairs[i][0]);
		close(pairs[i][1]);
	}
	proactor_free(proactor);
}

static void test_receiving_again_costs_no_request(void **state)
{
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });
	struct uring *uring = uring_of(proactor);
	struct call receive;
	int pair[2];

	(void)state;
	make_pair(pair);
	call_init(&receive);
	proactor_receive(proactor, &receive.op, pair[0]);
	write_pattern(pair[1], 0, 10);
	assert_int_equal(finish(proactor, &receive), 10);
	for (int i = 0; i < 5; i++) {
		proactor_receive(proactor, &receive.op, pair[0]);
		assert_int_equal(io_uring_sq_ready(&uring->ring), 0);
		write_pattern(pair[1], 0, 10);
		assert_int_equal(finish(proactor, &receive), 10);
	}
	close_by_op(proactor, pair[0]);
	close(pair[1]);
	proactor_free(proactor);
}

/* The cancel of its receive and its close are submitted together. */
static void test_a_receiving_socket_is_closed_by_one_enter(void **state)
{
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });
	struct call receive, close_call;
	uint64_t enters;
	int pair[2];

	(void)state;
	make_pair(pair);
	call_init(&receive);
	call_init(&close_call);
	proactor_receive(proactor, &receive.op, pair[0]);
	assert_int_equal(proactor_turn(proactor, 0), 0);
	enters = counted(METRIC_ENTERS);
	proactor_cancel(proactor, &receive.op);
	assert_int_equal(finish(proactor, &receive), -ECANCELED);
	proactor_close(proactor, &close_call.op, pair[0]);
	assert_int_equal(finish(proactor, &close_call), 0);
	assert_int_equal(counted(METRIC_ENTERS) - enters, 1);
	assert_int_equal(read(pair[1], &(char){ 0 }, 1), 0);
	close(pair[1]);
	proactor_free(proactor);
}

/* So are the last bytes, the cancel of a receive, and the close. */
static void test_a_last_send_and_the_close_go_by_one_enter(void **state)
{
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });
	struct call receive, send;
	struct iovec vector = { "last", 4 };
	uint64_t enters;
	char bytes[5];
	int pair[2];

	(void)state;
	make_pair(pair);
	call_init(&receive);
	call_init(&send);
	proactor_receive(proactor, &receive.op, pair[0]);
	assert_int_equal(proactor_turn(proactor, 0), 0);
	enters = counted(METRIC_ENTERS);
	proactor_cancel(proactor, &receive.op);
	proactor_send_last(proactor, &send.op, pair[0], &vector, 1);
	assert_int_equal(finish(proactor, &send), 4);
	assert_int_equal(counted(METRIC_ENTERS) - enters, 1);
	assert_true(send.op.send.closed);
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);
	assert_int_equal(read(pair[1], bytes, sizeof(bytes)), 4);
	assert_int_equal(read(pair[1], bytes, sizeof(bytes)), 0);
	close(pair[1]);
	proactor_free(proactor);
}

/* The record of a descriptor is freed with it, whatever its multishot still reports. */
static void test_a_reused_number_gets_nothing_of_its_predecessor(void **state)
{
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });
	struct call receive;
	char bytes[64];
	int pair[2];

	(void)state;
	for (size_t round = 0; round < 50; round++) {
		make_pair(pair);
		call_init(&receive);
		receive.bytes = bytes;
		write_pattern(pair[1], round, 8);
		proactor_receive(proactor, &receive.op, pair[0]);
		assert_int_equal(finish(proactor, &receive), 8);
		assert_pattern(bytes, round, 8);
		write_pattern(pair[1], 1000, 8); /* nobody waits for these */
		if (round % 2)
			assert_int_equal(proactor_turn(proactor, 0), 0);
		close_by_op(proactor, pair[0]);
		close(pair[1]);
	}
	assert_int_equal(uring_of(proactor)->record_blocks.taken_count, 0);
	proactor_free(proactor);
}

/* --- accepting ---------------------------------------------------------------------------- */

static int make_listener(struct sockaddr_in *address)
{
	socklen_t size = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
	return fd;
}

static int connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	return fd;
}

/* A listener whose multishot delivered a connection while no accept was active. */
static int keep_connection(
	struct proactor *proactor, int listener, const struct sockaddr_in *address)
{
	struct uring *uring = uring_of(proactor);
	auto_fd client = connect_to(address);
	int kept = eventfd(0, EFD_CLOEXEC);
	struct call accept;

	call_init(&accept);
	proactor_accept(proactor, &accept.op, listener);
	assert_int_equal(finish(proactor, &accept), 1);
	close(accept.fd);
	accept_completed(uring, record_find(uring, listener), kept);
	assert_int_equal(proactor_turn(proactor, 0), 0);
	return kept;
}

static void test_a_connection_nobody_waited_for_goes_to_the_next_accept(void **state)
{
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });
	struct sockaddr_in address;
	int listener = make_listener(&address);
	int kept = keep_connection(proactor, listener, &address);
	struct call accept;

	(void)state;
	call_init(&accept);
	proactor_accept(proactor, &accept.op, listener);
	assert_int_equal(finish(proactor, &accept), 1);
	assert_int_equal(accept.fd, kept);
	close(kept);
	close_by_op(proactor, listener);
	proactor_free(proactor);
}

/* A completion of the kernel, as it could come beside those of the multishot. */
static void accept_beyond(struct proactor *proactor, int listener,
	const struct sockaddr_in *address, int error, int64_t result)
{
	auto_fd client = -1;
	struct call accept;

	call_init(&accept);
	proactor_accept(proactor, &accept.op, listener);
	accept_completed(uring_of(proactor), record_find(uring_of(proactor), listener), -error);
	assert_int_equal(proactor_turn(proactor, 0), 0);
	assert_int_equal(op_is_active(&accept.op), result > 0);
	client = connect_to(address);
	assert_int_equal(finish(proactor, &accept), result);
	if (result > 0)
		close(accept.fd);
}

static void test_accept_errors_of_one_connection_are_skipped(void **state)
{
	static const int PASSING[] = { EPERM, ECONNRESET, ETIMEDOUT, ECONNABORTED, EPROTO, ENETDOWN,
		ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EINTR };
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });
	struct sockaddr_in address;
	int listener = make_listener(&address);

	(void)state;
	for (size_t i = 0; i < sizeof(PASSING) / sizeof(PASSING[0]); i++)
		accept_beyond(proactor, listener, &address, PASSING[i], 1);
	accept_beyond(proactor, listener, &address, EMFILE, -EMFILE);
	close_by_op(proactor, listener);
	proactor_free(proactor);
}

static void test_a_connection_kept_for_nobody_is_closed_with_its_listener(void **state)
{
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });
	struct sockaddr_in address;
	int listener = make_listener(&address);
	int kept = keep_connection(proactor, listener, &address);

	(void)state;
	close_by_op(proactor, listener);
	assert_int_equal(fcntl(kept, F_GETFD), -1);
	proactor_free(proactor);
}

/* Without a waiting accept, connections stay in the backlog for another process. */
static void test_a_listener_that_is_not_asked_takes_no_connections(void **state)
{
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });
	struct sockaddr_in address;
	int listener = make_listener(&address);
	int kept = keep_connection(proactor, listener, &address);
	auto_fd client = -1;
	auto_fd queued = -1;

	(void)state;
	turn_until (proactor, !record_find(uring_of(proactor), listener)->armed)
		;
	client = connect_to(&address);
	assert_int_equal(proactor_turn(proactor, 0), 0);
	queued = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(queued >= 0);
	close_by_op(proactor, listener);
	assert_int_equal(fcntl(kept, F_GETFD), -1);
	proactor_free(proactor);
}

/* --- sending ------------------------------------------------------------------------------ */

static unsigned count_kernel_workers(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(tasks);
	while ((entry = readdir(tasks))) {
		char path[300], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (file && fgets(name, sizeof(name), file) && strncmp(name, "iou-wrk", 7) == 0)
			count++;
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return count;
}

enum { READER_COUNT = 200, READER_LENGTH = 300000 };

struct reader {
	struct call call;
	int pair[2];
	size_t position;
};

/* Parked: each found a full socket, and holds no pipe. */
static bool are_parked(struct uring *uring, const struct reader *readers)
{
	size_t idle_count = 0;

	for (int i = 0; i < READER_COUNT; i++)
		if (readers[i].call.op.step != STEP_WAITING)
			return false;
	list_for_each (node, &uring->pipes.idle)
		idle_count++;
	assert_int_equal(idle_count, uring->pipes.count);
	return true;
}

static bool all_is_read(struct reader *readers)
{
	bool all = true;

	for (int i = 0; i < READER_COUNT; i++) {
		readers[i].position += read_pattern(readers[i].pair[1], readers[i].position);
		all = all && readers[i].position == READER_LENGTH;
	}
	return all;
}

static void send_to_slow_readers(enum zero_copy zero_copy)
{
	struct proactor *proactor = open_proactor((struct proactor_options){
		.pipe_count_max = 4, .iowq_workers_max = 4, .zero_copy = zero_copy });
	static struct reader readers[READER_COUNT];
	auto_fd file = make_file(READER_LENGTH);

	for (int i = 0; i < READER_COUNT; i++) {
		readers[i].position = 0;
		make_pair(readers[i].pair);
		call_init(&readers[i].call);
		proactor_sendfile(proactor, &readers[i].call.op, readers[i].pair[0], file, 0,
			READER_LENGTH, false);
	}
	turn_until (proactor, are_parked(uring_of(proactor), readers))
		;
	assert_true(count_kernel_workers() <= 8); /* bounded and unbounded */
	turn_until (proactor, all_is_read(readers))
		;
	for (int i = 0; i < READER_COUNT; i++) {
		assert_int_equal(finish(proactor, &readers[i].call), READER_LENGTH);
		close_by_op(proactor, readers[i].pair[0]);
		close(readers[i].pair[1]);
	}
	proactor_free(proactor);
}

static void test_slow_readers_hold_neither_pipes_nor_kernel_workers(void **state)
{
	uint64_t spliced = counted(METRIC_SPLICED_BYTES), sent = counted(METRIC_SENDFILE_BYTES);

	(void)state;
	send_to_slow_readers(ZERO_COPY_SPLICE);
	spliced = counted(METRIC_SPLICED_BYTES) - spliced;
	sent = counted(METRIC_SENDFILE_BYTES) - sent; /* while half of the pipes were taken */
	assert_true(spliced > 0);
	assert_true(spliced + sent == READER_COUNT * READER_LENGTH);
}

static void test_sendfile_serves_where_it_is_chosen(void **state)
{
	uint64_t sent = counted(METRIC_SENDFILE_BYTES), splices = counted(METRIC_SPLICES);

	(void)state;
	send_to_slow_readers(ZERO_COPY_SENDFILE);
	assert_true(counted(METRIC_SENDFILE_BYTES) - sent == READER_COUNT * READER_LENGTH);
	assert_true(counted(METRIC_SPLICES) == splices);
}

/* A file on a disk, which can be cold, unlike that of make_file(). */
static int make_disk_file(size_t length)
{
	char name[] = "test-uring-XXXXXX";
	int file = mkstemp(name);

	assert_true(file >= 0);
	unlink(name);
	for (size_t position = 0; position < length; position += 250)
		write_pattern(file, position, 250);
	assert_int_equal(fsync(file), 0);
	return file;
}

/* Sends the whole file with `auto`, and counts the ways that it took. */
static void send_file_automatically(int file, size_t length, uint64_t *called, uint64_t *spliced)
{
	struct proactor *proactor =
		open_proactor((struct proactor_options){ .zero_copy = ZERO_COPY_AUTO });
	uint64_t called_before = counted(METRIC_SENDFILE_BYTES);
	uint64_t spliced_before = counted(METRIC_SPLICED_BYTES);
	struct call call;
	size_t position = 0;
	int pair[2];

	make_pair(pair);
	call_init(&call);
	proactor_sendfile(proactor, &call.op, pair[0], file, 0, length, false);
	turn_until (proactor, position == length)
		position += read_pattern(pair[1], position);
	assert_int_equal(finish(proactor, &call), length);
	*called = counted(METRIC_SENDFILE_BYTES) - called_before;
	*spliced = counted(METRIC_SPLICED_BYTES) - spliced_before;
	close_by_op(proactor, pair[0]);
	close(pair[1]);
	proactor_free(proactor);
}

static void test_auto_calls_sendfile_for_what_is_in_memory(void **state)
{
	enum { LENGTH = 2000000 };
	auto_fd file = make_disk_file(LENGTH);
	struct page_cache cache = { 0 };
	uint64_t called, spliced;

	(void)state;
	if (!page_cache_holds(&cache, file, 0, LENGTH)) {
		print_message("this file system cannot tell what is in memory\n");
		skip();
	}
	send_file_automatically(file, LENGTH, &called, &spliced);
	assert_int_equal(called, LENGTH);
	assert_int_equal(spliced, 0);
}

/* The loop must not wait for the disk: the first bytes go through the ring. Bytes that the kernel
 * has read ahead by then may go either way. */
static void test_auto_leaves_a_cold_file_to_the_ring(void **state)
{
	enum { LENGTH = 2000000 };
	auto_fd file = make_disk_file(LENGTH);
	struct page_cache cache = { 0 };
	uint64_t called, spliced;

	(void)state;
	assert_int_equal(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
	if (page_cache_holds(&cache, file, 0, LENGTH)) {
		print_message("this file system is in memory only\n");
		skip();
	}
	send_file_automatically(file, LENGTH, &called, &spliced);
	assert_true(spliced > 0);
	assert_int_equal(called + spliced, LENGTH);
}

/* The length of one attempt follows what the socket accepts; no byte is lost. */
static void test_stretches_shrink_for_a_slow_reader_and_grow_again(void **state)
{
	enum { LENGTH = 4 << 20 };
	static const enum zero_copy ways[] = { ZERO_COPY_SPLICE, ZERO_COPY_SENDFILE,
		ZERO_COPY_AUTO };
	auto_fd file = make_file(LENGTH);

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct proactor *proactor =
			open_proactor((struct proactor_options){ .zero_copy = ways[i] });
		int pair[2], room = 8 << 20;
		size_t position = 0;
		struct call call;

		make_pair(pair);
		call_init(&call);
		proactor_sendfile(proactor, &call.op, pair[0], file, 0, LENGTH, false);
		assert_int_equal(call.op.sendfile.halvings, 0);
		turn_until (proactor, call.op.step == STEP_WAITING)
			;
		assert_true(stretch_length(&call.op) < 4 * call.op.moved);
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
		turn_until (proactor, position == LENGTH)
			position += read_pattern(pair[1], position);
		assert_int_equal(finish(proactor, &call), LENGTH);
		assert_int_equal(call.op.sendfile.halvings, 0);
		close_by_op(proactor, pair[0]);
		close(pair[1]);
		proactor_free(proactor);
	}
}

/* --- sendfile(2) by turns ----------------------------------------------------------------- */

enum { TURN_COUNT = 12, TURN_LENGTH = 3000000 };

struct turner {
	struct call call;
	int pair[2];
	uint64_t moved;
};

static void make_turners(struct turner *turners, struct proactor *proactor, int file)
{
	int length = 4 << 20;

	for (int i = 0; i < TURN_COUNT; i++) {
		struct turner *turner = &turners[i];

		make_pair(turner->pair);
		/* Room for everything: no op waits for a socket. */
		setsockopt(turner->pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &length, sizeof(length));
		call_init(&turner->call);
		turner->moved = 0;
		proactor_sendfile(
			proactor, &turner->call.op, turner->pair[0], file, 0, TURN_LENGTH, false);
	}
}

/* What all ops have moved since the last look. */
static uint64_t look_at_turners(struct turner *turners)
{
	uint64_t sum = 0;

	for (int i = 0; i < TURN_COUNT; i++) {
		sum += turners[i].call.op.moved - turners[i].moved;
		turners[i].moved = turners[i].call.op.moved;
	}
	return sum;
}

static bool all_are_done(const struct turner *turners)
{
	for (int i = 0; i < TURN_COUNT; i++)
		if (turners[i].call.done_count == 0)
			return false;
	return true;
}

/* No op has had two turns more than another. */
static void assert_fair(const struct turner *turners, uint64_t share)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (int i = 0; i < TURN_COUNT; i++) {
		least = turners[i].moved < least ? turners[i].moved : least;
		most = turners[i].moved > most ? turners[i].moved : most;
	}
	assert_true(most - least <= 2 * share);
}

static void test_sendfile_calls_of_a_turn_are_bounded_and_fair(void **state)
{
	const uint64_t share = 1048576, share_of_all = 16 * share;
	struct proactor *proactor =
		open_proactor((struct proactor_options){ .zero_copy = ZERO_COPY_SENDFILE });
	static struct turner turners[TURN_COUNT];
	auto_fd file = make_file(TURN_LENGTH);
	int round_count = 0;

	(void)state;
	make_turners(turners, proactor, file);
	turn_until (proactor, all_are_done(turners)) {
		round_count++;
		assert_true(look_at_turners(turners) <= share_of_all + share);
		assert_fair(turners, share);
	}
	assert_true(round_count > 2); /* together they exceed the budget of a turn */
	for (int i = 0; i < TURN_COUNT; i++) {
		assert_int_equal(finish(proactor, &turners[i].call), TURN_LENGTH);
		close_by_op(proactor, turners[i].pair[0]);
		close(turners[i].pair[1]);
	}
	proactor_free(proactor);
}

static void test_a_share_of_reads_begins_in_each_turn(void **state)
{
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });

	(void)state;
	assert_reads_begin_by_turns(proactor);
	proactor_free(proactor);
}

/* An op that waits for a pipe, one whose hops run, and one that waits for its socket. */
static void test_sendfiles_are_cancelled_wherever_they_stand(void **state)
{
	enum { COUNT = 6 };
	auto_fd file = make_file(READER_LENGTH);
	struct call calls[COUNT];
	int pairs[COUNT][2];

	(void)state;
	for (int turns = 0; turns < 12; turns++) {
		struct proactor *proactor =
			open_proactor((struct proactor_options){ .pipe_count_max = 1 });

		for (int i = 0; i < COUNT; i++) {
			make_pair(pairs[i]);
			call_init(&calls[i]);
			proactor_sendfile(
				proactor, &calls[i].op, pairs[i][0], file, 0, READER_LENGTH, false);
		}
		for (int i = 0; i < turns; i++)
			assert_int_equal(proactor_turn(proactor, 0), 0);
		for (int i = 0; i < COUNT; i++)
			proactor_cancel(proactor, &calls[i].op);
		for (int i = 0; i < COUNT; i++) {
			assert_int_equal(finish(proactor, &calls[i]), -ECANCELED);
			close_by_op(proactor, pairs[i][0]);
			close(pairs[i][1]);
		}
		proactor_free(proactor);
	}
}

/* --- queues ------------------------------------------------------------------------------- */

static void test_full_queues_lose_no_op(void **state)
{
	enum { COUNT = 1000 };
	struct proactor *proactor = open_proactor((struct proactor_options){ .entries = 8 });
	uint64_t overflows = counted(METRIC_CQ_OVERFLOWS);
	auto_fd event = eventfd(0, EFD_CLOEXEC);
	static struct call calls[COUNT];

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		call_init(&calls[i]);
		proactor_poll(proactor, &calls[i].op, event, POLLOUT);
	}
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(finish(proactor, &calls[i]), POLLOUT);
	assert_true(counted(METRIC_CQ_OVERFLOWS) > overflows);
	proactor_free(proactor);
}

static void test_a_turn_enters_the_kernel_once(void **state)
{
	struct proactor *proactor = open_proactor((struct proactor_options){ 0 });
	uint64_t enters = counted(METRIC_ENTERS);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(proactor_turn(proactor, i % 2 ? 0 : 1000), 0);
	assert_true(counted(METRIC_ENTERS) - enters == 10);
	proactor_free(proactor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_kernel_is_asked_for_everything),
		cmocka_unit_test(test_flags_step_down_on_einval),
		cmocka_unit_test(test_entries_are_halved_on_enomem),
		cmocka_unit_test(test_a_prohibition_is_not_asked_again),
		cmocka_unit_test(test_reasons_name_error_cause_and_remedy),
		cmocka_unit_test(test_probe_tells_library_and_features),
		cmocka_unit_test(test_pipes_are_bounded_and_used_again),
		cmocka_unit_test(test_a_returned_pipe_is_empty),
		cmocka_unit_test(test_a_pipe_that_cannot_be_emptied_is_closed),
		cmocka_unit_test(test_what_is_there_already_is_received_without_an_enter),
		cmocka_unit_test(test_a_burst_is_received_in_bounded_memory),
		cmocka_unit_test(test_bytes_that_nobody_waits_for_are_spilled_in_order),
		cmocka_unit_test(test_a_flood_while_nobody_waits_stays_with_the_kernel),
		cmocka_unit_test(test_a_shortage_of_buffers_loses_no_connection),
		cmocka_unit_test(test_order_survives_pauses_and_cancels),
		cmocka_unit_test(test_receiving_again_costs_no_request),
		cmocka_unit_test(test_a_receiving_socket_is_closed_by_one_enter),
		cmocka_unit_test(test_a_last_send_and_the_close_go_by_one_enter),
		cmocka_unit_test(test_a_reused_number_gets_nothing_of_its_predecessor),
		cmocka_unit_test(test_a_connection_nobody_waited_for_goes_to_the_next_accept),
		cmocka_unit_test(test_accept_errors_of_one_connection_are_skipped),
		cmocka_unit_test(test_a_connection_kept_for_nobody_is_closed_with_its_listener),
		cmocka_unit_test(test_a_listener_that_is_not_asked_takes_no_connections),
		cmocka_unit_test(test_slow_readers_hold_neither_pipes_nor_kernel_workers),
		cmocka_unit_test(test_sendfile_serves_where_it_is_chosen),
		cmocka_unit_test(test_auto_calls_sendfile_for_what_is_in_memory),
		cmocka_unit_test(test_auto_leaves_a_cold_file_to_the_ring),
		cmocka_unit_test(test_stretches_shrink_for_a_slow_reader_and_grow_again),
		cmocka_unit_test(test_sendfile_calls_of_a_turn_are_bounded_and_fair),
		cmocka_unit_test(test_a_share_of_reads_begins_in_each_turn),
		cmocka_unit_test(test_sendfiles_are_cancelled_wherever_they_stand),
		cmocka_unit_test(test_full_queues_lose_no_op),
		cmocka_unit_test(test_a_turn_enters_the_kernel_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
