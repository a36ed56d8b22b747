/* Accept: a list of ranges with weights, in one or several fields.  Parameters other than q are
 * passed over; an element that is not understood is as good as absent. */
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

static void weigh(struct preference *preference, struct text element, struct text media_type)
{
	struct text range = take_part(&element, ';');
	unsigned specificity = specificity_of(range, media_type);
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

unsigned accept_weight(const struct request *request, struct text media_type)
{
	const struct text name = TEXT("Accept");
	struct preference preference = { 0 };
	const struct field *field = request_field(request, name);

	if (!field)
		return WEIGHT_MAX;
	for (; field; field = request_field_after(request, name, field)) {
		struct text value = field->value;

		while (value.length > 0)
			weigh(&preference, take_part(&value, ','), media_type);
	}
	return preference.weight;
}
