/* Streams: a receive op that follows itself, at most one send beside it, and a close that waits for
 * both.
 *
 * The receive op is the stream's own, the output its owner's.  Events are told from done()s only,
 * and after an event the stream looks again at what its owner asked for meanwhile: close, pause.
 * The kind stands between the ops and the owner's bytes. */
#include "net/stream.h"

#include <assert.h>
#include <errno.h>

#include "net/stream_private.h"

void stream_service_open(
	struct stream_service *service, struct proactor *proactor, uint64_t unsent_length_max)
{
	*service = (struct stream_service){
		.proactor = proactor,
		.unsent_length_max = unsent_length_max,
	};
}

/* --- the end ------------------------------------------------------------------------------ */

static void close_done(struct proactor *proactor, struct op *op)
{
	struct stream *stream = container_of(op, struct stream, receive);

	(void)proactor;
	stream->fd = -1;
	if (stream->tls)
		stream->kind->closed(stream);
	stream->event(stream, STREAM_CLOSED);
}

/* Closes the descriptor once no op works on it any more. */
void stream_close_if_quiet(struct stream *stream)
{
	if (op_is_active(&stream->receive) || stream->output ||
		(stream->tls && !stream->kind->is_quiet(stream)))
		return;
	op_init(&stream->receive, close_done);
	proactor_close(stream->service->proactor, &stream->receive, stream->fd);
}

void stream_tell_failure(struct stream *stream, int64_t error)
{
	if (stream->failed)
		return;
	stream->failed = true;
	stream->error = (int)error;
	stream->event(stream, STREAM_FAILED);
}

void stream_end(struct stream *stream)
{
	assert(!stream->output && !stream->closing);
	stream->kind->end(stream);
}

uint32_t stream_unacknowledged_length(const struct stream *stream)
{
	return (uint32_t)proactor_unacknowledged_length(stream->service->proactor, stream->fd);
}

void stream_reset_at_close(struct stream *stream)
{
	proactor_reset_at_close(stream->service->proactor, stream->fd);
}

/* No shutdown(2) first: the cancelled ops end by themselves, as the sockets are non-blocking. */
void stream_close(struct stream *stream)
{
	assert(!stream->closing);
	stream->closing = true;
	stream_end_body(stream);
	proactor_cancel(stream->service->proactor, &stream->receive);
	if (stream->output)
		proactor_cancel(stream->service->proactor, &stream->output->op);
	if (stream->tls)
		stream->kind->cancel(stream);
	stream_close_if_quiet(stream);
}

int stream_peer_address(
	const struct stream_service *service, int fd, struct sockaddr_storage *address)
{
	return proactor_peer_address(service->proactor, fd, address);
}

/* --- input -------------------------------------------------------------------------------- */

void stream_receive_if_wanted(struct stream *stream)
{
	if (!stream->paused && !stream->held && !stream->ended && !stream->failed &&
		!stream_is_deaf(stream) && !op_is_active(&stream->receive))
		proactor_receive(stream->service->proactor, &stream->receive, stream->fd);
}

void stream_tell_ready(struct stream *stream)
{
	stream->ready = true;
	stream->event(stream, STREAM_READY);
}

void stream_tell_received(struct stream *stream, struct text bytes)
{
	stream->service->received = bytes;
	stream->event(stream, STREAM_RECEIVED);
	stream->service->received = (struct text){ NULL, 0 };
}

void stream_tell_end(struct stream *stream)
{
	stream->ended = true;
	stream->event(stream, STREAM_ENDED);
}

static void receive_done(struct proactor *proactor, struct op *op)
{
	struct stream *stream = container_of(op, struct stream, receive);

	(void)proactor;
	if (stream->closing)
		stream_close_if_quiet(stream);
	if (stream_is_deaf(stream))
		return;
	if (op->result > 0) {
		stream->kind->received(stream, op->receive.loan);
		stream_receive_if_wanted(stream);
	} else if (op->result == 0) {
		stream_tell_end(stream);
	} else {
		stream_tell_failure(stream, op->result);
	}
}

void stream_receive(struct stream *stream)
{
	stream->paused = false;
	if (stream->held)
		stream->kind->resume(stream);
	else
		stream_receive_if_wanted(stream);
}

/* --- what may be unsent ------------------------------------------------------------------- */

/* A share is a power of two, so that it seldom changes; a socket takes 2 MiB by itself. */
enum { SHARE_SHIFT_MIN = 16, SHARE_SHIFT_MAX = 21 };

/* log2 of a long body's share; 0: no bound. */
static uint8_t share_of_unsent(const struct stream_service *service)
{
	uint64_t share = service->unsent_length_max / service->sharer_count;
	uint8_t shift = SHARE_SHIFT_MIN;

	if (service->unsent_length_max == 0 || share >> SHARE_SHIFT_MAX > 0)
		return 0;
	while (share >> (shift + 1) > 0)
		shift++;
	return shift;
}

static void share_unsent(struct stream *stream)
{
	uint8_t shift;

	stream->service->sharer_count += !stream->sharing;
	stream->sharing = true;
	shift = share_of_unsent(stream->service);
	if (stream->unsent_shift == shift)
		return;
	stream->unsent_shift = shift;
	proactor_bound_unsent(stream->service->proactor, stream->fd, shift > 0 ? 1 << shift : 0);
}

/* --- output ------------------------------------------------------------------------------- */

/* With TCP_NODELAY every acknowledgement that comes while a long file is handed over sends off what
 * is there, a segment that could have been longer: a fifth more of them, and of the CPU time.  A
 * cork keeps them full.  A short file has too few segments to be worth the two calls and a last
 * segment that is held back. */
static void cork(struct stream *stream, bool corked)
{
	if (stream->corked == corked)
		return;
	stream->corked = corked;
	proactor_cork(stream->service->proactor, stream->fd, corked);
}

void stream_finish_output(struct stream *stream, int64_t result)
{
	stream->output = NULL;
	cork(stream, false);
	if (stream->closing)
		stream_close_if_quiet(stream);
	else if (result < 0)
		stream_tell_failure(stream, result);
	else
		stream->event(stream, STREAM_SENT);
}

/* For a kind that sends by ops of its own this is only the end of stream_fail_output(). */
static void output_done(struct proactor *proactor, struct op *op)
{
	struct stream *stream = container_of(op, struct stream_output, op)->stream;

	(void)proactor;
	if (op->kind == OP_SEND && op->send.last && op->send.closed)
		stream->fd = -1;
	stream_finish_output(stream, op->result);
}

void stream_fail_output(struct stream *stream)
{
	if (!op_is_active(&stream->output->op))
		proactor_timeout(stream->service->proactor, &stream->output->op, 0);
}

static void take_output(struct stream *stream, struct stream_output *output, bool is_long)
{
	assert(!stream->output && !stream->closing);
	output->stream = stream;
	op_init(&output->op, output_done);
	stream->output = output;
	if (is_long)
		share_unsent(stream);
}

void stream_end_body(struct stream *stream)
{
	stream->service->sharer_count -= stream->sharing;
	stream->sharing = false;
}

void stream_send(struct stream *stream, struct stream_output *output, struct iovec *vector,
	unsigned vector_count, bool more)
{
	take_output(stream, output, more);
	stream->kind->send(stream, vector, vector_count, more, false);
}

void stream_send_last(struct stream *stream, struct stream_output *output, struct iovec *vector,
	unsigned vector_count)
{
	take_output(stream, output, false);
	stream->last = true;
	proactor_cancel(stream->service->proactor, &stream->receive);
	stream->kind->send(stream, vector, vector_count, false, true);
}

void stream_send_file(struct stream *stream, struct stream_output *output, int file,
	uint64_t offset, uint64_t length, bool more)
{
	bool is_long = length >= STREAM_CORKED_LENGTH_MIN;

	take_output(stream, output, more || is_long);
	cork(stream, is_long);
	stream->kind->send_file(stream, file, offset, length, more);
}

bool stream_sends_files(const struct stream *stream)
{
	return stream->kind->send_file != NULL;
}

/* --- plain -------------------------------------------------------------------------------- */

static void plain_received(struct stream *stream, struct text loan)
{
	if (!stream->ready)
		stream_tell_ready(stream);
	if (!stream_is_deaf(stream))
		stream_tell_received(stream, loan);
}

static void plain_send(
	struct stream *stream, struct iovec *vector, unsigned vector_count, bool more, bool last)
{
	struct proactor *proactor = stream->service->proactor;
	struct op *op = &stream->output->op;

	if (last)
		proactor_send_last(proactor, op, stream->fd, vector, vector_count);
	else
		proactor_send(proactor, op, stream->fd, vector, vector_count, more);
}

static void plain_send_file(
	struct stream *stream, int file, uint64_t offset, uint64_t length, bool more)
{
	proactor_sendfile(stream->service->proactor, &stream->output->op, stream->fd, file, offset,
		length, more);
}

/* A peer that is gone shows itself to the receive. */
static void plain_end(struct stream *stream)
{
	proactor_shutdown(stream->service->proactor, stream->fd, SHUT_WR);
}

static const struct stream_kind plain = {
	.received = plain_received,
	.send = plain_send,
	.send_file = plain_send_file,
	.end = plain_end,
};

static void open_kind(struct stream *stream, struct stream_service *service, int fd,
	stream_event_fn *event, const struct stream_kind *kind)
{
	*stream = (struct stream){ .kind = kind, .service = service, .event = event, .fd = fd };
	op_init(&stream->receive, receive_done);
}

void stream_open(
	struct stream *stream, struct stream_service *service, int fd, stream_event_fn *event)
{
	open_kind(stream, service, fd, event, &plain);
}

void stream_open_tls(
	struct stream *stream, struct stream_service *service, int fd, stream_event_fn *event)
{
	assert(service->tls);
	open_kind(stream, service, fd, event, &tls_stream_kind);
}

bool stream_is_secure(const struct stream *stream)
{
	return stream->kind == &tls_stream_kind;
}

void stream_become_plain(struct stream *stream, struct text loan)
{
	stream->kind = &plain;
	stream->misled = true;
	plain_received(stream, loan);
}
