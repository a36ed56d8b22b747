/* The states of a connection, the events that move it, and which moves there are.
 *
 * A connection is two machines that advance side by side: its input (what is done with received
 * bytes) and its output, which is also its life.  The two tables in transitions.c are the whole
 * truth about both; http1_advance_input() and http1_advance_output() in connection.c are the only
 * writers of the states.  An empty cell is an assertion: no client may reach one. */
#ifndef RINGLET_HTTP1_TRANSITIONS_H
#define RINGLET_HTTP1_TRANSITIONS_H

#include <stdint.h>

struct connection;

enum input_state {
	INPUT_READING_HEAD, /* bytes are a request head, or nothing yet */
	INPUT_READING_BODY, /* bytes are a body that the endpoint wants */
	INPUT_STALLED,      /* the endpoint is behind: receiving is paused */
	INPUT_HOLDING,      /* a request is being answered: bytes are kept for later */
	INPUT_DISCARDING,   /* bytes are a body that nobody wants */
	INPUT_ENDED,        /* nothing more is parsed: the client finished, or sent rubbish */
	INPUT_CLOSED,       /* the connection closes */
	INPUT_STATE_COUNT
};

enum input_event {
	INPUT_EVENT_RECEIVED,   /* stream_received() */
	INPUT_EVENT_WANTED,     /* the endpoint asked for the body, or consumed some of it */
	INPUT_EVENT_PEER_ENDED, /* the client will send no more */
	INPUT_EVENT_TIMED_OUT,  /* a body did not come in time */
	INPUT_EVENT_NEXT,       /* the exchange is over */
	INPUT_EVENT_CLOSING,    /* the output closes the connection */
	INPUT_EVENT_COUNT
};

enum output_state {
	OUTPUT_READING,         /* no exchange: a head is awaited */
	OUTPUT_HANDLING,        /* the endpoint has the exchange */
	OUTPUT_SENDING_INTERIM, /* 100 (Continue) or earlier answers leave while it works */
	OUTPUT_SENDING,         /* head or body leave from memory */
	OUTPUT_SENDING_FILE,    /* body leaves from a file, by zero copy */
	OUTPUT_AWAITING_BODY,   /* the body source has nothing yet */
	OUTPUT_LINGERING,       /* all was sent and ended; the client's end is awaited */
	OUTPUT_CLOSING,         /* the stream closes */
	OUTPUT_STATE_COUNT
};

enum output_event {
	OUTPUT_EVENT_HEAD_READ,  /* a request head is complete, or bad */
	OUTPUT_EVENT_WANTED,     /* the endpoint asked for the body */
	OUTPUT_EVENT_ANSWERED,   /* the endpoint answered */
	OUTPUT_EVENT_BODY_READY, /* the body source has something */
	OUTPUT_EVENT_SENT,       /* the send in flight is over */
	OUTPUT_EVENT_TIMED_OUT,  /* the connection's deadline passed */
	OUTPUT_EVENT_DRAIN,      /* the server wants to end */
	OUTPUT_EVENT_ENDED,      /* the input has nothing more for us */
	OUTPUT_EVENT_FAILED,     /* the stream failed, or the server stops */
	OUTPUT_EVENT_COUNT
};

/* An action does what a move means and returns the next state, one of the cell's. */
typedef enum input_state input_action_fn(struct connection *connection);
typedef enum output_state output_action_fn(struct connection *connection);

struct input_cell {
	input_action_fn *action;
	uint16_t next; /* bits of the states that may follow */
};

struct output_cell {
	output_action_fn *action;
	uint16_t next;
};

extern const struct input_cell input_table[INPUT_STATE_COUNT][INPUT_EVENT_COUNT];
extern const struct output_cell output_table[OUTPUT_STATE_COUNT][OUTPUT_EVENT_COUNT];

/* "reading_head", "head_read": the names in the debug log and in /stats. */
extern const char *const input_state_names[INPUT_STATE_COUNT];
extern const char *const input_event_names[INPUT_EVENT_COUNT];
extern const char *const output_state_names[OUTPUT_STATE_COUNT];
extern const char *const output_event_names[OUTPUT_EVENT_COUNT];

#endif
