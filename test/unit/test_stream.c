/* net/stream.h, with real sockets: what is held back while a long file is sent, how much may be
 * unsent, and the end.
 *
 * test_stream epoll|io_uring */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/stream.h"

enum {
	MIB = 1 << 20,
	SHORT = STREAM_CORKED_LENGTH_MIN - 1,
	LONG = STREAM_CORKED_LENGTH_MIN,
};

static enum backend_choice backend = BACKEND_EPOLL;

struct fixture {
	struct stream_service own_service;
	struct stream_service *service; /* its own, or another fixture's */
	struct stream stream;
	struct stream_output output;
	int client, file;
	unsigned sent_count;
	bool closed;
};

static void on_event(struct stream *stream, enum stream_event event)
{
	struct fixture *fixture = container_of(stream, struct fixture, stream);

	assert_int_not_equal(event, STREAM_FAILED);
	fixture->sent_count += event == STREAM_SENT;
	fixture->closed |= event == STREAM_CLOSED;
}

/* The two ends of a connection: the server's and the client's. */
static void connect_pair(int *server, int *client)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	*client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)connect(*client, (struct sockaddr *)&address, size);
	*server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(*server >= 0);
	close(listener);
}

static struct fixture *open_fixture(struct stream_service *service)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int server;

	assert_non_null(fixture);
	fixture->service = service ? service : &fixture->own_service;
	if (!service) {
		const struct proactor_options options = { 0 };
		struct proactor *proactor;

		assert_int_equal(proactor_open(&proactor, backend, &options), 0);
		stream_service_open(fixture->service, proactor, 0);
	}
	connect_pair(&server, &fixture->client);
	fixture->file = memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fixture->file, LONG), 0);
	stream_open(&fixture->stream, fixture->service, server, on_event);
	return fixture;
}

static int set_up(void **state)
{
	*state = open_fixture(NULL);
	return 0;
}

static void close_and_wait(struct fixture *fixture)
{
	stream_close(&fixture->stream);
	assert_false(fixture->closed); /* never inside a call of the owner */
	while (!fixture->closed)
		assert_true(proactor_turn(fixture->service->proactor, PROACTOR_WAIT_FOREVER) >= 0);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	if (!fixture->closed)
		close_and_wait(fixture);
	if (fixture->service == &fixture->own_service)
		proactor_free(fixture->service->proactor);
	close(fixture->client);
	close(fixture->file);
	free(fixture);
	return 0;
}

/* Runs turns until the send has ended, while the client reads. */
static void await_sent(struct fixture *fixture)
{
	static char bytes[65536];
	unsigned before = fixture->sent_count;

	while (fixture->sent_count == before) {
		assert_true(proactor_turn(fixture->service->proactor, 0) >= 0);
		while (recv(fixture->client, bytes, sizeof(bytes), 0) > 0)
			continue;
		assert_int_equal(errno, EAGAIN);
	}
}

static void send_file(struct fixture *fixture, uint64_t length)
{
	stream_send_file(&fixture->stream, &fixture->output, fixture->file, 0, length, false);
}

static bool is_corked(const struct fixture *fixture)
{
	int value = -1;
	socklen_t size = sizeof(value);

	assert_int_equal(getsockopt(fixture->stream.fd, IPPROTO_TCP, TCP_CORK, &value, &size), 0);
	return value != 0;
}

static void test_long_file_leaves_in_full_segments_and_then_whole(void **state)
{
	struct fixture *fixture = *state;

	send_file(fixture, LONG);
	assert_true(is_corked(fixture));
	await_sent(fixture);
	assert_false(is_corked(fixture));
}

static void test_short_file_is_not_held_back(void **state)
{
	struct fixture *fixture = *state;

	send_file(fixture, SHORT);
	assert_false(is_corked(fixture));
	await_sent(fixture);
	assert_false(is_corked(fixture));
}

static unsigned unsent_bound(const struct fixture *fixture)
{
	unsigned value = 1;
	socklen_t size = sizeof(value);

	assert_int_equal(
		getsockopt(fixture->stream.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &size), 0);
	return value;
}

static void test_one_of_few_is_given_a_whole_socket(void **state)
{
	struct fixture *fixture = *state;

	fixture->service->unsent_length_max = 2 * MIB;
	send_file(fixture, LONG);
	assert_int_equal(unsent_bound(fixture), 0);
	await_sent(fixture);
}

/* Also while a body waits for its next piece: what the kernel holds of it is still there. */
static void test_bodies_on_their_way_share_what_may_be_unsent(void **state)
{
	struct fixture *first = *state;
	struct fixture *second = open_fixture(first->service);

	first->service->unsent_length_max = 2 * MIB - 1;
	send_file(first, LONG);
	assert_int_equal(unsent_bound(first), 1 * MIB);
	await_sent(first);
	send_file(second, LONG);
	assert_int_equal(unsent_bound(second), MIB / 2);
	await_sent(second);
	stream_end_body(&first->stream);
	send_file(second, LONG);
	assert_int_equal(unsent_bound(second), 1 * MIB);
	await_sent(second);
	send_file(first, LONG);
	assert_int_equal(unsent_bound(first), MIB / 2);
	await_sent(first);
	assert_int_equal(tear_down((void **)&second), 0);
	send_file(first, LONG);
	assert_int_equal(unsent_bound(first), 1 * MIB);
	await_sent(first);
}

static void test_a_share_has_a_least_length(void **state)
{
	struct fixture *fixture = *state;
	struct iovec vector = { "head", 4 };

	fixture->service->unsent_length_max = 1;
	stream_send(&fixture->stream, &fixture->output, &vector, 1, true);
	assert_int_equal(unsent_bound(fixture), 65536);
	await_sent(fixture);
}

static void test_what_is_short_has_no_share(void **state)
{
	struct fixture *fixture = *state;
	struct iovec vector = { "body", 4 };

	fixture->service->unsent_length_max = MIB;
	stream_send(&fixture->stream, &fixture->output, &vector, 1, false);
	assert_int_equal(unsent_bound(fixture), 0);
	await_sent(fixture);
	send_file(fixture, SHORT);
	assert_int_equal(unsent_bound(fixture), 0);
	await_sent(fixture);
}

/* The owner closes a stream that the last send may already have closed. */
static void test_last_send_ends_the_receiving_and_then_the_stream(void **state)
{
	struct fixture *fixture = *state;
	struct iovec vector = { "last", 4 };
	char bytes[5];

	stream_receive(&fixture->stream);
	assert_true(proactor_turn(fixture->service->proactor, 0) >= 0);
	stream_send_last(&fixture->stream, &fixture->output, &vector, 1);
	while (fixture->sent_count == 0)
		assert_true(proactor_turn(fixture->service->proactor, PROACTOR_WAIT_FOREVER) >= 0);
	close_and_wait(fixture);
	assert_int_equal(recv(fixture->client, bytes, sizeof(bytes), 0), 4);
	assert_int_equal(recv(fixture->client, bytes, sizeof(bytes), 0), 0);
}

int main(int argument_count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_long_file_leaves_in_full_segments_and_then_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_short_file_is_not_held_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_one_of_few_is_given_a_whole_socket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_bodies_on_their_way_share_what_may_be_unsent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_share_has_a_least_length, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_short_has_no_share, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_last_send_ends_the_receiving_and_then_the_stream, set_up, tear_down),
	};

	if (argument_count > 1 && strcmp(arguments[1], "io_uring") == 0)
		backend = BACKEND_IO_URING;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
