/* Reading a directory: openat(2) of the directory itself, readdir(3), and an fstatat(2) for each
 * entry, then sorting, all of it on a thread of the pool.  The entries are one block, their names
 * another, so that a listing of 10,000 names is freed in no time.
 *
 * A listing is shared as long as the directory has the times that it had before the read; an entry
 * that is made, renamed or removed changes them.  Two changes within one tick of the file system's
 * clock leave the same times, so a directory that has just changed is read again by the requests
 * that come after the read. */
#include "files/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "files/same_file.h"
#include "http/byte.h"

#define KEPT_AGE_NS  UINT64_C(1000000000)
#define QUIET_AGE_NS INT64_C(100000000) /* well over a tick */

struct listings {
	struct proactor *proactor;
	struct list shared;
	bool dot_files;
	size_t length;     /* bytes of all listings */
	size_t user_count; /* the location, and all listings */
	size_t op_count;   /* active ops of listings */
};

/* --- reading, on a thread of the pool ------------------------------------------------------ */

static int compare(const void *a, const void *b, void *names)
{
	const struct listing_entry *first = a, *second = b;
	bool first_is_directory = first->kind == LISTING_DIRECTORY;
	bool second_is_directory = second->kind == LISTING_DIRECTORY;

	if (first_is_directory != second_is_directory)
		return first_is_directory ? -1 : 1;
	return strcmp((char *)names + first->name, (char *)names + second->name);
}

static bool is_shown(const struct listing *listing, const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (const char *byte = name; *byte != '\0'; byte++) {
		if (byte_is_control(*byte))
			return false;
	}
	return name[0] != '.' || listing->listings->dot_files;
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

/* Makes room for one more element behind `length` of them.  0 or -ENOMEM. */
static int grow(void *array, size_t *size, size_t length, size_t element_size)
{
	size_t larger = 2 * length > 64 ? 2 * length : 64;
	void **elements = array;
	void *grown;

	if (length <= *size)
		return 0;
	grown = reallocarray(*elements, larger, element_size);
	if (!grown)
		return -ENOMEM;
	*elements = grown;
	*size = larger;
	return 0;
}

/* An entry that vanishes between readdir(3) and fstatat(2) is left out. */
static int add_entry(struct listing *listing, int fd, const char *name)
{
	size_t size = strlen(name) + 1;
	struct listing_entry entry = { .name = listing->names_length };
	struct stat stat;
	int r;

	if (!is_shown(listing, name) || fstatat(fd, name, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
		!describe(&entry, &stat))
		return 0;
	r = grow(&listing->entries, &listing->entries_size, listing->count + 1, sizeof(entry));
	if (r == 0)
		r = grow(&listing->names, &listing->names_size, entry.name + size, 1);
	if (r < 0)
		return r;
	listing->entries[listing->count++] = entry;
	memcpy(listing->names + entry.name, name, size);
	listing->names_length += size;
	return 0;
}

static int read_entries(struct listing *listing, DIR *directory)
{
	const struct dirent *found;
	int r = 0;

	while (r == 0 && (found = readdir(directory))) {
		if (listing->count == LISTING_COUNT_MAX) {
			listing->is_cut = true;
			break;
		}
		r = add_entry(listing, dirfd(directory), found->d_name);
	}
	return r;
}

static int64_t read_directory(void *context)
{
	struct listing *listing = context;
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
		qsort_r(listing->entries, listing->count, sizeof(*listing->entries), compare,
			listing->names);
	return r;
}

/* --- sharing ------------------------------------------------------------------------------ */

static void listings_return(struct listings *listings)
{
	if (--listings->user_count == 0)
		free(listings);
}

static size_t length_of(const struct listing *listing)
{
	return listing->entries_size * sizeof(*listing->entries) + listing->names_size;
}

static void free_entries(struct listing *listing)
{
	listing->listings->length -= length_of(listing);
	free(listing->entries);
	free(listing->names);
	listing->entries = NULL;
	listing->names = NULL;
	listing->entries_size = listing->names_size = 0;
}

void listing_return(struct listing *listing)
{
	if (--listing->user_count > 0)
		return;
	free_entries(listing);
	listings_return(listing->listings);
	free(listing);
}

/* Later requests do not get it any more. */
static void stop_sharing(struct listing *listing)
{
	list_remove(&listing->node);
	if (listing->op.kind == OP_TIMEOUT) {
		proactor_cancel(listing->listings->proactor, &listing->op);
		if (listing->user_count == 1)
			free_entries(listing);
	}
}

static void kept_long_enough(struct proactor *proactor, struct op *op)
{
	struct listing *listing = container_of(op, struct listing, op);

	(void)proactor;
	list_remove(&listing->node);
	listing->listings->op_count--;
	listing_return(listing);
}

/* Listings that are only kept make room for one that is wanted. */
static int account(struct listing *listing)
{
	struct listings *listings = listing->listings;

	listings->length += length_of(listing);
	list_for_each_safe (node, &listings->shared) {
		struct listing *other = container_of(node, struct listing, node);

		if (listings->length <= LISTINGS_LENGTH_MAX)
			break;
		if (other != listing && other->user_count == 1 && other->op.kind == OP_TIMEOUT)
			stop_sharing(other);
	}
	return listings->length <= LISTINGS_LENGTH_MAX ? 0 : -ENOBUFS;
}

static void directory_read(struct proactor *proactor, struct op *op)
{
	struct listing *listing = container_of(op, struct listing, op);
	struct list_node *node;
	int error = account(listing);

	if (op->result < 0)
		error = (int)op->result;
	while ((node = list_take_first(&listing->waits))) {
		struct listing_wait *wait = container_of(node, struct listing_wait, node);

		if (error == 0)
			listing->user_count++;
		wait->found(wait, error == 0 ? listing : NULL, error);
	}
	op_init(&listing->op, kept_long_enough);
	proactor_timeout(proactor, &listing->op, KEPT_AGE_NS);
	if (error < 0 || !listing->was_quiet || !list_is_linked(&listing->node))
		stop_sharing(listing);
}

static bool was_quiet(const struct listings *listings, const struct stat *stat)
{
	int64_t changed_ns = stat->st_ctim.tv_sec * INT64_C(1000000000) + stat->st_ctim.tv_nsec;

	return proactor_wall_ns(listings->proactor) - changed_ns > QUIET_AGE_NS;
}

static struct listing *begin_read(struct listings *listings, const struct listing_wait *wait)
{
	struct listing *listing = malloc(sizeof(*listing));

	if (!listing)
		return NULL;
	*listing = (struct listing){ .listings = listings, .stat = wait->stat, .fd = wait->fd };
	listing->was_quiet = was_quiet(listings, &wait->stat);
	listing->user_count = 1;
	list_init(&listing->waits);
	list_append(&listings->shared, &listing->node);
	listings->user_count++;
	listings->op_count++;
	op_init(&listing->op, directory_read);
	proactor_work(listings->proactor, &listing->op, read_directory, listing);
	return listing;
}

/* One that was read before the directory changed is shared no more. */
static struct listing *find(struct listings *listings, const struct stat *stat)
{
	list_for_each_safe (node, &listings->shared) {
		struct listing *listing = container_of(node, struct listing, node);

		if (is_same_file(&listing->stat, stat))
			return listing;
		if (listing->stat.st_ino == stat->st_ino && listing->stat.st_dev == stat->st_dev)
			stop_sharing(listing);
	}
	return NULL;
}

static void directory_examined(struct proactor *proactor, struct op *op)
{
	struct listing_wait *wait = container_of(op, struct listing_wait, op);
	struct listing *listing;

	(void)proactor;
	if (op->result < 0) {
		wait->found(wait, NULL, (int)op->result);
		return;
	}
	listing = find(wait->listings, &wait->stat);
	if (!listing)
		listing = begin_read(wait->listings, wait);
	if (!listing) {
		wait->found(wait, NULL, -ENOMEM);
	} else if (listing->op.kind == OP_WORK) {
		list_append(&listing->waits, &wait->node);
	} else {
		listing->user_count++;
		wait->found(wait, listing, 0);
	}
}

void listing_await(struct listings *listings, struct listing_wait *wait)
{
	wait->listings = listings;
	op_init(&wait->op, directory_examined);
	proactor_stat(listings->proactor, &wait->op, wait->fd, &wait->stat);
}

/* --- opening and closing ------------------------------------------------------------------ */

struct listings *listings_open(struct proactor *proactor, bool dot_files)
{
	struct listings *listings = malloc(sizeof(*listings));

	if (!listings)
		return NULL;
	*listings = (struct listings){ .proactor = proactor, .dot_files = dot_files };
	listings->user_count = 1;
	list_init(&listings->shared);
	return listings;
}

void listings_close(struct listings *listings)
{
	int r = 0;

	list_for_each_safe (node, &listings->shared)
		stop_sharing(container_of(node, struct listing, node));
	while (r >= 0 && listings->op_count > 0)
		r = proactor_turn(listings->proactor, PROACTOR_WAIT_FOREVER);
	if (r < 0)
		(void)fail(r, "cannot wait for the listings of directories");
	else
		listings_return(listings);
}
