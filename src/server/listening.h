/* The listening sockets, as the supervisor owns them.
 *
 * Each internet address has one SO_REUSEPORT socket per worker slot, which stays open while a dead
 * worker is replaced: what waits in its queue is served by the next one.  (Closing one of several
 * such sockets resets the connections queued on it.)  An AF_UNIX path has one socket for all. */
#ifndef RINGLET_SERVER_LISTENING_H
#define RINGLET_SERVER_LISTENING_H

#include "base/settings.h"
#include "net/address.h"

struct listening_socket {
	struct address address; /* its port is the one the kernel chose */
	int *fds;               /* per slot; of an AF_UNIX path only the first */
	bool owns_path;         /* the file of an AF_UNIX socket is ours to remove */
};

struct listening {
	struct listening_socket *sockets;
	size_t count;
	unsigned slot_count;
};

/* Opens a socket per slot for each `listen` of the configuration.  0, or a negative errno after
 * saying on stderr what could not be listened on. */
int listening_open(
	struct listening *listening, const struct section *configuration, unsigned slot_count);

/* Was the address refused because this machine has no IPv6?  (It refuses ::1, too.)  The others are
 * served all the same. */
bool listening_lacks_ipv6(const struct address *address, int error);

/* The descriptor that the worker in `slot` accepts from; -1 once closed. */
int listening_fd(const struct listening_socket *socket, unsigned slot);

/* The descriptor is somebody else's to close now. */
int listening_take_fd(struct listening_socket *socket, unsigned slot);

/* In a worker: closes what belongs to other slots. */
void listening_keep_slot(struct listening *listening, unsigned slot);

/* In the supervisor: closes every socket that is still open and removes the files of AF_UNIX ones.
 */
void listening_close(struct listening *listening);
void listening_free(struct listening *listening);

/* "http://localhost:8080/ unix:/run/x": each URL once, separated by spaces.  An address that this
 * machine reaches as localhost is called so. */
void listening_append_urls(struct buffer *buffer, const struct listening *listening);

#endif
