/* File systems that may answer late, and the descriptors of files on them.
 *
 * A disk of this machine may be slow, but what is asked of an open file (fstat(2), statfs(2), a
 * cached page) is in memory.  A file system served by a network or by a process (NFS, FUSE) may
 * keep any call waiting for seconds.  Ops on such descriptors never run in the loop's thread. */
#ifndef RINGLET_PROACTOR_FILE_SYSTEM_H
#define RINGLET_PROACTOR_FILE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether all changes to the file system of `fd` pass through this kernel and its metadata never
 * waits for anybody else.  Calls fstatfs(2), which may wait. */
bool file_system_is_local(int fd);

/* Whether both are of the same mount.  Asks the kernel only, never the file system. */
bool file_system_is_same_mount(int fd, int other);

/* A set of descriptors, one bit each.  Starts zeroed. */
struct descriptor_set {
	uint64_t *words;
	size_t word_count;
};

static inline bool descriptor_set_has(const struct descriptor_set *set, int fd)
{
	size_t word = (size_t)fd / 64;

	return fd >= 0 && word < set->word_count && (set->words[word] >> (fd % 64) & 1);
}

/* Without memory the set stays as it is. */
void descriptor_set_put(struct descriptor_set *set, int fd, bool is_member);

void descriptor_set_free(struct descriptor_set *set);

#endif
