/* The one list of endpoints. */
#include "endpoints/registry.h"

const struct endpoint *const endpoints[] = {
	&static_endpoint,
	&dynamic_endpoint,
	&ping_endpoint,
	&echo_endpoint,
	&palindrome_endpoint,
	&redirect_endpoint,
	&stats_endpoint,
	NULL,
};

const struct endpoint *endpoint_named(struct text name)
{
	for (const struct endpoint *const *endpoint = endpoints; *endpoint; endpoint++) {
		if (text_equal(text_of((*endpoint)->name), name))
			return *endpoint;
	}
	return NULL;
}
