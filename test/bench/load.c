/* A light load generator: makes as many requests as it is told, and uses little of its own core.
 *
 * One thread, one epoll instance, no blocking call. Bodies are discarded inside the kernel
 * (MSG_TRUNC), so that the client's copies do not limit the server. Every latency is stored and
 * sorted at the end, so the percentiles are exact. Closed loop (the default): each connection sends
 * its next request when it gets an answer. Open loop (--rate): request i is due at i / rate, and
 * its latency counts from then, so that a server that stalls is charged for every client that
 * waits.
 *
 * The result is one line of JSON. An answer with an unexpected status, without Content-Length, or
 * cut short is an error. Errors are counted by kind and make the exit code 1. It connects to
 * loopback only. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "program.h"

enum {
	HEAD_SIZE = 4096,
	BATCH_SIZE = 16384, /* bytes of requests sent at once; always fits into an empty socket */
	DEPTH_MAX = 64,
	EVENT_COUNT = 256,
	ERROR_COUNT_MAX = 1000, /* do not connect to a dead server for ever */
};

#define DISCARDED_AT_ONCE (UINT64_C(1) << 30)

enum failure { FAILED_CONNECT, CLOSED_EARLY, WRONG_STATUS, WRONG_FRAMING, FAILURE_COUNT };

struct options {
	uint16_t port;
	unsigned connection_count;
	unsigned depth;
	double seconds;
	uint64_t request_count; /* 0: as many as possible in the time */
	double rate;            /* 0: closed loop */
	const char *congestion; /* the congestion control; NULL: the system's */
	bool is_reopening;      /* a connection for each request */
	unsigned status;        /* 0: 200 or 304 */
};

struct request {
	char *text;
	size_t length;
};

struct client {
	int fd; /* negative: not connected */
	bool is_connecting;
	bool awaits_end; /* answered; the server should close */
	bool is_last;    /* the server said that it will close */
	unsigned outstanding;
	uint64_t began_ns; /* of the whole batch */
	uint64_t body_remaining;
	size_t kept;
	char bytes[HEAD_SIZE];
};

struct run {
	struct options options;
	struct request *requests;
	size_t request_kinds;
	size_t next_request;
	struct client *clients;
	struct client **idle; /* open loop: connections free for the next arrival */
	unsigned idle_count;
	int epoll;
	uint64_t begin_ns;
	uint64_t end_ns;
	uint64_t issued;
	uint64_t answered;
	uint64_t lost; /* sent on a connection that failed */
	uint64_t body_bytes;
	uint64_t reconnects;
	uint64_t failures[FAILURE_COUNT];
	uint64_t *latencies_ns;
	size_t latency_room;
};

static void begin_batch(struct run *, struct client *, uint64_t began_ns);

static uint64_t failure_count(const struct run *run)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < FAILURE_COUNT; i++)
		count += run->failures[i];
	return count;
}

/* --- requests ------------------------------------------------------------------------------- */

static void add_request(struct run *run, const char *path, const char *fields)
{
	struct request *request;
	const char *close = run->options.is_reopening ? "Connection: close\r\n" : "";
	int length;

	run->requests = realloc(run->requests, (run->request_kinds + 1) * sizeof(*run->requests));
	if (!run->requests)
		give_up("requests");
	request = &run->requests[run->request_kinds++];
	length = asprintf(&request->text, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n", path,
		fields, close);
	if (length < 0)
		give_up("requests");
	request->length = (size_t)length;
	if (request->length * run->options.depth > BATCH_SIZE) {
		fprintf(stderr, "%s: too long for this depth\n", path);
		exit(2);
	}
}

static void add_requests_of_file(struct run *run, const char *name, const char *fields)
{
	char line[1024];
	FILE *file = fopen(name, "re");

	if (!file)
		give_up(name);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '/')
			add_request(run, line, fields);
	}
	fclose(file);
}

/* --- a connection's life -------------------------------------------------------------------- */

static void watch(struct run *run, struct client *client, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = client };

	if (epoll_ctl(run->epoll, operation, client->fd, &event) < 0)
		give_up("epoll_ctl");
}

static void drop_connection(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	client->is_connecting = client->awaits_end = client->is_last = false;
	client->outstanding = 0;
	client->body_remaining = 0;
	client->kept = 0;
}

static bool is_over(const struct run *run, uint64_t now)
{
	return now >= run->end_ns || failure_count(run) >= ERROR_COUNT_MAX;
}

static bool has_more_to_ask(const struct run *run)
{
	return !run->options.request_count || run->issued < run->options.request_count;
}

/* The client is free: it sends its next request, or waits for the next arrival. */
static void ask_again(struct run *run, struct client *client)
{
	uint64_t now = now_ns();

	if (run->options.rate > 0)
		run->idle[run->idle_count++] = client;
	else if (has_more_to_ask(run) && !is_over(run, now))
		begin_batch(run, client, now);
}

/* A connection that waited for an arrival continues to wait, and connects then. */
static void fail_client(struct run *run, struct client *client, enum failure failure)
{
	bool was_busy = client->outstanding > 0 || client->awaits_end;

	run->failures[failure]++;
	run->lost += client->outstanding;
	drop_connection(client);
	if (was_busy)
		ask_again(run, client);
}

/* Requests that the server will not answer on this connection are sent again on the next one. */
static void reconnect(struct run *run, struct client *client)
{
	run->issued -= client->outstanding;
	run->reconnects++;
	drop_connection(client);
	ask_again(run, client);
}

static void reopen(struct run *run, struct client *client)
{
	drop_connection(client);
	ask_again(run, client);
}

/* The cost of the peer's acknowledgements is spent on its core, so our side matters, too. */
static bool choose_congestion_control(int fd, const char *name)
{
	return !name ||
	       setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0;
}

static bool open_connection(struct client *client, const struct options *options)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(options->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return false;
	if (!choose_congestion_control(client->fd, options->congestion))
		give_up(options->congestion);
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
	       errno == EINPROGRESS;
}

/* Sends the batch in one piece. The socket is empty, so the batch fits. */
static ssize_t send_batch(struct run *run, struct client *client)
{
	char batch[BATCH_SIZE];
	size_t length = 0;
	size_t next = run->next_request;

	for (unsigned i = 0; i < client->outstanding; i++) {
		const struct request *request = &run->requests[next];

		memcpy(batch + length, request->text, request->length);
		length += request->length;
		next = next + 1 < run->request_kinds ? next + 1 : 0;
	}
	ssize_t sent = send(client->fd, batch, length, MSG_NOSIGNAL);
	if (sent < 0)
		return -errno;
	run->next_request = next;
	return (size_t)sent == length ? sent : -EMSGSIZE;
}

/* On loopback connect() returns an established connection unless the server's queue is full; only
 * then this waits until the socket is writable. */
static void begin_on_new_connection(struct run *run, struct client *client)
{
	ssize_t sent;

	if (!open_connection(client, &run->options)) {
		fail_client(run, client, FAILED_CONNECT);
		return;
	}
	sent = send_batch(run, client);
	client->is_connecting = sent == -EAGAIN || sent == -ENOTCONN;
	if (sent < 0 && !client->is_connecting)
		fail_client(run, client, FAILED_CONNECT);
	else
		watch(run, client, EPOLL_CTL_ADD, client->is_connecting ? EPOLLOUT : EPOLLIN);
}

static void begin_batch(struct run *run, struct client *client, uint64_t began_ns)
{
	uint64_t count = run->options.depth;

	if (run->options.request_count && run->options.request_count - run->issued < count)
		count = run->options.request_count - run->issued;
	run->issued += count;
	client->outstanding = (unsigned)count;
	client->began_ns = began_ns;
	if (client->fd < 0)
		begin_on_new_connection(run, client);
	else if (send_batch(run, client) < 0)
		fail_client(run, client, CLOSED_EARLY);
}

static void connected(struct run *run, struct client *client)
{
	client->is_connecting = false;
	if (send_batch(run, client) < 0)
		fail_client(run, client, FAILED_CONNECT);
	else
		watch(run, client, EPOLL_CTL_MOD, EPOLLIN);
}

/* --- answers -------------------------------------------------------------------------------- */

static void record_latency(struct run *run, uint64_t latency_ns)
{
	if (run->answered == run->latency_room) {
		run->latency_room *= 2;
		run->latencies_ns =
			realloc(run->latencies_ns, run->latency_room * sizeof(*run->latencies_ns));
		if (!run->latencies_ns)
			give_up("latencies");
	}
	run->latencies_ns[run->answered++] = latency_ns;
}

/* The value of a field, or NULL; the head ends in an empty line. */
static const char *find_field(const char *head, const char *name)
{
	size_t length = strlen(name);
	const char *line = strchr(head, '\n') + 1;

	while (*line != '\r') {
		if (strncasecmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " ");
		line = strchr(line, '\n') + 1;
	}
	return NULL;
}

/* Parses a complete head. Returns whether it is the expected answer. */
static bool read_head(struct run *run, struct client *client, const char *head)
{
	unsigned status;
	const char *length;
	const char *connection;

	if (memcmp(head, "HTTP/1.1 ", 9) != 0) {
		fail_client(run, client, WRONG_FRAMING);
		return false;
	}
	status = (unsigned)strtoul(head + 9, NULL, 10);
	if (run->options.status ? status != run->options.status : status != 200 && status != 304) {
		fail_client(run, client, WRONG_STATUS);
		return false;
	}
	length = find_field(head, "Content-Length");
	if (!length && status != 304) {
		fail_client(run, client, WRONG_FRAMING);
		return false;
	}
	connection = find_field(head, "Connection");
	client->is_last = connection && strncasecmp(connection, "close", 5) == 0;
	client->body_remaining = status == 304 ? 0 : strtoull(length, NULL, 10);
	return true;
}

/* Returns whether more answers must come on this connection. */
static bool answer_ended(struct run *run, struct client *client)
{
	if (client->outstanding == 1 && client->kept > 0) {
		fail_client(run, client, WRONG_FRAMING);
		return false;
	}
	record_latency(run, now_ns() - client->began_ns);
	client->outstanding--;
	if (run->options.is_reopening)
		client->awaits_end = true;
	else if (client->is_last)
		reconnect(run, client);
	else if (client->outstanding > 0)
		return true;
	else
		ask_again(run, client);
	return false;
}

static void drop_kept(struct client *client, size_t length)
{
	client->kept -= length;
	memmove(client->bytes, client->bytes + length, client->kept);
}

/* Returns whether the body extends to the end of the received bytes, or ended there. */
static bool read_kept_body(struct run *run, struct client *client)
{
	size_t length = client->kept < client->body_remaining ? client->kept
							      : (size_t)client->body_remaining;

	client->body_remaining -= length;
	run->body_bytes += length;
	drop_kept(client, length);
	return client->body_remaining > 0 || !answer_ended(run, client);
}

static void read_kept(struct run *run, struct client *client)
{
	for (;;) {
		char *end = memmem(client->bytes, client->kept, "\r\n\r\n", 4);

		if (!end) {
			if (client->kept == sizeof(client->bytes))
				fail_client(run, client, WRONG_FRAMING);
			return;
		}
		if (!read_head(run, client, client->bytes))
			return;
		drop_kept(client, (size_t)(end + 4 - client->bytes));
		if (read_kept_body(run, client))
			return;
	}
}

/* Returns the number of bytes received, or 0 if the connection was given up or has none. */
static size_t receive(
	struct run *run, struct client *client, void *bytes, uint64_t length, int flags)
{
	ssize_t received = recv(client->fd, bytes, length, flags);

	if (received > 0)
		return (size_t)received;
	if (received < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (client->awaits_end && received == 0)
		reopen(run, client);
	else if (received == 0 && !client->outstanding)
		drop_connection(client); /* waiting for an arrival: the next one connects */
	else
		fail_client(run, client, CLOSED_EARLY);
	return 0;
}

static void discard_body(struct run *run, struct client *client)
{
	uint64_t length = client->body_remaining < DISCARDED_AT_ONCE ? client->body_remaining
								     : DISCARDED_AT_ONCE;

	length = receive(run, client, NULL, length, MSG_TRUNC);
	run->body_bytes += length;
	client->body_remaining -= length;
	if (length > 0 && client->body_remaining == 0)
		answer_ended(run, client);
}

static void become_readable(struct run *run, struct client *client)
{
	if (client->body_remaining > 0) {
		discard_body(run, client);
		return;
	}
	size_t length = receive(
		run, client, client->bytes + client->kept, sizeof(client->bytes) - client->kept, 0);
	if (length == 0)
		return;
	client->kept += length;
	if (client->awaits_end || !client->outstanding) {
		fail_client(run, client, WRONG_FRAMING);
		return;
	}
	read_kept(run, client);
}

/* --- the run -------------------------------------------------------------------------------- */

static uint64_t arrival_ns(const struct run *run)
{
	return run->begin_ns + (uint64_t)((double)run->issued * 1e9 / run->options.rate);
}

static void begin_what_is_due(struct run *run, uint64_t now)
{
	while (run->idle_count > 0 && has_more_to_ask(run) && arrival_ns(run) <= now)
		begin_batch(run, run->idle[--run->idle_count], arrival_ns(run));
}

static void wait_for_events(struct run *run, uint64_t until)
{
	struct epoll_event events[EVENT_COUNT];
	uint64_t now = now_ns();
	uint64_t wait = until > now ? until - now : 0;
	struct timespec timeout = { (time_t)(wait / SECOND), (long)(wait % SECOND) };
	int count = epoll_pwait2(run->epoll, events, EVENT_COUNT, &timeout, NULL);

	if (count < 0 && errno != EINTR)
		give_up("epoll_pwait2");
	for (int i = 0; i < count; i++) {
		struct client *client = events[i].data.ptr;

		if (client->fd < 0)
			continue;
		if (client->is_connecting)
			connected(run, client);
		else
			become_readable(run, client);
	}
}

static bool is_answered(const struct run *run)
{
	return run->options.request_count &&
	       run->answered + run->lost >= run->options.request_count;
}

static void make_requests(struct run *run)
{
	const struct options *options = &run->options;
	uint64_t now = now_ns();

	run->begin_ns = now;
	run->end_ns = now + (uint64_t)(options->seconds * 1e9);
	for (unsigned i = 0; i < options->connection_count; i++)
		ask_again(run, &run->clients[i]);
	while (!is_over(run, now) && !is_answered(run)) {
		uint64_t until = run->end_ns;

		if (options->rate > 0) {
			begin_what_is_due(run, now);
			if (run->idle_count > 0 && has_more_to_ask(run) && arrival_ns(run) < until)
				until = arrival_ns(run);
		}
		wait_for_events(run, until);
		now = now_ns();
	}
	run->end_ns = now_ns();
}

/* --- the result ----------------------------------------------------------------------------- */

static int compare_latencies(const void *a, const void *b)
{
	const uint64_t *left = a;
	const uint64_t *right = b;

	return (*left > *right) - (*left < *right);
}

static double percentile_us(const struct run *run, double share)
{
	uint64_t index = (uint64_t)(share * (double)run->answered);

	if (run->answered == 0)
		return 0;
	if (index >= run->answered)
		index = run->answered - 1;
	return (double)run->latencies_ns[index] / 1e3;
}

/* Open loop: requests that were due while no connection was free. */
static uint64_t unsent_count(const struct run *run)
{
	double due = (double)(run->end_ns - run->begin_ns) * run->options.rate / 1e9;

	if (run->options.request_count && due > (double)run->options.request_count)
		due = (double)run->options.request_count;
	return due > (double)run->issued ? (uint64_t)due - run->issued : 0;
}

static void print_result(struct run *run)
{
	double seconds = (double)(run->end_ns - run->begin_ns) / 1e9;
	uint64_t cut = 0;

	for (unsigned i = 0; i < run->options.connection_count; i++)
		cut += run->clients[i].outstanding;
	qsort(run->latencies_ns, run->answered, sizeof(uint64_t), compare_latencies);
	printf("{\"requests\": %lu, \"seconds\": %.6f, \"requests_per_second\": %.1f, "
	       "\"body_bytes\": %lu, ",
		run->answered, seconds, (double)run->answered / seconds, run->body_bytes);
	printf("\"latency_us\": {\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, "
	       "\"max\": %.1f}, ",
		percentile_us(run, 0.5), percentile_us(run, 0.9), percentile_us(run, 0.99),
		percentile_us(run, 0.999), percentile_us(run, 1));
	printf("\"cut\": %lu, \"lost\": %lu, \"unsent\": %lu, \"reconnects\": %lu, ", cut,
		run->lost, unsent_count(run), run->reconnects);
	printf("\"error_count\": %lu, \"errors\": {\"connect\": %lu, \"closed\": %lu, "
	       "\"status\": %lu, \"framing\": %lu}}\n",
		failure_count(run), run->failures[FAILED_CONNECT], run->failures[CLOSED_EARLY],
		run->failures[WRONG_STATUS], run->failures[WRONG_FRAMING]);
}

/* --- arguments ------------------------------------------------------------------------------ */

static const char usage[] =
	"usage: load --port PORT [OPTION...] PATH...\n"
	"\n"
	"Requests the paths in turn from 127.0.0.1 and prints one line of JSON.\n"
	"  --connections N    at once (default: 64)\n"
	"  --seconds S        for so long at most (default: 10)\n"
	"  --requests N       exactly so many, then end\n"
	"  --depth N          so many pipelined in one send (default: 1; at most 64)\n"
	"  --rate R           open loop: so many per second, on a schedule of their own\n"
	"  --reopen           a connection for each request\n"
	"  --congestion NAME  TCP congestion control (default: the system's)\n"
	"  --status CODE      the only status that is right (default: 200 and 304)\n"
	"  --field 'A: b'     a field of every request; may be repeated\n"
	"  --paths FILE       more paths, one a line\n";

static _Noreturn void refuse(void)
{
	fputs(usage, stderr);
	exit(2);
}

static void append_field(char **fields, const char *field)
{
	char *longer;

	if (asprintf(&longer, "%s%s\r\n", *fields, field) < 0)
		give_up("fields");
	free(*fields);
	*fields = longer;
}

static const struct option long_options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "connections", required_argument, NULL, 'c' },
	{ "seconds", required_argument, NULL, 's' },
	{ "requests", required_argument, NULL, 'n' },
	{ "depth", required_argument, NULL, 'd' },
	{ "rate", required_argument, NULL, 'r' },
	{ "reopen", no_argument, NULL, 'o' },
	{ "congestion", required_argument, NULL, 'C' },
	{ "status", required_argument, NULL, 'S' },
	{ "field", required_argument, NULL, 'f' },
	{ "paths", required_argument, NULL, 'P' },
	{ NULL, 0, NULL, 0 },
};

static bool take_option(struct options *options, int letter)
{
	switch (letter) {
	case 'p':
		options->port = (uint16_t)strtoul(optarg, NULL, 10);
		return true;
	case 'c':
		options->connection_count = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 's':
		options->seconds = strtod(optarg, NULL);
		return true;
	case 'n':
		options->request_count = strtoull(optarg, NULL, 10);
		return true;
	case 'd':
		options->depth = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 'r':
		options->rate = strtod(optarg, NULL);
		return true;
	case 'o':
		options->is_reopening = true;
		return true;
	case 'C':
		options->congestion = optarg;
		return true;
	case 'S':
		options->status = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	default:
		return false;
	}
}

static void check_options(const struct options *options)
{
	if (!options->port || !options->connection_count || options->seconds <= 0)
		refuse();
	if (options->depth < 1 || options->depth > DEPTH_MAX)
		refuse();
	/* An arrival is one request; it may also open a connection. */
	if (options->depth > 1 && (options->rate > 0 || options->is_reopening))
		refuse();
}

static void take_arguments(struct run *run, int argument_count, char **arguments)
{
	char *fields = strdup("");
	const char *paths = NULL;
	int letter;

	while ((letter = getopt_long(argument_count, arguments, "", long_options, NULL)) != -1) {
		if (letter == 'f')
			append_field(&fields, optarg);
		else if (letter == 'P')
			paths = optarg;
		else if (!take_option(&run->options, letter))
			refuse();
	}
	check_options(&run->options);
	for (int i = optind; i < argument_count; i++)
		add_request(run, arguments[i], fields);
	if (paths)
		add_requests_of_file(run, paths, fields);
	if (run->request_kinds == 0)
		refuse();
	free(fields);
}

static void prepare(struct run *run)
{
	unsigned count = run->options.connection_count;

	raise_descriptor_limit();
	prctl(PR_SET_TIMERSLACK, 1); /* arrivals are microseconds apart */
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	run->clients = calloc(count, sizeof(*run->clients));
	run->idle = calloc(count, sizeof(struct client *));
	run->latency_room = 1 << 16;
	run->latencies_ns = calloc(run->latency_room, sizeof(*run->latencies_ns));
	if (run->epoll < 0 || !run->clients || !run->idle || !run->latencies_ns)
		give_up("load");
	for (unsigned i = 0; i < count; i++)
		run->clients[i].fd = -1;
}

static void release(struct run *run)
{
	for (unsigned i = 0; i < run->options.connection_count; i++)
		drop_connection(&run->clients[i]);
	for (size_t i = 0; i < run->request_kinds; i++)
		free(run->requests[i].text);
	free(run->requests);
	free(run->clients);
	free(run->idle);
	free(run->latencies_ns);
	close(run->epoll);
}

int main(int argument_count, char **arguments)
{
	struct run run = { .options = { .connection_count = 64, .depth = 1, .seconds = 10 } };
	bool is_clean;

	take_arguments(&run, argument_count, arguments);
	prepare(&run);
	make_requests(&run);
	print_result(&run);
	is_clean = failure_count(&run) == 0;
	release(&run);
	return is_clean ? 0 : 1;
}
