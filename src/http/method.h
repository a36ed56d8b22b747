/* Request methods (RFC 9110 §9) as a set of bits, so that "which are allowed" is one word. */
#ifndef RINGLET_HTTP_METHOD_H
#define RINGLET_HTTP_METHOD_H

#include "base/buffer.h"

enum method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_PATCH,
	METHOD_OPTIONS,
	METHOD_CONNECT,
	METHOD_TRACE,
	METHOD_UNKNOWN, /* a valid token that is none of these: 501 */
	METHOD_COUNT = METHOD_UNKNOWN,
};

#define METHOD_BIT(method) (1u << (method))

/* Methods are case-sensitive (RFC 9110 §9.1). */
enum method method_of(struct text name);
struct text method_name(enum method method); /* not of METHOD_UNKNOWN */

/* "GET, HEAD": the value of an Allow field (RFC 9110 §10.2.1). */
void method_append_allow(struct buffer *buffer, unsigned methods);

#endif
