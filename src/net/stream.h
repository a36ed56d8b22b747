/* An ordered stream of bytes in both directions, over a connected socket.
 *
 * One function, stream->event(), tells the owner what happened, and never from inside a call of the
 * owner.  At most one send is in flight; receiving goes on beside it until it is paused.  Lifetime:
 * after stream_close() the owner waits for STREAM_CLOSED, then frees.
 *
 * Streams are sealed: an owner embeds a struct stream and a struct stream_output and calls the
 * functions below, but touches none of their members (a style check).  What is done between the
 * owner's bytes and the socket is the stream's kind: `plain` (they are the bytes on the wire) or
 * TLS. */
#ifndef RINGLET_NET_STREAM_H
#define RINGLET_NET_STREAM_H

#include "proactor/proactor.h"

/* A file of this length is sent in full segments. */
enum { STREAM_CORKED_LENGTH_MIN = 512 * 1024 };

enum stream_event {
	STREAM_READY,    /* the kind's handshake is over; once, before RECEIVED and ENDED */
	STREAM_RECEIVED, /* stream_received() has bytes, valid during the event */
	STREAM_SENT,     /* the send or send_file moved everything */
	STREAM_ENDED,    /* the peer ended its direction: no more RECEIVED */
	STREAM_FAILED,   /* stream_error(); once; only CLOSED can follow, after stream_close() */
	STREAM_CLOSED,   /* the last event: nothing is in flight, the descriptor is closed */
};

struct stream;
struct stream_kind;
struct tls_service;
struct tls_stream;
typedef void stream_event_fn(struct stream *stream, enum stream_event event);

/* What the streams of one worker share. */
struct stream_service {
	struct proactor *proactor;
	struct tls_service *tls;    /* the caller's; NULL: every stream is plain */
	struct text received;       /* by the stream whose RECEIVED event this is */
	uint64_t unsent_length_max; /* of all long bodies together; 0: no bound */
	unsigned sharer_count;      /* long bodies on their way */
};

/* What a stream needs only while it sends; its owner lends it from its active block. */
struct stream_output {
	struct op op;
	struct stream *stream;
};

struct stream {
	const struct stream_kind *kind;
	struct stream_service *service;
	stream_event_fn *event;
	struct stream_output *output; /* while a send is in flight */
	struct tls_stream *tls;       /* tls_stream.c's, from the first byte received on */
	struct op receive;            /* then, when all else has ended, the close */
	int fd;
	int error;
	bool ready : 1;       /* READY was told */
	bool held : 1;        /* the kind has to do with what was received: nothing more yet */
	bool misled : 1;      /* the client of a TLS stream speaks plain HTTP */
	bool paused : 1;      /* no RECEIVED wanted for now */
	bool ended : 1;       /* the peer's end was seen */
	bool last : 1;        /* stream_send_last() was called */
	bool closing : 1;     /* stream_close() was called */
	bool failed : 1;      /* FAILED was told */
	bool corked : 1;      /* a long file is on its way */
	bool sharing : 1;     /* a long body is on its way */
	uint8_t unsent_shift; /* log2 of the bound of what is unsent; 0: none */
};

/* All long bodies on their way share `unsent_length_max` bytes: when a send of one begins, its
 * socket is told to take no more than its share beyond what can be sent (0: no bound).  Otherwise
 * the kernel would take 2 MiB and more of every client that hardly reads, and once all sockets hold
 * what tcp_mem allows (tcp(7)), every connection slows down.  The sum has no strict bound: bytes
 * taken while there were fewer sharers are not taken back. */
void stream_service_open(
	struct stream_service *service, struct proactor *proactor, uint64_t unsent_length_max);

/* Takes the connected, non-blocking `fd`.  Nothing is received before stream_receive(). */
void stream_open(
	struct stream *stream, struct stream_service *service, int fd, stream_event_fn *event);

/* The peer's address, of a socket that is to be a stream; 0 or a negative errno, also when the peer
 * is gone. */
int stream_peer_address(
	const struct stream_service *service, int fd, struct sockaddr_storage *address);

/* The same for a client that speaks TLS.  READY comes when the handshake is over.  A client that
 * begins with a letter speaks plain HTTP: the stream is a plain one then, and misled. */
void stream_open_tls(
	struct stream *stream, struct stream_service *service, int fd, stream_event_fn *event);

/* Do the bytes cross the network encrypted? */
bool stream_is_secure(const struct stream *stream);

static inline bool stream_is_misled(const struct stream *stream)
{
	return stream->misled;
}

/* Begins to receive; RECEIVED events follow one another until pause, end or failure.  Harmless when
 * nothing can be received any more. */
void stream_receive(struct stream *stream);

/* At most one RECEIVED comes between pause and resume.  Meanwhile bytes stay with the kernel or, up
 * to a bound, with the proactor, and the peer's end goes unnoticed.  Both are idempotent. */
static inline void stream_pause(struct stream *stream)
{
	stream->paused = true;
}
static inline void stream_resume(struct stream *stream)
{
	if (stream->paused)
		stream_receive(stream);
}

/* The bytes of this RECEIVED event; empty outside of one. */
static inline struct text stream_received(const struct stream *stream)
{
	return stream->service->received;
}

/* The negative errno of FAILED. */
static inline int stream_error(const struct stream *stream)
{
	return stream->error;
}

/* Sends all of the vector (whose entries change meanwhile).  `more`: further bytes follow at once,
 * as a head goes before its file.  Ends in SENT or FAILED. */
void stream_send(struct stream *stream, struct stream_output *output, struct iovec *vector,
	unsigned vector_count, bool more);

/* The same, as the last: nothing is received any more, and stream_close() is all that may follow
 * SENT.  The end leaves together with these bytes, if the kind and the backend can do so. */
void stream_send_last(struct stream *stream, struct stream_output *output, struct iovec *vector,
	unsigned vector_count);

/* Sends `length` bytes of `file` from `offset`.  FAILED with -ENODATA when the file is shorter. */
void stream_send_file(struct stream *stream, struct stream_output *output, int file,
	uint64_t offset, uint64_t length, bool more);

/* Bytes of the owner that left with the last send of this output, be it in flight or over. */
static inline uint64_t stream_sent_length(const struct stream_output *output)
{
	return output->op.moved;
}

/* The body that the last sends were parts of is over.  Until then it has a share of what may be
 * unsent, also while no send is in flight. */
void stream_end_body(struct stream *stream);

/* Can the kind send files?  If not, stream_send_file() must not be called. */
bool stream_sends_files(const struct stream *stream);

/* Ends the sending direction (FIN); no send may be in flight. */
void stream_end(struct stream *stream);

/* Bytes on the wire that the peer has not acknowledged. */
uint32_t stream_unacknowledged_length(const struct stream *stream);

/* stream_close() that follows will reset the connection: what the peer has not acknowledged is
 * lost, and its memory is free at once. */
void stream_reset_at_close(struct stream *stream);

/* Ends everything, in whatever state; once.  CLOSED follows. */
void stream_close(struct stream *stream);

#endif
