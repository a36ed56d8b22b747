/* The simulated file system: a tree of inodes, walked as openat2(2) walks it.
 *
 * A directory owns its entries; an inode lives while an entry names it or a descriptor has it
 * open.  The contents of a file are a memfd, which makes sparse files of any length cheap; all
 * else (names, modes, times) is here, so that nothing depends on the machine.  Permissions are
 * checked as for the owner, even when the test runs as root.  What fsync is worth is
 * simulated_power.c's. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "simulated/private.h"

#define SYMLINK_COUNT_MAX 40

/* --- inodes and entries ------------------------------------------------------------------- */

static void touch(struct simulated *simulated, struct inode *inode)
{
	inode->modified_ns = simulated->proactor.backend->wall_ns(&simulated->proactor);
}

struct inode *inode_new(struct simulated *simulated, mode_t mode)
{
	struct inode *inode = allocate(sizeof(*inode));

	inode->mode = mode;
	inode->number = ++simulated->inode_count;
	inode->contents = -1;
	inode->synced_contents = -1;
	list_init(&inode->entries);
	list_init(&inode->synced_entries);
	if (S_ISREG(mode)) {
		inode->contents = memfd_create("simulated", MFD_CLOEXEC);
		assert(inode->contents >= 0);
	}
	touch(simulated, inode);
	return inode;
}

static void entry_free(struct entry *entry);

void inode_release(struct inode *inode)
{
	struct list_node *node;

	if (--inode->use_count > 0)
		return;
	while ((node = list_take_first(&inode->entries)))
		entry_free(container_of(node, struct entry, node));
	if (inode->contents >= 0)
		close(inode->contents);
	inode_forget_synced(inode);
	free(inode->target);
	free(inode);
}

/* A directory that nothing names any more, but a descriptor still has open, is its own parent. */
static void entry_free(struct entry *entry)
{
	entry->inode->parent = entry->inode;
	inode_release(entry->inode);
	free(entry);
}

static struct entry *find_entry(const struct inode *directory, const char *name)
{
	list_for_each (node, &directory->entries) {
		struct entry *entry = container_of(node, struct entry, node);

		if (strcmp(entry->name, name) == 0)
			return entry;
	}
	return NULL;
}

static void remove_entry(struct inode *directory, const char *name)
{
	struct entry *entry = find_entry(directory, name);

	list_remove(&entry->node);
	entry_free(entry);
}

void add_entry(
	struct simulated *simulated, struct inode *directory, const char *name, struct inode *inode)
{
	struct entry *entry = allocate(sizeof(*entry));

	assert(strlen(name) <= NAME_MAX);
	memcpy(entry->name, name, strlen(name) + 1);
	entry->inode = inode;
	inode->use_count++;
	if (S_ISDIR(inode->mode))
		inode->parent = directory;
	list_append(&directory->entries, &entry->node);
	touch(simulated, directory);
}

/* --- walking a path ------------------------------------------------------------------------ */

struct walk {
	struct inode *root, *start;
	struct inode *directory; /* where the last component is looked for */
	struct inode *found;     /* what the path names; NULL: nothing (yet) */
	char name[NAME_MAX + 1]; /* the last component */
	uint64_t resolve;        /* RESOLVE_* */
	unsigned symlink_count;
	bool follow; /* also a symbolic link at the end */
};

static int walk_path(struct walk *walk, const char *path);

static int walk_symlink(struct walk *walk, const struct inode *link)
{
	if (walk->resolve & RESOLVE_NO_SYMLINKS || ++walk->symlink_count > SYMLINK_COUNT_MAX)
		return -ELOOP;
	walk->found = walk->directory;
	return walk_path(walk, link->target);
}

static int walk_up(struct walk *walk)
{
	if (walk->found == walk->start && walk->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	walk->found = walk->found->parent;
	return 0;
}

static int walk_component(struct walk *walk, const char *name, size_t length, bool last)
{
	struct entry *entry;

	if (!walk->found)
		return -ENOENT;
	if (!S_ISDIR(walk->found->mode))
		return -ENOTDIR;
	if (!(walk->found->mode & S_IXUSR))
		return -EACCES;
	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	if (length == 0 || (length == 1 && name[0] == '.'))
		return 0;
	if (length == 2 && memcmp(name, "..", 2) == 0)
		return walk_up(walk);
	walk->directory = walk->found;
	memcpy(walk->name, name, length);
	walk->name[length] = '\0';
	entry = find_entry(walk->directory, walk->name);
	walk->found = entry ? entry->inode : NULL;
	if (walk->found && S_ISLNK(walk->found->mode) && (walk->follow || !last))
		return walk_symlink(walk, walk->found);
	return 0;
}

/* A path that ends in a slash has an empty last component, which demands a directory. */
static int walk_path(struct walk *walk, const char *path)
{
	const char *end;
	int r;

	if (*path == '\0')
		return -ENOENT;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (*path == '/') {
		if (walk->resolve & RESOLVE_BENEATH)
			return -EXDEV;
		walk->found = walk->root;
		path++;
	}
	do {
		end = strchrnul(path, '/');
		r = walk_component(walk, path, (size_t)(end - path), *end == '\0');
		path = end + 1;
	} while (r == 0 && *end != '\0');
	return r;
}

/* From the directory that `fd` has open, or from the root with AT_FDCWD. */
static int walk_from(struct walk *walk, struct simulated *simulated, int fd, const char *path,
	uint64_t resolve, bool follow)
{
	struct descriptor *descriptor = descriptor_find_kind(simulated, fd, DESCRIPTOR_FILE);

	if (!descriptor && fd != AT_FDCWD)
		return -EBADF;
	*walk = (struct walk){ .root = simulated->root, .resolve = resolve, .follow = follow };
	walk->start = descriptor ? descriptor->file.inode : simulated->root;
	walk->found = walk->directory = walk->start;
	return walk_path(walk, path);
}

/* --- open and close ------------------------------------------------------------------------ */

static int wrap_inode(struct simulated *simulated, struct inode *inode, int flags)
{
	int fd = descriptor_open(simulated, DESCRIPTOR_FILE);
	struct descriptor *descriptor = descriptor_find(simulated, fd);

	if (fd < 0)
		return fd;
	descriptor->file.inode = inode;
	descriptor->file.flags = flags;
	inode->use_count++;
	return fd;
}

void file_close(struct simulated *simulated, struct descriptor *descriptor)
{
	(void)simulated;
	inode_release(descriptor->file.inode);
}

static bool is_writing(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

/* Whether an existing inode may be opened so: 0 or a negative errno. */
static int check_open(const struct inode *inode, int flags)
{
	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (S_ISLNK(inode->mode))
		return -ELOOP;
	if (flags & O_DIRECTORY && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (flags & O_PATH)
		return 0;
	if (S_ISDIR(inode->mode) && (is_writing(flags) || flags & O_CREAT))
		return -EISDIR;
	if (S_ISSOCK(inode->mode))
		return -ENXIO;
	if ((flags & O_ACCMODE) != O_WRONLY && !(inode->mode & S_IRUSR))
		return -EACCES;
	if (is_writing(flags) && !(inode->mode & S_IWUSR))
		return -EACCES;
	return 0;
}

static int create_file(
	struct simulated *simulated, const struct walk *walk, const struct open_how *how)
{
	struct inode *inode;

	if (!(how->flags & O_CREAT))
		return -ENOENT;
	if (!(walk->directory->mode & S_IWUSR))
		return -EACCES;
	inode = inode_new(simulated, S_IFREG | ((mode_t)how->mode & 07777));
	add_entry(simulated, walk->directory, walk->name, inode);
	return wrap_inode(simulated, inode, (int)how->flags);
}

static int open_file(struct simulated *simulated, const struct op *op)
{
	const struct open_how *how = &op->open.how;
	int flags = (int)how->flags, r;
	struct walk walk;

	r = walk_from(&walk, simulated, op->fd, op->open.path, how->resolve,
		!(flags & O_NOFOLLOW) && !(flags & O_EXCL));
	if (r < 0)
		return r;
	if (!walk.found)
		return create_file(simulated, &walk, how);
	r = check_open(walk.found, flags);
	if (r < 0)
		return r;
	if (flags & O_TRUNC && S_ISREG(walk.found->mode)) {
		if (ftruncate(walk.found->contents, 0) < 0)
			return -errno;
		touch(simulated, walk.found);
	}
	return wrap_inode(simulated, walk.found, flags);
}

bool step_open(struct simulated *simulated, struct op *op)
{
	return simulated_end(simulated, op, open_file(simulated, op));
}

/* --- read, write, stat --------------------------------------------------------------------- */

static uint64_t length_of(const struct inode *inode)
{
	struct stat status;

	if (inode->contents < 0 || fstat(inode->contents, &status) < 0)
		return 0;
	return (uint64_t)status.st_size;
}

bool step_stat(struct simulated *simulated, struct op *op)
{
	struct descriptor *descriptor = descriptor_find_kind(simulated, op->fd, DESCRIPTOR_FILE);
	struct stat *stat = op->stat.stat;
	struct inode *inode;

	if (!descriptor)
		return simulated_end(simulated, op, -EBADF);
	inode = descriptor->file.inode;
	op->stat.is_local = true;
	*stat = (struct stat){
		.st_dev = 1,
		.st_ino = inode->number,
		.st_mode = inode->mode,
		.st_nlink = 1,
		.st_size = (off_t)length_of(inode),
		.st_blksize = 4096,
		.st_blocks = (blkcnt_t)((length_of(inode) + 511) / 512),
		.st_mtim.tv_sec = inode->modified_ns / 1000000000,
		.st_mtim.tv_nsec = inode->modified_ns % 1000000000,
	};
	return simulated_end(simulated, op, 0);
}

/* The file open for reading (or writing), or a negative errno. */
static int file_of(struct inode **inode, struct simulated *simulated, int fd, bool writing)
{
	struct descriptor *descriptor = descriptor_find_kind(simulated, fd, DESCRIPTOR_FILE);

	if (!descriptor || descriptor->file.flags & O_PATH)
		return -EBADF;
	if (writing ? !is_writing(descriptor->file.flags)
		    : (descriptor->file.flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if (S_ISDIR(descriptor->file.inode->mode))
		return -EISDIR;
	if (!S_ISREG(descriptor->file.inode->mode))
		return -ESPIPE;
	*inode = descriptor->file.inode;
	return 0;
}

int64_t file_read(struct simulated *simulated, int fd, void *bytes, size_t length, uint64_t offset)
{
	struct inode *inode;
	ssize_t count;
	int r = file_of(&inode, simulated, fd, false);

	if (r < 0)
		return r;
	count = pread(inode->contents, bytes, length, (off_t)offset);
	return count < 0 ? -errno : count;
}

bool step_read(struct simulated *simulated, struct op *op)
{
	size_t length = op->read.length;

	if (!op_take_memory(&simulated->proactor, op))
		return true;
	if (length > 0)
		length = simulated_piece(simulated, length);
	return simulated_end(simulated, op,
		file_read(simulated, op->fd, op->read.bytes, length, op->read.offset));
}

static uint64_t offset_of_write(const struct op *op, const struct descriptor *descriptor)
{
	if (descriptor->file.flags & O_APPEND)
		return length_of(descriptor->file.inode);
	if (op->write.offset == OP_APPEND)
		return descriptor->file.position;
	return op->write.offset + op->moved;
}

bool step_write(struct simulated *simulated, struct op *op)
{
	const char *bytes = op->write.bytes;
	struct descriptor *descriptor;
	size_t remaining = op->write.length - op->moved;
	struct inode *inode;
	ssize_t count;
	int r = file_of(&inode, simulated, op->fd, true);

	if (r < 0 || remaining == 0)
		return simulated_end(simulated, op, r);
	descriptor = descriptor_find(simulated, op->fd);
	count = pwrite(inode->contents, bytes + op->moved, simulated_piece(simulated, remaining),
		(off_t)offset_of_write(op, descriptor));
	if (count < 0)
		return simulated_end(simulated, op, -errno);
	touch(simulated, inode);
	op->moved += (uint64_t)count;
	descriptor->file.position += op->write.offset == OP_APPEND ? (uint64_t)count : 0;
	if (op->moved < op->write.length)
		return true;
	return simulated_end(simulated, op, (int64_t)op->moved);
}

bool step_fsync(struct simulated *simulated, struct op *op)
{
	struct descriptor *descriptor = descriptor_find_kind(simulated, op->fd, DESCRIPTOR_FILE);

	if (!descriptor)
		return simulated_end(simulated, op, -EBADF);
	inode_sync(descriptor->file.inode);
	return simulated_end(simulated, op, 0);
}

/* --- names ---------------------------------------------------------------------------------- */

static bool is_beneath(const struct inode *inode, const struct inode *directory)
{
	while (inode != directory && inode->parent != inode)
		inode = inode->parent;
	return inode == directory;
}

/* Whether `inode` may take the place of `replaced`. */
static int check_replace(const struct inode *inode, const struct inode *replaced)
{
	if (S_ISDIR(replaced->mode) && !S_ISDIR(inode->mode))
		return -EISDIR;
	if (S_ISDIR(inode->mode) && !S_ISDIR(replaced->mode))
		return -ENOTDIR;
	return list_is_empty(&replaced->entries) ? 0 : -ENOTEMPTY;
}

static int rename_entry(struct simulated *simulated, const struct op *op)
{
	struct walk from, to;
	struct inode *inode;
	int r = walk_from(&from, simulated, op->fd, op->rename.from, 0, false);

	if (r == 0)
		r = walk_from(&to, simulated, op->fd, op->rename.to, 0, false);
	if (r < 0)
		return r;
	inode = from.found;
	if (!inode)
		return -ENOENT;
	if (to.found && op->rename.flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (inode == to.found)
		return 0;
	if (S_ISDIR(inode->mode) && is_beneath(to.directory, inode))
		return -EINVAL;
	if (to.found) {
		r = check_replace(inode, to.found);
		if (r < 0)
			return r;
		remove_entry(to.directory, to.name);
	}
	inode->use_count++;
	remove_entry(from.directory, from.name);
	add_entry(simulated, to.directory, to.name, inode);
	inode->use_count--;
	touch(simulated, from.directory);
	return 0;
}

bool step_rename(struct simulated *simulated, struct op *op)
{
	return simulated_end(simulated, op, rename_entry(simulated, op));
}

static int unlink_entry(struct simulated *simulated, const struct op *op)
{
	struct walk walk;
	int r = walk_from(&walk, simulated, op->fd, op->unlink.path, 0, false);

	if (r < 0)
		return r;
	if (!walk.found)
		return -ENOENT;
	if (S_ISDIR(walk.found->mode) && !(op->unlink.flags & AT_REMOVEDIR))
		return -EISDIR;
	if (!S_ISDIR(walk.found->mode) && op->unlink.flags & AT_REMOVEDIR)
		return -ENOTDIR;
	if (!list_is_empty(&walk.found->entries))
		return -ENOTEMPTY;
	remove_entry(walk.directory, walk.name);
	touch(simulated, walk.directory);
	return 0;
}

bool step_unlink(struct simulated *simulated, struct op *op)
{
	return simulated_end(simulated, op, unlink_entry(simulated, op));
}

/* --- what tests make ------------------------------------------------------------------------ */

int simulated_open_root(struct proactor *proactor)
{
	struct simulated *simulated = simulated_of(proactor);

	return wrap_inode(simulated, simulated->root, O_RDONLY | O_DIRECTORY);
}

/* The inode that a path names; a test that errs here ends. */
static struct inode *inode_at(struct simulated *simulated, const char *path)
{
	struct walk walk;
	int r = walk_from(&walk, simulated, AT_FDCWD, path, 0, false);

	assert(r == 0);
	assert(walk.found);
	return walk.found;
}

/* Makes the directories on the way to `path`, and replaces what it names. */
static void place(struct simulated *simulated, const char *path, struct inode *inode)
{
	struct inode *directory = simulated->root;
	char name[NAME_MAX + 1];
	const char *end;

	for (; *(end = strchrnul(path, '/')) == '/'; path = end + 1) {
		struct entry *entry;

		assert(end - path <= NAME_MAX);
		*(char *)mempcpy(name, path, (size_t)(end - path)) = '\0';
		if (!find_entry(directory, name))
			add_entry(simulated, directory, name, inode_new(simulated, S_IFDIR | 0755));
		entry = find_entry(directory, name);
		assert(S_ISDIR(entry->inode->mode));
		directory = entry->inode;
	}
	if (find_entry(directory, path))
		remove_entry(directory, path);
	add_entry(simulated, directory, path, inode);
}

void simulated_make_directory(struct proactor *proactor, const char *path)
{
	struct simulated *simulated = simulated_of(proactor);

	place(simulated, path, inode_new(simulated, S_IFDIR | 0755));
}

void simulated_make_file(struct proactor *proactor, const char *path, struct text contents)
{
	struct simulated *simulated = simulated_of(proactor);

	place(simulated, path, inode_new(simulated, S_IFREG | 0644));
	simulated_write_file(proactor, path, 0, contents);
}

void simulated_make_symlink(struct proactor *proactor, const char *path, const char *target)
{
	struct simulated *simulated = simulated_of(proactor);
	struct inode *inode = inode_new(simulated, S_IFLNK | 0777);

	inode->target = strdup(target);
	place(simulated, path, inode);
}

void simulated_make_special(struct proactor *proactor, const char *path, mode_t type)
{
	struct simulated *simulated = simulated_of(proactor);

	assert(!S_ISREG(type) && !S_ISDIR(type) && !S_ISLNK(type));
	place(simulated, path, inode_new(simulated, type | 0644));
}

static struct inode *store(
	struct proactor *proactor, const char *path, uint64_t offset, struct text bytes)
{
	struct inode *inode = inode_at(simulated_of(proactor), path);
	ssize_t count = pwrite(inode->contents, bytes.bytes, bytes.length, (off_t)offset);

	if (count != (ssize_t)bytes.length)
		abort();
	return inode;
}

void simulated_write_file(
	struct proactor *proactor, const char *path, uint64_t offset, struct text bytes)
{
	touch(simulated_of(proactor), store(proactor, path, offset, bytes));
}

void simulated_store_mapped(struct proactor *proactor, const char *path, struct text bytes)
{
	store(proactor, path, 0, bytes);
}

void simulated_truncate(struct proactor *proactor, const char *path, uint64_t length)
{
	struct inode *inode = inode_at(simulated_of(proactor), path);

	if (ftruncate(inode->contents, (off_t)length) < 0)
		abort();
	touch(simulated_of(proactor), inode);
}

void simulated_set_mode(struct proactor *proactor, const char *path, mode_t permissions)
{
	struct inode *inode = inode_at(simulated_of(proactor), path);

	inode->mode = (inode->mode & S_IFMT) | (permissions & 07777);
}

void simulated_remove(struct proactor *proactor, const char *path)
{
	struct walk walk;
	int r = walk_from(&walk, simulated_of(proactor), AT_FDCWD, path, 0, false);

	assert(r == 0);
	assert(walk.found);
	remove_entry(walk.directory, walk.name);
}

struct text simulated_read_file(struct proactor *proactor, const char *path)
{
	struct walk walk;
	int r = walk_from(&walk, simulated_of(proactor), AT_FDCWD, path, 0, true);
	size_t length;
	char *bytes;

	if (r < 0 || !walk.found || !S_ISREG(walk.found->mode))
		return (struct text){ NULL, 0 };
	length = length_of(walk.found);
	bytes = allocate(length + 1);
	if (pread(walk.found->contents, bytes, length, 0) != (ssize_t)length)
		abort();
	return (struct text){ bytes, length };
}

void files_init(struct simulated *simulated)
{
	simulated->root = inode_new(simulated, S_IFDIR | 0755);
	simulated->root->parent = simulated->root;
	simulated->root->use_count = 1;
}

void files_free(struct simulated *simulated)
{
	inode_release(simulated->root);
}
