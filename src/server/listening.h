/* The listening sockets, owned by the supervisor.
 *
 * Each internet address has one SO_REUSEPORT socket per worker slot.  It stays open while the
 * worker of the slot is replaced, so that the successor serves its queue; closing it would reset
 * the connections in the queue.  All workers share the one socket of an AF_UNIX path. */
#ifndef RINGLET_SERVER_LISTENING_H
#define RINGLET_SERVER_LISTENING_H

#include "base/settings.h"
#include "net/address.h"

struct listening_socket {
	struct address address; /* its port is the one the kernel chose */
	int *fds;               /* per slot; an AF_UNIX path uses only the first */
	bool tls;               /* clients speak TLS */
	bool owns_path;         /* this process removes the file of the AF_UNIX socket */
};

struct listening {
	struct listening_socket *sockets;
	size_t count;
	unsigned slot_count;
};

/* Opens a socket per slot for each `listen` of the configuration.  0, or a negative errno after a
 * message on stderr. */
int listening_open(
	struct listening *listening, const struct section *configuration, unsigned slot_count);

/* Whether `error` of binding the address means that this machine has no IPv6.  The server listens
 * on the other addresses then. */
bool listening_lacks_ipv6(const struct address *address, int error);

/* The descriptor that the worker in `slot` accepts from.  The caller closes it. */
int listening_take_fd(struct listening_socket *socket, unsigned slot);

/* In a worker: closes the sockets of other slots. */
void listening_keep_slot(struct listening *listening, unsigned slot);

/* In the supervisor: closes every socket that is still open and removes the files of AF_UNIX ones.
 */
void listening_close(struct listening *listening);
void listening_free(struct listening *listening);

/* "http://localhost:8080/ unix:/run/x": each URL once, separated by spaces.  Loopback and
 * unspecified addresses are written as localhost. */
void listening_append_urls(struct buffer *buffer, const struct listening *listening);

#endif
