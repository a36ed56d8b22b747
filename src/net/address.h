/* The address of a listener, as it is written in the configuration and as the kernel wants it. */
#ifndef RINGLET_NET_ADDRESS_H
#define RINGLET_NET_ADDRESS_H

#include <sys/socket.h>

#include "base/buffer.h"

enum { ADDRESS_NAME_LENGTH_MAX = 128 };

struct address {
	struct sockaddr_storage storage;
	socklen_t size;
	char name[ADDRESS_NAME_LENGTH_MAX]; /* as written: "127.0.0.1:8080", "unix:/run/x" */
};

/* "127.0.0.1:8080", "[::1]:8080" or "unix:path"; numeric hosts only.  0, or -EINVAL with *expected
 * set to what would have been right. */
int address_parse(struct address *address, struct text name, const char **expected);

/* host:port as address_parse() reads it. */
void address_append(struct buffer *buffer, const struct sockaddr_storage *storage);

/* The port in host order; 0 for an AF_UNIX address. */
unsigned address_port(const struct sockaddr_storage *storage);

#endif
