/* Many connections, and a seeded choice of what happens to them next: transfers in both directions,
 * cancels, resets and closes at any moment.  Whatever happens, every byte that arrives is the one
 * that belongs there, and `moved` tells the truth about how many the peer will see. */
#include "cases.h"

#include <sys/socket.h>

enum { LINE_COUNT = 12, STEP_COUNT = 4000, FILE_LENGTH = 4 << 20, SEND_MAX = 60000 };

struct line {
	struct soak *soak;
	struct peer peer;
	int fd;
	struct call receive, send;
	struct iovec vector[3];
	uint64_t written, received; /* from the peer to the proactor */
	uint64_t sent, read;        /* from the proactor to the peer */
};

struct soak {
	struct fixture *fixture;
	uint64_t dice;
	int file;    /* FILE_LENGTH bytes of the pattern */
	char *bytes; /* the same */
	struct line lines[LINE_COUNT];
};

static unsigned roll(struct soak *soak, unsigned bound)
{
	soak->dice = soak->dice * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(soak->dice >> 33) % bound;
}

/* --- what ops must end with ---------------------------------------------------------------- */

static void receive_ended(struct call *call)
{
	struct line *line = container_of(call, struct line, receive);

	assert_true(call->result > 0 || call->result == -ECANCELED);
	assert_pattern(call->bytes, line->received, call->length);
	line->received += call->length;
	assert_true(line->received <= line->written);
	free(call->bytes);
	call->bytes = NULL;
	call->length = 0;
}

static void send_ended(struct call *call)
{
	struct line *line = container_of(call, struct line, send);

	assert_true(call->result == (int64_t)call->op.moved || call->result == -ECANCELED);
	line->sent += call->op.moved;
}

static void line_open(struct soak *soak, struct line *line)
{
	*line = (struct line){ .soak = soak };
	line->fd = soak->fixture->side->pair(soak->fixture, &line->peer, roll(soak, 2) > 0);
	call_init(&line->receive, soak->fixture);
	call_init(&line->send, soak->fixture);
	line->receive.then = receive_ended;
	line->send.then = send_ended;
}

/* --- what can happen to a line -------------------------------------------------------------- */

static void start_receive(struct line *line)
{
	if (!op_is_active(&line->receive.op))
		proactor_receive(line->soak->fixture->proactor, &line->receive.op, line->fd);
}

static void start_send(struct line *line, size_t length)
{
	char *bytes = line->soak->bytes + line->sent;
	size_t first = roll(line->soak, (unsigned)length), second = (length - first) / 2;

	line->vector[0] = (struct iovec){ bytes, first };
	line->vector[1] = (struct iovec){ bytes + first, second };
	line->vector[2] = (struct iovec){ bytes + first + second, length - first - second };
	proactor_send(line->soak->fixture->proactor, &line->send.op, line->fd, line->vector, 3,
		roll(line->soak, 4) == 0);
}

static void start_output(struct line *line)
{
	size_t length = 1 + roll(line->soak, SEND_MAX);

	if (op_is_active(&line->send.op) || line->sent + length > FILE_LENGTH)
		return;
	if (roll(line->soak, 2) == 0)
		start_send(line, length);
	else
		proactor_sendfile(line->soak->fixture->proactor, &line->send.op, line->fd,
			line->soak->file, line->sent, length, false);
}

static void write_some(struct line *line)
{
	size_t length = 1 + roll(line->soak, 6000);

	if (line->written - line->received < 30000 && line->written + length <= FILE_LENGTH)
		line->written += line->soak->fixture->side->write(
			&line->peer, line->soak->bytes + line->written, length);
}

static void read_some(struct line *line)
{
	char bytes[20000];
	ssize_t count = peer_read(&line->peer, bytes, 1 + roll(line->soak, sizeof(bytes)));

	if (count == -EAGAIN)
		return;
	assert_true(count > 0);
	assert_pattern(bytes, line->read, (size_t)count);
	line->read += (uint64_t)count;
}

static void cancel_all(struct line *line)
{
	struct fixture *fixture = line->soak->fixture;

	proactor_cancel(fixture->proactor, &line->receive.op);
	proactor_cancel(fixture->proactor, &line->send.op);
	turn_until (fixture, !op_is_active(&line->receive.op) && !op_is_active(&line->send.op))
		;
}

/* At any moment, with bytes underway in both directions. */
static void replace(struct line *line)
{
	cancel_all(line);
	close_fd(line->soak->fixture, line->fd);
	if (roll(line->soak, 2) == 0)
		peer_close(&line->peer);
	else
		peer_reset(&line->peer);
	line_open(line->soak, line);
}

static void happen(struct line *line)
{
	struct proactor *proactor = line->soak->fixture->proactor;
	unsigned what = roll(line->soak, 100);

	if (what < 20)
		write_some(line);
	else if (what < 45)
		start_receive(line);
	else if (what < 52)
		proactor_cancel(proactor, &line->receive.op);
	else if (what < 70)
		start_output(line);
	else if (what < 76)
		proactor_cancel(proactor, &line->send.op);
	else if (what < 98)
		read_some(line);
	else
		replace(line);
}

/* --- the end -------------------------------------------------------------------------------- */

/* Everything written arrives; everything that `moved` counted is read, and no more. */
static void settle_accounts(struct line *line)
{
	struct fixture *fixture = line->soak->fixture;

	cancel_all(line);
	turn_until (fixture, line->received == line->written)
		start_receive(line);
	cancel_all(line);
	assert_int_equal(proactor_shutdown(fixture->proactor, line->fd, SHUT_WR), 0);
	peer_expect_pattern(&line->peer, line->read, line->sent - line->read);
	peer_expect_end(&line->peer);
	close_fd(fixture, line->fd);
	peer_close(&line->peer);
}

static void soak(struct fixture *fixture, uint64_t seed)
{
	struct soak *soak = calloc(1, sizeof(*soak));

	soak->fixture = fixture;
	soak->dice = seed;
	soak->bytes = pattern_new(0, FILE_LENGTH);
	make_pattern_file(fixture, "file", 0, FILE_LENGTH);
	soak->file = open_name(fixture, "file", O_RDONLY);
	for (int i = 0; i < LINE_COUNT; i++)
		line_open(soak, &soak->lines[i]);
	for (int i = 0; i < STEP_COUNT; i++) {
		happen(&soak->lines[roll(soak, LINE_COUNT)]);
		if (roll(soak, 3) > 0)
			turn(fixture, 0);
	}
	for (int i = 0; i < LINE_COUNT; i++)
		settle_accounts(&soak->lines[i]);
	close_fd(fixture, soak->file);
	free(soak->bytes);
	free(soak);
}

static void test_any_order_of_events_keeps_every_byte_in_place(void **state)
{
	struct fixture *fixture = *state;

	soak(fixture, 1 + fixture->seed);
}

static void test_any_order_of_events_with_little_room(void **state)
{
	struct proactor_options options = { .entries = 8,
		.receive_buffer_count = 2,
		.receive_buffer_length = 1024,
		.pipe_count_max = 2,
		.pipe_length = 8192 };
	struct fixture *fixture = *state;

	fixture_reopen(fixture, &options);
	soak(fixture, 1000 + fixture->seed);
}

static void test_any_order_of_events_with_sendfile_calls(void **state)
{
	struct proactor_options options = { .zero_copy = ZERO_COPY_SENDFILE };
	struct fixture *fixture = *state;

	fixture_reopen(fixture, &options);
	soak(fixture, 2000 + fixture->seed);
}

static void test_any_order_of_events_with_automatic_zero_copy(void **state)
{
	struct proactor_options options = { .zero_copy = ZERO_COPY_AUTO, .pipe_count_max = 1 };
	struct fixture *fixture = *state;

	fixture_reopen(fixture, &options);
	soak(fixture, 3000 + fixture->seed);
}

int run_soak_cases(void)
{
	const struct CMUnitTest soaking[] = {
		contract_case(test_any_order_of_events_keeps_every_byte_in_place),
		contract_case(test_any_order_of_events_with_little_room),
		contract_case(test_any_order_of_events_with_sendfile_calls),
		contract_case(test_any_order_of_events_with_automatic_zero_copy),
	};

	return cmocka_run_group_tests(soaking, NULL, NULL);
}
