/* Answers with files.
 *
 * The order is that of RFC 9110 §13.2.2: conditions, then If-Range and Range, then the body. Fields
 * are added only once the status is decided.
 *
 * A body is a stack of sources: extents or a reader at the bottom, then the location's filters,
 * then, for several ranges, the heads of the parts. */
#include "endpoints/file_answer.h"

#include "files/condition.h"
#include "filters/byteranges.h"
#include "proactor/proactor.h"

enum { VALUE_SIZE = 128 }; /* Content-Range, and the media type of several parts */

struct answer {
	struct exchange *exchange;
	const struct file_delivery *delivery;
	const struct file_offer *offer;
	const struct representation *representation; /* the offer's */
	struct validators validators;
	time_t now;
	struct byteranges parts; /* the ranges to send; members but `set`: only for several */
};

static void add_field(struct answer *answer, struct text name, const struct buffer *value)
{
	exchange_add_field(answer->exchange, name, buffer_text(value));
}

/* --- ranges ------------------------------------------------------------------------------- */

static void add_accept_ranges(struct answer *answer)
{
	exchange_add_field(answer->exchange, text_literal("Accept-Ranges"), text_literal("bytes"));
}

/* Only GET has ranges (§14.2).  Two Range fields are ignored, because Range is no list.  A coded
 * file is not sent in several parts: no rule says whether the coding applies to each part or to the
 * whole. */
static enum range_outcome choose_ranges(struct answer *answer)
{
	enum range_outcome outcome;
	const struct text name = TEXT("Range");
	const struct request *request = &answer->exchange->request;
	const struct field *field = request_field(request, name);

	if (!field || request_field_after(request, name, field) || request->method != METHOD_GET ||
		!condition_allows_range(request, &answer->validators, answer->now))
		return RANGE_WHOLE;
	outcome = range_parse(&answer->parts.set, field->value, answer->representation->length);
	if (outcome == RANGE_PARTIAL && answer->parts.set.count > 1 &&
		answer->representation->coding.length > 0)
		return RANGE_WHOLE;
	return outcome;
}

static void answer_unsatisfiable(struct answer *answer)
{
	char memory[VALUE_SIZE];
	struct buffer value;

	buffer_init(&value, memory, sizeof(memory));
	range_append_unsatisfied(&value, answer->representation->length);
	add_field(answer, text_literal("Content-Range"), &value);
	add_accept_ranges(answer);
	exchange_answer_error(answer->exchange, 416);
}

/* --- bodies ------------------------------------------------------------------------------- */

/* Do the filters pass every byte unchanged?  If not, the file's validators, ranges and length do
 * not apply to the response. */
static bool is_kept(const struct file_delivery *delivery, const struct file_offer *offer)
{
	for (const struct filter *const *filter = delivery->filters; *filter; filter++) {
		if (filter_applies(*filter, offer->media_type))
			return false;
	}
	return true;
}

/* Returns NULL if out of memory; the inner body is released then. */
static struct body_source *add_filters(const struct file_delivery *delivery,
	const struct file_offer *offer, struct body_source *body, int64_t *length)
{
	for (const struct filter *const *filter = delivery->filters; *filter; filter++) {
		struct body_source *filtered;

		if (!filter_applies(*filter, offer->media_type))
			continue;
		filtered = (*filter)->open(body, length, offer->context);
		if (!filtered) {
			body->release(body);
			return NULL;
		}
		body = filtered;
	}
	return body;
}

/* As add_filters(). */
static struct body_source *add_part_heads(
	struct answer *answer, struct body_source *body, int64_t *length)
{
	struct byteranges *parts = &answer->parts;
	struct body_source *multipart = NULL;

	if (parts->set.count == 1)
		return body;
	parts->length = answer->representation->length;
	parts->media_type = answer->offer->media_type;
	if (byteranges_choose_boundary(parts) == 0)
		multipart = byteranges_open(body, parts, length);
	if (!multipart)
		body->release(body);
	return multipart;
}

/* --- fields ------------------------------------------------------------------------------- */

/* A 206 to If-Range omits the fields that the client has already (§15.3.7). */
static void add_description(struct answer *answer, bool is_partial)
{
	const struct representation *representation = answer->representation;
	bool is_known =
		is_partial && request_field(&answer->exchange->request, text_literal("If-Range"));

	if (!is_known && answer->parts.set.count == 1)
		exchange_add_field(
			answer->exchange, text_literal("Content-Type"), answer->offer->media_type);
	if (!is_known && representation->coding.length > 0)
		exchange_add_field(
			answer->exchange, text_literal("Content-Encoding"), representation->coding);
	if (!is_known)
		representation_add_last_modified(representation, answer->exchange, answer->now);
	representation_add_etag(representation, answer->exchange);
	add_accept_ranges(answer);
}

/* Content-Range, or the media type of several parts. */
static void add_range(struct answer *answer)
{
	const struct byteranges *parts = &answer->parts;
	char memory[VALUE_SIZE];
	struct buffer value;

	buffer_init(&value, memory, sizeof(memory));
	if (parts->set.count == 1) {
		range_append_content(&value, &parts->set.ranges[0], answer->representation->length);
		add_field(answer, text_literal("Content-Range"), &value);
	} else {
		byteranges_append_media_type(&value, parts);
		add_field(answer, text_literal("Content-Type"), &value);
	}
}

/* --- answers ------------------------------------------------------------------------------ */

static void answer_ranges(struct answer *answer, bool is_partial)
{
	const struct range_set *set = &answer->parts.set;
	int64_t length = (int64_t)range_set_length(set);
	struct body_source *body =
		answer->delivery->open(answer->exchange, answer->offer->content, set);

	if (body)
		body = add_filters(answer->delivery, answer->offer, body, &length);
	if (body)
		body = add_part_heads(answer, body, &length);
	if (!body) {
		exchange_answer_error(answer->exchange, 503);
		return;
	}
	if (is_partial)
		add_range(answer);
	add_description(answer, is_partial);
	exchange_answer(answer->exchange, is_partial ? 206 : 200, body, length);
}

static void answer_body(struct answer *answer)
{
	switch (choose_ranges(answer)) {
	case RANGE_WHOLE:
		range_set_whole(&answer->parts.set, answer->representation->length);
		answer_ranges(answer, false);
		break;
	case RANGE_PARTIAL:
		answer_ranges(answer, true);
		break;
	case RANGE_UNSATISFIABLE:
		answer_unsatisfiable(answer);
		break;
	}
}

/* Only the fields that a cache needs to keep using its copy (§15.4.5). */
static void answer_not_modified(struct answer *answer)
{
	representation_add_etag(answer->representation, answer->exchange);
	if (answer->representation->etag_length == 0)
		representation_add_last_modified(
			answer->representation, answer->exchange, answer->now);
	exchange_answer(answer->exchange, 304, NULL, 0);
}

void file_answer(struct exchange *exchange, const struct file_delivery *delivery,
	const struct file_offer *offer)
{
	const struct representation *representation = offer->representation;
	struct answer answer;

	if (!is_kept(delivery, offer)) {
		file_answer_page(exchange, delivery, offer, 200);
		return;
	}
	answer.exchange = exchange;
	answer.delivery = delivery;
	answer.offer = offer;
	answer.representation = representation;
	answer.validators.etag = representation_etag(representation);
	answer.validators.is_undated = !representation->is_dated;
	answer.validators.modified = representation->last_modified;
	answer.validators.modified_text = representation_last_modified(representation);
	answer.now = (time_t)(proactor_wall_ns(exchange->proactor) / 1000000000);
	exchange_describe_whole(exchange, offer->media_type, representation->length);
	if (offer->is_negotiated)
		exchange_add_field(exchange, text_literal("Vary"), text_literal("Accept-Encoding"));
	switch (condition_evaluate(&exchange->request, &answer.validators, answer.now)) {
	case CONDITION_PROCEED:
		answer_body(&answer);
		break;
	case CONDITION_NOT_MODIFIED:
		answer_not_modified(&answer);
		break;
	case CONDITION_FAILED:
		exchange_answer_error(exchange, 412);
		break;
	}
}

void file_answer_page(struct exchange *exchange, const struct file_delivery *delivery,
	const struct file_offer *offer, unsigned status)
{
	int64_t length = (int64_t)offer->representation->length;
	struct body_source *body;
	struct range_set whole;

	range_set_whole(&whole, offer->representation->length);
	body = delivery->open(exchange, offer->content, &whole);
	if (body)
		body = add_filters(delivery, offer, body, &length);
	if (!body) {
		exchange_answer_error(exchange, status < 400 ? 503 : status);
		return;
	}
	exchange_add_field(exchange, text_literal("Content-Type"), offer->media_type);
	exchange_answer(exchange, status, body, length);
}
