/* The proxies that are believed when they say for whom they ask: X-Forwarded-For.
 *
 * Each proxy appends the address that connected to it, so that the list reads client, proxy, proxy
 * and the peer of the connection is the last of the chain.  From there it is walked to the left for
 * as long as who vouches for an entry is trusted; the first address that is not is the client's.
 * What an untrusted client wrote into the field itself stands left of its address and is never
 * reached.  Forwarded (RFC 7239) is not read. */
#ifndef RINGLET_HTTP_PROXIES_H
#define RINGLET_HTTP_PROXIES_H

#include "base/settings.h"
#include "http/request.h"

struct proxies;
struct sockaddr_storage;

/* From the setting trusted_proxies of a section.  *proxies is NULL when nobody is trusted.  0 or
 * -ENOMEM. */
int proxies_new(struct proxies **proxies, const struct section *section);
void proxies_free(struct proxies *proxies);

/* Replaces the peer's address by the client's.  If the walk reaches an entry that is no address
 * (with or without port or brackets: "unknown", "fe80::1%eth0"), the client is unknown: AF_UNSPEC.
 * Empty entries do not count (RFC 9110 §5.6.1.2). */
void proxies_find_client(const struct proxies *proxies, const struct request *request,
	struct sockaddr_storage *address);

/* For the settings' table: what is wrong with a list of proxies. */
const char *proxies_check(const char *const *strings, size_t count, size_t *wrong);

#endif
