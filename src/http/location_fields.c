/* Fields by configuration.
 *
 * Names and values are the configuration's own strings, which live as long as the worker, so that
 * an answer gets them without a copy.  Their bounds are checked when the configuration is read;
 * the response has room for that many beside the endpoint's own. */
#include "http/location_fields.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/byte.h"

struct location_fields {
	unsigned added_count;
	struct field added[LOCATION_FIELDS_MAX];
	size_t removed_count;
	const char *const *removed;
	bool expires;
	uint64_t expires_seconds;
	char max_age[32]; /* "max-age=3600" */
};

/* --- settings ------------------------------------------------------------------------------ */

static bool is_one_of(struct text name, const struct text *names)
{
	for (; names->length > 0; names++) {
		if (text_equal_ignoring_case(name, *names))
			return true;
	}
	return false;
}

/* They say how the message is framed, encoded or dated, which is the server's to know. */
static bool is_of_the_wire(struct text name)
{
	static const struct text NAMES[] = { TEXT("Connection"), TEXT("Content-Encoding"),
		TEXT("Content-Length"), TEXT("Content-Range"), TEXT("Date"), TEXT("Keep-Alive"),
		TEXT("Proxy-Connection"), TEXT("TE"), TEXT("Trailer"), TEXT("Transfer-Encoding"),
		TEXT("Upgrade"), { 0 } };

	return is_one_of(name, NAMES);
}

/* RFC 9110 §5.6.2 */
static bool is_token(struct text name)
{
	for (size_t i = 0; i < name.length; i++) {
		if (!byte_is_token(name.bytes[i]))
			return false;
	}
	return name.length > 0;
}

static const char *check_name(struct text name)
{
	if (!is_token(name))
		return "no field name";
	return is_of_the_wire(name) ? "a field of the message's framing" : NULL;
}

static const char *check_field(const char *string)
{
	struct text line = text_of(string);
	size_t colon = text_find(line, ':');
	const char *what = check_name(text_first(line, colon));

	for (size_t i = 0; i < line.length; i++) {
		if (!byte_is_field_value(line.bytes[i]))
			return "a control byte";
	}
	if (!what && text_trim(text_from(line, colon + 1)).length == 0)
		return "no value";
	return what;
}

const char *location_fields_check_added(const char *const *strings, size_t count, size_t *wrong)
{
	const char *what = NULL;
	size_t length = 0;

	for (*wrong = 0; *wrong < count; ++*wrong) {
		length += strlen(strings[*wrong]);
		what = check_field(strings[*wrong]);
		/* One of them is for expires. */
		if (!what && *wrong >= LOCATION_FIELDS_MAX - 1)
			what = "too many fields";
		if (!what && length > LOCATION_FIELDS_LENGTH_MAX - 128)
			what = "too long together";
		if (what)
			return what;
	}
	return NULL;
}

const char *location_fields_check_removed(const char *const *strings, size_t count, size_t *wrong)
{
	for (*wrong = 0; *wrong < count; ++*wrong) {
		const char *what = check_name(text_of(strings[*wrong]));

		if (what)
			return what;
	}
	return NULL;
}

/* --- making -------------------------------------------------------------------------------- */

static void add(struct location_fields *fields, struct text name, struct text value)
{
	fields->added[fields->added_count++] = (struct field){ name, value };
}

static void add_written(struct location_fields *fields, const char *string)
{
	struct text line = text_of(string);
	size_t colon = text_find(line, ':');

	add(fields, text_first(line, colon), text_trim(text_from(line, colon + 1)));
}

/* Beside a Cache-Control of add_header: "public" and "max-age=60" are one list. */
static void add_max_age(struct location_fields *fields, uint64_t expires_ns)
{
	fields->expires = true;
	fields->expires_seconds = expires_ns / UINT64_C(1000000000);
	snprintf(fields->max_age, sizeof(fields->max_age), "max-age=%llu",
		(unsigned long long)fields->expires_seconds);
	add(fields, text_literal("Cache-Control"), text_of(fields->max_age));
}

int location_fields_new(struct location_fields **fields, const struct section *section)
{
	struct location_fields *made = calloc(1, sizeof(*made));
	size_t count;
	const char *const *strings = section_strings(section, "add_header", &count);

	if (!made)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		add_written(made, strings[i]);
	made->removed = section_strings(section, "remove_header", &made->removed_count);
	if (section_string(section, "expires"))
		add_max_age(made, section_number(section, "expires"));
	if (made->added_count == 0 && made->removed_count == 0) {
		free(made);
		made = NULL;
	}
	*fields = made;
	return 0;
}

void location_fields_free(struct location_fields *fields)
{
	free(fields);
}

/* --- applying ------------------------------------------------------------------------------ */

static bool has_field(const struct response *response, struct text name, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (text_equal_ignoring_case(response->fields[i].name, name))
			return true;
	}
	return false;
}

static void remove_fields(struct response *response, struct text name)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < response->field_count; i++) {
		if (!text_equal_ignoring_case(response->fields[i].name, name))
			response->fields[kept++] = response->fields[i];
	}
	response->field_count = kept;
	if (text_equal_ignoring_case(name, text_literal("Server")))
		response->server_removed = true;
}

/* An answer that is no error: it may be kept by caches as long as the configuration says. */
static bool is_lasting(unsigned status)
{
	return status < 400;
}

static bool is_about_caching(struct text name)
{
	static const struct text NAMES[] = { TEXT("Cache-Control"), TEXT("Expires"), { 0 } };

	return is_one_of(name, NAMES);
}

static bool adds_up(struct text name)
{
	static const struct text NAMES[] = { TEXT("Link"), TEXT("Set-Cookie"), TEXT("Vary"),
		{ 0 } };

	return is_one_of(name, NAMES);
}

static bool is_due(const struct response *response, struct text name, unsigned own_count)
{
	if (is_about_caching(name) && !is_lasting(response->status))
		return false;
	if (text_equal_ignoring_case(name, text_literal("Server")))
		return response->server_removed;
	if (text_equal_ignoring_case(name, text_literal("Expires")) && response->expires)
		return false;
	return adds_up(name) || !has_field(response, name, own_count);
}

void location_fields_apply(const struct location_fields *fields, struct response *response)
{
	unsigned own_count;

	for (size_t i = 0; i < fields->removed_count; i++)
		remove_fields(response, text_of(fields->removed[i]));
	own_count = response->field_count;
	response->expires = fields->expires && is_lasting(response->status) &&
			    !has_field(response, text_literal("Cache-Control"), own_count) &&
			    !has_field(response, text_literal("Expires"), own_count);
	response->expires_seconds = fields->expires_seconds;
	for (unsigned i = 0; i < fields->added_count; i++) {
		if (is_due(response, fields->added[i].name, own_count))
			response->fields[response->field_count++] = fields->added[i];
	}
}
