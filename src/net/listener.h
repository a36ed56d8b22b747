/* A listening socket: made and bound by the supervisor, accepted from by each worker.
 *
 * A worker's listener hands over connections one at a time.  When descriptors run out it pauses,
 * leaves the others in the backlog and tries again every 100 ms: nothing is reset, nothing spins.
 */
#ifndef RINGLET_NET_LISTENER_H
#define RINGLET_NET_LISTENER_H

#include "net/address.h"
#include "proactor/proactor.h"

/* Binds and listens: non-blocking, close-on-exec, TCP_NODELAY, SO_REUSEADDR, IPv6 only as IPv6
 * unless the address is dual; SO_REUSEPORT as asked for.  The file of an AF_UNIX socket that nobody
 * listens on any more is replaced.  Returns the descriptor or a negative errno. */
int listener_bind(const struct address *address, bool reuse_port, int backlog);

/* Binds once without SO_REUSEPORT and lets go again: does anybody else hold the address?  0 or
 * -EADDRINUSE, or another negative errno; -EEXIST when an AF_UNIX path is no socket. */
int listener_check(const struct address *address);

/* From now on the kernel ignores who wants to connect (over TCP), and keeps queueing those who had
 * begun to: between the last accept and close(2) nobody can come in only to be reset.  An ignored
 * client tries again after a second and finds the port closed, or another server. */
void listener_refuse(int fd);

struct listener;

/* `fd` is the receiver's to close, by proactor_close(). */
typedef void listener_accepted_fn(struct listener *listener, int fd);

/* The last event of a listener, after listener_stop(). */
typedef void listener_stopped_fn(struct listener *listener);

struct listener {
	struct proactor *proactor;
	listener_accepted_fn *accepted;
	listener_stopped_fn *stopped;
	int fd;
	bool paused, stopping;
	bool starved;    /* descriptors ran out and nothing was accepted since */
	unsigned sweeps; /* while stopping: how often the backlog may still be emptied */
	struct op accept;
	struct op retry; /* the timeout while descriptors are short */
};

void listener_start(struct listener *listener, struct proactor *proactor, int fd,
	listener_accepted_fn *accepted, listener_stopped_fn *stopped);

/* For a limit of our own: stops taking connections from the backlog, and takes them again. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

/* Accepts what is queued already (unless paused), then ends with stopped(); the descriptor stays
 * open and is the caller's. */
void listener_stop(struct listener *listener);

/* The same without accepting what is queued: another process accepts from this socket. */
void listener_leave(struct listener *listener);

#endif
