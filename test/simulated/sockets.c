/* Simulated connections.
 *
 * A byte from the client goes  travelling → inbound → a loan;  a byte from the socket goes
 * outbound → received.  Inbound and outbound are the socket's own buffers and bounded; the network
 * (travelling) and the test's memory (received) are not.  Endings follow TCP: FIN comes after the
 * bytes, a reset overtakes them; closing a socket with bytes unread, or sending to a client that
 * has closed, resets the connection. */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "simulated/private.h"

#define BUFFER_LENGTH 65536
#define ACCEPT_MAX    16

/* Bytes in order: appended at the end, dropped from the start. */
struct bytes {
	char *memory;
	size_t start, length, size;
};

struct simulated_client {
	struct list_node node;    /* in simulated->clients */
	struct list_node waiting; /* in a backlog, until accepted */
	unsigned number;
	size_t buffer_length;
	size_t appetite; /* bytes that the client will still read; SIZE_MAX: all */
	struct bytes travelling, inbound, outbound, received;
	int error;         /* the socket's, told once */
	bool ended;        /* the client sends no more */
	bool closed;       /* and reads no more */
	bool end_arrived;  /* at the socket */
	bool broken;       /* reset by either side: nothing travels */
	bool socket_ended; /* shutdown(SHUT_WR), or closed */
	bool socket_deaf;  /* shutdown(SHUT_RD) */
	bool socket_closed;
	bool socket_resets; /* when it is closed */
	bool saw_end, saw_reset;
};

/* --- bytes -------------------------------------------------------------------------------- */

static void bytes_append(struct bytes *bytes, const char *from, size_t length)
{
	if (bytes->start + bytes->length + length > bytes->size) {
		size_t size = 2 * (bytes->length + length);
		char *memory = allocate(size);

		if (bytes->length > 0)
			memcpy(memory, bytes->memory + bytes->start, bytes->length);
		free(bytes->memory);
		bytes->memory = memory;
		bytes->size = size;
		bytes->start = 0;
	}
	memcpy(bytes->memory + bytes->start + bytes->length, from, length);
	bytes->length += length;
}

static void bytes_drop(struct bytes *bytes, size_t length)
{
	assert(length <= bytes->length);
	bytes->start += length;
	bytes->length -= length;
	if (bytes->length == 0)
		bytes->start = 0;
}

static void bytes_reset(struct bytes *bytes)
{
	free(bytes->memory);
	*bytes = (struct bytes){ 0 };
}

static void bytes_move(struct bytes *to, struct bytes *from, size_t length)
{
	bytes_append(to, from->memory + from->start, length);
	bytes_drop(from, length);
}

/* --- the network -------------------------------------------------------------------------- */

/* What is on its way is lost; received bytes stay with the test. */
static void break_connection(struct simulated_client *client)
{
	client->broken = true;
	bytes_reset(&client->travelling);
	bytes_reset(&client->inbound);
	bytes_reset(&client->outbound);
}

static void reset_socket(struct simulated_client *client)
{
	break_connection(client);
	client->error = ECONNRESET;
}

static void reset_client(struct simulated_client *client)
{
	break_connection(client);
	client->saw_reset = true;
}

static bool deliver_to_socket(struct simulated *simulated, struct simulated_client *client)
{
	size_t room =
		client->buffer_length - smaller(client->buffer_length, client->inbound.length);
	size_t length = smaller(client->travelling.length, room);

	if (client->socket_closed && client->travelling.length > 0) {
		reset_client(client);
		return true;
	}
	if (length > 0) {
		bytes_move(
			&client->inbound, &client->travelling, simulated_piece(simulated, length));
		return true;
	}
	if (!client->ended || client->end_arrived || client->travelling.length > 0)
		return false;
	client->end_arrived = true;
	return true;
}

static bool deliver_to_client(struct simulated *simulated, struct simulated_client *client)
{
	if (client->outbound.length > 0 && client->closed) {
		reset_socket(client);
		return true;
	}
	if (client->appetite == 0)
		return false;
	if (client->outbound.length > 0) {
		size_t length = simulated_piece(
			simulated, smaller(client->outbound.length, client->appetite));

		bytes_move(&client->received, &client->outbound, length);
		client->appetite -= client->appetite == SIZE_MAX ? 0 : length;
		return true;
	}
	if (!client->socket_ended || client->saw_end)
		return false;
	client->saw_end = true;
	return true;
}

bool sockets_deliver(struct simulated *simulated)
{
	bool changed = false;

	list_for_each (node, &simulated->clients) {
		struct simulated_client *client = container_of(node, struct simulated_client, node);

		if (!client->broken && deliver_to_socket(simulated, client))
			changed = true;
		if (!client->broken && deliver_to_client(simulated, client))
			changed = true;
	}
	return changed;
}

/* --- steps of ops ------------------------------------------------------------------------- */

static int wrap_socket(struct simulated *simulated, struct simulated_client *client)
{
	int fd = descriptor_open(simulated, DESCRIPTOR_SOCKET);

	if (fd >= 0)
		descriptor_find(simulated, fd)->client = client;
	return fd;
}

bool step_accept(struct simulated *simulated, struct op *op)
{
	struct descriptor *listener = descriptor_find_kind(simulated, op->fd, DESCRIPTOR_LISTENER);
	int fds[ACCEPT_MAX], fd = 0;
	size_t count = 0, wanted = 1 + simulated_draw(simulated, ACCEPT_MAX);
	struct list_node *node;
	struct list *backlog;
	int *lent;

	if (!listener)
		return simulated_end(simulated, op, -EBADF);
	backlog = listener->backlog; /* the descriptors may move as more are opened */
	while (count < wanted && (node = list_first(backlog))) {
		fd = wrap_socket(simulated, container_of(node, struct simulated_client, waiting));
		if (fd < 0)
			break;
		list_remove(node);
		fds[count++] = fd;
	}
	if (count == 0)
		return fd < 0 ? simulated_end(simulated, op, fd) : false;
	lent = simulated_lend(simulated, count * sizeof(*lent));
	memcpy(lent, fds, count * sizeof(*lent));
	op->accept.fds = lent;
	return simulated_end(simulated, op, (int64_t)count);
}

static int take_error(struct simulated_client *client)
{
	int error = client->error;

	client->error = 0;
	return -error;
}

static bool receive_bytes(
	struct simulated *simulated, struct op *op, struct simulated_client *client)
{
	size_t length = simulated_piece(
		simulated, smaller(client->inbound.length, simulated->receive_length_max));
	char *loan = simulated_lend(simulated, length);

	memcpy(loan, client->inbound.memory + client->inbound.start, length);
	bytes_drop(&client->inbound, length);
	op->receive.loan = (struct text){ loan, length };
	return simulated_end(simulated, op, (int64_t)length);
}

bool step_receive(struct simulated *simulated, struct op *op)
{
	struct descriptor *socket = descriptor_find_kind(simulated, op->fd, DESCRIPTOR_SOCKET);
	struct simulated_client *client = socket ? socket->client : NULL;

	if (!client)
		return simulated_end(simulated, op, -EBADF);
	if (client->error)
		return simulated_end(simulated, op, take_error(client));
	if (client->inbound.length > 0)
		return receive_bytes(simulated, op, client);
	if (client->end_arrived || client->socket_deaf || client->broken)
		return simulated_end(simulated, op, 0);
	return false;
}

/* How many bytes a send could take now, or a negative errno. */
static int64_t room_to_send(struct simulated_client *client)
{
	if (client->error)
		return take_error(client);
	if (client->broken || client->socket_ended)
		return -EPIPE;
	return (int64_t)(client->buffer_length -
			 smaller(client->buffer_length, client->outbound.length));
}

/* Finds the first entry that is not used up. */
static struct iovec *next_entry(struct op *op)
{
	while (op->send.vector_count > 0 && op->send.vector->iov_len == 0) {
		op->send.vector++;
		op->send.vector_count--;
	}
	return op->send.vector_count > 0 ? op->send.vector : NULL;
}

bool step_send(struct simulated *simulated, struct op *op)
{
	struct descriptor *socket = descriptor_find_kind(simulated, op->fd, DESCRIPTOR_SOCKET);
	struct iovec *entry = next_entry(op);
	int64_t room = socket ? room_to_send(socket->client) : -EBADF;
	size_t length;

	if (room < 0)
		return simulated_end(simulated, op, room);
	if (room == 0)
		return false;
	for (; entry && room > 0; entry = next_entry(op)) {
		length = simulated_piece(simulated, smaller((size_t)room, entry->iov_len));
		bytes_append(&socket->client->outbound, entry->iov_base, length);
		entry->iov_base = (char *)entry->iov_base + length;
		entry->iov_len -= length;
		op->moved += length;
		room -= (int64_t)length;
		if (simulated_chance(simulated, 4))
			break;
	}
	return next_entry(op) ? true : simulated_end(simulated, op, (int64_t)op->moved);
}

bool step_sendfile(struct simulated *simulated, struct op *op)
{
	struct descriptor *socket = descriptor_find_kind(simulated, op->fd, DESCRIPTOR_SOCKET);
	int64_t room = socket ? room_to_send(socket->client) : -EBADF, count;
	char bytes[BUFFER_LENGTH];
	size_t length;

	if (room <= 0)
		return room < 0 ? simulated_end(simulated, op, room) : false;
	length = smaller(smaller((size_t)room, sizeof(bytes)), op->sendfile.length - op->moved);
	count = file_read(simulated, op->sendfile.file, bytes, simulated_piece(simulated, length),
		op->sendfile.offset + op->moved);
	if (count <= 0)
		return simulated_end(simulated, op, count < 0 ? count : -ENODATA);
	bytes_append(&socket->client->outbound, bytes, (size_t)count);
	op->moved += (uint64_t)count;
	if (op->moved == op->sendfile.length)
		return simulated_end(simulated, op, (int64_t)op->moved);
	return true;
}

short socket_events(const struct descriptor *descriptor)
{
	const struct simulated_client *client = descriptor->client;
	int events = 0;

	if (descriptor->kind == DESCRIPTOR_LISTENER)
		return list_is_empty(descriptor->backlog) ? 0 : POLLIN;
	if (client->inbound.length > 0 || client->end_arrived || client->socket_deaf)
		events |= POLLIN;
	if (client->outbound.length < client->buffer_length)
		events |= POLLOUT;
	if (client->broken)
		events |= POLLIN | POLLOUT | POLLHUP | (client->error ? POLLERR : 0);
	return (short)events;
}

/* --- calls on sockets --------------------------------------------------------------------- */

static void close_listener(struct descriptor *descriptor)
{
	struct list_node *node;

	while ((node = list_take_first(descriptor->backlog)))
		reset_client(container_of(node, struct simulated_client, waiting));
	free(descriptor->backlog);
}

void socket_close(struct simulated *simulated, struct descriptor *descriptor)
{
	struct simulated_client *client = descriptor->client;

	(void)simulated;
	if (descriptor->kind == DESCRIPTOR_LISTENER) {
		close_listener(descriptor);
		return;
	}
	if (client->inbound.length > 0 || client->socket_resets)
		reset_client(client);
	client->socket_ended = client->socket_deaf = client->socket_closed = true;
}

int socket_shutdown(struct proactor *proactor, int fd, int how)
{
	struct descriptor *socket =
		descriptor_find_kind(simulated_of(proactor), fd, DESCRIPTOR_SOCKET);

	if (!socket)
		return -EBADF;
	if (socket->client->broken)
		return -ENOTCONN;
	if (how == SHUT_WR || how == SHUT_RDWR)
		socket->client->socket_ended = true;
	if (how == SHUT_RD || how == SHUT_RDWR)
		socket->client->socket_deaf = true;
	return 0;
}

int socket_unacknowledged_length(struct proactor *proactor, int fd)
{
	struct descriptor *socket =
		descriptor_find_kind(simulated_of(proactor), fd, DESCRIPTOR_SOCKET);

	return socket ? (int)socket->client->outbound.length : 0;
}

void socket_reset_at_close(struct proactor *proactor, int fd)
{
	struct descriptor *socket =
		descriptor_find_kind(simulated_of(proactor), fd, DESCRIPTOR_SOCKET);

	if (socket)
		socket->client->socket_resets = true;
}

int socket_peer_address(struct proactor *proactor, int fd, struct sockaddr_storage *address)
{
	struct descriptor *socket =
		descriptor_find_kind(simulated_of(proactor), fd, DESCRIPTOR_SOCKET);
	struct sockaddr_in *peer = (struct sockaddr_in *)address;

	if (!socket)
		return -EBADF;
	if (socket->client->broken)
		return -ENOTCONN;
	*address = (struct sockaddr_storage){ 0 };
	peer->sin_family = AF_INET;
	peer->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer->sin_port = htons((uint16_t)(10000 + socket->client->number % 50000));
	return 0;
}

/* --- the clients -------------------------------------------------------------------------- */

static struct simulated_client *client_new(struct simulated *simulated)
{
	struct simulated_client *client = allocate(sizeof(*client));

	client->number = ++simulated->client_count;
	client->buffer_length = BUFFER_LENGTH;
	client->appetite = SIZE_MAX;
	list_node_init(&client->waiting);
	list_append(&simulated->clients, &client->node);
	return client;
}

int simulated_listen(struct proactor *proactor)
{
	struct simulated *simulated = simulated_of(proactor);
	int fd = descriptor_open(simulated, DESCRIPTOR_LISTENER);
	struct list *backlog;

	if (fd < 0)
		return fd;
	backlog = allocate(sizeof(*backlog));
	list_init(backlog);
	descriptor_find(simulated, fd)->backlog = backlog;
	return fd;
}

struct simulated_client *simulated_connect(struct proactor *proactor, int listener)
{
	struct simulated *simulated = simulated_of(proactor);
	struct descriptor *descriptor =
		descriptor_find_kind(simulated, listener, DESCRIPTOR_LISTENER);
	struct simulated_client *client = client_new(simulated);

	assert(descriptor);
	list_append(descriptor->backlog, &client->waiting);
	return client;
}

struct simulated_client *simulated_connect_pair(struct proactor *proactor, int *fd)
{
	struct simulated *simulated = simulated_of(proactor);
	struct simulated_client *client = client_new(simulated);

	*fd = wrap_socket(simulated, client);
	assert(*fd >= 0);
	return client;
}

void simulated_client_set_buffers(struct simulated_client *client, size_t length)
{
	assert(length > 0);
	client->buffer_length = length;
}

void simulated_client_send(struct simulated_client *client, struct text bytes)
{
	assert(!client->ended);
	if (!client->broken && bytes.length > 0)
		bytes_append(&client->travelling, bytes.bytes, bytes.length);
}

size_t simulated_client_unsent(const struct simulated_client *client)
{
	return client->travelling.length;
}

struct text simulated_client_received(const struct simulated_client *client)
{
	return (struct text){ client->received.memory + client->received.start,
		client->received.length };
}

void simulated_client_take(struct simulated_client *client, size_t length)
{
	bytes_drop(&client->received, length);
}

void simulated_client_stop_reading(struct simulated_client *client)
{
	client->appetite = 0;
}

void simulated_client_start_reading(struct simulated_client *client)
{
	client->appetite = SIZE_MAX;
}

void simulated_client_read(struct simulated_client *client, size_t length)
{
	client->appetite = length;
}

void simulated_client_end(struct simulated_client *client)
{
	client->ended = true;
}

void simulated_client_reset(struct simulated_client *client)
{
	client->ended = client->closed = true;
	if (!client->broken)
		reset_socket(client);
}

void simulated_client_close(struct simulated_client *client)
{
	client->ended = client->closed = true;
}

bool simulated_client_saw_end(const struct simulated_client *client)
{
	return client->saw_end;
}

bool simulated_client_saw_reset(const struct simulated_client *client)
{
	return client->saw_reset;
}

void sockets_free(struct simulated *simulated)
{
	struct list_node *node;

	while ((node = list_take_first(&simulated->clients))) {
		struct simulated_client *client = container_of(node, struct simulated_client, node);

		break_connection(client);
		bytes_reset(&client->received);
		free(client);
	}
}
