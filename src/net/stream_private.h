/* What stream.c and the kinds of streams know of one another.
 *
 * A kind stands between the ops and the owner's bytes.  `plain` is in stream.c; TLS is in
 * tls_stream.c. */
#ifndef RINGLET_NET_STREAM_PRIVATE_H
#define RINGLET_NET_STREAM_PRIVATE_H

#include "net/stream.h"

struct stream_kind {
	/* The socket gave these bytes: stream_tell_received() what they mean. */
	void (*received)(struct stream *stream, struct text loan);

	/* Ends in stream_finish_output().  `last`: no other send follows. */
	void (*send)(struct stream *stream, struct iovec *vector, unsigned vector_count, bool more,
		bool last);
	void (*send_file)(/* NULL: all bytes must be in memory */
		struct stream *stream, int file, uint64_t offset, uint64_t length, bool more);
	void (*end)(struct stream *stream);

	/* Of a kind that has ops and memory of its own (stream->tls). */
	void (*resume)(struct stream *stream); /* called only while the stream is held */
	void (*cancel)(struct stream *stream);
	bool (*is_quiet)(const struct stream *stream); /* none of its ops is active */
	void (*closed)(struct stream *stream);         /* the descriptor is; frees the memory */
};

extern const struct stream_kind tls_stream_kind;

/* The owner ignores what the peer still sends. */
static inline bool stream_is_deaf(const struct stream *stream)
{
	return stream->closing || stream->last;
}

/* The following are called from done()s only, since they tell the owner. */
void stream_tell_ready(struct stream *stream);
void stream_tell_received(struct stream *stream, struct text bytes);
void stream_tell_end(struct stream *stream);
void stream_tell_failure(struct stream *stream, int64_t error);

/* The owner's send is over: 0 or more, or a negative errno. */
void stream_finish_output(struct stream *stream, int64_t result);

/* The owner's send fails, in a later turn. */
void stream_fail_output(struct stream *stream);

/* Closes the descriptor once no op works on it any more. */
void stream_close_if_quiet(struct stream *stream);

void stream_receive_if_wanted(struct stream *stream);

/* The client of a TLS stream speaks plain HTTP: it gets its answer that way. */
void stream_become_plain(struct stream *stream, struct text loan);

#endif
