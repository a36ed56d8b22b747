/* The tree of parsed settings: building it, completing it with fallbacks, looking values up.
 *
 * Names are compared as strings: a configuration is read when a worker starts, never while it
 * serves, so a lookup may take its time.  A lookup of a name that stands in no table, or by the
 * wrong type, is a mistake of the program and asserted; what a file says was checked before.  A
 * section owns its children and values; section_free() of the root frees everything. */
#include "base/settings.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct section *section_of(struct list_node *node)
{
	return container_of(node, struct section, node);
}

static struct setting_value *value_of(struct list_node *node)
{
	return container_of(node, struct setting_value, node);
}

static const struct setting *find_in_table(const struct setting *table, const char *name)
{
	for (; table && table->name; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

const struct setting *section_find_setting(const struct section *section, const char *name)
{
	const struct setting *setting = find_in_table(section->table, name);

	return setting ? setting : find_in_table(section->extension, name);
}

struct setting_value *section_find_value(const struct section *section, const char *name)
{
	list_for_each (node, &section->values) {
		if (strcmp(value_of(node)->setting->name, name) == 0)
			return value_of(node);
	}
	return NULL;
}

/* --- lookups ------------------------------------------------------------------------------ */

static const struct setting_value *find_written(const struct section *section, const char *name)
{
	const struct setting_value *value = section_find_value(section, name);

	return value && value->line > 0 ? value : NULL;
}

/* NULL only for an inherited setting that nobody wrote and that has no fallback. */
static const struct setting_value *find_effective(
	const struct section *section, const struct setting *setting)
{
	const struct setting_value *value = find_written(section, setting->name);

	for (const struct section *outer = section->parent; !value && outer; outer = outer->parent)
		value = setting->inherited ? find_written(outer, setting->name) : NULL;
	return value ? value : section_find_value(section, setting->name);
}

static const struct setting_value *look_up(const struct section *section, const char *name)
{
	const struct setting *setting = section_find_setting(section, name);
	const struct setting_value *value;

	assert(setting);
	value = find_effective(section, setting);
	assert(value || setting->inherited);
	return value;
}

bool section_yes(const struct section *section, const char *name)
{
	const struct setting_value *value = look_up(section, name);

	assert(value && value->setting->type == SETTING_YES_NO);
	return value->number != 0;
}

uint64_t section_number(const struct section *section, const char *name)
{
	const struct setting_value *value = look_up(section, name);
	enum setting_type type = value ? value->setting->type : SETTING_SECTION;

	assert(type == SETTING_NUMBER || type == SETTING_SIZE || type == SETTING_DURATION);
	return value->number;
}

const char *section_string(const struct section *section, const char *name)
{
	const struct setting_value *value = look_up(section, name);

	assert(!value || value->setting->type != SETTING_STRINGS);
	return value ? value->strings[0] : NULL;
}

const char *const *section_strings(const struct section *section, const char *name, size_t *count)
{
	const struct setting_value *value = look_up(section, name);

	assert(!value || value->setting->type == SETTING_STRINGS);
	*count = value ? value->count : 0;
	return value ? (const char *const *)value->strings : NULL;
}

bool setting_repeats(const char *const *strings, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (strcmp(strings[i], strings[index]) == 0)
			return true;
	}
	return false;
}

unsigned section_word(const struct section *section, const char *name)
{
	const struct setting_value *value = look_up(section, name);

	assert(value && value->setting->type == SETTING_WORD);
	return (unsigned)value->number;
}

const struct section *section_child(const struct section *section, const char *name, size_t index)
{
	assert(section_find_setting(section, name));
	list_for_each (node, &section->children) {
		if (strcmp(section_of(node)->setting->name, name) == 0 && index-- == 0)
			return section_of(node);
	}
	return NULL;
}

void section_where(
	const struct section *section, const char *name, const char **file, unsigned *line)
{
	const struct setting *setting = section_find_setting(section, name);
	const struct setting_value *value = setting ? find_effective(section, setting) : NULL;

	*file = section->file;
	*line = value && value->line > 0 ? value->line : section->line;
}

/* --- building ----------------------------------------------------------------------------- */

struct section *section_new(struct section *parent, const struct setting *setting,
	const struct setting *table, const char *title)
{
	struct section *section = calloc(1, sizeof(*section));

	if (!section)
		return NULL;
	list_node_init(&section->node);
	list_init(&section->children);
	list_init(&section->values);
	section->setting = setting;
	section->table = table;
	section->title = title ? strdup(title) : NULL;
	if (title && !section->title) {
		free(section);
		return NULL;
	}
	section->parent = parent;
	if (parent) {
		section->file = parent->file;
		list_append(&parent->children, &section->node);
	}
	return section;
}

void section_free(struct section *section)
{
	struct list_node *node;

	if (!section)
		return;
	while ((node = list_first(&section->children)))
		section_free(section_of(node));
	while ((node = list_first(&section->values)))
		setting_value_free(value_of(node));
	list_remove(&section->node);
	free((char *)section->title);
	free(section);
}

struct setting_value *section_add_value(
	struct section *section, const struct setting *setting, unsigned line)
{
	struct setting_value *value = calloc(1, sizeof(*value));

	if (!value)
		return NULL;
	value->setting = setting;
	value->line = line;
	list_append(&section->values, &value->node);
	return value;
}

/* A fallback in a table is written as in a file, but for escapes: it has none. */
static struct text next_fallback_string(struct text *rest)
{
	struct text string = text_first(*rest, text_find(*rest, ','));

	*rest = text_from(*rest, string.length + 1);
	string = text_trim(string);
	if (string.length >= 2 && string.bytes[0] == '"')
		string = text_first(text_from(string, 1), string.length - 2);
	return string;
}

static int add_fallback_strings(struct setting_value *value, struct text fallback)
{
	if (value->setting->type != SETTING_STRINGS)
		return setting_value_add_string(value, next_fallback_string(&fallback));
	if (fallback.length >= 2 && fallback.bytes[0] == '{')
		fallback = text_trim(text_first(text_from(fallback, 1), fallback.length - 2));
	while (fallback.length > 0) {
		int r = setting_value_add_string(value, next_fallback_string(&fallback));

		if (r < 0)
			return r;
	}
	return 0;
}

static int add_fallback(struct section *section, const struct setting *setting)
{
	char memory[128];
	struct buffer wrong;
	struct setting_value *value = section_add_value(section, setting, 0);
	int r;

	if (!value)
		return -ENOMEM;
	r = add_fallback_strings(value, text_of(setting->fallback));
	if (r < 0)
		return r;
	buffer_init(&wrong, memory, sizeof(memory));
	r = setting_value_parse(value, &wrong);
	assert(r == 0);
	return 0;
}

static int complete_setting(struct section *section, const struct setting *setting)
{
	if (setting->type == SETTING_SECTION) {
		if (setting->titled || section_child(section, setting->name, 0))
			return 0;
		return section_new(section, setting, setting->children, NULL) ? 0 : -ENOMEM;
	}
	if (!setting->fallback || section_find_value(section, setting->name))
		return 0;
	return add_fallback(section, setting);
}

static int complete_table(struct section *section, const struct setting *table)
{
	for (; table && table->name; table++) {
		int r = complete_setting(section, table);

		if (r < 0)
			return r;
	}
	return 0;
}

int section_complete(struct section *section)
{
	int r = complete_table(section, section->table);

	if (r == 0)
		r = complete_table(section, section->extension);
	if (r < 0)
		return r;
	list_for_each (node, &section->children) {
		r = section_complete(section_of(node));
		if (r < 0)
			return r;
	}
	return 0;
}

/* An inherited setting in the table of a section that only hands it down is never missing there:
 * whether it is needed is for those who inherit it to say. */
static bool is_missing(const struct section *section, const struct setting *setting)
{
	if (setting->type == SETTING_SECTION || find_effective(section, setting))
		return false;
	return !setting->inherited || find_in_table(section->extension, setting->name) == setting;
}

const struct setting *section_find_missing(const struct section *section)
{
	const struct setting *const tables[] = { section->table, section->extension };

	for (size_t i = 0; i < 2; i++) {
		for (const struct setting *setting = tables[i]; setting && setting->name;
			setting++) {
			if (is_missing(section, setting))
				return setting;
		}
	}
	return NULL;
}
