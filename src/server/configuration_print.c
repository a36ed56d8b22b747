/* The effective configuration as a file: every value, those that nobody wrote too.
 *
 * Printed by the tables' order, so that printing what was loaded from a print gives the same text.
 * An inherited value is printed where it was written; where nobody wrote it, the fallback stands in
 * each section that has one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/owned.h"
#include "server/configuration_load.h"

static void indent(FILE *file, unsigned depth)
{
	fprintf(file, "%*s", (int)depth * 2, "");
}

/* No byte takes more than four as \xHH. */
static size_t printed_length_max(const struct setting_value *value)
{
	size_t length = 64;

	for (size_t i = 0; i < value->count; i++)
		length += 4 * strlen(value->strings[i]) + 4;
	return length;
}

static void print_value(const struct setting_value *value, FILE *file)
{
	size_t size = printed_length_max(value);
	auto_free char *memory = malloc(size);
	struct buffer buffer;

	if (!memory)
		return;
	buffer_init(&buffer, memory, size);
	setting_value_append(value, &buffer);
	fwrite(buffer.bytes, 1, buffer.length, file);
}

static void print_title(const char *title, FILE *file)
{
	size_t size = 4 * strlen(title) + 4;
	auto_free char *memory = malloc(size);
	struct buffer buffer;

	if (!memory)
		return;
	buffer_init(&buffer, memory, size);
	setting_append_quoted(&buffer, text_of(title));
	fprintf(file, " %.*s", TEXT_ARGUMENTS(buffer_text(&buffer)));
}

static bool is_written_around(const struct section *section, const char *name)
{
	for (section = section->parent; section; section = section->parent) {
		const struct setting_value *value = section_find_value(section, name);

		if (value && value->line > 0)
			return true;
	}
	return false;
}

static void print_setting(
	const struct section *section, const struct setting *setting, FILE *file, unsigned depth)
{
	const struct setting_value *value = section_find_value(section, setting->name);

	if (!value || (value->line == 0 && setting->inherited &&
			      is_written_around(section, setting->name)))
		return;
	indent(file, depth);
	fprintf(file, "%s = ", setting->name);
	print_value(value, file);
	fputc('\n', file);
}

static void print_section(const struct section *section, FILE *file, unsigned depth);

static void print_table(
	const struct section *section, const struct setting *table, FILE *file, unsigned depth)
{
	for (; table && table->name; table++) {
		const struct section *child;

		if (table->type != SETTING_SECTION) {
			print_setting(section, table, file, depth);
			continue;
		}
		for (size_t i = 0; (child = section_child(section, table->name, i)); i++)
			print_section(child, file, depth);
	}
}

static void print_section(const struct section *section, FILE *file, unsigned depth)
{
	indent(file, depth);
	fputs(section->setting->name, file);
	if (section->title)
		print_title(section->title, file);
	if (section->table->name) {
		fputs(" {\n", file);
		print_table(section, section->table, file, depth + 1);
		print_table(section, section->extension, file, depth + 1);
		indent(file, depth);
		fputs("}\n", file);
	} else {
		fputs(" {}\n", file);
	}
}

void configuration_print(const struct configuration *configuration, FILE *file)
{
	print_table(configuration->root, settings_table, file, 0);
}
