/* What the files of the io_uring backend share.
 *
 *	uring_setup.c       the ring: how it is set up, what a refusal means, the probe
 *	uring.c             submission, completion, cancelling, the wait; ops of one request each
 *	uring_record.c      one record per descriptor that has a multishot request
 *	uring_accept.c      multishot accept, batches
 *	uring_receive.c     multishot receive, the buffer ring, loans and spills
 *	uring_send.c        sends, and waiting for a full socket
 *	uring_sendfile.c    zero copy: which way a file goes; sendfile(2), by turns
 *	uring_splice.c      zero copy by the ring: file → pipe → socket
 *	uring_pipe.c        the pipes that splices go through
 *
 * Every request carries in its user data whom its completion concerns: a pointer to an op or to a
 * descriptor's record, and in the low bits what kind of request it was.  What such a pointer names
 * lives until the completion has come; an op ends, and a record goes, only when none is due. */
#ifndef RINGLET_PROACTOR_URING_H
#define RINGLET_PROACTOR_URING_H

#include <liburing.h>

#include "base/block_pool.h"
#include "base/smaller.h"
#include "proactor/backend.h"
#include "proactor/page_cache.h"
#include "proactor/stretch.h"
#include "proactor/uring_pipe.h"

enum completion_tag {
	TAG_OP,        /* an op's request */
	TAG_FILL,      /* a sendfile's first hop: file to pipe */
	TAG_MULTISHOT, /* a record's accept or receive */
	TAG_STOP,      /* the cancelling of that */
	TAG_POOL,      /* the poll of the pool's event descriptor */
	TAG_NONE,      /* nobody: the cancelling of an op's request */
	TAG_MASK = 7,
};

/* What op->step says. */
enum op_step {
	STEP_MOVING,    /* a send; the second hop of a splice alone */
	STEP_CHAINED,   /* both hops of a splice, linked; a send and the close behind it */
	STEP_WAITING,   /* a poll for a full socket */
	STEP_QUEUED,    /* without request: a sendfile wants a pipe; it, or a read, wants a turn;
			   a file op wants a kernel worker */
	STEP_INSISTING, /* a file op that must not run inline: on a kernel worker */
};

/* The record of a descriptor that was given to accept or receive.  There is one per connection: its
 * size counts. */
struct record {
	int fd;
	int error;          /* came when nobody waited; told after what was kept */
	uint16_t in_flight; /* requests whose last completion is due */
	bool begun;         /* something was asked for already: from now on by multishots */
	bool armed;         /* the request lives */
	bool stopping;      /* its cancelling is under way */
	bool listening;     /* accept, not receive */
	bool closing;       /* whatever still comes is for nobody */
	struct op *op; /* the active accept or receive; or the close of a listener, which waits for
			  in_flight to become 0; or NULL */
	struct list_node node; /* in uring->due, ->resting, ->unsettled or ->orphans */
	union {
		struct list spill;         /* received while nobody waited */
		struct accepted *accepted; /* descriptors not yet delivered, or NULL */
	};
};

_Static_assert(sizeof(struct record) <= 56, "with what malloc() adds, 64 bytes");

/* The active accept or receive. */
static inline struct op *record_waiting(const struct record *record)
{
	return record->closing ? NULL : record->op;
}

/* Memory that the kernel receives into, known to it as one buffer ring. */
struct receive_buffers {
	struct io_uring_buf_ring *ring;
	char *bytes;
	unsigned count;
	unsigned length; /* of each */
};

struct uring {
	struct proactor proactor;
	struct io_uring ring;
	char features[256]; /* "single_issuer buffer_ring ..." */
	struct receive_buffers buffers;
	struct record **records; /* by fd; NULL where there is no record */
	size_t records_length;
	struct block_pool record_blocks;
	struct block_pool spill_blocks;
	struct block_pool message_blocks; /* msghdrs of sends of several ranges */
	struct list due;       /* receiving descriptors to be armed before the next enter */
	struct list resting;   /* before the one after it */
	struct list unsettled; /* listening descriptors to look at after the completions */
	struct list orphans;   /* records whose descriptor is closed before their requests end */
	struct accepted *accepted; /* a spare one */
	struct pipe_pool pipes;
	struct list pipe_waiters; /* sendfile ops that want a pipe */
	struct list turns;        /* reads, and sendfiles by calls, that go on in the next turn */
	uint64_t turn_share;      /* bytes that may still be moved in this turn */
	struct list insisters;    /* file ops that want a kernel worker */
	unsigned insisting_count; /* file ops that have one */
	struct page_cache page_cache;
	enum zero_copy zero_copy;
	bool accept_singly;
	bool skipped; /* the last turn did not enter the kernel */
	bool pool_watched;
};

static inline struct uring *uring_of(struct proactor *proactor)
{
	return container_of(proactor, struct uring, proactor);
}

/* --- uring_setup.c ------------------------------------------------------------------------ */

/* io_uring_queue_init_params(), or a stand-in of a test. */
typedef int ring_init_fn(unsigned entries, struct io_uring *ring, struct io_uring_params *params);

/* Steps down where the kernel refuses: fewer flags on -EINVAL, fewer entries on -ENOMEM.  0 with
 * what was granted in *features ("" for nothing special), or the last negative errno. */
int ring_init(struct io_uring *ring, unsigned entries, const char **features, ring_init_fn *init);

/* What refused, for the reason of a probe. */
struct refusal {
	const char *call;    /* "io_uring_setup" */
	const char *missing; /* the request the kernel does not know, or NULL */
	const char *features;
};

/* The ring with all that the backend needs of it, and its buffers.  0 or a negative errno. */
int ring_open(struct uring *uring, const struct proactor_options *options, struct refusal *refusal);
void ring_close(struct uring *uring);

/* "io_uring_setup says EPERM (cause); to allow it: remedy".  `disabled` is the value of
 * kernel.io_uring_disabled, -1 where there is no such thing. */
void refusal_explain(
	char *text, size_t size, const struct refusal *refusal, int error, int disabled);

/* --- uring.c ------------------------------------------------------------------------------ */

/* A request to fill in and then to sign; it goes to the kernel with the next enter.  Never fails.
 */
struct io_uring_sqe *uring_request(struct uring *uring);

static inline uint64_t uring_signature(enum completion_tag tag, const void *owner)
{
	return (uint64_t)(uintptr_t)owner | tag;
}

/* Whom its completion concerns; after preparing, which may overwrite it. */
static inline void uring_sign(struct io_uring_sqe *sqe, enum completion_tag tag, const void *owner)
{
	io_uring_sqe_set_data64(sqe, uring_signature(tag, owner));
}

/* Makes sure that the next `count` requests go to the kernel together. */
void uring_reserve(struct uring *uring, unsigned count);

/* Asks the kernel to cancel the request of that user data. */
void uring_cancel_request(struct uring *uring, enum completion_tag tag, void *owner);

/* Without a request, the op waits in that list. */
void uring_queue(struct op *op, struct list *list);

/* Takes from the turn's share what was moved, or is about to be. */
void uring_use_share(struct uring *uring, uint64_t length);

/* The request that closes op->fd. */
void uring_close_now(struct uring *uring, struct op *op);

/* --- uring_record.c ------------------------------------------------------------------- */

/* The record of fd: made when there is none (NULL: no memory), or only looked up. */
struct record *record_get(struct uring *uring, int fd);
struct record *record_find(const struct uring *uring, int fd);

/* Its multishot request, which the caller prepares, and signs as TAG_MULTISHOT. */
struct io_uring_sqe *record_arm(struct uring *uring, struct record *record);

/* Ends the multishot; what it still brings comes first. */
void record_stop(struct uring *uring, struct record *record);

void record_completed(struct uring *uring, struct record *record, int result, unsigned flags);
void record_stopped(struct uring *uring, struct record *record, int result);

/* The descriptor is about to be closed, and no listener: its record lives on, if it has to, as an
 * orphan. */
void record_leave(struct uring *uring, int fd);

/* The op is a close: of a descriptor with or without a record. */
void record_close(struct uring *uring, struct op *op);

/* All records, without regard to what is in flight: the ring is gone. */
void records_free(struct uring *uring);

/* --- uring_accept.c ----------------------------------------------------------------------- */

void accept_submit(struct uring *uring, struct op *op);
void accept_cancel(struct uring *uring, struct op *op);
void accept_completed(struct uring *uring, struct record *record, int result);
void accept_settle(struct uring *uring);
void accept_loan_ended(struct uring *uring, const int *fds);
void accept_discard(struct record *record);

/* --- uring_receive.c ---------------------------------------------------------------------- */

void receive_submit(struct uring *uring, struct op *op);
void receive_cancel(struct uring *uring, struct op *op);
void receive_completed(struct uring *uring, struct record *record, int result, unsigned flags);
void receive_arm_due(struct uring *uring);
void receive_loan_ended(struct uring *uring, const char *bytes);
void receive_discard(struct uring *uring, struct record *record);

/* The size of a block that keeps what one buffer of that length held. */
size_t receive_spill_size(unsigned buffer_length);

/* --- uring_send.c ------------------------------------------------------------------------- */

void send_submit(struct uring *uring, struct op *op);
void send_completed(struct uring *uring, struct op *op, int result);

/* Waits until the socket of the op takes bytes again. */
void socket_wait(struct uring *uring, struct op *op);

/* --- uring_sendfile.c --------------------------------------------------------------------- */

void sendfile_submit(struct uring *uring, struct op *op);
void sendfile_cancel(struct uring *uring, struct op *op);
void sendfile_completed(struct uring *uring, struct op *op, int result);

/* The next stretch, whichever way; the op has no request and no pipe. */
void sendfile_continue(struct uring *uring, struct op *op);

/* The next stretch by sendfile(2), now. */
void sendfile_inline(struct uring *uring, struct op *op);

/* --- uring_splice.c ----------------------------------------------------------------------- */

/* A pipeful.  False: the op waits for a pipe. */
bool splice_begin(struct uring *uring, struct op *op);

/* Completions of the first hop (only where it fell short) and of the second. */
void splice_filled(struct uring *uring, struct op *op, int result);
void splice_flushed(struct uring *uring, struct op *op, int result);

#endif
