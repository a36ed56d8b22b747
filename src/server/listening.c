/* Opening the listening sockets of an address: check that it is free, bind the first socket, which
 * chooses the port, then bind the others to the same port.
 *
 * The check binds without SO_REUSEPORT.  With it, a second server could bind the same port, and the
 * kernel would divide the clients between both. */
#include "server/listening.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "net/listener.h"
#include "server/configuration.h"

enum {
	BACKLOG = 4096,
	PORT_PRIVILEGED_MAX = 1023,
	CHECKS_MAX = 50, /* of an address in use: for 2.5 s */
	CHECK_WAIT_MS = 50,
};

static bool is_unix(const struct address *address)
{
	return address->storage.ss_family == AF_UNIX;
}

static void say_cannot_listen(const struct address *address, int error)
{
	if (error == -EADDRINUSE && is_unix(address))
		fprintf(stderr, "cannot listen on %s: address in use (ss -lxp names the process)\n",
			address->name);
	else if (error == -EADDRINUSE)
		fprintf(stderr,
			"cannot listen on %s: address in use (try -p PORT; ss -ltnp names the "
			"process)\n",
			address->name);
	else if (error == -EEXIST)
		fprintf(stderr, "cannot listen on %s: the file exists and is not a socket\n",
			address->name);
	else if (error == -EACCES && !is_unix(address) &&
		 address_port(&address->storage) <= PORT_PRIVILEGED_MAX)
		fprintf(stderr,
			"cannot listen on %s: permission denied (ports below 1024 need root or "
			"CAP_NET_BIND_SERVICE)\n",
			address->name);
	else
		fprintf(stderr, "cannot listen on %s: %s\n", address->name, strerror(-error));
}

static void set_port(struct address *address, unsigned port)
{
	in_port_t number = htons((uint16_t)port);

	if (address->storage.ss_family == AF_INET)
		((struct sockaddr_in *)&address->storage)->sin_port = number;
	else if (address->storage.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&address->storage)->sin6_port = number;
}

static int bind_slot(struct listening_socket *socket, unsigned slot)
{
	int fd = listener_bind(&socket->address, true, BACKLOG);

	if (fd < 0)
		return fd;
	socket->fds[slot] = fd;
	return 0;
}

/* Retries, because the kernel may keep the sockets of a killed server open until it has torn down
 * its rings and workers. */
static int check_address(const struct address *address, int checks_max)
{
	int r = listener_check(address);

	for (int i = 1; r == -EADDRINUSE && i < checks_max; i++) {
		poll(NULL, 0, CHECK_WAIT_MS);
		r = listener_check(address);
	}
	return r;
}

static int bind_first(struct listening_socket *socket, int checks_max)
{
	socklen_t size = sizeof(socket->address.storage);
	int r = check_address(&socket->address, checks_max);

	if (r == 0)
		r = bind_slot(socket, 0);
	if (r < 0 || is_unix(&socket->address))
		return r;
	if (getsockname(socket->fds[0], (struct sockaddr *)&socket->address.storage, &size) < 0)
		return -errno;
	return 0;
}

/* For "127.0.0.1:0" and "[::1]:0" tries the port that the kernel chose for the first address, so
 * that one URL serves both. */
static int bind_first_near(struct listening_socket *socket, unsigned port_chosen)
{
	if (!is_unix(&socket->address) && address_port(&socket->address.storage) == 0 &&
		port_chosen != 0) {
		set_port(&socket->address, port_chosen);
		if (bind_first(socket, 1) == 0)
			return 0;
		set_port(&socket->address, 0);
	}
	return bind_first(socket, CHECKS_MAX);
}

bool listening_lacks_ipv6(const struct address *address, int error)
{
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&address->storage;

	if (address->storage.ss_family != AF_INET6)
		return false;
	return error == -EAFNOSUPPORT ||
	       (error == -EADDRNOTAVAIL && IN6_IS_ADDR_LOOPBACK(&ipv6->sin6_addr));
}

static int open_socket(struct listening_socket *socket, unsigned slot_count, unsigned port_chosen)
{
	int r;

	socket->fds = malloc(slot_count * sizeof(int));
	if (!socket->fds)
		return -ENOMEM;
	for (unsigned slot = 0; slot < slot_count; slot++)
		socket->fds[slot] = -1;
	r = bind_first_near(socket, port_chosen);
	socket->owns_path = r == 0 && is_unix(&socket->address);
	for (unsigned slot = 1; r == 0 && slot < slot_count && !is_unix(&socket->address); slot++)
		r = bind_slot(socket, slot);
	return r;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_socket(struct listening_socket *socket, unsigned slot_count)
{
	for (unsigned slot = 0; slot < slot_count && socket->fds; slot++)
		close_fd(&socket->fds[slot]);
}

static void free_socket(struct listening_socket *socket, unsigned slot_count)
{
	close_socket(socket, slot_count);
	free(socket->fds);
	*socket = (struct listening_socket){ .fds = NULL };
}

/* Without IPv6, a dual address becomes 0.0.0.0. */
static int open_as_ipv4(struct listening_socket *socket, unsigned slot_count, unsigned port_chosen)
{
	struct address *address = &socket->address;
	struct sockaddr_in ipv4 = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)address_port(&address->storage)) };

	free(socket->fds);
	memcpy(&address->storage, &ipv4, sizeof(ipv4));
	address->size = sizeof(ipv4);
	return open_socket(socket, slot_count, port_chosen);
}

/* 0, also if the machine has no IPv6: then *missing is the address, and no socket was opened. */
static int open_next(struct listening *listening, const struct address *address, bool tls,
	unsigned *port_chosen, struct address *missing)
{
	struct listening_socket *socket = &listening->sockets[listening->count];
	int r;

	socket->address = *address;
	socket->tls = tls;
	r = open_socket(socket, listening->slot_count, *port_chosen);
	if (address->dual && listening_lacks_ipv6(address, r))
		r = open_as_ipv4(socket, listening->slot_count, *port_chosen);
	if (listening_lacks_ipv6(&socket->address, r)) {
		*missing = socket->address;
		free_socket(socket, listening->slot_count);
		return 0;
	}
	listening->count++;
	if (r < 0)
		say_cannot_listen(&socket->address, r);
	else if (!is_unix(&socket->address))
		*port_chosen = address_port(&socket->address.storage);
	return r;
}

static int open_all(struct listening *listening, const struct section *configuration)
{
	const struct section *section;
	struct address missing = { .size = 0 };
	unsigned port_chosen = 0;

	for (size_t i = 0; (section = section_child(configuration, "listen", i)); i++) {
		struct address addresses[ADDRESSES_MAX];
		size_t count = configuration_addresses(addresses, section);

		for (size_t j = 0; j < count; j++) {
			int r = open_next(listening, &addresses[j], section_yes(section, "tls"),
				&port_chosen, &missing);

			if (r < 0)
				return r;
		}
	}
	if (listening->count == 0) {
		say_cannot_listen(&missing, -EAFNOSUPPORT);
		return -EAFNOSUPPORT;
	}
	if (missing.size > 0)
		log_warning("not listening on %s: this machine has no IPv6", missing.name);
	return 0;
}

int listening_open(
	struct listening *listening, const struct section *configuration, unsigned slot_count)
{
	size_t wanted = 0;
	int r;

	while (section_child(configuration, "listen", wanted))
		wanted++;
	*listening = (struct listening){ .slot_count = slot_count };
	listening->sockets = calloc(wanted * ADDRESSES_MAX, sizeof(struct listening_socket));
	if (!listening->sockets)
		return -ENOMEM;
	r = open_all(listening, configuration);
	if (r < 0)
		listening_free(listening);
	return r;
}

static int *slot_fd(const struct listening_socket *socket, unsigned slot)
{
	return &socket->fds[is_unix(&socket->address) ? 0 : slot];
}

int listening_take_fd(struct listening_socket *socket, unsigned slot)
{
	int *fd = slot_fd(socket, slot);
	int taken = *fd;

	*fd = -1;
	return taken;
}

void listening_keep_slot(struct listening *listening, unsigned slot)
{
	for (size_t i = 0; i < listening->count; i++) {
		struct listening_socket *socket = &listening->sockets[i];

		for (unsigned other = 0; other < listening->slot_count; other++) {
			if (&socket->fds[other] != slot_fd(socket, slot))
				close_fd(&socket->fds[other]);
		}
	}
}

/* Only if this process made the file: otherwise it may belong to another server. */
static void remove_path(struct listening_socket *socket)
{
	if (socket->owns_path)
		unlink(((const struct sockaddr_un *)&socket->address.storage)->sun_path);
	socket->owns_path = false;
}

void listening_close(struct listening *listening)
{
	for (size_t i = 0; i < listening->count; i++) {
		remove_path(&listening->sockets[i]);
		close_socket(&listening->sockets[i], listening->slot_count);
	}
}

void listening_free(struct listening *listening)
{
	listening_close(listening);
	for (size_t i = 0; i < listening->count; i++)
		free_socket(&listening->sockets[i], listening->slot_count);
	free(listening->sockets);
	*listening = (struct listening){ .count = 0 };
}

/* --- URLs --------------------------------------------------------------------------------- */

static bool is_localhost(const struct sockaddr_storage *storage)
{
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)storage;
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)storage;

	if (storage->ss_family == AF_INET)
		return ipv4->sin_addr.s_addr == htonl(INADDR_LOOPBACK) ||
		       ipv4->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_LOOPBACK(&ipv6->sin6_addr) || IN6_IS_ADDR_UNSPECIFIED(&ipv6->sin6_addr);
}

static void append_url(struct buffer *buffer, const struct listening_socket *socket)
{
	const struct address *address = &socket->address;

	if (is_unix(address)) {
		buffer_append_string(buffer, address->name);
		return;
	}
	buffer_append_string(buffer, socket->tls ? "https://" : "http://");
	if (is_localhost(&address->storage))
		buffer_append_format(buffer, "localhost:%u", address_port(&address->storage));
	else
		address_append(buffer, &address->storage);
	buffer_append_byte(buffer, '/');
}

/* Whether the word that begins at `start` also occurs before it. */
static bool is_repeated(const struct buffer *buffer, size_t start)
{
	struct text word = text_from(buffer_text(buffer), start);
	struct text before = text_first(buffer_text(buffer), start);

	while (before.length > 0) {
		size_t length = text_find(before, ' ');

		if (text_equal(text_first(before, length), word))
			return true;
		before = text_from(before, length + 1);
	}
	return false;
}

void listening_append_urls(struct buffer *buffer, const struct listening *listening)
{
	for (size_t i = 0; i < listening->count; i++) {
		size_t end = buffer->length;

		if (end > 0)
			buffer_append_byte(buffer, ' ');
		append_url(buffer, &listening->sockets[i]);
		if (end > 0 && is_repeated(buffer, end + 1))
			buffer->length = end;
	}
}
