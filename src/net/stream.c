/* A plain stream: a receive op that follows itself, at most one send beside it, and a close that
 * waits for both.
 *
 * The receive op is the stream's own, the output its owner's.  Events are told from done()s only,
 * and after an event the stream looks again at what its owner asked for meanwhile: close, pause. */
#include "net/stream.h"

#include <assert.h>
#include <errno.h>

static void receive_done(struct proactor *proactor, struct op *op);

void stream_open(struct stream *stream, struct proactor *proactor, int fd, stream_event_fn *event)
{
	*stream = (struct stream){ .proactor = proactor, .event = event, .fd = fd };
	op_init(&stream->receive, receive_done);
}

static void close_done(struct proactor *proactor, struct op *op)
{
	struct stream *stream = container_of(op, struct stream, receive);

	(void)proactor;
	stream->fd = -1;
	stream->event(stream, STREAM_CLOSED);
}

/* The descriptor may go when no op works on it any more. */
static void close_if_quiet(struct stream *stream)
{
	if (op_is_active(&stream->receive) || stream->output)
		return;
	op_init(&stream->receive, close_done);
	proactor_close(stream->proactor, &stream->receive, stream->fd);
}

static void tell_failure(struct stream *stream, int64_t error)
{
	if (stream->failed)
		return;
	stream->failed = true;
	stream->error = (int)error;
	stream->event(stream, STREAM_FAILED);
}

/* Nobody wants to hear what the peer still says. */
static bool is_deaf(const struct stream *stream)
{
	return stream->closing || stream->last;
}

static void tell_received(struct stream *stream, struct text loan)
{
	stream->received = loan;
	stream->event(stream, STREAM_RECEIVED);
	stream->received = (struct text){ NULL, 0 };
	if (!is_deaf(stream) && !stream->paused && !op_is_active(&stream->receive))
		proactor_receive(stream->proactor, &stream->receive, stream->fd);
}

static void tell_end(struct stream *stream)
{
	stream->ended = true;
	stream->event(stream, STREAM_ENDED);
}

static void receive_done(struct proactor *proactor, struct op *op)
{
	struct stream *stream = container_of(op, struct stream, receive);

	(void)proactor;
	if (stream->closing)
		close_if_quiet(stream);
	if (is_deaf(stream))
		return;
	if (op->result > 0)
		tell_received(stream, op->receive.loan);
	else if (op->result == 0)
		tell_end(stream);
	else
		tell_failure(stream, op->result);
}

void stream_receive(struct stream *stream)
{
	assert(!stream->paused && !stream->ended && !stream->closing);
	proactor_receive(stream->proactor, &stream->receive, stream->fd);
}

void stream_pause(struct stream *stream)
{
	assert(!op_is_active(&stream->receive));
	stream->paused = true;
}

void stream_resume(struct stream *stream)
{
	assert(stream->paused);
	stream->paused = false;
	if (!stream->ended && !stream->failed && !is_deaf(stream))
		proactor_receive(stream->proactor, &stream->receive, stream->fd);
}

/* --- what may be unsent ------------------------------------------------------------------- */

/* Those in the middle of a long body share it.  A share is a power of two, so that it seldom
 * changes; one of 2 MiB is as much as a socket takes by itself. */
enum { SHARE_SHIFT_MIN = 16, SHARE_SHIFT_MAX = 21 };

static struct {
	uint64_t length_max;
	unsigned sharer_count;
} unsent;

void stream_bound_unsent(uint64_t length_max)
{
	unsent.length_max = length_max;
}

/* 0: no bound. */
static uint8_t share_of_unsent(void)
{
	uint64_t share = unsent.length_max / unsent.sharer_count;
	uint8_t shift = SHARE_SHIFT_MIN;

	if (unsent.length_max == 0 || share >> SHARE_SHIFT_MAX > 0)
		return 0;
	while (share >> (shift + 1) > 0)
		shift++;
	return shift;
}

static void bound_by_share(struct stream *stream)
{
	uint8_t shift = share_of_unsent();

	if (stream->unsent_shift == shift)
		return;
	stream->unsent_shift = shift;
	proactor_bound_unsent(stream->proactor, stream->fd, shift > 0 ? 1 << shift : 0);
}

/* --- output ------------------------------------------------------------------------------- */

/* With TCP_NODELAY every acknowledgement that comes while a long file is handed over sends off what
 * is there, a segment that could have been longer: a fifth more of them, and of the CPU time.  A
 * cork keeps them full; a short file has too few for the two calls and the last, held back,
 * segment. */
static void cork(struct stream *stream, bool corked)
{
	if (stream->corked == corked)
		return;
	stream->corked = corked;
	proactor_cork(stream->proactor, stream->fd, corked);
}

static void output_done(struct proactor *proactor, struct op *op)
{
	struct stream_output *output = container_of(op, struct stream_output, op);
	struct stream *stream = output->stream;

	(void)proactor;
	unsent.sharer_count -= output->is_long;
	stream->output = NULL;
	if (stream->last && op->send.closed)
		stream->fd = -1;
	cork(stream, false);
	if (stream->closing)
		close_if_quiet(stream);
	else if (op->result < 0)
		tell_failure(stream, op->result);
	else
		stream->event(stream, STREAM_SENT);
}

static void take_output(struct stream *stream, struct stream_output *output, bool is_long)
{
	assert(!stream->output && !stream->closing);
	output->stream = stream;
	output->is_long = is_long;
	op_init(&output->op, output_done);
	stream->output = output;
	unsent.sharer_count += is_long;
	if (is_long)
		bound_by_share(stream);
}

void stream_send(struct stream *stream, struct stream_output *output, struct iovec *vector,
	unsigned vector_count, bool more)
{
	take_output(stream, output, more);
	proactor_send(stream->proactor, &output->op, stream->fd, vector, vector_count, more);
}

void stream_send_last(struct stream *stream, struct stream_output *output, struct iovec *vector,
	unsigned vector_count)
{
	take_output(stream, output, false);
	stream->last = true;
	proactor_cancel(stream->proactor, &stream->receive);
	proactor_send_last(stream->proactor, &output->op, stream->fd, vector, vector_count);
}

void stream_send_file(struct stream *stream, struct stream_output *output, int file,
	uint64_t offset, uint64_t length, bool more)
{
	bool is_long = length >= STREAM_CORKED_LENGTH_MIN;

	take_output(stream, output, more || is_long);
	cork(stream, is_long);
	proactor_sendfile(stream->proactor, &output->op, stream->fd, file, offset, length, more);
}

uint64_t stream_progress(const struct stream *stream)
{
	return stream->output ? stream->output->op.moved : 0;
}

void stream_end(struct stream *stream)
{
	assert(!stream->output && !stream->closing);
	/* A peer that is gone shows itself to the receive. */
	proactor_shutdown(stream->proactor, stream->fd, SHUT_WR);
}

/* No shutdown(2) first: the cancelled ops end by themselves, as the sockets are non-blocking. */
void stream_close(struct stream *stream)
{
	assert(!stream->closing);
	stream->closing = true;
	proactor_cancel(stream->proactor, &stream->receive);
	if (stream->output)
		proactor_cancel(stream->proactor, &stream->output->op);
	close_if_quiet(stream);
}
