/* The root directory and its look-ups.
 *
 * The descriptor is opened with O_PATH, because it is only the starting point of openat2(2).  After
 * a failed look-up the root has no directory: a removed site must not be served from a directory
 * that has no name any more.  Then every request looks the path up again, so that a deploy by
 * `rm current; ln -s release-2 current` is unavailable only between the two commands. */
#include "files/root.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* All roots of the process, of every proactor: there are few. */
static struct list roots = { { &roots.head, &roots.head } };

static struct root *find_root(const char *path, struct proactor *proactor)
{
	list_for_each (node, &roots) {
		struct root *root = container_of(node, struct root, node);

		if (root->proactor == proactor && strcmp(root->path, path) == 0)
			return root;
	}
	return NULL;
}

/* --- directories -------------------------------------------------------------------------- */

static void root_directory_closed(struct proactor *proactor, struct op *op)
{
	struct root_directory *directory = container_of(op, struct root_directory, op);

	(void)proactor;
	directory->root->directory_count--;
	free(directory);
}

void root_return(struct root_directory *directory)
{
	assert(directory->user_count > 0);
	if (--directory->user_count > 0)
		return;
	op_init(&directory->op, root_directory_closed);
	proactor_close(directory->root->proactor, &directory->op, directory->fd);
}

static struct root_directory *directory_new(struct root *root)
{
	struct root_directory *directory = malloc(sizeof(*directory));

	if (!directory)
		return NULL;
	*directory = (struct root_directory){
		.root = root,
		.user_count = 1,
		.fd = root->found_fd,
		.device = root->found.st_dev,
		.inode = root->found.st_ino,
	};
	root->directory_count++;
	return directory;
}

struct root_directory *root_hold(struct root_directory *directory)
{
	assert(directory->user_count > 0);
	directory->user_count++;
	return directory;
}

static struct root_directory *take_current(struct root *root)
{
	if (root->current)
		root->current->user_count++;
	return root->current;
}

/* --- look-ups ----------------------------------------------------------------------------- */

static void root_looked_up(struct proactor *proactor, struct op *op);

static void begin_look_up(struct root *root)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC };

	op_init(&root->op, root_looked_up);
	root->looked_up_ns = proactor_now_ns(root->proactor);
	root->is_doubted = false;
	proactor_open_file(root->proactor, &root->op, AT_FDCWD, root->path, &how);
}

/* Logs a change once, not for every request. */
static void note_error(struct root *root, int error)
{
	if (error == root->error)
		return;
	if (error < 0)
		(void)fail(error, "cannot open the root %s", root->path);
	else
		log_info("the root %s is back", root->path);
	root->error = error;
}

static void replace_current(struct root *root, struct root_directory *directory)
{
	if (root->current)
		root_return(root->current);
	root->current = directory;
}

static void tell_waits(struct root *root)
{
	struct list waits;
	struct list_node *node;

	list_move_all(&waits, &root->waits);
	while ((node = list_take_first(&waits))) {
		struct root_wait *wait = container_of(node, struct root_wait, node);

		wait->found(wait, take_current(root), root->error);
	}
}

/* A shortage of our own resources says nothing about the path: the old directory stays. */
static bool is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

static void root_conclude(struct root *root, struct root_directory *directory, int error)
{
	if (!is_shortage(error) || !root->current) {
		replace_current(root, directory);
		note_error(root, error);
	}
	tell_waits(root);
}

static void stray_closed(struct proactor *proactor, struct op *op)
{
	struct root *root = container_of(op, struct root, op);

	(void)proactor;
	root_conclude(root, NULL, -ENOMEM);
}

static void duplicate_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	tell_waits(container_of(op, struct root, op));
}

static void close_found(struct root *root, op_done_fn *closed)
{
	op_init(&root->op, closed);
	proactor_close(root->proactor, &root->op, root->found_fd);
}

/* The inode number cannot be reused while the directory is open. */
static bool root_is_current(const struct root *root)
{
	return root->current && root->current->inode == root->found.st_ino &&
	       root->current->device == root->found.st_dev;
}

static void root_examined(struct proactor *proactor, struct op *op)
{
	struct root *root = container_of(op, struct root, op);
	struct root_directory *directory;

	(void)proactor;
	if (op->result == 0 && root_is_current(root)) {
		close_found(root, duplicate_closed);
		return;
	}
	directory = op->result == 0 ? directory_new(root) : NULL;
	if (directory)
		root_conclude(root, directory, 0);
	else
		close_found(root, stray_closed);
}

static void root_looked_up(struct proactor *proactor, struct op *op)
{
	struct root *root = container_of(op, struct root, op);

	if (op->result < 0) {
		root_conclude(root, NULL, (int)op->result);
		return;
	}
	root->found_fd = (int)op->result;
	if (root->current)
		proactor_compare_mounts(proactor, root->found_fd, root->current->fd);
	op_init(&root->op, root_examined);
	proactor_stat(proactor, &root->op, root->found_fd, &root->found);
}

static bool root_is_fresh(const struct root *root)
{
	return !op_is_active(&root->op) && !root->is_doubted &&
	       proactor_now_ns(root->proactor) - root->looked_up_ns <= ROOT_AGE_NS_MAX;
}

struct root_directory *root_take(struct root *root)
{
	return root_is_fresh(root) ? take_current(root) : NULL;
}

const struct root_directory *root_peek(const struct root *root)
{
	return root_is_fresh(root) ? root->current : NULL;
}

void root_doubt(struct root *root)
{
	root->is_doubted = true;
}

void root_await(struct root *root, struct root_wait *wait)
{
	list_append(&root->waits, &wait->node);
	if (!op_is_active(&root->op))
		begin_look_up(root);
}

/* --- opening and closing ------------------------------------------------------------------ */

static struct root *root_new(const char *path, struct proactor *proactor)
{
	size_t size = strlen(path) + 1;
	struct root *root = malloc(sizeof(*root) + size);

	if (!root)
		return NULL;
	*root = (struct root){ .proactor = proactor };
	memcpy(root->path, path, size);
	op_init(&root->op, root_looked_up);
	list_init(&root->waits);
	list_append(&roots, &root->node);
	return root;
}

static void root_free(struct root *root)
{
	list_remove(&root->node);
	free(root);
}

int root_open(struct root **result, const char *path, struct proactor *proactor)
{
	struct root *root = find_root(path, proactor);
	int r;

	if (root) {
		root->user_count++;
		*result = root;
		return 0;
	}
	root = root_new(path, proactor);
	if (!root)
		return fail(-ENOMEM, "cannot open the root %s", path);
	begin_look_up(root);
	r = proactor_await(proactor, &root->op);
	if (r < 0)
		return fail(r, "cannot wait for the root %s", path); /* the op still names it */
	if (!root->current) {
		r = root->error; /* logged by note_error() */
		root_free(root);
		return r;
	}
	root->user_count = 1;
	*result = root;
	return 0;
}

void root_close(struct root *root)
{
	int r;

	assert(root->user_count > 0);
	if (--root->user_count > 0)
		return;
	/* A cancelled lookup may still wait for the look-up of the root. */
	r = proactor_await(root->proactor, &root->op);
	if (r >= 0)
		replace_current(root, NULL);
	while (r >= 0 && root->directory_count > 0)
		r = proactor_turn(root->proactor, PROACTOR_WAIT_FOREVER);
	if (r < 0)
		(void)fail(r, "cannot close the root %s", root->path); /* the op still names it */
	else
		root_free(root);
}
