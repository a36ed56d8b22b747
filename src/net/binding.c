/* Making listening sockets: the part of listener.h that the supervisor uses, which has no loop.
 *
 * An internet address is checked by binding it.  An AF_UNIX path is checked by connecting to it,
 * because its file outlives the server that made it. */
#include "net/listener.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include "base/owned.h"

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_options(int fd, const struct address *address, bool reuse_port)
{
	int family = address->storage.ss_family;
	int r;

	if (family == AF_UNIX)
		return 0;
	r = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && reuse_port)
		r = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0 && family == AF_INET6)
		r = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address->dual);
	if (r == 0)
		r = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted sockets inherit it */
	return r;
}

static int open_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int bind_socket(const struct address *address, bool reuse_port)
{
	auto_fd fd = open_socket(address->storage.ss_family);
	int r;

	if (fd < 0)
		return fd;
	r = set_options(fd, address, reuse_port);
	if (r < 0)
		return r;
	if (bind(fd, (const struct sockaddr *)&address->storage, address->size) < 0)
		return -errno;
	return take_fd(&fd);
}

/* A path is free if it does not exist, or is a socket on which no process listens. */
static int check_unix(const struct address *address)
{
	const char *path = ((const struct sockaddr_un *)&address->storage)->sun_path;
	struct stat stat;
	auto_fd fd = -1;

	if (lstat(path, &stat) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(stat.st_mode))
		return -EEXIST;
	fd = open_socket(AF_UNIX);
	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&address->storage, address->size) == 0)
		return -EADDRINUSE;
	/* EAGAIN: a process listens, and its backlog is full. */
	return errno == ECONNREFUSED || errno == ENOENT ? 0 : -EADDRINUSE;
}

int listener_check(const struct address *address)
{
	auto_fd fd = -1;

	if (address->storage.ss_family == AF_UNIX)
		return check_unix(address);
	fd = bind_socket(address, false);
	return fd < 0 ? fd : 0;
}

static int remove_stale_socket(const struct address *address)
{
	int r = check_unix(address);

	if (r < 0)
		return r;
	if (unlink(((const struct sockaddr_un *)&address->storage)->sun_path) < 0 &&
		errno != ENOENT)
		return -errno;
	return 0;
}

int listener_bind(const struct address *address, bool reuse_port, int backlog)
{
	auto_fd fd = -1;

	if (address->storage.ss_family == AF_UNIX) {
		int r = remove_stale_socket(address);

		if (r < 0)
			return r;
	}
	fd = bind_socket(address, reuse_port);
	if (fd < 0)
		return fd;
	if (listen(fd, backlog) < 0)
		return -errno;
	return take_fd(&fd);
}

/* A classic BPF program on the TCP header (RFC 9293 §3.1): drops segments whose flags, in byte 13,
 * contain SYN but not ACK. */
void listener_refuse(int fd)
{
	enum { FLAGS_OFFSET = 13, SYN = 0x02, ACK = 0x10 };
	struct sock_filter instructions[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_OFFSET),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = {
		.len = sizeof(instructions) / sizeof(instructions[0]),
		.filter = instructions,
	};

	/* AF_UNIX sockets have no such filter: a late client may be reset there. */
	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}
