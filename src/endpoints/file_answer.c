/* Answers with files.
 *
 * The order is that of RFC 9110 §13.2.2: conditions first, since what fails them needs no body.
 * Fields are added only when it is certain which answer they belong to. */
#include "endpoints/file_answer.h"

#include "http/condition.h"
#include "proactor/proactor.h"

/* NULL: out of memory, and the inner body has been released. */
static struct body_source *add_filters(
	const struct file_delivery *delivery, struct body_source *body, int64_t *length)
{
	for (const struct filter *const *filter = delivery->filters; *filter; filter++) {
		struct body_source *filtered = (*filter)->open(body, length);

		if (!filtered) {
			body->release(body);
			return NULL;
		}
		body = filtered;
	}
	return body;
}

static bool answer_whole(struct exchange *exchange, const struct file_delivery *delivery,
	const struct representation *representation, int fd)
{
	int64_t length = (int64_t)representation->length;
	struct body_source *body = delivery->open(exchange->proactor, fd, representation->length);

	if (!body) {
		exchange_answer_error(exchange, 503);
		return false;
	}
	body = add_filters(delivery, body, &length);
	if (!body) {
		exchange_answer_error(exchange, 503);
		return true;
	}
	representation_add_fields(representation, exchange);
	exchange_answer(exchange, 200, body, length);
	return true;
}

/* What a cache needs to go on with what it has, and nothing else (§15.4.5). */
static void answer_not_modified(
	struct exchange *exchange, const struct representation *representation)
{
	representation_add_etag(representation, exchange);
	exchange_answer(exchange, 304, NULL, 0);
}

bool file_answer(struct exchange *exchange, const struct file_delivery *delivery,
	const struct representation *representation, int fd)
{
	const struct validators validators = {
		.etag = representation_etag(representation),
		.modified = representation->last_modified,
	};
	time_t now = (time_t)(proactor_wall_ns(exchange->proactor) / 1000000000);

	switch (condition_evaluate(&exchange->request, &validators, now)) {
	case CONDITION_NOT_MODIFIED:
		answer_not_modified(exchange, representation);
		return false;
	case CONDITION_FAILED:
		exchange_answer_error(exchange, 412);
		return false;
	case CONDITION_PROCEED:
		break;
	}
	return answer_whole(exchange, delivery, representation, fd);
}
