/* The log files: the supervisor opens them, its workers inherit them. */
#ifndef RINGLET_SERVER_LOGS_H
#define RINGLET_SERVER_LOGS_H

#include "base/settings.h"
#include "server/access_log.h"

struct logs {
	int error_fd;
	int access_fd;              /* -1: no access log */
	unsigned long long dropped; /* messages of the supervisor, not yet reported */
	enum access_log_format access_format;
};

/* Opens error_log and access_log; `quiet`: no access log.  A daemon has no terminal: a log that
 * would go there is discarded, with a warning.  0 or a negative errno that was logged. */
int logs_open(struct logs *logs, const struct section *configuration, bool quiet, bool daemon);
void logs_close(struct logs *logs);

/* From now on, messages of this process go to error_log by write(2), which may block: only for the
 * supervisor.  Before, they go to standard error, where the user who starts the server sees them.
 */
void logs_use_error_log(struct logs *logs);

/* Redirects standard input, output and error to /dev/null. */
void detach_from_terminal(void);

#endif
