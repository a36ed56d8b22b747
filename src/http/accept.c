/* Accept and Accept-Encoding: lists of ranges with weights, in one or several fields (RFC 9110
 * §5.3, §5.6.1), taken apart at commas and semicolons that stand outside quotes. */
#include "http/accept.h"

#include <assert.h>
#include <errno.h>

enum {
	WEIGHT_MAX = 1000,
	ELEMENTS_MAX = 100, /* that are read: no client needs them, and each costs time */
};

struct preference {
	unsigned specificity; /* 0: nothing covers the type yet */
	unsigned weight;
};

/* The elements that were not looked at yet: the rest of a field, and the fields after it. */
struct walk {
	const struct request *request;
	struct text name;
	const struct field *field;
	struct text rest;
	unsigned count; /* of elements taken */
};

/* Index of the separator, or the length; a quoted string (§5.6.4) is passed over. */
static size_t find_separator(struct text text, char separator)
{
	size_t first = text_find(text, separator);
	size_t i = text_find(text_first(text, first), '"');
	bool quoted = false;

	for (; i < text.length; i++) {
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

/* Takes the next element of all fields of that name off: its range, without parameters, and its
 * weight.  False: there are no more. */
static bool take_preference(struct walk *walk, struct text *range, unsigned *weight)
{
	struct text element;

	do {
		if (walk->count++ == ELEMENTS_MAX)
			return false;
		while (walk->rest.length == 0) {
			walk->field = request_field_after(walk->request, walk->name, walk->field);
			if (!walk->field)
				return false;
			walk->rest = walk->field->value;
		}
		element = take_part(&walk->rest, ',');
		*range = take_part(&element, ';');
	} while (find_weight(weight, element) < 0);
	return true;
}

/* --- media types --------------------------------------------------------------------------- */

static void weigh(struct preference *preference, unsigned specificity, unsigned weight)
{
	if (specificity > preference->specificity)
		*preference = (struct preference){ specificity, weight };
	else if (specificity == preference->specificity && specificity > 0 &&
		 weight > preference->weight)
		preference->weight = weight;
}

/* In one pass over the fields, however many types are asked about. */
static void weigh_types(const struct request *request, struct preference *preferences,
	const struct text *media_types, size_t count)
{
	struct walk walk = { .request = request, .name = TEXT("Accept") };
	bool is_there = request_field(request, walk.name) != NULL;
	struct text range;
	unsigned weight;

	for (size_t i = 0; i < count; i++)
		preferences[i] = (struct preference){ !is_there, is_there ? 0 : WEIGHT_MAX };
	while (take_preference(&walk, &range, &weight)) {
		for (size_t i = 0; i < count; i++)
			weigh(&preferences[i], specificity_of(range, media_types[i]), weight);
	}
}

unsigned accept_weight(const struct request *request, struct text media_type)
{
	struct preference preference;

	weigh_types(request, &preference, &media_type, 1);
	return preference.weight;
}

bool accept_prefers(const struct request *request, struct text media_type, struct text other)
{
	const struct text media_types[] = { media_type, other };
	struct preference preferences[2];
	const struct preference *one = &preferences[0], *another = &preferences[1];

	weigh_types(request, preferences, media_types, 2);
	if (one->weight != another->weight)
		return one->weight > another->weight;
	return one->weight > 0 && one->specificity > another->specificity;
}

/* --- content codings ----------------------------------------------------------------------- */

enum { IDENTITY = 0 };

/* By the names that a response has for them. */
static const struct text CODINGS[ACCEPT_CODING_COUNT] = { TEXT("identity"), TEXT("gzip"),
	TEXT("br"), TEXT("zstd") };

/* ACCEPT_CODING_COUNT: it is none of them.  A coding has two names (RFC 9110 §8.4.1.3). */
static size_t coding_named(struct text name)
{
	size_t i = 0;

	if (text_equal_ignoring_case(name, text_literal("x-gzip")))
		name = text_literal("gzip");
	while (i < ACCEPT_CODING_COUNT && !text_equal_ignoring_case(name, CODINGS[i]))
		i++;
	return i;
}

void accept_codings_read(struct accept_codings *codings, const struct request *request)
{
	struct walk walk = { .request = request, .name = TEXT("Accept-Encoding") };
	/* The last is that of "*". */
	struct preference preferences[ACCEPT_CODING_COUNT + 1] = { 0 };
	const struct preference *others = &preferences[ACCEPT_CODING_COUNT];
	struct text range;
	unsigned weight;

	while (take_preference(&walk, &range, &weight)) {
		size_t i = coding_named(range);

		if (i < ACCEPT_CODING_COUNT || text_equal(range, text_literal("*")))
			weigh(&preferences[i], 1, weight);
	}
	for (size_t i = 0; i < ACCEPT_CODING_COUNT; i++)
		codings->weights[i] =
			preferences[i].specificity > 0 ? preferences[i].weight : others->weight;
	if (preferences[IDENTITY].specificity == 0 && others->specificity == 0)
		codings->weights[IDENTITY] = 1;
}

unsigned accept_codings_weight(const struct accept_codings *codings, struct text coding)
{
	size_t i = coding_named(coding);

	assert(i < ACCEPT_CODING_COUNT);
	return codings->weights[i];
}
