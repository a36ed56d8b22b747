/* The answer to a request for a file that exists: the whole file, ranges of it, or 304 because the
 * client has a copy. */
#ifndef RINGLET_ENDPOINTS_FILE_ANSWER_H
#define RINGLET_ENDPOINTS_FILE_ANSWER_H

#include "files/content.h"
#include "files/range.h"
#include "files/representation.h"
#include "filters/filter.h"

/* How a location sends the bytes of its files. */
struct file_delivery {
	/* Makes a body of these ranges of the content; the body takes a reference.  NULL: out of
	 * memory. */
	struct body_source *(*open)(
		struct exchange *exchange, struct content *content, const struct range_set *set);

	/* The filters of the body, the innermost first; ends with NULL. */
	const struct filter *const *filters;

	/* Should the cache hold short files in memory? */
	bool from_memory;

	/* May a precompressed sibling be sent instead of the file? */
	bool has_siblings;
};

/* A file to send.  Its members stay the caller's. */
struct file_offer {
	const struct representation *representation;
	struct text media_type; /* with the location's charset; valid until the exchange ends */
	bool is_negotiated;     /* Accept-Encoding may choose another (RFC 9110 §12.5.5) */
	struct content *content;
	const struct filter_context *context; /* for the delivery's filters */
};

/* Always answers: with an error if out of memory. */
void file_answer(struct exchange *exchange, const struct file_delivery *delivery,
	const struct file_offer *offer);

/* Answers with the whole file, without validators: the page of an error, or, with 200, a file that
 * a filter changes. */
void file_answer_page(struct exchange *exchange, const struct file_delivery *delivery,
	const struct file_offer *offer, unsigned status);

#endif
