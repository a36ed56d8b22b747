/* The check: strings become values, and the tree becomes one that a server can run on.
 *
 * Each section in the order of the file, outer before inner: a location learns its endpoint and
 * with it a second table, values are parsed by their settings, relative paths are made absolute,
 * titles are held against what they name.  Then fallbacks fill what was not written, and what has
 * none is missing.  After this no lookup of the server can fail. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/owned.h"
#include "endpoints/registry.h"
#include "http/host.h"
#include "net/address.h"
#include "server/configuration_load.h"

#define complain(section, ...) configuration_complain((section)->file, (section)->line, __VA_ARGS__)

static struct section *section_of(struct list_node *node)
{
	return container_of(node, struct section, node);
}

static bool is_named(const struct section *section, const char *name)
{
	return section->setting && strcmp(section->setting->name, name) == 0;
}

/* --- the endpoint of a location ------------------------------------------------------------ */

static int complain_endpoint(const struct section *location, const char *name, unsigned line)
{
	char memory[512];
	struct buffer names;

	buffer_init(&names, memory, sizeof(memory) - 1);
	for (size_t i = 0; endpoints[i]; i++) {
		buffer_append_string(&names, " ");
		buffer_append_string(&names, endpoints[i]->name);
	}
	memory[names.length] = '\0';
	return configuration_complain(location->file, line,
		"endpoint = %s: no such endpoint, expected one of%s", name, memory);
}

/* An endpoint's own setting replaces the one of the same name that the outline guessed. */
static int claim_values(struct section *location, const struct endpoint *endpoint)
{
	list_for_each (node, &location->values) {
		struct setting_value *value = container_of(node, struct setting_value, node);
		const char *name = value->setting->name;
		const struct setting *setting = section_find_setting(location, name);
		const struct endpoint *owner = endpoint;

		if (!setting) {
			configuration_find_endpoint_setting(name, &owner);
			return configuration_complain(location->file, value->line,
				"%s is a setting of the endpoint %s, expected only those of %s",
				name, owner->name, endpoint->name);
		}
		value->setting = setting;
	}
	return 0;
}

/* `redirect = "/new/"` says enough about what answers. */
static int imply_endpoint(struct section *location)
{
	const struct setting_value *redirect = section_find_value(location, "redirect");
	const struct setting *setting = section_find_setting(location, "endpoint");
	struct setting_value *value;

	if (!redirect || section_find_value(location, "endpoint"))
		return 0;
	value = section_add_value(location, setting, redirect->line);
	if (!value)
		return -ENOMEM;
	return setting_value_add_string(value, text_literal("redirect"));
}

static int check_endpoint(struct section *location)
{
	const struct setting_value *value = section_find_value(location, "endpoint");
	const char *name =
		value ? value->strings[0] : section_find_setting(location, "endpoint")->fallback;
	const struct endpoint *endpoint = endpoint_named(text_of(name));

	if (!endpoint)
		return complain_endpoint(location, name, value ? value->line : location->line);
	location->extension = endpoint->settings;
	return claim_values(location, endpoint);
}

const struct endpoint *configuration_endpoint(const struct section *location)
{
	return endpoint_named(text_of(section_string(location, "endpoint")));
}

static unsigned methods_of(const struct setting_value *value, const struct endpoint *endpoint)
{
	unsigned methods = 0;

	if (!value || value->count == 0)
		return endpoint->methods;
	for (size_t i = 0; i < value->count; i++)
		methods |= METHOD_BIT(method_of(text_of(value->strings[i])));
	/* Whoever may GET may also ask what GET would answer. */
	if (methods & METHOD_BIT(METHOD_GET))
		methods |= METHOD_BIT(METHOD_HEAD);
	return methods & endpoint->methods;
}

unsigned configuration_methods(const struct section *location)
{
	return methods_of(
		section_find_value(location, "methods"), configuration_endpoint(location));
}

/* Before fallbacks have filled what was not written. */
static const struct endpoint *endpoint_of(const struct section *location)
{
	const struct setting_value *name = section_find_value(location, "endpoint");

	return endpoint_named(text_of(
		name ? name->strings[0] : section_find_setting(location, "endpoint")->fallback));
}

/* A location that allows nothing is a mistake, not a wish. */
static int check_methods(const struct section *location)
{
	const struct setting_value *value = section_find_value(location, "methods");
	const struct endpoint *endpoint = endpoint_of(location);
	char memory[128];
	struct buffer known;

	if (!value || value->count == 0)
		return 0;
	if (methods_of(value, endpoint) != 0)
		return 0;
	buffer_init(&known, memory, sizeof(memory));
	method_append_allow(&known, endpoint->methods);
	return configuration_complain(location->file, value->line,
		"methods: the endpoint %s knows none of these, expected some of %.*s",
		endpoint->name, TEXT_ARGUMENTS(buffer_text(&known)));
}

/* In a site it is meant for those of its locations that can. */
static int check_compress(const struct section *location)
{
	const struct setting_value *value = section_find_value(location, "compress");
	const struct endpoint *endpoint = endpoint_of(location);

	if (!value || !value->number || !endpoint->sends_files)
		return 0;
	return configuration_complain(location->file, value->line,
		"compress: the endpoint %s sends files as they are, expected precompressed = "
		"{\"gz\"} with static, or another endpoint as dynamic",
		endpoint->name);
}

/* --- paths --------------------------------------------------------------------------------- */

static bool is_real_directory(const char *path)
{
	struct stat stat;

	return lstat(path, &stat) == 0 && S_ISDIR(stat.st_mode);
}

/* Takes leading "./" off the path, and "../" together with the directory's last part as long as
 * that is no symbolic link, whose parent would be another.  Nothing else is resolved: a link in the
 * path may be switched while the server runs. */
static void join_lexically(char *directory, const char **path)
{
	for (;;) {
		if (strncmp(*path, "./", 2) == 0) {
			*path += 2;
		} else if (strncmp(*path, "../", 3) == 0 && is_real_directory(directory) &&
			   strrchr(directory, '/') != directory) {
			*strrchr(directory, '/') = '\0';
			*path += 3;
		} else {
			return;
		}
	}
}

static int make_absolute(char **absolute, const char *base, const char *path)
{
	auto_free char *directory = strdup(base);

	if (!directory)
		return -ENOMEM;
	if (path[0] == '/')
		directory[0] = '\0';
	else
		join_lexically(directory, &path);
	return asprintf(absolute, "%s%s%s", directory,
		       directory[0] != '\0' && strcmp(directory, "/") != 0 ? "/" : "", path) < 0
		       ? -ENOMEM
		       : 0;
}

static bool is_path(const struct setting_value *value)
{
	enum setting_type type = value->setting->type;

	/* For a SETTING_FILE the number tells whether it is one of its words. */
	return type == SETTING_DIRECTORY || (type == SETTING_FILE && value->number == 0);
}

/* 0, or a negative errno. */
static int find_directory(const char *path)
{
	DIR *directory = opendir(path);

	return directory ? closedir(directory) : -errno;
}

static int find_parent(const char *path)
{
	auto_free char *parent = strdup(path);

	return parent ? find_directory(dirname(parent)) : -ENOMEM;
}

static int check_directory(
	const struct section *section, const struct setting_value *value, const char *path)
{
	int r = find_directory(path);
	bool made = value->setting->made;

	if (r == -ENOENT && made)
		r = find_parent(path);
	if (r == 0)
		return 0;
	return configuration_complain(section->file, value->line, "%s = %s: %s: %s, expected %s",
		value->setting->name, value->strings[0], path, strerror(-r),
		made ? "a directory in an existing one" : "an existing directory");
}

static int resolve_path(
	const struct section *section, struct setting_value *value, const char *directory)
{
	char *path;
	int r = make_absolute(&path, directory, value->strings[0]);

	if (r < 0)
		return r;
	if (value->setting->type == SETTING_DIRECTORY)
		r = check_directory(section, value, path);
	free(value->strings[0]);
	value->strings[0] = path;
	return r;
}

static int check_value(
	const struct section *section, struct setting_value *value, const char *directory)
{
	char memory[512];
	struct buffer wrong;

	buffer_init(&wrong, memory, sizeof(memory));
	if (setting_value_parse(value, &wrong) < 0)
		return configuration_complain(
			section->file, value->line, "%.*s", TEXT_ARGUMENTS(buffer_text(&wrong)));
	return is_path(value) ? resolve_path(section, value, directory) : 0;
}

/* --- titles -------------------------------------------------------------------------------- */

/* The path of a socket is relative to the file as every other path is. */
static int resolve_listen(struct section *listen, const char *directory)
{
	static const char prefix[] = "unix:";
	const char *path = listen->title + strlen(prefix);
	auto_free char *absolute = NULL;
	char *title;
	int r;

	if (strncmp(listen->title, prefix, strlen(prefix)) != 0 || path[0] == '/' ||
		path[0] == '\0')
		return 0;
	r = make_absolute(&absolute, directory, path);
	if (r < 0)
		return r;
	if (asprintf(&title, "%s%s", prefix, absolute) < 0)
		return -ENOMEM;
	free((char *)listen->title);
	listen->title = title;
	return 0;
}

static int check_listen(const struct section *listen)
{
	struct address address, earlier;
	const char *expected;

	if (address_parse(&address, text_of(listen->title), &expected) < 0)
		return complain(
			listen, "listen \"%s\": no address, expected %s", listen->title, expected);
	list_for_each (node, &listen->parent->children) {
		const struct section *other = section_of(node);

		if (other == listen)
			break;
		if (!is_named(other, "listen") ||
			address_parse(&earlier, text_of(other->title), &expected) < 0)
			continue;
		if (earlier.size == address.size && address_port(&address.storage) != 0 &&
			memcmp(&earlier.storage, &address.storage, address.size) == 0)
			return complain(listen,
				"listen \"%s\" is the address of line %u again, expected another",
				listen->title, other->line);
	}
	return 0;
}

static int check_site(const struct section *site)
{
	const char *what = host_check_site(text_of(site->title));

	if (what)
		return complain(site,
			"site \"%s\": %s, expected \"example.com\", \"*.example.com\" or \"*\", "
			"without port",
			site->title, what);
	list_for_each (node, &site->parent->children) {
		const struct section *other = section_of(node);

		if (other == site)
			break;
		if (is_named(other, "site") && strcasecmp(other->title, site->title) == 0)
			return complain(site,
				"site \"%s\" is the host of line %u again, expected another",
				site->title, other->line);
	}
	return 0;
}

/* Paths are normalised before a location is looked for: a prefix that is not can never match. */
static int check_prefix(const struct section *location)
{
	const char *prefix = location->title;
	auto_free char *closed = NULL;

	if (asprintf(&closed, "%s/", prefix) < 0)
		return -ENOMEM;
	if (prefix[0] != '/')
		return complain(location,
			"location \"%s\": no path, expected one that begins with /", prefix);
	if (strstr(prefix, "//") || strstr(closed, "/./") || strstr(closed, "/../"))
		return complain(location,
			"location \"%s\" can never match, expected a path without //, . and ..",
			prefix);
	return 0;
}

/* --- sections ------------------------------------------------------------------------------ */

static int check_title(struct section *section, const char *directory)
{
	int r;

	if (is_named(section, "listen")) {
		r = resolve_listen(section, directory);
		return r < 0 ? r : check_listen(section);
	}
	if (is_named(section, "site"))
		return check_site(section);
	if (!configuration_is_location(section))
		return 0;
	r = check_prefix(section);
	if (r == 0)
		r = imply_endpoint(section);
	return r < 0 ? r : check_endpoint(section);
}

static bool has_location(const struct section *site, const char *prefix)
{
	const struct section *location;

	for (size_t i = 0; (location = section_child(site, "location", i)); i++) {
		if (strcmp(location->title, prefix) == 0)
			return true;
	}
	return false;
}

/* Any path that no location claims is a file: in a site that has files, or nothing else. */
static int add_default_location(struct section *site)
{
	const struct setting *setting = section_find_setting(site, "location");
	bool has_files = section_find_value(site, "root") || !section_child(site, "location", 0);
	struct section *location;

	if (!has_files || has_location(site, "/"))
		return 0;
	location = section_new(site, setting, setting->children, "/");
	if (!location)
		return -ENOMEM;
	location->line = site->line;
	return 0;
}

static int check_section(struct section *section, const char *directory)
{
	int r = check_title(section, directory);

	if (r == 0 && is_named(section, "site"))
		r = add_default_location(section);
	list_for_each (node, &section->values) {
		if (r < 0)
			return r;
		r = check_value(section, container_of(node, struct setting_value, node), directory);
	}
	if (r == 0 && configuration_is_location(section))
		r = check_methods(section);
	if (r == 0 && configuration_is_location(section))
		r = check_compress(section);
	list_for_each (node, &section->children) {
		if (r < 0)
			return r;
		r = check_section(section_of(node), directory);
	}
	return r;
}

static int check_missing(const struct section *section)
{
	const struct setting *missing = section_find_missing(section);

	if (missing)
		return complain(section, "%s is missing in %s \"%s\", expected %s = %s%s",
			missing->name, section->setting->name, section->title, missing->name,
			missing->type == SETTING_DIRECTORY ? "\"directory\"" : "...",
			missing->inherited ? " here or in the section around it" : "");
	list_for_each (node, &section->children) {
		int r = check_missing(section_of(node));

		if (r < 0)
			return r;
	}
	return 0;
}

int configuration_check(struct section *root, const char *directory)
{
	int r;

	if (!section_child(root, "listen", 0))
		return complain(
			root, "no listen, expected at least one as listen \"127.0.0.1:8080\" {}");
	if (!section_child(root, "site", 0))
		return complain(root,
			"no site, expected at least one as site \"*\" { root = \"directory\" }");
	r = check_section(root, directory);
	if (r == 0)
		r = section_complete(root);
	return r < 0 ? r : check_missing(root);
}
