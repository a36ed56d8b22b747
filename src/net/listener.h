/* A listening socket: the supervisor makes it, workers accept from it.
 *
 * A listener hands over one connection at a time.  When descriptors run out, it leaves connections
 * in the backlog and retries every 100 ms. */
#ifndef RINGLET_NET_LISTENER_H
#define RINGLET_NET_LISTENER_H

#include "net/address.h"
#include "proactor/proactor.h"

/* Binds and listens, with O_NONBLOCK, FD_CLOEXEC, TCP_NODELAY, SO_REUSEADDR, IPV6_V6ONLY unless the
 * address is dual, and SO_REUSEPORT if `reuse_port`.  Replaces the file of an AF_UNIX socket on
 * which no process listens.  Returns the descriptor or a negative errno. */
int listener_bind(const struct address *address, bool reuse_port, int backlog);

/* Checks that no other process listens on the address, by binding it without SO_REUSEPORT and
 * closing the socket.  0, -EADDRINUSE or another negative errno; -EEXIST if an AF_UNIX path is not
 * a socket. */
int listener_check(const struct address *address);

/* From now on the kernel ignores the SYNs of new TCP clients, but completes handshakes that have
 * begun.  So no connection enters the queue between the last accept and close(2), which would reset
 * it.  An ignored client retries after a second and finds the port closed, or another server. */
void listener_refuse(int fd);

struct listener;

/* The receiver closes `fd` with proactor_close(). */
typedef void listener_accepted_fn(struct listener *listener, int fd);

/* The last event of a listener, after listener_stop() or listener_leave(). */
typedef void listener_stopped_fn(struct listener *listener);

struct listener {
	struct proactor *proactor;
	listener_accepted_fn *accepted;
	listener_stopped_fn *stopped;
	int fd;
	bool paused, stopping;
	bool starved;    /* descriptors ran out, and no connection was accepted since */
	unsigned sweeps; /* while stopping: accepts left to empty the backlog */
	struct op accept;
	struct op retry; /* the timeout after descriptors ran out */
};

void listener_start(struct listener *listener, struct proactor *proactor, int fd,
	listener_accepted_fn *accepted, listener_stopped_fn *stopped);

/* At limits.connections: stops and resumes accepting from the backlog. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

/* Accepts the connections in the queue (unless paused), then calls stopped().  The caller closes
 * the descriptor. */
void listener_stop(struct listener *listener);

/* Like listener_stop(), but leaves the queue to the other process that accepts from this socket. */
void listener_leave(struct listener *listener);

#endif
