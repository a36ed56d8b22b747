/* What directives write: facts of the request, times, sizes, and how they are encoded. */
#ifndef RINGLET_FILTERS_SSI_VALUE_H
#define RINGLET_FILTERS_SSI_VALUE_H

#include <time.h>

#include "http/exchange.h"

/* --- the request -------------------------------------------------------------------------- */

/* What directives may ask of the request, copied. */
struct ssi_request;

/* `document` is the path of the file that was asked for, without a leading slash.  NULL: out of
 * memory. */
struct ssi_request *ssi_request_new(struct exchange *exchange, struct text document);
void ssi_request_free(struct ssi_request *request);

/* REMOTE_ADDR, REQUEST_URI, QUERY_STRING, DOCUMENT_URI or HTTP_NAME (the first field of that name,
 * "_" for "-"), in any case.  False: there is none. */
bool ssi_request_find(const struct ssi_request *request, struct text name, struct text *value);

/* --- times and sizes ---------------------------------------------------------------------- */

/* As strftime(3) has it, in the C locale; "%s" alone is the seconds since 1970.  0, or -ENOBUFS:
 * what the format makes is longer than there is room for, or nothing. */
int ssi_append_time(struct buffer *buffer, const char *format, time_t time, bool is_local);

/* "999", "1.5K", "12K", "3.4M": rounded to two digits, units are powers of 1024. */
void ssi_append_size(struct buffer *buffer, uint64_t size);

/* --- encoding ----------------------------------------------------------------------------- */

enum ssi_encoding {
	SSI_ENCODING_ENTITY, /* for HTML: & < > " ' are references */
	SSI_ENCODING_URL, /* for a part of a URL: all but unreserved (RFC 3986 §2.3) is escaped */
	SSI_ENCODING_NONE,
};

/* "entity", "url" or "none".  0 or -EINVAL. */
int ssi_encoding_of(enum ssi_encoding *encoding, struct text name);

/* Takes from the front of *rest as much as there is room for when encoded (6 bytes of room are
 * enough for something), and appends that. */
void ssi_append_encoded(struct buffer *buffer, struct text *rest, enum ssi_encoding encoding);

#endif
