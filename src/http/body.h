/* Bodies: a request's is pushed into a sink and paid for, a response's is pulled from a source one
 * piece at a time.  Both are backpressure by construction. */
#ifndef RINGLET_HTTP_BODY_H
#define RINGLET_HTTP_BODY_H

#include <stdbool.h>

#include "base/text.h"

struct body_sink {
	/* The bytes are valid during the call only. */
	void (*received)(struct body_sink *sink, struct text bytes);

	/* Once, last, unless the exchange is answered before: 0, -EMSGSIZE, -EPROTO, -ECONNRESET or
	 * -ETIMEDOUT. */
	void (*ended)(struct body_sink *sink, int error);
};

enum body_outcome {
	BODY_PIECE, /* here is a piece, more may follow */
	BODY_LAST,  /* here is the last piece, possibly empty */
	BODY_LATER, /* nothing now: ready() will be called once */
};

/* Memory right before the bytes of a piece: what is sent first (a head) may stand there, so that
 * both are one range.  All who send the piece share it: only who is alone may change what is there,
 * the others may send it if it is what they would have written. */
struct headroom {
	unsigned user_count;
	char bytes[508]; /* what stands there ends with them; zeros at first */
};

struct body_piece {
	struct text bytes;         /* fd < 0: memory */
	struct headroom *headroom; /* before these; may be NULL */
	int fd;                    /* otherwise `length` bytes of this file from `offset` */
	uint64_t offset, length;
	bool is_continued; /* the next follows soon: what is there may wait for it, also the little
			      before a BODY_LATER */
};

struct body_source {
	/* Fills `piece` with at most length_max bytes.  An enum body_outcome, or a negative errno:
	 * the response is cut.  A piece is valid until the next produce() or release(); the
	 * consumer calls produce() only when the previous piece has left. */
	int (*produce)(struct body_source *source, struct body_piece *piece, size_t length_max);

	/* The consumer is done with it: once, at any time.  The source frees itself when its own
	 * ops have ended, and never calls ready() again. */
	void (*release)(struct body_source *source);

	/* Set by the consumer; once per BODY_LATER, never from inside produce(). */
	void (*ready)(struct body_source *source);
	void *consumer;
};

#endif
