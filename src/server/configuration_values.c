/* The values: what libconfuse makes of the file's strings, put into the outline.
 *
 * Its options are made from the same tables that the outline was read by.  Every value is a string
 * to libconfuse, so that 16K and 10s need no quotes and numbers are read by our own, stricter
 * rules; escapes, variables, lists and titles are its work.  Sections are matched by name and
 * order, settings by name: neither can differ, since repetition was refused before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <confuse.h>

#include "base/owned.h"
#include "endpoints/registry.h"
#include "server/configuration_load.h"

/* --- options from the tables --------------------------------------------------------------- */

static size_t count_settings(const struct setting *table)
{
	size_t count = 0;

	while (table && table[count].name)
		count++;
	return count;
}

/* More than are needed where two endpoints share a name. */
static size_t count_options(const struct setting *table)
{
	size_t count = count_settings(table) + 1;

	for (size_t i = 0; endpoints[i]; i++)
		count += count_settings(endpoints[i]->settings);
	return count;
}

static void free_options(cfg_opt_t *options)
{
	for (cfg_opt_t *option = options; option && option->name; option++)
		free_options(option->subopts);
	free(options);
}

static int make_options(cfg_opt_t **options, const struct setting *table);

static int make_option(cfg_opt_t *option, const struct setting *setting)
{
	const cfg_opt_t string = CFG_STR(setting->name, NULL, CFGF_NODEFAULT);
	const cfg_opt_t list = CFG_STR_LIST(setting->name, NULL, CFGF_NODEFAULT);
	const cfg_opt_t section = CFG_SEC(setting->name, NULL,
		setting->titled ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE);

	*option = setting->type == SETTING_STRINGS ? list : string;
	if (setting->type != SETTING_SECTION)
		return 0;
	*option = section;
	return make_options(&option->subopts, setting->children);
}

static bool has_option(const cfg_opt_t *options, const char *name)
{
	while (options->name && strcmp(options->name, name) != 0)
		options++;
	return options->name != NULL;
}

/* Every endpoint's settings may stand in a location. */
static void add_endpoint_options(cfg_opt_t *options, size_t count)
{
	for (size_t i = 0; endpoints[i]; i++) {
		for (const struct setting *setting = endpoints[i]->settings;
			setting && setting->name; setting++) {
			if (!has_option(options, setting->name))
				make_option(&options[count++], setting);
		}
	}
}

static int make_options(cfg_opt_t **options, const struct setting *table)
{
	size_t count = 0;

	*options = calloc(count_options(table), sizeof(**options));
	if (!*options)
		return -ENOMEM;
	for (; table->name; table++) {
		int r = make_option(&(*options)[count++], table);

		if (r < 0)
			return r;
	}
	if (has_option(*options, "endpoint"))
		add_endpoint_options(*options, count);
	return 0;
}

/* --- parsing ------------------------------------------------------------------------------- */

static const char *expectation(const char *message)
{
	return strstr(message, "duplicate title") ? "every title once" : "what libconfuse can read";
}

static void report_error(cfg_t *parser, const char *format, va_list arguments)
{
	char message[512];

	vsnprintf(message, sizeof(message), format, arguments);
	configuration_complain(parser->filename, (unsigned)parser->line, "%s, expected %s", message,
		expectation(message));
}

static int parse(cfg_t *parser, const struct section *root, const char *bytes, size_t length)
{
	FILE *file = fmemopen((char *)bytes, length, "r");
	int r;

	if (!file)
		return -errno;
	cfg_set_error_function(parser, report_error);
	parser->filename = strdup(root->file);
	r = parser->filename ? cfg_parse_fp(parser, file) : CFG_PARSE_ERROR;
	fclose(file);
	return r == CFG_SUCCESS ? 0 : -EINVAL;
}

/* --- into the outline ---------------------------------------------------------------------- */

static int copy_value(struct setting_value *value, cfg_t *parsed)
{
	cfg_opt_t *option = cfg_getopt(parsed, value->setting->name);

	for (unsigned i = 0; i < cfg_opt_size(option); i++) {
		int r = setting_value_add_string(value, text_of(cfg_opt_getnstr(option, i)));

		if (r < 0)
			return r;
	}
	return 0;
}

/* The section's place among those of its name. */
static unsigned index_of(const struct section *section)
{
	unsigned index = 0;

	while (section_child(section->parent, section->setting->name, index) != section)
		index++;
	return index;
}

static int copy_section(struct section *section, cfg_t *parsed)
{
	if (section->setting && section->setting->titled) {
		section->title = strdup(cfg_title(parsed));
		if (!section->title)
			return -ENOMEM;
	}
	list_for_each (node, &section->values) {
		int r = copy_value(container_of(node, struct setting_value, node), parsed);

		if (r < 0)
			return r;
	}
	list_for_each (node, &section->children) {
		struct section *child = container_of(node, struct section, node);
		int r = copy_section(
			child, cfg_getnsec(parsed, child->setting->name, index_of(child)));

		if (r < 0)
			return r;
	}
	return 0;
}

int configuration_read_values(struct section *root, const char *bytes, size_t length)
{
	cfg_opt_t *options = NULL;
	cfg_t *parser = NULL;
	int r = make_options(&options, root->table);

	if (r == 0) {
		parser = cfg_init(options, CFGF_NONE);
		r = parser ? parse(parser, root, bytes, length) : -ENOMEM;
	}
	if (r == 0)
		r = copy_section(root, parser);
	if (parser)
		cfg_free(parser);
	free_options(options);
	return r;
}
