/* Files by asynchronous reads into memory, where the location's filters can change them. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "endpoints/file_location.h"
#include "endpoints/registry.h"
#include "files/reader.h"

struct dynamic {
	void *files;
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

static int dynamic_open(void **state, const struct section *location, struct proactor *proactor)
{
	struct dynamic *dynamic = malloc(sizeof(*dynamic));
	int r;

	if (!dynamic)
		return fail(-ENOMEM, "cannot serve %s", section_string(location, "root"));
	*dynamic = (struct dynamic){ .delivery = { .open = dynamic_open_body } };
	set_filters(dynamic, location);
	r = file_location_open(&dynamic->files, location, proactor, &dynamic->delivery);
	if (r < 0) {
		free(dynamic);
		return r;
	}
	*state = dynamic;
	return 0;
}

static void dynamic_close(void *state)
{
	struct dynamic *dynamic = state;

	file_location_close(dynamic->files);
	free(dynamic);
	filters_trim();
	reader_trim();
}

static void dynamic_handle(void *state, struct exchange *exchange)
{
	struct dynamic *dynamic = state;

	file_location_handle(dynamic->files, exchange);
}

static bool dynamic_refuse(void *state, struct exchange *exchange, unsigned status)
{
	struct dynamic *dynamic = state;

	return file_location_refuse(dynamic->files, exchange, status);
}

static void dynamic_cancelled(void *state, struct exchange *exchange)
{
	struct dynamic *dynamic = state;

	file_location_cancelled(dynamic->files, exchange);
}

const struct endpoint dynamic_endpoint = {
	.name = "dynamic",
	.summary = "Files beneath the root, read asynchronously and passed through filters.",
	.settings = file_location_dynamic_settings,
	.shared_settings = file_location_settings,
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.sub_paths = true,
	.open = dynamic_open,
	.close = dynamic_close,
	.handle = dynamic_handle,
	.refuse = dynamic_refuse,
	.cancelled = dynamic_cancelled,
};
