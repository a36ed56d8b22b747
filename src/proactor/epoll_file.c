/* File operations of the epoll backend: a thread of the pool makes the system call, since a disk
 * has no readiness to wait for.  Before that, a short read or an open is tried in a way that never
 * waits for a disk: what the kernel has in memory costs less than waking a thread.  What is asked
 * of an open file by fstat(2) always is in memory.  Reads begin by turns.
 *
 * The run functions run on those threads and touch nothing but their op: no metrics, no lists.
 * Interrupted calls are repeated although the threads block every signal, because a debugger or a
 * network file system interrupts too. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/smaller.h"
#include "proactor/epoll.h"
#include "proactor/stretch.h"

/* The result of a call that reports errors in errno; repeats the call while it is interrupted. */
#define uninterrupted(call)                                                                        \
	({                                                                                         \
		int64_t result_;                                                                   \
                                                                                                   \
		do                                                                                 \
			result_ = (call);                                                          \
		while (result_ < 0 && errno == EINTR);                                             \
		result_ < 0 ? -errno : result_;                                                    \
	})

static int64_t open_resolving(const struct op *op, uint64_t resolve)
{
	struct open_how how = op->open.how;

	how.resolve |= resolve;
	return uninterrupted(syscall(SYS_openat2, op->fd, op->open.path, &how, sizeof(how)));
}

/* Beyond a mount the file system may be one that waits: unless the op is late, it stops there. With
 * O_PATH no file system is asked. */
static uint64_t mount_resolve(const struct op *op)
{
	return op->is_late || op->open.how.flags & O_PATH ? 0 : RESOLVE_NO_XDEV;
}

static int64_t run_open(struct op *op)
{
	return open_resolving(op, mount_resolve(op));
}

static int64_t run_close(struct op *op)
{
	return close(op->fd) < 0 && errno != EINTR ? -errno : 0;
}

/* A part of a sendfile: whatever the loop would have to wait for a disk for. */
static int64_t run_sendfile(struct op *op)
{
	off_t offset = (off_t)stretch_begin(op);
	uint64_t length = smaller(stretch_remaining(op), stretch_length(op));

	return uninterrupted(sendfile(op->fd, op->sendfile.file, &offset, length));
}

static int64_t run_read(struct op *op)
{
	return uninterrupted(
		pread(op->fd, op->read.bytes, op->read.length, (off_t)op->read.offset));
}

static int64_t write_some(const struct op *op, size_t written)
{
	const char *bytes = op->write.bytes;
	size_t length = op->write.length - written;

	if (op->write.offset == OP_APPEND)
		return uninterrupted(write(op->fd, bytes + written, length));
	return uninterrupted(
		pwrite(op->fd, bytes + written, length, (off_t)(op->write.offset + written)));
}

/* A log may be a non-blocking pipe whose reader is slow: half a line would be worse than late. */
static int64_t await_room(const struct op *op)
{
	struct pollfd pollfd = { .fd = op->fd, .events = POLLOUT };

	return uninterrupted(poll(&pollfd, 1, -1));
}

static int64_t run_write(struct op *op)
{
	size_t written = 0;

	while (written < op->write.length) {
		int64_t r = write_some(op, written);

		if (r > 0)
			written += (size_t)r;
		else if (r == -EAGAIN)
			r = await_room(op);
		else if (r == 0)
			r = -EIO;
		if (r < 0)
			return r;
	}
	return (int64_t)written;
}

static int64_t run_fsync(struct op *op)
{
	return uninterrupted(fsync(op->fd));
}

static int64_t run_rename(struct op *op)
{
	return uninterrupted(
		renameat2(op->fd, op->rename.from, op->fd, op->rename.to, op->rename.flags));
}

static int64_t run_unlink(struct op *op)
{
	return uninterrupted(unlinkat(op->fd, op->unlink.path, op->unlink.flags));
}

static pool_run_fn *const run_functions[] = {
	[OP_OPEN] = run_open,
	[OP_READ] = run_read,
	[OP_WRITE] = run_write,
	[OP_FSYNC] = run_fsync,
	[OP_RENAME] = run_rename,
	[OP_UNLINK] = run_unlink,
	[OP_CLOSE] = run_close,
	[OP_SENDFILE] = run_sendfile,
};

/* --- in the loop's thread ----------------------------------------------------------------- */

/* An open of a FIFO waits unless its owner rules that out. */
static int64_t open_cached(const struct op *op)
{
	if (!(op->open.how.flags & (O_NONBLOCK | O_PATH)))
		return -1;
	return open_resolving(op, RESOLVE_CACHED | mount_resolve(op));
}

/* More than a turn's share would hold up the loop; a reader asks for no more (files/reader.h). */
static int64_t read_cached(const struct op *op)
{
	const struct iovec piece = { op->read.bytes, op->read.length };

	if (op->read.length > TURN_READ_LENGTH_MAX)
		return -1;
	return preadv2(op->fd, &piece, 1, (off_t)op->read.offset, RWF_NOWAIT);
}

/* Whatever stands in the way, a thread finds out the truth of it. */
static bool try_cached(struct proactor *proactor, struct op *op)
{
	int64_t result = -1;

	if (op->is_late)
		return false;
	if (op->kind == OP_OPEN)
		result = open_cached(op);
	else if (op->kind == OP_READ)
		result = read_cached(op);
	if (result >= 0)
		op_complete(proactor, op, result);
	return result >= 0;
}

void epoll_hand_over(struct proactor *proactor, struct op *op)
{
	int r = pool_submit(proactor->pool, op, run_functions[op->kind]);

	if (r < 0)
		op_complete(proactor, op, r);
}

static void try_or_hand_over(struct proactor *proactor, struct op *op)
{
	if (!try_cached(proactor, op))
		epoll_hand_over(proactor, op);
}

/* --- reads, by turns ---------------------------------------------------------------------- */

static void read_now(struct epoll_proactor *epoll, struct op *op)
{
	op->step = STEP_BEGUN;
	epoll->read_share -= smaller(op->read.length, epoll->read_share);
	if (op_take_memory(&epoll->proactor, op))
		try_or_hand_over(&epoll->proactor, op);
}

static void read_by_turns(struct epoll_proactor *epoll, struct op *op)
{
	if (epoll->read_share > 0) {
		read_now(epoll, op);
		return;
	}
	op->step = STEP_QUEUED;
	list_append(&epoll->reads, &op->node);
}

void epoll_share_turn(struct epoll_proactor *epoll)
{
	struct list_node *node;

	epoll->read_share = TURN_READ_LENGTH_MAX;
	while (epoll->read_share > 0 && (node = list_take_first(&epoll->reads)))
		read_now(epoll, container_of(node, struct op, node));
}

bool epoll_waits_for_turn(const struct op *op)
{
	return op->kind == OP_READ && op->step == STEP_QUEUED;
}

/* --- the calls of the vtable -------------------------------------------------------------- */

void epoll_submit_file(struct proactor *proactor, struct op *op)
{
	if (op->kind == OP_STAT)
		real_stat(proactor, op);
	else if (op->kind == OP_READ)
		read_by_turns(epoll_proactor_of(proactor), op);
	else
		try_or_hand_over(proactor, op);
}

/* Descriptors are closed, and their numbers given to other files, at any time: nothing is believed
 * twice. */
bool epoll_is_in_memory(struct proactor *proactor, int file, uint64_t offset, uint64_t length)
{
	struct page_cache *cache = &epoll_proactor_of(proactor)->page_cache;

	page_cache_forget(cache);
	return page_cache_holds(cache, file, offset, length);
}
