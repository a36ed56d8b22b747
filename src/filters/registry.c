/* The filters that a configuration may name, by their names. */
#include "filters/filter.h"

#include <string.h>

#include "base/settings.h"
#include "http/media_type.h"

/* Changes nothing, and so there is nothing to open. */
static const struct filter identity_filter = { .name = "identity" };

static const struct filter *const all_filters[FILTER_COUNT] = { &identity_filter, &ssi_filter };

const struct filter *filter_named(const char *name)
{
	for (size_t i = 0; i < FILTER_COUNT; i++) {
		if (strcmp(all_filters[i]->name, name) == 0)
			return all_filters[i];
	}
	return NULL;
}

const char *filters_check(const char *const *names, size_t count, size_t *wrong)
{
	for (size_t i = 0; i < count; i++) {
		*wrong = i;
		if (!filter_named(names[i]))
			return "unknown filter";
		if (setting_repeats(names, i))
			return "named twice";
	}
	return NULL;
}

bool filter_applies(const struct filter *filter, struct text media_type)
{
	return text_equal_ignoring_case(media_type_name(media_type), filter->media_type);
}

void filters_trim(void)
{
	ssi_filter.trim();
}
