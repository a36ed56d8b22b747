/* The tree of watched directories.
 *
 * Each node is a directory by the name under which it was reached.  The kernel names it by a number
 * (wd), which two nodes share when the same directory is reached in two ways.  Dependents stand in
 * a table by (directory, hash of the name): an event looks up what it names and nothing else, so
 * that a busy file beside thousands of quiet ones costs them nothing.  Two names of one hash are
 * taken for each other, which tells one dependent too many and never one too few.
 *
 * What happens to a directory itself (moved, removed, its permissions changed) tells everybody
 * beneath it, and it is forgotten with all its children: the next who asks watches anew.  When the
 * kernel's queue has overflowed everybody is told.
 *
 * A path is watched top down, each step without following a link at its end.  A directory that is
 * exchanged between two steps has told so in the one above, which is watched by then: the event
 * waits in the queue and forgets what was learned too early.
 *
 * Directories that nobody depends on are kept until their room is wanted, the longest unused first:
 * what is watched before it is looked up can be relied on at once. */
#include "files/watch.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/poll.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"

enum {
	EVENTS_SIZE = 16384, /* read at once */
	READS_MAX = 16,      /* in one turn */
	PATH_SIZE = PATH_MAX + 64,
};

#define MASK_OF_NAMES                                                                              \
	(IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE |        \
		IN_DELETE)
#define MASK_OF_END (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)
#define MASK        (MASK_OF_NAMES | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW)

struct watched_directory {
	struct watched_directory *parent; /* NULL: a root */
	struct list_node by_wd, by_name;
	struct list_node sibling; /* among the parent's children, or the watcher's roots */
	struct list_node idle;    /* nobody depends on it, and it has no children */
	struct list children;
	struct list dependents;
	uint64_t watched_at, changed_at; /* see watcher_now() */
	uint64_t hash;                   /* of the name in the parent */
	int wd;                          /* -1: watched no more */
	int root_fd;                     /* of a root */
	size_t name_length;
	char name[];
};

struct watcher {
	struct proactor *proactor;
	struct op op; /* the poll, finally the close */
	int fd;
	bool closing;
	bool shortage_is_logged;
	uint64_t now; /* counts what happens */
	uint64_t seed;
	size_t directory_count, directory_count_max;
	struct buckets by_wd, by_name, dependents;
	struct list roots, idle;
};

static struct watched_directory *directory_by_wd(struct list_node *node)
{
	return container_of(node, struct watched_directory, by_wd);
}

static uint64_t hash_in(
	const struct watcher *watcher, const struct watched_directory *directory, struct text name)
{
	return hash_text(watcher->seed ^ (uint64_t)(uintptr_t)directory, name);
}

/* --- telling ------------------------------------------------------------------------------ */

void watch_dependent_init(
	struct watch_dependent *dependent, void (*changed)(struct watch_dependent *dependent))
{
	list_node_init(&dependent->by_name);
	list_node_init(&dependent->in_directory);
	dependent->directory = NULL;
	dependent->changed = changed;
}

static void note_idle(struct watcher *watcher, struct watched_directory *directory)
{
	if (directory->parent && list_is_empty(&directory->children) &&
		list_is_empty(&directory->dependents) && !list_is_linked(&directory->idle))
		list_append(&watcher->idle, &directory->idle);
}

void watch_depend(struct watcher *watcher, struct watch_dependent *dependent,
	struct watched_directory *directory, struct text name)
{
	assert(!dependent->directory);
	dependent->directory = directory;
	dependent->name = hash_in(watcher, directory, name);
	list_append(buckets_at(&watcher->dependents, dependent->name), &dependent->by_name);
	list_append(&directory->dependents, &dependent->in_directory);
	list_remove(&directory->idle);
}

void watch_forget(struct watcher *watcher, struct watch_dependent *dependent)
{
	struct watched_directory *directory = dependent->directory;

	if (!directory)
		return;
	list_remove(&dependent->by_name);
	list_remove(&dependent->in_directory);
	dependent->directory = NULL;
	note_idle(watcher, directory);
}

static void tell(struct watcher *watcher, struct watch_dependent *dependent)
{
	watch_forget(watcher, dependent);
	dependent->changed(dependent);
}

/* Telling one may make others forget: the list is looked at anew after each. */
static struct watch_dependent *find_dependent(struct list *bucket, uint64_t name)
{
	list_for_each (node, bucket) {
		struct watch_dependent *dependent =
			container_of(node, struct watch_dependent, by_name);

		if (dependent->name == name)
			return dependent;
	}
	return NULL;
}

static void tell_name(struct watcher *watcher, uint64_t name)
{
	struct list *bucket = buckets_at(&watcher->dependents, name);
	struct watch_dependent *dependent;

	while ((dependent = find_dependent(bucket, name)))
		tell(watcher, dependent);
}

static void tell_all_in(struct watcher *watcher, struct watched_directory *directory)
{
	struct list_node *node;

	while ((node = list_first(&directory->dependents)))
		tell(watcher, container_of(node, struct watch_dependent, in_directory));
}

/* --- forgetting directories --------------------------------------------------------------- */

static struct watched_directory *find_wd(struct watcher *watcher, int wd)
{
	list_for_each (node, buckets_at(&watcher->by_wd, (uint64_t)wd)) {
		struct watched_directory *directory = directory_by_wd(node);

		if (directory->wd == wd)
			return directory;
	}
	return NULL;
}

/* The last of those that share it ends the watch. */
static void give_up_wd(struct watcher *watcher, struct watched_directory *directory)
{
	int wd = directory->wd;

	if (wd < 0)
		return;
	list_remove(&directory->by_wd);
	directory->wd = -1;
	if (!find_wd(watcher, wd))
		inotify_rm_watch(watcher->fd, wd); /* -EINVAL: it ended by itself */
}

static void drop(struct watcher *watcher, struct watched_directory *directory);

static void drop_beneath(struct watcher *watcher, struct watched_directory *directory)
{
	struct list_node *node;

	while ((node = list_first(&directory->children)))
		drop(watcher, container_of(node, struct watched_directory, sibling));
	tell_all_in(watcher, directory);
}

static void free_directory(struct watcher *watcher, struct watched_directory *directory)
{
	struct watched_directory *parent = directory->parent;

	give_up_wd(watcher, directory);
	list_remove(&directory->by_name);
	list_remove(&directory->sibling);
	list_remove(&directory->idle);
	if (parent) {
		watcher->directory_count--;
		note_idle(watcher, parent);
	}
	free(directory);
}

/* The depth is that of a path. */
static void drop(struct watcher *watcher, struct watched_directory *directory)
{
	drop_beneath(watcher, directory);
	free_directory(watcher, directory);
}

/* A root is its owner's to remove; it is only watched no more. */
static void drop_or_blind(struct watcher *watcher, struct watched_directory *directory)
{
	if (directory->parent) {
		drop(watcher, directory);
		return;
	}
	give_up_wd(watcher, directory);
	drop_beneath(watcher, directory);
}

static void drop_everything(struct watcher *watcher)
{
	list_for_each (node, &watcher->roots) {
		struct watched_directory *root =
			container_of(node, struct watched_directory, sibling);

		root->changed_at = watcher->now;
		drop_beneath(watcher, root);
	}
}

/* --- events ------------------------------------------------------------------------------- */

static struct watched_directory *find_child(
	struct watcher *watcher, struct watched_directory *parent, struct text name)
{
	uint64_t hash = hash_in(watcher, parent, name);

	list_for_each (node, buckets_at(&watcher->by_name, hash)) {
		struct watched_directory *directory =
			container_of(node, struct watched_directory, by_name);
		struct text own = { directory->name, directory->name_length };

		if (directory->parent == parent && text_equal(own, name))
			return directory;
	}
	return NULL;
}

static void note_name(
	struct watcher *watcher, struct watched_directory *directory, struct text name)
{
	struct watched_directory *child = find_child(watcher, directory, name);

	if (child)
		drop(watcher, child);
	tell_name(watcher, hash_in(watcher, directory, name));
}

/* One that shares the number and has not been told yet.  Telling one may free the others. */
static struct watched_directory *find_untold(struct watcher *watcher, int wd)
{
	list_for_each (node, buckets_at(&watcher->by_wd, (uint64_t)wd)) {
		struct watched_directory *directory = directory_by_wd(node);

		if (directory->wd == wd && directory->changed_at != watcher->now)
			return directory;
	}
	return NULL;
}

static void handle_event(struct watcher *watcher, const struct inotify_event *event)
{
	struct text name = { event->name, event->len > 0 ? strlen(event->name) : 0 };
	struct watched_directory *directory;

	watcher->now++;
	if (event->mask & IN_Q_OVERFLOW) {
		log_warning("inotify lost events: everything is looked at again");
		drop_everything(watcher);
		return;
	}
	while ((directory = find_untold(watcher, event->wd))) {
		directory->changed_at = watcher->now;
		if (event->mask & MASK_OF_END)
			drop_or_blind(watcher, directory);
		else if (name.length > 0)
			note_name(watcher, directory, name);
		else
			drop_beneath(watcher, directory);
	}
}

static void handle_events(struct watcher *watcher, const char *bytes, size_t length)
{
	for (size_t offset = 0; offset < length;) {
		const struct inotify_event *event = (const void *)(bytes + offset);

		handle_event(watcher, event);
		offset += sizeof(*event) + event->len;
	}
}

static void read_events(struct watcher *watcher)
{
	_Alignas(struct inotify_event) char bytes[EVENTS_SIZE];

	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t length = read(watcher->fd, bytes, sizeof(bytes));

		if (length <= 0)
			return;
		handle_events(watcher, bytes, (size_t)length);
	}
}

static void polled(struct proactor *proactor, struct op *op)
{
	struct watcher *watcher = container_of(op, struct watcher, op);

	if (watcher->closing || op->result < 0)
		return;
	read_events(watcher);
	proactor_poll(proactor, op, watcher->fd, POLLIN);
}

/* --- watching ----------------------------------------------------------------------------- */

/* Those whose every change passes through this kernel, and is told by it, under the one name that a
 * file has there (FAT has several, by the case of their letters). */
static bool tells_events(const char *path)
{
	static const uint32_t kinds[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
		TMPFS_MAGIC, RAMFS_MAGIC, OVERLAYFS_SUPER_MAGIC, F2FS_SUPER_MAGIC,
		ISOFS_SUPER_MAGIC, SQUASHFS_MAGIC, EROFS_SUPER_MAGIC_V1, 0x2fc12fc1 /* ZFS */,
		0xca451a4e /* bcachefs */ };
	struct statfs found;

	if (statfs(path, &found) < 0)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if ((uint32_t)found.f_type == kinds[i])
			return true;
	}
	return false;
}

static void note_shortage(struct watcher *watcher, int error)
{
	metrics_add(METRIC_CACHE_WATCH_FAILURES, 1);
	if (watcher->shortage_is_logged)
		return;
	watcher->shortage_is_logged = true;
	log_warning("no more directories can be watched: %s; files in others are looked at again "
		    "every second (cache.entries, fs.inotify.max_user_watches)",
		strerror(-error));
}

/* What was made for nobody ends again. */
static void end_stray_watch(struct watcher *watcher, int wd)
{
	if (!find_wd(watcher, wd))
		inotify_rm_watch(watcher->fd, wd);
}

/* The number, or a negative errno. */
static int add_watch(struct watcher *watcher, const char *path)
{
	int wd = inotify_add_watch(watcher->fd, path, MASK);
	int error = errno;

	if (wd < 0 && (error == ENOSPC || error == ENOMEM))
		note_shortage(watcher, -error);
	if (wd < 0)
		return -error;
	if (tells_events(path))
		return wd;
	end_stray_watch(watcher, wd);
	return -EOPNOTSUPP;
}

static struct watched_directory *directory_new(
	struct watcher *watcher, int wd, struct watched_directory *parent, struct text name)
{
	struct watched_directory *directory = malloc(sizeof(*directory) + name.length);

	if (!directory)
		return NULL;
	*directory = (struct watched_directory){ .parent = parent, .wd = wd, .root_fd = -1 };
	directory->watched_at = directory->changed_at = ++watcher->now;
	directory->name_length = name.length;
	if (name.length > 0)
		memcpy(directory->name, name.bytes, name.length);
	list_init(&directory->children);
	list_init(&directory->dependents);
	list_node_init(&directory->by_name);
	list_node_init(&directory->idle);
	list_append(buckets_at(&watcher->by_wd, (uint64_t)wd), &directory->by_wd);
	list_append(parent ? &parent->children : &watcher->roots, &directory->sibling);
	return directory;
}

static struct watched_directory *find_idle(
	struct watcher *watcher, const struct watched_directory *except)
{
	list_for_each (node, &watcher->idle) {
		struct watched_directory *directory =
			container_of(node, struct watched_directory, idle);

		if (directory != except)
			return directory;
	}
	return NULL;
}

/* For a child of `parent`, whose own room is not what is wanted. */
static bool make_room(struct watcher *watcher, const struct watched_directory *parent)
{
	while (watcher->directory_count >= watcher->directory_count_max) {
		struct watched_directory *directory = find_idle(watcher, parent);

		if (!directory)
			return false;
		free_directory(watcher, directory);
	}
	return true;
}

/* 0 or a negative errno. */
static int add_child(struct watcher *watcher, struct watched_directory **child,
	struct watched_directory *parent, const char *path, struct text name)
{
	int wd = add_watch(watcher, path);
	struct watched_directory *directory;

	if (wd < 0)
		return wd;
	if (!make_room(watcher, parent)) {
		end_stray_watch(watcher, wd);
		note_shortage(watcher, -ENOSPC);
		return -ENOSPC;
	}
	directory = directory_new(watcher, wd, parent, name);
	if (!directory) {
		end_stray_watch(watcher, wd);
		return -ENOMEM;
	}
	list_remove(&parent->idle);
	directory->hash = hash_in(watcher, parent, name);
	list_append(buckets_at(&watcher->by_name, directory->hash), &directory->by_name);
	watcher->directory_count++;
	note_idle(watcher, directory);
	*child = directory;
	return 0;
}

struct watch_reach watch_reach(
	struct watcher *watcher, struct watched_directory *root, struct text path)
{
	struct watch_reach reach = { .directory = root, .rest = path };
	char memory[PATH_SIZE];
	size_t slash;

	if (root->wd < 0)
		return (struct watch_reach){ .rest = path, .error = -ESTALE };
	while ((slash = text_find(reach.rest, '/')) < reach.rest.length) {
		struct text name = text_first(reach.rest, slash);
		struct watched_directory *child = find_child(watcher, reach.directory, name);

		if (!child) {
			snprintf(memory, sizeof(memory), "/proc/self/fd/%d/%.*s", root->root_fd,
				(int)(path.length - reach.rest.length + slash), path.bytes);
			reach.error = add_child(watcher, &child, reach.directory, memory, name);
		}
		if (reach.error < 0)
			return reach;
		reach.directory = child;
		reach.rest = text_from(reach.rest, slash + 1);
	}
	return reach;
}

bool watch_is_quiet(const struct watched_directory *directory, uint64_t since)
{
	for (; directory; directory = directory->parent) {
		if (directory->watched_at > since || directory->changed_at > since)
			return false;
	}
	return true;
}

uint64_t watcher_now(const struct watcher *watcher)
{
	return watcher->now;
}

/* --- roots -------------------------------------------------------------------------------- */

struct watched_directory *watcher_add_root(struct watcher *watcher, int fd)
{
	const struct text no_name = { NULL, 0 };
	struct watched_directory *root;
	char path[64];
	int wd;

	/* Behind the link that stands for the descriptor, hence the dot. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/.", fd);
	wd = add_watch(watcher, path);
	if (wd < 0)
		return NULL;
	root = directory_new(watcher, wd, NULL, no_name);
	if (root)
		root->root_fd = fd;
	else
		end_stray_watch(watcher, wd);
	return root;
}

void watcher_remove_root(struct watcher *watcher, struct watched_directory *root)
{
	assert(!root->parent);
	drop(watcher, root);
}

/* --- opening and closing ------------------------------------------------------------------ */

static int open_tables(struct watcher *watcher)
{
	int r = buckets_open(&watcher->by_wd, watcher->directory_count_max);

	if (r == 0)
		r = buckets_open(&watcher->by_name, watcher->directory_count_max);
	if (r == 0)
		r = buckets_open(&watcher->dependents, watcher->directory_count_max);
	return r;
}

static void watcher_free(struct watcher *watcher)
{
	buckets_close(&watcher->by_wd);
	buckets_close(&watcher->by_name);
	buckets_close(&watcher->dependents);
	free(watcher);
}

int watcher_open(struct watcher **result, struct proactor *proactor, size_t directory_count_max)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));
	int r;

	if (!watcher)
		return -ENOMEM;
	watcher->proactor = proactor;
	watcher->directory_count_max = directory_count_max;
	watcher->seed = hash_seed();
	list_init(&watcher->roots);
	list_init(&watcher->idle);
	r = open_tables(watcher);
	if (r == 0) {
		watcher->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		r = watcher->fd < 0 ? -errno : 0;
	}
	if (r < 0) {
		watcher_free(watcher);
		return r;
	}
	op_init(&watcher->op, polled);
	proactor_poll(proactor, &watcher->op, watcher->fd, POLLIN);
	*result = watcher;
	return 0;
}

static void watcher_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	(void)op;
}

void watcher_close(struct watcher *watcher)
{
	int r;

	assert(list_is_empty(&watcher->roots));
	watcher->closing = true;
	proactor_cancel(watcher->proactor, &watcher->op);
	r = proactor_await(watcher->proactor, &watcher->op);
	if (r >= 0) {
		op_init(&watcher->op, watcher_closed);
		proactor_close(watcher->proactor, &watcher->op, watcher->fd);
		r = proactor_await(watcher->proactor, &watcher->op);
	}
	if (r < 0)
		(void)fail(r, "cannot close inotify's descriptor"); /* the op still names it */
	else
		watcher_free(watcher);
}
