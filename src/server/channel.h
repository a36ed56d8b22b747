/* Messages between the supervisor and one worker, over an AF_UNIX SOCK_SEQPACKET pair.
 *
 * Orders go down, reports come up; each is one packet.  Both ends are non-blocking. */
#ifndef RINGLET_SERVER_CHANNEL_H
#define RINGLET_SERVER_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

enum message {
	/* Orders. */
	ORDER_RETIRE, /* a successor accepts from the same sockets: finish what was accepted */
	ORDER_END,    /* the server ends: refuse new clients, serve the queue, finish */
	ORDER_STOP,   /* the server ends now: close every connection */
	ORDER_ANSWER, /* report ALIVE */
	/* Reports. */
	REPORT_READY,    /* accepts connections */
	REPORT_ALIVE,    /* the answer to ORDER_ANSWER */
	REPORT_SIGNALED, /* got a signal to end; goes on until it gets an order */
};

/* [0] is the supervisor's end, [1] the worker's.  0 or a negative errno. */
int channel_open(int ends[2]);

/* A peer that is gone reads nothing more: that is no error. */
void channel_send(int fd, enum message message);

/* The next message; false when there is none. */
bool channel_receive(enum message *message, int fd);

#endif
