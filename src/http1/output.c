/* The output of a connection, which is also its life: from a complete head to the last byte of the
 * answer, and to the end.
 *
 * What leaves next is built in `output` (gathered answers, a head, the framing of chunks) and,
 * behind it in the same send, a piece of body in memory; a piece that is a file follows in a send
 * of its own.  The body source is asked for a piece only when the one before has left. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "http/date.h"
#include "http1/connection.h"
#include "http1/writer.h"

/* Room that is left for a head when answers are gathered: more than any head needs. */
enum {
	FIELDS_MAX = RESPONSE_FIELDS_MAX + LOCATION_FIELDS_MAX + COMPRESSION_FIELDS_MAX,
	HEAD_ROOM = RESPONSE_MEMORY_SIZE + RESPONSE_FIELDS_MAX * RESPONSE_FIELD_NAME_MAX +
		    LOCATION_FIELDS_LENGTH_MAX + FIELDS_MAX * 4 + 512,
};

static struct active *active_of(struct exchange *exchange)
{
	return container_of(exchange, struct active, exchange);
}

/* --- the exchange's side: what endpoints call --------------------------------------------- */

static void wire_answered(struct exchange *exchange)
{
	connection_post_output(active_of(exchange)->connection, OUTPUT_EVENT_ANSWERED);
}

/* The output first: 100 (Continue) is due only while no byte of the body was looked at. */
static void wire_body_wanted(struct exchange *exchange)
{
	struct connection *connection = active_of(exchange)->connection;
	uint64_t length_max = connection->service->options.body_bytes;

	if (exchange->body_length_max > length_max)
		exchange->body_length_max = length_max;
	connection_post_output(connection, OUTPUT_EVENT_WANTED);
	connection_post_input(connection, INPUT_EVENT_WANTED);
}

/* What is consumed while it is delivered widens the window that the decoder looks at next; an event
 * for each of a thousand small chunks would find no room. */
static void wire_body_consumed(struct exchange *exchange, size_t length)
{
	struct active *active = active_of(exchange);

	assert(length <= active->unconsumed_length);
	active->unconsumed_length -= length;
	if (!exchange->answered && !active->delivering)
		connection_post_input(active->connection, INPUT_EVENT_WANTED);
}

static bool wire_is_draining(const struct exchange *exchange)
{
	return container_of(exchange, const struct active, exchange)->connection->service->draining;
}

static bool wire_sends_files(const struct exchange *exchange)
{
	const struct active *active = container_of(exchange, const struct active, exchange);

	return stream_sends_files(&active->connection->stream);
}

static void wire_peer_address(struct exchange *exchange, struct sockaddr_storage *address)
{
	const struct connection *connection = active_of(exchange)->connection;

	*address = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
	memcpy(address, &connection->peer, sizeof(connection->peer));
}

const struct exchange_wire http1_wire = {
	.peer_address = wire_peer_address,
	.answered = wire_answered,
	.body_wanted = wire_body_wanted,
	.body_consumed = wire_body_consumed,
	.is_draining = wire_is_draining,
	.sends_files = wire_sends_files,
};

static void body_ready(struct body_source *source)
{
	struct connection *connection = source->consumer;

	assert(connection->active->awaiting_ready);
	connection->active->awaiting_ready = false;
	connection_post_output(connection, OUTPUT_EVENT_BODY_READY);
}

/* --- sending ------------------------------------------------------------------------------ */

/* What is short is copied behind the head: sending one range of memory costs the kernel less than
 * sending several, more than the copy. */
static struct text copy_if_short(struct buffer *output, struct text bytes)
{
	if (bytes.length > CONNECTION_COPIED_MAX || bytes.length > buffer_room(output))
		return bytes;
	buffer_append(output, bytes);
	return (struct text){ NULL, 0 };
}

/* What is in `output` moves into the room before the bytes, unless others are sending what stands
 * there, and it is something else: another second's head. */
static struct text use_headroom(struct buffer *output, struct headroom *headroom, struct text bytes)
{
	size_t length = output->length;
	char *begin;

	if (!headroom || bytes.bytes != headroom->bytes + sizeof(headroom->bytes) ||
		length > sizeof(headroom->bytes))
		return bytes;
	begin = headroom->bytes + sizeof(headroom->bytes) - length;
	if (memcmp(begin, output->bytes, length) != 0) {
		if (headroom->user_count > 1)
			return bytes;
		memcpy(begin, output->bytes, length);
	}
	output->length = 0;
	return (struct text){ begin, length + bytes.length };
}

static void begin_send(struct active *active, size_t output_length)
{
	active->output_sent = output_length;
	active->progress = 0;
	active->sending = true;
}

enum following { NOTHING, MORE, THE_END };

/* Sends what is in `output`, then `bytes`, then `tail`. */
static enum output_state send_memory(struct connection *connection, struct text bytes,
	struct text tail, enum following following)
{
	struct active *active = connection->active;
	struct text parts[3];
	unsigned count = 0;

	active->lead_length = active->output.length;
	active->head_unsent = false;
	active->earlier_length = 0;
	if (bytes.length > 0) /* else there may have been no piece yet */
		bytes = use_headroom(&active->output, active->piece.headroom, bytes);
	if (active->output.length > 0)
		bytes = copy_if_short(&active->output, bytes);
	if (bytes.length == 0)
		tail = copy_if_short(&active->output, tail);
	parts[0] = buffer_text(&active->output);
	parts[1] = bytes;
	parts[2] = tail;
	for (unsigned i = 0; i < 3; i++) {
		if (parts[i].length > 0)
			active->vector[count++] = (struct iovec){ (void *)(uintptr_t)parts[i].bytes,
				parts[i].length };
	}
	assert(count > 0);
	begin_send(active, active->output.length);
	if (following == THE_END)
		stream_send_last(&connection->stream, &active->send, active->vector, count);
	else
		stream_send(&connection->stream, &active->send, active->vector, count,
			following == MORE);
	return OUTPUT_SENDING;
}

static enum output_state send_output(struct connection *connection, enum following following)
{
	const struct text nothing = { NULL, 0 };

	return send_memory(connection, nothing, nothing, following);
}

/* Sends the answers that stand in `output` before this one, whose head waits for its body. */
static enum output_state send_earlier(struct connection *connection)
{
	struct active *active = connection->active;

	active->lead_length = active->earlier_length;
	active->vector[0] = (struct iovec){ active->output.bytes, active->earlier_length };
	begin_send(active, active->earlier_length);
	active->earlier_length = 0;
	stream_send(&connection->stream, &active->send, active->vector, 1, false);
	return OUTPUT_SENDING;
}

static enum output_state send_piece_of_file(struct connection *connection)
{
	struct active *active = connection->active;
	const struct body_piece *piece = &active->piece;
	bool more = !active->piece_is_last || active->chunked;

	active->piece_due = false;
	active->lead_length = 0;
	begin_send(active, 0);
	stream_send_file(
		&connection->stream, &active->send, piece->fd, piece->offset, piece->length, more);
	return OUTPUT_SENDING_FILE;
}

static void count_sent(struct connection *connection)
{
	struct active *active = connection->active;

	metrics_add(METRIC_BYTES_SENT, stream_sent_length(&active->send));
	active->sending = false;
	connection->progressed = true;
	buffer_consume(&active->output, active->output_sent);
	active->gathered_count = 0;
}

/* --- the end of an exchange --------------------------------------------------------------- */

/* The clock is the turn's: what is answered in the turn that brought it took no time. */
static uint64_t duration_ns(const struct exchange *exchange)
{
	uint64_t now_ns = proactor_now_ns(exchange->proactor);

	return exchange->started_ns > 0 && exchange->started_ns < now_ns
		       ? now_ns - exchange->started_ns
		       : 0;
}

static void count_response(const struct exchange *exchange, bool cut)
{
	static const enum metric classes[] = { METRIC_RESPONSES_2XX, METRIC_RESPONSES_3XX,
		METRIC_RESPONSES_4XX, METRIC_RESPONSES_5XX };
	const struct location *location = exchange->location;
	unsigned status = exchange->response.status;

	assert(status >= 200 && status < 600);
	metrics_add(METRIC_REQUESTS, 1);
	metrics_add(classes[status / 100 - 2], 1);
	metrics_count_response(
		location ? location->endpoint_number : 0, status, duration_ns(exchange));
	if (cut)
		metrics_add(METRIC_RESPONSES_CUT, 1);
}

/* How much of the body that was handed to the stream has not reached the socket. */
static uint64_t unsent_length(const struct active *active)
{
	uint64_t moved = stream_sent_length(&active->send);

	if (!active->sending)
		return 0;
	if (active->piece_due || moved <= active->lead_length)
		return active->piece.length;
	moved -= active->lead_length;
	return active->piece.length > moved ? active->piece.length - moved : 0;
}

static void record(struct connection *connection, bool cut)
{
	struct http1_service *service = connection->service;
	struct exchange *exchange = &connection->active->exchange;
	struct sockaddr_storage client;

	if (!service->wire.finished)
		return;
	exchange_client_address(exchange, &client);
	exchange->sent_length = connection->active->body_length - unsent_length(connection->active);
	service->wire.finished(
		service->wire.owner, &(struct finished_exchange){ exchange, &client, cut });
}

/* The exchange is over (`cut`: before its last byte left): body released, response recorded. */
static void finish_exchange(struct connection *connection, bool cut)
{
	struct active *active = connection->active;
	struct body_source *body = active->exchange.response.body;

	assert(active->exchanging && active->exchange.answered);
	active->exchanging = false;
	stream_end_body(&connection->stream);
	count_response(&active->exchange, cut);
	record(connection, cut);
	if (body)
		body->release(body);
}

void output_break_off(struct connection *connection)
{
	struct active *active = connection->active;

	if (active->sending)
		metrics_add(METRIC_BYTES_SENT, stream_sent_length(&active->send));
	if (active->exchanging)
		finish_exchange(connection, true);
}

/* Who asked for the close sends nothing more (RFC 9112 §9.6), so that no reset can overtake the
 * response.  Some old clients end a body with a line that was not announced: they are waited for,
 * as is everyone who was not the one to say close. */
static bool client_has_finished(const struct connection *connection)
{
	const struct active *active = connection->active;

	return active->bad_status == 0 && !active->head.keep_alive &&
	       active->exchange.request.content_length == 0 && active->kept.length == 0;
}

/* Is the connection closed as soon as this response has left?  Stray bytes from the client would
 * make the kernel reset a closed connection and drop what is still on its way, so that the close
 * after a long response waits until the client has acknowledged it. */
static bool close_follows(const struct connection *connection)
{
	return connection->last && client_has_finished(connection) &&
	       connection->active->body_length <= CONNECTION_LAST_MAX;
}

static bool is_acknowledged(const struct connection *connection)
{
	return connection->last && client_has_finished(connection) &&
	       stream_unacknowledged_length(&connection->stream) == 0;
}

/* All of the response has left, or is about to in the same send as the next. */
static enum output_state finish(struct connection *connection)
{
	bool is_over = close_follows(connection) || is_acknowledged(connection);

	finish_exchange(connection, false);
	if (is_over)
		return output_close(connection);
	connection_post_input(connection, INPUT_EVENT_NEXT);
	if (!connection->last)
		return OUTPUT_READING;
	stream_end(&connection->stream);
	return OUTPUT_LINGERING;
}

/* No request follows.  A client that is still sending, which a body gave away as endless or broken,
 * may not have read its answer yet: a close would reset it (RFC 9112 §9.6). */
enum output_state output_end_reading(struct connection *connection)
{
	if (connection->peer_ended)
		return output_close(connection);
	stream_end(&connection->stream);
	return OUTPUT_LINGERING;
}

/* --- the body ----------------------------------------------------------------------------- */

static bool response_is_complete(const struct active *active)
{
	return active->bodyless || (active->piece_is_last && !active->piece_due);
}

/* This answer and the next leave together: when it is whole, the next request is here, and there is
 * room for one more head. */
static bool may_gather(const struct connection *connection, size_t length)
{
	const struct active *active = connection->active;

	return !connection->last && active->gathered_count + 1 < CONNECTION_GATHERED_MAX &&
	       length + HEAD_ROOM <= buffer_room(&active->output) &&
	       input_has_next_head(connection);
}

/* The last of a response that is in memory: sent now, with the next one, or with the connection's
 * end, which the close will push off in the same segment. */
static enum output_state send_last(
	struct connection *connection, struct text bytes, struct text tail)
{
	struct active *active = connection->active;

	if (!may_gather(connection, bytes.length + tail.length))
		return send_memory(
			connection, bytes, tail, close_follows(connection) ? THE_END : NOTHING);
	buffer_append(&active->output, bytes);
	buffer_append(&active->output, tail);
	active->gathered_count++;
	return finish(connection);
}

/* The body fails.  What stands in `output` before the answer leaves in any case; the answer becomes
 * an error as long as nothing of it has left. */
static enum output_state fail_body(struct connection *connection, int error, const char *reason)
{
	struct active *active = connection->active;
	struct exchange *exchange = &active->exchange;

	log_info("response %s: %.*s: %s", active->head_unsent ? "failed" : "cut",
		TEXT_ARGUMENTS(exchange->request.line), reason);
	if (!active->head_unsent)
		return output_close(connection);
	active->output.length = active->earlier_length;
	active->body_length = 0;
	exchange_replace_answer(exchange, error);
	return output_answer(connection);
}

/* What stands behind a piece in memory: the end of its chunk, the end of all chunks. */
static struct text tail_of(const struct active *active)
{
	static const char both[] = "\r\n0\r\n\r\n";
	const struct text nothing = { NULL, 0 };

	if (!active->chunked)
		return nothing;
	if (active->piece.length == 0)
		return active->piece_is_last ? HTTP1_LAST_CHUNK : nothing;
	return (struct text){ both, active->piece_is_last ? sizeof(both) - 1 : 2 };
}

static enum output_state send_piece(struct connection *connection)
{
	struct active *active = connection->active;
	const struct body_piece *piece = &active->piece;

	if (active->chunked && piece->length > 0)
		http1_write_chunk_head(&active->output, piece->length);
	if (piece->fd >= 0 && piece->length > 0) {
		active->piece_due = true;
		if (active->output.length > 0)
			return send_output(connection, active->earlier_length > 0 ? NOTHING : MORE);
		return send_piece_of_file(connection);
	}
	if (active->piece_is_last)
		return send_last(connection, piece->bytes, tail_of(active));
	return send_memory(
		connection, piece->bytes, tail_of(active), piece->is_continued ? MORE : NOTHING);
}

/* The source has nothing yet.  The head waits for a body that comes soon; earlier answers do not.
 */
static enum output_state await_body(struct connection *connection)
{
	struct active *active = connection->active;

	active->awaiting_ready = true;
	if (active->output.length > 0 && !active->piece.is_continued)
		return send_output(connection, NOTHING);
	if (active->output.length > 0 && active->earlier_length > 0)
		return send_earlier(connection);
	return OUTPUT_AWAITING_BODY;
}

/* With this piece, is the body as long as was announced? */
static bool length_is_right(const struct active *active)
{
	int64_t announced = active->exchange.response.length;
	uint64_t length = active->body_length + active->piece.length;

	if (announced < 0)
		return true;
	return active->piece_is_last ? length == (uint64_t)announced
				     : length <= (uint64_t)announced;
}

enum output_state output_pull(struct connection *connection)
{
	struct active *active = connection->active;
	struct body_source *body = active->exchange.response.body;
	int outcome;

	do {
		active->piece = (struct body_piece){ .fd = -1 };
		outcome = body->produce(body, &active->piece, CONNECTION_PIECE_MAX);
		if (outcome < 0)
			return fail_body(connection, outcome, strerror(-outcome));
		if (outcome == BODY_LATER)
			return await_body(connection);
		active->piece_is_last = outcome == BODY_LAST;
		if (active->piece.fd < 0)
			active->piece.length = active->piece.bytes.length;
		if (!length_is_right(active))
			return fail_body(connection, -EIO, "the body is not as long as announced");
		active->body_length += active->piece.length;
	} while (active->piece.length == 0 && !active->piece_is_last);
	if (active->piece.length == 0 && !active->chunked && active->output.length == 0)
		return finish(connection);
	return send_piece(connection);
}

/* --- the head ----------------------------------------------------------------------------- */

/* The client waits with its body until it is told to go on (RFC 9110 §10.1.1). */
static bool client_awaits_continue(const struct connection *connection)
{
	const struct active *active = connection->active;

	return active->exchange.request.expects_continue && input_owes_body(connection) &&
	       active->content_length == 0 && active->kept.length == 0;
}

/* Is this the last response of the connection?  A client that was not told to go on may leave its
 * body out: nobody could tell what follows. */
static bool is_last(const struct connection *connection, enum http1_framing framing)
{
	const struct http1_service *service = connection->service;
	const struct active *active = connection->active;
	uint64_t owed = input_owes_body(connection) ? active->body.remaining : 0;

	return connection->last || active->bad_status != 0 || !active->head.keep_alive ||
	       !service->options.keep_alive || service->draining ||
	       (connection->peer_ended && active->kept.length == 0) ||
	       connection->request_count >= service->options.keep_alive_requests ||
	       framing == HTTP1_FRAMING_UNTIL_CLOSE || owed > CONNECTION_DISCARDED_MAX ||
	       client_awaits_continue(connection);
}

/* From the same clock as Date, so that the two agree. */
static struct text date_of_expiry(
	char bytes[DATE_LENGTH], const struct response *response, int64_t wall_ns)
{
	if (!response->expires)
		return (struct text){ 0 };
	date_write(bytes, (time_t)(wall_ns / 1000000000) + (time_t)response->expires_seconds);
	return (struct text){ bytes, DATE_LENGTH };
}

static void write_head(struct connection *connection)
{
	char expires[DATE_LENGTH];
	int64_t wall_ns = proactor_wall_ns(connection->service->proactor);
	struct active *active = connection->active;
	const struct request *request = &active->exchange.request;
	struct response *response = &active->exchange.response;
	struct http1_response_head head = {
		.framing = http1_choose_framing(request, response),
		.length = response->length > 0 ? (uint64_t)response->length : 0,
		.date = date_now(wall_ns),
		.expires = date_of_expiry(expires, response, wall_ns),
		.server = connection->service->options.server_field && !response->server_removed,
	};

	active->earlier_length = active->output.length;
	active->head_unsent = true;
	connection->last = is_last(connection, head.framing);
	head.close = connection->last;
	head.keep_alive = !connection->last && request->version == HTTP_1_0;
	if (response->prepared)
		http1_write_prepared_head(&active->output, response, &head);
	else
		http1_write_head(&active->output, response, &head);
	assert(!active->output.truncated);
	active->chunked = head.framing == HTTP1_FRAMING_CHUNKED;
	active->bodyless = request->method == METHOD_HEAD || !response->body ||
			   head.framing == HTTP1_FRAMING_NONE;
}

enum output_state output_answer(struct connection *connection)
{
	struct active *active = connection->active;
	struct body_source *body = active->exchange.response.body;
	const struct text nothing = { NULL, 0 };

	write_head(connection);
	if (active->bodyless)
		return send_last(connection, nothing, nothing);
	body->ready = body_ready;
	body->consumer = connection;
	return output_pull(connection);
}

/* --- the request -------------------------------------------------------------------------- */

static void begin_exchange(struct active *active)
{
	active->exchange.started_ns = active->started_ns;
	active->exchanging = true;
	active->delivering = false;
	active->sink_ended = false;
	active->continue_due = false;
	active->awaiting_ready = false;
	active->piece.length = 0;
	active->piece_due = false;
	active->piece_is_last = false;
	active->content_length = 0;
	active->unconsumed_length = 0;
	active->discarded_length = 0;
	active->body_length = 0;
}

enum output_state output_begin(struct connection *connection)
{
	struct active *active = connection->active;

	begin_exchange(active);
	active->exchange.secure = stream_is_secure(&connection->stream);
	connection->request_count += connection->request_count < UINT32_MAX;
	if (active->bad_status != 0) {
		log_info("%u: %s", active->bad_status, active->bad_reason);
		if (stream_is_misled(&connection->stream))
			exchange_answer_bytes(&active->exchange, active->bad_status,
				text_literal("text/plain"),
				text_literal("400 Bad Request: this port speaks HTTPS, "
					     "but the request is plain HTTP\n"));
		else
			router_refuse(
				connection->service->router, &active->exchange, active->bad_status);
	} else {
		router_dispatch(connection->service->router, &active->exchange);
	}
	if (active->exchange.answered || active->output.length == 0)
		return OUTPUT_HANDLING;
	/* Earlier answers do not wait for an endpoint that takes its time. */
	send_output(connection, NOTHING);
	return OUTPUT_SENDING_INTERIM;
}

enum output_state output_want_body(struct connection *connection)
{
	if (!client_awaits_continue(connection))
		return OUTPUT_HANDLING;
	buffer_append(&connection->active->output, HTTP1_CONTINUE);
	send_output(connection, NOTHING);
	return OUTPUT_SENDING_INTERIM;
}

enum output_state output_note_continue(struct connection *connection)
{
	connection->active->continue_due = client_awaits_continue(connection);
	return OUTPUT_SENDING_INTERIM;
}

enum output_state output_sent_interim(struct connection *connection)
{
	struct active *active = connection->active;

	count_sent(connection);
	if (active->exchange.answered)
		return output_answer(connection);
	if (!active->continue_due)
		return OUTPUT_HANDLING;
	active->continue_due = false;
	return output_want_body(connection);
}

/* --- progress ----------------------------------------------------------------------------- */

enum output_state output_sent(struct connection *connection)
{
	struct active *active = connection->active;

	count_sent(connection);
	if (active->piece_due)
		return send_piece_of_file(connection);
	if (connection->output == OUTPUT_SENDING_FILE && active->chunked) {
		/* The framing that follows a file's chunk. */
		buffer_append(&active->output, tail_of(active));
		active->piece.length = 0;
		if (active->piece_is_last) {
			active->chunked = false;
			return send_output(connection, NOTHING);
		}
	}
	if (response_is_complete(active))
		return finish(connection);
	if (active->awaiting_ready)
		return OUTPUT_AWAITING_BODY;
	return output_pull(connection);
}

enum output_state output_note_ready(struct connection *connection)
{
	return (enum output_state)connection->output;
}

/* --- deadlines and the end ---------------------------------------------------------------- */

static enum output_state reset(struct connection *connection)
{
	log_info("connection %llu closed: the client read nothing for timeouts.send",
		(unsigned long long)connection->serial);
	stream_reset_at_close(&connection->stream);
	return output_close(connection);
}

/* Nothing was said for too long.  A client that still acknowledges earlier answers is waited for;
 * one that has stopped is reset, which frees the kernel's memory at once. */
enum output_state output_expire_silence(struct connection *connection)
{
	uint32_t length = stream_unacknowledged_length(&connection->stream);
	bool progressed = length != connection->unacknowledged_length;

	if (length == 0 || connection->service->draining)
		return output_close(connection);
	if (!progressed)
		return reset(connection);
	connection->unacknowledged_length = length;
	connection->progressed = true;
	return (enum output_state)connection->output;
}

enum output_state output_expire_reading(struct connection *connection)
{
	if (connection->input != INPUT_READING_HEAD || input_kept_length(connection) == 0)
		return output_expire_silence(connection);
	connection_post_input(connection, INPUT_EVENT_TIMED_OUT);
	return OUTPUT_READING;
}

/* Only a body that does not come has a deadline while the endpoint works. */
enum output_state output_expire_handling(struct connection *connection)
{
	assert(connection->input == INPUT_READING_BODY);
	connection_post_input(connection, INPUT_EVENT_TIMED_OUT);
	return OUTPUT_HANDLING;
}

/* The deadline of a send counts from the last byte that the client acknowledged: the socket's
 * buffer may take everything long before a slow client does, and then nothing for minutes. */
enum output_state output_expire_sending(struct connection *connection)
{
	struct active *active = connection->active;
	uint64_t progress = stream_sent_length(&active->send) -
			    stream_unacknowledged_length(&connection->stream);

	if (progress == active->progress)
		return reset(connection);
	active->progress = progress;
	connection->progressed = true;
	return (enum output_state)connection->output;
}

enum output_state output_drain(struct connection *connection)
{
	connection->progressed = true;
	return (enum output_state)connection->output;
}

enum output_state output_keep_state(struct connection *connection)
{
	return (enum output_state)connection->output;
}

static void tell_endpoint(struct exchange *exchange)
{
	const struct location *location = exchange->location;

	exchange->cancelled = true;
	if (location && location->endpoint->cancelled)
		location->endpoint->cancelled(location->state, exchange);
}

/* The body source stays until the stream has let go of its last piece (connection.c). */
enum output_state output_close(struct connection *connection)
{
	struct active *active = connection->active;

	connection_post_input(connection, INPUT_EVENT_CLOSING);
	stream_close(&connection->stream);
	if (active && active->exchanging && !active->exchange.answered)
		tell_endpoint(&active->exchange);
	return OUTPUT_CLOSING;
}
