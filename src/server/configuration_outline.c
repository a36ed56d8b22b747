/* The outline: which section and setting stands where, read by the tables.
 *
 * A recursive walk, as deep as the tables are, that fails at the first token that cannot stand
 * where it stands.  It creates the sections and the values, the latter still empty, each with its
 * line.  Since a location may name its endpoint after that endpoint's settings, the setting of any
 * endpoint is let through here; the check looks whose it is. */
#include <errno.h>
#include <string.h>

#include "base/owned.h"
#include "endpoints/registry.h"
#include "server/configuration_load.h"

struct outline {
	struct scanner scanner;
	struct token token; /* the one at hand */
};

static int advance(struct outline *outline)
{
	return scanner_next(&outline->scanner, &outline->token);
}

#define complain(outline, ...)                                                                     \
	configuration_complain((outline)->scanner.file, (outline)->token.line, __VA_ARGS__)

/* A token in a message: as it stands in the file, or that there is none. */
#define TOKEN_ARGUMENTS(token)                                                                     \
	TEXT_ARGUMENTS((token).kind == TOKEN_END ? text_literal("end of file") : (token).text)

const struct setting *configuration_find_endpoint_setting(
	const char *name, const struct endpoint **owner)
{
	for (size_t i = 0; endpoints[i]; i++) {
		for (const struct setting *setting = endpoints[i]->settings;
			setting && setting->name; setting++) {
			if (strcmp(setting->name, name) != 0)
				continue;
			if (owner)
				*owner = endpoints[i];
			return setting;
		}
	}
	return NULL;
}

static bool has_setting(const struct setting *table, const char *name)
{
	while (table->name && strcmp(table->name, name) != 0)
		table++;
	return table->name != NULL;
}

/* `location` is known by what it contains, so that the table alone decides where it stands. */
bool configuration_is_location(const struct section *section)
{
	return section->setting && section->setting->titled &&
	       has_setting(section->table, "endpoint");
}

static const struct setting *find_setting(const struct section *section, const char *name)
{
	const struct setting *setting = section_find_setting(section, name);

	if (!setting && configuration_is_location(section))
		setting = configuration_find_endpoint_setting(name, NULL);
	return setting;
}

static bool is_value(const struct token *token)
{
	return token->kind == TOKEN_WORD || token->kind == TOKEN_STRING ||
	       token->kind == TOKEN_VARIABLE;
}

/* --- settings ------------------------------------------------------------------------------ */

static int complain_value(
	const struct outline *outline, const struct setting *setting, unsigned line)
{
	bool is_absent = outline->token.line != line || outline->token.kind == TOKEN_END;
	char memory[256];
	struct buffer expected;

	buffer_init(&expected, memory, sizeof(memory));
	setting_append_expected(setting, &expected);
	if (is_absent)
		return configuration_complain(outline->scanner.file, line,
			"%s has no value, expected %.*s", setting->name,
			TEXT_ARGUMENTS(buffer_text(&expected)));
	return complain(outline, "unexpected %.*s as the value of %s, expected %.*s",
		TOKEN_ARGUMENTS(outline->token), setting->name,
		TEXT_ARGUMENTS(buffer_text(&expected)));
}

static int read_list(struct outline *outline, const struct setting *setting)
{
	int r = advance(outline);

	if (r < 0 || outline->token.kind == TOKEN_CLOSE)
		return r;
	for (;;) {
		if (!is_value(&outline->token))
			return complain_value(outline, setting, outline->token.line);
		r = advance(outline);
		if (r < 0 || outline->token.kind == TOKEN_CLOSE)
			return r;
		if (outline->token.kind != TOKEN_COMMA)
			return complain(outline,
				"unexpected %.*s in the list of %s, expected , or }",
				TOKEN_ARGUMENTS(outline->token), setting->name);
		r = advance(outline);
		if (r < 0)
			return r;
	}
}

/* The value stands on the line of its name: without that rule a forgotten value would take the next
 * line's word for it. */
static int read_value(struct outline *outline, const struct setting *setting, unsigned line)
{
	int r = advance(outline);

	if (r < 0)
		return r;
	if (outline->token.line != line)
		return complain_value(outline, setting, line);
	if (outline->token.kind == TOKEN_OPEN && setting->type == SETTING_STRINGS)
		return read_list(outline, setting);
	return is_value(&outline->token) ? 0 : complain_value(outline, setting, line);
}

static int read_assignment(
	struct outline *outline, struct section *section, const struct setting *setting)
{
	const struct setting_value *earlier = section_find_value(section, setting->name);
	unsigned line = outline->token.line;
	int r;

	if (earlier)
		return complain(outline,
			"%s is given twice, expected it once (the first is in line %u)",
			setting->name, earlier->line);
	if (!section_add_value(section, setting, line))
		return -ENOMEM;
	r = advance(outline);
	if (r < 0)
		return r;
	if (outline->token.kind != TOKEN_EQUALS)
		return complain(outline, "unexpected %.*s after %s, expected = and a value",
			TOKEN_ARGUMENTS(outline->token), setting->name);
	return read_value(outline, setting, line);
}

/* --- sections ------------------------------------------------------------------------------ */

static int read_section(struct outline *outline, struct section *section);

static int read_title(struct outline *outline, const struct setting *setting)
{
	int r = advance(outline);

	if (r < 0)
		return r;
	if (setting->titled && !is_value(&outline->token))
		return complain(outline, "%s has no title, expected %s \"...\" {", setting->name,
			setting->name);
	if (!setting->titled && is_value(&outline->token))
		return complain(
			outline, "%s has no title, expected %s {", setting->name, setting->name);
	return setting->titled ? advance(outline) : 0;
}

static int read_subsection(
	struct outline *outline, struct section *section, const struct setting *setting)
{
	const struct section *earlier =
		setting->titled ? NULL : section_child(section, setting->name, 0);
	struct section *child;
	int r;

	if (earlier)
		return complain(outline,
			"%s is given twice, expected it once (the first is in line %u)",
			setting->name, earlier->line);
	child = section_new(section, setting, setting->children, NULL);
	if (!child)
		return -ENOMEM;
	child->line = outline->token.line;
	r = read_title(outline, setting);
	if (r < 0)
		return r;
	if (outline->token.kind != TOKEN_OPEN)
		return complain(outline, "unexpected %.*s after %s, expected {",
			TOKEN_ARGUMENTS(outline->token), setting->name);
	return read_section(outline, child);
}

static void append_name(struct buffer *buffer, const char *name)
{
	buffer_append_string(buffer, " ");
	buffer_append_string(buffer, name);
}

/* What may stand in the section; of the endpoints' settings each name once. */
static void append_names(struct buffer *buffer, const struct section *section)
{
	for (const struct setting *setting = section->table; setting->name; setting++)
		append_name(buffer, setting->name);
	if (!configuration_is_location(section))
		return;
	for (size_t i = 0; endpoints[i]; i++) {
		for (const struct setting *setting = endpoints[i]->settings;
			setting && setting->name; setting++) {
			if (configuration_find_endpoint_setting(setting->name, NULL) == setting)
				append_name(buffer, setting->name);
		}
	}
}

static int complain_unknown(const struct outline *outline, const struct section *section)
{
	char memory[1024];
	struct buffer names;

	buffer_init(&names, memory, sizeof(memory) - 1);
	append_names(&names, section);
	memory[names.length] = '\0';
	if (names.length == 0)
		return complain(outline, "unexpected %.*s in the %s of line %u, expected }",
			TOKEN_ARGUMENTS(outline->token), section->setting->name, section->line);
	if (section->parent)
		return complain(outline,
			"%.*s does not stand in the %s of line %u, expected its closing brace } or "
			"one of%s",
			TOKEN_ARGUMENTS(outline->token), section->setting->name, section->line,
			memory);
	return complain(outline, "unknown word %.*s, expected one of%s",
		TOKEN_ARGUMENTS(outline->token), memory);
}

static int read_item(struct outline *outline, struct section *section)
{
	auto_free char *name = strndup(outline->token.text.bytes, outline->token.text.length);
	const struct setting *setting;

	if (!name)
		return -ENOMEM;
	if (outline->token.kind != TOKEN_WORD)
		return complain(outline, "unexpected %.*s, expected the name of a setting",
			TOKEN_ARGUMENTS(outline->token));
	setting = find_setting(section, name);
	if (!setting)
		return complain_unknown(outline, section);
	if (setting->type == SETTING_SECTION)
		return read_subsection(outline, section, setting);
	return read_assignment(outline, section, setting);
}

/* From behind the opening brace to the closing one; the root has neither. */
static int read_section(struct outline *outline, struct section *section)
{
	for (;;) {
		int r = advance(outline);

		if (r < 0)
			return r;
		if (outline->token.kind == TOKEN_CLOSE && section->parent)
			return 0;
		if (outline->token.kind == TOKEN_END && !section->parent)
			return 0;
		if (outline->token.kind == TOKEN_END)
			return complain(outline,
				"missing closing brace, expected } for the %s of line %u",
				section->setting->name, section->line);
		r = read_item(outline, section);
		if (r < 0)
			return r;
	}
}

int configuration_outline(struct section *root, char *bytes, size_t length)
{
	struct outline outline = {
		.scanner = { .file = root->file, .bytes = bytes, .length = length, .line = 1 },
	};
	int r = read_section(&outline, root);

	/* What is missing from the whole file is reported at its end. */
	root->line = outline.token.line;
	return r;
}
