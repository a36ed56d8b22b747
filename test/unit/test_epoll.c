/* The epoll backend: what only this backend can do wrong. test/contract tests the promises that it
 * shares with the others. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "base/owned.h"
#include "proactor/epoll.h"
#include "reads_by_turns.h"

/* An op, and what its done() saw. */
struct observed {
	struct op op;
	unsigned done_count;
	int64_t result;
	size_t length;
	char first_byte;
	int fd; /* the first connection that was accepted */
};

static unsigned done_order;

static void observe(struct proactor *proactor, struct op *op)
{
	struct observed *observed = container_of(op, struct observed, op);

	(void)proactor;
	done_order++;
	observed->done_count++;
	observed->result = op->result;
	if (op->kind == OP_ACCEPT && op->result > 0)
		observed->fd = op->accept.fds[0];
	if (op->kind == OP_RECEIVE && op->result > 0) {
		observed->length = op->receive.loan.length;
		observed->first_byte = op->receive.loan.bytes[0];
	}
}

static void observed_init(struct observed *observed)
{
	*observed = (struct observed){ .done_count = 0 };
	op_init(&observed->op, observe);
}

static struct proactor *open_with(const struct proactor_options *options)
{
	struct proactor *proactor;

	assert_int_equal(epoll_open(&proactor, options), 0);
	return proactor;
}

static struct proactor *open_default(void)
{
	const struct proactor_options options = { .thread_count = 1 };

	return open_with(&options);
}

/* Limits turns, not time. */
static void turn_until_done(struct proactor *proactor, const struct observed *observed)
{
	for (int turns = 0; op_is_active(&observed->op); turns++) {
		assert_true(turns < 1000);
		assert_int_equal(proactor_turn(proactor, 5000000000u), 0);
	}
}

static void close_by_op(struct proactor *proactor, int fd)
{
	struct observed closing;

	observed_init(&closing);
	proactor_close(proactor, &closing.op, fd);
	turn_until_done(proactor, &closing);
	assert_int_equal(closing.result, 0);
}

static void open_pair(int fds[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

/* A receive that is parked, so that its descriptor is registered, and then gets bytes. */
static void park_and_feed(struct proactor *proactor, struct observed *receive, int fd, int peer)
{
	proactor_receive(proactor, &receive->op, fd);
	assert_int_equal(proactor_turn(proactor, 0), 0);
	assert_int_equal(receive->done_count, 0);
	assert_int_equal(write(peer, "a", 1), 1);
	turn_until_done(proactor, receive);
	assert_int_equal(receive->result, 1);
}

static void test_edge_while_nobody_is_parked_is_remembered(void **state)
{
	struct proactor *proactor = open_default();
	struct observed receive;
	int fds[2];

	(void)state;
	open_pair(fds);
	observed_init(&receive);
	park_and_feed(proactor, &receive, fds[0], fds[1]);
	assert_int_equal(write(fds[1], "b", 1), 1);
	assert_int_equal(proactor_turn(proactor, 5000000000u), 0); /* the edge comes and goes */
	proactor_receive(proactor, &receive.op, fds[0]);
	turn_until_done(proactor, &receive);
	assert_int_equal(receive.first_byte, 'b');
	close(fds[1]);
	close_by_op(proactor, fds[0]);
	proactor_free(proactor);
}

static void test_end_that_came_with_the_last_bytes_is_seen(void **state)
{
	struct proactor *proactor = open_default();
	struct observed receive;
	int fds[2];

	(void)state;
	open_pair(fds);
	observed_init(&receive);
	proactor_receive(proactor, &receive.op, fds[0]);
	assert_int_equal(write(fds[1], "a", 1), 1);
	close(fds[1]);
	turn_until_done(proactor, &receive);
	assert_int_equal(receive.result, 1);
	proactor_receive(proactor, &receive.op, fds[0]);
	turn_until_done(proactor, &receive);
	assert_int_equal(receive.result, 0);
	close_by_op(proactor, fds[0]);
	proactor_free(proactor);
}

static void test_drained_socket_is_not_asked_again_before_an_edge(void **state)
{
	struct proactor *proactor = open_default();
	struct observed receive;
	int fds[2];

	(void)state;
	open_pair(fds);
	observed_init(&receive);
	park_and_feed(proactor, &receive, fds[0], fds[1]);
	proactor_receive(proactor, &receive.op, fds[0]);
	/* A submit does not read bytes whose edge has not been fetched. */
	assert_int_equal(write(fds[1], "c", 1), 1);
	proactor_cancel(proactor, &receive.op);
	turn_until_done(proactor, &receive);
	assert_int_equal(receive.result, -ECANCELED);
	proactor_receive(proactor, &receive.op, fds[0]);
	turn_until_done(proactor, &receive);
	assert_int_equal(receive.first_byte, 'c');
	close(fds[1]);
	close_by_op(proactor, fds[0]);
	proactor_free(proactor);
}

/* Receives, finds the socket empty, is cancelled and closed, all without a call for events. */
static void test_connection_that_is_over_before_a_wait_is_never_registered(void **state)
{
	struct proactor *proactor = open_default();
	struct epoll_proactor *epoll = epoll_proactor_of(proactor);
	uint64_t enters = metrics->values[METRIC_ENTERS];
	struct observed receive;
	int fds[2];

	(void)state;
	open_pair(fds);
	observed_init(&receive);
	assert_int_equal(write(fds[1], "a", 1), 1);
	proactor_receive(proactor, &receive.op, fds[0]);
	turn_until_done(proactor, &receive);
	proactor_receive(proactor, &receive.op, fds[0]);
	assert_false(list_is_empty(&epoll->unregistered));
	proactor_cancel(proactor, &receive.op);
	turn_until_done(proactor, &receive);
	close_by_op(proactor, fds[0]);
	assert_true(list_is_empty(&epoll->unregistered));
	assert_int_equal(metrics->values[METRIC_ENTERS], enters);
	close(fds[1]);
	proactor_free(proactor);
}

static int listen_locally(struct sockaddr_in *address)
{
	socklen_t size = sizeof(*address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(listener, (struct sockaddr *)address, size), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)address, &size), 0);
	return listener;
}

static int connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	return fd;
}

static int accept_error; /* result of the next accept4(2); 0: the kernel's own */

int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	if (accept_error == 0)
		return __real_accept4(fd, address, size, flags);
	errno = accept_error;
	accept_error = 0;
	return -1;
}

static void accept_beyond(struct proactor *proactor, int listener,
	const struct sockaddr_in *address, int error, int64_t result)
{
	int client = connect_to(address);
	struct observed accept;

	observed_init(&accept);
	accept_error = error;
	proactor_accept(proactor, &accept.op, listener);
	turn_until_done(proactor, &accept);
	assert_int_equal(accept.result, result);
	if (result > 0)
		close_by_op(proactor, accept.fd);
	close(client);
}

static void test_accept_errors_of_one_connection_are_skipped(void **state)
{
	static const int PASSING[] = { EPERM, ECONNRESET, ETIMEDOUT, ECONNABORTED, EPROTO, ENETDOWN,
		ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EINTR };
	struct proactor *proactor = open_default();
	struct sockaddr_in address;
	int listener = listen_locally(&address);

	(void)state;
	for (size_t i = 0; i < sizeof(PASSING) / sizeof(PASSING[0]); i++)
		accept_beyond(proactor, listener, &address, PASSING[i], 1);
	accept_beyond(proactor, listener, &address, EMFILE, -EMFILE);
	close_by_op(proactor, listener);
	proactor_free(proactor);
}

/* An empty backlog is not tried again before an edge, unless an accept was cancelled: then the edge
 * may have been missed. */
static void test_accept_after_a_cancelled_one_asks_at_once(void **state)
{
	struct proactor *proactor = open_default();
	struct observed accept;
	struct sockaddr_in address;
	int listener = listen_locally(&address), client;

	(void)state;
	observed_init(&accept);
	proactor_accept(proactor, &accept.op, listener);
	assert_int_equal(proactor_turn(proactor, 0), 0);
	client = connect_to(&address);
	proactor_cancel(proactor, &accept.op);
	turn_until_done(proactor, &accept);
	assert_int_equal(accept.result, -ECANCELED);
	proactor_accept(proactor, &accept.op, listener);
	proactor_cancel(proactor, &accept.op);
	turn_until_done(proactor, &accept);
	assert_int_equal(accept.result, 1);
	close_by_op(proactor, accept.fd);
	close(client);
	close_by_op(proactor, listener);
	proactor_free(proactor);
}

/* Closes its descriptor in done(), makes a new pair in the same turn, and receives there. */
struct replacing {
	struct op op, closing;
	struct observed receive;
	int fds[2];
	bool replaced;
};

static void ignore_done(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	(void)op;
}

static void replace_descriptor(struct proactor *proactor, struct op *op)
{
	struct replacing *replacing = container_of(op, struct replacing, op);
	int before = replacing->fds[0];

	proactor_close(proactor, &replacing->closing, before);
	close(replacing->fds[1]);
	open_pair(replacing->fds);
	assert_int_equal(replacing->fds[0], before);
	proactor_receive(proactor, &replacing->receive.op, replacing->fds[0]);
	replacing->replaced = true;
}

static void test_descriptor_number_reused_within_a_turn_starts_afresh(void **state)
{
	struct proactor *proactor = open_default();
	struct replacing replacing;
	struct observed send;
	struct iovec vector = { (void *)"old", 3 };

	(void)state;
	open_pair(replacing.fds);
	replacing.replaced = false;
	op_init(&replacing.op, replace_descriptor);
	op_init(&replacing.closing, ignore_done);
	observed_init(&replacing.receive);
	observed_init(&send);
	proactor_receive(proactor, &replacing.op, replacing.fds[0]);
	/* Bytes and the end: the old descriptor is known to be readable and hung up. */
	proactor_send(proactor, &send.op, replacing.fds[1], &vector, 1, false);
	assert_int_equal(shutdown(replacing.fds[1], SHUT_WR), 0);
	while (!replacing.replaced)
		assert_int_equal(proactor_turn(proactor, 5000000000u), 0);
	assert_int_equal(proactor_turn(proactor, 0), 0);
	assert_int_equal(replacing.receive.done_count, 0);
	assert_int_equal(write(replacing.fds[1], "new", 3), 3);
	turn_until_done(proactor, &replacing.receive);
	assert_int_equal(replacing.receive.first_byte, 'n');
	close(replacing.fds[1]);
	close_by_op(proactor, replacing.fds[0]);
	proactor_free(proactor);
}

static void test_closed_descriptor_with_a_duplicate_makes_no_events(void **state)
{
	struct proactor *proactor = open_default();
	struct observed receive;
	int fds[2], duplicate;
	uint64_t before;

	(void)state;
	open_pair(fds);
	observed_init(&receive);
	park_and_feed(proactor, &receive, fds[0], fds[1]);
	duplicate = dup(fds[0]);
	close_by_op(proactor, fds[0]);
	before = metrics_sum(METRIC_COMPLETIONS);
	assert_int_equal(write(fds[1], "b", 1), 1);
	assert_int_equal(proactor_turn(proactor, 0), 0);
	assert_int_equal(metrics_sum(METRIC_COMPLETIONS), before);
	close(duplicate);
	close(fds[1]);
	proactor_free(proactor);
}

static void test_receives_beyond_the_loans_come_in_later_turns(void **state)
{
	const struct proactor_options options = {
		.thread_count = 1, .receive_buffer_count = 2, .receive_buffer_length = 16
	};
	struct proactor *proactor = open_with(&options);
	struct observed receives[5];
	int fds[5][2];

	(void)state;
	for (int i = 0; i < 5; i++) {
		open_pair(fds[i]);
		observed_init(&receives[i]);
		assert_int_equal(write(fds[i][1], "x", 1), 1);
		proactor_receive(proactor, &receives[i].op, fds[i][0]);
	}
	done_order = 0;
	for (unsigned turn = 1; turn <= 3; turn++) {
		assert_int_equal(proactor_turn(proactor, 5000000000u), 0);
		assert_int_equal(done_order, turn < 3 ? 2 * turn : 5);
	}
	for (int i = 0; i < 5; i++) {
		assert_int_equal(receives[i].result, 1);
		close(fds[i][1]);
		close_by_op(proactor, fds[i][0]);
	}
	proactor_free(proactor);
}

/* Discards what arrives, as fast as it comes. */
static int64_t drain(void *context)
{
	static char sink[1 << 16];
	int fd = *(int *)context;
	int64_t total = 0;
	ssize_t n;

	while ((n = read(fd, sink, sizeof(sink))) > 0)
		total += n;
	return total;
}

static void test_long_sendfile_yields_to_others(void **state)
{
	enum { LENGTH = 64 << 20 };
	struct proactor *proactor = open_default();
	struct observed sendfile, draining, other;
	auto_fd file = memfd_create("test", MFD_CLOEXEC);
	int fds[2], others[2];
	uint64_t moved = 0;

	(void)state;
	assert_int_equal(fallocate(file, 0, 0, LENGTH), 0); /* in memory, as no hole is */
	open_pair(fds);
	open_pair(others);
	assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0);
	observed_init(&sendfile);
	observed_init(&draining);
	observed_init(&other);
	proactor_work(proactor, &draining.op, drain, &fds[1]);
	proactor_sendfile(proactor, &sendfile.op, fds[0], file, 0, LENGTH, false);
	while (sendfile.done_count == 0) {
		assert_true(sendfile.op.moved - moved <= 1 << 20);
		moved = sendfile.op.moved;
		if (!op_is_active(&other.op))
			proactor_receive(proactor, &other.op, others[0]);
		assert_int_equal(write(others[1], "x", 1), 1);
		assert_int_equal(proactor_turn(proactor, 5000000000u), 0);
	}
	assert_int_equal(sendfile.result, LENGTH);
	assert_true(other.done_count >= LENGTH / (1 << 20) / 2);
	proactor_cancel(proactor, &other.op);
	turn_until_done(proactor, &other);
	close_by_op(proactor, fds[0]);
	turn_until_done(proactor, &draining);
	assert_int_equal(draining.result, LENGTH);
	close(fds[1]);
	close(others[1]);
	close_by_op(proactor, others[0]);
	proactor_free(proactor);
}

static void test_share_of_reads_begins_in_each_turn(void **state)
{
	struct proactor *proactor = open_default();

	(void)state;
	assert_reads_begin_by_turns(proactor);
	proactor_free(proactor);
}

static void test_sendfile_to_a_peer_that_is_gone_raises_no_signal(void **state)
{
	struct proactor *proactor = open_default();
	auto_fd file = memfd_create("test", MFD_CLOEXEC);
	struct observed sendfile;
	int fds[2];

	(void)state;
	assert_int_equal(ftruncate(file, 4096), 0);
	open_pair(fds);
	close(fds[1]);
	observed_init(&sendfile);
	proactor_sendfile(proactor, &sendfile.op, fds[0], file, 0, 4096, false);
	turn_until_done(proactor, &sendfile);
	assert_int_equal(sendfile.result, -EPIPE);
	close_by_op(proactor, fds[0]);
	proactor_free(proactor);
}

static void test_poll_sees_what_is_still_there_though_its_edge_has_passed(void **state)
{
	struct proactor *proactor = open_default();
	struct observed polling;
	int fds[2];
	char byte;

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	observed_init(&polling);
	proactor_poll(proactor, &polling.op, fds[0], POLLIN);
	assert_int_equal(proactor_turn(proactor, 0), 0);
	assert_int_equal(polling.done_count, 0);
	assert_int_equal(write(fds[1], "ab", 2), 2);
	turn_until_done(proactor, &polling);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	proactor_poll(proactor, &polling.op, fds[0], POLLIN);
	turn_until_done(proactor, &polling);
	assert_true(polling.result & POLLIN);
	close(fds[1]);
	close_by_op(proactor, fds[0]);
	proactor_free(proactor);
}

static void test_two_polls_of_one_descriptor_each_get_their_event(void **state)
{
	struct proactor *proactor = open_default();
	struct observed reading, writing;
	int fds[2];

	(void)state;
	open_pair(fds);
	observed_init(&reading);
	observed_init(&writing);
	proactor_poll(proactor, &reading.op, fds[0], POLLIN);
	proactor_poll(proactor, &writing.op, fds[0], POLLOUT);
	turn_until_done(proactor, &writing);
	assert_int_equal(writing.result, POLLOUT);
	assert_int_equal(reading.done_count, 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	turn_until_done(proactor, &reading);
	assert_int_equal(reading.result, POLLIN);
	close(fds[1]);
	close_by_op(proactor, fds[0]);
	proactor_free(proactor);
}

static void test_regular_file_polls_as_ready(void **state)
{
	struct proactor *proactor = open_default();
	struct observed polling;
	int file = memfd_create("test", MFD_CLOEXEC);

	(void)state;
	observed_init(&polling);
	proactor_poll(proactor, &polling.op, file, POLLIN | POLLOUT);
	turn_until_done(proactor, &polling);
	assert_int_equal(polling.result, POLLIN | POLLOUT);
	close_by_op(proactor, file);
	proactor_free(proactor);
}

static void test_high_descriptor_number_gets_a_record(void **state)
{
	struct proactor *proactor = open_default();
	struct observed receive;
	int fds[2], high;

	(void)state;
	open_pair(fds);
	high = fcntl(fds[0], F_DUPFD_CLOEXEC, 900);
	close(fds[0]);
	assert_true(high >= 900);
	observed_init(&receive);
	park_and_feed(proactor, &receive, high, fds[1]);
	assert_int_equal(receive.first_byte, 'a');
	close(fds[1]);
	close_by_op(proactor, high);
	proactor_free(proactor);
}

static void ignore_signal(int signal)
{
	(void)signal;
}

static void test_interrupted_wait_is_an_empty_turn(void **state)
{
	const struct sigaction action = { .sa_handler = ignore_signal };
	const struct itimerval often = { .it_interval.tv_usec = 2000, .it_value.tv_usec = 2000 };
	const struct itimerval never = { .it_value.tv_usec = 0 };
	struct proactor *proactor = open_default();
	struct sigaction before;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_int_equal(proactor_turn(proactor, PROACTOR_WAIT_FOREVER), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
	proactor_free(proactor);
}

/* Answers like an old kernel or the filter of a container. Cannot be undone. */
static bool forbid_precise_waits(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* A wait of 1.5 ms must be one wait: rounded down, it would end early and be repeated. */
static bool waits_once(struct proactor *proactor)
{
	uint64_t enters = metrics_sum(METRIC_ENTERS);
	struct observed timeout;

	observed_init(&timeout);
	proactor_timeout(proactor, &timeout.op, 1500000);
	while (op_is_active(&timeout.op)) {
		if (proactor_turn(proactor, PROACTOR_WAIT_FOREVER) < 0)
			return false;
	}
	return timeout.result == -ETIME && metrics_sum(METRIC_ENTERS) == enters + 1;
}

static void test_without_precise_waits_milliseconds_are_rounded_up(void **state)
{
	struct proactor *proactor = open_default();
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		bool good = forbid_precise_waits() && waits_once(proactor) && waits_once(proactor);

		_exit(good ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	proactor_free(proactor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edge_while_nobody_is_parked_is_remembered),
		cmocka_unit_test(test_end_that_came_with_the_last_bytes_is_seen),
		cmocka_unit_test(test_drained_socket_is_not_asked_again_before_an_edge),
		cmocka_unit_test(test_connection_that_is_over_before_a_wait_is_never_registered),
		cmocka_unit_test(test_accept_errors_of_one_connection_are_skipped),
		cmocka_unit_test(test_accept_after_a_cancelled_one_asks_at_once),
		cmocka_unit_test(test_descriptor_number_reused_within_a_turn_starts_afresh),
		cmocka_unit_test(test_closed_descriptor_with_a_duplicate_makes_no_events),
		cmocka_unit_test(test_receives_beyond_the_loans_come_in_later_turns),
		cmocka_unit_test(test_long_sendfile_yields_to_others),
		cmocka_unit_test(test_share_of_reads_begins_in_each_turn),
		cmocka_unit_test(test_sendfile_to_a_peer_that_is_gone_raises_no_signal),
		cmocka_unit_test(test_poll_sees_what_is_still_there_though_its_edge_has_passed),
		cmocka_unit_test(test_two_polls_of_one_descriptor_each_get_their_event),
		cmocka_unit_test(test_regular_file_polls_as_ready),
		cmocka_unit_test(test_high_descriptor_number_gets_a_record),
		cmocka_unit_test(test_interrupted_wait_is_an_empty_turn),
		cmocka_unit_test(test_without_precise_waits_milliseconds_are_rounded_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
