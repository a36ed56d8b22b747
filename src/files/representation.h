/* What HTTP says of a file (RFC 9110 §8): its type, its length, its validators.  Immutable: a
 * changed file gets a new representation. */
#ifndef RINGLET_FILES_REPRESENTATION_H
#define RINGLET_FILES_REPRESENTATION_H

#include "files/etag.h"
#include "http/date.h"
#include "http/exchange.h"

enum { ETAG_LENGTH_MAX = 2 + ETAG_TEXT_MAX + 1 + 4 };

struct representation {
	struct text media_type;
	struct text coding; /* "gzip" (§8.4); empty: none */
	uint64_t length;
	bool is_dated;        /* has a Last-Modified; if not, the next two members mean nothing */
	time_t last_modified; /* never later than the Date of an answer made now */
	char last_modified_text[DATE_LENGTH];
	char etag[ETAG_LENGTH_MAX]; /* as sent */
	size_t etag_length;         /* 0: there is none */
};

/* `path` decides the media type; for a coded file it is the path of the original.  `now` is the
 * time of day.  `coding` has at most four letters and becomes a part of the tag, so that
 * representations in different codings have different tags. */
void representation_init(struct representation *representation, struct text path,
	struct text coding, const struct stat *stat, const struct etag *etag, time_t now);

/* The fields' values as sent, quotes included; valid as long as the representation. */
struct text representation_etag(const struct representation *representation);
struct text representation_last_modified(const struct representation *representation);

void representation_add_etag(
	const struct representation *representation, struct exchange *exchange);

/* Adds nothing if there is no date.  A date after `now`, the time of day, becomes `now`: the clock
 * may have been set back. */
void representation_add_last_modified(
	const struct representation *representation, struct exchange *exchange, time_t now);

#endif
