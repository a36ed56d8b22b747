/* Status codes (RFC 9110 §15): reason phrases and the plain bodies of errors. */
#ifndef RINGLET_HTTP_STATUS_H
#define RINGLET_HTTP_STATUS_H

#include "base/text.h"

/* "Not Found"; "Unknown" for a code that has no entry. */
struct text status_reason(unsigned status);

/* "404 Not Found"; empty for a code that has no entry. */
struct text status_line(unsigned status);

/* "404 Not Found\n": the body of an error, text/plain, static memory. */
struct text status_body(unsigned status);

/* 1xx, 204 and 304 have no content (RFC 9110 §6.4.1). */
bool status_has_content(unsigned status);

#endif
