/* The two tables, and nothing else: read a row as "in this state, when that happens, do this, and
 * go on in one of these".  The actions are in input.c and output.c. */
#include "http1/transitions.h"

#include "http1/connection.h"

#define IN(state)  (1u << INPUT_##state)
#define OUT(state) (1u << OUTPUT_##state)

/* Where a complete, partial or bad head leads. */
#define IN_HEAD (IN(READING_HEAD) | IN(HOLDING) | IN(ENDED))

/* Where a piece of a wanted body leads. */
#define IN_BODY (IN(READING_BODY) | IN(STALLED) | IN(HOLDING) | IN(ENDED))

/* Where a piece of the response leads: to the next send, or to the end of the exchange. */
#define OUT_PULL                                                                                   \
	(OUT(SENDING) | OUT(SENDING_FILE) | OUT(AWAITING_BODY) | OUT(READING) | OUT(LINGERING) |   \
		OUT(CLOSING))

/* clang-format off */
const struct input_cell input_table[INPUT_STATE_COUNT][INPUT_EVENT_COUNT] = {
	[INPUT_READING_HEAD] = {
		[INPUT_EVENT_RECEIVED]   = { input_read_head,     IN_HEAD },
		[INPUT_EVENT_PEER_ENDED] = { input_end_head,      IN(ENDED) },
		[INPUT_EVENT_TIMED_OUT]  = { input_expire_head,   IN(ENDED) },
		[INPUT_EVENT_CLOSING]    = { input_close,         IN(CLOSED) },
	},
	[INPUT_READING_BODY] = {
		[INPUT_EVENT_RECEIVED]   = { input_read_body,     IN_BODY },
		[INPUT_EVENT_WANTED]     = { input_keep_state,    IN(READING_BODY) },
		[INPUT_EVENT_PEER_ENDED] = { input_cut_body,      IN(ENDED) },
		[INPUT_EVENT_TIMED_OUT]  = { input_expire_body,   IN(ENDED) },
		[INPUT_EVENT_NEXT]       = { input_leave_body,    IN(DISCARDING) },
		[INPUT_EVENT_CLOSING]    = { input_close,         IN(CLOSED) },
	},
	[INPUT_STALLED] = {
		[INPUT_EVENT_RECEIVED]   = { input_keep_bytes,    IN(STALLED) },
		[INPUT_EVENT_WANTED]     = { input_continue_body, IN_BODY },
		[INPUT_EVENT_PEER_ENDED] = { input_note_end,      IN(STALLED) },
		[INPUT_EVENT_NEXT]       = { input_leave_body,    IN(DISCARDING) | IN_HEAD },
		[INPUT_EVENT_CLOSING]    = { input_close,         IN(CLOSED) },
	},
	[INPUT_HOLDING] = {
		[INPUT_EVENT_RECEIVED]   = { input_keep_bytes,    IN(HOLDING) },
		[INPUT_EVENT_WANTED]     = { input_begin_body,    IN_BODY },
		[INPUT_EVENT_PEER_ENDED] = { input_note_end,      IN(HOLDING) },
		[INPUT_EVENT_NEXT]       = { input_begin_next,    IN(DISCARDING) | IN_HEAD },
		[INPUT_EVENT_CLOSING]    = { input_close,         IN(CLOSED) },
	},
	[INPUT_DISCARDING] = {
		[INPUT_EVENT_RECEIVED]   = { input_discard,       IN(DISCARDING) | IN_HEAD },
		[INPUT_EVENT_PEER_ENDED] = { input_end,           IN(ENDED) },
		[INPUT_EVENT_CLOSING]    = { input_close,         IN(CLOSED) },
	},
	[INPUT_ENDED] = {
		[INPUT_EVENT_RECEIVED]   = { input_keep_state,    IN(ENDED) },
		[INPUT_EVENT_WANTED]     = { input_keep_state,    IN(ENDED) },
		[INPUT_EVENT_PEER_ENDED] = { input_note_end,      IN(ENDED) },
		[INPUT_EVENT_NEXT]       = { input_finish,        IN(DISCARDING) | IN(ENDED) },
		[INPUT_EVENT_CLOSING]    = { input_close,         IN(CLOSED) },
	},
	[INPUT_CLOSED] = {
		[INPUT_EVENT_RECEIVED]   = { input_keep_state,    IN(CLOSED) },
		[INPUT_EVENT_WANTED]     = { input_keep_state,    IN(CLOSED) },
		[INPUT_EVENT_PEER_ENDED] = { input_keep_state,    IN(CLOSED) },
		[INPUT_EVENT_TIMED_OUT]  = { input_keep_state,    IN(CLOSED) },
		[INPUT_EVENT_NEXT]       = { input_keep_state,    IN(CLOSED) },
		[INPUT_EVENT_CLOSING]    = { input_keep_state,    IN(CLOSED) },
	},
};

const struct output_cell output_table[OUTPUT_STATE_COUNT][OUTPUT_EVENT_COUNT] = {
	[OUTPUT_READING] = {
		[OUTPUT_EVENT_HEAD_READ]  = { output_begin,           OUT(HANDLING) | OUT(SENDING_INTERIM) },
		[OUTPUT_EVENT_TIMED_OUT]  = { output_expire_reading,  OUT(READING) | OUT(CLOSING) },
		[OUTPUT_EVENT_DRAIN]      = { output_drain,           OUT(READING) },
		[OUTPUT_EVENT_ENDED]      = { output_end_reading,     OUT(LINGERING) | OUT(CLOSING) },
		[OUTPUT_EVENT_FAILED]     = { output_close,           OUT(CLOSING) },
	},
	[OUTPUT_HANDLING] = {
		[OUTPUT_EVENT_WANTED]     = { output_want_body,       OUT(HANDLING) | OUT(SENDING_INTERIM) },
		[OUTPUT_EVENT_ANSWERED]   = { output_answer,          OUT_PULL },
		[OUTPUT_EVENT_TIMED_OUT]  = { output_expire_handling, OUT(HANDLING) },
		[OUTPUT_EVENT_DRAIN]      = { output_drain,           OUT(HANDLING) },
		[OUTPUT_EVENT_FAILED]     = { output_close,           OUT(CLOSING) },
	},
	[OUTPUT_SENDING_INTERIM] = {
		[OUTPUT_EVENT_WANTED]     = { output_note_continue,   OUT(SENDING_INTERIM) },
		[OUTPUT_EVENT_ANSWERED]   = { output_keep_state,      OUT(SENDING_INTERIM) },
		[OUTPUT_EVENT_SENT]       = { output_sent_interim,    OUT(HANDLING) | OUT(SENDING_INTERIM) | OUT_PULL },
		[OUTPUT_EVENT_TIMED_OUT]  = { output_expire_sending,  OUT(SENDING_INTERIM) | OUT(CLOSING) },
		[OUTPUT_EVENT_DRAIN]      = { output_drain,           OUT(SENDING_INTERIM) },
		[OUTPUT_EVENT_FAILED]     = { output_close,           OUT(CLOSING) },
	},
	[OUTPUT_SENDING] = {
		[OUTPUT_EVENT_BODY_READY] = { output_note_ready,      OUT(SENDING) },
		[OUTPUT_EVENT_SENT]       = { output_sent,            OUT_PULL },
		[OUTPUT_EVENT_TIMED_OUT]  = { output_expire_sending,  OUT(SENDING) | OUT(CLOSING) },
		[OUTPUT_EVENT_DRAIN]      = { output_drain,           OUT(SENDING) },
		[OUTPUT_EVENT_FAILED]     = { output_close,           OUT(CLOSING) },
	},
	[OUTPUT_SENDING_FILE] = {
		[OUTPUT_EVENT_SENT]       = { output_sent,            OUT_PULL },
		[OUTPUT_EVENT_TIMED_OUT]  = { output_expire_sending,  OUT(SENDING_FILE) | OUT(CLOSING) },
		[OUTPUT_EVENT_DRAIN]      = { output_drain,           OUT(SENDING_FILE) },
		[OUTPUT_EVENT_FAILED]     = { output_close,           OUT(CLOSING) },
	},
	[OUTPUT_AWAITING_BODY] = {
		[OUTPUT_EVENT_BODY_READY] = { output_pull,            OUT_PULL },
		[OUTPUT_EVENT_TIMED_OUT]  = { output_close,           OUT(CLOSING) },
		[OUTPUT_EVENT_DRAIN]      = { output_drain,           OUT(AWAITING_BODY) },
		[OUTPUT_EVENT_FAILED]     = { output_close,           OUT(CLOSING) },
	},
	[OUTPUT_LINGERING] = {
		[OUTPUT_EVENT_TIMED_OUT]  = { output_expire_silence,  OUT(LINGERING) | OUT(CLOSING) },
		[OUTPUT_EVENT_DRAIN]      = { output_keep_state,      OUT(LINGERING) },
		[OUTPUT_EVENT_ENDED]      = { output_close,           OUT(CLOSING) },
		[OUTPUT_EVENT_FAILED]     = { output_close,           OUT(CLOSING) },
	},
	[OUTPUT_CLOSING] = {
		[OUTPUT_EVENT_HEAD_READ]  = { output_keep_state,      OUT(CLOSING) },
		[OUTPUT_EVENT_WANTED]     = { output_keep_state,      OUT(CLOSING) },
		[OUTPUT_EVENT_ANSWERED]   = { output_keep_state,      OUT(CLOSING) },
		[OUTPUT_EVENT_BODY_READY] = { output_keep_state,      OUT(CLOSING) },
		[OUTPUT_EVENT_SENT]       = { output_keep_state,      OUT(CLOSING) },
		[OUTPUT_EVENT_TIMED_OUT]  = { output_keep_state,      OUT(CLOSING) },
		[OUTPUT_EVENT_DRAIN]      = { output_keep_state,      OUT(CLOSING) },
		[OUTPUT_EVENT_ENDED]      = { output_keep_state,      OUT(CLOSING) },
		[OUTPUT_EVENT_FAILED]     = { output_keep_state,      OUT(CLOSING) },
	},
};
/* clang-format on */

const char *const input_state_names[INPUT_STATE_COUNT] = {
	[INPUT_READING_HEAD] = "reading_head",
	[INPUT_READING_BODY] = "reading_body",
	[INPUT_STALLED] = "stalled",
	[INPUT_HOLDING] = "holding",
	[INPUT_DISCARDING] = "discarding",
	[INPUT_ENDED] = "ended_input",
	[INPUT_CLOSED] = "closed_input",
};

const char *const input_event_names[INPUT_EVENT_COUNT] = {
	[INPUT_EVENT_RECEIVED] = "received",
	[INPUT_EVENT_WANTED] = "wanted",
	[INPUT_EVENT_PEER_ENDED] = "peer_ended",
	[INPUT_EVENT_TIMED_OUT] = "timed_out",
	[INPUT_EVENT_NEXT] = "next",
	[INPUT_EVENT_CLOSING] = "closing",
};

const char *const output_state_names[OUTPUT_STATE_COUNT] = {
	[OUTPUT_READING] = "reading",
	[OUTPUT_HANDLING] = "handling",
	[OUTPUT_SENDING_INTERIM] = "sending_interim",
	[OUTPUT_SENDING] = "sending",
	[OUTPUT_SENDING_FILE] = "sending_file",
	[OUTPUT_AWAITING_BODY] = "awaiting_body",
	[OUTPUT_LINGERING] = "lingering",
	[OUTPUT_CLOSING] = "closing",
};

const char *const output_event_names[OUTPUT_EVENT_COUNT] = {
	[OUTPUT_EVENT_HEAD_READ] = "head_read",
	[OUTPUT_EVENT_WANTED] = "wanted",
	[OUTPUT_EVENT_ANSWERED] = "answered",
	[OUTPUT_EVENT_BODY_READY] = "body_ready",
	[OUTPUT_EVENT_SENT] = "sent",
	[OUTPUT_EVENT_TIMED_OUT] = "timed_out",
	[OUTPUT_EVENT_DRAIN] = "drain",
	[OUTPUT_EVENT_ENDED] = "ended",
	[OUTPUT_EVENT_FAILED] = "failed",
};
