/* A request body collected in memory: for endpoints that need it whole.
 *
 * The bytes stand in pooled blocks, one behind the other, so that memory grows with what has come
 * and never with what was announced.  Two bounds hold: the endpoint's for one body, and one for all
 * gathers of the worker together (limits.gathered_bytes).
 *
 *	gather = gather_new(exchange, state);
 *	gather_receive(gather, length_max, body_gathered);
 *
 * The endpoint owns the gather until it calls gather_free() or gather_answer(). */
#ifndef RINGLET_HTTP_GATHER_H
#define RINGLET_HTTP_GATHER_H

#include "base/list.h"
#include "http/exchange.h"

enum {
	GATHER_BLOCK_SIZE = 4096,
	GATHER_BLOCK_LENGTH = GATHER_BLOCK_SIZE - sizeof(struct list_node) - sizeof(size_t),
};

struct gather_block {
	struct list_node node;
	size_t length; /* of `bytes`; every block but the last is full */
	char bytes[GATHER_BLOCK_LENGTH];
};

struct gather;

/* Once.  status 0: the body is whole.  Otherwise the status to answer with: 400 (the body broke off
 * or was framed wrong), 408, 413, or 503 (no room).  When the client is gone, 400, too. */
typedef void gather_done_fn(struct gather *gather, unsigned status);

struct gather {
	struct exchange *exchange;
	void *context; /* the endpoint's */
	struct list blocks;
	uint64_t length;
	struct body_sink sink;
	gather_done_fn *done;
	struct body_source source; /* of gather_answer() */
	size_t sent_length;        /* of the first block */
};

/* The bound of all gathers together; until it is set there is none. */
void gather_limit(uint64_t length_max);

/* NULL: out of memory, nothing was answered. */
struct gather *gather_new(struct exchange *exchange, void *context);
void gather_free(struct gather *gather);

/* Appends bytes of the endpoint's own.  0, or -ENOBUFS: there is no room. */
int gather_append(struct gather *gather, struct text bytes);

/* Receives the request body, at most length_max bytes of it, behind what is there.  done() may run
 * before this returns. */
void gather_receive(struct gather *gather, uint64_t length_max, gather_done_fn *done);

/* Answers with all that is there; the gather is the response's from now on. */
void gather_answer(struct gather *gather, unsigned status, struct text media_type);

/* Frees the memory kept for later gathers. */
void gather_trim(void);

#endif
