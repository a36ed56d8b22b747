/* The address of a peer, in words. */
#ifndef RINGLET_BASE_HOST_H
#define RINGLET_BASE_HOST_H

#include <sys/socket.h>

#include "base/buffer.h"

/* The address without its port: "127.0.0.1", "::1" (mapped IPv4 as IPv4), "unix:", or "-" when it
 * is not known. */
void host_append(struct buffer *buffer, const struct sockaddr_storage *storage);

#endif
