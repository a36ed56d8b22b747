/* Directories watched by inotify(7), and who is told when a name in one of them changes.
 *
 * A directory is watched together with all those between it and its root, so that nothing on the
 * way can be replaced unseen.  Who depends on a name (a file that is there, or one that is not) is
 * told once, from the loop, and then depends on it no more.
 *
 * What inotify cannot see, watch_reach() does not reach: directories behind symbolic links, those
 * that may not be read, file systems that others write to without this kernel's knowledge. */
#ifndef RINGLET_FILES_WATCH_H
#define RINGLET_FILES_WATCH_H

#include "proactor/proactor.h"

struct watcher;
struct watched_directory;

/* One name in one directory matters to its owner, in which it is embedded. */
struct watch_dependent {
	struct list_node by_name, in_directory; /* linked while it depends on something */
	struct watched_directory *directory;
	uint64_t name;

	/* The name, or the directory itself, may have changed. */
	void (*changed)(struct watch_dependent *dependent);
};

/* At most `directory_count_max` directories, the roots apart.  0, or the negative errno that
 * inotify refuses with, which nothing has logged. */
int watcher_open(struct watcher **watcher, struct proactor *proactor, size_t directory_count_max);

/* No root may be left.  Turns the loop until the descriptor is closed. */
void watcher_close(struct watcher *watcher);

/* What lies beneath the directory `fd` (O_PATH will do), which stays open until the root is
 * removed.  NULL: it cannot be watched. */
struct watched_directory *watcher_add_root(struct watcher *watcher, int fd);

/* Whoever depended on something beneath is told. */
void watcher_remove_root(struct watcher *watcher, struct watched_directory *root);

/* A moment, to be compared with what is seen later. */
uint64_t watcher_now(const struct watcher *watcher);

/* How far `path` is watched from its root on. */
struct watch_reach {
	struct watched_directory *directory; /* the deepest on the way; NULL: not even the root */
	struct text rest; /* of the path; begins with a name in that directory, or is empty */
	int error;        /* why not deeper: 0, the rest is one name or none; -ENOENT, there is
			     nothing of that name; or another negative errno */
};

/* Watches what is not watched yet.  `path` is relative, without empty or dot segments; this calls
 * the kernel, so that it is for a path that has just been looked up. */
struct watch_reach watch_reach(
	struct watcher *watcher, struct watched_directory *root, struct text path);

/* Have this directory and those above it been watched ever since, and has nothing happened in
 * them? */
bool watch_is_quiet(const struct watched_directory *directory, uint64_t since);

/* From now on; the dependent's `changed` is set. */
void watch_depend(struct watcher *watcher, struct watch_dependent *dependent,
	struct watched_directory *directory, struct text name);

void watch_dependent_init(
	struct watch_dependent *dependent, void (*changed)(struct watch_dependent *dependent));

/* No more; harmless when it depends on nothing. */
void watch_forget(struct watcher *watcher, struct watch_dependent *dependent);

#endif
