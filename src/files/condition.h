/* Conditional requests (RFC 9110 §13): what the preconditions of a request say about the
 * representation at hand.  Pure: validators and fields in, a decision out. */
#ifndef RINGLET_FILES_CONDITION_H
#define RINGLET_FILES_CONDITION_H

#include <time.h>

#include "http/request.h"

/* Of the representation that would be sent (§8.8). */
struct validators {
	struct text etag;          /* as sent: quotes and "W/" included; empty: there is none */
	time_t modified;           /* what Last-Modified says */
	struct text modified_text; /* the same as sent; empty: not at hand */
	bool is_undated;           /* there is no Last-Modified */
};

enum condition_outcome {
	CONDITION_PROCEED,      /* as if there were no condition */
	CONDITION_NOT_MODIFIED, /* 304 */
	CONDITION_FAILED,       /* 412 */
};

/* If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of §13.2.2; for a
 * request that without them would be answered with 2xx.  `now` tells the century of a date that has
 * two digits for its year. */
enum condition_outcome condition_evaluate(
	const struct request *request, const struct validators *validators, time_t now);

/* May Range be looked at (§13.1.5)?  Yes without If-Range, or when it names this very
 * representation by a strong validator: an entity tag, or the date of a second that is over. */
bool condition_allows_range(
	const struct request *request, const struct validators *validators, time_t now);

#endif
