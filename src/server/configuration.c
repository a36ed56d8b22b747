/* Loading a configuration: reading the file, then the steps of configuration_load.h.
 *
 * The configuration owns the tree and the names that the tree refers to. */
#include "server/configuration.h"

#include <assert.h>
#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/owned.h"
#include "server/configuration_load.h"

/* A file beyond this is no configuration but a mistake in the argument. */
enum { CONFIGURATION_LENGTH_MAX = 4 << 20 };

int configuration_complain(const char *file, unsigned line, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s:%u: ", file, line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -EINVAL;
}

static int load_tree(struct section *root, const char *directory, char *bytes, size_t length)
{
	int r = configuration_outline(root, bytes, length);

	if (r == 0)
		r = configuration_read_values(root, bytes, length);
	return r < 0 ? r : configuration_check(root, directory);
}

int configuration_load_text(struct configuration **configuration, const char *path,
	const char *file, const char *directory, char *bytes, size_t length)
{
	struct configuration *loaded = calloc(1, sizeof(*loaded));
	struct section *root = section_new(NULL, NULL, settings_table, NULL);
	int r = -ENOMEM;

	if (loaded)
		loaded->path = strdup(path);
	if (loaded && loaded->path && root) {
		loaded->root = root;
		root->file = file ? file : loaded->path;
		r = load_tree(root, directory, bytes, length);
	}
	if (r < 0) {
		section_free(root);
		if (loaded)
			free((char *)loaded->path);
		free(loaded);
		return r;
	}
	*configuration = loaded;
	return 0;
}

int configuration_override(
	struct configuration *configuration, const char *name, const char *string)
{
	struct section *root = (struct section *)configuration->root;
	struct setting_value *replaced = section_find_value(root, name);
	struct setting_value *value;
	struct buffer wrong;
	int r;

	buffer_init(&wrong, NULL, 0);
	assert(replaced);
	value = section_add_value(root, replaced->setting, root->line);
	if (!value)
		return -ENOMEM;
	setting_value_free(replaced);
	r = setting_value_add_string(value, text_of(string));
	if (r < 0)
		return r;
	r = setting_value_parse(value, &wrong);
	assert(r == 0);
	return 0;
}

void configuration_free(struct configuration *configuration)
{
	if (!configuration)
		return;
	section_free((struct section *)configuration->root);
	free((char *)configuration->path);
	free(configuration);
}

/* --- the file ------------------------------------------------------------------------------ */

static int read_stream(char **bytes, size_t *length, FILE *file)
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

static int read_file(char **bytes, size_t *length, const char *path)
{
	FILE *file = fopen(path, "re");
	int r;

	if (!file)
		return -errno;
	r = read_stream(bytes, length, file);
	fclose(file);
	return r;
}

/* The directory that relative paths are relative to.  Symbolic links in it stay what they are. */
static int find_directory(char **directory, const char *path)
{
	auto_free char *copy = strdup(path);
	auto_free char *current = getcwd(NULL, 0);
	const char *name;

	if (!copy)
		return -ENOMEM;
	name = dirname(copy);
	if (name[0] == '/' || (current && strcmp(name, ".") == 0)) {
		*directory = strdup(name[0] == '/' ? name : current);
		return *directory ? 0 : -ENOMEM;
	}
	if (!current)
		return -errno;
	return asprintf(directory, "%s/%s", strcmp(current, "/") == 0 ? "" : current, name) < 0
		       ? -ENOMEM
		       : 0;
}

int configuration_load(struct configuration **configuration, const char *path)
{
	auto_free char *bytes = NULL;
	auto_free char *directory = NULL;
	size_t length = 0;
	int r = read_file(&bytes, &length, path);

	if (r == 0)
		r = find_directory(&directory, path);
	if (r < 0) {
		fprintf(stderr, "%s: cannot be read: %s, expected a configuration file\n", path,
			strerror(-r));
		return r;
	}
	return configuration_load_text(configuration, path, NULL, directory, bytes, length);
}
