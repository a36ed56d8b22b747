/* Accept and Accept-Encoding: lists of ranges with weights, in one or several fields.  Parameters
 * other than q are passed over; an element that is not understood is as good as absent. */
#include "http/accept.h"

enum { WEIGHT_MAX = 1000 };

struct preference {
	unsigned specificity; /* 0: nothing covers the type yet */
	unsigned weight;
};

/* Takes the text up to the separator off `rest`. */
static struct text take_part(struct text *rest, char separator)
{
	struct text part = text_first(*rest, text_find(*rest, separator));

	*rest = text_from(*rest, part.length + 1);
	return text_trim(part);
}

/* "0.75" in thousandths (RFC 9110 §12.4.2); what is no weight is 0. */
static unsigned parse_weight(struct text text)
{
	unsigned weight = 0, factor = WEIGHT_MAX;

	for (size_t i = 0; i < text.length; i++) {
		char byte = text.bytes[i];

		if (i == 1 && byte == '.')
			continue;
		if (byte < '0' || byte > '9' || i > 4)
			return 0;
		weight += (unsigned)(byte - '0') * factor;
		factor /= 10;
	}
	return weight <= WEIGHT_MAX ? weight : 0;
}

/* 3: the type itself; 2: all types of its kind; 1: every type; 0: others. */
static unsigned specificity_of(struct text range, struct text media_type)
{
	struct text major = text_first(media_type, text_find(media_type, '/') + 1);

	if (text_equal_ignoring_case(range, media_type))
		return 3;
	if (text_equal(range, text_literal("*/*")))
		return 1;
	if (range.length == major.length + 1 && range.bytes[major.length] == '*' &&
		text_equal_ignoring_case(text_first(range, major.length), major))
		return 2;
	return 0;
}

/* 2: the coding itself, by either of its names (§8.4.1.3); 1: any; 0: others. */
static unsigned coding_specificity_of(struct text range, struct text coding)
{
	if (text_equal_ignoring_case(range, text_literal("x-gzip")))
		range = text_literal("gzip");
	if (text_equal_ignoring_case(range, coding))
		return 2;
	return text_equal(range, text_literal("*")) ? 1 : 0;
}

typedef unsigned specificity_fn(struct text range, struct text wanted);

static void weigh(struct preference *preference, struct text element, struct text wanted,
	specificity_fn *specificity_in)
{
	struct text range = take_part(&element, ';');
	unsigned specificity = specificity_in(range, wanted);
	unsigned weight = WEIGHT_MAX;

	while (element.length > 0) {
		struct text parameter = take_part(&element, ';');

		if (text_equal_ignoring_case(text_first(parameter, 2), text_literal("q=")))
			weight = parse_weight(text_from(parameter, 2));
	}
	if (specificity > preference->specificity)
		*preference = (struct preference){ specificity, weight };
	else if (specificity == preference->specificity && specificity > 0 &&
		 weight > preference->weight)
		preference->weight = weight;
}

/* Over all elements of all fields of that name. */
static struct preference weigh_all(const struct request *request, struct text name,
	struct text wanted, specificity_fn *specificity_in)
{
	struct preference preference = { 0 };
	const struct field *field = NULL;

	while ((field = request_field_after(request, name, field))) {
		struct text value = field->value;

		while (value.length > 0)
			weigh(&preference, take_part(&value, ','), wanted, specificity_in);
	}
	return preference;
}

unsigned accept_weight(const struct request *request, struct text media_type)
{
	const struct text name = TEXT("Accept");

	if (!request_field(request, name))
		return WEIGHT_MAX;
	return weigh_all(request, name, media_type, specificity_of).weight;
}

unsigned accept_encoding_weight(const struct request *request, struct text coding)
{
	struct preference preference =
		weigh_all(request, text_literal("Accept-Encoding"), coding, coding_specificity_of);
	bool is_identity = text_equal(coding, text_literal("identity"));

	return preference.specificity == 0 && is_identity ? 1 : preference.weight;
}
