/* The ceiling: the cost of a server that only answers.
 *
 * An io_uring responder that looks only for the end of a request's head and sends the same bytes
 * each time, from memory. It has what a careful server has, so that the rest is the kernel: a
 * multishot accept, multishot receives into shared buffers, one enter for everything that is ready,
 * one send for requests that came together, and a completion for every send, because a server that
 * keeps its promises needs it. What Ringlet costs beyond it is Ringlet's own cost.
 *
 * It is for known clients on loopback in a benchmark: nothing is checked, bounded or logged. */
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "program.h"

enum {
	ENTRIES = 1024,
	CONNECTION_COUNT = 65536, /* a descriptor is an index */
	BUFFER_COUNT = 1024,      /* a power of two */
	BUFFER_SIZE = 4096,
	GATHERED_MAX = 16,
	GATHERED_BYTES = 1 << 16, /* longer answers are not repeated */
};

/* What a completion belongs to: the kind, above the descriptor. */
enum kind { ACCEPTED, RECEIVED, SENT, CLOSED };

struct connection {
	unsigned matched; /* bytes of the empty line that ends a head */
	unsigned waiting; /* requests not yet answered */
	unsigned sending; /* requests answered by the send in flight */
	size_t sent;
	bool is_ended;
};

struct responder {
	struct io_uring ring;
	struct io_uring_buf_ring *buffers;
	char *buffer_bytes;
	char *response;
	size_t response_length;
	unsigned gathered_max;
	bool is_closing; /* each connection after its answer */
	int listener;
	struct connection connections[CONNECTION_COUNT];
};

static volatile sig_atomic_t is_told_to_end;

static void end(int number)
{
	(void)number;
	is_told_to_end = 1;
}

static struct io_uring_sqe *take_sqe(struct responder *responder, enum kind kind, int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&responder->ring);

	if (!sqe) {
		io_uring_submit(&responder->ring);
		sqe = io_uring_get_sqe(&responder->ring);
	}
	if (!sqe)
		give_up("submission queue");
	sqe->user_data = (uint64_t)kind << 32 | (uint32_t)fd;
	return sqe;
}

/* The io_uring_prep functions of some liburing versions clear user_data; so it is set again. */
static void mark(struct io_uring_sqe *sqe, enum kind kind, int fd)
{
	sqe->user_data = (uint64_t)kind << 32 | (uint32_t)fd;
}

static void accept_always(struct responder *responder)
{
	struct io_uring_sqe *sqe = take_sqe(responder, ACCEPTED, responder->listener);

	io_uring_prep_multishot_accept(sqe, responder->listener, NULL, NULL, SOCK_CLOEXEC);
	mark(sqe, ACCEPTED, responder->listener);
}

static void receive_always(struct responder *responder, int fd)
{
	struct io_uring_sqe *sqe = take_sqe(responder, RECEIVED, fd);

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	mark(sqe, RECEIVED, fd);
}

static void close_connection(struct responder *responder, int fd)
{
	struct io_uring_sqe *sqe = take_sqe(responder, CLOSED, fd);

	io_uring_prep_close(sqe, fd);
	mark(sqe, CLOSED, fd);
}

static void send_rest(struct responder *responder, int fd)
{
	const struct connection *connection = &responder->connections[fd];
	size_t length = connection->sending * responder->response_length - connection->sent;
	struct io_uring_sqe *sqe = take_sqe(responder, SENT, fd);

	io_uring_prep_send(sqe, fd, responder->response + connection->sent, length, MSG_NOSIGNAL);
	mark(sqe, SENT, fd);
}

static void answer(struct responder *responder, int fd)
{
	struct connection *connection = &responder->connections[fd];
	unsigned count = connection->waiting < responder->gathered_max ? connection->waiting
								       : responder->gathered_max;

	if (connection->sending || !count)
		return;
	connection->waiting -= count;
	connection->sending = count;
	connection->sent = 0;
	send_rest(responder, fd);
}

/* Closing waits for the send in flight; both ends of a connection come here. */
static void end_if_done(struct responder *responder, int fd)
{
	const struct connection *connection = &responder->connections[fd];

	if (connection->is_ended && !connection->sending)
		close_connection(responder, fd);
}

static void count_heads(struct connection *connection, const char *bytes, size_t length)
{
	static const char empty_line[] = "\r\n\r\n";

	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == empty_line[connection->matched])
			connection->matched++;
		else
			connection->matched = bytes[i] == '\r';
		if (connection->matched == sizeof(empty_line) - 1) {
			connection->matched = 0;
			connection->waiting++;
		}
	}
}

static void become_accepted(struct responder *responder, const struct io_uring_cqe *cqe)
{
	if (cqe->res >= CONNECTION_COUNT)
		give_up("too many connections");
	if (cqe->res >= 0) {
		responder->connections[cqe->res] = (struct connection){ 0 };
		receive_always(responder, cqe->res);
	}
	if (!(cqe->flags & IORING_CQE_F_MORE))
		accept_always(responder);
}

static void take_bytes(struct responder *responder, int fd, const struct io_uring_cqe *cqe)
{
	unsigned short id = (unsigned short)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	char *bytes = responder->buffer_bytes + (size_t)id * BUFFER_SIZE;

	count_heads(&responder->connections[fd], bytes, (size_t)cqe->res);
	io_uring_buf_ring_add(responder->buffers, bytes, BUFFER_SIZE, id,
		io_uring_buf_ring_mask(BUFFER_COUNT), 0);
	io_uring_buf_ring_advance(responder->buffers, 1);
}

static void become_received(struct responder *responder, int fd, const struct io_uring_cqe *cqe)
{
	struct connection *connection = &responder->connections[fd];

	if (cqe->res > 0) {
		take_bytes(responder, fd, cqe);
		answer(responder, fd);
	} else if (cqe->res != -ENOBUFS && !connection->is_ended) {
		connection->is_ended = true;
		end_if_done(responder, fd);
		return;
	}
	if (!(cqe->flags & IORING_CQE_F_MORE) && !connection->is_ended)
		receive_always(responder, fd);
}

/* With --close the client closes next, after it has seen the end; that ends the receive. */
static void become_sent(struct responder *responder, int fd, int result)
{
	struct connection *connection = &responder->connections[fd];

	if (result < 0) {
		connection->sending = 0;
		end_if_done(responder, fd);
		return;
	}
	connection->sent += (size_t)result;
	if (connection->sent < connection->sending * responder->response_length) {
		send_rest(responder, fd);
		return;
	}
	connection->sending = 0;
	if (responder->is_closing)
		shutdown(fd, SHUT_WR);
	answer(responder, fd);
	end_if_done(responder, fd);
}

static void handle(struct responder *responder, const struct io_uring_cqe *cqe)
{
	int fd = (int)(uint32_t)cqe->user_data;

	switch ((enum kind)(cqe->user_data >> 32)) {
	case ACCEPTED:
		become_accepted(responder, cqe);
		return;
	case RECEIVED:
		become_received(responder, fd, cqe);
		return;
	case SENT:
		become_sent(responder, fd, cqe->res);
		return;
	case CLOSED:
		return;
	}
}

static void serve(struct responder *responder)
{
	accept_always(responder);
	while (!is_told_to_end) {
		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned count = 0;

		io_uring_submit_and_wait(&responder->ring, 1);
		io_uring_for_each_cqe(&responder->ring, head, cqe)
		{
			handle(responder, cqe);
			count++;
		}
		io_uring_cq_advance(&responder->ring, count);
	}
}

/* --- before it ------------------------------------------------------------------------------ */

/* The fields are those of a file server, so that the length of the answer is comparable. */
static void make_response(struct responder *responder, size_t body_length)
{
	char head[512];
	int head_length = snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\n"
		"Server: ceiling\r\n"
		"Date: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
		"Content-Type: application/octet-stream\r\n"
		"Content-Length: %zu\r\n"
		"%s\r\n",
		body_length,
		body_length > 16 ? "Last-Modified: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
				   "ETag: \"18798f4b5c2f1c00-400\"\r\n"
				 : "");

	responder->response_length = (size_t)head_length + body_length;
	responder->gathered_max =
		responder->response_length * GATHERED_MAX <= GATHERED_BYTES ? GATHERED_MAX : 1;
	responder->response = malloc(responder->response_length * responder->gathered_max);
	if (!responder->response)
		give_up("response");
	for (unsigned i = 0; i < responder->gathered_max; i++) {
		char *copy = responder->response + i * responder->response_length;

		memcpy(copy, head, (size_t)head_length);
		memset(copy + head_length, 'x', body_length);
	}
}

static void make_ring(struct responder *responder)
{
	struct io_uring_params parameters = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL |
			 IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		.cq_entries = 8 * ENTRIES,
	};
	int r = io_uring_queue_init_params(ENTRIES, &responder->ring, &parameters);

	if (r < 0) {
		fprintf(stderr, "ceiling: no ring: %s\n", strerror(-r));
		exit(2);
	}
	io_uring_register_ring_fd(&responder->ring);
}

static void make_buffers(struct responder *responder)
{
	struct io_uring_buf_reg registration = { .ring_entries = BUFFER_COUNT, .bgid = 0 };
	size_t size = BUFFER_COUNT * sizeof(struct io_uring_buf);

	responder->buffers = aligned_alloc(4096, size);
	responder->buffer_bytes = malloc((size_t)BUFFER_COUNT * BUFFER_SIZE);
	if (!responder->buffers || !responder->buffer_bytes)
		give_up("buffers");
	memset(responder->buffers, 0, size);
	registration.ring_addr = (uint64_t)(uintptr_t)responder->buffers;
	if (io_uring_register_buf_ring(&responder->ring, &registration, 0) < 0)
		give_up("buffer ring");
	for (unsigned short i = 0; i < BUFFER_COUNT; i++)
		io_uring_buf_ring_add(responder->buffers,
			responder->buffer_bytes + (size_t)i * BUFFER_SIZE, BUFFER_SIZE, i,
			io_uring_buf_ring_mask(BUFFER_COUNT), i);
	io_uring_buf_ring_advance(responder->buffers, BUFFER_COUNT);
}

static void listen_on(struct responder *responder, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);

	responder->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(responder->listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	setsockopt(responder->listener, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (bind(responder->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(responder->listener, 4096) < 0)
		give_up("listen");
	getsockname(responder->listener, (struct sockaddr *)&address, &length);
	printf("ready: http://127.0.0.1:%u/\n", ntohs(address.sin_port));
	fflush(stdout);
}

int main(int argument_count, char **arguments)
{
	static struct responder responder;
	struct sigaction action = { .sa_handler = end };

	responder.is_closing = argument_count == 4 && strcmp(arguments[3], "--close") == 0;
	if (argument_count < 3 || argument_count > 4 ||
		(argument_count == 4 && !responder.is_closing)) {
		fprintf(stderr, "usage: %s PORT BODY-BYTES [--close]\n", arguments[0]);
		return 2;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	raise_descriptor_limit();
	make_response(&responder, strtoul(arguments[2], NULL, 10));
	make_ring(&responder);
	make_buffers(&responder);
	listen_on(&responder, (uint16_t)strtoul(arguments[1], NULL, 10));
	serve(&responder);
	io_uring_queue_exit(&responder.ring);
	return 0;
}
