/* The Range field.
 *
 * A field that is not well-formed, or asks for more ranges than anybody needs, is as if it were not
 * there (§14.2 leaves that to the server): the whole representation is a right answer, too.  Since
 * ranges that touch are joined, a response is never much longer than the representation, however
 * the ranges were chosen. */
#include "files/range.h"

#include <errno.h>

#include "base/smaller.h"

/* A position beyond 64 bits is beyond every end. */
static bool parse_position(uint64_t *position, struct text digits)
{
	int r = text_to_number(position, digits);

	if (r == -ERANGE)
		*position = UINT64_MAX;
	return r != -EINVAL;
}

/* "-5": the last five bytes.  Satisfiable unless it asks for none of them (§14.1.2). */
static bool parse_suffix(
	struct range *range, bool *satisfiable, struct text digits, uint64_t length)
{
	uint64_t count;

	if (!parse_position(&count, digits))
		return false;
	*satisfiable = count > 0;
	count = smaller(count, length);
	*range = (struct range){ length - count, count };
	return true;
}

/* "5-9" or "5-". */
static bool parse_positions(struct range *range, bool *satisfiable, struct text first,
	struct text last, uint64_t length)
{
	uint64_t start, end = UINT64_MAX;

	if (!parse_position(&start, first) || (last.length > 0 && !parse_position(&end, last)) ||
		end < start)
		return false;
	*satisfiable = start < length;
	if (*satisfiable)
		*range = (struct range){ start, smaller(end, length - 1) - start + 1 };
	return true;
}

/* False: this is no range. */
static bool parse_spec(struct range *range, bool *satisfiable, struct text spec, uint64_t length)
{
	size_t dash = text_find(spec, '-');
	struct text first = text_first(spec, dash), last = text_from(spec, dash + 1);

	if (dash == spec.length)
		return false;
	if (first.length == 0)
		return parse_suffix(range, satisfiable, last, length);
	return parse_positions(range, satisfiable, first, last, length);
}

static bool touch(const struct range *a, const struct range *b)
{
	return a->offset <= b->offset + b->length && b->offset <= a->offset + a->length;
}

static struct range join(const struct range *a, const struct range *b)
{
	uint64_t start = smaller(a->offset, b->offset);
	uint64_t a_end = a->offset + a->length, b_end = b->offset + b->length;

	return (struct range){ start, (a_end > b_end ? a_end : b_end) - start };
}

/* Those in the set do not touch each other, so the union with `range` touches exactly those that
 * `range` itself does: once through is enough. */
static void add(struct range_set *set, struct range range)
{
	unsigned count = 0, place = RANGE_COUNT_MAX;

	for (unsigned i = 0; i < set->count; i++) {
		struct range other = set->ranges[i];

		if (!touch(&other, &range)) {
			set->ranges[count++] = other;
			continue;
		}
		range = join(&other, &range);
		if (place == RANGE_COUNT_MAX)
			place = count++;
	}
	if (place == RANGE_COUNT_MAX)
		place = count++;
	set->ranges[place] = range;
	set->count = count;
}

static bool take_unit(struct text *value)
{
	const struct text unit = TEXT("bytes=");

	if (!text_equal_ignoring_case(text_first(*value, unit.length), unit))
		return false;
	*value = text_from(*value, unit.length);
	return true;
}

enum range_outcome range_parse(struct range_set *set, struct text value, uint64_t length)
{
	unsigned asked_count = 0, satisfiable_count = 0;

	set->count = 0;
	if (!take_unit(&value))
		return RANGE_WHOLE;
	while (value.length > 0) {
		struct text spec = text_take(&value, ',');
		struct range range;
		bool satisfiable;

		if (spec.length == 0)
			continue;
		if (++asked_count > RANGE_COUNT_MAX ||
			!parse_spec(&range, &satisfiable, spec, length))
			return RANGE_WHOLE;
		satisfiable_count += satisfiable;
		if (satisfiable)
			add(set, range);
	}
	if (asked_count == 0)
		return RANGE_WHOLE;
	if (satisfiable_count == 0)
		return RANGE_UNSATISFIABLE;
	/* The last five bytes of nothing are nothing, which no Content-Range can say. */
	return length == 0 ? RANGE_WHOLE : RANGE_PARTIAL;
}

void range_set_whole(struct range_set *set, uint64_t length)
{
	set->count = 1;
	set->ranges[0] = (struct range){ 0, length };
}

uint64_t range_set_length(const struct range_set *set)
{
	uint64_t length = 0;

	for (unsigned i = 0; i < set->count; i++)
		length += set->ranges[i].length;
	return length;
}

void range_append_content(struct buffer *buffer, const struct range *range, uint64_t length)
{
	buffer_append(buffer, text_literal("bytes "));
	buffer_append_number(buffer, range->offset);
	buffer_append_byte(buffer, '-');
	buffer_append_number(buffer, range->offset + range->length - 1);
	buffer_append_byte(buffer, '/');
	buffer_append_number(buffer, length);
}

void range_append_unsatisfied(struct buffer *buffer, uint64_t length)
{
	buffer_append(buffer, text_literal("bytes */"));
	buffer_append_number(buffer, length);
}
