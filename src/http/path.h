/* From a request target to a path (RFC 3986 §3.3, §5.2.4; RFC 9110 §4.2.3). */
#ifndef RINGLET_HTTP_PATH_H
#define RINGLET_HTTP_PATH_H

#include "base/buffer.h"

/* Percent-decodes `raw` (the target up to its "?") once, into `path`, and resolves "." and ".."
 * segments; ".." at the top stays at the top.  The result begins with "/"; a trailing slash, or a
 * last segment "." or "..", leaves a trailing slash; empty segments ("//") are merged into one
 * slash.  `path` must be empty; when it overflows, `truncated` is set and its contents are of no
 * use.  0; -EINVAL: no "/" at the beginning; -EILSEQ: a "%" without two hexadecimal digits; or
 * -EPERM: %2F, %00 or another control byte, escaped or not. */
int path_normalize(struct buffer *path, struct text raw);

/* The same for a `raw` that is relative to `path`, which is normal and ends in a slash. */
int path_resolve(struct buffer *path, struct text raw);

/* Is there a segment that begins with "."?  "/.well-known" at the top is not counted. */
bool path_has_dot_segment(struct text path);

/* The path as it may stand in a Location field: every byte that is not allowed in a path
 * (RFC 3986 §3.3) percent-encoded, never beginning with "//". */
void path_append_encoded(struct buffer *buffer, struct text path);

/* Do the segments of `prefix` begin `path`?  "/ping" begins "/ping" and "/ping/x", not "/pingx";
 * "/dynamic/" begins "/dynamic/x", not "/dynamic". */
bool path_begins_with(struct text path, struct text prefix);

#endif
