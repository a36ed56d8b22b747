/* Sending from memory: tried without waiting, continued after a poll when the socket is full.
 *
 * The poll is a request of our own, not the kernel's implicit one, so that a full socket is counted
 * and a cancelled op is noticed between two attempts.  A send that was cut short has filled the
 * socket: the poll follows at once.
 *
 * The last send of a descriptor takes the close along, as a linked request. */
#include "proactor/uring.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "base/metrics.h"

/* A request counts its bytes in 32 bits, its result in 31. */
enum { SEND_LENGTH_MAX = 1 << 30 };

void socket_wait(struct uring *uring, struct op *op)
{
	struct io_uring_sqe *sqe = uring_request(uring);

	metrics_add(METRIC_SOCKET_WAITS, 1);
	op->step = STEP_WAITING;
	io_uring_prep_poll_add(sqe, op->fd, POLLOUT);
	uring_sign(sqe, TAG_OP, op);
}

/* A vector of several ranges needs a header that lives as long as the request.  Without memory for
 * it the ranges go one by one. */
static void take_message(struct uring *uring, struct op *op)
{
	if (op->send.vector_count == 1)
		return;
	op->send.message = block_pool_take(&uring->message_blocks);
	if (op->send.message)
		*op->send.message = (struct msghdr){
			.msg_iov = op->send.vector,
			.msg_iovlen = smaller(op->send.vector_count, IOV_MAX),
		};
}

static void return_message(struct uring *uring, struct op *op)
{
	if (!op->send.message)
		return;
	block_pool_return(&uring->message_blocks, op->send.message);
	op->send.message = NULL;
}

/* Linked behind the send, and cancelled with it unless all was sent.  Nobody waits for it: the
 * number comes back by an accept only when it is done. */
static void request_close(struct uring *uring, struct op *op)
{
	struct io_uring_sqe *sqe = uring_request(uring);

	io_uring_prep_close(sqe, op->fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	uring_sign(sqe, TAG_NONE, NULL);
}

static void request_send(struct uring *uring, struct op *op, int flags)
{
	struct io_uring_sqe *sqe = uring_request(uring);

	flags |= MSG_NOSIGNAL | MSG_DONTWAIT | (op->send.more ? MSG_MORE : 0);
	if (op->send.message)
		io_uring_prep_sendmsg(sqe, op->fd, op->send.message, (unsigned)flags);
	else
		io_uring_prep_send(sqe, op->fd, op->send.vector->iov_base,
			smaller(op->send.vector->iov_len, SEND_LENGTH_MAX), flags);
	if (op->step == STEP_CHAINED)
		sqe->flags |= IOSQE_IO_LINK;
	uring_sign(sqe, TAG_OP, op);
}

/* Can one request send all of it? */
static bool is_single(const struct op *op)
{
	return op->send.vector_count == 1 ? op->send.vector->iov_len <= SEND_LENGTH_MAX
					  : op->send.message && op->send.vector_count <= IOV_MAX;
}

void send_submit(struct uring *uring, struct op *op)
{
	take_message(uring, op);
	op->step = STEP_MOVING;
	if (!op->send.last || !is_single(op)) {
		request_send(uring, op, 0);
		return;
	}
	op->step = STEP_CHAINED;
	record_leave(uring, op->fd);
	uring_reserve(uring, 2);
	request_send(uring, op, MSG_WAITALL); /* what is sent in part breaks the link */
	request_close(uring, op);
}

/* Uses up the front of the vector, entries without bytes too. */
static void advance(struct op *op, size_t length)
{
	op->moved += length;
	while (op->send.vector_count > 0 && op->send.vector->iov_len <= length) {
		length -= op->send.vector->iov_len;
		op->send.vector++;
		op->send.vector_count--;
	}
	if (length > 0) {
		op->send.vector->iov_base = (char *)op->send.vector->iov_base + length;
		op->send.vector->iov_len -= length;
	}
}

static void sent(struct uring *uring, struct op *op, size_t length)
{
	advance(op, length);
	op->send.closed = op->step == STEP_CHAINED && op->send.vector_count == 0;
	if (op->send.vector_count == 0) {
		op_complete(&uring->proactor, op, (int64_t)op->moved);
		return;
	}
	metrics_add(METRIC_SHORT_SENDS, 1);
	if (op->cancelled)
		op_complete(&uring->proactor, op, -ECANCELED);
	else
		socket_wait(uring, op);
}

void send_completed(struct uring *uring, struct op *op, int result)
{
	bool waited = op->step == STEP_WAITING;

	return_message(uring, op);
	if (result >= 0 && !waited)
		sent(uring, op, (size_t)result);
	else if (op->cancelled)
		op_complete(&uring->proactor, op, -ECANCELED);
	else if (waited || result == -EINTR || result == -ECANCELED)
		send_submit(uring, op); /* it meets whatever made the poll fail */
	else if (result == -EAGAIN || result == -ENOBUFS)
		socket_wait(uring, op);
	else
		op_complete(&uring->proactor, op, result);
}
