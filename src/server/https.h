/* What a worker needs for its TLS listeners: contexts, and the keys of session tickets. */
#ifndef RINGLET_SERVER_HTTPS_H
#define RINGLET_SERVER_HTTPS_H

#include "net/stream.h"
#include "net/tls.h"

struct server;

struct https {
	struct tls_service service;
	struct tls_tickets tickets;
	struct op epoch; /* the next key of tickets is due */
	bool is_open;
};

void https_init(struct https *https);

/* Does nothing unless a listener speaks TLS.  0, or a negative errno after saying why. */
int https_open(struct https *https, struct stream_service *streams, const struct server *server);

/* No connection may be left, and `epoch` must not be active. */
void https_close(struct https *https);

#endif
