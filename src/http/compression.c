/* Compressed or not: the decision, and its fields.
 *
 * It is made last, when all fields stand, those of the configuration too, because it looks at some
 * (Content-Type, Cache-Control) and changes others.  What it adds are constants, but for the weak
 * entity tag, which is a copy.
 *
 * The tag becomes weak because the same file compressed twice need not be the same bytes (another
 * level, a flush in another place), and it stays the same text otherwise, so that If-None-Match,
 * which compares weakly, knows either form.  A 304 shows the tag that its 200 would have had. */
#include "http/compression.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "http/accept.h"
#include "http/media_type.h"

struct compression {
	const struct body_coder *coder;
	unsigned level;
	int64_t length_min;
	const char *const *types;
	size_t type_count;
};

/* --- settings ------------------------------------------------------------------------------ */

/* "text/html" or "text/" and a star; parameters are no part of it. */
static bool is_type(const char *string)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789!#$&^_.+-";
	size_t major = strspn(string, letters);
	const char *minor = string + major + 1;

	if (major == 0 || string[major] != '/')
		return false;
	return strcmp(minor, "*") == 0 ||
	       (minor[0] != '\0' && minor[strspn(minor, letters)] == '\0');
}

const char *compression_check_types(const char *const *strings, size_t count, size_t *wrong)
{
	for (*wrong = 0; *wrong < count; ++*wrong) {
		if (!is_type(strings[*wrong]))
			return "no media type";
	}
	return NULL;
}

int compression_new(struct compression **compression, const struct section *location,
	const struct body_coder *coder)
{
	struct compression *made = malloc(sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->coder = coder;
	made->level = (unsigned)section_number(location, "compress_level");
	made->length_min = (int64_t)section_number(location, "compress_min_bytes");
	made->types = section_strings(location, "compress_types", &made->type_count);
	*compression = made;
	return 0;
}

void compression_free(struct compression *compression)
{
	free(compression);
}

/* --- fields -------------------------------------------------------------------------------- */

static struct field *find_field(struct response *response, struct text name)
{
	for (unsigned i = 0; i < response->field_count; i++) {
		if (text_equal_ignoring_case(response->fields[i].name, name))
			return &response->fields[i];
	}
	return NULL;
}

static bool list_names(struct text list, struct text element)
{
	while (list.length > 0) {
		if (text_equal_ignoring_case(text_take(&list, ','), element))
			return true;
	}
	return false;
}

/* Does any line of that field name the element? */
static bool is_named(const struct response *response, struct text name, struct text element)
{
	for (unsigned i = 0; i < response->field_count; i++) {
		const struct field *field = &response->fields[i];

		if (text_equal_ignoring_case(field->name, name) &&
			list_names(field->value, element))
			return true;
	}
	return false;
}

static void add_constant(struct response *response, struct text name, struct text value)
{
	assert(response->field_count < sizeof(response->fields) / sizeof(response->fields[0]));
	response->fields[response->field_count++] = (struct field){ name, value };
}

/* The others keep their order, which may mean something (§5.3). */
static void remove_field(struct response *response, struct text name)
{
	struct field *field = find_field(response, name);
	struct field *end = response->fields + response->field_count;

	if (!field)
		return;
	memmove(field, field + 1, (size_t)(end - field - 1) * sizeof(*field));
	response->field_count--;
}

/* A line of its own beside others, which a list may have (§5.3). */
static void add_vary(struct response *response)
{
	const struct text name = TEXT("Vary"), element = TEXT("Accept-Encoding");

	if (!is_named(response, name, element) && !is_named(response, name, text_literal("*")))
		add_constant(response, name, element);
}

/* Without room for the weak tag there is none: the strong one would be wrong. */
static void weaken_tag(struct exchange *exchange)
{
	struct response *response = &exchange->response;
	struct field *field = find_field(response, text_literal("ETag"));
	struct text weak;

	if (!field || text_starts_with(field->value, text_literal("W/")))
		return;
	if (buffer_room(&response->memory) < field->value.length + 2) {
		remove_field(response, text_literal("ETag"));
		return;
	}
	weak = exchange_copy(exchange, text_literal("W/"));
	weak.length += exchange_copy(exchange, field->value).length;
	field->value = weak;
}

/* --- the decision -------------------------------------------------------------------------- */

static bool covers(struct text listed, struct text type)
{
	size_t length = listed.length;

	if (listed.bytes[length - 1] != '*')
		return text_equal_ignoring_case(listed, type);
	return text_equal_ignoring_case(
		text_first(listed, length - 1), text_first(type, length - 1));
}

static bool is_listed(const struct compression *compression, struct text type)
{
	type = media_type_name(type);
	for (size_t i = 0; i < compression->type_count; i++) {
		if (covers(text_of(compression->types[i]), type))
			return true;
	}
	return false;
}

/* The representation may be compressed, whether this answer shows it whole, in part or not. */
static bool is_due(const struct compression *compression, struct response *response, bool is_shown)
{
	const struct field *type = find_field(response, text_literal("Content-Type"));
	struct text media_type = response->whole_type;
	int64_t length = response->whole_length;

	if (is_shown) {
		media_type = type ? type->value : text_literal("");
		length = response->length;
	}
	return is_listed(compression, media_type) &&
	       (length < 0 || length >= compression->length_min) &&
	       !find_field(response, text_literal("Content-Encoding")) &&
	       !is_named(response, text_literal("Cache-Control"), text_literal("no-transform"));
}

static bool is_from_memory(const struct response *response)
{
	return response->body == &response->from_memory.source;
}

static bool is_whole(const struct response *response)
{
	return (response->status == 200 || response->status >= 400) && response->body &&
	       !is_from_memory(response);
}

/* Of what weighs the same, the shorter. */
static bool is_preferred(const struct request *request, struct text coding)
{
	struct accept_codings codings;
	unsigned weight;

	accept_codings_read(&codings, request);
	weight = accept_codings_weight(&codings, coding);
	return weight > 0 && weight >= accept_codings_weight(&codings, text_literal("identity"));
}

/* With HEAD too, whose fields are those of GET: the body is released without being asked. */
static void compress(const struct compression *compression, struct exchange *exchange)
{
	const struct body_coder *coder = compression->coder;
	struct response *response = &exchange->response;
	struct body_source *body =
		coder->open(response->body, exchange->proactor, compression->level);

	if (!body) {
		metrics_add(METRIC_COMPRESSIONS_SKIPPED, 1);
		return;
	}
	response->body = body;
	response->length = -1;
	add_constant(response, text_literal("Content-Encoding"), coder->name);
	remove_field(response, text_literal("Accept-Ranges"));
	weaken_tag(exchange);
}

void compression_apply(const struct compression *compression, struct exchange *exchange)
{
	struct response *response = &exchange->response;
	bool is_shown = is_whole(response);

	if (!is_shown && response->status != 206 && response->status != 304)
		return;
	if (!is_due(compression, response, is_shown))
		return;
	add_vary(response);
	if (!is_preferred(&exchange->request, compression->coder->name))
		return;
	if (is_shown)
		compress(compression, exchange);
	else if (response->status == 304)
		weaken_tag(exchange);
}
