/* Owned locals carry their cleanup; giving away is visible:
 *
 *	auto_fd file = open(path, O_RDONLY | O_CLOEXEC);
 *	if (file < 0)
 *		return -errno;
 *	body->file = take_fd(&file);
 */
#ifndef RINGLET_BASE_OWNED_H
#define RINGLET_BASE_OWNED_H

#include <stdlib.h>
#include <unistd.h>

static inline void owned_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void owned_free(const void *pointer)
{
	free(*(void *const *)pointer);
}

#define auto_fd   __attribute__((cleanup(owned_close_fd))) int
#define auto_free __attribute__((cleanup(owned_free)))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *take_pointer(void *address_of_pointer)
{
	void **pointer = address_of_pointer;
	void *taken = *pointer;

	*pointer = NULL;
	return taken;
}

#endif
