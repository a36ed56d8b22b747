/* What the parts of the epoll backend share; private to proactor/epoll*.c.
 *
 * An op on a socket is an attempt that is repeated until it ends.  Between attempts it stands in
 * one of two lists: among the `parked` of its descriptor, until epoll reports an edge, or among
 * the `ready`, each of which is tried once in every turn. */
#ifndef RINGLET_PROACTOR_EPOLL_H
#define RINGLET_PROACTOR_EPOLL_H

#include "base/block_pool.h"
#include "proactor/backend.h"
#include "proactor/page_cache.h"

/* What epoll knows of a descriptor.  Edges come once, so they are remembered here. */
struct epoll_descriptor {
	struct list parked;    /* ops that wait for an edge */
	struct list_node node; /* in epoll->unregistered */
	int fd;
	bool registered; /* with the epoll instance; lazily, before a wait with an op parked */
	bool readable;   /* bytes may be waiting: no receive has seen the end of them since */
	bool hung_up;    /* the end or an error waits behind them: no edge will come for it */
};

/* Records by descriptor number, in chunks that never move. */
struct epoll_descriptor_table {
	struct epoll_descriptor **chunks;
	size_t chunk_count;
};

struct epoll_proactor {
	struct proactor proactor;
	int epoll_fd;
	bool whole_milliseconds; /* the kernel has no epoll_pwait2(2) */
	unsigned skipped_count;  /* turns in a row that did not ask the kernel */
	struct epoll_descriptor_table descriptors;
	struct list unregistered; /* descriptors whose first op has parked since the last wait */
	struct list ready;        /* ops to be tried in the next turn, in this order */
	struct list reads;        /* those that want a share of a turn, in this order */
	uint64_t read_share;      /* bytes that may still be read in this turn */
	struct block_pool loans;  /* of receives: loan_count_max at a time */
	size_t loan_count_max;
	struct block_pool batches; /* of accepted descriptors */
	int accepts_per_batch;
	struct page_cache page_cache;
};

static inline struct epoll_proactor *epoll_proactor_of(struct proactor *proactor)
{
	return container_of(proactor, struct epoll_proactor, proactor);
}

/* --- epoll_descriptor.c ------------------------------------------------------------------- */

/* NULL when no op of this descriptor has come by yet. */
struct epoll_descriptor *epoll_descriptor_find(const struct epoll_descriptor_table *table, int fd);

/* Makes the record when there is none; NULL when the heap is exhausted. */
struct epoll_descriptor *epoll_descriptor_of(struct epoll_descriptor_table *table, int fd);

/* The number may mean another file from now on. */
void epoll_descriptor_reset(struct epoll_descriptor *descriptor);

void epoll_descriptor_table_free(struct epoll_descriptor_table *table);

/* --- epoll_socket.c ----------------------------------------------------------------------- */

/* What op->step says of a read or a sendfile. */
enum epoll_step {
	STEP_BEGUN,
	STEP_QUEUED,    /* a read that waits for its share of a turn */
	STEP_ON_THREAD, /* a part of a sendfile */
};

enum outcome {
	OUTCOME_ENDED,      /* op_complete() was called, or a thread goes on */
	OUTCOME_BLOCKED,    /* nothing more to be had before the next edge */
	OUTCOME_UNFINISHED, /* it could go on, but others have their turn first */
};

/* One attempt at an accept, receive, send, sendfile or poll. */
enum outcome epoll_try(
	struct epoll_proactor *epoll, struct epoll_descriptor *descriptor, struct op *op);

/* A thread has done a part of a sendfile: op->result says what came of it. */
enum outcome epoll_sendfile_returned(struct epoll_proactor *epoll, struct op *op);

/* The loans of receives and accepts. */
void epoll_loans_init(struct epoll_proactor *epoll, const struct proactor_options *options);
void epoll_loans_reset(struct epoll_proactor *epoll);
void epoll_loan_ended(struct proactor *proactor, enum op_kind kind, const void *loan);

/* --- epoll_file.c ------------------------------------------------------------------------- */

/* Carries out an open, stat, read, write, fsync, rename, unlink or the close of a file, or queues
 * it on the pool. */
void epoll_submit_file(struct proactor *proactor, struct op *op);

/* Queues the op, or the next part of a sendfile, on the pool. */
void epoll_hand_over(struct proactor *proactor, struct op *op);

/* A turn begins: its share of reads is first for those that waited for it. */
void epoll_share_turn(struct epoll_proactor *epoll);

/* Whether the op waits for that: nobody is at work on it. */
bool epoll_waits_for_turn(const struct op *op);

bool epoll_is_in_memory(struct proactor *proactor, int file, uint64_t offset, uint64_t length);

#endif
