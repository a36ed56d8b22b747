/* What a file is to HTTP (RFC 9110 §8): its type, its length, its validators.  Immutable once made;
 * a rewrite of the file makes another one. */
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
	bool is_dated;        /* is there a Last-Modified?  Else what follows says nothing */
	time_t last_modified; /* never later than the Date of an answer made now */
	char last_modified_text[DATE_LENGTH];
	char etag[ETAG_LENGTH_MAX]; /* as sent */
	size_t etag_length;         /* 0: there is none */
};

/* `path` is for the media type only, and that of the original also for what is coded; `now` is the
 * time of day.  The coding is one of four letters at most.  Representations in different codings
 * have different tags, whatever `etag` says. */
void representation_init(struct representation *representation, struct text path,
	struct text coding, const struct stat *stat, const struct etag *etag, time_t now);

/* As sent, the tag's quotes included; valid as long as the representation. */
struct text representation_etag(const struct representation *representation);
struct text representation_last_modified(const struct representation *representation);

void representation_add_etag(
	const struct representation *representation, struct exchange *exchange);

/* Nothing without a date.  `now` is the time of day: the clock may have been set back since. */
void representation_add_last_modified(
	const struct representation *representation, struct exchange *exchange, time_t now);

#endif
