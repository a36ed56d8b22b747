/* A stream that speaks TLS: ciphertext between the machine of net/tls.h and the socket.
 *
 * What it needs is taken at the first byte that arrives, so that a connection that says nothing
 * costs as much as a plain one.  It has a send op of its own, since the protocol also speaks when
 * the owner sends nothing; the owner's send is told as over when the last of its records has left.
 *
 * While reading has to wait (the owner paused, a handshake is on the pool, the peer does not take
 * what the protocol answered), the rest of the loan is copied and the stream is `held`: nothing
 * more is received. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "net/stream_private.h"
#include "net/tls.h"

struct tls_stream {
	struct stream *stream;
	struct tls *tls;
	struct op send;     /* a block of ciphertext */
	struct op later;    /* the handshake on the pool, or another look at what was kept */
	struct iovec block; /* what `send` names */
	size_t block_length;
	struct iovec *vector; /* of the owner's send: what is not encrypted yet */
	unsigned vector_count;
	size_t encrypted_length; /* of the owner's send: what is in the block */
	bool more, is_last;      /* of the owner's send */
	bool wants_output;       /* reading goes on when the block has left */
	bool is_ending;          /* stream_end() was called */
	bool is_failing;         /* FAILED is told when the alert has left */
};

static void read_on(struct tls_stream *own);

static struct proactor *proactor_of(const struct tls_stream *own)
{
	return own->stream->service->proactor;
}

/* --- out ---------------------------------------------------------------------------------- */

static void drop_used_parts(struct tls_stream *own)
{
	while (own->vector_count > 0 && own->vector->iov_len == 0) {
		own->vector++;
		own->vector_count--;
	}
}

/* As much of the owner's bytes as the block takes; behind the last of them the end. */
static int encrypt(struct tls_stream *own)
{
	int64_t length;

	if (own->stream->output && own->vector_count > 0) {
		length = tls_write(own->tls, own->vector, own->vector_count);
		if (length < 0)
			return (int)length;
		own->encrypted_length = (size_t)length;
		drop_used_parts(own);
	}
	if (own->is_ending || (own->is_last && own->vector_count == 0))
		tls_end(own->tls);
	return 0;
}

static void send_block(struct tls_stream *own, struct text block)
{
	struct stream *stream = own->stream;
	bool is_whole = own->vector_count == 0;

	own->block_length = block.length;
	own->block = (struct iovec){ (void *)(uintptr_t)block.bytes, block.length };
	if (own->is_last && is_whole)
		proactor_send_last(proactor_of(own), &own->send, stream->fd, &own->block, 1);
	else
		proactor_send(proactor_of(own), &own->send, stream->fd, &own->block, 1,
			own->more || !is_whole);
}

/* Sends what there is to be sent, unless a block is on its way. */
static void flush(struct tls_stream *own)
{
	struct stream *stream = own->stream;
	struct text block;
	int r;

	if (op_is_active(&own->send) || stream->closing)
		return;
	r = encrypt(own);
	block = tls_output(own->tls);
	if (block.length > 0)
		send_block(own, block);
	else if (r < 0)
		stream_fail_output(stream);
	else if (own->is_ending)
		proactor_shutdown(proactor_of(own), stream->fd, SHUT_WR);
}

/* What was in the block has not left, or nobody waits for it. */
static void give_up(struct tls_stream *own, int64_t result)
{
	struct stream *stream = own->stream;

	if (stream->output)
		stream_finish_output(stream, result);
	else if (stream->closing)
		stream_close_if_quiet(stream);
	else
		stream_tell_failure(stream, result);
}

/* The block has left: on with what waited for that. */
static void go_on(struct tls_stream *own)
{
	struct stream *stream = own->stream;

	if (stream->output && own->vector_count == 0)
		stream_finish_output(stream, 0);
	if (!stream->closing)
		flush(own);
	if (!stream->closing && own->wants_output)
		read_on(own);
}

static void block_sent(struct proactor *proactor, struct op *op)
{
	struct tls_stream *own = container_of(op, struct tls_stream, send);
	struct stream *stream = own->stream;

	(void)proactor;
	if (op->result >= 0) {
		tls_sent(own->tls, own->block_length);
		if (stream->output)
			stream->output->op.moved += own->encrypted_length;
		if (op->send.last && op->send.closed)
			stream->fd = -1;
	}
	own->encrypted_length = 0;
	if (op->result < 0 || stream->closing)
		give_up(own, op->result < 0 ? op->result : -ECANCELED);
	else if (own->is_failing)
		give_up(own, -EPROTO);
	else
		go_on(own);
}

/* --- in ----------------------------------------------------------------------------------- */

static void hand_to_pool(struct tls_stream *own);

static void fail_reading(struct tls_stream *own)
{
	log_debug("TLS: %s", tls_failure(own->tls));
	own->is_failing = true;
	flush(own);
	if (!op_is_active(&own->send))
		stream_tell_failure(own->stream, -EPROTO);
}

/* False: there is nothing to read at the moment. */
static bool read_once(struct tls_stream *own)
{
	struct stream *stream = own->stream;
	struct text plaintext;
	enum tls_result result = tls_read(own->tls, &plaintext);

	if (!stream->ready && tls_is_ready(own->tls))
		stream_tell_ready(stream);
	if (stream->closing)
		return false;
	switch (result) {
	case TLS_RECEIVED:
		if (!stream_is_deaf(stream))
			stream_tell_received(stream, plaintext);
		return true;
	case TLS_WANTS_INPUT:
		return false;
	case TLS_WANTS_OUTPUT:
		own->wants_output = true;
		return false;
	case TLS_WANTS_WORK:
		hand_to_pool(own);
		return false;
	case TLS_ENDED:
		stream_tell_end(stream);
		return false;
	case TLS_FAILED:
		fail_reading(own);
		return false;
	}
	return false;
}

/* Until the owner wants no more or there is no more; what is not read is kept. */
static void read_on(struct tls_stream *own)
{
	struct stream *stream = own->stream;

	own->wants_output = false;
	while (!stream->paused && !stream->failed && !stream->ended && !own->is_failing &&
		!stream_is_deaf(stream) && read_once(own))
		continue;
	if (stream->closing)
		return;
	if (!own->is_failing)
		flush(own);
	if (tls_keep_input(own->tls) < 0) {
		stream_tell_failure(stream, -ENOMEM);
		return;
	}
	stream->held = tls_has_input(own->tls) || op_is_active(&own->later) || own->wants_output;
	stream_receive_if_wanted(stream);
}

static void look_again(struct proactor *proactor, struct op *op)
{
	struct tls_stream *own = container_of(op, struct tls_stream, later);

	(void)proactor;
	if (own->stream->closing)
		stream_close_if_quiet(own->stream);
	else
		read_on(own);
}

static int64_t shake_hands(void *context)
{
	struct tls_stream *own = context;

	tls_work(own->tls);
	return 0;
}

static void hand_to_pool(struct tls_stream *own)
{
	op_init(&own->later, look_again);
	proactor_work(proactor_of(own), &own->later, shake_hands, own);
}

static void tls_stream_resume(struct stream *stream)
{
	struct tls_stream *own = stream->tls;

	if (!own || !tls_has_input(own->tls) || op_is_active(&own->later) || own->wants_output)
		return;
	op_init(&own->later, look_again);
	proactor_timeout(proactor_of(own), &own->later, 0);
}

static bool begin(struct stream *stream)
{
	struct tls_stream *own = calloc(1, sizeof(*own));

	if (own)
		own->tls = tls_new(stream->service->tls);
	if (!own || !own->tls) {
		free(own);
		return false;
	}
	own->stream = stream;
	op_init(&own->send, block_sent);
	op_init(&own->later, look_again);
	stream->tls = own;
	return true;
}

/* The letter that a method begins with; a ClientHello begins with 0x16. */
static bool is_plain_http(struct text loan)
{
	return loan.bytes[0] >= 'A' && loan.bytes[0] <= 'Z';
}

static void tls_stream_received(struct stream *stream, struct text loan)
{
	if (!stream->tls && is_plain_http(loan)) {
		stream_become_plain(stream, loan);
		return;
	}
	if (!stream->tls && !begin(stream)) {
		stream_tell_failure(stream, -ENOMEM);
		return;
	}
	tls_give(stream->tls->tls, loan);
	read_on(stream->tls);
}

/* --- the kind ----------------------------------------------------------------------------- */

/* Before the handshake is over nothing can be said: the send fails, in a later turn. */
static void tls_stream_send(
	struct stream *stream, struct iovec *vector, unsigned vector_count, bool more, bool last)
{
	struct tls_stream *own = stream->tls;

	if (!own || !stream->ready) {
		stream_fail_output(stream);
		return;
	}
	own->vector = vector;
	own->vector_count = vector_count;
	own->more = more;
	own->is_last = last;
	flush(own);
}

static void tls_stream_end(struct stream *stream)
{
	if (!stream->tls) {
		proactor_shutdown(stream->service->proactor, stream->fd, SHUT_WR);
		return;
	}
	stream->tls->is_ending = true;
	flush(stream->tls);
}

static void tls_stream_cancel(struct stream *stream)
{
	if (!stream->tls)
		return;
	proactor_cancel(stream->service->proactor, &stream->tls->send);
	proactor_cancel(stream->service->proactor, &stream->tls->later);
}

static bool tls_stream_is_quiet(const struct stream *stream)
{
	return !stream->tls ||
	       (!op_is_active(&stream->tls->send) && !op_is_active(&stream->tls->later));
}

static void tls_stream_closed(struct stream *stream)
{
	if (!stream->tls)
		return;
	tls_free(stream->tls->tls);
	free(stream->tls);
	stream->tls = NULL;
}

const struct stream_kind tls_stream_kind = {
	.received = tls_stream_received,
	.send = tls_stream_send,
	.end = tls_stream_end,
	.resume = tls_stream_resume,
	.cancel = tls_stream_cancel,
	.is_quiet = tls_stream_is_quiet,
	.closed = tls_stream_closed,
};
