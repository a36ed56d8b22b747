/* The tree of parsed settings: building it, adding the defaults, looking values up.
 *
 * Names are compared as strings: a configuration is read when a worker starts, never while it
 * serves, so lookups need not be fast.  A lookup of a name that is in no table, or by the wrong
 * type, is a mistake of the program and asserted; the file was checked before. */
#include "base/settings.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
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

const struct setting *section_next_setting(
	const struct section *section, struct setting_cursor *cursor)
{
	for (; cursor->table < SECTION_TABLE_COUNT; cursor->table++, cursor->row = 0) {
		const struct setting *table = section->tables[cursor->table];

		while (table && table[cursor->row].name) {
			const struct setting *setting = &table[cursor->row++];

			if (setting->where == 0 || (setting->where & section->kind))
				return setting;
		}
	}
	return NULL;
}

const struct setting *section_find_setting(const struct section *section, const char *name)
{
	struct setting_cursor cursor = { 0 };
	const struct setting *setting;

	while ((setting = section_next_setting(section, &cursor))) {
		if (strcmp(setting->name, name) == 0)
			break;
	}
	return setting;
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

static bool is_inherited(const struct section *section, const struct setting *setting)
{
	return section->parent && section_find_setting(section->parent, setting->name) == setting;
}

static const struct setting_value *look_up(const struct section *section, const char *name)
{
	const struct setting *setting = section_find_setting(section, name);
	const struct setting_value *value;

	assert(setting);
	value = section_find_value(section, name);
	while (!value && is_inherited(section, setting)) {
		section = section->parent;
		value = section_find_value(section, name);
	}
	assert(value || !setting->fallback);
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

/* --- building ----------------------------------------------------------------------------- */

static struct setting_value *new_value(const struct setting *setting, unsigned line)
{
	struct setting_value *value = calloc(1, sizeof(*value));

	if (!value)
		return NULL;
	list_node_init(&value->node);
	value->setting = setting;
	value->place.line = line;
	return value;
}

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
	section->kind = parent ? setting->opens : UINT_MAX;
	section->tables[0] = parent ? parent->tables[0] : table;
	section->parent = parent;
	if (parent)
		list_append(&parent->children, &section->node);
	if (!title || section_add_title(section, text_of(title)) == 0)
		return section;
	section_free(section);
	return NULL;
}

int section_add_title(struct section *section, struct text title)
{
	if (!section->titles)
		section->titles = new_value(section->setting, 0);
	if (!section->titles || setting_value_add_string(section->titles, title) < 0)
		return -ENOMEM;
	section->title = section->titles->strings[0];
	return 0;
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
	if (section->titles)
		setting_value_free(section->titles);
	free(section);
}

struct setting_value *section_add_value(
	struct section *section, const struct setting *setting, unsigned line)
{
	struct setting_value *value = new_value(setting, line);

	if (value)
		list_append(&section->values, &value->node);
	return value;
}

/* A default in a table is written as in a file, but without escapes. */
static struct text next_fallback_string(struct text *rest)
{
	struct text string = text_take(rest, ',');

	if (string.length >= 2 && string.bytes[0] == '"')
		string = text_first(text_from(string, 1), string.length - 2);
	return string;
}

static int add_fallback(struct section *section, const struct setting *setting)
{
	struct setting_value *value = section_add_value(section, setting, 0);
	struct text rest = text_of(setting->fallback);
	bool is_list = setting->type == SETTING_STRINGS;
	const char *what;
	size_t wrong;

	if (!value)
		return -ENOMEM;
	if (is_list && rest.length >= 2 && rest.bytes[0] == '{')
		rest = text_trim(text_first(text_from(rest, 1), rest.length - 2));
	while (rest.length > 0 && (is_list || value->count == 0)) {
		int r = setting_value_add_string(value, next_fallback_string(&rest));

		if (r < 0)
			return r;
	}
	what = setting_value_parse(value, &wrong);
	assert(!what);
	return 0;
}

static int complete_setting(struct section *section, const struct setting *setting)
{
	if (setting->type == SETTING_SECTION) {
		if (setting->titles > 0 || section_child(section, setting->name, 0))
			return 0;
		return section_new(section, setting, NULL, NULL) ? 0 : -ENOMEM;
	}
	if (!setting->fallback || is_inherited(section, setting) ||
		section_find_value(section, setting->name))
		return 0;
	return add_fallback(section, setting);
}

int section_complete(struct section *section)
{
	struct setting_cursor cursor = { 0 };
	const struct setting *setting;
	int r = 0;

	while (r == 0 && (setting = section_next_setting(section, &cursor)))
		r = complete_setting(section, setting);
	list_for_each (node, &section->children) {
		if (r < 0)
			break;
		r = section_complete(section_of(node));
	}
	return r;
}

const struct setting *section_find_missing(const struct section *section)
{
	struct setting_cursor cursor = { 0 };
	const struct setting *setting;

	while ((setting = section_next_setting(section, &cursor))) {
		bool is_innermost = setting->where < 2 * (uint64_t)section->kind;

		if (setting->required && is_innermost && !look_up(section, setting->name))
			break;
	}
	return setting;
}
