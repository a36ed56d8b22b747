/* Connections begin and end: accepting, peers that go away, closing, descriptors used again. */
#include "cases.h"

#include <stdio.h>
#include <sys/socket.h>

/* --- accept ------------------------------------------------------------------------------- */

/* Closes the accepted ends first, so that no listener of the case resets anything. */
static void close_accepted(struct fixture *fixture, struct call *accept)
{
	for (unsigned i = 0; i < accept->fd_count; i++)
		close_fd(fixture, accept->fds[i]);
	accept->fd_count = 0;
}

static void accept_until(struct call *accept, int listener, unsigned count)
{
	while (accept->fd_count < count) {
		if (!op_is_active(&accept->op))
			proactor_accept(accept->fixture->proactor, &accept->op, listener);
		assert_true(finish(accept) > 0);
	}
	assert_int_equal(accept->fd_count, count);
}

static void test_accept_delivers_every_connection(void **state)
{
	struct fixture *fixture = *state;
	enum { COUNT = 100 };
	struct peer *peers = calloc(COUNT, sizeof(*peers));
	int listener = fixture->side->listen(fixture);
	struct call accept;

	call_init(&accept, fixture);
	for (int i = 0; i < COUNT / 2; i++)
		fixture->side->connect(fixture, &peers[i], listener);
	accept_until(&accept, listener, COUNT / 2);
	for (int i = COUNT / 2; i < COUNT; i++)
		fixture->side->connect(fixture, &peers[i], listener);
	accept_until(&accept, listener, COUNT);
	close_accepted(fixture, &accept);
	for (int i = 0; i < COUNT; i++)
		peer_close(&peers[i]);
	close_fd(fixture, listener);
	free(peers);
}

static void accept_again(struct call *call)
{
	if (call->fd_count < call->wanted)
		proactor_accept(call->fixture->proactor, &call->op, call->op.fd);
}

static void test_accept_goes_on_when_done_asks_for_more(void **state)
{
	struct fixture *fixture = *state;
	enum { COUNT = 80 };
	struct peer *peers = calloc(COUNT, sizeof(*peers));
	int listener = fixture->side->listen(fixture);
	struct call accept;

	call_init(&accept, fixture);
	accept.then = accept_again;
	accept.wanted = COUNT;
	proactor_accept(fixture->proactor, &accept.op, listener);
	for (int i = 0; i < COUNT; i++) {
		fixture->side->connect(fixture, &peers[i], listener);
		if (i % 7 == 0)
			turn(fixture, 0);
	}
	turn_until (fixture, accept.fd_count == COUNT)
		;
	close_accepted(fixture, &accept);
	for (int i = 0; i < COUNT; i++)
		peer_close(&peers[i]);
	close_fd(fixture, listener);
	free(peers);
}

static void test_accepted_descriptors_do_not_block_and_are_not_inherited(void **state)
{
	struct fixture *fixture = *state;
	int listener = fixture->side->listen(fixture), fd;
	struct peer peer;

	fixture->side->connect(fixture, &peer, listener);
	fd = accept_one(fixture, listener);
	if (fixture->side->has_threads) {
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	close_fd(fixture, fd);
	peer_close(&peer);
	close_fd(fixture, listener);
}

static void test_5_a_cancelled_accept_loses_no_connection(void **state)
{
	struct fixture *fixture = *state;
	enum { COUNT = 60 };
	struct peer *peers = calloc(COUNT, sizeof(*peers));
	int listener = fixture->side->listen(fixture);
	struct call accept;

	call_init(&accept, fixture);
	for (int i = 0; i < COUNT; i++) {
		if (!op_is_active(&accept.op))
			proactor_accept(fixture->proactor, &accept.op, listener);
		if (i % 2 == 0)
			turn(fixture, 0);
		fixture->side->connect(fixture, &peers[i], listener);
		if (i % 3 == 0)
			turn(fixture, 0);
		proactor_cancel(fixture->proactor, &accept.op);
	}
	turn_until (fixture, !op_is_active(&accept.op))
		;
	accept_until(&accept, listener, COUNT);
	close_accepted(fixture, &accept);
	for (int i = 0; i < COUNT; i++)
		peer_close(&peers[i]);
	close_fd(fixture, listener);
	free(peers);
}

static void test_accept_without_descriptors_fails_and_recovers(void **state)
{
	struct fixture *fixture = *state;
	int listener = fixture->side->listen(fixture);
	struct peer peers[5];
	struct call accept;

	call_init(&accept, fixture);
	for (int i = 0; i < 5; i++)
		fixture->side->connect(fixture, &peers[i], listener);
	fixture->side->limit_descriptors(fixture, 0);
	proactor_accept(fixture->proactor, &accept.op, listener);
	finish(&accept);
	proactor_accept(fixture->proactor, &accept.op, listener);
	finish(&accept);
	fixture->side->unlimit_descriptors(fixture);
	assert_int_equal(accept.result, -EMFILE);
	accept_until(&accept, listener, 5);
	close_accepted(fixture, &accept);
	for (int i = 0; i < 5; i++)
		peer_close(&peers[i]);
	close_fd(fixture, listener);
}

/* A ring takes note of the limit when it begins to accept, not when it accepts. */
static void test_accept_delivers_what_descriptors_allow(void **state)
{
	struct fixture *fixture = *state;
	int listener = fixture->side->listen(fixture);
	struct peer peers[6];
	struct call accept;

	call_init(&accept, fixture);
	for (int i = 0; i < 6; i++)
		fixture->side->connect(fixture, &peers[i], listener);
	fixture->side->limit_descriptors(fixture, 2);
	proactor_accept(fixture->proactor, &accept.op, listener);
	while (finish(&accept) > 0)
		proactor_accept(fixture->proactor, &accept.op, listener);
	fixture->side->unlimit_descriptors(fixture);
	assert_int_equal(accept.result, -EMFILE);
	assert_int_equal(accept.fd_count, 2);
	accept_until(&accept, listener, 6);
	close_accepted(fixture, &accept);
	for (int i = 0; i < 6; i++)
		peer_close(&peers[i]);
	close_fd(fixture, listener);
}

/* Whatever the backend accepted on its own account goes with the listener. */
static void test_closing_a_listener_leaks_no_connection(void **state)
{
	struct fixture *fixture = *state;
	int listener = fixture->side->listen(fixture);
	struct peer peers[10];
	struct call accept;

	call_init(&accept, fixture);
	fixture->side->connect(fixture, &peers[0], listener);
	accept_until(&accept, listener, 1);
	for (int i = 1; i < 10; i++) {
		fixture->side->connect(fixture, &peers[i], listener);
		turn(fixture, 0);
	}
	close_fd(fixture, listener);
	close_accepted(fixture, &accept);
	for (int i = 0; i < 10; i++)
		peer_close(&peers[i]);
}

struct latecomers {
	int listener;
	struct peer peers[5];
};

static void connect_latecomers(struct call *call)
{
	struct latecomers *late = call->fixture->context;

	for (int i = 0; i < 5; i++)
		call->fixture->side->connect(call->fixture, &late->peers[i], late->listener);
}

static void test_closing_a_listener_leaks_no_latecomer(void **state)
{
	struct fixture *fixture = *state;
	struct latecomers late = { .listener = fixture->side->listen(fixture) };
	struct peer peer;
	struct call accept;

	fixture->context = &late;
	call_init(&accept, fixture);
	accept.then = connect_latecomers;
	proactor_accept(fixture->proactor, &accept.op, late.listener);
	turn(fixture, 0);
	fixture->side->connect(fixture, &peer, late.listener);
	finish(&accept);
	close_fd(fixture, late.listener);
	close_accepted(fixture, &accept);
	peer_close(&peer);
	for (int i = 0; i < 5; i++)
		peer_close(&late.peers[i]);
}

/* --- peers that go away ------------------------------------------------------------------- */

static void test_a_reset_ends_a_waiting_receive(void **state)
{
	struct fixture *fixture = *state;
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&receive, fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	settle(fixture);
	peer_reset(&peer);
	assert_int_equal(finish(&receive), -ECONNRESET);
	close_fd(fixture, fd);
}

static void test_a_reset_is_told_to_the_next_receive(void **state)
{
	struct fixture *fixture = *state;
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	settle(fixture);
	peer_reset(&peer);
	settle(fixture);
	call_init(&receive, fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	assert_int_equal(finish(&receive), -ECONNRESET);
	close_fd(fixture, fd);
}

static void test_a_reset_between_two_receives_is_told(void **state)
{
	struct fixture *fixture = *state;
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&receive, fixture);
	peer_write(&peer, "x", 1);
	assert_int_equal(receive_until(&receive, fd, 1), 1);
	settle(fixture);
	peer_reset(&peer);
	settle(fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	assert_int_equal(finish(&receive), -ECONNRESET);
	call_reset(&receive);
	close_fd(fixture, fd);
}

/* Sends (a file or bytes) until the socket is full, then resets it; no signal may come. */
static void reset_while_sending(struct fixture *fixture, bool sends_file)
{
	size_t length = (size_t)8 << 20;
	char *bytes = pattern_new(0, length);
	struct iovec vector = { bytes, length };
	struct call call;
	struct peer peer;
	int fd = make_small_pair(fixture, &peer), file;

	make_pattern_file(fixture, "file", 0, length);
	file = open_name(fixture, "file", O_RDONLY);
	call_init(&call, fixture);
	if (sends_file)
		proactor_sendfile(fixture->proactor, &call.op, fd, file, 0, length, false);
	else
		proactor_send(fixture->proactor, &call.op, fd, &vector, 1, false);
	turn_until (fixture, call.op.moved > 0)
		;
	settle(fixture);
	peer_reset(&peer);
	assert_true(is_gone(finish(&call)));
	free(bytes);
	close_fd(fixture, file);
	close_fd(fixture, fd);
}

static void test_a_reset_ends_a_parked_send(void **state)
{
	reset_while_sending(*state, false);
}

static void test_a_reset_ends_a_parked_sendfile(void **state)
{
	reset_while_sending(*state, true);
}

static void test_a_reset_ends_receive_and_send_at_once(void **state)
{
	struct fixture *fixture = *state;
	size_t length = (size_t)8 << 20;
	char *bytes = pattern_new(0, length);
	struct iovec vector = { bytes, length };
	struct call send, receive;
	struct peer peer;
	int fd = make_small_pair(fixture, &peer);

	call_init(&send, fixture);
	call_init(&receive, fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	proactor_send(fixture->proactor, &send.op, fd, &vector, 1, false);
	settle(fixture);
	peer_reset(&peer);
	turn_until (fixture, send.done_count == 1 && receive.done_count == 1)
		;
	assert_true(is_gone(send.result));
	assert_true(receive.result == 0 || is_gone(receive.result));
	free(bytes);
	close_fd(fixture, fd);
}

static void test_sending_works_after_the_peer_ended_its_direction(void **state)
{
	struct fixture *fixture = *state;
	char *bytes = pattern_new(0, 50000);
	struct iovec vector = { bytes, 50000 };
	struct call send, receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&send, fixture);
	call_init(&receive, fixture);
	peer_write(&peer, "request", 7);
	peer_end(&peer);
	assert_int_equal(receive_until(&receive, fd, 8), 0);
	assert_int_equal(receive.length, 7);
	proactor_send(fixture->proactor, &send.op, fd, &vector, 1, false);
	peer_expect_pattern(&peer, 0, 50000);
	turn_until (fixture, send.done_count == 1)
		;
	assert_int_equal(send.result, 50000);
	free(bytes);
	call_reset(&receive);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_the_end_is_told_to_every_receive(void **state)
{
	struct fixture *fixture = *state;
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&receive, fixture);
	peer_end(&peer);
	for (int i = 0; i < 3; i++) {
		proactor_receive(fixture->proactor, &receive.op, fd);
		assert_int_equal(finish(&receive), 0);
	}
	peer_close(&peer);
	close_fd(fixture, fd);
}

/* The process leaves SIGPIPE at its default action, which would end it. */
static void test_sending_to_a_closed_peer_fails_without_a_signal(void **state)
{
	struct fixture *fixture = *state;
	int64_t result = 0;
	struct call call;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&call, fixture);
	peer_close(&peer);
	turn_until (fixture, result < 0) {
		struct iovec vector = { "hello", 5 };

		proactor_send(fixture->proactor, &call.op, fd, &vector, 1, false);
		result = finish(&call);
	}
	assert_true(is_gone(result));
	close_fd(fixture, fd);
}

static void test_sending_a_file_to_a_closed_peer_fails_without_a_signal(void **state)
{
	struct fixture *fixture = *state;
	int64_t result = 0;
	struct call call;
	struct peer peer;
	int fd = make_pair(fixture, &peer), file;

	make_pattern_file(fixture, "file", 0, 1000);
	file = open_name(fixture, "file", O_RDONLY);
	call_init(&call, fixture);
	peer_close(&peer);
	for (int i = 0; i < 2; i++) {
		result = 0;
		turn_until (fixture, result < 0) {
			proactor_sendfile(fixture->proactor, &call.op, fd, file, 0, 1000, false);
			result = finish(&call);
		}
		assert_true(is_gone(result));
	}
	close_fd(fixture, file);
	close_fd(fixture, fd);
}

static void test_sending_after_the_own_shutdown_fails_without_a_signal(void **state)
{
	struct fixture *fixture = *state;
	struct iovec vector = { "x", 1 };
	struct call call;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	assert_int_equal(proactor_shutdown(fixture->proactor, fd, SHUT_WR), 0);
	call_init(&call, fixture);
	proactor_send(fixture->proactor, &call.op, fd, &vector, 1, false);
	assert_int_equal(finish(&call), -EPIPE);
	peer_close(&peer);
	close_fd(fixture, fd);
}

/* --- closing ------------------------------------------------------------------------------ */

static void test_close_sends_what_was_sent_and_then_the_end(void **state)
{
	struct fixture *fixture = *state;
	char *bytes = pattern_new(0, 30000);
	struct iovec vector = { bytes, 30000 };
	struct call send;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&send, fixture);
	proactor_send(fixture->proactor, &send.op, fd, &vector, 1, false);
	assert_int_equal(finish(&send), 30000);
	close_fd(fixture, fd);
	peer_expect_pattern(&peer, 0, 30000);
	peer_expect_end(&peer);
	free(bytes);
	peer_close(&peer);
}

/* After one receive the backend may go on receiving for itself: closing ends that as well. */
static void test_close_ends_what_the_backend_does_on_its_own(void **state)
{
	struct fixture *fixture = *state;
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);
	char byte;

	call_init(&receive, fixture);
	peer_write(&peer, "one", 3);
	assert_int_equal(receive_until(&receive, fd, 3), 3);
	peer_write(&peer, "two", 3);
	settle(fixture);
	close_fd(fixture, fd);
	turn_until (fixture, peer_read(&peer, &byte, 1) != -EAGAIN)
		;
	call_reset(&receive);
	peer_close(&peer);
}

static void test_close_right_after_a_cancelled_receive(void **state)
{
	struct fixture *fixture = *state;
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&receive, fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	turn(fixture, 0);
	proactor_cancel(fixture->proactor, &receive.op);
	if (op_is_active(&receive.op))
		finish(&receive);
	assert_int_equal(receive.result, -ECANCELED);
	close_fd(fixture, fd);
	peer_expect_end(&peer);
	peer_close(&peer);
}

/* The last send may have taken the close along; if not, it is left to the caller. */
static void close_after(struct call *send, int fd)
{
	close_fd(send->fixture, send->op.send.closed ? -1 : fd);
}

static void send_last(struct call *send, int fd, struct iovec *vector, unsigned vector_count)
{
	call_init(send, send->fixture);
	proactor_send_last(send->fixture->proactor, &send->op, fd, vector, vector_count);
}

static void test_a_last_send_is_followed_by_the_end(void **state)
{
	struct fixture *fixture = *state;
	char *bytes = pattern_new(0, 30000);
	struct iovec vector[] = { { bytes, 10000 }, { bytes + 10000, 20000 } };
	struct call receive, send = { .fixture = fixture };
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	/* One was received before, another is waited for until then: both are forgotten. */
	call_init(&receive, fixture);
	peer_write(&peer, "one", 3);
	assert_int_equal(receive_until(&receive, fd, 3), 3);
	proactor_receive(fixture->proactor, &receive.op, fd);
	settle(fixture);
	proactor_cancel(fixture->proactor, &receive.op);
	send_last(&send, fd, vector, 2);
	assert_int_equal(finish(&send), 30000);
	turn_until (fixture, !op_is_active(&receive.op))
		;
	close_after(&send, fd);
	peer_expect_pattern(&peer, 0, 30000);
	peer_expect_end(&peer);
	call_reset(&receive);
	free(bytes);
	peer_close(&peer);
}

/* A last send that waits for its peer: of more than the socket holds. */
struct parked {
	char *bytes;
	size_t length;
	struct iovec vector;
	struct call send;
	struct peer peer;
	int fd;
};

static void park_last_send(struct parked *parked, struct fixture *fixture)
{
	parked->length = (size_t)4 << 20;
	parked->bytes = pattern_new(0, parked->length);
	parked->vector = (struct iovec){ parked->bytes, parked->length };
	parked->send.fixture = fixture;
	parked->fd = make_small_pair(fixture, &parked->peer);
	send_last(&parked->send, parked->fd, &parked->vector, 1);
	turn_until_parked(&parked->send);
}

static void test_a_last_send_of_more_than_the_socket_holds_loses_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct parked parked;

	park_last_send(&parked, fixture);
	peer_expect_pattern(&parked.peer, 0, parked.length);
	turn_until (fixture, !op_is_active(&parked.send.op))
		;
	assert_int_equal(parked.send.result, parked.length);
	close_after(&parked.send, parked.fd);
	peer_expect_end(&parked.peer);
	free(parked.bytes);
	peer_close(&parked.peer);
}

static void test_a_last_send_that_does_not_end_leaves_the_descriptor(void **state)
{
	struct fixture *fixture = *state;
	struct parked parked;

	park_last_send(&parked, fixture);
	proactor_cancel(fixture->proactor, &parked.send.op);
	assert_int_equal(finish(&parked.send), -ECANCELED);
	assert_int_equal(proactor_shutdown(fixture->proactor, parked.fd, SHUT_WR), 0);
	parked.vector = (struct iovec){ parked.bytes, 1 };
	send_last(&parked.send, parked.fd, &parked.vector, 1);
	assert_int_equal(finish(&parked.send), -EPIPE);
	close_fd(fixture, parked.fd);
	free(parked.bytes);
	peer_close(&parked.peer);
}

static void test_a_number_that_a_last_send_gave_back_starts_afresh(void **state)
{
	struct fixture *fixture = *state;
	int listener = fixture->side->listen(fixture);
	struct call receive, send = { .fixture = fixture };
	struct peer peer, next;
	int fd;

	call_init(&receive, fixture);
	fixture->side->connect(fixture, &next, listener);
	fd = accept_one(fixture, listener);
	for (int i = 0; i < 30; i++) {
		struct iovec vector = { "answer", 6 };

		peer = next;
		peer_write(&peer, "request", 7);
		assert_int_equal(receive_until(&receive, fd, 7), 7);
		call_reset(&receive);
		if (i % 2 > 0)
			peer_write(&peer, "leftover", 8);
		fixture->side->connect(fixture, &next, listener);
		send_last(&send, fd, &vector, 1);
		assert_int_equal(finish(&send), 6);
		close_after(&send, fd);
		fd = accept_one(fixture, listener);
		peer_close(&peer);
	}
	close_fd(fixture, fd);
	peer_close(&next);
	close_fd(fixture, listener);
}

/* The order of the design: stop, shut down, cancel, wait for nothing in flight, close. */
static void test_close_order_with_everything_in_flight(void **state)
{
	struct fixture *fixture = *state;
	size_t length = (size_t)4 << 20;
	struct call receive, sendfile;
	struct peer peer;
	int fd = make_small_pair(fixture, &peer), file;

	make_pattern_file(fixture, "file", 0, length);
	file = open_name(fixture, "file", O_RDONLY);
	call_init(&receive, fixture);
	call_init(&sendfile, fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	proactor_sendfile(fixture->proactor, &sendfile.op, fd, file, 0, length, false);
	settle(fixture);
	assert_int_equal(proactor_shutdown(fixture->proactor, fd, SHUT_RDWR), 0);
	proactor_cancel(fixture->proactor, &receive.op);
	proactor_cancel(fixture->proactor, &sendfile.op);
	turn_until (fixture, !op_is_active(&receive.op) && !op_is_active(&sendfile.op))
		;
	assert_true(receive.result == 0 || receive.result == -ECANCELED);
	assert_true(is_gone(sendfile.result) || sendfile.result == -ECANCELED);
	close_fd(fixture, fd);
	close_fd(fixture, file);
	peer_close(&peer);
}

/* A new connection under an old number sees nothing of the old one. */
static void test_a_descriptor_used_again_starts_afresh(void **state)
{
	struct fixture *fixture = *state;
	int listener = fixture->side->listen(fixture), fd = -1;
	struct peer peer, next;
	struct call receive;
	char greeting[9];

	call_init(&receive, fixture);
	fixture->side->connect(fixture, &next, listener);
	fd = accept_one(fixture, listener);
	for (int i = 0; i < 30; i++) {
		int before = fd;

		peer = next;
		snprintf(greeting, sizeof(greeting), "hello%03d", i);
		peer_write(&peer, greeting, 8);
		assert_int_equal(receive_until(&receive, fd, 8), 8);
		assert_memory_equal(receive.bytes, greeting, 8);
		call_reset(&receive);
		if (i % 3 > 0)
			peer_write(&peer, "leftover", 8);
		if (i % 3 > 1)
			settle(fixture);
		fixture->side->connect(fixture, &next, listener);
		close_fd(fixture, fd);
		fd = accept_one(fixture, listener);
		assert_int_equal(fd, before);
		peer_close(&peer);
	}
	close_fd(fixture, fd);
	peer_close(&next);
	close_fd(fixture, listener);
}

int run_connection_cases(void)
{
	const struct CMUnitTest connections[] = {
		contract_case(test_accept_delivers_every_connection),
		contract_case(test_accept_goes_on_when_done_asks_for_more),
		contract_case(test_accepted_descriptors_do_not_block_and_are_not_inherited),
		contract_case(test_5_a_cancelled_accept_loses_no_connection),
		contract_case(test_accept_without_descriptors_fails_and_recovers),
		contract_case(test_accept_delivers_what_descriptors_allow),
		contract_case(test_closing_a_listener_leaks_no_connection),
		contract_case(test_closing_a_listener_leaks_no_latecomer),
		contract_case(test_a_reset_ends_a_waiting_receive),
		contract_case(test_a_reset_is_told_to_the_next_receive),
		contract_case(test_a_reset_between_two_receives_is_told),
		contract_case(test_a_reset_ends_a_parked_send),
		contract_case(test_a_reset_ends_a_parked_sendfile),
		contract_case(test_a_reset_ends_receive_and_send_at_once),
		contract_case(test_sending_works_after_the_peer_ended_its_direction),
		contract_case(test_the_end_is_told_to_every_receive),
		contract_case(test_sending_to_a_closed_peer_fails_without_a_signal),
		contract_case(test_sending_a_file_to_a_closed_peer_fails_without_a_signal),
		contract_case(test_sending_after_the_own_shutdown_fails_without_a_signal),
		contract_case(test_close_sends_what_was_sent_and_then_the_end),
		contract_case(test_close_ends_what_the_backend_does_on_its_own),
		contract_case(test_close_right_after_a_cancelled_receive),
		contract_case(test_a_last_send_is_followed_by_the_end),
		contract_case(test_a_last_send_of_more_than_the_socket_holds_loses_nothing),
		contract_case(test_a_last_send_that_does_not_end_leaves_the_descriptor),
		contract_case(test_a_number_that_a_last_send_gave_back_starts_afresh),
		contract_case(test_close_order_with_everything_in_flight),
		contract_case(test_a_descriptor_used_again_starts_afresh),
	};

	return cmocka_run_group_tests(connections, NULL, NULL);
}
