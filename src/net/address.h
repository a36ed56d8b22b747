/* The address of a listener, as the configuration writes it and as the kernel takes it. */
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

/* "127.0.0.1:8080", "[::1]:8080", ":8080" or "*:8080" (the same as "[::]:8080", which is dual) or
 * "unix:path"; hosts are numeric.  0, or -EINVAL with *expected set to what would be right. */
int address_parse(struct address *address, struct text name, const char **expected);

/* Like address_parse(), but "localhost:8080" gives both loopback addresses.  Returns the number of
 * addresses (at most ADDRESSES_MAX), or -EINVAL. */
int address_parse_all(struct address *addresses, struct text name, const char **expected);

/* Whether only one of the two can be bound.  Addresses with port 0 never overlap. */
bool address_overlaps(const struct address *a, const struct address *b);

/* Appends host:port in the form that address_parse() reads. */
void address_append(struct buffer *buffer, const struct sockaddr_storage *storage);

/* The port in host order; 0 for an AF_UNIX address. */
unsigned address_port(const struct sockaddr_storage *storage);

#endif
