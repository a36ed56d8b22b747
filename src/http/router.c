/* The router: sites by name, in each the locations sorted by the length of their prefix, longest
 * first, so that the first that matches is the right one.  A configuration has a handful of each,
 * which a list searches well enough.
 *
 * The router owns sites, locations and the texts in them, and closes the endpoints' states. */
#include "http/router.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/owned.h"
#include "http/host.h"
#include "http/path.h"

void router_init(struct router *router)
{
	list_init(&router->sites);
	router->proxies = NULL;
}

static void free_location(struct location *location)
{
	if (location->endpoint->close)
		location->endpoint->close(location->state);
	location_fields_free(location->fields);
	compression_free(location->compression);
	access_free(location->access);
	free((char *)location->prefix.bytes);
	free(location);
}

static void free_site(struct site *site)
{
	struct list_node *node;

	while ((node = list_take_first(&site->locations)))
		free_location(container_of(node, struct location, node));
	location_fields_free(site->fields);
	for (size_t i = 0; i < site->alias_count; i++)
		free((char *)site->aliases[i].bytes);
	free(site->aliases);
	free((char *)site->name.bytes);
	free(site);
}

void router_reset(struct router *router)
{
	struct list_node *node;

	while ((node = list_take_first(&router->sites)))
		free_site(container_of(node, struct site, node));
	proxies_free(router->proxies);
	router->proxies = NULL;
}

/* One byte more than the text, so that an empty one is not NULL either. */
static char *copy_bytes(struct text text)
{
	char *bytes = malloc(text.length + 1);

	if (!bytes)
		return NULL;
	if (text.length > 0)
		memcpy(bytes, text.bytes, text.length);
	bytes[text.length] = '\0';
	return bytes;
}

struct site *router_add_site(struct router *router, struct text name)
{
	auto_free char *copy = copy_bytes(name);
	struct site *site = malloc(sizeof(*site));

	if (!copy || !site) {
		free(site);
		return NULL;
	}
	site->name = (struct text){ take_pointer(&copy), name.length };
	site->fields = NULL;
	site->aliases = NULL;
	site->alias_count = 0;
	site->canonical = false;
	list_init(&site->locations);
	list_append(&router->sites, &site->node);
	return site;
}

int router_add_alias(struct site *site, struct text name)
{
	struct text *aliases =
		reallocarray(site->aliases, site->alias_count + 1, sizeof(struct text));
	char *copy;

	if (!aliases)
		return -ENOMEM;
	site->aliases = aliases;
	copy = copy_bytes(name);
	if (!copy)
		return -ENOMEM;
	aliases[site->alias_count++] = (struct text){ copy, name.length };
	return 0;
}

/* Before the first that is shorter: among equals the first stays first. */
static void insert_location(struct site *site, struct location *location)
{
	struct list_node *place = &site->locations.head;

	list_for_each (node, &site->locations) {
		struct location *other = container_of(node, struct location, node);

		if (other->prefix.length < location->prefix.length) {
			place = node;
			break;
		}
	}
	location->node.previous = place->previous;
	location->node.next = place;
	place->previous->next = &location->node;
	place->previous = &location->node;
}

struct location *router_add_location(
	struct site *site, struct text prefix, const struct endpoint *endpoint, void *state)
{
	auto_free char *copy = copy_bytes(prefix);
	struct location *location = malloc(sizeof(*location));

	if (!copy || !location) {
		free(location);
		return NULL;
	}
	location->prefix = (struct text){ take_pointer(&copy), prefix.length };
	location->site = site;
	location->endpoint = endpoint;
	location->endpoint_number = 0;
	location->compression = NULL;
	location->access = NULL;
	location->state = state;
	location->fields = NULL;
	location->methods = endpoint->methods;
	insert_location(site, location);
	return location;
}

static size_t alias_fit(const struct site *site, struct text host)
{
	size_t best = 0;

	for (size_t i = 0; i < site->alias_count; i++) {
		size_t fit = host_fit(site->aliases[i], host);

		if (fit > best)
			best = fit;
	}
	return best;
}

const struct site *router_find_site(const struct router *router, struct text host)
{
	const struct site *best = NULL;
	size_t best_fit = 0;

	host = host_name(host);
	list_for_each (node, &router->sites) {
		const struct site *site = container_of(node, struct site, node);
		size_t fit = host_fit(site->name, host);

		if (site->alias_count > 0 && fit < SIZE_MAX) {
			size_t other = alias_fit(site, host);

			fit = other > fit ? other : fit;
		}
		if (!best || fit > best_fit) {
			best = site;
			best_fit = fit;
		}
	}
	return best;
}

const struct location *router_find_location(const struct site *site, struct text path)
{
	list_for_each (node, &site->locations) {
		const struct location *location = container_of(node, struct location, node);

		if (path_begins_with(path, location->prefix))
			return location;
	}
	return NULL;
}

bool router_permits(
	const struct location *location, struct text path, const struct access_client *client)
{
	if (location)
		location = router_find_location(location->site, path);
	return !location || !location->access || access_permits(location->access, client);
}

/* RFC 9110 §10.2.1.  OPTIONS is answered everywhere, here if not by the endpoint. */
static void add_allow(struct exchange *exchange, unsigned methods)
{
	char memory[128];
	struct buffer allow;

	buffer_init(&allow, memory, sizeof(memory));
	method_append_allow(&allow, methods | METHOD_BIT(METHOD_OPTIONS));
	exchange_add_field(exchange, text_literal("Allow"), buffer_text(&allow));
}

static void answer_not_allowed(struct exchange *exchange, unsigned methods)
{
	add_allow(exchange, methods);
	exchange_answer_error(exchange, 405);
}

/* By the location's own page, if it has one for that status. */
static void refuse_in(const struct location *location, struct exchange *exchange, unsigned status)
{
	const struct endpoint *endpoint = location->endpoint;

	exchange->location = location;
	if (endpoint->refuse && endpoint->refuse(location->state, exchange, status))
		return;
	exchange->location = NULL;
	exchange_answer_error(exchange, status);
}

static unsigned methods_of_site(const struct site *site)
{
	unsigned methods = 0;

	list_for_each (node, &site->locations)
		methods |= container_of(node, struct location, node)->methods;
	return methods;
}

/* There is nothing to tell but the methods; 200, since 204 could not say Content-Length: 0, as
 * RFC 9110 §9.3.7 wants it. */
static void answer_options(struct exchange *exchange, unsigned methods)
{
	add_allow(exchange, methods);
	exchange_answer(exchange, 200, NULL, 0);
}

static const char *path_fault(int error)
{
	switch (error) {
	case -EILSEQ:
		return "a broken escape in the path";
	case -EPERM:
		return "an escaped slash or a control byte in the path";
	default:
		return "the target is not a path";
	}
}

/* Fills in request->path.  0, or the status that says what is wrong with it. */
static unsigned resolve_path(struct exchange *exchange)
{
	struct request *request = &exchange->request;
	struct text raw = text_first(request->target, text_find(request->target, '?'));
	struct buffer path;
	int r;

	buffer_init(&path, exchange->path_memory, sizeof(exchange->path_memory));
	/* "http://host?query" has an empty path, which means "/" (RFC 9110 §4.2.3). */
	r = path_normalize(&path, raw.length > 0 ? raw : text_literal("/"));
	if (r < 0) {
		log_info("400: %s: %.*s", path_fault(r), TEXT_ARGUMENTS(request->line));
		return 400;
	}
	if (path.truncated)
		return 414;
	request->path = buffer_text(&path);
	return 0;
}

static const struct location *find_endpoint(const struct site *site, struct text path)
{
	const struct location *location = router_find_location(site, path);

	if (!location || location->endpoint->sub_paths || text_equal(path, location->prefix))
		return location;
	return NULL;
}

/* A file that the wire sends as a file passes through no coder. */
static bool leaves_as_file(const struct location *location, const struct exchange *exchange)
{
	return location->endpoint->sends_files && exchange_sends_files(exchange);
}

static bool is_alias(const struct site *site, struct text host)
{
	return host_fit(site->name, host) == 0 && alias_fit(site, host) > 0;
}

/* The site's name, with the port that the client asked for.  The reference begins with "//", so
 * that the scheme stays what it is for the client, behind a proxy too (RFC 3986 §4.2). */
static void answer_canonical(const struct site *site, struct exchange *exchange)
{
	char memory[RESPONSE_MEMORY_SIZE];
	struct text host = exchange->request.host;
	size_t start = host.length > 0 && host.bytes[0] == '[' ? text_find(host, ']') : 0;
	struct buffer address;

	buffer_init(&address, memory, sizeof(memory));
	buffer_append_string(&address, "//");
	buffer_append(&address, site->name);
	buffer_append(&address, text_from(host, start + text_find(text_from(host, start), ':')));
	buffer_append(&address, exchange->request.target);
	if (address.truncated)
		exchange_answer_error(exchange, 414);
	else
		exchange_answer_redirect(exchange, 308, buffer_text(&address));
}

static bool is_permitted(const struct location *location, struct exchange *exchange)
{
	struct access_client client;

	if (!location->access)
		return true;
	client = access_client_of(exchange);
	return access_permits(location->access, &client);
}

static void dispatch_path(const struct site *site, struct exchange *exchange)
{
	const struct location *location;
	unsigned status = resolve_path(exchange);

	if (status != 0) {
		exchange_answer_error(exchange, status);
		return;
	}
	if (site->canonical && is_alias(site, host_name(exchange->request.host))) {
		answer_canonical(site, exchange);
		return;
	}
	location = find_endpoint(site, exchange->request.path);
	if (!location) {
		exchange_answer_error(exchange, 404);
		return;
	}
	exchange->fields = location->fields;
	if (!is_permitted(location, exchange)) {
		log_info("403: not for this client: %.*s", TEXT_ARGUMENTS(exchange->request.line));
		refuse_in(location, exchange, 403);
		return;
	}
	if (location->methods & METHOD_BIT(exchange->request.method)) {
		exchange->location = location;
		if (location->compression && !leaves_as_file(location, exchange))
			exchange->compression = location->compression;
		location->endpoint->handle(location->state, exchange);
	} else if (exchange->request.method == METHOD_OPTIONS) {
		answer_options(exchange, location->methods);
	} else {
		add_allow(exchange, location->methods);
		refuse_in(location, exchange, 405);
	}
}

void router_dispatch(const struct router *router, struct exchange *exchange)
{
	struct request *request = &exchange->request;
	const struct site *site = router_find_site(router, request->host);

	assert(site);
	exchange->fields = site->fields;
	exchange->proxies = router->proxies;
	if (request->method == METHOD_UNKNOWN)
		exchange_answer_error(exchange, 501);
	else if (request->method == METHOD_CONNECT) /* its target is no path */
		answer_not_allowed(exchange, methods_of_site(site));
	else if (request->method == METHOD_OPTIONS &&
		 text_equal(request->target, text_literal("*")))
		answer_options(exchange, methods_of_site(site));
	else
		dispatch_path(site, exchange);
}

void router_refuse(const struct router *router, struct exchange *exchange, unsigned status)
{
	const struct site *site = router_find_site(router, exchange->request.host);

	assert(site);
	exchange->fields = site->fields;
	exchange_answer_error(exchange, status);
}
