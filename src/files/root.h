/* A site's root directory, as a descriptor that everything else is opened beneath.
 *
 * The path is looked up again when a request finds the last look-up older than a second, so that
 * a deploy that switches a link (current -> release-2) needs no signal; that request, and those
 * that come meanwhile, wait for the look-up.  Look-ups that began in the old directory finish
 * there: it is closed when the last of them has returned it.  A look-up that finds the directory
 * it found before keeps it, so that what is remembered of it stays true.
 *
 * Roots are shared: one per path and proactor, whichever locations name it. */
#ifndef RINGLET_FILES_ROOT_H
#define RINGLET_FILES_ROOT_H

#include "proactor/proactor.h"

#define ROOT_AGE_NS_MAX UINT64_C(1000000000)

struct root {
	struct list_node node; /* among the roots of this process */
	struct proactor *proactor;
	struct root_directory *current; /* NULL: the last look-up failed */
	struct op op;                   /* the look-up */
	struct list waits;              /* for its end */
	uint64_t looked_up_ns;          /* when the last look-up began */
	size_t user_count;              /* root_open()s */
	size_t directory_count;         /* current, and older ones that are still used */
	int error;                      /* of the last look-up: 0 or a negative errno */
	bool is_doubted;                /* the next request looks up, however soon */
	int found_fd;                   /* during a look-up */
	struct stat found;
	char path[];
};

/* One result of a look-up. */
struct root_directory {
	struct root *root;
	struct op op; /* the close */
	size_t user_count;
	int fd;
	dev_t device;
	ino_t inode;
};

/* Somebody who waits for a look-up; embedded in its owner. */
struct root_wait {
	struct list_node node;

	/* directory is taken for the owner, or NULL and `error` (a negative errno) says why. */
	void (*found)(struct root_wait *wait, struct root_directory *directory, int error);
};

/* Opens the directory, which may block (it turns the proactor's loop until it is open): for the
 * start, before any request.  0 or a negative errno that was logged. */
int root_open(struct root **root, const char *path, struct proactor *proactor);

/* The counterpart, when nobody wants anything of the root any more: what is still being looked up
 * was cancelled.  May block likewise. */
void root_close(struct root *root);

/* The directory if it was looked up within the last second; NULL: root_await() it. */
struct root_directory *root_take(struct root *root);

/* The same without taking it, for a look at the moment. */
const struct root_directory *root_peek(const struct root *root);

/* Something happened to the directory: the next root_take() finds it too old. */
void root_doubt(struct root *root);

/* Begins a look-up, or joins the one that is under way; wait->found() runs once, from the loop. */
void root_await(struct root *root, struct root_wait *wait);

/* Another one uses a directory that is in use; returns it. */
struct root_directory *root_hold(struct root_directory *directory);

void root_return(struct root_directory *directory);

#endif
