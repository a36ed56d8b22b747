/* Media types by file name extension (RFC 9110 §8.3), from a table in this source. */
#ifndef RINGLET_HTTP_MEDIA_TYPE_H
#define RINGLET_HTTP_MEDIA_TYPE_H

#include "base/text.h"

/* "text/html; charset=utf-8" for "/a/index.html" (any case); "application/octet-stream" when the
 * extension is unknown or missing.  Static memory. */
struct text media_type_of(struct text path);

/* "text/html" of "text/html; charset=utf-8": the type without its parameters. */
struct text media_type_name(struct text media_type);

/* For the settings' tables: what is wrong with the name of a charset; an empty one is right. */
const char *media_type_check_charset(const char *const *strings, size_t count, size_t *wrong);

#endif
