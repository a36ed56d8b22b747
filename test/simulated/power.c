/* Loss of power: what of the simulated files is found again.
 *
 * Fsync of a file makes its contents safe, fsync of a directory the names in it; neither does the
 * other's work, as POSIX has it.  So each inode keeps what its last fsync found: of a file a copy,
 * of a directory its entries, which keep the inodes they name alive.  A machine that starts anew is
 * another proactor with copies of all that survived.  A file whose name survived and which was
 * never synced is found empty: the surprise for which one syncs before one renames. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "simulated/private.h"

/* --- syncing ------------------------------------------------------------------------------- */

/* `to` becomes the same bytes. */
static void copy_contents(int to, int from)
{
	char bytes[4096];
	off_t offset = 0;
	ssize_t count;

	if (ftruncate(to, 0) < 0)
		abort();
	while ((count = pread(from, bytes, sizeof(bytes), offset)) > 0) {
		if (pwrite(to, bytes, (size_t)count, offset) != count)
			abort();
		offset += count;
	}
	assert(count == 0);
}

static void forget_entries(struct inode *inode)
{
	struct list_node *node;

	while ((node = list_take_first(&inode->synced_entries))) {
		struct entry *entry = container_of(node, struct entry, node);

		inode_release(entry->inode);
		free(entry);
	}
}

static void keep_entries(struct inode *inode)
{
	forget_entries(inode);
	list_for_each (node, &inode->entries) {
		struct entry *kept = allocate(sizeof(*kept));

		*kept = *container_of(node, struct entry, node);
		kept->inode->use_count++;
		list_append(&inode->synced_entries, &kept->node);
	}
}

void inode_sync(struct inode *inode)
{
	if (S_ISREG(inode->mode)) {
		if (inode->synced_contents < 0)
			inode->synced_contents = memfd_create("synced", MFD_CLOEXEC);
		copy_contents(inode->synced_contents, inode->contents);
	}
	keep_entries(inode);
}

void inode_forget_synced(struct inode *inode)
{
	if (inode->synced_contents >= 0)
		close(inode->synced_contents);
	forget_entries(inode);
}

static void sync_tree(struct inode *inode)
{
	inode_sync(inode);
	list_for_each (node, &inode->entries)
		sync_tree(container_of(node, struct entry, node)->inode);
}

void simulated_sync(struct proactor *proactor)
{
	sync_tree(simulated_of(proactor)->root);
}

/* --- starting anew ------------------------------------------------------------------------- */

static struct inode *copy_inode(
	struct simulated *simulated, const struct inode *lost, unsigned survivors)
{
	struct inode *inode = inode_new(simulated, lost->mode);
	bool all = survivors & SIMULATED_UNSYNCED_CONTENTS;
	int contents = all ? lost->contents : lost->synced_contents;

	inode->modified_ns = lost->modified_ns;
	if (contents >= 0)
		copy_contents(inode->contents, contents);
	if (lost->target)
		inode->target = strdup(lost->target);
	return inode;
}

/* What the lost directory held, for the new and still empty one. */
static void copy_entries(struct simulated *simulated, struct inode *directory,
	const struct inode *lost, unsigned survivors)
{
	bool all = survivors & SIMULATED_UNSYNCED_NAMES;

	list_for_each (node, all ? &lost->entries : &lost->synced_entries) {
		const struct entry *entry = container_of(node, struct entry, node);
		struct inode *inode = copy_inode(simulated, entry->inode, survivors);

		add_entry(simulated, directory, entry->name, inode);
		copy_entries(simulated, inode, entry->inode, survivors);
	}
}

int simulated_open_after_loss(struct proactor **proactor, const struct simulated_options *options,
	const struct proactor *lost, unsigned survivors)
{
	int r = simulated_open(proactor, options);

	if (r < 0)
		return r;
	copy_entries(simulated_of(*proactor), simulated_of(*proactor)->root,
		simulated_of(lost)->root, survivors);
	simulated_sync(*proactor);
	return 0;
}
