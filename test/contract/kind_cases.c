/* What each kind of op on a socket is for, and the calls that do not wait. */
#include "cases.h"

static void test_receive_lends_what_the_peer_sent(void **state)
{
	struct fixture *fixture = *state;
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&receive, fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	peer_write(&peer, "hello", 5);
	assert_int_equal(receive_until(&receive, fd, 5), 5);
	assert_memory_equal(receive.bytes, "hello", 5);
	call_reset(&receive);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_receive_gives_0_at_the_end_of_the_stream(void **state)
{
	struct fixture *fixture = *state;
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&receive, fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	peer_end(&peer);
	assert_int_equal(finish(&receive), 0);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_send_moves_several_pieces_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct call send;
	struct peer peer;
	int fd = make_pair(fixture, &peer);
	char *bytes = pattern_new(0, 700);
	struct iovec vector[4] = { { bytes, 100 }, { bytes + 100, 0 }, { bytes + 100, 1 },
		{ bytes + 101, 599 } };

	call_init(&send, fixture);
	proactor_send(fixture->proactor, &send.op, fd, vector, 4, false);
	assert_int_equal(finish(&send), 700);
	assert_int_equal(send.op.moved, 700);
	peer_expect_pattern(&peer, 0, 700);
	free(bytes);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_sendfile_moves_a_file_to_the_socket(void **state)
{
	struct fixture *fixture = *state;
	struct call sendfile;
	struct peer peer;
	int fd = make_pair(fixture, &peer), file;

	make_pattern_file(fixture, "file", 0, 10000);
	file = open_name(fixture, "file", O_RDONLY);
	assert_true(file >= 0);
	call_init(&sendfile, fixture);
	proactor_sendfile(fixture->proactor, &sendfile.op, fd, file, 0, 10000, false);
	assert_int_equal(finish(&sendfile), 10000);
	peer_expect_pattern(&peer, 0, 10000);
	close_fd(fixture, file);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_accept_delivers_working_connections(void **state)
{
	struct fixture *fixture = *state;
	int listener = fixture->side->listen(fixture), fd;
	struct peer peer;
	struct call send;
	struct iovec vector = { "hi", 2 };
	char bytes[2];

	fixture->side->connect(fixture, &peer, listener);
	fd = accept_one(fixture, listener);
	call_init(&send, fixture);
	proactor_send(fixture->proactor, &send.op, fd, &vector, 1, false);
	assert_int_equal(finish(&send), 2);
	turn_until (fixture, peer_read(&peer, bytes, 1) == 1)
		;
	peer_close(&peer);
	close_fd(fixture, fd);
	close_fd(fixture, listener);
}

static void test_poll_tells_the_events_that_came(void **state)
{
	struct fixture *fixture = *state;
	int event = fixture->side->open_event(fixture);
	struct call poll;

	call_init(&poll, fixture);
	proactor_poll(fixture->proactor, &poll.op, event, POLLIN);
	settle(fixture);
	assert_true(op_is_active(&poll.op));
	fixture->side->signal_event(fixture, event);
	assert_int_equal(finish(&poll), POLLIN);
	proactor_poll(fixture->proactor, &poll.op, event, POLLIN | POLLOUT);
	assert_true(finish(&poll) & POLLIN);
	close_fd(fixture, event);
}

static void test_poll_tells_that_a_socket_has_bytes(void **state)
{
	struct fixture *fixture = *state;
	struct call poll, receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&poll, fixture);
	call_init(&receive, fixture);
	proactor_poll(fixture->proactor, &poll.op, fd, POLLIN);
	peer_write(&peer, "x", 1);
	assert_int_equal(finish(&poll), POLLIN);
	assert_int_equal(receive_until(&receive, fd, 1), 1);
	call_reset(&receive);
	peer_close(&peer);
	close_fd(fixture, fd);
}

/* The receive is submitted first, and its bytes come first. */
static void test_poll_is_done_before_what_else_completed_in_its_turn(void **state)
{
	struct fixture *fixture = *state;
	int event = fixture->side->open_event(fixture);
	struct call poll, receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&receive, fixture);
	call_init(&poll, fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	proactor_poll(fixture->proactor, &poll.op, event, POLLIN);
	settle(fixture);
	peer_write(&peer, "x", 1);
	fixture->side->signal_event(fixture, event);
	turn_until (fixture, receive.done_count == 1 && poll.done_count == 1)
		;
	assert_true(poll.order < receive.order);
	call_reset(&receive);
	peer_close(&peer);
	close_fd(fixture, fd);
	close_fd(fixture, event);
}

static void test_both_directions_run_at_once(void **state)
{
	struct fixture *fixture = *state;
	size_t length = 60000;
	char *bytes = pattern_new(0, length);
	struct iovec vector = { bytes, length };
	struct call receive, send;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&receive, fixture);
	call_init(&send, fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	proactor_send(fixture->proactor, &send.op, fd, &vector, 1, false);
	peer_write(&peer, bytes, length);
	assert_int_equal(receive_until(&receive, fd, length), length);
	assert_pattern(receive.bytes, 0, length);
	peer_expect_pattern(&peer, 0, length);
	turn_until (fixture, send.done_count == 1)
		;
	assert_int_equal(send.result, length);
	free(bytes);
	call_reset(&receive);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_a_head_goes_before_its_file(void **state)
{
	struct fixture *fixture = *state;
	char *head = pattern_new(0, 100);
	struct iovec vector = { head, 100 };
	struct call send, sendfile;
	struct peer peer;
	int fd = make_pair(fixture, &peer), file;

	make_pattern_file(fixture, "file", 100, 5000);
	file = open_name(fixture, "file", O_RDONLY);
	call_init(&send, fixture);
	call_init(&sendfile, fixture);
	proactor_send(fixture->proactor, &send.op, fd, &vector, 1, true);
	assert_int_equal(finish(&send), 100);
	proactor_sendfile(fixture->proactor, &sendfile.op, fd, file, 100, 5000, false);
	assert_int_equal(finish(&sendfile), 5000);
	peer_expect_pattern(&peer, 0, 5100);
	free(head);
	close_fd(fixture, file);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_shutdown_ends_the_stream_for_the_peer(void **state)
{
	struct fixture *fixture = *state;
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	assert_int_equal(proactor_shutdown(fixture->proactor, fd, SHUT_WR), 0);
	peer_expect_end(&peer);
	peer_write(&peer, "late", 4);
	call_init(&receive, fixture);
	assert_int_equal(receive_until(&receive, fd, 4), 4);
	call_reset(&receive);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_shutdown_of_both_directions_ends_a_waiting_receive(void **state)
{
	struct fixture *fixture = *state;
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&receive, fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	settle(fixture);
	assert_true(op_is_active(&receive.op));
	assert_int_equal(proactor_shutdown(fixture->proactor, fd, SHUT_RDWR), 0);
	assert_int_equal(finish(&receive), 0);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_peer_address_is_known(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_storage address;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	assert_int_equal(proactor_peer_address(fixture->proactor, fd, &address), 0);
	assert_int_equal(address.ss_family, AF_INET);
	peer_close(&peer);
	close_fd(fixture, fd);
}

/* A peer that does not read still acknowledges what its own buffer takes. */
static void test_bytes_that_the_peer_has_not_acknowledged_are_counted(void **state)
{
	static char bytes[8 << 20];
	struct fixture *fixture = *state;
	struct peer peer;
	struct call send;
	struct iovec vector = { bytes, sizeof(bytes) };
	int fd = make_pair(fixture, &peer);

	assert_int_equal(proactor_unacknowledged_length(fixture->proactor, fd), 0);
	fixture->side->stop_reading(&peer);
	call_init(&send, fixture);
	proactor_send(fixture->proactor, &send.op, fd, &vector, 1, false);
	while (proactor_unacknowledged_length(fixture->proactor, fd) == 0)
		assert_true(proactor_turn(fixture->proactor, 0) >= 0);
	proactor_cancel(fixture->proactor, &send.op);
	finish(&send);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_a_close_may_reset_the_connection(void **state)
{
	struct fixture *fixture = *state;
	struct peer peer;
	char byte;
	int fd = make_pair(fixture, &peer);

	proactor_reset_at_close(fixture->proactor, fd);
	close_fd(fixture, fd);
	assert_int_equal(peer_read(&peer, &byte, 1), -ECONNRESET);
	peer_close(&peer);
}

int run_kind_cases(void)
{
	const struct CMUnitTest kinds[] = {
		contract_case(test_receive_lends_what_the_peer_sent),
		contract_case(test_receive_gives_0_at_the_end_of_the_stream),
		contract_case(test_send_moves_several_pieces_in_order),
		contract_case(test_sendfile_moves_a_file_to_the_socket),
		contract_case(test_accept_delivers_working_connections),
		contract_case(test_poll_tells_the_events_that_came),
		contract_case(test_poll_tells_that_a_socket_has_bytes),
		contract_case(test_poll_is_done_before_what_else_completed_in_its_turn),
		contract_case(test_both_directions_run_at_once),
		contract_case(test_a_head_goes_before_its_file),
		contract_case(test_shutdown_ends_the_stream_for_the_peer),
		contract_case(test_shutdown_of_both_directions_ends_a_waiting_receive),
		contract_case(test_peer_address_is_known),
		contract_case(test_bytes_that_the_peer_has_not_acknowledged_are_counted),
		contract_case(test_a_close_may_reset_the_connection),
	};

	return cmocka_run_group_tests(kinds, NULL, NULL);
}
