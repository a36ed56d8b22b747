/* One asynchronous call: what to do, and whom to tell.
 *
 * An op is embedded in its owner, which finds itself again with container_of().  The owner sets
 * `done` once (op_init), hands the op to one of the functions of proactor.h, and must leave it and
 * the memory it names alone until done() runs.  Then op->result says what happened, and all of it
 * is the owner's again; done() may submit the same op anew. */
#ifndef RINGLET_PROACTOR_OP_H
#define RINGLET_PROACTOR_OP_H

#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/list.h"
#include "base/text.h"

struct proactor;
struct op;
struct pipe_pair;

typedef void op_done_fn(struct proactor *proactor, struct op *op);
typedef int64_t op_work_fn(void *context);
typedef void *op_memory_fn(struct op *op);

enum op_kind {
	OP_ACCEPT,
	OP_RECEIVE,
	OP_SEND,
	OP_SENDFILE,
	OP_OPEN,
	OP_STAT,
	OP_READ,
	OP_WRITE,
	OP_FSYNC,
	OP_RENAME,
	OP_UNLINK,
	OP_CLOSE,
	OP_POLL,
	OP_TIMEOUT,
	OP_WAKE,
	OP_WORK,
};

/* IDLE → SUBMITTED (the backend's) → COMPLETED (waits for its done()) → IDLE.  Only proactor.c
 * writes it. */
enum op_state { OP_IDLE, OP_SUBMITTED, OP_COMPLETED };

struct op {
	op_done_fn *done;
	struct list_node node; /* the proactor's, while not idle */
	union {
		int64_t result;                /* what the call returned, or a negative errno */
		int64_t (*run)(struct op *op); /* pool.c's: what a thread is to do */
	};
	uint64_t moved;     /* bytes that reached the socket so far (send, sendfile) */
	int fd;             /* the descriptor worked on; a directory for open, rename, unlink */
	uint8_t kind;       /* enum op_kind */
	uint8_t state : 2;  /* enum op_state */
	bool cancelled : 1; /* proactor_cancel() was called */
	bool is_late : 1;   /* its file system may keep it waiting: it must not run in the loop */
	bool is_queued;     /* pool.c's: no thread has begun with it */
	uint8_t step;       /* the backend's: where a chain of kernel requests stands */
	union {
		/* result: how many descriptors are in fds; they are valid during done(). */
		struct {
			const int *fds;
		} accept;
		/* result: loan.length, 0 at the end of the stream; a loan ends with done(). */
		struct {
			struct text loan;
		} receive;
		/* The vector is used up while sending: its entries change. */
		struct {
			struct iovec *vector;
			unsigned vector_count;
			bool more;              /* more bytes follow at once (MSG_MORE) */
			bool last;              /* nothing follows: may be closed with it */
			bool closed;            /* result >= 0: it was */
			struct msghdr *message; /* uring_send.c's */
		} send;
		struct {
			int file;
			bool more;
			uint8_t halvings; /* uring_sendfile.c's: of what is tried at once */
			uint64_t offset, length;
			uint64_t in_memory_end; /* uring_sendfile.c's: where it looked up to */
			struct pipe_pair *pipe; /* uring_splice.c's */
		} sendfile;
		struct {
			const char *path;
			struct open_how how;
		} open;
		struct {
			struct stat *stat;
			bool is_local; /* of a late op: it need not have been one */
		} stat;
		struct {
			void *bytes; /* NULL: to be asked for */
			op_memory_fn *memory;
			size_t length;
			uint64_t offset;
		} read;
		struct {
			const void *bytes;
			size_t length;
			uint64_t offset; /* OP_APPEND: where the file's own position is */
		} write;
		struct {
			const char *from, *to; /* both beneath op.fd */
			unsigned flags;        /* RENAME_NOREPLACE and the like */
		} rename;
		struct {
			const char *path;
			int flags; /* 0 or AT_REMOVEDIR */
		} unlink;
		struct {
			short events; /* POLLIN, POLLOUT; result: the events that came */
		} poll;
		struct {
			uint64_t due_ns;
		} timeout;
		struct {
			bool woken;
		} wake;
		struct {
			op_work_fn *run;
			void *context;
		} work;
	};
};

#define OP_APPEND UINT64_MAX

static inline void op_init(struct op *op, op_done_fn *done)
{
	*op = (struct op){ .done = done, .fd = -1 };
	list_node_init(&op->node);
}

/* Between submission and done(). */
static inline bool op_is_active(const struct op *op)
{
	return op->state != OP_IDLE;
}

#endif
