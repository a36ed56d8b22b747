/* What a client would rather have (RFC 9110 §12.5): the fields Accept and Accept-Encoding, read in
 * one way.  The most specific range that covers a thing gives its weight, in thousandths; of ranges
 * that are alike the one that weighs more.  An element that is not understood, its weight for
 * instance, is as good as absent, and so is all behind the hundredth. */
#ifndef RINGLET_HTTP_ACCEPT_H
#define RINGLET_HTTP_ACCEPT_H

#include "http/request.h"

/* The weight that the Accept fields give a media type such as "text/plain": 0 when no range covers
 * it, 1000 when there is no Accept.  Parameters of ranges are passed over. */
unsigned accept_weight(const struct request *request, struct text media_type);

/* Would the client rather have the one media type than the other?  It weighs more; or as much, and
 * is named more exactly: who names JSON and takes anything else as well wishes for JSON. */
bool accept_prefers(const struct request *request, struct text media_type, struct text other);

/* The weights that the Accept-Encoding fields give the content codings that are known here:
 * identity, gzip, br and zstd. */
enum { ACCEPT_CODING_COUNT = 4 };
struct accept_codings {
	unsigned weights[ACCEPT_CODING_COUNT];
};

/* Reads the fields, in one pass: they may have thousands of elements. */
void accept_codings_read(struct accept_codings *codings, const struct request *request);

/* The weight of one of these codings (§12.5.3); 0: not acceptable.  "identity" that is neither
 * named nor covered by "*" weighs as little as can be: it is acceptable, after all that is asked
 * for. Without the field nothing else is. */
unsigned accept_codings_weight(const struct accept_codings *codings, struct text coding);

#endif
