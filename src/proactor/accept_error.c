/* Errors of accept(2), the same for both backends.
 *
 * Linux passes errors that are pending on a new connection on to accept(2), which lists them under
 * "Error handling"; EPERM is a firewall's. */
#include <errno.h>

#include "proactor/backend.h"

bool accept_error_passes(int error)
{
	static const int PASSING[] = { ECONNABORTED, ECONNRESET, EHOSTDOWN, EHOSTUNREACH, EINTR,
		ENETDOWN, ENETUNREACH, ENONET, ENOPROTOOPT, EOPNOTSUPP, EPERM, EPROTO, ETIMEDOUT };

	for (size_t i = 0; i < sizeof(PASSING) / sizeof(PASSING[0]); i++) {
		if (error == PASSING[i])
			return true;
	}
	return false;
}
