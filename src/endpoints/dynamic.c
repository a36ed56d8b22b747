/* Files by asynchronous reads, through the location's filters: the body passes through memory,
 * where it can be worked on. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "endpoints/file_site.h"
#include "endpoints/registry.h"
#include "files/reader.h"

struct dynamic {
	void *site;
	struct file_delivery delivery;
	const struct filter *filters[FILTER_COUNT + 1]; /* ends with NULL */
};

static struct body_source *dynamic_open_body(
	struct exchange *exchange, struct content *content, const struct range_set *set)
{
	return reader_open(exchange->proactor, content, set);
}

static void set_filters(struct dynamic *dynamic, const struct section *location)
{
	size_t count, opened_count = 0;
	const char *const *names = section_strings(location, "filters", &count);

	for (size_t i = 0; i < count; i++) {
		const struct filter *filter = filter_named(names[i]);

		if (filter->open)
			dynamic->filters[opened_count++] = filter;
	}
	dynamic->delivery.filters = dynamic->filters;
}

static int open_dynamic(void **state, const struct section *location, struct proactor *proactor)
{
	struct dynamic *dynamic = malloc(sizeof(*dynamic));
	int r;

	if (!dynamic)
		return fail(-ENOMEM, "cannot serve %s", section_string(location, "root"));
	*dynamic = (struct dynamic){ .delivery = { .open = dynamic_open_body } };
	set_filters(dynamic, location);
	r = file_site_open(&dynamic->site, location, proactor, &dynamic->delivery);
	if (r < 0) {
		free(dynamic);
		return r;
	}
	*state = dynamic;
	return 0;
}

static void close_dynamic(void *state)
{
	struct dynamic *dynamic = state;

	file_site_close(dynamic->site);
	free(dynamic);
	filters_trim();
	reader_trim();
}

static void handle(void *state, struct exchange *exchange)
{
	struct dynamic *dynamic = state;

	file_site_handle(dynamic->site, exchange);
}

static bool refuse(void *state, struct exchange *exchange, unsigned status)
{
	struct dynamic *dynamic = state;

	return file_site_refuse(dynamic->site, exchange, status);
}

static void cancelled(void *state, struct exchange *exchange)
{
	struct dynamic *dynamic = state;

	file_site_cancelled(dynamic->site, exchange);
}

const struct endpoint dynamic_endpoint = {
	.name = "dynamic",
	.summary = "Files beneath the root, read asynchronously and passed through filters.",
	.settings = file_site_dynamic_settings,
	.shared_settings = file_site_settings,
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.sub_paths = true,
	.open = open_dynamic,
	.close = close_dynamic,
	.handle = handle,
	.refuse = refuse,
	.cancelled = cancelled,
};
