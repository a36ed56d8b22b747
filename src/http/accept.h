/* What a client would rather have (RFC 9110 §12.5). */
#ifndef RINGLET_HTTP_ACCEPT_H
#define RINGLET_HTTP_ACCEPT_H

#include "http/request.h"

/* The weight that the Accept fields give a media type such as "text/plain", in thousandths: that of
 * the most specific range that covers it, 0 when none does, 1000 when there is no Accept. */
unsigned accept_weight(const struct request *request, struct text media_type);

/* The weight that the Accept-Encoding fields give a content coding such as "gzip", or "identity",
 * in thousandths (§12.5.3); 0: not acceptable.  "identity" that is not spoken of, nor covered by
 * "*", weighs as little as can be: it is acceptable, after all that is asked for.  Without the
 * field nothing else is. */
unsigned accept_encoding_weight(const struct request *request, struct text coding);

#endif
