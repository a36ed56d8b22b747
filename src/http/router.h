/* Which location a request belongs to: the site by its host, then the longest prefix of whole path
 * segments.  Guards that apply before any endpoint (methods, later redirects and access rules)
 * stand here too. */
#ifndef RINGLET_HTTP_ROUTER_H
#define RINGLET_HTTP_ROUTER_H

#include "base/list.h"
#include "http/access.h"
#include "http/compression.h"
#include "http/endpoint.h"
#include "http/location_fields.h"
#include "http/proxies.h"

struct location {
	struct list_node node; /* in its site, longest prefix first */
	const struct site *site;
	struct text prefix; /* "/dynamic/"; copied */
	const struct endpoint *endpoint;
	unsigned endpoint_number; /* under which its requests are counted (base/metrics.h) */
	void *state;
	struct location_fields *fields;  /* of its answers; freed with it; NULL: as they are */
	struct compression *compression; /* of its answers; freed with it; NULL: none */
	struct access *access;           /* who may ask; freed with it; NULL: everybody */
	unsigned methods; /* METHOD_BIT()s that are allowed: the endpoint's, or fewer */
};

struct site {
	struct list_node node;
	struct text name;     /* "example.com", "*.example.com" or "*"; copied */
	struct text *aliases; /* its further names; copied */
	size_t alias_count;
	bool canonical; /* requests for an alias are redirected to the name */
	struct list locations;
	struct location_fields *fields; /* of answers that no location gives */
};

struct router {
	struct list sites;
	struct proxies *proxies; /* who may speak for clients; freed with it; NULL: nobody */
};

void router_init(struct router *router);

/* Closes every endpoint and frees the sites. */
void router_reset(struct router *router);

/* NULL: out of memory. */
struct site *router_add_site(struct router *router, struct text name);
int router_add_alias(struct site *site, struct text name); /* 0 or -ENOMEM */
struct location *router_add_location(
	struct site *site, struct text prefix, const struct endpoint *endpoint, void *state);

/* The site with a name that is `host` (its port is ignored, case and a dot at its end too), else
 * the longest wildcard that covers it, else "*", else the first; NULL only when there is none. */
const struct site *router_find_site(const struct router *router, struct text host);

/* The longest location that begins `path`, or NULL. */
const struct location *router_find_location(const struct site *site, struct text path);

/* Do the rules of the location that `path` (decoded, normalised) lies in let this client have it?
 * For what a request of `location` leads to beside the path it asks for: an index file, an include.
 * NULL: there are no locations, hence no rules. */
bool router_permits(
	const struct location *location, struct text path, const struct access_client *client);

/* Takes the exchange from its parsed head to its endpoint: normalises the path, finds the location,
 * checks the client and the method, calls handle().  A request for an alias of a canonical site is
 * redirected (308) to the same path of the site's name, on the same port.  What needs no endpoint
 * is answered here: 400 (path), 403, 404, 405 (with Allow), 414, 501, and OPTIONS of "*" and of
 * locations whose endpoint has no answer of its own to it.  The path is the target's up to the "?";
 * request->path is filled in.  The router must have a site. */
void router_dispatch(const struct router *router, struct exchange *exchange);

/* Answers a request that the wire refused, with the fields of its site: that of its host, as far as
 * it was read, or the default one. */
void router_refuse(const struct router *router, struct exchange *exchange, unsigned status);

#endif
