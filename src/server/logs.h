/* The files that logs go to, opened by the supervisor and inherited by its workers. */
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

/* Opens error_log and access_log; `quiet`: no access log.  A daemon has no terminal: what would go
 * there goes nowhere, and a warning says so.  0 or a negative errno that was logged. */
int logs_open(struct logs *logs, const struct section *configuration, bool quiet, bool daemon);
void logs_close(struct logs *logs);

/* From now on, messages of this process go to error_log by plain writes: for the supervisor, which
 * has no loop to hold up.  Before that they go to standard error, where whoever started the server
 * looks. */
void logs_use_error_log(struct logs *logs);

/* Standard input, output and error become /dev/null. */
void detach_from_terminal(void);

#endif
