/* A body that an endpoint writes: for answers longer than the response's own memory (statistics,
 * listings).  The endpoint takes one, writes into its buffer, and answers with it. */
#ifndef RINGLET_ENDPOINTS_GENERATED_H
#define RINGLET_ENDPOINTS_GENERATED_H

#include "base/buffer.h"
#include "http/exchange.h"

enum { GENERATED_LENGTH_MAX = 65536 };

struct generated_body {
	struct body_source source;
	struct buffer text; /* what has been written */
	char bytes[GENERATED_LENGTH_MAX];
};

/* NULL: out of memory. */
struct generated_body *generated_take(void);

/* Answers 200 with what was written; the body returns itself when it was sent.  What did not fit is
 * answered with 500, never with a part. */
void generated_answer(
	struct generated_body *body, struct exchange *exchange, struct text media_type);

#endif
