/* Preconditions.
 *
 * A date that cannot be read, or that comes twice, is as if it were not there (§13.1.3, §13.1.4).
 * An entity tag that cannot be read matches nothing, nor does what follows it, since a comma may be
 * part of a tag: If-None-Match then gets the whole representation and If-Match 412, which both are
 * on the safe side. */
#include "files/condition.h"

#include "http/date.h"

/* --- entity tags (§8.8.3) ----------------------------------------------------------------- */

struct entity_tag {
	bool weak;
	struct text opaque; /* quotes included */
};

/* Takes the tag that `rest` begins with. */
static bool take_entity_tag(struct text *rest, struct entity_tag *tag)
{
	struct text quoted = *rest;
	size_t length;

	tag->weak = text_starts_with(*rest, text_literal("W/"));
	if (tag->weak)
		quoted = text_from(quoted, 2);
	if (!text_starts_with(quoted, text_literal("\"")))
		return false;
	length = text_find(text_from(quoted, 1), '"') + 2;
	if (length > quoted.length)
		return false;
	tag->opaque = text_first(quoted, length);
	*rest = text_from(quoted, length);
	return true;
}

/* §8.8.3.2: weakly, the opaque parts decide; strongly, neither may be weak. */
static bool tags_match(const struct entity_tag *a, const struct entity_tag *b, bool weakly)
{
	return (weakly || (!a->weak && !b->weak)) && text_equal(a->opaque, b->opaque);
}

static struct text skip_separators(struct text list)
{
	while (list.length > 0 &&
		(list.bytes[0] == ',' || list.bytes[0] == ' ' || list.bytes[0] == '\t'))
		list = text_from(list, 1);
	return list;
}

static bool list_matches(struct text list, struct text etag, bool weakly)
{
	struct entity_tag mine, theirs;

	if (text_equal(list, text_literal("*")))
		return true;
	if (!take_entity_tag(&etag, &mine))
		return false;
	for (list = skip_separators(list); list.length > 0; list = skip_separators(list)) {
		if (!take_entity_tag(&list, &theirs))
			return false;
		if (tags_match(&mine, &theirs, weakly))
			return true;
	}
	return false;
}

/* Does any line of that field name the representation? */
static bool is_named(const struct request *request, struct text name, struct text etag, bool weakly)
{
	const struct field *field = NULL;

	while ((field = request_field_after(request, name, field))) {
		if (list_matches(field->value, etag, weakly))
			return true;
	}
	return false;
}

/* --- dates -------------------------------------------------------------------------------- */

static const struct field *only_field(const struct request *request, struct text name)
{
	const struct field *field = request_field(request, name);

	return field && !request_field_after(request, name, field) ? field : NULL;
}

/* Most clients say what they were told, which needs no reading. */
static bool read_date(
	time_t *date, struct text value, const struct validators *validators, time_t now)
{
	if (value.length == 0 || !text_equal(value, validators->modified_text))
		return date_parse(date, value, now) == 0;
	*date = validators->modified;
	return true;
}

/* The date in that field; false: there is none that counts, or none to compare it with. */
static bool field_date(const struct request *request, struct text name, time_t *date,
	const struct validators *validators, time_t now)
{
	const struct field *field = validators->is_undated ? NULL : only_field(request, name);

	return field && read_date(date, field->value, validators, now);
}

static bool is_modified_since(
	const struct request *request, const struct validators *validators, time_t now)
{
	const struct text name = TEXT("If-Unmodified-Since");
	time_t date;

	return field_date(request, name, &date, validators, now) && validators->modified > date;
}

static bool is_unmodified_since(
	const struct request *request, const struct validators *validators, time_t now)
{
	const struct text name = TEXT("If-Modified-Since");
	time_t date;

	return field_date(request, name, &date, validators, now) && validators->modified <= date;
}

/* --- decisions ---------------------------------------------------------------------------- */

enum condition_outcome condition_evaluate(
	const struct request *request, const struct validators *validators, time_t now)
{
	const struct text if_match = TEXT("If-Match"), if_none_match = TEXT("If-None-Match");
	bool is_read = request->method == METHOD_GET || request->method == METHOD_HEAD;

	if (request_field(request, if_match)) {
		if (!is_named(request, if_match, validators->etag, false))
			return CONDITION_FAILED;
	} else if (is_modified_since(request, validators, now)) {
		return CONDITION_FAILED;
	}
	if (request_field(request, if_none_match)) {
		if (is_named(request, if_none_match, validators->etag, true))
			return is_read ? CONDITION_NOT_MODIFIED : CONDITION_FAILED;
	} else if (is_read && is_unmodified_since(request, validators, now)) {
		return CONDITION_NOT_MODIFIED;
	}
	return CONDITION_PROCEED;
}

/* While its second lasts, the file may change again under the same date (§8.8.2.2). */
static bool is_strong_date(time_t modified, time_t now)
{
	return modified < now;
}

bool condition_allows_range(
	const struct request *request, const struct validators *validators, time_t now)
{
	const struct text name = TEXT("If-Range");
	const struct field *field = only_field(request, name);
	struct entity_tag mine, theirs;
	struct text value, etag = validators->etag;
	time_t date;

	if (!field)
		return !request_field(request, name);
	value = field->value;
	if (take_entity_tag(&value, &theirs))
		return value.length == 0 && take_entity_tag(&etag, &mine) &&
		       tags_match(&mine, &theirs, false);
	return !validators->is_undated && read_date(&date, value, validators, now) &&
	       date == validators->modified && is_strong_date(date, now);
}
