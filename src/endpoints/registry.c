/* The one list of endpoints. */
#include "endpoints/registry.h"

#include <assert.h>

#include "base/metrics.h"

const struct endpoint *const endpoints[] = {
	&static_endpoint,
	&dynamic_endpoint,
	&ping_endpoint,
	&echo_endpoint,
	&palindrome_endpoint,
	&redirect_endpoint,
	&health_endpoint,
	&ready_endpoint,
	&store_endpoint,
	&stats_endpoint,
	&metrics_endpoint,
	NULL,
};
static_assert(sizeof(endpoints) / sizeof(endpoints[0]) <= METRICS_ENDPOINTS_MAX,
	"each endpoint, and none, has its own numbers");

const struct endpoint *endpoint_named(struct text name)
{
	for (const struct endpoint *const *endpoint = endpoints; *endpoint; endpoint++) {
		if (text_equal(text_of((*endpoint)->name), name))
			return *endpoint;
	}
	return NULL;
}

unsigned endpoint_number(const struct endpoint *endpoint)
{
	for (unsigned i = 0; endpoints[i]; i++) {
		if (endpoints[i] == endpoint)
			return i + 1;
	}
	return 0;
}
