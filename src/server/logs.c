/* Opening logs.
 *
 * Workers share the descriptor of a log.  O_APPEND keeps them from overwriting each other's lines;
 * it is also set on a file that the shell opened by redirection. */
#include "server/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/owned.h"

static bool is_ours(uid_t owner)
{
	return owner == 0 || owner == geteuid();
}

/* A log that is a link is opened only if no user but root and this one can have made the link. */
static bool is_safe_link(const char *path)
{
	auto_free char *copy = strdup(path);
	struct stat link, directory;

	if (!copy || lstat(path, &link) < 0 || stat(dirname(copy), &directory) < 0)
		return false;
	return S_ISLNK(link.st_mode) && is_ours(link.st_uid) && is_ours(directory.st_uid) &&
	       (directory.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int open_file(const char *setting, const char *path)
{
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;
	int fd = open(path, flags | (is_safe_link(path) ? 0 : O_NOFOLLOW), 0640);

	if (fd < 0 && errno == ELOOP)
		return fail(-ELOOP, "cannot open %s \"%s\", a link that another user may have made",
			setting, path);
	return fd < 0 ? fail(-errno, "cannot open %s \"%s\"", setting, path) : fd;
}

static int open_standard(int standard)
{
	struct stat stat;
	int flags = fcntl(standard, F_GETFL);
	int fd;

	if (flags >= 0 && fstat(standard, &stat) == 0 && S_ISREG(stat.st_mode))
		fcntl(standard, F_SETFL, flags | O_APPEND);
	fd = fcntl(standard, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return fd < 0 ? fail(-errno, "cannot use descriptor %d as a log", standard) : fd;
}

static int open_null(void)
{
	return open_file("log", "/dev/null");
}

static int open_error_log(const char *path, bool daemon)
{
	if (path[0] == '\0')
		return open_null();
	if (strcmp(path, "stderr") != 0)
		return open_file("error_log", path);
	if (!daemon)
		return open_standard(STDERR_FILENO);
	log_warning("error_log = \"stderr\" is discarded with --daemon; set a file");
	return open_null();
}

static int open_access_log(const char *path, bool daemon)
{
	if (strcmp(path, "-") != 0)
		return open_file("access_log", path);
	if (!daemon)
		return open_standard(STDOUT_FILENO);
	log_warning("access_log = \"-\" is discarded with --daemon; set a file");
	return open_null();
}

int logs_open(struct logs *logs, const struct section *configuration, bool quiet, bool daemon)
{
	const char *access_path = section_string(configuration, "access_log");

	*logs = (struct logs){
		.error_fd = -1,
		.access_fd = -1,
		.access_format = section_word(configuration, "access_log_format"),
	};
	logs->error_fd = open_error_log(section_string(configuration, "error_log"), daemon);
	if (logs->error_fd < 0)
		return logs->error_fd;
	if (quiet || access_path[0] == '\0')
		return 0;
	logs->access_fd = open_access_log(access_path, daemon);
	if (logs->access_fd < 0) {
		int error = logs->access_fd;

		logs_close(logs);
		return error;
	}
	return 0;
}

void logs_close(struct logs *logs)
{
	log_set_sink(NULL, NULL);
	if (logs->error_fd >= 0)
		close(logs->error_fd);
	if (logs->access_fd >= 0)
		close(logs->access_fd);
	logs->error_fd = logs->access_fd = -1;
}

static void write_error_line(void *context, struct text line)
{
	struct logs *logs = context;
	unsigned long long dropped = logs->dropped;

	while (line.length > 0) {
		ssize_t written = write(logs->error_fd, line.bytes, line.length);

		if (written < 0 && errno != EINTR) {
			logs->dropped++;
			return;
		}
		if (written > 0)
			line = text_from(line, (size_t)written);
	}
	if (dropped == 0)
		return;
	logs->dropped = 0;
	log_warning("error_log: %llu lines of the supervisor could not be written", dropped);
}

void logs_use_error_log(struct logs *logs)
{
	log_set_sink(write_error_line, logs);
}

void detach_from_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0) {
		log_warning("cannot open /dev/null: %s", strerror(errno));
		return;
	}
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}
