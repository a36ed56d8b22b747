/* The pipes that splices go through: made when wanted, kept for the next taker, bounded.
 *
 * A pipe costs two descriptors and, of a user's fs.pipe-user-pages-soft, its length; therefore they
 * are shared and never wait for a slow reader.  A pipe in the pool is empty: one whose contents
 * cannot be got rid of is closed, or its bytes would leak into the next response. */
#ifndef RINGLET_PROACTOR_URING_PIPE_H
#define RINGLET_PROACTOR_URING_PIPE_H

#include "base/list.h"

struct pipe_pair {
	struct list_node node;
	int read_fd, write_fd;
	unsigned length; /* bytes it can hold */
	unsigned piped;  /* bytes in it, while a sendfile has it */
};

struct pipe_pool {
	struct list idle;
	unsigned count;       /* idle and taken */
	unsigned taken_count; /* of these */
	unsigned count_max;
	unsigned length;
	int null_fd; /* where contents go that nobody wants; -1: such pipes are closed */
};

/* `length` is a wish: the kernel may grant less. */
void pipe_pool_open(struct pipe_pool *pool, unsigned count_max, unsigned length);

/* No pipe may be taken. */
void pipe_pool_close(struct pipe_pool *pool);

/* 0; -EBUSY when one has to be waited for; another negative errno when none is and none can be
 * made. */
int pipe_pool_take(struct pipe_pair **pipe, struct pipe_pool *pool);

/* `left` bytes are still in it, and are dropped. */
void pipe_pool_return(struct pipe_pool *pool, struct pipe_pair *pipe, size_t left);

/* After an error: what is in it is not known. */
void pipe_pool_discard(struct pipe_pool *pool, struct pipe_pair *pipe);

/* Closes the idle ones: descriptors are short. */
void pipe_pool_trim(struct pipe_pool *pool);

#endif
