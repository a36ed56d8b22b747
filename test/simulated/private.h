/* What the four files of the simulated backend share.
 *
 * simulated.c holds the clock, the dice and the rounds in which ops take their steps;
 * sockets.c and files.c know how one step of an op looks, and own the
 * connections and the inodes; power.c knows what of these is synced.  A step function
 * completes its op, moves it on, or leaves it parked: it returns whether anything changed. */
#ifndef RINGLET_SIMULATED_PRIVATE_H
#define RINGLET_SIMULATED_PRIVATE_H

#include <limits.h>

#include "base/smaller.h"
#include "proactor/backend.h"
#include "simulated/simulated.h"

struct inode {
	mode_t mode;
	uint64_t number;
	unsigned use_count; /* entries and descriptors */
	int64_t modified_ns;
	struct list entries;        /* directory */
	struct list synced_entries; /* as its last fsync found them */
	struct inode *parent;       /* directory; the root is its own */
	int contents;               /* file: a memfd, else -1 */
	int synced_contents;        /* a memfd; -1: it was never synced */
	char *target;               /* symbolic link */
};

struct entry {
	struct list_node node;
	struct inode *inode;
	char name[NAME_MAX + 1];
};

enum descriptor_kind {
	DESCRIPTOR_FREE,
	DESCRIPTOR_LISTENER,
	DESCRIPTOR_SOCKET,
	DESCRIPTOR_FILE, /* or a directory, FIFO, ... */
	DESCRIPTOR_EVENT,
};

struct descriptor {
	enum descriptor_kind kind;
	union {
		struct list *backlog; /* clients that wait to be accepted */
		struct simulated_client *client;
		struct {
			struct inode *inode;
			int flags;         /* of open(2) */
			uint64_t position; /* for OP_APPEND */
		} file;
		bool signalled;
	};
};

struct simulated {
	struct proactor proactor; /* first: what the callers hold */
	uint64_t seed, dice;
	uint64_t clock_ns;
	size_t receive_length_max;
	struct list active;   /* ops submitted, by op->node */
	struct list failures; /* of simulated_fail_next() */
	struct list loans;    /* memory lent to done()s until the next wait */
	struct op **order;    /* the ops of one round, shuffled */
	size_t order_size;
	struct descriptor *descriptors;
	unsigned descriptor_count, descriptor_count_max, open_count;
	struct list clients; /* all there ever were */
	unsigned client_count;
	struct inode *root;
	uint64_t inode_count;
};

static inline struct simulated *simulated_of(const struct proactor *proactor)
{
	return (struct simulated *)proactor;
}

/* --- simulated.c ---------------------------------------------------------------------------- */

/* True about once in `one_in` times; never with seed 0. */
bool simulated_chance(struct simulated *simulated, unsigned one_in);

/* From 0 to bound - 1; 0 with seed 0. */
uint64_t simulated_draw(struct simulated *simulated, uint64_t bound);

/* How much of `length` (at least 1) goes in one piece: from 1 to all of it. */
size_t simulated_piece(struct simulated *simulated, size_t length);

/* Memory that stays valid until the done()s of this turn have run. */
void *simulated_lend(struct simulated *simulated, size_t size);

/* Allocation that does not fail: a test that runs out of memory ends. */
void *allocate(size_t size);

/* The lowest free number, or -EMFILE. */
int descriptor_open(struct simulated *simulated, enum descriptor_kind kind);
void descriptor_close(struct simulated *simulated, int fd);

/* NULL when no such descriptor is open. */
struct descriptor *descriptor_find(const struct simulated *simulated, int fd);
struct descriptor *descriptor_find_kind(
	const struct simulated *simulated, int fd, enum descriptor_kind kind);

/* Completes the op; true, for the steps to return. */
bool simulated_end(struct simulated *simulated, struct op *op, int64_t result);

/* --- simulated_sockets.c -------------------------------------------------------------------- */

bool step_accept(struct simulated *simulated, struct op *op);
bool step_receive(struct simulated *simulated, struct op *op);
bool step_send(struct simulated *simulated, struct op *op);
bool step_sendfile(struct simulated *simulated, struct op *op);

/* What poll(2) would say of a socket or a listener. */
short socket_events(const struct descriptor *descriptor);
void socket_close(struct simulated *simulated, struct descriptor *descriptor);
int socket_shutdown(struct proactor *proactor, int fd, int how);
int socket_unacknowledged_length(struct proactor *proactor, int fd);
void socket_reset_at_close(struct proactor *proactor, int fd);
int socket_peer_address(struct proactor *proactor, int fd, struct sockaddr_storage *address);

/* Bytes travel; whether any did. */
bool sockets_deliver(struct simulated *simulated);
void sockets_free(struct simulated *simulated);

/* --- simulated_files.c ---------------------------------------------------------------------- */

bool step_open(struct simulated *simulated, struct op *op);
bool step_stat(struct simulated *simulated, struct op *op);
bool step_read(struct simulated *simulated, struct op *op);
bool step_write(struct simulated *simulated, struct op *op);
bool step_fsync(struct simulated *simulated, struct op *op);
bool step_rename(struct simulated *simulated, struct op *op);
bool step_unlink(struct simulated *simulated, struct op *op);

/* pread(2) on a simulated descriptor: the count, or a negative errno. */
int64_t file_read(struct simulated *simulated, int fd, void *bytes, size_t length, uint64_t offset);
void file_close(struct simulated *simulated, struct descriptor *descriptor);
void files_init(struct simulated *simulated);
void files_free(struct simulated *simulated);

/* An inode lives while its use_count says so: a new one until its first entry is added. */
struct inode *inode_new(struct simulated *simulated, mode_t mode);
void inode_release(struct inode *inode);
void add_entry(struct simulated *simulated, struct inode *directory, const char *name,
	struct inode *inode);

/* --- simulated_power.c ---------------------------------------------------------------------- */

/* fsync(2). */
void inode_sync(struct inode *inode);
void inode_forget_synced(struct inode *inode);

#endif
