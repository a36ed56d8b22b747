/* Loading a configuration: reading the file, then the steps of configuration_load.h.
 *
 * The configuration owns the tree and the texts that the tree refers to. */
#include "server/configuration.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/owned.h"
#include "server/configuration_load.h"

enum {
	CONFIGURATION_LENGTH_MAX = 4 << 20, /* a longer file is a mistake in the argument */
	MISTAKES_SHOWN_MAX = 20,
	LINE_SHOWN_LENGTH_MAX = 200,
};

/* --- complaints ---------------------------------------------------------------------------- */

/* The line of the place, and below it a caret.  Bytes that a terminal may obey are masked. */
static void print_excerpt(struct setting_place place)
{
	struct text line = { place.source->bytes, place.source->length };

	for (unsigned i = 1; i < place.line; i++)
		line = text_from(line, text_find(line, '\n') + 1);
	line = text_first(line, text_find(line, '\n'));
	if (line.length == 0 || line.length > LINE_SHOWN_LENGTH_MAX)
		return;
	for (size_t i = 0; i < line.length; i++) {
		unsigned char byte = (unsigned char)line.bytes[i];

		fputc((byte < ' ' && byte != '\t') || byte == 0x7f ? '?' : byte, stderr);
	}
	fputc('\n', stderr);
	for (size_t i = 0; place.column > 1 && i < line.length; i++) {
		if (((unsigned char)line.bytes[i] & 0xc0) == 0x80)
			continue;
		place.column--;
		fputc(line.bytes[i] == '\t' ? '\t' : ' ', stderr);
	}
	fputs("^\n", stderr);
}

int configuration_complain(struct setting_place place, const char *format, ...)
{
	unsigned count = ++place.source->loading->mistake_count;
	va_list arguments;

	if (count == MISTAKES_SHOWN_MAX + 1)
		fprintf(stderr, "%s: there are more mistakes, which are not shown\n",
			place.source->name);
	if (count > MISTAKES_SHOWN_MAX)
		return -EINVAL;
	fprintf(stderr, "%s:%u:%u: ", place.source->name, place.line, place.column);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	print_excerpt(place);
	return -EINVAL;
}

void configuration_warn(struct setting_place place, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s:%u:%u: warning: ", place.source->name, place.line, place.column);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

char *configuration_expected(const struct setting *setting)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	if (!file)
		return NULL;
	setting_print_expected(setting, file);
	fclose(file);
	return text;
}

/* --- sources ------------------------------------------------------------------------------- */

static void free_sources(struct source *source)
{
	while (source) {
		struct source *next = source->next;

		free(source->name);
		free(source->directory);
		free(source->bytes);
		free(source);
		source = next;
	}
}

struct source *source_new(struct loading *loading, const char *name, const char *directory,
	const char *bytes, size_t length)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	*source = (struct source){ .next = loading->sources, .loading = loading, .length = length };
	loading->sources = source;
	source->name = strdup(name);
	source->directory = strdup(directory);
	source->bytes = malloc(length + 1);
	if (!source->name || !source->directory || !source->bytes)
		return NULL;
	memcpy(source->bytes, bytes, length);
	return source;
}

static int read_bytes(char **bytes, size_t *length, FILE *file)
{
	auto_free char *memory = malloc(CONFIGURATION_LENGTH_MAX);

	if (!memory)
		return -ENOMEM;
	errno = 0;
	*length = fread(memory, 1, CONFIGURATION_LENGTH_MAX, file);
	if (ferror(file))
		return errno ? -errno : -EIO;
	if (!feof(file) && fgetc(file) != EOF)
		return -EFBIG;
	*bytes = take_pointer(&memory);
	return 0;
}

/* The directory that relative paths are relative to.  Symbolic links in it stay what they are. */
static int find_directory(char **directory, const char *path)
{
	auto_free char *copy = strdup(path);
	auto_free char *current = NULL;
	const char *name;

	if (!copy)
		return -ENOMEM;
	name = dirname(copy);
	if (name[0] != '/') {
		current = getcwd(NULL, 0);
		if (!current)
			return -errno;
	}
	if (name[0] == '/' || strcmp(name, ".") == 0) {
		*directory = strdup(name[0] == '/' ? name : current);
		return *directory ? 0 : -ENOMEM;
	}
	return asprintf(directory, "%s/%s", strcmp(current, "/") == 0 ? "" : current, name) < 0
		       ? -ENOMEM
		       : 0;
}

int source_read(struct source **source, struct loading *loading, const struct source *includer,
	const char *path)
{
	/* A FIFO that happens to match a pattern must not hold the start up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | (includer ? O_NONBLOCK : 0));
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	auto_free char *bytes = NULL;
	auto_free char *directory = NULL;
	struct stat stat = { 0 };
	size_t length = 0;
	int r = 0;

	if (!file)
		return -errno;
	if (fstat(fd, &stat) < 0)
		r = -errno;
	else if (includer && S_ISDIR(stat.st_mode))
		r = -EISDIR;
	else if (includer && !S_ISREG(stat.st_mode))
		r = -EINVAL;
	else
		r = read_bytes(&bytes, &length, file);
	fclose(file);
	if (r == 0)
		r = find_directory(&directory, path);
	if (r < 0)
		return r;
	*source = source_new(loading, path, directory, bytes, length);
	if (!*source)
		return -ENOMEM;
	(*source)->includer = includer;
	(*source)->device = stat.st_dev;
	(*source)->inode = stat.st_ino;
	return 0;
}

/* --- loading ------------------------------------------------------------------------------- */

static struct configuration *new_configuration(const char *path)
{
	struct configuration *configuration = calloc(1, sizeof(*configuration));

	if (!configuration)
		return NULL;
	configuration->path = strdup(path);
	configuration->loading = calloc(1, sizeof(*configuration->loading));
	configuration->root = section_new(NULL, NULL, settings_table, NULL);
	if (!configuration->path || !configuration->loading || !configuration->root) {
		configuration_free(configuration);
		return NULL;
	}
	configuration->root->kind = IN_SERVER;
	return configuration;
}

/* Takes `loaded`, and frees it unless all is well.  `r`: how reading the source ended. */
static int load(struct configuration **configuration, struct configuration *loaded,
	const struct source *source, int r)
{
	if (r == 0) {
		configuration_read(loaded->root, source);
		r = configuration_check(loaded->root, loaded->loading);
	}
	if (r == 0)
		*configuration = loaded;
	else
		configuration_free(loaded);
	return r;
}

int configuration_load_text(struct configuration **configuration, const char *path,
	const char *directory, const char *bytes, size_t length)
{
	struct configuration *loaded = new_configuration(path);
	const struct source *source;

	if (!loaded)
		return -ENOMEM;
	source = source_new(
		loaded->loading, path[0] != '\0' ? path : "quick start", directory, bytes, length);
	return load(configuration, loaded, source, source ? 0 : -ENOMEM);
}

int configuration_load(struct configuration **configuration, const char *path)
{
	struct configuration *loaded = new_configuration(path);
	struct source *source = NULL;
	int r;

	if (!loaded)
		return -ENOMEM;
	r = source_read(&source, loaded->loading, NULL, path);
	if (r < 0)
		fprintf(stderr, "%s: cannot be read: %s, expected a configuration file\n", path,
			strerror(-r));
	return load(configuration, loaded, source, r);
}

int configuration_override(
	struct configuration *configuration, const char *name, const char *string)
{
	struct setting_value *replaced = section_find_value(configuration->root, name);
	struct setting_value *value;
	const char *what;
	size_t wrong;

	assert(replaced);
	value = section_add_value(configuration->root, replaced->setting, 0);
	if (!value)
		return -ENOMEM;
	setting_value_free(replaced);
	if (setting_value_add_string(value, text_of(string)) < 0)
		return -ENOMEM;
	what = setting_value_parse(value, &wrong);
	assert(!what);
	return 0;
}

void configuration_free(struct configuration *configuration)
{
	if (!configuration)
		return;
	section_free(configuration->root);
	if (configuration->loading)
		free_sources(configuration->loading->sources);
	free(configuration->loading);
	free((char *)configuration->path);
	free(configuration);
}
