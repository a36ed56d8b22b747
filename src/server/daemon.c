/* The foreground process reads the result of the start from a pipe: a byte means success; end of
 * file means that the daemon has died, after it wrote the reason to the terminal that both still
 * share. */
#include "server/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/owned.h"

static int await_report(int fd, pid_t daemon)
{
	ssize_t length;
	char byte;

	do
		length = read(fd, &byte, 1);
	while (length < 0 && errno == EINTR);
	if (length == 1)
		return EXIT_SUCCESS;
	waitpid(daemon, NULL, 0);
	return EXIT_FAILURE;
}

int daemon_begin(int *report, int *exit_code)
{
	int ends[2];
	pid_t daemon;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(-errno, "cannot become a daemon");
	daemon = fork();
	if (daemon < 0) {
		int error = -errno;

		close(ends[0]);
		close(ends[1]);
		return fail(error, "cannot become a daemon");
	}
	if (daemon == 0) {
		close(ends[0]);
		setsid();
		*report = ends[1];
		return 0;
	}
	close(ends[1]);
	*exit_code = await_report(ends[0], daemon);
	close(ends[0]);
	return 1;
}

void daemon_report(int *report)
{
	if (*report < 0)
		return;
	if (write(*report, "1", 1) < 0)
		log_warning("cannot report to the foreground process: %s", strerror(errno));
	close(*report);
	*report = -1;
}

static int write_pid(const char *path)
{
	auto_fd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	return dprintf(fd, "%d\n", (int)getpid()) < 0 ? -errno : 0;
}

/* O_EXCL and rename(2) follow no link.  In a directory that other users can write, a link could
 * otherwise make root overwrite any file. */
int pid_file_write(const char *path)
{
	auto_free char *fresh = NULL;
	int r;

	if (path[0] == '\0')
		return 0;
	if (asprintf(&fresh, "%s.%d", path, (int)getpid()) < 0)
		return fail(-ENOMEM, "cannot write pid_file \"%s\"", path);
	unlink(fresh); /* left behind by an earlier process with this id */
	r = write_pid(fresh);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	unlink(fresh);
	return fail(r, "cannot write pid_file \"%s\"", path);
}

void pid_file_remove(const char *path)
{
	if (path[0] != '\0')
		unlink(path);
}
