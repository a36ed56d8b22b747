/* The root directory of locations: the descriptor beneath which files are opened.
 *
 * A request that finds the last look-up of the path older than a second starts another, and waits
 * for it together with the requests that arrive meanwhile.  So a deploy that switches a link
 * (current -> release-2) needs no signal.  Lookups of files that began in the old directory finish
 * there; the last of them closes it.  If a look-up finds the same directory again, the old
 * descriptor stays, and cache entries stay valid.
 *
 * All locations of a proactor with the same path share one root. */
#ifndef RINGLET_FILES_ROOT_H
#define RINGLET_FILES_ROOT_H

#include "proactor/proactor.h"

#define ROOT_AGE_NS_MAX UINT64_C(1000000000)

struct root {
	struct list_node node; /* among the roots of this process */
	struct proactor *proactor;
	struct root_directory *current; /* NULL: the last look-up failed */
	struct op op;                   /* the look-up */
	struct list waits;              /* requests that wait for the look-up */
	uint64_t looked_up_ns;          /* when the last look-up began */
	size_t user_count;              /* root_open()s */
	size_t directory_count;         /* current, and older ones that are still in use */
	int error;                      /* of the last look-up: 0 or a negative errno */
	bool is_doubted;                /* the next request starts a look-up */
	int found_fd;                   /* during a look-up */
	struct stat found;
	char path[];
};

/* The result of a look-up, counted. */
struct root_directory {
	struct root *root;
	struct op op; /* the close */
	size_t user_count;
	int fd;
	dev_t device;
	ino_t inode;
};

/* A request that waits for a look-up; embedded in its owner. */
struct root_wait {
	struct list_node node;

	/* The owner must return `directory`.  NULL: `error`, a negative errno, says why. */
	void (*found)(struct root_wait *wait, struct root_directory *directory, int error);
};

/* Opens the directory; runs the loop until it is open, so only at the start, before any request.
 * Returns 0 or a negative errno, which is logged. */
int root_open(struct root **root, const char *path, struct proactor *proactor);

/* Drops one root_open().  All lookups beneath the root must be cancelled; the last call runs the
 * loop until they have ended. */
void root_close(struct root *root);

/* Takes the directory if it was looked up within the last second; NULL: use root_await(). */
struct root_directory *root_take(struct root *root);

/* The same without taking a reference; valid until the loop goes on. */
const struct root_directory *root_peek(const struct root *root);

/* The directory may have changed: the next root_take() returns NULL. */
void root_doubt(struct root *root);

/* Starts a look-up, or joins the running one; wait->found() runs once, from the loop. */
void root_await(struct root *root, struct root_wait *wait);

/* Takes another reference to a directory in use; returns it. */
struct root_directory *root_hold(struct root_directory *directory);

void root_return(struct root_directory *directory);

#endif
