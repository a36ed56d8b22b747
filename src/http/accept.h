/* What a client would rather have (RFC 9110 §12.5): the fields Accept and Accept-Encoding, read in
 * one way.  The most specific range that covers a thing gives its weight, in thousandths; of ranges
 * that are alike the one that weighs more.  An element that is not understood, its weight for
 * instance, is as good as absent. */
#ifndef RINGLET_HTTP_ACCEPT_H
#define RINGLET_HTTP_ACCEPT_H

#include "http/request.h"

/* The weight that the Accept fields give a media type such as "text/plain": 0 when no range covers
 * it, 1000 when there is no Accept.  Parameters of ranges are passed over. */
unsigned accept_weight(const struct request *request, struct text media_type);

/* Would the client rather have the one media type than the other?  It weighs more; or as much, and
 * is named more exactly: who names JSON and takes anything else as well wishes for JSON. */
bool accept_prefers(const struct request *request, struct text media_type, struct text other);

/* The weight that the Accept-Encoding fields give a content coding such as "gzip", or "identity"
 * (§12.5.3); 0: not acceptable.  "identity" that is not spoken of, nor covered by "*", weighs as
 * little as can be: it is acceptable, after all that is asked for.  Without the field nothing else
 * is. */
unsigned accept_encoding_weight(const struct request *request, struct text coding);

#endif
