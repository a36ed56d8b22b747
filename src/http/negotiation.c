/* Lists taken apart at their separators: "a=b&c=d", "text/plain;q=0.5, application/json".  None of
 * what is looked for here contains a quoted string, so that none is looked out for. */
#include "http/negotiation.h"

/* The part before the separator; *rest goes on behind it. */
static struct text take_part(struct text *rest, char separator)
{
	size_t length = text_find(*rest, separator);
	struct text part = text_first(*rest, length);

	*rest = text_from(*rest, length + 1);
	return part;
}

bool query_find(struct text *value, struct text query, struct text name)
{
	while (query.length > 0) {
		struct text part = take_part(&query, '&');
		struct text key = take_part(&part, '=');

		if (text_equal(key, name)) {
			*value = part;
			return true;
		}
	}
	return false;
}

/* "0.75" in thousandths; what is no weight (RFC 9110 §12.4.2) counts as 1. */
static unsigned parse_weight(struct text weight)
{
	unsigned thousandths = 0, unit = 100;

	if (weight.length == 0 || weight.length > 5 || weight.bytes[0] != '0')
		return 1000;
	for (size_t i = 2; i < weight.length; i++, unit /= 10) {
		if (weight.bytes[i] < '0' || weight.bytes[i] > '9')
			return 1000;
		thousandths += (unsigned)(weight.bytes[i] - '0') * unit;
	}
	return thousandths;
}

static unsigned find_weight(struct text parameters)
{
	while (parameters.length > 0) {
		struct text value = text_trim(take_part(&parameters, ';'));
		struct text key = take_part(&value, '=');

		if (text_equal_ignoring_case(key, text_literal("q")))
			return parse_weight(value);
	}
	return 1000;
}

static unsigned quality_in(struct text list, struct text media_type)
{
	unsigned quality = 0;

	while (list.length > 0) {
		struct text parameters = take_part(&list, ',');
		struct text type = text_trim(take_part(&parameters, ';'));

		if (text_equal_ignoring_case(type, media_type))
			quality = find_weight(parameters);
	}
	return quality;
}

unsigned accept_quality(const struct request *request, struct text media_type)
{
	unsigned quality = 0;

	for (unsigned i = 0; i < request->field_count; i++) {
		const struct field *field = &request->fields[i];

		if (quality == 0 && text_equal_ignoring_case(field->name, text_literal("Accept")))
			quality = quality_in(field->value, media_type);
	}
	return quality;
}
