/* What may be configured, made from the tables: as text, which is itself the shape of a
 * configuration, and as Markdown, which is docs/configuration.md. */
#include <string.h>

#include "endpoints/registry.h"
#include "server/configuration_load.h"

enum { HELP_COLUMNS = 96 };

struct expectation {
	char bytes[256];
};

static struct expectation expectation_of(const struct setting *setting)
{
	struct expectation expectation;
	struct buffer buffer;

	buffer_init(&buffer, expectation.bytes, sizeof(expectation.bytes) - 1);
	setting_append_expected(setting, &buffer);
	expectation.bytes[buffer.length] = '\0';
	return expectation;
}

static bool has_settings(const struct setting *table)
{
	return table && table->name;
}

/* --- text ---------------------------------------------------------------------------------- */

/* A comment, wrapped between words. */
static void print_comment(FILE *file, unsigned depth, const char *text)
{
	int start = (int)depth * 2 + 1;
	int column = 0;

	while (*text != '\0') {
		int length = (int)strcspn(text, " ");

		if (column == 0 || column + 1 + length > HELP_COLUMNS) {
			column = fprintf(file, "%s%*s", column > 0 ? "\n" : "", start, "#");
			column = start;
		}
		column += fprintf(file, " %.*s", length, text);
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', file);
}

static void print_text_setting(FILE *file, unsigned depth, const struct setting *setting)
{
	struct expectation expected = expectation_of(setting);

	print_comment(file, depth, setting->help);
	print_comment(file, depth, expected.bytes);
	if (setting->fallback)
		fprintf(file, "%*s%s = %s\n\n", (int)depth * 2, "", setting->name,
			setting->fallback);
	else
		fprintf(file, "%*s# %s = ...   (no default)\n\n", (int)depth * 2, "",
			setting->name);
}

static void print_text_endpoints(FILE *file, unsigned depth)
{
	for (size_t i = 0; endpoints[i]; i++) {
		fprintf(file, "%*s# endpoint \"%s\":\n", (int)depth * 2, "", endpoints[i]->name);
		print_comment(file, depth, endpoints[i]->summary);
		fputc('\n', file);
		for (const struct setting *setting = endpoints[i]->settings; has_settings(setting);
			setting++)
			print_text_setting(file, depth, setting);
	}
}

static void print_text_table(FILE *file, unsigned depth, const struct setting *table)
{
	bool is_location = false;

	for (; has_settings(table); table++) {
		is_location |= strcmp(table->name, "endpoint") == 0;
		if (table->type != SETTING_SECTION) {
			print_text_setting(file, depth, table);
			continue;
		}
		print_comment(file, depth, table->help);
		fprintf(file, "%*s%s%s {", (int)depth * 2, "", table->name,
			table->titled ? " \"...\"" : "");
		if (has_settings(table->children)) {
			fputc('\n', file);
			print_text_table(file, depth + 1, table->children);
			fprintf(file, "%*s", (int)depth * 2, "");
		}
		fputs("}\n\n", file);
	}
	if (is_location)
		print_text_endpoints(file, depth);
}

void configuration_print_help(FILE *file)
{
	print_text_table(file, 0, settings_table);
}

/* --- Markdown ------------------------------------------------------------------------------ */

static const char MARKDOWN_BEGIN[] =
	"# Configuration\n"
	"\n"
	"<!-- Made by `ringlet --help-config=markdown`: change the tables in the source instead. "
	"-->\n"
	"\n"
	"`ringlet -c FILE` reads settings (`name = value`) and sections (`name { }` or\n"
	"`name \"title\" { }`). The order does not matter, and nothing but `listen`, `site` and\n"
	"`location` may be given twice. Comments are `# ...`, `// ...` and `/* ... */`.\n"
	"\n"
	"- A value stands on the line of its name. It needs quotes if it contains anything but "
	"letters,\n"
	"  digits and punctuation like `.`, `/`, `:` and `-`.\n"
	"- In `\"double quotes\"`, `\\\\`, `\\\"`, `\\'`, `\\$`, `\\n`, `\\r`, `\\t` and `\\xHH` "
	"are escapes, and\n"
	"  `${NAME}` or `${NAME:-default}` is replaced from the environment; a variable that is "
	"not set\n"
	"  and has no default is an error. In `'single quotes'` only `\\\\` and `\\'` are "
	"escapes.\n"
	"- Sizes are bytes, or `K`, `M`, `G` (powers of 1024). Times need their unit: `ms`, `s`, "
	"`m`,\n"
	"  `h`, `d`. Numbers are decimal, without leading zeros.\n"
	"- Relative paths are relative to the directory of the file.\n"
	"- There are no semicolons.\n"
	"\n"
	"`ringlet -c FILE -t` checks a file, and `-T` prints it with every default. A mistake is\n"
	"reported as `FILE:LINE: what is wrong, what is expected`.\n";

static const char *markdown_value(const struct setting *setting, struct expectation *expectation)
{
	if (setting->type == SETTING_SECTION)
		return setting->titled ? "section with a title, may be repeated" : "section";
	*expectation = expectation_of(setting);
	return expectation->bytes;
}

/* `outside` stands for what an inherited setting takes from the section around it. */
static void print_markdown_row(FILE *file, const struct setting *setting, const char *outside)
{
	struct expectation expectation;
	const char *value = markdown_value(setting, &expectation);

	fprintf(file, "| `%s` | %s | ", setting->name, value);
	if (setting->fallback)
		fprintf(file, "`%s`", setting->fallback);
	else if (setting->inherited)
		fputs(outside, file);
	fprintf(file, " | %s |\n", setting->help);
}

static void print_markdown_rows(FILE *file, const struct setting *table, const char *outside)
{
	fputs("\n| setting | value | default | meaning |\n|---|---|---|---|\n", file);
	for (; has_settings(table); table++)
		print_markdown_row(file, table, outside);
}

static void print_markdown_sections(FILE *file, const struct setting *table)
{
	for (; has_settings(table); table++) {
		if (table->type != SETTING_SECTION || !has_settings(table->children))
			continue;
		fprintf(file, "\n## `%s%s { }`\n\n%s\n", table->name,
			table->titled ? " \"...\"" : "", table->help);
		print_markdown_rows(file, table->children, "");
		print_markdown_sections(file, table->children);
	}
}

static void print_markdown_endpoint(FILE *file, const struct endpoint *endpoint)
{
	fprintf(file, "\n### `%s`\n\n%s\n", endpoint->name, endpoint->summary);
	if (has_settings(endpoint->settings))
		print_markdown_rows(file, endpoint->settings, "the site's");
}

void configuration_print_markdown(FILE *file)
{
	fputs(MARKDOWN_BEGIN, file);
	fputs("\n## The server\n", file);
	print_markdown_rows(file, settings_table, "");
	print_markdown_sections(file, settings_table);
	fputs("\n## Endpoints\n\nWhat a `location` may name, with the settings that then may stand "
	      "in it.\n",
		file);
	for (size_t i = 0; endpoints[i]; i++)
		print_markdown_endpoint(file, endpoints[i]);
}
