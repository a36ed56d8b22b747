/* Watched directories, by the path under which they were reached.
 *
 * A path has a hash: that of its last name, seeded with the hash of the path before it.  The number
 * of the last event of each path is kept in a table of slots, indexed by the hash.  Two paths with
 * one slot only cause a needless look.  A busy file therefore costs other files in its directory
 * nothing but a comparison per event.
 *
 * An event of a directory itself (moved, removed, its permissions changed) counts for the path of
 * the directory, hence for all paths beneath it.  Directories beneath a path that had an event are
 * stale: their paths may lead elsewhere now.  They are watched anew when one is needed.  When the
 * kernel's queue overflows, or the mount table changes, everything is stale.
 *
 * A path is watched from the top down, each step without following a link.  If a directory is
 * exchanged between two steps, the directory above it, already watched, has an event for it in the
 * queue.
 *
 * Directories that nobody holds stay watched until their room is needed, the longest unused first:
 * an entry can only rely on a directory that was watched before the lookup began. */
#include "files/watch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"

enum {
	EVENTS_SIZE = 16384, /* read at once */
	READS_MAX = 16,      /* in one turn */
	PATH_SIZE = PATH_MAX + 64,
	SLOT_COUNT = 8192,
};

#define MASK                                                                                       \
	(IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE |        \
		IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW)

struct watched_directory {
	struct watched_directory *parent; /* NULL: a root */
	struct list_node by_wd, by_path;
	struct list_node idle; /* linked while user_count is 0 */
	size_t user_count;     /* holders, and directories directly beneath */
	uint64_t hash;         /* of the path; that of a root is random */
	uint64_t watched_at;   /* the event before which it was not */
	uint64_t mount;
	int wd; /* -1: not watched any more */
	int root_fd;
};

struct watcher {
	struct proactor *proactor;
	struct op op; /* the poll, finally the close */
	int fd;
	int mounts; /* /proc/self/mountinfo, or -1 */
	bool closing;
	bool shortage_is_logged;
	uint64_t now;     /* the number of the last event, or of the last watch added */
	uint64_t lost_at; /* when everything became stale */
	size_t directory_count, directory_count_max;
	struct buckets by_wd, by_path;
	struct list idle;
	uint64_t slots[SLOT_COUNT];
};

/* --- what happened ------------------------------------------------------------------------ */

static uint64_t last_event(const struct watcher *watcher, uint64_t hash)
{
	return watcher->slots[hash % SLOT_COUNT];
}

uint64_t watcher_now(const struct watcher *watcher)
{
	return watcher->now;
}

/* The name at the beginning of `rest`, which is moved behind it and its slash. */
static struct text next_name(struct text *rest)
{
	size_t length = text_find(*rest, '/');
	struct text name = text_first(*rest, length);

	*rest = text_from(*rest, length < rest->length ? length + 1 : length);
	return name;
}

bool watch_is_quiet(const struct watcher *watcher, const struct watch_path *path, uint64_t since)
{
	uint64_t hash = path->root->hash;
	struct text rest = path->path;

	if (watcher->lost_at > since || last_event(watcher, hash) > since)
		return false;
	while (rest.length > 0) {
		hash = hash_text(hash, next_name(&rest));
		if (last_event(watcher, hash) > since)
			return false;
	}
	for (size_t i = 0; i < path->name_count; i++) {
		if (last_event(watcher, hash_text(hash, text_of(path->names[i]))) > since)
			return false;
	}
	return true;
}

/* --- events ------------------------------------------------------------------------------- */

static struct watched_directory *directory_by_wd(struct list_node *node)
{
	return container_of(node, struct watched_directory, by_wd);
}

static struct watched_directory *find_wd(struct watcher *watcher, int wd)
{
	list_for_each (node, buckets_at(&watcher->by_wd, (uint64_t)wd)) {
		if (directory_by_wd(node)->wd == wd)
			return directory_by_wd(node);
	}
	return NULL;
}

/* One directory may be reached by several paths: in two roots, or where it is mounted twice. */
static void handle_event(struct watcher *watcher, const struct inotify_event *event)
{
	struct text name = { event->name, event->len > 0 ? strlen(event->name) : 0 };

	watcher->now++;
	if (event->mask & IN_Q_OVERFLOW) {
		log_warning("inotify lost events: all cached files are looked at again");
		watcher->lost_at = watcher->now;
	}
	list_for_each_safe (node, buckets_at(&watcher->by_wd, (uint64_t)event->wd)) {
		struct watched_directory *directory = directory_by_wd(node);
		uint64_t hash = directory->hash;

		if (directory->wd != event->wd)
			continue;
		if (name.length > 0)
			hash = hash_text(hash, name);
		watcher->slots[hash % SLOT_COUNT] = watcher->now;
		if (event->mask & IN_IGNORED) {
			list_remove(&directory->by_wd);
			directory->wd = -1;
		}
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

/* The kernel raises POLLPRI, once, for an open mountinfo when the mount table changed. */
void watcher_look_at_mounts(struct watcher *watcher)
{
	struct pollfd mounts = { .fd = watcher->mounts, .events = POLLPRI };

	if (poll(&mounts, 1, 0) > 0)
		watcher->lost_at = ++watcher->now;
}

/* --- watches ------------------------------------------------------------------------------ */

/* File systems whose every change passes through this kernel, which reports it under the one name
 * that a file has there (FAT has several, by the case of their letters). */
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

static void end_watch_if_unused(struct watcher *watcher, int wd)
{
	if (wd >= 0 && !find_wd(watcher, wd))
		inotify_rm_watch(watcher->fd, wd);
}

static uint64_t mount_of(int fd, const char *path)
{
	struct statx found;

	if (statx(fd, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &found) < 0)
		return 0;
	return found.stx_mask & STATX_MNT_ID ? found.stx_mnt_id : 0;
}

uint64_t watch_mount_of(int fd)
{
	return mount_of(fd, "");
}

uint64_t watch_mount(const struct watched_directory *directory)
{
	return directory->mount;
}

/* Watches what the path leads to now.  0 or a negative errno. */
static int watch(struct watcher *watcher, struct watched_directory *directory, const char *path)
{
	int old = directory->wd;
	int wd = inotify_add_watch(watcher->fd, path, MASK);
	int error = errno;

	if (wd < 0 && (error == ENOSPC || error == ENOMEM))
		note_shortage(watcher, -error);
	if (wd < 0)
		return -error;
	if (!tells_events(path)) {
		end_watch_if_unused(watcher, wd);
		return -EOPNOTSUPP;
	}
	list_remove(&directory->by_wd);
	list_append(buckets_at(&watcher->by_wd, (uint64_t)wd), &directory->by_wd);
	directory->wd = wd;
	directory->watched_at = ++watcher->now;
	directory->mount = mount_of(AT_FDCWD, path);
	end_watch_if_unused(watcher, old);
	return 0;
}

/* --- directories -------------------------------------------------------------------------- */

void watch_hold(struct watched_directory *directory)
{
	directory->user_count++;
	list_remove(&directory->idle);
}

void watch_release(struct watcher *watcher, struct watched_directory *directory)
{
	assert(directory->user_count > 0);
	if (--directory->user_count == 0 && directory->parent)
		list_append(&watcher->idle, &directory->idle);
}

static struct watched_directory *directory_new(
	struct watched_directory *parent, uint64_t hash, int root_fd)
{
	struct watched_directory *directory = malloc(sizeof(*directory));

	if (!directory)
		return NULL;
	*directory = (struct watched_directory){ .parent = parent, .hash = hash, .wd = -1 };
	directory->root_fd = root_fd;
	list_node_init(&directory->by_wd);
	list_node_init(&directory->by_path);
	list_node_init(&directory->idle);
	if (parent)
		watch_hold(parent);
	return directory;
}

static void directory_free(struct watcher *watcher, struct watched_directory *directory)
{
	assert(directory->user_count == 0);
	list_remove(&directory->by_wd);
	list_remove(&directory->by_path);
	list_remove(&directory->idle);
	end_watch_if_unused(watcher, directory->wd);
	if (directory->parent) {
		watcher->directory_count--;
		watch_release(watcher, directory->parent);
	}
	free(directory);
}

static struct watched_directory *find_path(struct watcher *watcher, uint64_t hash)
{
	list_for_each (node, buckets_at(&watcher->by_path, hash)) {
		struct watched_directory *directory =
			container_of(node, struct watched_directory, by_path);

		if (directory->hash == hash)
			return directory;
	}
	return NULL;
}

/* A directory beneath `parent`, not watched yet.  NULL: no room. */
static struct watched_directory *add_child(
	struct watcher *watcher, struct watched_directory *parent, uint64_t hash)
{
	struct watched_directory *child = directory_new(parent, hash, parent->root_fd);

	if (!child)
		return NULL;
	while (watcher->directory_count >= watcher->directory_count_max) {
		struct list_node *longest = list_first(&watcher->idle);

		if (!longest) {
			watch_release(watcher, parent);
			free(child);
			note_shortage(watcher, -ENOSPC);
			return NULL;
		}
		directory_free(watcher, container_of(longest, struct watched_directory, idle));
	}
	watcher->directory_count++;
	list_append(buckets_at(&watcher->by_path, hash), &child->by_path);
	list_append(&watcher->idle, &child->idle);
	return child;
}

/* --- reaching ----------------------------------------------------------------------------- */

/* A walk from the root downwards. */
struct walk {
	struct watched_directory *directory; /* watched */
	uint64_t last_event;                 /* of the path up to here */
	uint64_t since;
};

/* The directory is the next of the walk; it is watched unless it is already. */
static int step(struct watcher *watcher, struct walk *walk, struct watched_directory *directory,
	struct text beneath_root)
{
	char path[PATH_SIZE];
	uint64_t event = last_event(watcher, directory->hash);
	int r = 0;

	if (event > walk->last_event)
		walk->last_event = event;
	if (directory->wd < 0 || directory->watched_at <= walk->last_event) {
		/* Behind the link that stands for the descriptor, hence the dot. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%.*s", directory->root_fd,
			(int)beneath_root.length, beneath_root.bytes);
		r = watch(watcher, directory, path);
	}
	if (r < 0)
		return r;
	if (directory->watched_at > walk->since)
		walk->since = directory->watched_at;
	walk->directory = directory;
	return 0;
}

static int step_down(
	struct watcher *watcher, struct walk *walk, struct text name, struct text beneath_root)
{
	uint64_t hash = hash_text(walk->directory->hash, name);
	struct watched_directory *child = find_path(watcher, hash);
	int r;

	if (!child)
		child = add_child(watcher, walk->directory, hash);
	if (!child)
		return -ENOSPC;
	r = step(watcher, walk, child, beneath_root);
	if (r < 0 && child->user_count == 0)
		directory_free(watcher, child);
	return r;
}

struct watch_reach watch_reach(struct watcher *watcher, const struct watch_path *path)
{
	struct walk walk = { .last_event = watcher->lost_at };
	struct text rest = path->path;
	int r = step(watcher, &walk, path->root, text_literal("."));

	while (r == 0 && text_find(rest, '/') < rest.length) {
		struct text name = next_name(&rest);
		struct text beneath_root =
			text_first(path->path, (size_t)(rest.bytes - path->path.bytes) - 1);

		r = step_down(watcher, &walk, name, beneath_root);
	}
	return (struct watch_reach){ walk.directory, walk.since, r };
}

/* --- roots -------------------------------------------------------------------------------- */

struct watched_directory *watcher_add_root(struct watcher *watcher, int fd)
{
	struct watched_directory *root = directory_new(NULL, hash_seed(), fd);
	struct walk walk = { .last_event = watcher->lost_at };

	if (!root)
		return NULL;
	if (step(watcher, &walk, root, text_literal(".")) < 0) {
		directory_free(watcher, root);
		return NULL;
	}
	return root;
}

void watcher_remove_root(struct watcher *watcher, struct watched_directory *root)
{
	assert(!root->parent);
	while (root->user_count > 0) {
		list_for_each_safe (node, &watcher->idle) {
			struct watched_directory *directory =
				container_of(node, struct watched_directory, idle);

			if (directory->root_fd == root->root_fd)
				directory_free(watcher, directory);
		}
	}
	directory_free(watcher, root);
}

/* --- opening and closing ------------------------------------------------------------------ */

static int open_tables(struct watcher *watcher)
{
	int r = buckets_open(&watcher->by_wd, watcher->directory_count_max);

	if (r == 0)
		r = buckets_open(&watcher->by_path, watcher->directory_count_max);
	return r;
}

static void watcher_free(struct watcher *watcher)
{
	buckets_close(&watcher->by_wd);
	buckets_close(&watcher->by_path);
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
	watcher->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
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

	if (watcher->mounts >= 0)
		close(watcher->mounts);
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
