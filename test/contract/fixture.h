/* What every case of the contract needs: a proactor of the backend under test, the other side of
 * its sockets and files, and calls, which are ops that remember what became of them.
 *
 * The other side is a struct side: real_side.c makes loopback TCP connections and files in a
 * temporary directory, for both real backends; simulated_side.c asks simulated.h.  The cases do
 * not know which.  Nothing sleeps: turn_until() turns the proactor until its condition holds, and
 * fails the test when that takes too many turns or too long. */
#ifndef RINGLET_TEST_CONTRACT_FIXTURE_H
#define RINGLET_TEST_CONTRACT_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include "base/list.h"
#include "proactor/proactor.h"

struct simulated_client;

struct fixture {
	struct proactor *proactor;
	const struct side *side;
	enum backend_choice choice; /* real backends */
	uint64_t seed;
	int directory;      /* where the files are */
	char path[64];      /* of that directory, real backends */
	size_t open_before; /* descriptors of the process */
	bool turning;       /* a turn runs: done() may come */
	void *context;      /* the case's */
};

/* The other end of a connection. */
struct peer {
	struct fixture *fixture;
	int fd;                          /* real */
	struct simulated_client *client; /* simulated */
};

struct side {
	bool has_threads; /* work runs beside the loop, which really waits */
	int (*open)(struct fixture *fixture, const struct proactor_options *options);
	void (*close)(struct fixture *fixture);
	size_t (*open_count)(const struct fixture *fixture); /* descriptors the cases must close */

	/* At most `extra` more descriptors can be opened, until unlimit. */
	void (*limit_descriptors)(struct fixture *fixture, unsigned extra);
	void (*unlimit_descriptors)(struct fixture *fixture);

	int (*listen)(struct fixture *fixture);
	void (*connect)(struct fixture *fixture, struct peer *peer, int listener);
	int (*pair)(struct fixture *fixture, struct peer *peer, bool small_buffers);

	size_t (*write)(struct peer *peer, const void *bytes, size_t length);
	ssize_t (*read)(struct peer *peer, void *bytes, size_t length);
	void (*stop_reading)(struct peer *peer);
	void (*end)(struct peer *peer);
	void (*reset)(struct peer *peer);
	void (*close_peer)(struct peer *peer);

	void (*make_directory)(struct fixture *fixture, const char *name);
	void (*make_symlink)(struct fixture *fixture, const char *name, const char *target);
	void (*write_file)(struct fixture *fixture, const char *name, uint64_t offset,
		const void *bytes, size_t length);
	void (*truncate_file)(struct fixture *fixture, const char *name, uint64_t length);
	ssize_t (*read_file)(struct fixture *fixture, const char *name, void *bytes, size_t length);

	int (*open_event)(struct fixture *fixture);
	void (*signal_event)(struct fixture *fixture, int fd);
};

extern const struct side real_side, simulated_side;

/* For cmocka: each case has a proactor of its own, and has closed everything when it ends. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
bool fixture_knows(const char *backend);
void fixture_choose(const char *backend, uint64_t seed);

/* Opens the proactor anew, with other options; nothing may be active or open. */
void fixture_reopen(struct fixture *fixture, const struct proactor_options *options);

/* --- turning ------------------------------------------------------------------------------ */

void turn(struct fixture *fixture, uint64_t wait_ns_max);

/* Some turns that do not wait: for what should not happen. */
void settle(struct fixture *fixture);

struct patience {
	unsigned turn_count;
	uint64_t until_ns;
};

void turn_patiently(struct fixture *fixture, struct patience *patience, const char *condition,
	const char *file, int line);

/* Followed by a semicolon, or by what to do before each turn. */
#define turn_until(fixture, condition)                                                             \
	for (struct patience patience = { 0 }; !(condition);                                       \
		turn_patiently(fixture, &patience, #condition, __FILE__, __LINE__))

/* --- calls -------------------------------------------------------------------------------- */

struct call;
typedef void call_then_fn(struct call *call);

/* An op, and what its done() found. */
struct call {
	struct op op;
	struct fixture *fixture;
	unsigned done_count;
	int64_t result;
	unsigned order; /* the how many-th done() of the fixture's life */
	char *bytes;    /* all that was received, freed by call_reset */
	size_t length, wanted;
	int fds[256]; /* all that was accepted */
	unsigned fd_count;
	call_then_fn *then; /* called by done(); may be NULL */
};

void call_init(struct call *call, struct fixture *fixture);
void call_reset(struct call *call);

/* Turns until the call is done, which it must be once; its result. */
int64_t finish(struct call *call);

/* Turns until the send or sendfile has begun to move and moves no further; it must not end. */
void turn_until_parked(struct call *call);

/* Short forms for what is only a means: they run an op and return its result. */
int open_name(struct fixture *fixture, const char *name, int flags);
int64_t read_at(struct fixture *fixture, int fd, void *bytes, size_t length, uint64_t offset);
void close_fd(struct fixture *fixture, int fd);
int accept_one(struct fixture *fixture, int listener);

/* Receives again and again until the call holds `length` bytes, or until a receive ends without
 * any: its result then, else the length. */
int64_t receive_until(struct call *call, int fd, size_t length);

/* A failure that means: the connection is gone. */
bool is_gone(int64_t result);

/* --- bytes -------------------------------------------------------------------------------- */

/* Test data that differs with its position, so that nothing can be lost or swapped unnoticed. */
char pattern_at(uint64_t position);
void pattern_fill(char *bytes, uint64_t position, size_t length);
void assert_pattern(const char *bytes, uint64_t position, size_t length);
char *pattern_new(uint64_t position, size_t length);

/* A file whose bytes from `offset` on are the pattern; before that it is a hole. */
void make_pattern_file(struct fixture *fixture, const char *name, uint64_t offset, size_t length);

/* --- peers -------------------------------------------------------------------------------- */

int make_pair(struct fixture *fixture, struct peer *peer);
int make_small_pair(struct fixture *fixture, struct peer *peer); /* small buffers */

/* Everything at once; for less than a socket holds. */
void peer_write(struct peer *peer, const void *bytes, size_t length);

/* As read(2): 0 at the end, -EAGAIN when nothing is there yet, -ECONNRESET. */
ssize_t peer_read(struct peer *peer, void *bytes, size_t length);
void peer_end(struct peer *peer);
void peer_reset(struct peer *peer);
void peer_close(struct peer *peer);

/* Turns and reads until `length` bytes have come, the pattern from `position` on. */
void peer_expect_pattern(struct peer *peer, uint64_t position, size_t length);

/* Turns and reads until the peer sees the end of the stream. */
void peer_expect_end(struct peer *peer);

#endif
