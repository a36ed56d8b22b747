/* The check: strings become values, and the tree becomes one that a server can run on.
 *
 * Each section in the order of the file, outer before inner: a location learns its endpoint and
 * with it a second table, values are parsed by their settings, relative paths are made absolute,
 * titles are checked against what they name.  Then defaults fill what was not written.  After this
 * no lookup of the server can fail. */
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

#define complain (void)configuration_complain

static struct section *section_of(struct list_node *node)
{
	return container_of(node, struct section, node);
}

static void complain_memory(struct setting_place place)
{
	complain(place, "out of memory, expected a shorter configuration");
}

/* --- the endpoint of a location ------------------------------------------------------------ */

static void complain_endpoint(struct setting_place place, const char *name)
{
	const char *names[64] = { NULL };
	const char *nearest;
	char memory[512] = "";
	struct buffer known;

	for (size_t i = 0; endpoints[i] && i < 63; i++)
		names[i] = endpoints[i]->name;
	nearest = setting_nearest(names, name);
	buffer_init(&known, memory, sizeof(memory) - 1);
	for (size_t i = 0; names[i] && !nearest; i++)
		buffer_append_format(&known, " %s", names[i]);
	complain(place, "endpoint = %s: no such endpoint, expected %s%.*s", name,
		nearest ? nearest : "one of", TEXT_ARGUMENTS(buffer_text(&known)));
}

/* The reader accepts a setting of any endpoint; here it must be one of this endpoint. */
static void claim_values(struct section *location, const struct endpoint *endpoint)
{
	list_for_each (node, &location->values) {
		struct setting_value *value = container_of(node, struct setting_value, node);
		const char *name = value->setting->name;
		const struct setting *setting = section_find_setting(location, name);
		const struct endpoint *owner = NULL;

		if (setting) {
			value->setting = setting;
			continue;
		}
		configuration_find_endpoint_setting(name, &owner);
		complain(value->place,
			"%s is a setting of the endpoint %s, expected only those of %s", name,
			owner->name, endpoint->name);
		value->broken = true;
	}
}

/* `redirect = "/new/"` says enough about what answers. */
static void imply_endpoint(struct section *location)
{
	const struct setting_value *redirect = section_find_value(location, "redirect");
	const struct setting *setting = section_find_setting(location, "endpoint");
	struct setting_value *value;

	if (!redirect || section_find_value(location, "endpoint"))
		return;
	value = section_add_value(location, setting, redirect->place.line);
	if (!value || setting_value_add_string(value, text_literal("redirect")) < 0) {
		complain_memory(location->place);
		return;
	}
	value->place = redirect->place;
}

/* Before defaults have been added, too. */
static const struct endpoint *endpoint_of(const struct section *location)
{
	const struct setting_value *name = section_find_value(location, "endpoint");

	return endpoint_named(text_of(
		name && name->count > 0 ? name->strings[0]
					: section_find_setting(location, "endpoint")->fallback));
}

static void check_endpoint(struct section *location)
{
	const struct setting_value *value = section_find_value(location, "endpoint");
	const struct endpoint *endpoint = endpoint_of(location);

	if (!endpoint) {
		complain_endpoint(value->places[0], value->strings[0]);
		return;
	}
	location->tables[1] = endpoint->settings;
	location->tables[2] = endpoint->shared_settings;
	claim_values(location, endpoint);
}

const struct endpoint *configuration_endpoint(const struct section *location)
{
	return endpoint_of(location);
}

unsigned configuration_methods(const struct section *location)
{
	const struct setting_value *value = section_find_value(location, "methods");
	const struct endpoint *endpoint = endpoint_of(location);
	unsigned methods = 0;

	if (!value || value->count == 0)
		return endpoint->methods;
	for (size_t i = 0; i < value->count; i++)
		methods |= METHOD_BIT(method_of(text_of(value->strings[i])));
	/* A client that may GET may also ask for the head of the answer. */
	if (methods & METHOD_BIT(METHOD_GET))
		methods |= METHOD_BIT(METHOD_HEAD);
	return methods & endpoint->methods;
}

/* A location that allows nothing is a mistake. */
static void check_methods(const struct section *location)
{
	const struct setting_value *value = section_find_value(location, "methods");
	const struct endpoint *endpoint = endpoint_of(location);
	char memory[128];
	struct buffer known;

	if (!value || value->broken || value->count == 0 || !endpoint ||
		configuration_methods(location) != 0)
		return;
	buffer_init(&known, memory, sizeof(memory));
	method_append_allow(&known, endpoint->methods);
	complain(value->place,
		"methods: the endpoint %s supports none of these, expected some of %.*s",
		endpoint->name, TEXT_ARGUMENTS(buffer_text(&known)));
}

/* A site's value holds for those of its locations that can compress. */
static void check_compress(const struct section *location)
{
	const struct setting_value *value = section_find_value(location, "compress");
	const struct endpoint *endpoint = endpoint_of(location);

	if (value && value->number && endpoint && endpoint->sends_files)
		complain(value->place,
			"compress: the endpoint %s sends files as they are, expected precompressed "
			"= {\"gz\"} with static, or another endpoint as dynamic",
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

int configuration_make_absolute(char **absolute, const char *base, const char *path)
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

static void check_directory(const struct setting_value *value, const char *path)
{
	int r = find_directory(path);
	bool made = value->setting->made;

	if (r == -ENOENT && made)
		r = find_parent(path);
	if (r < 0)
		complain(value->places[0], "%s = %s: %s, expected %s", value->setting->name, path,
			strerror(-r),
			made ? "a directory in an existing one" : "an existing directory");
}

static void resolve_path(struct setting_value *value)
{
	struct setting_place place = value->places[0];
	char *path;

	if (configuration_make_absolute(&path, place.source->directory, value->strings[0]) < 0) {
		complain_memory(place);
		return;
	}
	if (value->setting->type == SETTING_DIRECTORY)
		check_directory(value, path);
	free(value->strings[0]);
	value->strings[0] = path;
}

/* A string in a message: without quotes where it needs none, and not too long. */
static char *show(const char *string)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789._-/:";
	enum { LENGTH_MAX = 64 };
	char *shown;
	size_t length;
	FILE *file = open_memstream(&shown, &length);

	if (!file)
		return NULL;
	if (!string)
		fputs("{}", file);
	else if (string[0] != '\0' && string[strspn(string, plain)] == '\0')
		fprintf(file, "%.*s", LENGTH_MAX, string);
	else
		setting_print_quoted(text_first(text_of(string), LENGTH_MAX), file);
	fputs(string && strlen(string) > LENGTH_MAX ? "..." : "", file);
	fclose(file);
	return shown;
}

static void check_value(struct setting_value *value)
{
	const struct setting *setting = value->setting;
	auto_free char *expected = configuration_expected(setting);
	auto_free char *shown = NULL;
	const char *what, *nearest = NULL;
	size_t wrong;

	if (value->broken)
		return;
	what = setting_value_parse(value, &wrong);
	if (!what && (setting->type == SETTING_DIRECTORY ||
			     (setting->type == SETTING_FILE && value->number == 0)))
		resolve_path(value);
	if (!what)
		return;
	value->broken = true;
	if (wrong < value->count && strcmp(what, "unknown word") == 0)
		nearest = setting_nearest(setting->words, value->strings[wrong]);
	shown = show(wrong < value->count ? value->strings[wrong] : NULL);
	complain(wrong < value->count ? value->places[wrong] : value->place,
		"%s = %s: %s%s%s, expected %s", setting->name, shown, what,
		nearest ? ", nearest is " : "", nearest ? nearest : "", expected);
}

/* --- titles -------------------------------------------------------------------------------- */

/* The path of a socket is relative to its file as every other path is. */
static void resolve_listen(struct section *listen, struct setting_place place)
{
	static const char prefix[] = "unix:";
	const char *path = listen->title + strlen(prefix);
	auto_free char *absolute = NULL;
	char *title;

	if (strncmp(listen->title, prefix, strlen(prefix)) != 0 || path[0] == '/' ||
		path[0] == '\0')
		return;
	if (configuration_make_absolute(&absolute, place.source->directory, path) < 0 ||
		asprintf(&title, "%s%s", prefix, absolute) < 0) {
		complain_memory(place);
		return;
	}
	free(listen->titles->strings[0]);
	listen->title = listen->titles->strings[0] = title;
}

size_t configuration_addresses(struct address *addresses, const struct section *listen)
{
	const struct setting_value *ipv6_only = section_find_value(listen, "ipv6_only");
	const char *expected;
	int count = address_parse_all(addresses, text_of(listen->title), &expected);

	for (int i = 0; i < count; i++)
		addresses[i].dual = addresses[i].dual && !(ipv6_only && ipv6_only->number);
	return count > 0 ? (size_t)count : 0;
}

static bool has_conflict(const struct section *listen, const struct section *other)
{
	struct address ours[ADDRESSES_MAX], theirs[ADDRESSES_MAX];
	size_t count = configuration_addresses(ours, listen);
	size_t other_count = configuration_addresses(theirs, other);

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < other_count; j++) {
			if (address_overlaps(&ours[i], &theirs[j]))
				return true;
		}
	}
	return false;
}

static void check_listen(struct section *listen)
{
	struct setting_place place = listen->titles->places[0];
	struct address addresses[ADDRESSES_MAX];
	const char *expected;

	resolve_listen(listen, place);
	if (address_parse_all(addresses, text_of(listen->title), &expected) < 0) {
		complain(place, "listen \"%s\": not an address, expected %s", listen->title,
			expected);
		return;
	}
	list_for_each (node, &listen->parent->children) {
		const struct section *other = section_of(node);

		if (other == listen)
			break;
		if (other->kind == IN_LISTEN && other->title && has_conflict(listen, other)) {
			complain(place,
				"listen \"%s\" overlaps with listen \"%s\" at %s:%u, expected "
				"another address or port",
				listen->title, other->title, other->place.source->name,
				other->place.line);
			break;
		}
	}
}

/* The site that has the name already: one before this one, or this one with an earlier title (all
 * before `end`); or NULL. */
static const struct section *find_site(
	const struct section *site, const char *name, const char *const *end)
{
	list_for_each (node, &site->parent->children) {
		const struct section *other = section_of(node);

		for (size_t i = 0;
			other->kind == IN_SITE && other->titles && i < other->titles->count; i++) {
			const char *const *title = (const char *const *)&other->titles->strings[i];

			if (title == end)
				return NULL;
			if (strcasecmp(*title, name) == 0)
				return other;
		}
	}
	return NULL;
}

static void check_site(const struct section *site)
{
	const struct setting_value *titles = site->titles;

	for (size_t i = 0; i < titles->count; i++) {
		const char *name = titles->strings[i];
		const char *what = host_check_site(text_of(name));
		const struct section *other =
			find_site(site, name, (const char *const *)&titles->strings[i]);

		if (what)
			complain(titles->places[i],
				"site \"%s\": %s, expected \"example.com\", \"*.example.com\" or "
				"\"*\", without port",
				name, what);
		else if (other)
			complain(titles->places[i],
				"site \"%s\" is already the site at %s:%u, expected another name",
				name, other->place.source->name, other->place.line);
	}
}

/* Only a name without wildcard can stand in an address that others are redirected to. */
static void check_canonical(const struct section *site)
{
	const struct setting_value *canonical = section_find_value(site, "canonical");

	if (!canonical || canonical->number == 0 || canonical->broken)
		return;
	if (site->titles->count < 2)
		complain(canonical->place,
			"canonical = yes with one name, expected further names behind \"%s\", "
			"which are redirected to it",
			site->title);
	else if (strchr(site->title, '*'))
		complain(canonical->place,
			"canonical = yes with \"%s\", expected a first name without *, which the "
			"others are redirected to",
			site->title);
}

static bool has_location(const struct section *site, const char *prefix, const struct section *end)
{
	const struct section *location;

	for (size_t i = 0; (location = section_child(site, "location", i)) && location != end;
		i++) {
		if (location->title && strcmp(location->title, prefix) == 0)
			return true;
	}
	return false;
}

/* Paths are normalised before a location is looked for: a prefix that is not can never match. */
static void check_prefix(const struct section *location)
{
	const char *prefix = location->title;
	struct setting_place place = location->titles->places[0];
	auto_free char *closed = NULL;

	if (asprintf(&closed, "%s/", prefix) < 0)
		complain_memory(place);
	else if (prefix[0] != '/')
		complain(place, "location \"%s\": not a path, expected one that begins with /",
			prefix);
	else if (strstr(prefix, "//") || strstr(closed, "/./") || strstr(closed, "/../"))
		complain(place,
			"location \"%s\" can never match, expected a path without //, . and ..",
			prefix);
	else if (has_location(location->parent, prefix, location))
		complain(place, "location \"%s\" is given twice, expected it once", prefix);
}

/* --- sections ------------------------------------------------------------------------------ */

/* Any path that no location claims is a file: in a site that has files, or nothing else. */
static void add_default_location(struct section *site)
{
	const struct setting *setting = section_find_setting(site, "location");
	bool has_files = section_find_value(site, "root") || !section_child(site, "location", 0);
	struct section *location;

	if (!has_files || has_location(site, "/", NULL))
		return;
	location = section_new(site, setting, NULL, "/");
	if (!location) {
		complain_memory(site->place);
		return;
	}
	location->place = location->titles->places[0] = site->place;
}

static void check_section(struct section *section)
{
	bool is_location = section->kind == IN_LOCATION && section->title;

	if (section->kind == IN_SITE && section->title) {
		check_site(section);
		add_default_location(section);
	}
	if (is_location) {
		check_prefix(section);
		imply_endpoint(section);
		check_endpoint(section);
	}
	list_for_each (node, &section->values)
		check_value(container_of(node, struct setting_value, node));
	if (section->kind == IN_LISTEN && section->title)
		check_listen(section);
	if (section->kind == IN_SITE && section->title)
		check_canonical(section);
	if (is_location) {
		check_methods(section);
		check_compress(section);
	}
	list_for_each (node, &section->children)
		check_section(section_of(node));
}

static void check_missing(const struct section *section)
{
	const struct setting *missing = section_find_missing(section);

	if (missing)
		complain(section->place, "%s is missing in %s \"%s\", expected %s = %s%s",
			missing->name, section->setting->name, section->title, missing->name,
			missing->type == SETTING_DIRECTORY ? "\"directory\"" : "...",
			missing->where & IN_SITE ? " here or in the section around it" : "");
	list_for_each (node, &section->children)
		check_missing(section_of(node));
}

int configuration_check(struct section *root, const struct loading *loading)
{
	check_section(root);
	/* After a mistake a setting may only seem to be missing. */
	if (loading->mistake_count > 0)
		return -EINVAL;
	if (!section_child(root, "listen", 0))
		complain(root->place,
			"no listen, expected at least one as listen \"127.0.0.1:8080\"");
	if (!section_child(root, "site", 0))
		complain(root->place,
			"no site, expected at least one as site \"*\" { root = \"directory\" }");
	check_missing(root);
	if (loading->mistake_count > 0)
		return -EINVAL;
	return section_complete(root);
}
