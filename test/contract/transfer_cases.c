/* Promise 4: send and sendfile move everything asked for, however slowly the peer reads. */
#include "cases.h"

#define MEBIBYTE ((size_t)1 << 20)

/* --- send --------------------------------------------------------------------------------- */

static void test_4_send_of_8_MiB_through_small_buffers(void **state)
{
	struct fixture *fixture = *state;
	size_t length = 8 * MEBIBYTE;
	char *bytes = pattern_new(0, length);
	struct iovec vector[3] = { { bytes, 10 }, { bytes + 10, 3 * MEBIBYTE },
		{ bytes + 10 + 3 * MEBIBYTE, length - 3 * MEBIBYTE - 10 } };
	struct call send;
	struct peer peer;
	int fd = make_small_pair(fixture, &peer);

	call_init(&send, fixture);
	proactor_send(fixture->proactor, &send.op, fd, vector, 3, false);
	turn_until_parked(&send);
	assert_true(send.op.moved < length);
	peer_expect_pattern(&peer, 0, length);
	turn_until (fixture, send.done_count == 1)
		;
	assert_int_equal(send.result, length);
	assert_int_equal(send.op.moved, length);
	free(bytes);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_4_moved_grows_as_the_peer_reads(void **state)
{
	struct fixture *fixture = *state;
	size_t length = 2 * MEBIBYTE, seen = 0;
	char *bytes = pattern_new(0, length);
	struct iovec vector = { bytes, length };
	struct call send;
	struct peer peer;
	int fd = make_small_pair(fixture, &peer);
	uint64_t moved = 0;
	unsigned growth_count = 0;

	call_init(&send, fixture);
	proactor_send(fixture->proactor, &send.op, fd, &vector, 1, false);
	turn_until (fixture, send.done_count == 1) {
		assert_true(send.op.moved >= moved);
		growth_count += send.op.moved > moved;
		moved = send.op.moved;
		peer_expect_pattern(&peer, seen, moved - seen);
		seen = moved;
	}
	assert_true(growth_count > 3);
	peer_expect_pattern(&peer, seen, length - seen);
	free(bytes);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_4_a_vector_of_many_small_pieces_arrives_whole(void **state)
{
	struct fixture *fixture = *state;
	enum { COUNT = 2500, PART = 70 }; /* beyond IOV_MAX */
	char *bytes = pattern_new(0, (size_t)COUNT * PART);
	struct iovec vector[COUNT];
	struct call send;
	struct peer peer;
	int fd = make_small_pair(fixture, &peer);

	for (size_t i = 0; i < COUNT; i++)
		vector[i] = (struct iovec){ bytes + i * PART, PART };
	call_init(&send, fixture);
	proactor_send(fixture->proactor, &send.op, fd, vector, COUNT, false);
	peer_expect_pattern(&peer, 0, (size_t)COUNT * PART);
	turn_until (fixture, send.done_count == 1)
		;
	assert_int_equal(send.result, COUNT * PART);
	free(bytes);
	peer_close(&peer);
	close_fd(fixture, fd);
}

/* --- sendfile ----------------------------------------------------------------------------- */

/* Sends that part of a pattern file to a peer that reads, and compares. */
static void send_part(struct fixture *fixture, uint64_t start, size_t file_length, uint64_t offset,
	size_t length, bool small_buffers)
{
	struct call sendfile;
	struct peer peer;
	int fd = fixture->side->pair(fixture, &peer, small_buffers), file;

	make_pattern_file(fixture, "file", start, file_length);
	file = open_name(fixture, "file", O_RDONLY);
	assert_true(file >= 0);
	call_init(&sendfile, fixture);
	proactor_sendfile(fixture->proactor, &sendfile.op, fd, file, offset, length, false);
	peer_expect_pattern(&peer, offset, length);
	turn_until (fixture, sendfile.done_count == 1)
		;
	assert_int_equal(sendfile.result, length);
	assert_int_equal(sendfile.op.moved, length);
	close_fd(fixture, file);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_4_sendfile_of_one_byte(void **state)
{
	send_part(*state, 0, 10, 3, 1, false);
}

static void test_4_sendfile_from_an_odd_offset(void **state)
{
	send_part(*state, 0, 70000, 4097, 70000 - 4097, false);
}

static void test_4_sendfile_larger_than_any_pipe(void **state)
{
	send_part(*state, 0, 5 * MEBIBYTE, 0, 5 * MEBIBYTE, false);
}

static void test_4_sendfile_through_small_buffers(void **state)
{
	send_part(*state, 0, 3 * MEBIBYTE, 1, 3 * MEBIBYTE - 2, true);
}

static void test_4_sendfile_from_beyond_4_GiB(void **state)
{
	send_part(*state, 5000000001, 300000, 5000000001, 300000, false);
}

static void test_4_sendfile_through_tiny_pipes(void **state)
{
	struct proactor_options options = { .pipe_length = 4096, .pipe_count_max = 1 };

	fixture_reopen(*state, &options);
	send_part(*state, 0, 500000, 7, 499000, false);
}

static void test_sendfile_beyond_the_end_of_the_file_fails(void **state)
{
	struct fixture *fixture = *state;
	struct call sendfile;
	struct peer peer;
	int fd = make_pair(fixture, &peer), file;

	make_pattern_file(fixture, "file", 0, 1000);
	file = open_name(fixture, "file", O_RDONLY);
	call_init(&sendfile, fixture);
	proactor_sendfile(fixture->proactor, &sendfile.op, fd, file, 0, 2000, false);
	assert_int_equal(finish(&sendfile), -ENODATA);
	assert_int_equal(sendfile.op.moved, 1000);
	peer_expect_pattern(&peer, 0, 1000);
	proactor_sendfile(fixture->proactor, &sendfile.op, fd, file, 1000, 1, false);
	assert_int_equal(finish(&sendfile), -ENODATA);
	assert_int_equal(sendfile.op.moved, 0);
	close_fd(fixture, file);
	peer_close(&peer);
	close_fd(fixture, fd);
}

static void test_sendfile_of_a_file_that_shrinks_fails(void **state)
{
	struct fixture *fixture = *state;
	size_t length = 8 * MEBIBYTE;
	struct call sendfile;
	struct peer peer;
	int fd = make_small_pair(fixture, &peer), file;

	make_pattern_file(fixture, "file", 0, length);
	file = open_name(fixture, "file", O_RDONLY);
	call_init(&sendfile, fixture);
	proactor_sendfile(fixture->proactor, &sendfile.op, fd, file, 0, length, false);
	turn_until_parked(&sendfile);
	fixture->side->truncate_file(fixture, "file", sendfile.op.moved / 2);
	turn_until (fixture, sendfile.done_count == 1) {
		char bytes[16384];

		peer_read(&peer, bytes, sizeof(bytes));
	}
	assert_int_equal(sendfile.result, -ENODATA);
	assert_true(sendfile.op.moved < length);
	close_fd(fixture, file);
	peer_close(&peer);
	close_fd(fixture, fd);
}

/* --- many at once ------------------------------------------------------------------------- */

struct download {
	struct call call;
	struct peer peer;
	int fd;
	size_t seen;
};

static bool all_seen(const struct download *downloads, size_t count, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (downloads[i].seen < length)
			return false;
	}
	return true;
}

/* Reads at most a piece from each peer, so that all advance together. */
static void read_a_little(struct download *downloads, size_t count, size_t length)
{
	char bytes[8192];

	for (size_t i = 0; i < count; i++) {
		struct download *download = &downloads[i];
		ssize_t r;

		if (download->seen == length)
			continue;
		r = peer_read(&download->peer, bytes, sizeof(bytes));
		if (r == -EAGAIN)
			continue;
		assert_true(r > 0);
		assert_pattern(bytes, download->seen, (size_t)r);
		download->seen += (size_t)r;
	}
}

static void download_at_once(struct fixture *fixture, size_t count, size_t length)
{
	struct download *downloads = calloc(count, sizeof(*downloads));
	int file;

	make_pattern_file(fixture, "file", 0, length);
	file = open_name(fixture, "file", O_RDONLY);
	for (size_t i = 0; i < count; i++) {
		call_init(&downloads[i].call, fixture);
		downloads[i].fd = make_small_pair(fixture, &downloads[i].peer);
		proactor_sendfile(fixture->proactor, &downloads[i].call.op, downloads[i].fd, file,
			0, length, false);
	}
	turn_until (fixture, all_seen(downloads, count, length))
		read_a_little(downloads, count, length);
	turn_until (fixture, proactor_active_count(fixture->proactor) == 0)
		;
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(downloads[i].call.done_count, 1);
		assert_int_equal(downloads[i].call.result, length);
		peer_close(&downloads[i].peer);
		close_fd(fixture, downloads[i].fd);
	}
	close_fd(fixture, file);
	free(downloads);
}

static void test_two_downloads_of_one_file_do_not_mix(void **state)
{
	download_at_once(*state, 2, MEBIBYTE);
}

static void test_more_downloads_than_pipes_all_end(void **state)
{
	struct proactor_options options = { .pipe_count_max = 4, .pipe_length = 16384 };

	fixture_reopen(*state, &options);
	download_at_once(*state, 40, 150000);
}

/* Sends the file to `count` peers that do not read, and leaves it at that. */
static void stall(struct fixture *fixture, struct download *downloads, size_t count, int file)
{
	for (size_t i = 0; i < count; i++) {
		call_init(&downloads[i].call, fixture);
		downloads[i].fd = make_small_pair(fixture, &downloads[i].peer);
		proactor_sendfile(fixture->proactor, &downloads[i].call.op, downloads[i].fd, file,
			0, 8 * MEBIBYTE, false);
	}
	for (size_t i = 0; i < count; i++)
		turn_until_parked(&downloads[i].call);
}

static void test_slow_readers_do_not_hold_up_others(void **state)
{
	struct proactor_options options = { .pipe_count_max = 2 };
	struct fixture *fixture = *state;
	enum { COUNT = 20 };
	struct download *downloads = calloc(COUNT, sizeof(*downloads));
	int file;

	fixture_reopen(fixture, &options);
	make_pattern_file(fixture, "large", 0, 8 * MEBIBYTE);
	file = open_name(fixture, "large", O_RDONLY);
	stall(fixture, downloads, COUNT, file);
	send_part(fixture, 0, MEBIBYTE, 0, MEBIBYTE, false);
	for (size_t i = 0; i < COUNT; i++) {
		assert_true(op_is_active(&downloads[i].call.op));
		proactor_cancel(fixture->proactor, &downloads[i].call.op);
		assert_int_equal(finish(&downloads[i].call), -ECANCELED);
		peer_close(&downloads[i].peer);
		close_fd(fixture, downloads[i].fd);
	}
	close_fd(fixture, file);
	free(downloads);
}

int run_transfer_cases(void)
{
	const struct CMUnitTest transfers[] = {
		contract_case(test_4_send_of_8_MiB_through_small_buffers),
		contract_case(test_4_moved_grows_as_the_peer_reads),
		contract_case(test_4_a_vector_of_many_small_pieces_arrives_whole),
		contract_case(test_4_sendfile_of_one_byte),
		contract_case(test_4_sendfile_from_an_odd_offset),
		contract_case(test_4_sendfile_larger_than_any_pipe),
		contract_case(test_4_sendfile_through_small_buffers),
		contract_case(test_4_sendfile_from_beyond_4_GiB),
		contract_case(test_4_sendfile_through_tiny_pipes),
		contract_case(test_sendfile_beyond_the_end_of_the_file_fails),
		contract_case(test_sendfile_of_a_file_that_shrinks_fails),
		contract_case(test_two_downloads_of_one_file_do_not_mix),
		contract_case(test_more_downloads_than_pipes_all_end),
		contract_case(test_slow_readers_do_not_hold_up_others),
	};

	return cmocka_run_group_tests(transfers, NULL, NULL);
}
