/* What a process is doing, as /proc tells: for the log line about a worker that does not react. */
#ifndef RINGLET_SERVER_ACTIVITY_H
#define RINGLET_SERVER_ACTIVITY_H

#include <sys/types.h>

#include "base/buffer.h"

/* "D (disk sleep), in fuse_get_req, system call 17": state, kernel function, system call; what
 * cannot be read is left out. */
void activity_append(struct buffer *buffer, pid_t pid);

#endif
