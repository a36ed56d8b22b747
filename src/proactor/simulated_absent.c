/* Stands in for a real backend that is not part of this build, so that tests on the simulated one
 * link without it. */
#include <errno.h>

#include "proactor/backend.h"

__attribute__((weak)) int epoll_open(
	struct proactor **proactor, const struct proactor_options *options)
{
	(void)proactor;
	(void)options;
	return -ENOSYS;
}

__attribute__((weak)) int uring_open(
	struct proactor **proactor, const struct proactor_options *options)
{
	(void)proactor;
	(void)options;
	return -ENOSYS;
}
