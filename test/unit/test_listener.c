/* net/listener.h: accepting, with real sockets.
 *
 *	test_listener epoll|io_uring */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/listener.h"

enum { CLIENTS_MAX = 200 };

static enum backend_choice backend = BACKEND_EPOLL;

struct fixture {
	struct proactor *proactor;
	struct listener listener;
	struct address address;
	unsigned accepted_count, stopped_count;
	bool pauses, stops; /* what accepted() does */
	int clients[CLIENTS_MAX];
	size_t client_count;
	int accepted_fds[CLIENTS_MAX];
};

static void on_accepted(struct listener *listener, int fd)
{
	struct fixture *fixture = container_of(listener, struct fixture, listener);

	assert_int_equal(fixture->stopped_count, 0);
	fixture->accepted_fds[fixture->accepted_count++] = fd;
	if (fixture->pauses)
		listener_pause(listener);
	if (fixture->stops && fixture->accepted_count == 1)
		listener_stop(listener);
}

static void on_stopped(struct listener *listener)
{
	container_of(listener, struct fixture, listener)->stopped_count++;
}

static int open_with(void **state, bool singly)
{
	const struct proactor_options options = { .accept_singly = singly };
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const char *expected;
	int fd;

	assert_non_null(fixture);
	if (proactor_open(&fixture->proactor, backend, &options) < 0)
		return -1;
	assert_int_equal(
		address_parse(&fixture->address, text_literal("127.0.0.1:0"), &expected), 0);
	fd = listener_bind(&fixture->address, false, 1024);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&fixture->address.storage,
				 &fixture->address.size),
		0);
	listener_start(&fixture->listener, fixture->proactor, fd, on_accepted, on_stopped);
	*state = fixture;
	return 0;
}

static int open_usual(void **state)
{
	return open_with(state, false);
}

static int open_singly(void **state)
{
	return open_with(state, true);
}

static void turn(struct fixture *fixture)
{
	assert_int_equal(proactor_turn(fixture->proactor, 1000000000), 0);
}

/* Runs everything that is due, without waiting for more. */
static void turn_until_quiet(struct fixture *fixture)
{
	for (int i = 0; i < 10; i++)
		assert_int_equal(proactor_turn(fixture->proactor, 1000000), 0);
}

static void stop(struct fixture *fixture)
{
	if (!fixture->listener.stopping)
		listener_stop(&fixture->listener);
	while (fixture->stopped_count == 0)
		turn(fixture);
	turn_until_quiet(fixture);
	assert_int_equal(fixture->stopped_count, 1);
}

static void on_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	(void)op;
}

static int close_fixture(void **state)
{
	struct fixture *fixture = *state;
	struct op op;

	stop(fixture);
	op_init(&op, on_closed);
	proactor_close(fixture->proactor, &op, fixture->listener.fd);
	while (proactor_active_count(fixture->proactor) > 0)
		turn(fixture);
	for (unsigned i = 0; i < fixture->accepted_count; i++)
		close(fixture->accepted_fds[i]);
	for (size_t i = 0; i < fixture->client_count; i++)
		close(fixture->clients[i]);
	proactor_free(fixture->proactor);
	free(fixture);
	return 0;
}

static void connect_clients(struct fixture *fixture, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&fixture->address.storage,
					 fixture->address.size),
			0);
		fixture->clients[fixture->client_count++] = fd;
	}
}

static void test_every_connection_is_handed_over(void **state)
{
	struct fixture *fixture = *state;

	connect_clients(fixture, 100);
	while (fixture->accepted_count < 100)
		turn(fixture);
	connect_clients(fixture, 1);
	while (fixture->accepted_count < 101)
		turn(fixture);
}

static void test_paused_listener_takes_nothing_more_until_resumed(void **state)
{
	struct fixture *fixture = *state;

	listener_pause(&fixture->listener);
	turn_until_quiet(fixture);
	connect_clients(fixture, 20);
	turn_until_quiet(fixture);
	assert_int_equal(fixture->accepted_count, 0);
	listener_resume(&fixture->listener);
	while (fixture->accepted_count < 20)
		turn(fixture);
}

static void test_resuming_at_once_loses_nothing(void **state)
{
	struct fixture *fixture = *state;

	connect_clients(fixture, 5);
	listener_pause(&fixture->listener);
	listener_resume(&fixture->listener);
	while (fixture->accepted_count < 5)
		turn(fixture);
}

static void test_connections_taken_singly_stop_exactly_at_a_pause(void **state)
{
	struct fixture *fixture = *state;

	fixture->pauses = true;
	connect_clients(fixture, 20);
	for (unsigned count = 1; count <= 20; count++) {
		turn_until_quiet(fixture);
		assert_int_equal(fixture->accepted_count, count);
		listener_resume(&fixture->listener);
	}
}

static void test_stopping_hands_over_what_is_queued(void **state)
{
	struct fixture *fixture = *state;

	connect_clients(fixture, 150);
	stop(fixture);
	assert_int_equal(fixture->accepted_count, 150);
}

static void test_stopping_never_calls_back_at_once(void **state)
{
	struct fixture *fixture = *state;

	listener_pause(&fixture->listener);
	turn_until_quiet(fixture);
	listener_stop(&fixture->listener);
	assert_int_equal(fixture->stopped_count, 0);
	stop(fixture);
}

static void test_stopping_while_accepting_ends_once(void **state)
{
	struct fixture *fixture = *state;

	fixture->stops = true;
	connect_clients(fixture, 3);
	while (fixture->stopped_count == 0)
		turn(fixture);
	turn_until_quiet(fixture);
	assert_int_equal(fixture->stopped_count, 1);
}

static void test_refusing_listener_still_serves_its_queue(void **state)
{
	struct fixture *fixture = *state;
	int late;

	connect_clients(fixture, 10);
	listener_refuse(fixture->listener.fd);
	late = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(late >= 0);
	assert_int_equal(
		connect(late, (struct sockaddr *)&fixture->address.storage, fixture->address.size),
		-1);
	assert_int_equal(errno, EINPROGRESS);
	stop(fixture);
	assert_int_equal(fixture->accepted_count, 10);
	close(late);
}

/* The queue of a paused listener belongs to its successor, except for one batch that the backend
 * may have taken already. */
static void test_leaving_leaves_the_queue_to_the_successor(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	listener_pause(&fixture->listener);
	turn_until_quiet(fixture);
	connect_clients(fixture, 10);
	listener_leave(&fixture->listener);
	assert_int_equal(fixture->stopped_count, 0);
	stop(fixture);
	assert_true(fixture->accepted_count <= 1);
	for (unsigned i = fixture->accepted_count; i < 10; i++) {
		fd = accept4(fixture->listener.fd, NULL, NULL, SOCK_CLOEXEC);
		assert_true(fd >= 0);
		close(fd);
	}
}

static void limit_descriptors(rlim_t count)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = count;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_want_of_descriptors_delays_and_loses_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct rlimit before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	listener_pause(&fixture->listener);
	turn_until_quiet(fixture);
	connect_clients(fixture, 10);
	limit_descriptors((rlim_t)fixture->clients[9] + 1);
	listener_resume(&fixture->listener);
	turn_until_quiet(fixture);
	assert_int_equal(fixture->accepted_count, 0);
	limit_descriptors(before.rlim_cur);
	while (fixture->accepted_count < 10)
		turn(fixture);
}

#define USUALLY(name) cmocka_unit_test_setup_teardown(name, open_usual, close_fixture)
#define SINGLY(name)  cmocka_unit_test_setup_teardown(name, open_singly, close_fixture)

int main(int count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		USUALLY(test_every_connection_is_handed_over),
		SINGLY(test_every_connection_is_handed_over),
		USUALLY(test_paused_listener_takes_nothing_more_until_resumed),
		USUALLY(test_resuming_at_once_loses_nothing),
		SINGLY(test_connections_taken_singly_stop_exactly_at_a_pause),
		USUALLY(test_stopping_hands_over_what_is_queued),
		SINGLY(test_stopping_hands_over_what_is_queued),
		USUALLY(test_stopping_never_calls_back_at_once),
		USUALLY(test_stopping_while_accepting_ends_once),
		SINGLY(test_leaving_leaves_the_queue_to_the_successor),
		USUALLY(test_refusing_listener_still_serves_its_queue),
		USUALLY(test_want_of_descriptors_delays_and_loses_nothing),
	};

	if (count == 2 && strcmp(arguments[1], "io_uring") == 0)
		backend = BACKEND_IO_URING;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
