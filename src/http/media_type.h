/* Media types by file name extension (RFC 9110 §8.3), from a table in this source. */
#ifndef RINGLET_HTTP_MEDIA_TYPE_H
#define RINGLET_HTTP_MEDIA_TYPE_H

#include "base/text.h"

/* "text/html; charset=utf-8" for "/a/index.html" (any case); "application/octet-stream" when the
 * extension is unknown or missing.  Static memory. */
struct text media_type_of(struct text path);

#endif
