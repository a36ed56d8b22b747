/* In which form a client wants an answer: a parameter of the query, or the field Accept. */
#ifndef RINGLET_HTTP_NEGOTIATION_H
#define RINGLET_HTTP_NEGOTIATION_H

#include "http/request.h"

/* The value of the first "name=value" of the query, as sent (no escape is decoded).  false: there
 * is no such parameter. */
bool query_find(struct text *value, struct text query, struct text name);

/* How much the client wants that media type, in thousandths (RFC 9110 §12.5.1): 0 when Accept does
 * not name it, or forbids it.  Ranges as those with a star name nothing. */
unsigned accept_quality(const struct request *request, struct text media_type);

#endif
