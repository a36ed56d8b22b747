/* Directories watched by inotify(7), and what happened on the way to a path.
 *
 * Each event has a number.  A directory is watched together with every directory between it and
 * its root, and the watcher remembers, for each name in them, the number of the last event.  A
 * path is quiet since a moment if no name on the way to it had an event after that moment; what
 * was found there then is still true.
 *
 * inotify does not see all changes, so watch_reach() does not reach directories behind symbolic
 * links, directories that may not be read, and file systems that others write to without this
 * kernel's knowledge. */
#ifndef RINGLET_FILES_WATCH_H
#define RINGLET_FILES_WATCH_H

#include "proactor/proactor.h"

struct watcher;
struct watched_directory;

/* At most `directory_count_max` directories, not counting roots.  0, or the negative errno of
 * inotify_init1(2), not logged. */
int watcher_open(struct watcher **watcher, struct proactor *proactor, size_t directory_count_max);

/* No root may be left.  Turns the loop until the descriptor is closed. */
void watcher_close(struct watcher *watcher);

/* The directory `fd` (O_PATH is enough), which stays open until the root is removed.  NULL: it
 * cannot be watched. */
struct watched_directory *watcher_add_root(struct watcher *watcher, int fd);

/* No directory beneath it may be held. */
void watcher_remove_root(struct watcher *watcher, struct watched_directory *root);

/* Whether something was mounted or unmounted is not told by an event: this looks, by one system
 * call.  If so, no path is quiet. */
void watcher_look_at_mounts(struct watcher *watcher);

/* The number of the last event. */
uint64_t watcher_now(const struct watcher *watcher);

/* A path to be watched. */
struct watch_path {
	struct watched_directory *root;
	struct text path;         /* relative, without empty or dot segments */
	const char *const *names; /* in the directory `path`, if it is empty or ends with "/" */
	size_t name_count;
};

/* Whether no event after the event `since` concerns a name on the way, or one of the names.  True
 * means nothing for directories that watch_reach() does not reach. */
bool watch_is_quiet(const struct watcher *watcher, const struct watch_path *path, uint64_t since);

/* How far a path is watched. */
struct watch_reach {
	struct watched_directory *directory; /* the deepest on the way; NULL: not even the root */
	uint64_t since;                      /* watched without a gap from this event on */
	int error; /* 0: all directories; -ENOENT: a directory on the way does not exist; or
		      another negative errno */
};

/* Watches the directories on the way that are not watched yet, by system calls: for a path that
 * has just been looked up. */
struct watch_reach watch_reach(struct watcher *watcher, const struct watch_path *path);

/* The mount that the directory is on, to compare with watch_mount_of() a file in it; 0: unknown. */
uint64_t watch_mount(const struct watched_directory *directory);
uint64_t watch_mount_of(int fd);

/* A directory that is held stays watched, with all directories above it. */
void watch_hold(struct watched_directory *directory);
void watch_release(struct watcher *watcher, struct watched_directory *directory);

#endif
