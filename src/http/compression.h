/* Which answers of a location are compressed on their way, and what that does to their fields
 * (RFC 9110 §8.4.1, §12.5.3).
 *
 * The coder comes from outside, since http knows no filters: the server hands it over when it makes
 * a location.  Compressed are answers of 200 and errors with a body, as long as the minimum or
 * longer, or of unknown length, whose media type is listed and that are not coded yet.  Left alone
 * are parts (206), bodies from the response's own memory, which are short, and what says
 * "Cache-Control: no-transform".  Wherever a client's Accept-Encoding could have decided, Vary says
 * so. */
#ifndef RINGLET_HTTP_COMPRESSION_H
#define RINGLET_HTTP_COMPRESSION_H

#include "base/settings.h"
#include "http/exchange.h"

struct body_coder {
	struct text name; /* of the content coding: "gzip" */

	/* Takes `inner` over, whose pieces must be memory; level is 1 to 9.  NULL: there is no
	 * room, inner stays the caller's. */
	struct body_source *(*open)(
		struct body_source *inner, struct proactor *proactor, unsigned level);
};

struct compression;

/* From the settings compress_types, compress_min_bytes and compress_level of a location.  0 or
 * -ENOMEM. */
int compression_new(struct compression **compression, const struct section *location,
	const struct body_coder *coder);
void compression_free(struct compression *compression);

/* The response has its status, its body and all its fields. */
void compression_apply(const struct compression *compression, struct exchange *exchange);

/* For the settings' tables: what is wrong with a list of media types. */
const char *compression_check_types(const char *const *strings, size_t count, size_t *wrong);

#endif
