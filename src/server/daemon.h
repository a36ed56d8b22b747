/* --daemon: the foreground process waits until the server serves, then exits. */
#ifndef RINGLET_SERVER_DAEMON_H
#define RINGLET_SERVER_DAEMON_H

/* Forks.  In the daemon, which leads a new session, returns 0 with *report set for daemon_report().
 * In the foreground process returns 1 with *exit_code set, once the daemon has reported or died. Or
 * a negative errno that was logged. */
int daemon_begin(int *report, int *exit_code);

/* The server serves: the foreground process exits with 0.  Closes *report; does nothing if it is
 * -1. */
void daemon_report(int *report);

/* `path` is the setting pid_file ("": none).  0 or a negative errno that was logged. */
int pid_file_write(const char *path);
void pid_file_remove(const char *path);

#endif
