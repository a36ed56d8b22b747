/* The exchange: what endpoints call, put on top of what a wire does.
 *
 * Nothing here knows a wire.  The wire embeds the exchange in memory that it reuses from request to
 * request, so exchange_init() sets single members and leaves the arrays as they are: their counts
 * and lengths say how much of them is true.
 *
 * Whatever value is added to the response is copied into the response's own memory, filtered: no
 * byte that could end a field line gets into one, wherever it came from (RFC 9110 §5.5). */
#include "http/exchange.h"

#include <assert.h>
#include <errno.h>

#include "base/list.h"
#include "base/log.h"
#include "http/byte.h"
#include "http/compression.h"
#include "http/location_fields.h"
#include "http/proxies.h"
#include "http/status.h"

#define PLAIN_TEXT text_literal("text/plain; charset=utf-8")

static void init_response(struct response *response)
{
	response->status = 0;
	response->body = NULL;
	response->length = 0;
	response->prepared = NULL;
	response->field_count = 0;
	response->server_removed = false;
	response->expires = false;
	response->expires_seconds = 0;
	response->whole_type.length = 0;
	buffer_init(&response->memory, response->bytes, sizeof(response->bytes));
}

void exchange_init(
	struct exchange *exchange, const struct exchange_wire *wire, struct proactor *proactor)
{
	exchange->wire = wire;
	exchange->proactor = proactor;
	exchange->location = NULL;
	exchange->fields = NULL;
	exchange->proxies = NULL;
	exchange->compression = NULL;
	exchange->sink = NULL;
	exchange->body_length_max = 0;
	exchange->started_ns = 0;
	exchange->sent_length = 0;
	exchange->answered = false;
	exchange->cancelled = false;
	request_init(&exchange->request);
	init_response(&exchange->response);
}

void *exchange_scratch(struct exchange *exchange, size_t size)
{
	assert(size <= sizeof(exchange->scratch));
	return exchange->scratch;
}

struct text exchange_copy(struct exchange *exchange, struct text bytes)
{
	struct buffer *memory = &exchange->response.memory;
	size_t start = memory->length;

	buffer_append(memory, bytes);
	return text_from(buffer_text(memory), start);
}

static struct text copy_without_controls(struct buffer *memory, struct text text)
{
	size_t start = memory->length;

	while (text.length > 0) {
		size_t length = byte_field_value_run(text);

		buffer_append(memory, text_first(text, length));
		text = text_from(text, length + 1);
	}
	return text_trim(text_from(buffer_text(memory), start));
}

static bool add_field(struct response *response, struct text name, struct text value)
{
	struct buffer *memory = &response->memory;
	struct field *field = &response->fields[response->field_count];

	if (response->field_count >= RESPONSE_FIELDS_MAX || value.length > buffer_room(memory))
		return false;
	field->name = name;
	field->value = copy_without_controls(memory, value);
	response->field_count++;
	return true;
}

void exchange_add_field(struct exchange *exchange, struct text name, struct text value)
{
	assert(!exchange->answered);
	assert(name.length > 0 && name.length <= RESPONSE_FIELD_NAME_MAX);
	if (!add_field(&exchange->response, name, value))
		log_warning("no room for the field %.*s in the response to %.*s",
			TEXT_ARGUMENTS(name), TEXT_ARGUMENTS(exchange->request.line));
}

void exchange_describe_whole(struct exchange *exchange, struct text media_type, uint64_t length)
{
	exchange->response.whole_type = media_type;
	exchange->response.whole_length = (int64_t)length;
}

static void set_answer(
	struct exchange *exchange, unsigned status, struct body_source *body, int64_t length)
{
	struct response *response = &exchange->response;

	response->status = status;
	response->body = body;
	response->length = length;
	if (exchange->fields)
		location_fields_apply(exchange->fields, response);
}

void exchange_answer(
	struct exchange *exchange, unsigned status, struct body_source *body, int64_t length)
{
	assert(!exchange->answered);
	assert(body || length == 0);
	exchange->answered = true;
	set_answer(exchange, status, body, length);
	if (exchange->compression)
		compression_apply(exchange->compression, exchange);
	exchange->wire->answered(exchange);
}

static int memory_produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct memory_source *memory = container_of(source, struct memory_source, source);

	piece->fd = -1;
	piece->bytes = text_first(memory->bytes, length_max);
	memory->bytes = text_from(memory->bytes, piece->bytes.length);
	return memory->bytes.length == 0 ? BODY_LAST : BODY_PIECE;
}

/* The source is a part of the exchange, and its bytes are somebody else's. */
static void memory_release(struct body_source *source)
{
	(void)source;
}

static struct body_source *memory_source_of(struct response *response, struct text bytes)
{
	response->from_memory = (struct memory_source){
		.source = { .produce = memory_produce, .release = memory_release },
		.bytes = bytes,
	};
	return &response->from_memory.source;
}

void exchange_answer_bytes(
	struct exchange *exchange, unsigned status, struct text media_type, struct text bytes)
{
	struct body_source *body = memory_source_of(&exchange->response, bytes);

	if (media_type.length > 0)
		exchange_add_field(exchange, text_literal("Content-Type"), media_type);
	exchange_answer(exchange, status, body, (int64_t)bytes.length);
}

void exchange_answer_error(struct exchange *exchange, unsigned status)
{
	assert(status_has_content(status));
	exchange_answer_bytes(exchange, status, PLAIN_TEXT, status_body(status));
}

static bool is_shortage(int error)
{
	return error == -ENOMEM || error == -ENOBUFS || error == -EMFILE || error == -ENFILE;
}

void exchange_replace_answer(struct exchange *exchange, int error)
{
	struct response *response = &exchange->response;
	unsigned status = is_shortage(error) ? 503 : 500;
	struct text bytes = status_body(status);

	assert(exchange->answered);
	response->body->release(response->body);
	init_response(response);
	add_field(response, text_literal("Content-Type"), PLAIN_TEXT);
	set_answer(exchange, status, memory_source_of(response, bytes), (int64_t)bytes.length);
}

void exchange_answer_redirect(struct exchange *exchange, unsigned status, struct text location)
{
	if (!add_field(&exchange->response, text_literal("Location"), location))
		status = 414;
	exchange_answer_error(exchange, status);
}

void exchange_receive(struct exchange *exchange, struct body_sink *sink, uint64_t length_max)
{
	assert(!exchange->sink);
	exchange->sink = sink;
	exchange->body_length_max = length_max;
	exchange->wire->body_wanted(exchange);
}

void exchange_consumed(struct exchange *exchange, size_t length)
{
	exchange->wire->body_consumed(exchange, length);
}

bool exchange_is_draining(const struct exchange *exchange)
{
	return exchange->wire->is_draining && exchange->wire->is_draining(exchange);
}

bool exchange_sends_files(const struct exchange *exchange)
{
	return !exchange->wire->sends_files || exchange->wire->sends_files(exchange);
}

void exchange_peer_address(struct exchange *exchange, struct sockaddr_storage *address)
{
	*address = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
	if (exchange->wire->peer_address)
		exchange->wire->peer_address(exchange, address);
}

void exchange_client_address(struct exchange *exchange, struct sockaddr_storage *address)
{
	exchange_peer_address(exchange, address);
	if (exchange->proxies)
		proxies_find_client(exchange->proxies, &exchange->request, address);
}
