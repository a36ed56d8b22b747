/* The answer to a request for a file that was found: whole, in part, or not at all because the
 * client has it already. */
#ifndef RINGLET_ENDPOINTS_FILE_ANSWER_H
#define RINGLET_ENDPOINTS_FILE_ANSWER_H

#include "files/representation.h"
#include "filters/filter.h"
#include "http/range.h"

/* How the bytes of a location's files travel. */
struct file_delivery {
	/* Makes a body of these ranges of `fd`, which is the body's from now on.  NULL: out of
	 * memory, fd stays the caller's. */
	struct body_source *(*open)(struct proactor *proactor, int fd, const struct range_set *set);

	/* What the body passes through, the innermost first; ends with NULL. */
	const struct filter *const *filters;

	/* May a precompressed sibling be sent instead of the file? */
	bool has_siblings;
};

/* Answers, in any case.  Is the file, `fd`, the answer's body now?  If not, it is the caller's to
 * close. */
bool file_answer(struct exchange *exchange, const struct file_delivery *delivery,
	const struct representation *representation, int fd);

/* Answers with the whole file as the page of an error, about which its validators say nothing: the
 * same promises. */
bool file_answer_page(struct exchange *exchange, const struct file_delivery *delivery,
	const struct representation *representation, int fd, unsigned status);

#endif
