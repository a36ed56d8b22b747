/* Is a file what it was when it was examined before? */
#ifndef RINGLET_FILES_SAME_FILE_H
#define RINGLET_FILES_SAME_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

static inline bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Nobody but the kernel sets ctime, so that a rewrite shows even if mtime is set back. */
static inline bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mode == b->st_mode && is_same_time(&a->st_mtim, &b->st_mtim) &&
	       is_same_time(&a->st_ctim, &b->st_ctim);
}

#endif
