/* The simulated backend: sockets, files and a clock in memory, for tests only.
 *
 * A test opens a proactor here instead of proactor_open(), makes files and clients, and drives the
 * code under test with proactor_turn().  Everything happens in wait(), in rounds: bytes travel,
 * ops take steps.  A seed decides how: transfers are cut short, independent ops end late and in
 * another order than they were submitted in, a cancel sometimes comes too late.  The same seed
 * gives the same run.  Seed 0 leaves nothing to chance: whatever can happen happens whole, at
 * once and in order.
 *
 * The clock moves only by waiting: a turn in which nothing can happen jumps to the next timeout
 * or deadline, so that an hour costs nothing.  With nothing to happen and nothing due wait()
 * returns at once; a test bounds its turns and fails.  proactor_work() runs inside wait().
 *
 * Descriptors have numbers that no system call knows (from SIMULATED_FD_FIRST on, the lowest free
 * one first).  It is the strictest backend: it asserts the caller's side of the promises (one
 * receive, one send and one accept per descriptor, closing only what no op uses).
 *
 * Paths in simulated_make_*() and the like are relative to the root directory. */
#ifndef RINGLET_SIMULATED_SIMULATED_H
#define RINGLET_SIMULATED_SIMULATED_H

#include <stdio.h>

#include "proactor/proactor.h"

#define SIMULATED_FD_FIRST 100000

/* 0 means the default in parentheses. */
struct simulated_options {
	uint64_t seed;                  /* 0: nothing is left to chance */
	unsigned receive_buffer_length; /* bytes of a loan at most (4096) */
	unsigned descriptor_count_max;  /* open at once; beyond: -EMFILE (1024) */
};

/* Freed by proactor_free().  0 or a negative errno. */
int simulated_open(struct proactor **proactor, const struct simulated_options *options);

/* The next op of this kind that takes a step ends with `error` (negative) instead; a parked one
 * also does.  Called n times: n ops fail, in this order. */
void simulated_fail_next(struct proactor *proactor, enum op_kind kind, int error);

/* How many descriptors are open, and one line about each. */
size_t simulated_open_count(const struct proactor *proactor);
void simulated_print_open(const struct proactor *proactor, FILE *file);

/* From now on at most this many descriptors at once. */
void simulated_limit_descriptors(struct proactor *proactor, unsigned count_max);

/* Moves the clock on, as if everything had stood still. */
void simulated_advance(struct proactor *proactor, uint64_t duration_ns);

/* --- connections ---------------------------------------------------------------------------
 * A client is the other end of a connection.  What it sends travels, in pieces, to the socket,
 * which holds a bounded number of bytes in each direction; what it receives is kept for the test
 * to look at.  Clients stay valid until proactor_free(). */

struct simulated_client;

/* A listening descriptor. */
int simulated_listen(struct proactor *proactor);

/* Connects: the connection waits in the backlog until it is accepted. */
struct simulated_client *simulated_connect(struct proactor *proactor, int listener);

/* A connection accepted already; *fd is its socket. */
struct simulated_client *simulated_connect_pair(struct proactor *proactor, int *fd);

/* Bytes that the connection's socket holds in each direction (65536). */
void simulated_client_set_buffers(struct simulated_client *client, size_t length);

/* Sends, without bound. */
void simulated_client_send(struct simulated_client *client, struct text bytes);

/* The bytes that a sender with bounded buffers would still hold: not yet at the socket. */
size_t simulated_client_unsent(const struct simulated_client *client);

/* What was received and not taken yet; valid until the next turn or take. */
struct text simulated_client_received(const struct simulated_client *client);
void simulated_client_take(struct simulated_client *client, size_t length);

/* Receiving can be halted, so that the socket's buffer fills up, and limited: to `length` more
 * bytes, then it halts. */
void simulated_client_stop_reading(struct simulated_client *client);
void simulated_client_start_reading(struct simulated_client *client);
void simulated_client_read(struct simulated_client *client, size_t length);

/* Ends its sending direction (FIN) after what was sent. */
void simulated_client_end(struct simulated_client *client);

/* Both directions end at once, what travels is lost (RST). */
void simulated_client_reset(struct simulated_client *client);

/* close(2): FIN after what was sent; whatever arrives from now on is answered by a reset. */
void simulated_client_close(struct simulated_client *client);

/* The other end's: it ended its sending direction and all its bytes are received; it reset the
 * connection (closed it with bytes unread). */
bool simulated_client_saw_end(const struct simulated_client *client);
bool simulated_client_saw_reset(const struct simulated_client *client);

/* --- files --------------------------------------------------------------------------------- */

/* A new descriptor of the root directory, for openat2 and the like; closed by proactor_close(). */
int simulated_open_root(struct proactor *proactor);

/* Directories on the way are made, too; what had this path before is replaced. */
void simulated_make_directory(struct proactor *proactor, const char *path);
void simulated_make_file(struct proactor *proactor, const char *path, struct text contents);
void simulated_make_symlink(struct proactor *proactor, const char *path, const char *target);

/* A FIFO, socket or device: S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK. */
void simulated_make_special(struct proactor *proactor, const char *path, mode_t type);

/* Writes into an existing file, which may become sparse. */
void simulated_write_file(
	struct proactor *proactor, const char *path, uint64_t offset, struct text bytes);

/* At the beginning of the file, like a store through a mapping whose page is dirty: the times stay.
 */
void simulated_store_mapped(struct proactor *proactor, const char *path, struct text bytes);
void simulated_truncate(struct proactor *proactor, const char *path, uint64_t length);
void simulated_set_mode(struct proactor *proactor, const char *path, mode_t permissions);
void simulated_remove(struct proactor *proactor, const char *path);

/* What the file holds, in memory that the caller frees; bytes is NULL when there is none. */
struct text simulated_read_file(struct proactor *proactor, const char *path);

/* --- power ---------------------------------------------------------------------------------
 * What was not synced may survive a loss of power or not, the contents of files and the names in
 * directories each: file systems differ, and so do moments. */

enum simulated_survivors {
	SIMULATED_ONLY_SYNCED = 0,
	SIMULATED_UNSYNCED_CONTENTS = 1 << 0,
	SIMULATED_UNSYNCED_NAMES = 1 << 1,
};

/* As sync(2): what a test has made is an old stock from now on. */
void simulated_sync(struct proactor *proactor);

/* The machine that starts anew if `lost` loses its power now, which goes on undisturbed.  As
 * simulated_open(), with the files that are found again; `survivors` are SIMULATED_ bits. */
int simulated_open_after_loss(struct proactor **proactor, const struct simulated_options *options,
	const struct proactor *lost, unsigned survivors);

/* --- events, for proactor_poll() ------------------------------------------------------------ */

/* As eventfd(2): POLLIN after a signal, until simulated_event_clear(). */
int simulated_open_event(struct proactor *proactor);
void simulated_event_signal(struct proactor *proactor, int fd);
void simulated_event_clear(struct proactor *proactor, int fd);

#endif
