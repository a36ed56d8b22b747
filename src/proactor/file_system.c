/* Local file systems are told by their magic number.  The list names those whose metadata is in
 * memory or on a disk of this machine, whose changes all pass through this kernel, and in which a
 * file has a single name (in FAT it has several, by the case of the letters): inotify(7) can be
 * relied on there, too.  What is not in the list is treated as slow, which is always right. */
#include "proactor/file_system.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

bool file_system_is_local(int fd)
{
	static const uint32_t local[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
		TMPFS_MAGIC, RAMFS_MAGIC, OVERLAYFS_SUPER_MAGIC, F2FS_SUPER_MAGIC,
		ISOFS_SUPER_MAGIC, SQUASHFS_MAGIC, EROFS_SUPER_MAGIC_V1, 0x2fc12fc1 /* ZFS */,
		0xca451a4e /* bcachefs */ };
	struct statfs found;

	if (fstatfs(fd, &found) < 0)
		return false;
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		if ((uint32_t)found.f_type == local[i])
			return true;
	}
	return false;
}

/* 0 where the kernel (before 5.8) does not know. */
static uint64_t mount_of(int fd)
{
	struct statx found;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &found) < 0)
		return 0;
	return found.stx_mask & STATX_MNT_ID ? found.stx_mnt_id : 0;
}

bool file_system_is_same_mount(int fd, int other)
{
	uint64_t mount = mount_of(fd);

	return mount != 0 && mount == mount_of(other);
}

static bool make_room(struct descriptor_set *set, size_t word)
{
	size_t count = set->word_count ? set->word_count : 4;
	uint64_t *words;

	while (count <= word)
		count *= 2;
	if (count == set->word_count)
		return true;
	words = reallocarray(set->words, count, sizeof(*words));
	if (!words)
		return false;
	memset(words + set->word_count, 0, (count - set->word_count) * sizeof(*words));
	set->words = words;
	set->word_count = count;
	return true;
}

void descriptor_set_put(struct descriptor_set *set, int fd, bool is_member)
{
	size_t word = (size_t)fd / 64;
	uint64_t bit = UINT64_C(1) << (fd % 64);

	if (!is_member && word < set->word_count)
		set->words[word] &= ~bit;
	if (is_member && make_room(set, word))
		set->words[word] |= bit;
}

void descriptor_set_free(struct descriptor_set *set)
{
	free(set->words);
	*set = (struct descriptor_set){ NULL, 0 };
}
