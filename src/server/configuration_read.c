/* The reader: from tokens to the tree of sections, by the rows of the tables.
 *
 * A recursive walk, as deep as sections are.  After a mistake it goes on with the next setting: it
 * skips the rest of the line, or of the block that begins on it.  A value that was broken stays in
 * the tree, marked, so that nothing is said to be missing.  Since a location may name its endpoint
 * after that endpoint's settings, a setting of any endpoint is let through; the check looks whose
 * it is. */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/owned.h"
#include "endpoints/registry.h"
#include "server/configuration_load.h"

struct reader {
	struct scanner scanner;
	struct token token;        /* the one at hand */
	const struct section *top; /* where the file begins: its braces close nothing outside */
	bool has_ended;            /* a missing brace was reported */
};

static void advance(struct reader *reader)
{
	scanner_next(&reader->scanner, &reader->token);
}

/* Says nothing about a broken token: the scanner has complained already. */
#define complain(reader, ...)                                                                      \
	((reader)->token.kind == TOKEN_BROKEN                                                      \
			? -EINVAL                                                                  \
			: configuration_complain((reader)->token.place, __VA_ARGS__))

/* The token at hand in a message: as it stands in the file, or that there is none. */
#define TOKEN_ARGUMENTS(reader)                                                                    \
	TEXT_ARGUMENTS((reader)->token.kind == TOKEN_END ? text_literal("end of file")             \
							 : (reader)->token.text)

static void complain_memory(struct reader *reader)
{
	(void)complain(reader, "out of memory, expected a shorter configuration");
}

static bool is_value(const struct token *token)
{
	return token->kind == TOKEN_WORD || token->kind == TOKEN_STRING;
}

/* To the end of the line, or of the blocks that begin on it; `depth` braces are open already. */
static void recover(struct reader *reader, unsigned depth)
{
	unsigned line = reader->token.place.line;

	while (reader->token.kind != TOKEN_END &&
		(depth > 0 ||
			(reader->token.place.line == line && reader->token.kind != TOKEN_CLOSE))) {
		depth += reader->token.kind == TOKEN_OPEN;
		depth -= reader->token.kind == TOKEN_CLOSE;
		advance(reader);
	}
}

/* --- names --------------------------------------------------------------------------------- */

const struct setting *configuration_shared_settings(void)
{
	const struct setting *shared = NULL;

	for (size_t i = 0; !shared && endpoints[i]; i++)
		shared = endpoints[i]->shared_settings;
	return shared;
}

static const struct setting *find_in_table(const struct setting *table, const char *name)
{
	while (table && table->name && strcmp(table->name, name) != 0)
		table++;
	return table && table->name ? table : NULL;
}

const struct setting *configuration_find_endpoint_setting(
	const char *name, const struct endpoint **owner)
{
	const struct setting *setting = NULL;

	for (size_t i = 0; !setting && endpoints[i]; i++) {
		*owner = endpoints[i];
		setting = find_in_table(endpoints[i]->settings, name);
		if (!setting)
			setting = find_in_table(endpoints[i]->shared_settings, name);
	}
	return setting;
}

static const struct setting *find_setting(const struct section *section, const char *name)
{
	const struct setting *setting = section_find_setting(section, name);
	const struct endpoint *owner;

	if (!setting && section->kind == IN_LOCATION)
		setting = configuration_find_endpoint_setting(name, &owner);
	return setting;
}

enum { NAME_COUNT_MAX = 127 };

/* With spaces between them; NULL: out of memory. */
static char *join(const char *const *names)
{
	char *joined = strdup("");

	for (; joined && *names; names++) {
		char *longer;

		if (asprintf(&longer, "%s%s%s", joined, joined[0] ? " " : "", *names) < 0)
			longer = NULL;
		free(joined);
		joined = longer;
	}
	return joined;
}

static void complain_unknown(struct reader *reader, const struct section *section, const char *name)
{
	const char *names[NAME_COUNT_MAX + 1] = { NULL };
	struct setting_cursor cursor = { 0 };
	const struct setting *setting;
	const struct endpoint *owner;
	const char *nearest;
	auto_free char *joined = NULL;
	size_t count = 0;

	while (count < NAME_COUNT_MAX && (setting = section_next_setting(section, &cursor)))
		names[count++] = setting->name;
	for (size_t i = 0; section->kind == IN_LOCATION && endpoints[i]; i++) {
		for (setting = endpoints[i]->settings; setting && setting->name; setting++) {
			if (configuration_find_endpoint_setting(setting->name, &owner) == setting &&
				count < NAME_COUNT_MAX)
				names[count++] = setting->name;
		}
	}
	nearest = setting_nearest(names, name);
	if (nearest)
		names[0] = nearest, names[1] = NULL;
	joined = join(names);
	if (section->parent)
		(void)complain(reader,
			"unknown setting %s in the %s that begins at line %u, expected %s%s", name,
			section->setting->name, section->place.line,
			nearest ? "" : "its closing brace } or one of ", joined);
	else
		(void)complain(reader, "unknown setting %s, expected %s%s", name,
			nearest ? "" : "one of ", joined);
}

/* Does the setting at hand belong to a section around this one, and is it not indented?  Then a
 * closing brace is missing before it. */
static bool is_of_outer(
	const struct reader *reader, const struct section *section, const char *name)
{
	if (reader->token.place.line == section->place.line ||
		reader->token.place.column > section->place.column)
		return false;
	while (section != reader->top) {
		section = section->parent;
		if (find_setting(section, name))
			return true;
	}
	return false;
}

/* --- settings ------------------------------------------------------------------------------ */

static void complain_value(struct reader *reader, const struct setting_value *value)
{
	bool is_absent =
		reader->token.place.line != value->place.line || reader->token.kind == TOKEN_END;
	auto_free char *expected = configuration_expected(value->setting);

	if (is_absent)
		(void)configuration_complain(value->place, "%s has no value, expected %s",
			value->setting->name, expected);
	else
		(void)complain(reader, "unexpected %.*s as the value of %s, expected %s",
			TOKEN_ARGUMENTS(reader), value->setting->name, expected);
}

static void add_string(struct reader *reader, struct setting_value *value)
{
	if (setting_value_add_string(value, reader->token.string) < 0)
		complain_memory(reader);
	else
		value->places[value->count - 1] = reader->token.place;
	advance(reader);
}

/* From behind the opening brace of a list. */
static void read_list(struct reader *reader, struct setting_value *value)
{
	const char *expected = NULL;

	while (!expected && reader->token.kind != TOKEN_CLOSE) {
		if (is_value(&reader->token))
			add_string(reader, value);
		else
			expected = "a string or }";
		if (reader->token.kind == TOKEN_COMMA) {
			advance(reader);
			expected = is_value(&reader->token) ? NULL : "a string";
		} else if (reader->token.kind != TOKEN_CLOSE && !expected) {
			expected = ", or }";
		}
	}
	if (!expected) {
		advance(reader);
		return;
	}
	value->broken = true;
	(void)complain(reader, "unexpected %.*s in the list of %s, expected %s",
		TOKEN_ARGUMENTS(reader), value->setting->name, expected);
	/* At a name on a later line the brace is missing, not a comma. */
	if (reader->token.kind != TOKEN_WORD || reader->token.place.line == value->place.line)
		recover(reader, 1);
}

/* The value begins on the line of its name: otherwise a forgotten value would take the next line's
 * word for it. */
static void read_value(struct reader *reader, struct setting_value *value)
{
	value->broken = true;
	if (reader->token.place.line != value->place.line) {
		complain_value(reader, value);
	} else if (reader->token.kind == TOKEN_OPEN && value->setting->type == SETTING_STRINGS) {
		value->broken = false;
		advance(reader);
		read_list(reader, value);
	} else if (is_value(&reader->token)) {
		value->broken = false;
		add_string(reader, value);
	} else {
		complain_value(reader, value);
		if (reader->token.kind == TOKEN_OPEN)
			advance(reader); /* a list, which ends on its line */
		recover(reader, 0);
		if (reader->token.kind == TOKEN_CLOSE &&
			reader->token.place.line == value->place.line)
			advance(reader);
	}
}

static void read_assignment(
	struct reader *reader, struct section *section, const struct setting *setting)
{
	const struct setting_value *earlier = section_find_value(section, setting->name);
	struct setting_value *value;

	if (earlier)
		(void)complain(reader,
			"%s is given twice, expected it once (the first is at %s:%u)",
			setting->name, earlier->place.source->name, earlier->place.line);
	value = section_add_value(section, setting, reader->token.place.line);
	if (!value) {
		complain_memory(reader);
		recover(reader, 0);
		return;
	}
	value->place = reader->token.place;
	advance(reader);
	if (reader->token.kind == TOKEN_EQUALS) {
		advance(reader);
		read_value(reader, value);
		return;
	}
	(void)complain(reader, "unexpected %.*s after %s, expected = and a value",
		TOKEN_ARGUMENTS(reader), setting->name);
	value->broken = true;
	recover(reader, 0);
}

/* --- sections ------------------------------------------------------------------------------ */

static void read_items(struct reader *reader, struct section *section);

static int read_titles(struct reader *reader, struct section *section)
{
	const struct setting *setting = section->setting;

	/* Behind the first title a word is the next setting. */
	for (; (section->title ? reader->token.kind == TOKEN_STRING : is_value(&reader->token)) &&
		reader->token.place.line == section->place.line;
		advance(reader)) {
		struct setting_value *titles = section->titles;
		size_t count = titles ? titles->count : 0;

		if (count >= setting->titles)
			return complain(reader, "%s has %s title, expected %s %s{", setting->name,
				count > 0 ? "another" : "a", setting->name,
				count > 0 ? "\"...\" " : "");
		if (section_add_title(section, reader->token.string) < 0)
			return complain(reader, "out of memory, expected a shorter configuration");
		section->titles->places[count] = reader->token.place;
	}
	if (setting->titles > 0 && !section->title)
		return complain(reader, "%s has no title, expected %s \"...\" {", setting->name,
			setting->name);
	return 0;
}

static void read_subsection(
	struct reader *reader, struct section *section, const struct setting *setting)
{
	const struct section *earlier =
		setting->titles > 0 ? NULL : section_child(section, setting->name, 0);
	struct section *child = section_new(section, setting, NULL, NULL);

	if (earlier)
		(void)complain(reader,
			"%s is given twice, expected it once (the first is at %s:%u)",
			setting->name, earlier->place.source->name, earlier->place.line);
	if (!child) {
		complain_memory(reader);
		recover(reader, 0);
		return;
	}
	if (child->kind & (IN_SITE | IN_LOCATION))
		child->tables[2] = configuration_shared_settings();
	child->place = reader->token.place;
	advance(reader);
	if (read_titles(reader, child) < 0) {
		recover(reader, 0);
		return;
	}
	if (reader->token.kind != TOKEN_OPEN) {
		if (setting->bodiless)
			return;
		(void)complain(reader, "unexpected %.*s after %s, expected {",
			TOKEN_ARGUMENTS(reader), setting->name);
		recover(reader, 0);
		return;
	}
	advance(reader);
	read_items(reader, child);
	if (reader->token.kind == TOKEN_CLOSE) {
		advance(reader);
	} else if (reader->token.kind == TOKEN_END && !reader->has_ended) {
		(void)complain(reader,
			"missing closing brace, expected } for the %s that begins at line %u",
			setting->name, child->place.line);
		reader->has_ended = true;
	}
}

/* --- include ------------------------------------------------------------------------------- */

static void read_file(struct section *section, const struct source *source)
{
	struct reader reader = { .top = section };

	scanner_start(&reader.scanner, source);
	if (source->length >= 2 && (memcmp(source->bytes, "\xff\xfe", 2) == 0 ||
					   memcmp(source->bytes, "\xfe\xff", 2) == 0)) {
		(void)configuration_complain((struct setting_place){ source, 1, 1 },
			"the file is UTF-16, expected UTF-8");
		return;
	}
	advance(&reader);
	read_items(&reader, section);
	if (!section->parent && !source->includer)
		section->place = reader.token.place; /* what the whole file lacks is said there */
	free(reader.scanner.string);
}

static bool is_included_already(const struct source *source)
{
	for (const struct source *outer = source->includer; outer; outer = outer->includer) {
		if (outer->device == source->device && outer->inode == source->inode)
			return true;
	}
	return false;
}

static void include_file(struct section *section, const char *path, struct setting_place place)
{
	struct source *source;
	int r = source_read(&source, place.source->loading, place.source, path);

	if (r < 0)
		(void)configuration_complain(place,
			"include: %s: %s, expected a file that can be "
			"read",
			path, strerror(-r));
	else if (is_included_already(source))
		(void)configuration_complain(
			place, "include: %s includes itself, expected no cycle", path);
	else
		read_file(section, source);
}

/* The directory of the including file may contain any byte; only what is written is a pattern. */
static int make_pattern(char **pattern, const struct source *source, const char *written)
{
	auto_free char *directory = malloc(2 * strlen(source->directory) + 1);
	char *end = directory;

	if (!directory)
		return -ENOMEM;
	for (const char *byte = source->directory; *byte != '\0'; byte++) {
		if (strchr("*?[\\", *byte))
			*end++ = '\\';
		*end++ = *byte;
	}
	*end = '\0';
	return configuration_make_absolute(pattern, directory, written);
}

static int is_unreadable(const char *path, int error)
{
	(void)path;
	return error != ENOENT;
}

static void include_files(struct section *section, const char *pattern, struct setting_place place)
{
	glob_t found;
	int r = glob(pattern, 0, is_unreadable, &found);

	if (r == GLOB_NOMATCH && !strpbrk(pattern, "*?["))
		(void)configuration_complain(place,
			"include: %s: %s, expected a file that can be "
			"read",
			pattern, strerror(ENOENT));
	else if (r != 0 && r != GLOB_NOMATCH)
		(void)configuration_complain(place,
			"include: %s cannot be looked up, expected a directory that can be read",
			pattern);
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++)
		include_file(section, found.gl_pathv[i], place);
	globfree(&found);
}

static void read_include(struct reader *reader, struct section *section)
{
	unsigned line = reader->token.place.line;
	struct setting_place place;
	auto_free char *written = NULL;
	auto_free char *pattern = NULL;

	advance(reader);
	place = reader->token.place;
	if (!is_value(&reader->token) || place.line != line) {
		(void)complain(reader,
			"unexpected %.*s after include, expected \"file.conf\" or a "
			"pattern as in \"sites/*.conf\"",
			TOKEN_ARGUMENTS(reader));
		if (place.line == line)
			recover(reader, 0);
		return;
	}
	written = strndup(reader->token.string.bytes, reader->token.string.length);
	if (!written || make_pattern(&pattern, place.source, written) < 0)
		complain_memory(reader);
	else
		include_files(section, pattern, place);
	advance(reader);
}

/* --- items --------------------------------------------------------------------------------- */

/* False: the setting at hand belongs to a section around this one. */
static bool read_item(struct reader *reader, struct section *section)
{
	auto_free char *name = strndup(reader->token.text.bytes, reader->token.text.length);
	const struct setting *setting;

	if (!name || reader->token.kind != TOKEN_WORD) {
		(void)complain(reader, "unexpected %.*s, expected the name of a setting",
			TOKEN_ARGUMENTS(reader));
		advance(reader);
		return true;
	}
	setting = find_setting(section, name);
	if (setting && setting->type == SETTING_SECTION) {
		read_subsection(reader, section, setting);
	} else if (setting && setting->type == SETTING_INCLUDE) {
		read_include(reader, section);
	} else if (setting) {
		read_assignment(reader, section, setting);
	} else if (is_of_outer(reader, section, name)) {
		(void)complain(reader,
			"unknown setting %s in the %s that begins at line %u, expected its closing "
			"brace } before",
			name, section->setting->name, section->place.line);
		return false;
	} else {
		complain_unknown(reader, section, name);
		recover(reader, 0);
	}
	return true;
}

/* To the closing brace, or (where the file begins) to its end. */
static void read_items(struct reader *reader, struct section *section)
{
	while (reader->token.kind != TOKEN_END &&
		(reader->token.kind != TOKEN_CLOSE || section == reader->top)) {
		if (!read_item(reader, section))
			return;
	}
}

void configuration_read(struct section *root, const struct source *source)
{
	read_file(root, source);
}
