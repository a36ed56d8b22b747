/* Accept and Accept-Encoding: lists of ranges with weights, in one or several fields (RFC 9110
 * §5.3, §5.6.1), taken apart at commas and semicolons that stand outside quotes. */
#include "http/accept.h"

#include <errno.h>

enum { WEIGHT_MAX = 1000 };

struct preference {
	unsigned specificity; /* 0: nothing covers the type yet */
	unsigned weight;
};

/* Index of the separator, or the length; a quoted string (§5.6.4) is passed over. */
static size_t find_separator(struct text text, char separator)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < text.length; i++) {
		if (text.bytes[i] == '"')
			quoted = !quoted;
		else if (quoted && text.bytes[i] == '\\')
			i++;
		else if (!quoted && text.bytes[i] == separator)
			return i;
	}
	return text.length;
}

/* Takes the text up to the separator off `rest`. */
static struct text take_part(struct text *rest, char separator)
{
	struct text part = text_first(*rest, find_separator(*rest, separator));

	*rest = text_from(*rest, part.length + 1);
	return text_trim(part);
}

/* "0.75" in thousandths: at most three digits after the point, and nothing beyond 1 (§12.4.2).  0
 * or -EINVAL. */
static int parse_weight(unsigned *weight, struct text text)
{
	unsigned sum = 0, factor = WEIGHT_MAX;

	if (text.length == 0 || text.length > 5 || (text.length > 1 && text.bytes[1] != '.'))
		return -EINVAL;
	for (size_t i = 0; i < text.length; i++) {
		char byte = text.bytes[i];

		if (i == 1)
			continue;
		if (byte < '0' || byte > '9')
			return -EINVAL;
		sum += (unsigned)(byte - '0') * factor;
		factor /= 10;
	}
	if (sum > WEIGHT_MAX)
		return -EINVAL;
	*weight = sum;
	return 0;
}

/* The weight among the parameters of an element; without one it is 1. */
static int find_weight(unsigned *weight, struct text parameters)
{
	*weight = WEIGHT_MAX;
	while (parameters.length > 0) {
		struct text parameter = take_part(&parameters, ';');

		if (text_equal_ignoring_case(text_first(parameter, 2), text_literal("q=")))
			return parse_weight(weight, text_from(parameter, 2));
	}
	return 0;
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
	unsigned weight;

	if (find_weight(&weight, element) < 0)
		return;
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

static struct preference preference_of(const struct request *request, struct text media_type)
{
	const struct text name = TEXT("Accept");

	if (!request_field(request, name))
		return (struct preference){ 1, WEIGHT_MAX };
	return weigh_all(request, name, media_type, specificity_of);
}

unsigned accept_weight(const struct request *request, struct text media_type)
{
	return preference_of(request, media_type).weight;
}

bool accept_prefers(const struct request *request, struct text media_type, struct text other)
{
	struct preference one = preference_of(request, media_type);
	struct preference another = preference_of(request, other);

	if (one.weight != another.weight)
		return one.weight > another.weight;
	return one.weight > 0 && one.specificity > another.specificity;
}

unsigned accept_encoding_weight(const struct request *request, struct text coding)
{
	struct preference preference =
		weigh_all(request, text_literal("Accept-Encoding"), coding, coding_specificity_of);
	bool is_identity = text_equal(coding, text_literal("identity"));

	return preference.specificity == 0 && is_identity ? 1 : preference.weight;
}
