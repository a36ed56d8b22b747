/* What a backend is, private to this folder.
 *
 * proactor.c owns what is the same everywhere: op states, the queue of completed ops, timeouts and
 * deadlines, waking from other threads, the loop.  A backend embeds a struct proactor as its first
 * member, makes ops happen and hands them back with op_complete(), which never calls done()
 * itself: the loop does, after wait() has returned. */
#ifndef RINGLET_PROACTOR_BACKEND_H
#define RINGLET_PROACTOR_BACKEND_H

#include "proactor/file_system.h"
#include "proactor/pool.h"
#include "proactor/proactor.h"

struct backend {
	const char *name;

	/* Frees the whole object. */
	void (*free)(struct proactor *);

	/* Begins the op.  It may be completed at once (op_complete).  OP_TIMEOUT, OP_WAKE and
	 * OP_WORK do not come here: proactor.c serves them. */
	void (*submit)(struct proactor *, struct op *);

	/* Called at most once per submission, only while the op is SUBMITTED. */
	void (*cancel)(struct proactor *, struct op *);

	/* Submits what is pending, waits at most wait_ns_max (0: not at all) until something
	 * happens or the pool's event descriptor is readable, completes ops.  0 or a negative errno
	 * that ends the loop. */
	int (*wait)(struct proactor *, uint64_t wait_ns_max);

	/* NULL, or called when done() of a receive or accept has returned that lent its owner
	 * something (result > 0): `loan` is receive.loan.bytes or accept.fds.  The op may have been
	 * submitted anew or be gone. */
	void (*loan_ended)(struct proactor *, enum op_kind kind, const void *loan);

	/* Monotonic and wall-clock time in ns. */
	uint64_t (*monotonic_ns)(struct proactor *);
	int64_t (*wall_ns)(struct proactor *);

	int (*shutdown)(struct proactor *, int fd, int how);
	int (*peer_address)(struct proactor *, int fd, struct sockaddr_storage *);
	void (*set_tcp_option)(struct proactor *, int fd, int option, int value); /* NULL: none */
	int (*unacknowledged_length)(struct proactor *, int fd);
	void (*reset_at_close)(struct proactor *, int fd);
	bool (*is_in_memory)(struct proactor *, int file, uint64_t offset, uint64_t length);

	/* Runs work ops: on the thread pool, or (simulated) in wait(). */
	void (*work)(struct proactor *, struct op *);
};

struct proactor {
	const struct backend *backend;
	const char *features;        /* what the kernel grants, in words; NULL: nothing to say */
	struct list completed;       /* ops whose done() is due */
	struct list timeouts;        /* OP_TIMEOUT, the next due first */
	struct list deadline_queues; /* of deadline.h */
	uint64_t none_due_before_ns; /* no deadline; UINT64_MAX: none runs */
	struct list wakes;           /* OP_WAKE ops waiting */
	struct pool *pool;           /* also the way in for other threads */
	struct descriptor_set late;  /* see proactor_may_be_late() */
	size_t active_count;
	uint64_t now_ns;
	int64_t wall_ns;
	uint64_t wall_due_ns; /* when the time of day is to be read anew */
	bool stopping;
};

/* Bytes of reads that a turn begins: what was read is sent before it falls out of the processor's
 * caches, and everybody else has a turn. */
enum { TURN_READ_LENGTH_MAX = 256 * 1024 };

/* The members above; called first by a backend's constructor.  0 or a negative errno. */
int proactor_init(struct proactor *proactor, const struct backend *backend, unsigned thread_count);

/* Undoes proactor_init(): ends the pool's threads. */
void proactor_reset(struct proactor *proactor);

/* The op is over; its done() will run from the loop.  Counts what is counted per kind of op, from
 * METRIC_ACCEPTS to METRIC_WRITES; how it was done (sendfile calls, splices, waits) is for the
 * backend to count. */
void op_complete(struct proactor *proactor, struct op *op, int64_t result);

/* A read begins: is there memory for it?  If not, the op is over. */
bool op_take_memory(struct proactor *proactor, struct op *op);

/* An errno of accept(2) that concerns one connection, which is gone, and says nothing about the
 * next: a backend accepts on. */
bool accept_error_passes(int error);

/* Shared by the two real backends: the clocks, calls that do not wait, the pool. */
uint64_t real_monotonic_ns(struct proactor *proactor);
int64_t real_wall_ns(struct proactor *proactor);
int real_shutdown(struct proactor *proactor, int fd, int how);
int real_peer_address(struct proactor *proactor, int fd, struct sockaddr_storage *address);
void real_set_tcp_option(struct proactor *proactor, int fd, int option, int value);
int real_unacknowledged_length(struct proactor *proactor, int fd);
void real_reset_at_close(struct proactor *proactor, int fd);
void real_work(struct proactor *proactor, struct op *op);

/* fstat(2) at once, or on a thread where that may wait.  Finds out whether it may. */
void real_stat(struct proactor *proactor, struct op *op);

/* Whether an open, whose result is set, was refused because it would have crossed a mount. */
bool op_meets_mount(const struct op *op);

/* Completes what the pool finished; for when pool_event_fd() is readable.  Ops that are not over
 * are moved to `unfinished`: sendfiles, of which a thread does a part, and opens that met a mount.
 */
void real_collect(struct proactor *proactor, struct list *unfinished);

/* The constructors, one per backend. */
int epoll_open(struct proactor **proactor, const struct proactor_options *options);
int uring_open(struct proactor **proactor, const struct proactor_options *options);

#endif
