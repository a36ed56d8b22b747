/* The pool of splice pipes. */
#include "proactor/uring_pipe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { LENGTH_MIN = 4096 };

void pipe_pool_open(struct pipe_pool *pool, unsigned count_max, unsigned length)
{
	*pool = (struct pipe_pool){ .count_max = count_max, .length = length };
	list_init(&pool->idle);
	pool->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

void pipe_pool_close(struct pipe_pool *pool)
{
	pipe_pool_trim(pool);
	assert(pool->count == 0);
	if (pool->null_fd >= 0)
		close(pool->null_fd);
	pool->null_fd = -1;
}

/* Refused beyond fs.pipe-max-size or fs.pipe-user-pages-soft, which all workers share: then less
 * will do, and at worst it holds what it holds. */
static unsigned lengthen(int fd, unsigned wish)
{
	int length = -1;

	for (unsigned tried = wish; length < 0 && tried >= LENGTH_MIN; tried /= 4)
		length = fcntl(fd, F_SETPIPE_SZ, (int)tried);
	if (length < 0)
		length = fcntl(fd, F_GETPIPE_SZ);
	return length > 0 ? (unsigned)length : 4096;
}

static int make_pipe(struct pipe_pair **pipe_out, struct pipe_pool *pool)
{
	struct pipe_pair *pipe = malloc(sizeof(*pipe));
	int ends[2];

	if (!pipe)
		return -ENOMEM;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		int error = errno;

		free(pipe);
		return -error;
	}
	list_node_init(&pipe->node);
	pipe->read_fd = ends[0];
	pipe->write_fd = ends[1];
	pipe->length = lengthen(ends[1], pool->length);
	pool->count++;
	*pipe_out = pipe;
	return 0;
}

int pipe_pool_take(struct pipe_pair **pipe, struct pipe_pool *pool)
{
	struct list_node *node = list_take_first(&pool->idle);
	int r = 0;

	if (node)
		*pipe = container_of(node, struct pipe_pair, node);
	else if (pool->count == pool->count_max)
		return -EBUSY;
	else
		r = make_pipe(pipe, pool);
	if (r < 0)
		return pool->count > 0 ? -EBUSY : r;
	pool->taken_count++;
	return 0;
}

static void close_pipe(struct pipe_pool *pool, struct pipe_pair *pipe)
{
	assert(pool->count > 0);
	pool->count--;
	close(pipe->read_fd);
	close(pipe->write_fd);
	free(pipe);
}

static bool empty_pipe(const struct pipe_pool *pool, const struct pipe_pair *pipe, size_t left)
{
	while (left > 0) {
		ssize_t moved =
			splice(pipe->read_fd, NULL, pool->null_fd, NULL, left, SPLICE_F_NONBLOCK);

		if (moved <= 0)
			return false;
		left -= (size_t)moved;
	}
	return true;
}

void pipe_pool_return(struct pipe_pool *pool, struct pipe_pair *pipe, size_t left)
{
	pool->taken_count--;
	if (empty_pipe(pool, pipe, left))
		list_prepend(&pool->idle, &pipe->node);
	else
		close_pipe(pool, pipe);
}

void pipe_pool_discard(struct pipe_pool *pool, struct pipe_pair *pipe)
{
	pool->taken_count--;
	close_pipe(pool, pipe);
}

void pipe_pool_trim(struct pipe_pool *pool)
{
	struct list_node *node;

	while ((node = list_take_first(&pool->idle)))
		close_pipe(pool, container_of(node, struct pipe_pair, node));
}
