/* File operations of the epoll backend: a thread of the pool makes the system call, since a disk
 * has no readiness to wait for.
 *
 * What stands here runs on those threads and touches nothing but its op: no metrics, no lists.
 * Interrupted calls are repeated although the threads block every signal, because a debugger or a
 * network file system interrupts too. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proactor/epoll.h"

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

static int64_t run_open(struct op *op)
{
	return uninterrupted(
		syscall(SYS_openat2, op->fd, op->open.path, &op->open.how, sizeof(op->open.how)));
}

static int64_t run_stat(struct op *op)
{
	return uninterrupted(fstat(op->fd, op->stat.stat));
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
	return uninterrupted(renameat(op->fd, op->rename.from, op->fd, op->rename.to));
}

static int64_t run_unlink(struct op *op)
{
	return uninterrupted(unlinkat(op->fd, op->unlink.path, op->unlink.flags));
}

static pool_run_fn *const run_functions[] = {
	[OP_OPEN] = run_open,
	[OP_STAT] = run_stat,
	[OP_READ] = run_read,
	[OP_WRITE] = run_write,
	[OP_FSYNC] = run_fsync,
	[OP_RENAME] = run_rename,
	[OP_UNLINK] = run_unlink,
};

void epoll_submit_to_pool(struct proactor *proactor, struct op *op)
{
	int r = pool_submit(proactor->pool, op, run_functions[op->kind]);

	if (r < 0)
		op_complete(proactor, op, r);
}
