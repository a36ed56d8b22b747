/* An ordered stream of bytes in both directions, over a connected socket.
 *
 * The owner is told what happened by one function, stream->event().  At most one send is in flight;
 * receiving goes on beside it until it is paused.  Lifetime in one rule: after stream_close() the
 * owner waits for STREAM_CLOSED, then frees.  A stream never calls event() from inside a call of
 * its owner.
 *
 * Today every stream is plain: what is received and sent is what stands on the wire.  TLS will be
 * another implementation of these calls; nothing above may assume that it sees the socket. */
#ifndef RINGLET_NET_STREAM_H
#define RINGLET_NET_STREAM_H

#include "proactor/proactor.h"

/* A file of this length is sent in full segments. */
enum { STREAM_CORKED_LENGTH_MIN = 512 * 1024 };

enum stream_event {
	STREAM_RECEIVED, /* stream->received holds bytes, valid during the event */
	STREAM_SENT,     /* the send or send_file moved everything */
	STREAM_ENDED,    /* the peer ended its direction: no more RECEIVED */
	STREAM_FAILED,   /* stream->error; once; only CLOSED can follow, after stream_close() */
	STREAM_CLOSED,   /* the last event: nothing is in flight, the descriptor is closed */
};

struct stream;
typedef void stream_event_fn(struct stream *stream, enum stream_event event);

/* What a stream needs only while it sends; its owner lends it from its active block. */
struct stream_output {
	struct op op;
	struct stream *stream;
	bool is_long; /* a part of a long body */
};

struct stream {
	struct proactor *proactor;
	stream_event_fn *event;
	struct stream_output *output; /* while a send is in flight */
	struct text received;
	struct op receive; /* then, when all else has ended, the close */
	int fd;
	int error;
	bool paused;          /* no RECEIVED wanted for now */
	bool ended;           /* the peer's end was seen */
	bool last;            /* stream_send_last() was called */
	bool closing;         /* stream_close() was called */
	bool failed;          /* FAILED was told */
	bool corked;          /* a long file is on its way */
	uint8_t unsent_shift; /* log2 of the bound of what is unsent; 0: none */
};

/* How many bytes the long bodies on their way in this process share: each, when it begins a send,
 * leaves no more than its part with the kernel beyond what can be sent; 0, the default: no bound.
 * The kernel would take 2 MiB and more of every client that hardly reads, and once all sockets hold
 * what tcp_mem allows (tcp(7)) everybody's segments are slow.  Not a bound of the sum: what was
 * taken when there were fewer is not taken back. */
void stream_bound_unsent(uint64_t length_max);

/* Takes the connected, non-blocking `fd`.  Nothing is received before stream_receive(). */
void stream_open(struct stream *stream, struct proactor *proactor, int fd, stream_event_fn *event);

/* Begins to receive; RECEIVED events follow one another until pause, end or failure. */
void stream_receive(struct stream *stream);

/* To be called from within a RECEIVED event: the next one comes after resume.  Meanwhile bytes stay
 * with the kernel or, up to a bound, with the proactor, and the peer's end goes unnoticed. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* Sends all of the vector (whose entries change meanwhile).  `more`: further bytes follow at once,
 * as a head goes before its file.  Ends in SENT or FAILED. */
void stream_send(struct stream *stream, struct stream_output *output, struct iovec *vector,
	unsigned vector_count, bool more);

/* The same, as the last: nothing is received any more, and stream_close() is all that may follow
 * SENT, whose end leaves with these bytes. */
void stream_send_last(struct stream *stream, struct stream_output *output, struct iovec *vector,
	unsigned vector_count);

/* Sends `length` bytes of `file` from `offset`.  FAILED with -ENODATA when the file is shorter. */
void stream_send_file(struct stream *stream, struct stream_output *output, int file,
	uint64_t offset, uint64_t length, bool more);

/* Bytes of the send in flight that have left so far; 0 when none is in flight. */
uint64_t stream_progress(const struct stream *stream);

/* Ends the sending direction (FIN); no send may be in flight. */
void stream_end(struct stream *stream);

/* Ends everything, in whatever state; once.  CLOSED follows. */
void stream_close(struct stream *stream);

#endif
