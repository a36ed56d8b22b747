/* The other side of a real backend: loopback TCP, and files in a temporary directory. */
#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

#define SMALL_BUFFER 8192

static rlim_t limit_before;

/* --- the proactor ------------------------------------------------------------------------- */

static int real_open(struct fixture *fixture, const struct proactor_options *options)
{
	int r = proactor_open(&fixture->proactor, fixture->choice, options);

	if (r < 0)
		return r;
	strcpy(fixture->path, "/tmp/ringlet-contract-XXXXXX");
	assert_non_null(mkdtemp(fixture->path));
	fixture->directory = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture->directory >= 0);
	return 0;
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
	(void)stat;
	(void)kind;
	(void)walk;
	return remove(path);
}

static void real_close(struct fixture *fixture)
{
	proactor_free(fixture->proactor);
	nftw(fixture->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The count of all descriptors, before and after the case, tells. */
static size_t real_open_count(const struct fixture *fixture)
{
	(void)fixture;
	return 0;
}

/* The limit is a number, not a count: the one that the descriptor after the last extra one gets. */
static void real_limit(struct fixture *fixture, unsigned extra)
{
	struct rlimit limit;
	int fds[64];

	assert_true(extra < 64);
	for (unsigned i = 0; i <= extra; i++)
		fds[i] = dup(fixture->directory);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit_before = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)fds[extra];
	for (unsigned i = 0; i <= extra; i++)
		close(fds[i]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void real_unlimit(struct fixture *fixture)
{
	struct rlimit limit;

	(void)fixture;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit_before;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* --- connections -------------------------------------------------------------------------- */

static void set_nonblocking(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

static void set_option(int fd, int level, int name, int value)
{
	assert_int_equal(setsockopt(fd, level, name, &value, sizeof(value)), 0);
}

static int new_socket(bool small_buffers)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (small_buffers) {
		set_option(fd, SOL_SOCKET, SO_SNDBUF, SMALL_BUFFER);
		set_option(fd, SOL_SOCKET, SO_RCVBUF, SMALL_BUFFER);
	}
	return fd;
}

static int listen_anywhere(bool small_buffers)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = new_socket(small_buffers);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1024), 0);
	return fd;
}

static int real_listen(struct fixture *fixture)
{
	int fd = listen_anywhere(false);

	(void)fixture;
	set_nonblocking(fd);
	return fd;
}

static void connect_peer(
	struct fixture *fixture, struct peer *peer, int listener, bool small_buffers)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);

	*peer = (struct peer){ .fixture = fixture, .fd = new_socket(small_buffers) };
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(peer->fd, (struct sockaddr *)&address, size), 0);
	set_nonblocking(peer->fd);
}

static void real_connect(struct fixture *fixture, struct peer *peer, int listener)
{
	connect_peer(fixture, peer, listener, false);
}

static int real_pair(struct fixture *fixture, struct peer *peer, bool small_buffers)
{
	int listener = listen_anywhere(small_buffers), fd;

	connect_peer(fixture, peer, listener, small_buffers);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	close(listener);
	return fd;
}

static size_t real_write(struct peer *peer, const void *bytes, size_t length)
{
	ssize_t count = send(peer->fd, bytes, length, MSG_NOSIGNAL);

	return count < 0 ? 0 : (size_t)count;
}

static ssize_t real_read(struct peer *peer, void *bytes, size_t length)
{
	ssize_t count = recv(peer->fd, bytes, length, 0);

	return count < 0 ? -errno : count;
}

static void real_stop_reading(struct peer *peer)
{
	(void)peer; /* it reads only when told to */
}

static void real_end(struct peer *peer)
{
	assert_int_equal(shutdown(peer->fd, SHUT_WR), 0);
}

static void real_close_peer(struct peer *peer)
{
	assert_int_equal(close(peer->fd), 0);
	peer->fd = -1;
}

/* A close that does not linger sends RST. */
static void real_reset_peer(struct peer *peer)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	real_close_peer(peer);
}

/* --- files -------------------------------------------------------------------------------- */

static void real_make_directory(struct fixture *fixture, const char *name)
{
	assert_int_equal(mkdirat(fixture->directory, name, 0755), 0);
}

static void real_make_symlink(struct fixture *fixture, const char *name, const char *target)
{
	assert_int_equal(symlinkat(target, fixture->directory, name), 0);
}

static void real_write_file(struct fixture *fixture, const char *name, uint64_t offset,
	const void *bytes, size_t length)
{
	int fd = openat(fixture->directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, length, (off_t)offset), length);
	close(fd);
}

static void real_truncate_file(struct fixture *fixture, const char *name, uint64_t length)
{
	int fd = openat(fixture->directory, name, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)length), 0);
	close(fd);
}

static ssize_t real_read_file(struct fixture *fixture, const char *name, void *bytes, size_t length)
{
	int fd = openat(fixture->directory, name, O_RDONLY | O_CLOEXEC);
	ssize_t count;

	if (fd < 0)
		return -errno;
	count = read(fd, bytes, length);
	close(fd);
	return count;
}

static int real_open_event(struct fixture *fixture)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)fixture;
	assert_true(fd >= 0);
	return fd;
}

static void real_signal_event(struct fixture *fixture, int fd)
{
	(void)fixture;
	assert_int_equal(eventfd_write(fd, 1), 0);
}

const struct side real_side = {
	.has_threads = true,
	.open = real_open,
	.close = real_close,
	.open_count = real_open_count,
	.limit_descriptors = real_limit,
	.unlimit_descriptors = real_unlimit,
	.listen = real_listen,
	.connect = real_connect,
	.pair = real_pair,
	.write = real_write,
	.read = real_read,
	.stop_reading = real_stop_reading,
	.end = real_end,
	.reset = real_reset_peer,
	.close_peer = real_close_peer,
	.make_directory = real_make_directory,
	.make_symlink = real_make_symlink,
	.write_file = real_write_file,
	.truncate_file = real_truncate_file,
	.read_file = real_read_file,
	.open_event = real_open_event,
	.signal_event = real_signal_event,
};
