/* The address of a listener, as it is written in the configuration and as the kernel wants it. */
#ifndef RINGLET_NET_ADDRESS_H
#define RINGLET_NET_ADDRESS_H

#include <sys/socket.h>

#include "base/buffer.h"

enum { ADDRESS_NAME_LENGTH_MAX = 128, ADDRESSES_MAX = 2 };

struct address {
	struct sockaddr_storage storage;
	socklen_t size;
	bool dual;                          /* [::] for IPv4 clients, too */
	char name[ADDRESS_NAME_LENGTH_MAX]; /* as written: "127.0.0.1:8080", "unix:/run/x" */
};

/* "127.0.0.1:8080", "[::1]:8080", ":8080" or "*:8080" (as "[::]:8080", which is dual) or
 * "unix:path"; numeric hosts only.  0, or -EINVAL with *expected
 * set to what would have been right. */
int address_parse(struct address *address, struct text name, const char **expected);

/* The same, or "localhost:8080", which is both loopback addresses: how many there are (at most
 * ADDRESSES_MAX), or -EINVAL. */
int address_parse_all(struct address *addresses, struct text name, const char **expected);

/* Can only one of the two be listened on?  With port 0 each gets a port of its own. */
bool address_overlaps(const struct address *a, const struct address *b);

/* host:port as address_parse() reads it. */
void address_append(struct buffer *buffer, const struct sockaddr_storage *storage);

/* The port in host order; 0 for an AF_UNIX address. */
unsigned address_port(const struct sockaddr_storage *storage);

#endif
