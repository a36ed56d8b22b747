/* The endpoints there are: adding one is a file here and a line in registry.c. */
#ifndef RINGLET_ENDPOINTS_REGISTRY_H
#define RINGLET_ENDPOINTS_REGISTRY_H

#include "http/endpoint.h"

extern const struct endpoint static_endpoint, dynamic_endpoint, ping_endpoint, stats_endpoint,
	metrics_endpoint, redirect_endpoint, echo_endpoint, palindrome_endpoint, health_endpoint,
	ready_endpoint, store_endpoint;

/* NULL-terminated. */
extern const struct endpoint *const endpoints[];

/* NULL when there is none of that name. */
const struct endpoint *endpoint_named(struct text name);

/* From 1, its place in the list: the number under which its requests are counted. */
unsigned endpoint_number(const struct endpoint *endpoint);

#endif
