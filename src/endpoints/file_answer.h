/* The answer to a request for a file that was found: whole, in part, or not at all because the
 * client has it already. */
#ifndef RINGLET_ENDPOINTS_FILE_ANSWER_H
#define RINGLET_ENDPOINTS_FILE_ANSWER_H

#include "files/content.h"
#include "files/range.h"
#include "files/representation.h"
#include "filters/filter.h"

/* How the bytes of a location's files travel. */
struct file_delivery {
	/* Makes a body of these ranges of the content, which the body holds by itself.  NULL: out
	 * of memory. */
	struct body_source *(*open)(
		struct exchange *exchange, struct content *content, const struct range_set *set);

	/* What the body passes through, the innermost first; ends with NULL. */
	const struct filter *const *filters;

	/* May short files be sent from memory? */
	bool from_memory;

	/* May a precompressed sibling be sent instead of the file? */
	bool has_siblings;
};

/* A file that may be sent.  All of it stays the caller's. */
struct file_offer {
	const struct representation *representation;
	struct text media_type; /* as the site has it told; valid until the exchange is over */
	bool is_negotiated;     /* another one of the same could be chosen (RFC 9110 §12.5.5) */
	struct content *content;
	const struct filter_context *context; /* for the delivery's filters */
};

/* Answers, in any case. */
void file_answer(struct exchange *exchange, const struct file_delivery *delivery,
	const struct file_offer *offer);

/* Likewise, with the whole file and without its validators, which say nothing about it: the page of
 * an error, or with 200 what filters make of a file. */
void file_answer_page(struct exchange *exchange, const struct file_delivery *delivery,
	const struct file_offer *offer, unsigned status);

#endif
