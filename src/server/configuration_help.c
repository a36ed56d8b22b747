/* What may be configured, made from the tables: as text, which has the shape of a configuration; as
 * Markdown, which is docs/configuration.md; and as docs/ringlet.conf.5.scd. */
#include <string.h>

#include "base/owned.h"
#include "endpoints/registry.h"
#include "server/configuration_load.h"

enum { HELP_COLUMNS = 96 };

/* The rows of the sections of a kind, for section_next_setting(). */
static struct section rows_of(unsigned kind)
{
	struct section section = { .kind = kind, .tables = { settings_table } };

	if (kind & (IN_SITE | IN_LOCATION))
		section.tables[1] = configuration_shared_settings();
	return section;
}

/* Each row is described once, in the outermost section that may have it. */
static const struct setting *next_row(const struct section *section, struct setting_cursor *cursor)
{
	const struct setting *setting;

	do
		setting = section_next_setting(section, cursor);
	while (setting && (setting->where & -setting->where) != section->kind);
	return setting;
}

static const char *also_in(const struct setting *setting)
{
	return setting->where == (IN_SITE | IN_LOCATION) ? "  Also in a location." : "";
}

/* Wrapped between words. */
static void print_wrapped(FILE *file, const char *prefix, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t length = strcspn(text, " ");

		if (column == 0 || column + 1 + length > HELP_COLUMNS)
			column = (size_t)fprintf(file, "%s%s", column > 0 ? "\n" : "", prefix);
		column += (size_t)fprintf(file, " %.*s", (int)length, text);
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', file);
}

/* --- text ---------------------------------------------------------------------------------- */

static void print_comment(FILE *file, int depth, const char *text)
{
	char prefix[16];

	snprintf(prefix, sizeof(prefix), "%*s", depth * 2 + 1, "#");
	print_wrapped(file, prefix, text);
}

static void print_text_setting(FILE *file, int depth, const struct setting *setting)
{
	auto_free char *expected = configuration_expected(setting);

	print_comment(file, depth, setting->help);
	print_comment(file, depth, expected ? expected : "");
	if (setting->where == (IN_SITE | IN_LOCATION))
		print_comment(file, depth, "also in a location");
	if (setting->type == SETTING_INCLUDE)
		fprintf(file, "%*s# %s \"...\"\n\n", depth * 2, "", setting->name);
	else if (setting->fallback)
		fprintf(file, "%*s%s = %s\n\n", depth * 2, "", setting->name, setting->fallback);
	else
		fprintf(file, "%*s# %s = ...   (no default)\n\n", depth * 2, "", setting->name);
}

static void print_text_endpoints(FILE *file, int depth)
{
	for (size_t i = 0; endpoints[i]; i++) {
		fprintf(file, "%*s# endpoint \"%s\":\n", depth * 2, "", endpoints[i]->name);
		print_comment(file, depth, endpoints[i]->summary);
		fputc('\n', file);
		for (const struct setting *setting = endpoints[i]->settings;
			setting && setting->name; setting++)
			print_text_setting(file, depth, setting);
	}
}

static void print_text_section(FILE *file, int depth, unsigned kind)
{
	struct section rows = rows_of(kind);
	struct setting_cursor cursor = { 0 };
	const struct setting *setting;

	while ((setting = next_row(&rows, &cursor))) {
		if (setting->type != SETTING_SECTION) {
			print_text_setting(file, depth, setting);
			continue;
		}
		print_comment(file, depth, setting->help);
		fprintf(file, "%*s%s%s {\n", depth * 2, "", setting->name,
			setting->titles > 0 ? " \"...\"" : "");
		print_text_section(file, depth + 1, setting->opens);
		fprintf(file, "%*s}\n\n", depth * 2, "");
	}
	if (kind == IN_LOCATION)
		print_text_endpoints(file, depth);
}

/* --- the documents ------------------------------------------------------------------------- */

/* The rules of the language, for both documents; `code` is between backticks. */
static const char *const RULES[] = {
	"Comments are `# ...` and `// ...` to the end of the line, and `/* ... */`.",
	"The order does not matter. A setting stands in a section once; `listen`, `site`, "
	"`location` "
	"and `include` may be repeated. There are no semicolons.",
	"A value stands on the line of its name. It needs quotes if it contains anything but "
	"letters, "
	"digits and punctuation like `.`, `/`, `:` and `-`.",
	"In `\"double quotes\"`, `\\\\`, `\\\"`, `\\'`, `\\$`, `\\n`, `\\r`, `\\t` and `\\xHH` are "
	"escapes, and `${NAME}` or `${NAME:-default}` is replaced from the environment; a variable "
	"that is not set and has no default is an error. In `'single quotes'` only `\\\\` and "
	"`\\'` "
	"are escapes.",
	"Switches are `yes` or `no`; `on` and `off` mean the same.",
	"Sizes are bytes, or `K`, `M`, `G` (powers of 1024; also `k`, `m`, `g`). Times need a "
	"unit: "
	"`ms`, `s`, `m`, `h`, `d`, `w` (7 days), `y` (365 days); `0` needs none. Numbers are "
	"decimal, without leading zeros.",
	"A list stands in braces, `{\"a\", \"b\"}`, on one line or several; a list of one may be a "
	"string.",
	"Relative paths are relative to the directory of the file that they stand in.",
	"The file is UTF-8 without a byte order mark. Control bytes and invisible characters are "
	"errors outside of comments.",
	"A mistake is reported as `FILE:LINE:COLUMN: what is wrong, expected ...`, with the line "
	"and a "
	"caret below it; all mistakes of a file are listed, at most 20. `ringlet -c FILE -t` "
	"checks "
	"a file, and also whether a start on this machine would succeed: users, logs, stores, "
	"sockets, and whether the workers' user can enter the roots. `-T` prints a file with every "
	"default.",
};

/* What scdoc takes for markup is escaped, and `code` becomes bold. */
static void print_man_text(FILE *file, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '`') {
			fputc('*', file);
			continue;
		}
		if (strchr("\\*_#", *text))
			fputc('\\', file);
		fputc(*text, file);
	}
}

static void print_man_setting(FILE *file, const struct setting *setting, const char *where)
{
	auto_free char *expected = configuration_expected(setting);

	fprintf(file, "*%s*", setting->name);
	if (setting->type == SETTING_SECTION) {
		fputs(setting->titles > 0 ? " \"...\" { }" : " { }", file);
	} else if (setting->type == SETTING_INCLUDE) {
		fputs(" \"...\"", file);
	} else {
		fputs(" = ", file);
		print_man_text(file, setting->fallback ? setting->fallback : "...");
	}
	fputs("\n\t", file);
	print_man_text(file, setting->help);
	print_man_text(file, where);
	if (setting->type != SETTING_SECTION && expected) {
		fputs("  Value: ", file);
		print_man_text(file, expected);
		fputc('.', file);
	}
	fputs("\n\n", file);
}

static void print_markdown_setting(FILE *file, const struct setting *setting, const char *where)
{
	auto_free char *expected = configuration_expected(setting);
	const char *code = setting->fallback ? "`" : "";

	fprintf(file, "| `%s` | %s%s | %s%s%s | %s%s |\n", setting->name, expected ? expected : "",
		setting->titles > 0 ? " with a title, may be repeated" : "", code,
		setting->fallback ? setting->fallback : "", code, setting->help, where);
}

static void begin_markdown_rows(FILE *file)
{
	fputs("\n| setting | value | default | meaning |\n|---|---|---|---|\n", file);
}

static void print_document_section(FILE *file, bool is_man, unsigned kind)
{
	struct section rows = rows_of(kind);
	struct setting_cursor cursor = { 0 };
	const struct setting *setting;

	if (!is_man)
		begin_markdown_rows(file);
	while ((setting = next_row(&rows, &cursor))) {
		if (is_man)
			print_man_setting(file, setting, also_in(setting));
		else
			print_markdown_setting(file, setting, also_in(setting));
	}
	for (cursor = (struct setting_cursor){ 0 }; (setting = next_row(&rows, &cursor));) {
		if (setting->type != SETTING_SECTION)
			continue;
		fprintf(file, is_man ? "## %s%s { }\n\n" : "\n## `%s%s { }`\n\n", setting->name,
			setting->titles > 0 ? " \"...\"" : "");
		if (!is_man)
			fprintf(file, "%s\n", setting->help);
		print_document_section(file, is_man, setting->opens);
	}
}

static void print_document_endpoints(FILE *file, bool is_man)
{
	for (size_t i = 0; endpoints[i]; i++) {
		const struct setting *setting = endpoints[i]->settings;

		fprintf(file, is_man ? "## %s\n\n" : "\n### `%s`\n\n", endpoints[i]->name);
		if (is_man)
			fprintf(file, "Endpoint _%s_. ", endpoints[i]->name);
		if (is_man)
			print_man_text(file, endpoints[i]->summary);
		else
			fputs(endpoints[i]->summary, file);
		fputs(is_man ? "\n\n" : "\n", file);
		if (!is_man && setting && setting->name)
			begin_markdown_rows(file);
		for (; setting && setting->name; setting++) {
			if (is_man)
				print_man_setting(file, setting, "");
			else
				print_markdown_setting(file, setting, "");
		}
	}
}

static void print_markdown(FILE *file)
{
	fputs("# Configuration\n"
	      "\n"
	      "<!-- Made by `ringlet --help-config=markdown`: change the tables in the source "
	      "instead. -->\n"
	      "\n"
	      "`ringlet -c FILE` reads settings (`name = value`) and sections (`name { }` or\n"
	      "`name \"title\" { }`).\n"
	      "\n",
		file);
	for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++)
		print_wrapped(file, "-", RULES[i]);
	fputs("\n## The server\n", file);
	print_document_section(file, false, IN_SERVER);
	fputs("\n## Endpoints\n\nWhat a `location` may name, with the settings that then may stand "
	      "in it.\n",
		file);
	print_document_endpoints(file, false);
}

static void print_man(FILE *file)
{
	fputs("ringlet.conf(5)\n"
	      "\n"
	      "; Made by `ringlet --help-config=man`: change the tables in the source instead.\n"
	      "\n"
	      "# NAME\n\nringlet.conf - configuration of ringlet\n"
	      "\n"
	      "# DESCRIPTION\n\nThe file is made of settings, *name = value*, and of sections, "
	      "*name { }* or *name \"title\" { }*.\n\n",
		file);
	for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++) {
		fputs("- ", file);
		print_man_text(file, RULES[i]);
		fputc('\n', file);
	}
	fputs("\n# SETTINGS\n\n", file);
	print_document_section(file, true, IN_SERVER);
	fputs("# ENDPOINTS\n\nWhat a *location* may name, with the settings that then may stand in "
	      "it.\n\n",
		file);
	print_document_endpoints(file, true);
	fputs("# EXAMPLE\n"
	      "\n"
	      "```\n"
	      "listen \"localhost:8080\"\n"
	      "workers = 2\n"
	      "timeouts { idle = 30s }\n"
	      "site \"*\" {\n"
	      "  root = \"/srv/www\"\n"
	      "  location \"/\"         { endpoint = \"static\" }\n"
	      "  location \"/dynamic/\" { endpoint = \"dynamic\" }\n"
	      "  location \"/ping\"     { endpoint = \"ping\" }\n"
	      "}\n"
	      "```\n"
	      "\n"
	      "# SEE ALSO\n\n*ringlet*(8)\n",
		file);
}

void configuration_print_help(const char *format, FILE *file)
{
	if (!format)
		print_text_section(file, 0, IN_SERVER);
	else if (strcmp(format, "man") == 0)
		print_man(file);
	else
		print_markdown(file);
}
