/* Connections that are held, not used.
 *
 *     holders idle PORT COUNT PATH     each makes one request, and then none
 *     holders slow PORT COUNT PATH     each asks for a large file and reads 4 KiB of it a second
 *
 * Prints `ready` when all connections exist, and ends when its standard input ends. It shares its
 * core with the load generator, whose latencies are measured, and has a lower priority
 * (measure.py). Slow readers read one after the other, spread over the second, and do as little as
 * possible. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "program.h"

enum { CHUNK = 4096, SLOW_BUFFER = 16384 };

/* Connects, sends the request, and waits for the beginning of the answer. */
static int open_one(uint16_t port, const char *path, bool is_slow)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = 20 };
	char bytes[CHUNK];
	int length =
		snprintf(bytes, sizeof(bytes), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		give_up("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (is_slow)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ SLOW_BUFFER }, sizeof(int));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		give_up("connect");
	if (send(fd, bytes, (size_t)length, MSG_NOSIGNAL) != length)
		give_up("send");
	if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
		give_up("closed without an answer");
	return fd;
}

/* Waits until that time, or for ever (0). Returns whether standard input ended. */
static bool input_ends_until(uint64_t until_ns)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t now = now_ns();
	uint64_t wait = until_ns > now ? until_ns - now : 0;
	struct timespec timeout = { (time_t)(wait / SECOND), (long)(wait % SECOND) };
	char byte;

	return ppoll(&input, 1, until_ns ? &timeout : NULL, NULL) > 0 &&
	       read(STDIN_FILENO, &byte, 1) <= 0;
}

static void read_slowly(const int *fds, uint64_t count)
{
	uint64_t begin = now_ns();

	for (uint64_t i = 0; !input_ends_until(begin + i * SECOND / count); i++) {
		char bytes[CHUNK];
		ssize_t received = recv(fds[i % count], bytes, sizeof(bytes), MSG_DONTWAIT);

		(void)received; /* whatever is there */
	}
}

int main(int argument_count, char **arguments)
{
	bool is_slow = argument_count == 5 && strcmp(arguments[1], "slow") == 0;
	unsigned long count = argument_count == 5 ? strtoul(arguments[3], NULL, 10) : 0;
	int *fds;

	if (count == 0 || (!is_slow && strcmp(arguments[1], "idle") != 0)) {
		fprintf(stderr, "usage: %s idle|slow PORT COUNT PATH\n", arguments[0]);
		return 2;
	}
	raise_descriptor_limit();
	fds = calloc(count, sizeof(*fds));
	if (!fds)
		give_up("descriptors");
	for (unsigned long i = 0; i < count; i++)
		fds[i] = open_one((uint16_t)strtoul(arguments[2], NULL, 10), arguments[4], is_slow);
	puts("ready");
	fflush(stdout);
	if (is_slow)
		read_slowly(fds, count);
	else
		while (!input_ends_until(0))
			;
	return 0;
}
