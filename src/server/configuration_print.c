/* The effective configuration as a file: every value, those that nobody wrote too.
 *
 * Printed in the tables' order, so that printing what was loaded from a print gives the same text.
 * The default of an inherited setting is printed in the outermost section that may have it. */
#include "server/configuration.h"

static void indent(FILE *file, unsigned depth)
{
	fprintf(file, "%*s", (int)depth * 2, "");
}

static void print_items(const struct section *section, FILE *file, unsigned depth);

static void print_section(const struct section *section, FILE *file, unsigned depth)
{
	indent(file, depth);
	fputs(section->setting->name, file);
	for (size_t i = 0; section->titles && i < section->titles->count; i++) {
		fputc(' ', file);
		setting_print_quoted(text_of(section->titles->strings[i]), file);
	}
	fputs(" {\n", file);
	print_items(section, file, depth + 1);
	indent(file, depth);
	fputs("}\n", file);
}

static void print_items(const struct section *section, FILE *file, unsigned depth)
{
	struct setting_cursor cursor = { 0 };
	const struct setting *setting;

	while ((setting = section_next_setting(section, &cursor))) {
		const struct setting_value *value = section_find_value(section, setting->name);
		const struct section *child;

		if (setting->type == SETTING_SECTION) {
			for (size_t i = 0; (child = section_child(section, setting->name, i)); i++)
				print_section(child, file, depth);
		} else if (value) {
			indent(file, depth);
			fprintf(file, "%s = ", setting->name);
			setting_value_print(value, file);
			fputc('\n', file);
		}
	}
}

void configuration_print(const struct configuration *configuration, FILE *file)
{
	print_items(configuration->root, file, 0);
}
