/* Stands in for the io_uring backend in a build without liburing. */
#include <errno.h>
#include <stdio.h>

#include "proactor/backend.h"

int uring_open(struct proactor **proactor, const struct proactor_options *options)
{
	(void)proactor;
	(void)options;
	return -ENOSYS;
}

void proactor_probe_uring(struct uring_probe *probe)
{
	*probe = (struct uring_probe){ .error = -ENOSYS };
	snprintf(probe->reason, sizeof(probe->reason), "built without io_uring");
}
