/* The input of a connection: what is done with received bytes.
 *
 * Bytes are parsed where they were received; what is not used at once is copied to `kept`, and is
 * from then on looked at first.  A complete head is copied to the active block, where the request's
 * texts point at it until the exchange is over.  Receiving stops (connection.c) while more is kept
 * than a head may be long, or while the endpoint is behind with the body. */
#include "http1/connection.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"

/* --- bytes kept --------------------------------------------------------------------------- */

size_t input_kept_length(const struct connection *connection)
{
	return connection->active ? connection->active->kept.length : 0;
}

/* Makes `rest`, the end of what input_bytes() gave, the bytes kept. */
static int keep(struct connection *connection, struct text rest)
{
	struct active *active = connection->active;
	struct buffer *kept = &active->kept;

	if (kept->length > 0) {
		buffer_consume(kept, kept->length - rest.length);
		return 0;
	}
	if (rest.length == 0)
		return 0;
	if (!kept->bytes) {
		void *memory = block_pool_take(&connection->service->kept_pool);

		if (!memory)
			return -ENOMEM;
		buffer_init(kept, memory, connection->service->kept_pool.block_size);
	}
	buffer_append(kept, rest);
	assert(!kept->truncated);
	return 0;
}

/* All bytes not used yet: those just received, behind those kept. */
static struct text input_bytes(struct connection *connection)
{
	struct buffer *kept = &connection->active->kept;
	struct text received = stream_received(&connection->stream);

	if (kept->length == 0)
		return received;
	buffer_append(kept, received);
	assert(!kept->truncated);
	return buffer_text(kept);
}

/* The one way out when there is no memory: the connection fails, others go on. */
static enum input_state out_of_memory(struct connection *connection)
{
	log_warning(
		"out of memory: connection %llu is closed", (unsigned long long)connection->serial);
	connection_post_output(connection, OUTPUT_EVENT_FAILED);
	return INPUT_ENDED;
}

/* --- heads -------------------------------------------------------------------------------- */

bool input_has_next_head(const struct connection *connection)
{
	const struct active *active = connection->active;
	struct http1_scan scan = { 0 };

	return connection->input == INPUT_HOLDING && !input_owes_body(connection) &&
	       active->kept.length > 0 &&
	       http1_find_head(&scan, buffer_text(&active->kept),
		       connection->service->options.header_bytes) != 0;
}

/* The head's own copy, as much of it as there is room for. */
static struct text copy_head(struct connection *connection, struct text head)
{
	struct active *active = connection->active;

	head = text_first(head, connection->service->options.header_bytes);
	memcpy(active->head_memory, head.bytes, head.length);
	return (struct text){ active->head_memory, head.length };
}

/* The request is refused; nothing after it can be trusted to be a request. */
static enum input_state refuse(struct connection *connection, unsigned status, const char *reason)
{
	struct active *active = connection->active;

	active->bad_status = status;
	active->bad_reason = reason;
	connection->last = true;
	connection_post_output(connection, OUTPUT_EVENT_HEAD_READ);
	return INPUT_ENDED;
}

/* A head that cannot be parsed still has a first line, for the access log. */
static enum input_state refuse_bytes(
	struct connection *connection, struct text bytes, unsigned status, const char *reason)
{
	struct active *active = connection->active;
	struct text line;

	exchange_init(&active->exchange, &http1_wire, connection->service->proactor);
	line = copy_head(connection, bytes);
	line = text_first(line, text_find(line, '\n'));
	active->exchange.request.line = text_first(line, text_find(line, '\r'));
	http1_body_init(&active->body, 0);
	return refuse(connection, status, reason);
}

static enum input_state accept_head(
	struct connection *connection, struct text bytes, size_t head_length)
{
	struct active *active = connection->active;
	struct request *request = &active->exchange.request;
	struct text head = copy_head(connection, text_first(bytes, head_length));
	unsigned status;

	exchange_init(&active->exchange, &http1_wire, connection->service->proactor);
	status = http1_parse_head(request, &active->head, head);
	if (keep(connection, text_from(bytes, head_length)) < 0)
		return out_of_memory(connection);
	if (status != 0) {
		http1_body_init(&active->body, 0);
		return refuse(connection, status, active->head.why);
	}
	if (stream_is_misled(&connection->stream)) {
		http1_body_init(&active->body, 0);
		return refuse(connection, 400, "plain HTTP was sent to a port that speaks TLS");
	}
	if (request->content_length != REQUEST_LENGTH_CHUNKED &&
		request->content_length > connection->service->options.body_bytes) {
		http1_body_init(&active->body, 0);
		active->exchange.proxies = connection->service->router->proxies;
		return refuse(connection, 413, "the body is longer than limits.body_bytes");
	}
	http1_body_init(&active->body, request->content_length);
	connection_post_output(connection, OUTPUT_EVENT_HEAD_READ);
	return INPUT_HOLDING;
}

/* A ClientHello on a plain port: type 22, version 3.x (RFC 8446 §5.1).  No answer of ours would be
 * understood. */
static bool is_client_hello(const struct connection *connection, struct text bytes)
{
	return connection->request_count == 0 && !stream_is_secure(&connection->stream) &&
	       bytes.length >= 2 && bytes.bytes[0] == 0x16 && bytes.bytes[1] == 0x03;
}

static enum input_state parse_head(struct connection *connection, struct text bytes)
{
	struct active *active = connection->active;
	int64_t r;

	if (is_client_hello(connection, bytes)) {
		log_info("closed: the client speaks TLS, but this port does not (listen { tls = "
			 "yes })");
		connection_post_output(connection, OUTPUT_EVENT_ENDED);
		return INPUT_ENDED;
	}
	if (active->started_ns == 0) {
		/* The head has all its time, however long it was awaited. */
		active->started_ns = proactor_now_ns(connection->service->proactor);
		connection->progressed = true;
	}
	r = http1_find_head(&active->scan, bytes, connection->service->options.header_bytes);
	if (r < 0)
		return refuse_bytes(connection, bytes, (unsigned)-r, active->scan.why);
	if (r > 0) {
		active->scan = (struct http1_scan){ 0 };
		return accept_head(connection, bytes, (size_t)r);
	}
	if (connection->peer_ended)
		return refuse_bytes(connection, bytes, 400, "the request head is incomplete");
	if (keep(connection, bytes) < 0)
		return out_of_memory(connection);
	return INPUT_READING_HEAD;
}

enum input_state input_read_head(struct connection *connection)
{
	if (connection_activate(connection) < 0)
		return out_of_memory(connection);
	return parse_head(connection, input_bytes(connection));
}

enum input_state input_end_head(struct connection *connection)
{
	connection->peer_ended = true;
	if (input_kept_length(connection) > 0)
		return refuse_bytes(connection, buffer_text(&connection->active->kept), 400,
			"the request head is incomplete");
	connection_post_output(connection, OUTPUT_EVENT_ENDED);
	return INPUT_ENDED;
}

enum input_state input_expire_head(struct connection *connection)
{
	return refuse_bytes(connection, buffer_text(&connection->active->kept), 408,
		"the request head did not come in time");
}

/* What follows an exchange whose body is read: the next head, already here or not. */
static enum input_state begin_head(struct connection *connection, struct text bytes)
{
	if (bytes.length > 0) {
		connection->active->started_ns = 0;
		return parse_head(connection, bytes);
	}
	keep(connection, bytes);
	if (connection->peer_ended) {
		connection_post_output(connection, OUTPUT_EVENT_ENDED);
		return INPUT_ENDED;
	}
	connection_idle(connection);
	return INPUT_READING_HEAD;
}

/* --- bodies ------------------------------------------------------------------------------- */

bool input_owes_body(const struct connection *connection)
{
	return connection->active->body.step != HTTP1_BODY_WHOLE;
}

/* Who receives the body: nobody before it was asked for, nor after the answer. */
static struct body_sink *sink_of(const struct connection *connection)
{
	const struct active *active = connection->active;

	return active->sink_ended || active->exchange.answered ? NULL : active->exchange.sink;
}

static void end_sink(struct connection *connection, int error)
{
	struct body_sink *sink = sink_of(connection);

	connection->active->sink_ended = true;
	if (sink)
		sink->ended(sink, error);
}

/* The rest of the body cannot be read, so no request can follow. */
static enum input_state give_up_body(struct connection *connection, int error)
{
	connection->last = true;
	end_sink(connection, error);
	return INPUT_ENDED;
}

/* 0, or -EMSGSIZE: the endpoint did not ask for so much. */
static int deliver(struct connection *connection, struct text content)
{
	struct active *active = connection->active;
	struct body_sink *sink = sink_of(connection);

	active->content_length += content.length;
	if (!sink || content.length == 0)
		return 0;
	if (active->content_length > active->exchange.body_length_max)
		return -EMSGSIZE;
	active->unconsumed_length += content.length;
	active->delivering = true;
	sink->received(sink, content);
	active->delivering = false;
	return 0;
}

/* How many bytes may be decoded now; an endpoint that has answered no longer counts. */
static size_t window(const struct connection *connection)
{
	const struct active *active = connection->active;

	return sink_of(connection) ? EXCHANGE_WINDOW - active->unconsumed_length : SIZE_MAX;
}

static enum input_state decode_body(struct connection *connection, struct text bytes)
{
	struct active *active = connection->active;

	while (bytes.length > 0 && window(connection) > 0) {
		struct text part = text_first(bytes, window(connection));
		struct text content;
		size_t part_length = part.length;
		int r = http1_body_decode(&active->body, &part, &content);

		bytes = text_from(bytes, part_length - part.length);
		if (r >= 0 && deliver(connection, content) < 0)
			r = -EMSGSIZE;
		if (r < 0)
			return give_up_body(connection, r);
		if (r > 0) {
			if (keep(connection, bytes) < 0)
				return out_of_memory(connection);
			end_sink(connection, 0);
			return INPUT_HOLDING;
		}
	}
	if (keep(connection, bytes) < 0)
		return out_of_memory(connection);
	if (bytes.length > 0)
		return INPUT_STALLED;
	if (connection->peer_ended)
		return give_up_body(connection, -ECONNRESET);
	connection->progressed = true;
	return INPUT_READING_BODY;
}

enum input_state input_read_body(struct connection *connection)
{
	return decode_body(connection, input_bytes(connection));
}

enum input_state input_continue_body(struct connection *connection)
{
	return decode_body(connection, buffer_text(&connection->active->kept));
}

/* The endpoint wants the body, or consumed something of one that is here already. */
enum input_state input_begin_body(struct connection *connection)
{
	const struct active *active = connection->active;
	uint64_t length = active->exchange.request.content_length;

	if (!sink_of(connection))
		return INPUT_HOLDING;
	if (!input_owes_body(connection)) {
		end_sink(connection, 0);
		return INPUT_HOLDING;
	}
	if (length != REQUEST_LENGTH_CHUNKED && length > active->exchange.body_length_max)
		return give_up_body(connection, -EMSGSIZE);
	return decode_body(connection, buffer_text(&active->kept));
}

enum input_state input_cut_body(struct connection *connection)
{
	connection->peer_ended = true;
	return give_up_body(connection, -ECONNRESET);
}

enum input_state input_expire_body(struct connection *connection)
{
	return give_up_body(connection, -ETIMEDOUT);
}

/* --- between requests --------------------------------------------------------------------- */

static enum input_state discard(struct connection *connection, struct text bytes)
{
	struct active *active = connection->active;
	int r = 0;

	while (bytes.length > 0 && input_owes_body(connection) && r >= 0) {
		size_t length = bytes.length;
		struct text content;

		r = http1_body_decode(&active->body, &bytes, &content);
		active->discarded_length += length - bytes.length;
	}
	if (!input_owes_body(connection))
		return begin_head(connection, bytes);
	keep(connection, text_from(bytes, bytes.length));
	if (r < 0 || active->discarded_length > CONNECTION_DISCARDED_MAX)
		connection->last = true;
	if (connection->last && !connection->peer_ended)
		connection_post_output(connection, OUTPUT_EVENT_ENDED);
	if (connection->last || connection->peer_ended)
		return input_finish(connection);
	return INPUT_DISCARDING;
}

enum input_state input_discard(struct connection *connection)
{
	if (connection->last)
		return INPUT_DISCARDING;
	return discard(connection, input_bytes(connection));
}

enum input_state input_leave_body(struct connection *connection)
{
	if (connection->last)
		return input_finish(connection);
	return discard(connection, buffer_text(&connection->active->kept));
}

enum input_state input_begin_next(struct connection *connection)
{
	struct text kept = buffer_text(&connection->active->kept);

	if (connection->last)
		return input_finish(connection);
	if (input_owes_body(connection))
		return discard(connection, kept);
	return begin_head(connection, kept);
}

/* After the last response: whatever comes is dropped until the client ends, too. */
enum input_state input_finish(struct connection *connection)
{
	connection_idle(connection);
	if (!connection->peer_ended)
		return INPUT_DISCARDING;
	connection_post_output(connection, OUTPUT_EVENT_ENDED);
	return INPUT_ENDED;
}

/* --- the rest ----------------------------------------------------------------------------- */

enum input_state input_keep_state(struct connection *connection)
{
	return (enum input_state)connection->input;
}

enum input_state input_keep_bytes(struct connection *connection)
{
	struct text bytes = input_bytes(connection);

	if (keep(connection, bytes) < 0)
		return out_of_memory(connection);
	return (enum input_state)connection->input;
}

enum input_state input_note_end(struct connection *connection)
{
	connection->peer_ended = true;
	return (enum input_state)connection->input;
}

enum input_state input_end(struct connection *connection)
{
	connection->peer_ended = true;
	connection_post_output(connection, OUTPUT_EVENT_ENDED);
	return INPUT_ENDED;
}

enum input_state input_close(struct connection *connection)
{
	if (connection->active && connection->active->exchanging)
		end_sink(connection, -ECONNRESET);
	return INPUT_CLOSED;
}
