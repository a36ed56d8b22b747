/* --daemon: the foreground process stays until the server serves, then reports and returns. */
#ifndef RINGLET_SERVER_DAEMON_H
#define RINGLET_SERVER_DAEMON_H

/* Forks.  Returns 0 in the daemon, a session of its own, with *report set for daemon_report(); in
 * the foreground process 1, after the daemon reported or died, with *exit_code set.  Or a negative
 * errno that was logged. */
int daemon_begin(int *report, int *exit_code);

/* The server serves: the foreground process ends with 0.  Closes *report.  Nothing happens when it
 * is -1. */
void daemon_report(int *report);

/* The setting pid_file ("": none).  0 or a negative errno that was logged. */
int pid_file_write(const char *path);
void pid_file_remove(const char *path);

#endif
