/* The lines of a start.  A person or a script that waits for `ready:` reads them: they have no time
 * and no level, and their form is a contract.
 *
 * A child process with the privileges of a worker probes io_uring, so that the result holds for
 * workers. The supervisor never has a ring. */
#include "server/announcement.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/owned.h"

/* --- probing ------------------------------------------------------------------------------ */

static_assert(sizeof(struct uring_probe) <= PIPE_BUF, "one write carries a probe");

static void probe_and_tell(const struct user *user, int fd)
{
	struct uring_probe probe = { .error = 0 };

	if (user_become(user) < 0 || forbid_new_privileges() < 0)
		_exit(1);
	proactor_probe_uring(&probe);
	_exit(write(fd, &probe, sizeof(probe)) == sizeof(probe) ? 0 : 1);
}

static int fork_probe(int *answers, const struct user *user)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		probe_and_tell(user, ends[1]);
	close(ends[1]);
	if (child < 0) {
		int error = -errno;

		close(ends[0]);
		return error;
	}
	*answers = ends[0];
	return child;
}

static void probe_as_worker(struct uring_probe *probe, const struct user *user)
{
	int answers, child = fork_probe(&answers, user);
	ssize_t length = 0;

	if (child > 0) {
		length = read(answers, probe, sizeof(*probe));
		close(answers);
		waitpid(child, NULL, 0);
	}
	if (length == sizeof(*probe))
		return;
	*probe = (struct uring_probe){ .error = child < 0 ? child : -ECHILD };
	snprintf(probe->reason, sizeof(probe->reason), "cannot probe io_uring: %s",
		child < 0 ? strerror(-child) : "the probing process died");
}

/* --- the first line ----------------------------------------------------------------------- */

/* "6.1" of "6.1.0-18-amd64". */
static void append_kernel(struct buffer *line)
{
	struct utsname name;
	unsigned major, minor;

	if (uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2)
		buffer_append_format(line, "kernel %u.%u", major, minor);
	else
		buffer_append_string(line, "kernel unknown");
}

static void append_workers(struct buffer *line, unsigned count)
{
	buffer_append_format(line, ", %u worker%s", count, count == 1 ? "" : "s");
}

static void print_line(struct buffer *line)
{
	fprintf(stderr, "%.*s\n", TEXT_ARGUMENTS(buffer_text(line)));
}

static void announce_io_uring(const struct server *server, const struct uring_probe *probe)
{
	char memory[256];
	struct buffer line;

	buffer_init(&line, memory, sizeof(memory));
	buffer_append_string(&line, "ringlet " RINGLET_VERSION ", io_uring (");
	append_kernel(&line);
	buffer_append_format(&line, ", liburing %s)", probe->library);
	append_workers(&line, server->worker_count);
	print_line(&line);
}

static void announce_epoll(const struct server *server)
{
	char memory[256];
	struct buffer line;

	buffer_init(&line, memory, sizeof(memory));
	buffer_append_string(&line, "ringlet " RINGLET_VERSION ", epoll (");
	append_kernel(&line);
	buffer_append_byte(&line, ')');
	append_workers(&line, server->worker_count);
	print_line(&line);
}

int announce_backend(struct server *server, enum backend_choice wanted)
{
	struct uring_probe probe;

	server->backend = wanted;
	if (wanted == BACKEND_EPOLL) {
		announce_epoll(server);
		return 0;
	}
	probe_as_worker(&probe, &server->user);
	if (probe.error == 0) {
		server->backend = BACKEND_IO_URING;
		announce_io_uring(server, &probe);
		return 0;
	}
	fprintf(stderr, "ringlet " RINGLET_VERSION ", %s: %s\n",
		wanted == BACKEND_AUTO ? "epoll" : "io_uring", probe.reason);
	server->backend = BACKEND_EPOLL;
	return wanted == BACKEND_AUTO ? 0 : probe.error;
}

/* --- the other lines ---------------------------------------------------------------------- */

/* A path below the current directory is shown relative to it. */
static const char *shortened(const char *path)
{
	auto_free char *current = getcwd(NULL, 0);
	size_t length = current ? strlen(current) : 0;

	if (length < 2 || strncmp(path, current, length) != 0)
		return path;
	if (path[length] == '\0')
		return ".";
	return path[length] == '/' ? path + length + 1 : path;
}

void announce_roots(const struct server *server)
{
	const struct section *site;

	for (size_t i = 0; (site = section_child(server->configuration->root, "site", i)); i++) {
		const char *root = section_string(site, "root");

		fprintf(stderr, "%s%s", i == 0 ? "serving " : ", ", root ? shortened(root) : "-");
	}
	fputc('\n', stderr);
}

void announce_ready(const struct server *server)
{
	char memory[2048];
	struct buffer urls;

	buffer_init(&urls, memory, sizeof(memory));
	listening_append_urls(&urls, &server->listening);
	fprintf(stderr, "ready: %.*s%s\n", TEXT_ARGUMENTS(buffer_text(&urls)),
		server->daemon ? "" : "   (Ctrl-C stops)");
}
