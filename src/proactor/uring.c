/* The io_uring backend: a request per op, a completion per request, one enter per turn.
 *
 * Requests are only queued when ops are submitted; the wait hands them to the kernel, waits, and
 * then takes every completion before anything else is asked for.  Most ops are a single request,
 * prepared by a table; the others have a file of their own (uring.h).
 *
 * Completions of ops that were cancelled say what really happened.  Whoever would ask the kernel
 * for more on behalf of an op first looks at op->cancelled, because the cancelling may have found
 * no request to cancel. */
#include "proactor/uring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/metrics.h"

/* --- requests ----------------------------------------------------------------------------- */

/* The submission queue is full: the kernel takes what is there.  It refuses only when it has no
 * memory, and then nothing better can be done than to ask again. */
static void submit_queued(struct uring *uring)
{
	metrics_add(METRIC_ENTERS, 1);
	if (io_uring_submit(&uring->ring) < 0)
		sched_yield();
}

struct io_uring_sqe *uring_request(struct uring *uring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	while (!sqe) {
		submit_queued(uring);
		sqe = io_uring_get_sqe(&uring->ring);
	}
	return sqe;
}

void uring_reserve(struct uring *uring, unsigned count)
{
	while (io_uring_sq_space_left(&uring->ring) < count)
		submit_queued(uring);
}

void uring_cancel_request(struct uring *uring, enum completion_tag tag, void *owner)
{
	struct io_uring_sqe *sqe = uring_request(uring);

	io_uring_prep_cancel64(sqe, uring_signature(tag, owner), 0);
	uring_sign(sqe, TAG_NONE, NULL);
}

static void watch_pool(struct uring *uring)
{
	struct io_uring_sqe *sqe = uring_request(uring);

	io_uring_prep_poll_multishot(sqe, pool_event_fd(uring->proactor.pool), POLLIN);
	uring_sign(sqe, TAG_POOL, NULL);
	uring->pool_watched = true;
}

/* --- ops of one request ------------------------------------------------------------------- */

/* A request counts its bytes in 32 bits, its result in 31. */
static unsigned bounded(uint64_t length)
{
	return length < 1 << 30 ? (unsigned)length : 1 << 30;
}

static void prepare_open(struct io_uring_sqe *sqe, struct op *op)
{
	io_uring_prep_openat2(sqe, op->fd, op->open.path, &op->open.how);
}

static void prepare_read(struct io_uring_sqe *sqe, struct op *op)
{
	io_uring_prep_read(sqe, op->fd, op->read.bytes, bounded(op->read.length), op->read.offset);
}

/* op->moved counts what is written already. */
static void prepare_write(struct io_uring_sqe *sqe, struct op *op)
{
	uint64_t offset = op->write.offset;

	if (offset != OP_APPEND)
		offset += op->moved;
	io_uring_prep_write(sqe, op->fd, (const char *)op->write.bytes + op->moved,
		bounded(op->write.length - op->moved), offset);
}

static void prepare_fsync(struct io_uring_sqe *sqe, struct op *op)
{
	io_uring_prep_fsync(sqe, op->fd, 0);
}

static void prepare_rename(struct io_uring_sqe *sqe, struct op *op)
{
	io_uring_prep_renameat(
		sqe, op->fd, op->rename.from, op->fd, op->rename.to, op->rename.flags);
}

static void prepare_unlink(struct io_uring_sqe *sqe, struct op *op)
{
	io_uring_prep_unlinkat(sqe, op->fd, op->unlink.path, op->unlink.flags);
}

static void prepare_close(struct io_uring_sqe *sqe, struct op *op)
{
	io_uring_prep_close(sqe, op->fd);
}

static void prepare_poll(struct io_uring_sqe *sqe, struct op *op)
{
	io_uring_prep_poll_add(sqe, op->fd, (unsigned short)op->poll.events);
}

typedef void prepare_fn(struct io_uring_sqe *sqe, struct op *op);

static prepare_fn *const PREPARE[] = {
	[OP_OPEN] = prepare_open,
	[OP_READ] = prepare_read,
	[OP_WRITE] = prepare_write,
	[OP_FSYNC] = prepare_fsync,
	[OP_RENAME] = prepare_rename,
	[OP_UNLINK] = prepare_unlink,
	[OP_CLOSE] = prepare_close,
	[OP_POLL] = prepare_poll,
};

/* Kernel workers that ops may occupy because their file system is slow; the rest of the 16 are for
 * others. */
enum { INSISTING_COUNT_MAX = 8 };

static void request_single(struct uring *uring, struct op *op)
{
	struct io_uring_sqe *sqe = uring_request(uring);

	PREPARE[op->kind](sqe, op);
	if (op->step == STEP_INSISTING)
		sqe->flags |= IOSQE_ASYNC;
	uring_sign(sqe, TAG_OP, op);
}

void uring_close_now(struct uring *uring, struct op *op)
{
	request_single(uring, op);
}

/* On a kernel worker from the beginning: the kernel may carry out inline what its file system makes
 * it wait for. */
static void insist(struct uring *uring, struct op *op)
{
	if (uring->insisting_count == INSISTING_COUNT_MAX) {
		uring_queue(op, &uring->insisters);
		return;
	}
	if (op->kind == OP_READ && !op_take_memory(&uring->proactor, op))
		return;
	uring->insisting_count++;
	op->step = STEP_INSISTING;
	request_single(uring, op);
}

static void request_or_insist(struct uring *uring, struct op *op)
{
	if (op->is_late)
		insist(uring, op);
	else
		request_single(uring, op);
}

/* Its name in memory, the kernel opens a file inline.  A file system beyond a mount might make it
 * wait: crossing one is left to a kernel worker.  With O_PATH no file system is asked. */
static void open_submit(struct uring *uring, struct op *op)
{
	if (!op->is_late && !(op->open.how.flags & O_PATH))
		op->open.how.resolve |= RESOLVE_NO_XDEV;
	request_or_insist(uring, op);
}

static void request_again(struct uring *uring, struct op *op)
{
	if (op->step == STEP_INSISTING)
		insist(uring, op);
	else
		request_single(uring, op);
}

/* One of them has completed. */
static void serve_insisters(struct uring *uring)
{
	struct list_node *node;

	uring->insisting_count--;
	while (uring->insisting_count < INSISTING_COUNT_MAX &&
		(node = list_take_first(&uring->insisters)))
		insist(uring, container_of(node, struct op, node));
}

/* Files of some file systems say EAGAIN when opened with O_NONBLOCK and not in memory; a kernel
 * worker then waits for them.  What says it there too means it. */
static bool is_worth_insisting(const struct op *op, int result)
{
	return result == -EAGAIN && op->step != STEP_INSISTING &&
	       (op->kind == OP_READ || op->kind == OP_WRITE);
}

static void single_completed(struct uring *uring, struct op *op, int result)
{
	if (result == -EINTR && op->kind == OP_CLOSE)
		result = 0; /* it is closed nevertheless */
	op->result = result;
	if (op_meets_mount(op) && !op->cancelled) {
		op->open.how.resolve &= ~(uint64_t)RESOLVE_NO_XDEV;
		op->is_late = true;
		insist(uring, op);
	} else if (is_worth_insisting(op, result) && !op->cancelled) {
		insist(uring, op);
	} else if (result == -EINTR && !op->cancelled) {
		request_again(uring, op);
	} else {
		op_complete(&uring->proactor, op, result == -EINTR ? -ECANCELED : result);
	}
}

static void write_completed(struct uring *uring, struct op *op, int result)
{
	if (result <= 0 && op->write.length > 0) {
		single_completed(uring, op, result == 0 ? -EIO : result);
		return;
	}
	op->moved += (uint64_t)result;
	if (op->moved == op->write.length)
		op_complete(&uring->proactor, op, (int64_t)op->moved);
	else if (op->cancelled)
		op_complete(&uring->proactor, op, -ECANCELED);
	else
		request_again(uring, op);
}

/* --- turns -------------------------------------------------------------------------------- */

/* What reads and inline sendfiles may move together before everybody else has a turn: about 2 ms.
 * A byte that is read counts for more. */
enum {
	TURN_LENGTH_MAX = 16 * 1024 * 1024,
	READ_WEIGHT = TURN_LENGTH_MAX / TURN_READ_LENGTH_MAX,
};

void uring_queue(struct op *op, struct list *list)
{
	op->step = STEP_QUEUED;
	list_append(list, &op->node);
}

void uring_use_share(struct uring *uring, uint64_t length)
{
	uring->turn_share -= smaller(length, uring->turn_share);
}

/* A read of what is in memory is carried out while the kernel takes the request. */
static void take_turn(struct uring *uring, struct op *op)
{
	if (op->kind == OP_SENDFILE) {
		sendfile_continue(uring, op);
		return;
	}
	if (!op_take_memory(&uring->proactor, op))
		return;
	uring_use_share(uring, op->read.length * READ_WEIGHT);
	op->step = STEP_MOVING;
	request_single(uring, op);
}

/* Who has had a part of it queues up behind those who have not. */
static void take_turns(struct uring *uring)
{
	struct list_node *node;

	uring->turn_share = TURN_LENGTH_MAX;
	while (uring->turn_share > 0 && (node = list_take_first(&uring->turns)))
		take_turn(uring, container_of(node, struct op, node));
}

/* --- the backend's functions -------------------------------------------------------------- */

static void uring_submit(struct proactor *proactor, struct op *op)
{
	struct uring *uring = uring_of(proactor);

	switch ((enum op_kind)op->kind) {
	case OP_ACCEPT:
		accept_submit(uring, op);
		return;
	case OP_RECEIVE:
		receive_submit(uring, op);
		return;
	case OP_SEND:
		send_submit(uring, op);
		return;
	case OP_SENDFILE:
		sendfile_submit(uring, op);
		return;
	case OP_STAT:
		real_stat(proactor, op); /* the ring would wake a kernel worker for it */
		return;
	case OP_CLOSE:
		record_close(uring, op);
		return;
	case OP_READ:
		if (op->is_late)
			insist(uring, op);
		else
			uring_queue(op, &uring->turns);
		return;
	case OP_OPEN:
		open_submit(uring, op);
		return;
	case OP_WRITE:
	case OP_FSYNC:
	case OP_RENAME:
	case OP_UNLINK:
		request_or_insist(uring, op);
		return;
	case OP_POLL:
		request_single(uring, op);
		return;
	case OP_TIMEOUT:
	case OP_WAKE:
	case OP_WORK:
		assert(false);
		return;
	}
}

static void uring_cancel(struct proactor *proactor, struct op *op)
{
	struct uring *uring = uring_of(proactor);

	if (op->kind == OP_ACCEPT)
		accept_cancel(uring, op);
	else if (op->kind == OP_RECEIVE)
		receive_cancel(uring, op);
	else if (op->kind == OP_SENDFILE)
		sendfile_cancel(uring, op);
	else if (op->step == STEP_QUEUED ||
		 (op->kind == OP_STAT && pool_withdraw(proactor->pool, op)))
		op_complete(proactor, op, -ECANCELED);
	else if (op->kind == OP_STAT)
		return; /* a thread is at work on it */
	else
		uring_cancel_request(uring, TAG_OP, op);
}

static void uring_loan_ended(struct proactor *proactor, enum op_kind kind, const void *loan)
{
	if (kind == OP_ACCEPT)
		accept_loan_ended(uring_of(proactor), loan);
	else
		receive_loan_ended(uring_of(proactor), loan);
}

/* --- completions -------------------------------------------------------------------------- */

static void op_request_completed(struct uring *uring, struct op *op, int result)
{
	bool insisted = op->step == STEP_INSISTING;

	if (op->kind == OP_SEND)
		send_completed(uring, op, result);
	else if (op->kind == OP_SENDFILE)
		sendfile_completed(uring, op, result);
	else if (op->kind == OP_WRITE)
		write_completed(uring, op, result);
	else
		single_completed(uring, op, result);
	if (insisted)
		serve_insisters(uring);
}

static void pool_signalled(struct uring *uring, unsigned flags)
{
	struct list unfinished;

	if (!(flags & IORING_CQE_F_MORE))
		uring->pool_watched = false;
	list_init(&unfinished);
	real_collect(&uring->proactor, &unfinished);
	assert(list_is_empty(&unfinished)); /* no open and no sendfile is the pool's here */
}

static void dispatch(struct uring *uring, const struct io_uring_cqe *cqe)
{
	void *owner = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)TAG_MASK);

	switch ((enum completion_tag)(cqe->user_data & TAG_MASK)) {
	case TAG_OP:
		op_request_completed(uring, owner, cqe->res);
		return;
	case TAG_FILL:
		splice_filled(uring, owner, cqe->res);
		return;
	case TAG_MULTISHOT:
		record_completed(uring, owner, cqe->res, cqe->flags);
		return;
	case TAG_STOP:
		record_stopped(uring, owner, cqe->res);
		return;
	case TAG_POOL:
		pool_signalled(uring, cqe->flags);
		return;
	case TAG_NONE:
	case TAG_MASK:
		return;
	}
}

/* A place in the queue is free once its completion is copied: what is dispatched may submit. */
static void take_completions(struct uring *uring)
{
	while (io_uring_cq_ready(&uring->ring) > 0) {
		struct io_uring_cqe *first = NULL;
		struct io_uring_cqe cqe;

		io_uring_peek_cqe(&uring->ring, &first);
		cqe = *first;
		io_uring_cqe_seen(&uring->ring, first);
		metrics_add(METRIC_COMPLETIONS, 1);
		dispatch(uring, &cqe);
	}
}

/* --- the wait ----------------------------------------------------------------------------- */

static int enter(struct uring *uring, uint64_t wait_ns)
{
	struct __kernel_timespec timeout = {
		.tv_sec = (long long)(wait_ns / 1000000000),
		.tv_nsec = (long long)(wait_ns % 1000000000),
	};
	struct io_uring_cqe *first;

	metrics_add(METRIC_ENTERS, 1);
	if (wait_ns == 0)
		return io_uring_submit_and_get_events(&uring->ring);
	if (wait_ns == PROACTOR_WAIT_FOREVER)
		return io_uring_submit_and_wait(&uring->ring, 1);
	return io_uring_submit_and_wait_timeout(&uring->ring, &first, 1, &timeout, NULL);
}

/* EBUSY: completions overflowed and are to be taken first; EAGAIN: no memory for a request, which
 * stays queued. */
static bool is_passing(int error)
{
	return error == -ETIME || error == -EINTR || error == -EBUSY || error == -EAGAIN;
}

/* What was completed without the kernel (a stat, a cancelled receive, a sendfile) is done first:
 * what it asks for then goes with the requests that wait already.  But no two turns in a row. */
static bool may_skip_enter(struct uring *uring)
{
	uring->skipped = !uring->skipped && !list_is_empty(&uring->proactor.completed);
	return uring->skipped;
}

static int uring_wait(struct proactor *proactor, uint64_t wait_ns_max)
{
	struct uring *uring = uring_of(proactor);
	int r;

	if (may_skip_enter(uring))
		return 0;
	if (!uring->pool_watched)
		watch_pool(uring);
	receive_arm_due(uring);
	take_turns(uring);
	if (!list_is_empty(&proactor->completed) || !list_is_empty(&uring->unsettled) ||
		!list_is_empty(&uring->due) || !list_is_empty(&uring->turns))
		wait_ns_max = 0;
	page_cache_forget(&uring->page_cache);
	r = enter(uring, wait_ns_max);
	if (io_uring_cq_has_overflow(&uring->ring))
		metrics_add(METRIC_CQ_OVERFLOWS, 1);
	take_completions(uring);
	accept_settle(uring);
	return r < 0 && !is_passing(r) ? r : 0;
}

static bool uring_is_in_memory(
	struct proactor *proactor, int file, uint64_t offset, uint64_t length)
{
	return page_cache_holds(&uring_of(proactor)->page_cache, file, offset, length);
}

/* --- opening and freeing ------------------------------------------------------------------ */

/* Ends what the multishots still hold, so that sockets whose descriptors are closed do not linger
 * until the kernel has taken the ring apart. */
static void cancel_everything(struct uring *uring)
{
	struct io_uring_sync_cancel_reg all = {
		.fd = -1,
		.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
		.timeout = { .tv_sec = 1 },
	};

	io_uring_register_sync_cancel(&uring->ring, &all);
}

static void uring_free(struct proactor *proactor)
{
	struct uring *uring = uring_of(proactor);

	cancel_everything(uring);
	ring_close(uring);
	records_free(uring);
	pipe_pool_close(&uring->pipes);
	block_pool_trim(&uring->spill_blocks);
	block_pool_trim(&uring->message_blocks);
	free(uring->accepted);
	proactor_reset(proactor);
	free(uring);
}

static const struct backend URING_BACKEND = {
	.name = "io_uring",
	.free = uring_free,
	.submit = uring_submit,
	.cancel = uring_cancel,
	.wait = uring_wait,
	.loan_ended = uring_loan_ended,
	.monotonic_ns = real_monotonic_ns,
	.wall_ns = real_wall_ns,
	.shutdown = real_shutdown,
	.peer_address = real_peer_address,
	.set_tcp_option = real_set_tcp_option,
	.unacknowledged_length = real_unacknowledged_length,
	.reset_at_close = real_reset_at_close,
	.is_in_memory = uring_is_in_memory,
	.work = real_work,
};

/* As many pipes as kernel workers, each as long as an extent, so that an extent is one chain; four
 * workers' reach fs.pipe-user-pages-soft. */
enum { PIPE_COUNT_MAX = 16, PIPE_LENGTH = 1 << 20 };

/* A pipe takes two descriptors: under a small limit connections need them more. */
static unsigned pipe_count_max(const struct proactor_options *options)
{
	unsigned count_max = options->pipe_count_max ? options->pipe_count_max : PIPE_COUNT_MAX;
	long descriptors_max = sysconf(_SC_OPEN_MAX);

	if (descriptors_max > 0 && descriptors_max / 16 < (long)count_max)
		count_max = (unsigned)(descriptors_max / 16);
	return count_max > 0 ? count_max : 1;
}

/* sendfile(2) has no MSG_NOSIGNAL. */
static void ignore_sigpipe(void)
{
	struct sigaction action;

	if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

static void init_members(struct uring *uring, const struct proactor_options *options)
{
	list_init(&uring->due);
	list_init(&uring->resting);
	list_init(&uring->unsettled);
	list_init(&uring->orphans);
	list_init(&uring->pipe_waiters);
	list_init(&uring->turns);
	list_init(&uring->insisters);
	uring->zero_copy = options->zero_copy;
	uring->accept_singly = options->accept_singly;
	uring->record_blocks = (struct block_pool)BLOCK_POOL(sizeof(struct record), 1024);
	uring->message_blocks = (struct block_pool)BLOCK_POOL(sizeof(struct msghdr), 64);
	uring->spill_blocks =
		(struct block_pool)BLOCK_POOL(receive_spill_size(uring->buffers.length), 64);
	uring->proactor.features = uring->features;
	pipe_pool_open(&uring->pipes, pipe_count_max(options),
		options->pipe_length ? options->pipe_length : PIPE_LENGTH);
	ignore_sigpipe();
}

int uring_open(struct proactor **proactor, const struct proactor_options *options)
{
	struct uring *uring = calloc(1, sizeof(*uring));
	struct refusal refusal;
	int r;

	if (!uring)
		return -ENOMEM;
	r = ring_open(uring, options, &refusal);
	if (r < 0) {
		free(uring);
		return r;
	}
	r = proactor_init(&uring->proactor, &URING_BACKEND, options->thread_count);
	if (r < 0) {
		ring_close(uring);
		free(uring);
		return r;
	}
	init_members(uring, options);
	*proactor = &uring->proactor;
	return 0;
}
