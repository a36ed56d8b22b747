/* Who may ask for what a location has: allow, deny, and the locations that are for this machine
 * alone unless allow says otherwise (stats, metrics).  Made once per location, then only read.
 *
 * A client in `deny` is refused; else it is let in if `allow` is empty or names it.  The client is
 * the peer, or the address that a trusted proxy names (http/proxies.h).  A client whose address is
 * unknown is refused wherever there are rules, but for `allow = {"all"}` alone.  A request that
 * came through any proxy, trusted or not, never counts as one of this machine. */
#ifndef RINGLET_HTTP_ACCESS_H
#define RINGLET_HTTP_ACCESS_H

#include "base/settings.h"
#include "http/exchange.h"
#include "http/network.h"

struct access;

/* From the settings allow and deny of a location; `local`: where allow is empty, only clients of
 * this machine may ask, and not through a proxy.  *access is NULL when everybody may.  0 or
 * -ENOMEM. */
int access_new(struct access **access, const struct section *location, bool local);
void access_free(struct access *access);

/* Who asks; it may outlive the exchange. */
struct access_client {
	struct network address;
	bool came_through_proxy; /* trusted or not */
};

struct access_client access_client_of(struct exchange *exchange);

bool access_permits(const struct access *access, const struct access_client *client);

#endif
