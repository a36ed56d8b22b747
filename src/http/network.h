/* Networks as a configuration names them, and whether an address lies in one: of the same family,
 * with the same first bits.  An IPv4 address that came to an IPv6 socket (::ffff:10.0.0.1) is the
 * IPv4 address, on either side of the comparison.
 *
 * A single address is a network of all its bits. */
#ifndef RINGLET_HTTP_NETWORK_H
#define RINGLET_HTTP_NETWORK_H

#include <sys/socket.h>

#include "base/text.h"

struct network {
	sa_family_t family; /* AF_UNSPEC: everybody; AF_UNIX; AF_INET; AF_INET6 */
	unsigned bits;      /* that count, of `bytes` */
	unsigned char bytes[16];
};

/* "192.0.2.1" or "2001:db8::1", numeric and without port or zone: 0 or -EINVAL. */
int network_parse_address(struct network *network, struct text text);

/* An address, "10.0.0.0/8", "unix:" or "all": 0 or -EINVAL. */
int network_parse(struct network *network, struct text text);

/* For the settings' table: what is wrong with a list of networks. */
const char *network_check(const char *const *strings, size_t count, size_t *wrong);

/* From strings that were checked. */
void network_parse_list(struct network *networks, const char *const *strings, size_t count);

/* Between addresses and networks of one; AF_UNSPEC, an address that is not known, lies in none but
 * "all".  There is no port on the way back. */
struct network network_of_address(const struct sockaddr_storage *address);
void network_to_address(struct sockaddr_storage *address, const struct network *network);

/* Does the address lie in one of the networks? */
bool network_is_in(
	const struct network *address, const struct network *networks, size_t network_count);

#endif
