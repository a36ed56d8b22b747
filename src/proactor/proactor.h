/* Asynchronous calls to the kernel, completed by a run loop: submit, cancel, run.
 *
 * The promises, identical on every backend and proved for each by test/contract:
 *
 *   1. every submitted op ends in exactly one done();
 *   2. done() runs only from the run loop, never inside a submit call;
 *   3. -EINTR, -ENOBUFS, and -EAGAIN of sockets never reach done();
 *   4. send, sendfile and write move everything asked for, or fail; op.moved of a send or sendfile
 *      grows meanwhile;
 *   5. cancel is a request, idempotent; the op still ends once, with -ECANCELED or its true result.
 *      A cancelled accept delivers every descriptor accepted meanwhile; an open that succeeded
 *      despite its cancel hands its owner a descriptor to close;
 *   6. when done() runs, the op, its descriptor and its memory are the owner's again.
 *
 * In return the owner has at most one receive, one send or sendfile, and one accept active per
 * descriptor, and a descriptor that was given to accept, receive, send, sendfile or poll is closed
 * by proactor_close() when none of its ops is active (it is the backend's record of the descriptor
 * that is closed with it).  A send whose peer is gone ends in -EPIPE or -ECONNRESET and raises no
 * signal. */
#ifndef RINGLET_PROACTOR_PROACTOR_H
#define RINGLET_PROACTOR_PROACTOR_H

#include "proactor/op.h"

enum backend_choice { BACKEND_AUTO, BACKEND_IO_URING, BACKEND_EPOLL };

/* How io_uring moves a file to a socket: docs/configuration.md, setting zero_copy. */
enum zero_copy { ZERO_COPY_SPLICE, ZERO_COPY_SENDFILE, ZERO_COPY_AUTO };

/* 0 means the default in parentheses. */
struct proactor_options {
	enum zero_copy zero_copy;
	unsigned entries;               /* submission queue entries (1024) */
	unsigned receive_buffer_count;  /* a power of two (256; epoll: 64) */
	unsigned receive_buffer_length; /* bytes of each (4096; epoll: 16384) */
	unsigned pipe_count_max;        /* splice pipes kept at most (16) */
	unsigned pipe_length;           /* bytes a splice pipe holds (1048576) */
	unsigned thread_count;          /* threads of the pool, started when first needed (4) */
	unsigned iowq_workers_max;      /* kernel workers, bounded and unbounded each (16) */
	bool accept_singly;             /* no batches: descriptors are few and must be counted */
};

/* Opens one of the two real backends for the calling thread, which must be the one that runs it.
 * BACKEND_AUTO is for the caller to resolve first (proactor_probe_uring).  0, or a negative errno
 * that nothing has logged. */
int proactor_open(struct proactor **proactor, enum backend_choice choice,
	const struct proactor_options *options);

/* No op may be active. */
void proactor_free(struct proactor *proactor);

/* "io_uring", "epoll" or "simulated". */
const char *proactor_backend_name(const struct proactor *proactor);

/* What the kernel grants the backend, in words: "single_issuer buffer_ring ..."; "" if nothing. */
const char *proactor_features(const struct proactor *proactor);

/* Sets up a ring as proactor_open() would, asks what it can do, and closes it again. */
struct uring_probe {
	int error;          /* 0, or the negative errno of the call that refused */
	char reason[256];   /* "io_uring_setup says EPERM (cause); to allow it: remedy" */
	char features[256]; /* "single_issuer defer_taskrun buffer_ring ..." */
	char library[16];   /* "2.3": the liburing in use; "" when built without io_uring */
};
void proactor_probe_uring(struct uring_probe *probe);

/* --- the run loop ------------------------------------------------------------------------- */

/* Turns until proactor_stop() is called from a done(); 0 or the negative errno of a wait that
 * cannot go on. */
int proactor_run(struct proactor *proactor);
void proactor_stop(struct proactor *proactor);

/* One turn: submit, wait at most `wait_ns_max` for something to happen, run every done() that is
 * due, then every deadline that passed. */
int proactor_turn(struct proactor *proactor, uint64_t wait_ns_max);

/* Turns the loop until the op has ended: for what is done before the first request and after the
 * last.  0, or the negative errno that turning failed with: then the op still names its memory. */
int proactor_await(struct proactor *proactor, const struct op *op);
#define PROACTOR_WAIT_FOREVER UINT64_MAX

/* Monotonic time, the same throughout one turn. */
uint64_t proactor_now_ns(const struct proactor *proactor);

/* Time of day (ns since 1970) as of this turn. */
int64_t proactor_wall_ns(const struct proactor *proactor);

/* Ops submitted and not yet done. */
size_t proactor_active_count(const struct proactor *proactor);

/* --- ops ---------------------------------------------------------------------------------- */

/* Waits for connections on a listening, non-blocking socket.  result: a count of at least 1, the
 * descriptors in op->accept.fds are non-blocking and close-on-exec; -EMFILE, -ENFILE and the like
 * end the op and leave the connections queued. */
void proactor_accept(struct proactor *proactor, struct op *op, int fd);

/* No loan is longer than this. */
enum { PROACTOR_LOAN_LENGTH_MAX = 16384 };

/* Waits for bytes.  result: their count, lent as op->receive.loan until done() returns; 0 when the
 * peer ended its sending direction. */
void proactor_receive(struct proactor *proactor, struct op *op, int fd);

/* result: the sum of the vector's lengths (at least one byte). */
void proactor_send(struct proactor *proactor, struct op *op, int fd, struct iovec *vector,
	unsigned vector_count, bool more);

/* The same, before the descriptor is closed: a backend that can closes it when the last byte is
 * handed over, in one go with it.  result >= 0: op->send.closed says whether it did; otherwise, and
 * after any error, closing is left to the caller.  No other op may be submitted for the descriptor
 * from now on; one that was cancelled may still be due. */
void proactor_send_last(struct proactor *proactor, struct op *op, int fd, struct iovec *vector,
	unsigned vector_count);

/* Moves `length` (at least 1) bytes of `file` from `offset` to the socket, not through user space.
 * result: length, or -ENODATA when the file ends before that. */
void proactor_sendfile(struct proactor *proactor, struct op *op, int fd, int file, uint64_t offset,
	uint64_t length, bool more);

/* openat2(2).  result: the new descriptor; -EAGAIN may come when a path changes under RESOLVE_*.
 * `path` stays valid until done(). */
void proactor_open_file(struct proactor *proactor, struct op *op, int directory, const char *path,
	const struct open_how *how);

/* fstat(2) into *stat. */
void proactor_stat(struct proactor *proactor, struct op *op, int fd, struct stat *stat);

/* pread(2).  result: bytes read, possibly fewer than asked for; 0 at the end of the file. */
void proactor_read(struct proactor *proactor, struct op *op, int fd, void *bytes, size_t length,
	uint64_t offset);

/* The same into memory that is asked for when the read begins, at most once: a read that waits its
 * turn holds none, and finds what another has just given back, still in the processor's caches.
 * memory(op) is called from here or from a turn, and does nothing but find `length` bytes; NULL:
 * the op ends with -ENOMEM. */
void proactor_read_into(struct proactor *proactor, struct op *op, int fd, op_memory_fn *memory,
	size_t length, uint64_t offset);

/* pwrite(2) of everything, or write(2) with OP_APPEND.  result: length. */
void proactor_write(struct proactor *proactor, struct op *op, int fd, const void *bytes,
	size_t length, uint64_t offset);

void proactor_fsync(struct proactor *proactor, struct op *op, int fd);

/* renameat2(2); flags: 0, or RENAME_NOREPLACE and the like, -EINVAL where a file system cannot. */
void proactor_rename(struct proactor *proactor, struct op *op, int directory, const char *from,
	const char *to, unsigned flags);
void proactor_unlink(
	struct proactor *proactor, struct op *op, int directory, const char *path, int flags);

/* Closes a descriptor of any kind, of which no op is active; -1 stands for one that is closed.
 * Cannot be cancelled. */
void proactor_close(struct proactor *proactor, struct op *op, int fd);

/* One shot.  result: the events that came (poll(2)).
 *
 * The done() of a poll runs before that of every other op that completed in the same turn, in
 * whatever order the kernel delivered them (Linux 6.1 delivers the latest first).  Thus inotify's
 * events invalidate a cached file before a request that came after the change is answered. */
void proactor_poll(struct proactor *proactor, struct op *op, int fd, short events);

/* result: -ETIME when `delay_ns` have passed. */
void proactor_timeout(struct proactor *proactor, struct op *op, uint64_t delay_ns);

/* Ends, with result 0, after proactor_wake(op) was called from any thread, once or often, before
 * or after this call but since the last done(). */
void proactor_await_wake(struct proactor *proactor, struct op *op);
void proactor_wake(struct proactor *proactor, struct op *op);

/* Calls run(context) on a thread of the pool.  result: what it returned. */
void proactor_work(struct proactor *proactor, struct op *op, op_work_fn *run, void *context);

/* Asks that the op end soon.  Harmless for an idle or completed op. */
void proactor_cancel(struct proactor *proactor, struct op *op);

/* --- calls that do not wait --------------------------------------------------------------- */

/* shutdown(2): SHUT_RD, SHUT_WR or SHUT_RDWR.  0 or a negative errno. */
int proactor_shutdown(struct proactor *proactor, int fd, int how);

/* TCP_CORK (tcp(7)): from now on only full segments leave; `false`: and what was held back.
 * Harmless for a socket that knows no such thing. */
void proactor_cork(struct proactor *proactor, int fd, bool corked);

/* TCP_NOTSENT_LOWAT (tcp_notsent_lowat in the kernel's networking/ip-sysctl.rst): the socket takes
 * about this many bytes that cannot leave yet; 0: what the system's setting says.  Harmless for one
 * that knows no such thing. */
void proactor_bound_unsent(struct proactor *proactor, int fd, int length_max);

/* SIOCOUTQ (tcp(7)): bytes that the socket took and the peer has not acknowledged; 0 where that is
 * unknown. */
int proactor_unacknowledged_length(struct proactor *proactor, int fd);

/* SO_LINGER with 0 s (socket(7)): the close that follows resets the connection, and the kernel
 * frees what has not been acknowledged at once. */
void proactor_reset_at_close(struct proactor *proactor, int fd);

/* Whether reading these bytes of a file (at least one) will not wait for a disk, as far as can be
 * found out; false also when nobody can tell.  Never waits itself. */
bool proactor_is_in_memory(struct proactor *proactor, int file, uint64_t offset, uint64_t length);

/* Whether the file system of a descriptor that was opened by proactor_open_file() may keep calls
 * waiting, as one behind a network or a process may.  True until proactor_stat() has found out,
 * unless the file was opened beneath a local directory and no mount was crossed. */
bool proactor_may_be_late(const struct proactor *proactor, int fd);

/* The same is known of `fd` from now on as of `known`, if both are of one mount. */
void proactor_compare_mounts(struct proactor *proactor, int fd, int known);

/* getpeername(2).  0 or a negative errno. */
int proactor_peer_address(struct proactor *proactor, int fd, struct sockaddr_storage *address);

#endif
