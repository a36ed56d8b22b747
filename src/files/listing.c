/* Reading a directory: openat(2) of the directory itself, readdir(3), and an fstatat(2) for each
 * entry.  A large directory costs at most LISTING_COUNT_MAX names; the heap gets them back when the
 * listing has been sent. */
#include "files/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/byte.h"

static int compare(const void *a, const void *b)
{
	const struct listing_entry *first = a, *second = b;
	bool first_is_directory = first->kind == LISTING_DIRECTORY;
	bool second_is_directory = second->kind == LISTING_DIRECTORY;

	if (first_is_directory != second_is_directory)
		return first_is_directory ? -1 : 1;
	return strcmp(first->name, second->name);
}

static bool is_shown(const struct listing *listing, const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (const char *byte = name; *byte != '\0'; byte++) {
		if (byte_is_control(*byte))
			return false;
	}
	return name[0] != '.' || listing->dot_files;
}

static bool describe(struct listing_entry *entry, const struct stat *stat)
{
	entry->length = (uint64_t)stat->st_size;
	entry->modified = stat->st_mtim.tv_sec;
	if (S_ISDIR(stat->st_mode))
		entry->kind = LISTING_DIRECTORY;
	else if (S_ISREG(stat->st_mode))
		entry->kind = LISTING_FILE;
	else
		entry->kind = LISTING_LINK;
	return S_ISDIR(stat->st_mode) || S_ISREG(stat->st_mode) || S_ISLNK(stat->st_mode);
}

/* What vanishes meanwhile was never there. */
static int add_entry(struct listing *listing, int fd, const char *name)
{
	struct listing_entry *entry = &listing->entries[listing->count];
	struct stat stat;

	if (!is_shown(listing, name) || fstatat(fd, name, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
		!describe(entry, &stat))
		return 0;
	entry->name = strdup(name);
	if (!entry->name)
		return -ENOMEM;
	listing->count++;
	return 0;
}

static int grow(struct listing *listing, size_t *size)
{
	size_t larger = *size > 0 ? 2 * *size : 64;
	struct listing_entry *entries =
		reallocarray(listing->entries, larger, sizeof(*listing->entries));

	if (!entries)
		return -ENOMEM;
	listing->entries = entries;
	*size = larger;
	return 0;
}

static int read_entries(struct listing *listing, DIR *directory)
{
	const struct dirent *found;
	size_t size = 0;
	int r = 0;

	while (r == 0 && (found = readdir(directory))) {
		if (listing->count == LISTING_COUNT_MAX) {
			listing->is_cut = true;
			break;
		}
		if (listing->count == size)
			r = grow(listing, &size);
		if (r == 0)
			r = add_entry(listing, dirfd(directory), found->d_name);
	}
	return r;
}

int listing_read(struct listing *listing)
{
	int fd = openat(listing->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory;
	int r;

	if (fd < 0)
		return -errno;
	directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return -ENOMEM;
	}
	r = read_entries(listing, directory);
	closedir(directory);
	if (r == 0 && listing->count > 0)
		qsort(listing->entries, listing->count, sizeof(*listing->entries), compare);
	return r;
}

void listing_reset(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->entries[i].name);
	free(listing->entries);
	listing->entries = NULL;
	listing->count = 0;
}
