/* Every kind of op does what it is for. */
#include "cases.h"

#include <time.h>

static void test_receive_lends_what_the_peer_sent(void **state)
{
	struct fixture *fixture = *state;
	struct call receive;
	struct peer peer;
	int fd = make_pair(fixture, &peer);

	call_init(&receive, fixture);
	proactor_receive(fixture->proactor, &receive.op, fd);
	peer_write(&peer, "hello", 5);
	while (receive.length < 5) {
		assert_true(finish(&receive) > 0);
		if (receive.length < 5)
			proactor_receive(fixture->proactor, &receive.op, fd);
	}
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
	turn_until(fixture, peer_read(&peer, bytes, 1) == 1);
	peer_close(&peer);
	close_fd(fixture, fd);
	close_fd(fixture, listener);
}

static void test_timeout_ends_no_earlier_than_asked(void **state)
{
	struct fixture *fixture = *state;
	uint64_t before_ns = proactor_now_ns(fixture->proactor);
	struct call timeout;

	call_init(&timeout, fixture);
	proactor_timeout(fixture->proactor, &timeout.op, 3000000);
	assert_int_equal(finish(&timeout), -ETIME);
	assert_true(proactor_now_ns(fixture->proactor) >= before_ns + 3000000);
}

int run_kind_cases(void)
{
	const struct CMUnitTest kinds[] = {
		contract_case(test_receive_lends_what_the_peer_sent),
		contract_case(test_receive_gives_0_at_the_end_of_the_stream),
		contract_case(test_send_moves_several_pieces_in_order),
		contract_case(test_sendfile_moves_a_file_to_the_socket),
		contract_case(test_accept_delivers_working_connections),
		contract_case(test_timeout_ends_no_earlier_than_asked),
	};

	return cmocka_run_group_tests(kinds, NULL, NULL);
}
