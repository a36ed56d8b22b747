/* The part of the fixture that is the same on every backend. */
#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>

#define TURN_COUNT_MAX 400000
#define PATIENCE_NS    20000000000ULL
#define WAIT_NS        5000000ULL

static struct fixture the_fixture;
static unsigned done_count;

/* --- opening and closing ------------------------------------------------------------------ */

static size_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

bool fixture_knows(const char *backend)
{
	return strcmp(backend, "io_uring") == 0 || strcmp(backend, "epoll") == 0 ||
	       strcmp(backend, "simulated") == 0;
}

void fixture_choose(const char *backend, uint64_t seed)
{
	the_fixture = (struct fixture){ .seed = seed };
	the_fixture.side = strcmp(backend, "simulated") == 0 ? &simulated_side : &real_side;
	the_fixture.choice = strcmp(backend, "epoll") == 0 ? BACKEND_EPOLL : BACKEND_IO_URING;
}

static int open_fixture(struct fixture *fixture, const struct proactor_options *options)
{
	int r;

	fixture->open_before = count_descriptors();
	r = fixture->side->open(fixture, options);
	if (r < 0)
		print_error("the backend does not open: %s\n", strerror(-r));
	return r;
}

int fixture_setup(void **state)
{
	struct proactor_options options = { 0 };

	*state = &the_fixture;
	return open_fixture(&the_fixture, &options);
}

/* What a case that passed must have left: nothing. */
static void close_fixture(struct fixture *fixture)
{
	assert_int_equal(proactor_active_count(fixture->proactor), 0);
	close_fd(fixture, fixture->directory);
	assert_int_equal(fixture->side->open_count(fixture), 0);
	fixture->side->close(fixture);
	assert_int_equal(count_descriptors(), fixture->open_before);
}

int fixture_teardown(void **state)
{
	close_fixture(*state);
	return 0;
}

void fixture_reopen(struct fixture *fixture, const struct proactor_options *options)
{
	close_fixture(fixture);
	assert_int_equal(open_fixture(fixture, options), 0);
}

/* --- turning ------------------------------------------------------------------------------ */

void turn(struct fixture *fixture, uint64_t wait_ns_max)
{
	int r;

	fixture->turning = true;
	r = proactor_turn(fixture->proactor, wait_ns_max);
	fixture->turning = false;
	assert_int_equal(r, 0);
}

void settle(struct fixture *fixture)
{
	for (int i = 0; i < 30; i++)
		turn(fixture, 0);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void turn_patiently(struct fixture *fixture, struct patience *patience, const char *condition,
	const char *file, int line)
{
	if (patience->turn_count++ == 0)
		patience->until_ns = now_ns() + PATIENCE_NS;
	if (patience->turn_count > TURN_COUNT_MAX || now_ns() > patience->until_ns) {
		print_error("%s never came true (seed %llu, %u turns)\n", condition,
			(unsigned long long)fixture->seed, patience->turn_count);
		_fail(file, line);
	}
	turn(fixture, WAIT_NS);
}

/* --- calls -------------------------------------------------------------------------------- */

/* Room for `length` bytes with some to spare: growing by each receive's length would copy megabytes
 * a thousand times, and under a sanitizer cost a test its patience. */
static size_t roomy(size_t length)
{
	size_t size = length > 0 ? 1024 : 0;

	while (size < length)
		size *= 2;
	return size;
}

static void keep_bytes(struct call *call, struct text bytes)
{
	size_t size = roomy(call->length + bytes.length);

	if (size != roomy(call->length))
		call->bytes = realloc(call->bytes, size);
	assert_non_null(call->bytes);
	memcpy(call->bytes + call->length, bytes.bytes, bytes.length);
	call->length += bytes.length;
}

static void keep_descriptors(struct call *call, const int *fds, int64_t count)
{
	for (int64_t i = 0; i < count; i++) {
		assert_true(call->fd_count < sizeof(call->fds) / sizeof(call->fds[0]));
		call->fds[call->fd_count++] = fds[i];
	}
}

static void call_done(struct proactor *proactor, struct op *op)
{
	struct call *call = container_of(op, struct call, op);

	assert_ptr_equal(proactor, call->fixture->proactor);
	assert_true(call->fixture->turning);
	assert_false(op_is_active(op));
	assert_int_not_equal(op->result, -EINTR);
	assert_int_not_equal(op->result, -ENOBUFS);
	call->done_count++;
	call->order = ++done_count;
	call->result = op->result;
	if (op->kind == OP_RECEIVE && op->result > 0) {
		assert_int_equal(op->receive.loan.length, op->result);
		assert_true(op->result <= PROACTOR_LOAN_LENGTH_MAX);
		keep_bytes(call, op->receive.loan);
	}
	if (op->kind == OP_ACCEPT && op->result > 0)
		keep_descriptors(call, op->accept.fds, op->result);
	if (call->then)
		call->then(call);
}

void call_init(struct call *call, struct fixture *fixture)
{
	*call = (struct call){ .fixture = fixture };
	op_init(&call->op, call_done);
}

void call_reset(struct call *call)
{
	assert_false(op_is_active(&call->op));
	free(call->bytes);
	call->bytes = NULL;
	call->length = 0;
}

int64_t finish(struct call *call)
{
	unsigned before = call->done_count;

	assert_true(op_is_active(&call->op));
	turn_until (call->fixture, call->done_count > before)
		;
	assert_int_equal(call->done_count, before + 1);
	return call->result;
}

void turn_until_parked(struct call *call)
{
	uint64_t moved = 0;

	turn_until (call->fixture, call->op.moved > 0)
		;
	do {
		moved = call->op.moved;
		settle(call->fixture);
		assert_true(op_is_active(&call->op));
	} while (moved != call->op.moved);
}

int open_name(struct fixture *fixture, const char *name, int flags)
{
	struct open_how how = { .flags = (uint64_t)flags | O_CLOEXEC };
	struct call call;

	if (flags & O_CREAT)
		how.mode = 0644;
	call_init(&call, fixture);
	proactor_open_file(fixture->proactor, &call.op, fixture->directory, name, &how);
	return (int)finish(&call);
}

int64_t read_at(struct fixture *fixture, int fd, void *bytes, size_t length, uint64_t offset)
{
	struct call call;

	call_init(&call, fixture);
	proactor_read(fixture->proactor, &call.op, fd, bytes, length, offset);
	return finish(&call);
}

void close_fd(struct fixture *fixture, int fd)
{
	struct call call;

	call_init(&call, fixture);
	proactor_close(fixture->proactor, &call.op, fd);
	assert_int_equal(finish(&call), 0);
}

int accept_one(struct fixture *fixture, int listener)
{
	struct call call;

	call_init(&call, fixture);
	proactor_accept(fixture->proactor, &call.op, listener);
	assert_int_equal(finish(&call), 1);
	return call.fds[0];
}

int64_t receive_until(struct call *call, int fd, size_t length)
{
	while (call->length < length) {
		int64_t result;

		if (!op_is_active(&call->op))
			proactor_receive(call->fixture->proactor, &call->op, fd);
		result = finish(call);
		if (result <= 0)
			return result;
	}
	return (int64_t)call->length;
}

bool is_gone(int64_t result)
{
	return result == -ECONNRESET || result == -EPIPE;
}

/* --- bytes -------------------------------------------------------------------------------- */

char pattern_at(uint64_t position)
{
	return (char)(position * 131 + (position >> 8) * 17 + (position >> 16) * 7);
}

void pattern_fill(char *bytes, uint64_t position, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = pattern_at(position + i);
}

void assert_pattern(const char *bytes, uint64_t position, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != pattern_at(position + i))
			fail_msg("byte %llu is wrong", (unsigned long long)(position + i));
	}
}

char *pattern_new(uint64_t position, size_t length)
{
	char *bytes = malloc(length);

	assert_non_null(bytes);
	pattern_fill(bytes, position, length);
	return bytes;
}

void make_pattern_file(struct fixture *fixture, const char *name, uint64_t offset, size_t length)
{
	char *bytes = pattern_new(offset, length);

	fixture->side->write_file(fixture, name, offset, bytes, length);
	free(bytes);
}

/* --- peers -------------------------------------------------------------------------------- */

int make_pair(struct fixture *fixture, struct peer *peer)
{
	return fixture->side->pair(fixture, peer, false);
}

int make_small_pair(struct fixture *fixture, struct peer *peer)
{
	return fixture->side->pair(fixture, peer, true);
}

void peer_write(struct peer *peer, const void *bytes, size_t length)
{
	assert_int_equal(peer->fixture->side->write(peer, bytes, length), length);
}

ssize_t peer_read(struct peer *peer, void *bytes, size_t length)
{
	return peer->fixture->side->read(peer, bytes, length);
}

void peer_end(struct peer *peer)
{
	peer->fixture->side->end(peer);
}

void peer_reset(struct peer *peer)
{
	peer->fixture->side->reset(peer);
}

void peer_close(struct peer *peer)
{
	peer->fixture->side->close_peer(peer);
}

void peer_expect_pattern(struct peer *peer, uint64_t position, size_t length)
{
	char bytes[16384];
	size_t seen = 0;

	turn_until (peer->fixture, seen == length) {
		ssize_t count = 1;

		while (seen < length && count > 0) {
			size_t room = length - seen;

			count = peer_read(peer, bytes, room < sizeof(bytes) ? room : sizeof(bytes));
			if (count == -EAGAIN)
				break;
			assert_true(count > 0);
			assert_pattern(bytes, position + seen, (size_t)count);
			seen += (size_t)count;
		}
	}
}

void peer_expect_end(struct peer *peer)
{
	ssize_t count = -EAGAIN;
	char byte;

	turn_until (peer->fixture, (count = peer_read(peer, &byte, 1)) != -EAGAIN)
		;
	assert_int_equal(count, 0);
}
