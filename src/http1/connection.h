/* One HTTP/1 connection: its two states and what it holds while a request is under way.
 *
 * Private to http1.  connection.c moves events through the tables and owns the lifetime; input.c
 * and output.c hold the actions, one file per table.  Actions change what the connection holds and
 * return the next state; what follows from that for the other table they post as an event. */
#ifndef RINGLET_HTTP1_CONNECTION_H
#define RINGLET_HTTP1_CONNECTION_H

#include <netinet/in.h>

#include "http1/body.h"
#include "http1/parser.h"
#include "http1/service.h"
#include "http1/transitions.h"
#include "net/stream.h"

enum {
	CONNECTION_EVENTS_MAX = 8,      /* posted and not yet advanced */
	CONNECTION_OUTPUT_SIZE = 16384, /* heads, small bodies, gathered answers */
	CONNECTION_GATHERED_MAX = 16,   /* answers that leave in one send */
	CONNECTION_LAST_MAX = 65536,    /* bytes of body that the close may follow at once */
	CONNECTION_COPIED_MAX = 2048,   /* bytes of body worth copying to save a range of memory */
	CONNECTION_PIECE_MAX = 1 << 24, /* bytes of body per send */
	CONNECTION_DISCARDED_MAX = 65536, /* bytes of unwanted body read before giving up */
};

/* What a connection holds from the first byte of a request to the last of its answer; followed by
 * the memory of the head (options.header_bytes). */
struct active {
	struct connection *connection;
	struct http1_scan scan;
	struct http1_head head;
	struct http1_body body;
	struct buffer kept;         /* received and not yet used; its memory is taken when needed */
	unsigned bad_status;        /* the head was refused with this status; 0: it is good */
	const char *bad_reason;     /* for the log */
	uint64_t started_ns;        /* when the first byte was seen; 0: not yet */
	uint64_t content_length;    /* of the request body delivered so far */
	uint64_t unconsumed_length; /* delivered and not yet consumed */
	uint64_t discarded_length;
	uint64_t progress;     /* acknowledged bytes when the send's deadline last passed */
	uint64_t body_length;  /* of the response body handed to the stream so far */
	size_t lead_length;    /* of what precedes the piece in the send in flight */
	size_t output_sent;    /* how much of `output` the send in flight takes */
	size_t earlier_length; /* of the answers in `output` before this exchange's head */
	unsigned gathered_count;
	bool exchanging;     /* between HEAD_READ and the exchange's end */
	bool delivering;     /* the endpoint's sink is receiving bytes this moment */
	bool sink_ended;     /* the endpoint's sink was told its end */
	bool continue_due;   /* 100 (Continue) is to be sent */
	bool bodyless;       /* no body is to be sent */
	bool chunked;        /* the response body is framed in chunks */
	bool piece_is_last;  /* nothing follows `piece` */
	bool piece_due;      /* `piece` is a file that follows the send in flight */
	bool head_unsent;    /* the head is in `output`, in no send yet */
	bool sending;        /* a send is in flight, or was when the connection was closed */
	bool awaiting_ready; /* the source said LATER and has not called ready() */
	struct body_piece piece;
	struct iovec vector[3];
	struct stream_output send;
	struct buffer output; /* to be sent next: gathered answers, the head, chunk framing */
	struct exchange exchange;
	char output_memory[CONNECTION_OUTPUT_SIZE];
	char head_memory[];
};

/* What every connection holds all its life: with what malloc() adds, 272 bytes. */
struct connection {
	struct stream stream;
	struct list_node node; /* in the service */
	struct http1_service *service;
	struct active *active; /* NULL while idle */
	struct deadline deadline;
	struct deadline_queue *deadline_queue; /* the one it was started in; NULL: none */
	union {
		sa_family_t family;
		struct sockaddr_in6 address;
	} peer;
	uint32_t request_count;         /* no more are counted than it holds */
	uint32_t unacknowledged_length; /* when a deadline last passed without a send */
	uint8_t input;                  /* enum input_state */
	uint8_t output;                 /* enum output_state */
	uint8_t events[CONNECTION_EVENTS_MAX];
	uint8_t event_first : 4, event_count : 4;
	bool running : 1;       /* events are being advanced */
	bool last : 1;          /* no request follows the one at hand */
	bool peer_ended : 1;    /* the client sent its end */
	bool progressed : 1;    /* the deadline counts anew */
	bool stream_closed : 1; /* the stream is gone */
	uint64_t serial;
};
_Static_assert(sizeof(struct connection) <= 264, "an idle connection is small");

/* --- connection.c ------------------------------------------------------------------------- */

void connection_open(struct http1_service *service, int fd, bool tls);

/* Posts an event; it is advanced before this returns, or, from inside an action, afterwards. */
void connection_post_input(struct connection *connection, enum input_event event);
void connection_post_output(struct connection *connection, enum output_event event);

/* 0 or -ENOMEM. */
int connection_activate(struct connection *connection);

/* Nothing of a request is left: gives the active block back. */
void connection_idle(struct connection *connection);

/* How often each cell was used, for the tests. */
extern uint64_t input_cell_counts[INPUT_STATE_COUNT][INPUT_EVENT_COUNT];
extern uint64_t output_cell_counts[OUTPUT_STATE_COUNT][OUTPUT_EVENT_COUNT];

/* --- input.c ------------------------------------------------------------------------------ */

/* Bytes of a next request are there and make a complete head, or a bad one. */
bool input_has_next_head(const struct connection *connection);

/* Is some of the request's body still to come from the client? */
bool input_owes_body(const struct connection *connection);

size_t input_kept_length(const struct connection *connection);

input_action_fn input_keep_state, input_read_head, input_end_head, input_expire_head;
input_action_fn input_read_body, input_cut_body, input_expire_body, input_leave_body;
input_action_fn input_keep_bytes, input_continue_body, input_begin_body, input_note_end;
input_action_fn input_begin_next, input_discard, input_end, input_finish, input_close;

/* --- output.c ----------------------------------------------------------------------------- */

extern const struct exchange_wire http1_wire;

/* The connection is over, whatever it was sending: what has left is counted, an exchange that was
 * answered is cut. */
void output_break_off(struct connection *connection);

output_action_fn output_keep_state, output_begin, output_expire_reading, output_expire_silence,
	output_drain, output_end_reading;
output_action_fn output_want_body, output_answer, output_expire_handling;
output_action_fn output_note_continue, output_sent_interim, output_expire_sending, output_sent;
output_action_fn output_note_ready, output_pull, output_close;

#endif
