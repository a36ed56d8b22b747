/* Attempts: what the epoll backend does with a socket, without ever waiting.
 *
 * Each try_*() makes its system call until the op has ended, the socket is exhausted (BLOCKED: the
 * edge that ends this state comes from the kernel, so nothing short of its EAGAIN will do), or the
 * op has had its share of the turn (UNFINISHED).
 *
 * A receive that got less than it had room for has emptied the socket: the next one parks without
 * asking, which spares a keep-alive connection one call per request (epoll(7), question 9).  Bytes
 * that come later make an edge; the end of the stream makes one too unless it was reported
 * already, hence descriptor.hung_up.
 *
 * An accept, likewise, that ended with the backlog empty is followed by one that waits for an edge.
 *
 * What is received lies in a loan from a bounded pool until done() has returned; when all are out,
 * the op goes on in the next turn, when all are back.
 *
 * A sendfile(2) ignores `more`: it has no such flag, and corking the socket would cost two calls
 * where at most one segment per extent could be filled better.  It would wait for a disk: what is
 * not in the page cache is sent by a thread of the pool, a part at a time. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/metrics.h"
#include "base/smaller.h"
#include "proactor/epoll.h"
#include "proactor/stretch.h"

enum {
	LOAN_COUNT_DEFAULT = 64,
	ACCEPTS_PER_BATCH = 64,
	BATCHES_KEPT_MAX = 4,
	SENDS_PER_TURN = 4,
};

static enum outcome end(struct epoll_proactor *epoll, struct op *op, int64_t result)
{
	op_complete(&epoll->proactor, op, result);
	return OUTCOME_ENDED;
}

/* --- loans -------------------------------------------------------------------------------- */

void epoll_loans_init(struct epoll_proactor *epoll, const struct proactor_options *options)
{
	size_t length = options->receive_buffer_length;

	if (length == 0 || length > PROACTOR_LOAN_LENGTH_MAX)
		length = PROACTOR_LOAN_LENGTH_MAX;
	epoll->loan_count_max =
		options->receive_buffer_count ? options->receive_buffer_count : LOAN_COUNT_DEFAULT;
	epoll->loans = (struct block_pool)BLOCK_POOL(length, epoll->loan_count_max);
	epoll->accepts_per_batch = options->accept_singly ? 1 : ACCEPTS_PER_BATCH;
	epoll->batches =
		(struct block_pool)BLOCK_POOL(ACCEPTS_PER_BATCH * sizeof(int), BATCHES_KEPT_MAX);
}

void epoll_loans_reset(struct epoll_proactor *epoll)
{
	block_pool_trim(&epoll->loans);
	block_pool_trim(&epoll->batches);
}

void epoll_loan_ended(struct proactor *proactor, enum op_kind kind, const void *loan)
{
	struct epoll_proactor *epoll = epoll_proactor_of(proactor);

	block_pool_return(kind == OP_ACCEPT ? &epoll->batches : &epoll->loans, (void *)loan);
}

/* --- accept ------------------------------------------------------------------------------- */

/* Fills `fds`; 0, or the errno that ended it before it was full. */
static int accept_batch(int listener, int tries_max, int *fds, size_t *count)
{
	int error = 0;

	for (int tries = 0; tries < tries_max; tries++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			fds[(*count)++] = fd;
		else if (!accept_error_passes(errno))
			return errno;
	}
	return error;
}

static enum outcome try_accept(
	struct epoll_proactor *epoll, struct epoll_descriptor *descriptor, struct op *op)
{
	size_t count = 0;
	int *fds;
	int error;

	if (!descriptor->readable)
		return OUTCOME_BLOCKED;
	fds = block_pool_take(&epoll->batches);
	if (!fds)
		return end(epoll, op, -ENOMEM);
	error = accept_batch(op->fd, epoll->accepts_per_batch, fds, &count);
	descriptor->readable = error != EAGAIN;
	if (count > 0) {
		op->accept.fds = fds;
		return end(epoll, op, (int64_t)count);
	}
	block_pool_return(&epoll->batches, fds);
	if (error == EAGAIN)
		return OUTCOME_BLOCKED;
	if (error == 0)
		return OUTCOME_UNFINISHED;
	return end(epoll, op, error == ENOBUFS ? -ENOMEM : -error);
}

/* --- receive ------------------------------------------------------------------------------ */

static ssize_t receive_into(int fd, void *loan, size_t length)
{
	ssize_t received;

	do
		received = recv(fd, loan, length, MSG_DONTWAIT);
	while (received < 0 && errno == EINTR);
	return received < 0 ? -errno : received;
}

static enum outcome try_receive(
	struct epoll_proactor *epoll, struct epoll_descriptor *descriptor, struct op *op)
{
	size_t length = epoll->loans.block_size;
	ssize_t received;
	char *loan;

	if (!descriptor->readable)
		return OUTCOME_BLOCKED;
	if (epoll->loans.taken_count == epoll->loan_count_max) {
		metrics_add(METRIC_RECEIVE_SHORTAGES, 1);
		return OUTCOME_UNFINISHED;
	}
	loan = block_pool_take(&epoll->loans);
	if (!loan)
		return end(epoll, op, -ENOMEM);
	received = receive_into(op->fd, loan, length);
	if (received > 0) {
		descriptor->readable = (size_t)received == length || descriptor->hung_up;
		op->receive.loan = (struct text){ loan, (size_t)received };
		return end(epoll, op, received);
	}
	block_pool_return(&epoll->loans, loan);
	if (received != -EAGAIN)
		return end(epoll, op, received);
	descriptor->readable = false;
	return OUTCOME_BLOCKED;
}

/* --- send --------------------------------------------------------------------------------- */

/* A send that failed: ended, or to be tried again. */
static enum outcome send_failed(struct epoll_proactor *epoll, struct op *op, int error)
{
	if (error == EAGAIN) {
		metrics_add(METRIC_SOCKET_WAITS, 1);
		return OUTCOME_BLOCKED;
	}
	if (error == EINTR || error == ENOBUFS)
		return OUTCOME_UNFINISHED;
	return end(epoll, op, -error);
}

/* Takes `length` bytes, and what is empty after them, from the front of the vector. */
static void vector_consume(struct op *op, size_t length)
{
	struct iovec *first = op->send.vector;

	while (op->send.vector_count > 0 && first->iov_len <= length) {
		length -= first->iov_len;
		first++;
		op->send.vector_count--;
	}
	if (op->send.vector_count > 0) {
		first->iov_base = (char *)first->iov_base + length;
		first->iov_len -= length;
	}
	op->send.vector = first;
}

/* One range of memory is the rule, and without a header the kernel has less to copy. */
static ssize_t send_vector(int fd, struct iovec *vector, unsigned count, int flags)
{
	const struct msghdr message = { .msg_iov = vector, .msg_iovlen = count };

	if (count == 1)
		return send(fd, vector->iov_base, vector->iov_len, flags);
	return sendmsg(fd, &message, flags);
}

static ssize_t send_some(struct op *op)
{
	unsigned count = (unsigned)smaller(op->send.vector_count, IOV_MAX);
	const struct iovec *beyond = op->send.vector + count;
	bool more = op->send.more || count < op->send.vector_count;
	ssize_t sent = send_vector(op->fd, op->send.vector, count,
		MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));

	if (sent < 0)
		return -errno;
	op->moved += (size_t)sent;
	vector_consume(op, (size_t)sent);
	metrics_add(METRIC_SHORT_SENDS, op->send.vector < beyond);
	return sent;
}

static enum outcome try_send(struct epoll_proactor *epoll, struct op *op)
{
	for (int sends = 0; sends < SENDS_PER_TURN; sends++) {
		ssize_t sent = send_some(op);

		if (sent < 0)
			return send_failed(epoll, op, (int)-sent);
		if (op->send.vector_count == 0)
			return end(epoll, op, (int64_t)op->moved);
	}
	return OUTCOME_UNFINISHED;
}

/* --- sendfile ----------------------------------------------------------------------------- */

static ssize_t sendfile_some(struct op *op, uint64_t length_max)
{
	off_t offset = (off_t)stretch_begin(op);
	uint64_t in_memory = op->sendfile.in_memory_end - stretch_begin(op);
	uint64_t length = smaller(smaller(stretch_remaining(op), in_memory), length_max);
	ssize_t sent = sendfile(op->fd, op->sendfile.file, &offset, length);

	metrics_add(METRIC_SENDFILE_CALLS, 1);
	if (sent < 0)
		return -errno;
	op->moved += (uint64_t)sent;
	metrics_add(METRIC_SENDFILE_BYTES, (uint64_t)sent);
	return sent;
}

/* Descriptors are closed, and reused, at any time: no answer of the page cache about one op holds
 * for another. */
static bool is_in_memory(struct epoll_proactor *epoll, struct op *op)
{
	page_cache_forget(&epoll->page_cache);
	return stretch_is_in_memory(op, &epoll->page_cache);
}

static enum outcome try_sendfile(struct epoll_proactor *epoll, struct op *op)
{
	uint64_t begin = op->moved;
	uint64_t share = STRETCH_LENGTH_MAX;

	op->step = STEP_BEGUN;
	while (share > 0 && is_in_memory(epoll, op)) {
		ssize_t sent = sendfile_some(op, share);

		if (sent < 0) {
			stretch_note(op, op->moved - begin, false);
			return send_failed(epoll, op, (int)-sent);
		}
		if (sent == 0)
			return end(epoll, op, -ENODATA);
		if (op->moved == op->sendfile.length)
			return end(epoll, op, (int64_t)op->moved);
		share -= (uint64_t)sent;
	}
	if (share > 0) {
		op->step = STEP_ON_THREAD;
		epoll_hand_over(&epoll->proactor, op);
		return OUTCOME_ENDED;
	}
	stretch_note(op, 0, true);
	return OUTCOME_UNFINISHED;
}

static bool is_full(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

	return poll(&pollfd, 1, 0) == 0;
}

/* An edge that came while the thread was at work has met no parked op: ask again whether the socket
 * is full. */
enum outcome epoll_sendfile_returned(struct epoll_proactor *epoll, struct op *op)
{
	int64_t sent = op->result;

	op->step = STEP_BEGUN; /* while it waits for an edge, a cancel ends it at once */
	metrics_add(METRIC_SENDFILE_CALLS, 1);
	if (sent == 0)
		return end(epoll, op, -ENODATA);
	if (sent < 0 && sent != -EAGAIN && sent != -ENOBUFS)
		return end(epoll, op, sent);
	if (sent > 0) {
		op->moved += (uint64_t)sent;
		metrics_add(METRIC_SENDFILE_BYTES, (uint64_t)sent);
	}
	if (op->moved == op->sendfile.length)
		return end(epoll, op, (int64_t)op->moved);
	if (op->cancelled)
		return end(epoll, op, -ECANCELED);
	if (!is_full(op->fd))
		return OUTCOME_UNFINISHED;
	stretch_note(op, sent > 0 ? (uint64_t)sent : 0, false);
	metrics_add(METRIC_SOCKET_WAITS, 1);
	return OUTCOME_BLOCKED;
}

/* --- poll --------------------------------------------------------------------------------- */

/* Asks for the level: the edge that ended an earlier wait may have been consumed since. */
static enum outcome try_poll(struct epoll_proactor *epoll, struct op *op)
{
	struct pollfd pollfd = { .fd = op->fd, .events = op->poll.events };
	int count = poll(&pollfd, 1, 0);

	if (count < 0)
		return errno == EINTR ? OUTCOME_UNFINISHED : end(epoll, op, -errno);
	if (count == 0)
		return OUTCOME_BLOCKED;
	return end(epoll, op, pollfd.revents & POLLNVAL ? -EBADF : pollfd.revents);
}

enum outcome epoll_try(
	struct epoll_proactor *epoll, struct epoll_descriptor *descriptor, struct op *op)
{
	if (op->kind == OP_ACCEPT)
		return try_accept(epoll, descriptor, op);
	if (op->kind == OP_RECEIVE)
		return try_receive(epoll, descriptor, op);
	if (op->kind == OP_SEND)
		return try_send(epoll, op);
	if (op->kind == OP_SENDFILE)
		return try_sendfile(epoll, op);
	return try_poll(epoll, op);
}
