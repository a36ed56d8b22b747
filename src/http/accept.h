/* What a client would rather have (RFC 9110 §12.5.1). */
#ifndef RINGLET_HTTP_ACCEPT_H
#define RINGLET_HTTP_ACCEPT_H

#include "http/request.h"

/* The weight that the Accept fields give a media type such as "text/plain", in thousandths: that of
 * the most specific range that covers it, 0 when none does, 1000 when there is no Accept. */
unsigned accept_weight(const struct request *request, struct text media_type);

#endif
