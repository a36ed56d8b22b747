/* Key files are mostly readable by root alone, so the supervisor reads them and workers inherit the
 * bytes; no worker ever opens one. */
#include "server/certificates.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/owned.h"
#include "server/configuration_load.h"

enum { FILE_LENGTH_MAX = 1 << 20 };

#define DAY_S            INT64_C(86400)
#define EXPIRY_WARNING_S (14 * DAY_S)

/* --- files -------------------------------------------------------------------------------- */

static void wipe(struct text *text)
{
	if (text->bytes) {
		explicit_bzero((void *)(uintptr_t)text->bytes, text->length);
		free((void *)(uintptr_t)text->bytes);
	}
	*text = (struct text){ NULL, 0 };
}

/* The whole file on the heap, with a zero behind it. */
static int read_file(struct text *text, const char *path, struct stat *stat)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	auto_free char *bytes = NULL;
	ssize_t length;

	if (fd < 0 || fstat(fd, stat) < 0)
		return -errno;
	if (!S_ISREG(stat->st_mode) || stat->st_size > FILE_LENGTH_MAX)
		return -EINVAL;
	bytes = calloc(1, (size_t)stat->st_size + 1);
	if (!bytes)
		return -ENOMEM;
	length = read(fd, bytes, (size_t)stat->st_size);
	if (length < 0)
		return -errno;
	*text = (struct text){ take_pointer(&bytes), (size_t)length };
	return 0;
}

static void warn_of_readers(struct setting_place place, const char *path, const struct stat *stat)
{
	if (stat->st_mode & S_IRWXO)
		configuration_warn(place,
			"every user of this machine can read the key in %s, expected less: chmod "
			"o= %s",
			path, path);
}

/* The path is relative to the file that the setting stands in. */
static int read_named(struct text *text, struct setting_place place, const char *name, bool is_key)
{
	auto_free char *path = NULL;
	struct stat stat;
	int r = configuration_make_absolute(&path, place.source->directory, name);

	if (r == 0)
		r = read_file(text, path, &stat);
	if (r < 0)
		return configuration_complain(place,
			"certificate: cannot read %s: %s, expected a "
			"PEM file",
			path, strerror(-r));
	if (is_key)
		warn_of_readers(place, path, &stat);
	return 0;
}

/* "CHAIN KEY", or one file with both. */
static int read_pair(struct tls_pair *pair, struct setting_place place, const char *string)
{
	auto_free char *chain = strdup(string);
	const char *key = chain;
	char *blank;
	int r;

	if (!chain)
		return -ENOMEM;
	blank = strchr(chain, ' ');
	if (blank) {
		key = blank + strspn(blank, " ");
		*blank = '\0';
	}
	r = read_named(&pair->chain, place, chain, false);
	return r < 0 ? r : read_named(&pair->key, place, key, true);
}

static int read_site(struct site_certificates *own, const struct section *site)
{
	const struct setting_value *value = section_find_value(site, "certificate");
	int r = 0;

	own->site = site;
	if (value->count > TLS_SITE_CERTIFICATES_MAX)
		return configuration_complain(value->place,
			"certificate: %zu of them, expected %d "
			"at most",
			value->count, TLS_SITE_CERTIFICATES_MAX);
	for (size_t i = 0; r == 0 && i < value->count; i++)
		r = read_pair(&own->pairs[own->pair_count++], value->places[i], value->strings[i]);
	return r;
}

static bool is_default(const struct section *site)
{
	return strcmp(site->title, "*") == 0;
}

static bool has_certificate(const struct section *site)
{
	size_t count;

	section_strings(site, "certificate", &count);
	return count > 0;
}

/* --- contexts ----------------------------------------------------------------------------- */

static struct setting_place place_of(const struct site_certificates *own)
{
	return section_find_value(own->site, "certificate")->place;
}

static int add_site(struct tls_contexts *contexts, const struct site_certificates *own)
{
	const struct setting_value *titles = own->site->titles;
	auto_free struct text *names = calloc(titles->count, sizeof(*names));
	struct tls_site site = { .names = names, .pair_count = own->pair_count };
	char memory[256];
	struct buffer problem;
	int r;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < titles->count; i++) {
		if (strcmp(titles->strings[i], "*") != 0)
			names[site.name_count++] = text_of(titles->strings[i]);
	}
	buffer_init(&problem, memory, sizeof(memory));
	memcpy(site.pairs, own->pairs, sizeof(site.pairs));
	r = tls_contexts_add(contexts, &site, &problem);
	if (r < 0)
		configuration_complain(place_of(own),
			"certificate of site \"%s\": %.*s, expected a chain and its key",
			own->site->title, TEXT_ARGUMENTS(buffer_text(&problem)));
	return r;
}

static bool has_word(const struct section *section, const char *name, const char *word)
{
	size_t count;
	const char *const *strings = section_strings(section, name, &count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(strings[i], word) == 0)
			return true;
	}
	return false;
}

int certificates_make_contexts(struct tls_contexts **contexts,
	const struct certificates *certificates, const struct section *configuration,
	struct tls_tickets *tickets)
{
	const struct section *settings = section_child(configuration, "tls", 0);
	const struct tls_options options = {
		.protocol_1_2 = has_word(settings, "protocols", "1.2"),
		.protocol_1_3 = has_word(settings, "protocols", "1.3"),
		.reject_unknown_names = section_yes(settings, "reject_unknown_names"),
		.tickets = section_yes(settings, "tickets") ? tickets : NULL,
	};
	int r = tls_contexts_new(contexts, &options);

	if (r == -ENOTSUP)
		return fail(r, "this ringlet was built without TLS");
	for (size_t i = 0; r == 0 && i < certificates->site_count; i++) {
		r = add_site(*contexts, &certificates->sites[i]);
		if (r < 0)
			tls_contexts_release(*contexts);
	}
	return r;
}

/* --- what is suspicious -------------------------------------------------------------------- */

static void warn_of_expiry(int64_t expiry, const struct site_certificates *own)
{
	int64_t left_s = expiry - time(NULL);

	if (left_s < 0)
		configuration_warn(place_of(own),
			"the certificate of site \"%s\" expired %lld days ago, expected a valid "
			"one",
			own->site->title, (long long)(-left_s / DAY_S));
	else if (left_s < EXPIRY_WARNING_S)
		configuration_warn(place_of(own),
			"the certificate of site \"%s\" expires in %lld days, expected %d at least",
			own->site->title, (long long)(left_s / DAY_S),
			(int)(EXPIRY_WARNING_S / DAY_S));
}

static void warn_of_certificates(
	const struct tls_contexts *contexts, const struct certificates *certificates)
{
	for (unsigned i = 0; i < certificates->site_count; i++) {
		const struct site_certificates *own = &certificates->sites[i];
		const struct setting_value *titles = own->site->titles;

		warn_of_expiry(tls_contexts_expiry(contexts, i), own);
		for (size_t j = 0; j < titles->count; j++) {
			const char *name = titles->strings[j];

			if (strcmp(name, "*") != 0 &&
				!tls_contexts_covers(contexts, i, text_of(name)))
				configuration_warn(titles->places[j],
					"no certificate of the site covers \"%s\", expected one "
					"with "
					"this name",
					name);
		}
	}
}

/* --- all of a configuration ---------------------------------------------------------------- */

static const struct section *find_tls_listener(const struct section *configuration)
{
	const struct section *listen;

	for (size_t i = 0; (listen = section_child(configuration, "listen", i)); i++) {
		if (section_yes(listen, "tls"))
			return listen;
	}
	return NULL;
}

/* The site "*" is the first: its certificate is shown to clients that name no site. */
static int read_sites(struct certificates *certificates, const struct section *configuration)
{
	const struct section *site;
	int r = 0;

	for (unsigned pass = 0; pass < 2; pass++) {
		for (size_t i = 0; (site = section_child(configuration, "site", i)); i++) {
			if (!has_certificate(site) || is_default(site) != (pass == 0))
				continue;
			r = read_site(&certificates->sites[certificates->site_count++], site);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static size_t count_sites(const struct section *configuration)
{
	size_t count = 0;

	while (section_child(configuration, "site", count))
		count++;
	return count;
}

int certificates_read(struct certificates *certificates, const struct section *configuration)
{
	const struct section *listen = find_tls_listener(configuration);
	struct tls_contexts *contexts;
	int r;

	*certificates = (struct certificates){ .site_count = 0 };
	if (!listen)
		return 0;
	certificates->sites = calloc(count_sites(configuration), sizeof(*certificates->sites));
	if (!certificates->sites)
		return -ENOMEM;
	r = read_sites(certificates, configuration);
	if (r == 0 && certificates->site_count == 0)
		r = configuration_complain(listen->place,
			"listen \"%s\" speaks TLS, but no site has a certificate, expected site … "
			"{ certificate = {\"CHAIN KEY\"} }",
			listen->title);
	/* The contexts are thrown away: making them finds what is wrong with the bytes. */
	if (r == 0)
		r = certificates_make_contexts(&contexts, certificates, configuration, NULL);
	if (r < 0) {
		certificates_free(certificates);
		return r;
	}
	warn_of_certificates(contexts, certificates);
	tls_contexts_release(contexts);
	return 0;
}

void certificates_free(struct certificates *certificates)
{
	for (size_t i = 0; i < certificates->site_count; i++) {
		for (unsigned j = 0; j < certificates->sites[i].pair_count; j++) {
			wipe(&certificates->sites[i].pairs[j].chain);
			wipe(&certificates->sites[i].pairs[j].key);
		}
	}
	free(certificates->sites);
	*certificates = (struct certificates){ .site_count = 0 };
}
