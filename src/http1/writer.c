/* The response head as bytes.
 *
 * The fields of the connection come from the wire, all others from the exchange, which let no byte
 * into them that could end a line.  Whether the buffer has room is asked once, so that each part is
 * a copy and nothing else.  The caller's buffer is large enough for every head that an exchange can
 * hold; if it was not, `truncated` says so and nothing is written. */
#include "http1/writer.h"

#include "http/status.h"

enum {
	NUMBER_LENGTH_MAX = 20,
	REST_LENGTH_MAX = 256, /* status line, names, framing: all that is not a field or a date */
};

enum http1_framing http1_choose_framing(
	const struct request *request, const struct response *response)
{
	if (!status_has_content(response->status))
		return HTTP1_FRAMING_NONE;
	if (response->length >= 0)
		return HTTP1_FRAMING_LENGTH;
	return request->version == HTTP_1_0 ? HTTP1_FRAMING_UNTIL_CLOSE : HTTP1_FRAMING_CHUNKED;
}

/* --- parts: `end` is where the head ends so far ------------------------------------------- */

/* Room was made for all of it before. */
static inline char *put(char *end, struct text text)
{
	if (text.length == 0)
		return end;
	memcpy(end, text.bytes, text.length);
	return end + text.length;
}

static char *put_number(char *end, uint64_t number)
{
	char digits[NUMBER_LENGTH_MAX];
	size_t start = sizeof(digits);

	do {
		digits[--start] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return put(end, (struct text){ digits + start, sizeof(digits) - start });
}

static char *put_field(char *end, struct text name, struct text value)
{
	end = put(end, name);
	end = put(end, text_literal(": "));
	end = put(end, value);
	return put(end, text_literal("\r\n"));
}

static char *put_status_line(char *end, unsigned status)
{
	struct text line = status_line(status);

	end = put(end, text_literal("HTTP/1.1 "));
	if (line.length > 0)
		return put(end, line);
	end = put_number(end, status);
	end = put(end, text_literal(" "));
	return put(end, status_reason(status));
}

static char *put_framing(char *end, const struct http1_response_head *head)
{
	switch (head->framing) {
	case HTTP1_FRAMING_LENGTH:
		end = put(end, text_literal("Content-Length: "));
		end = put_number(end, head->length);
		return put(end, text_literal("\r\n"));
	case HTTP1_FRAMING_CHUNKED:
		return put(end, text_literal("Transfer-Encoding: chunked\r\n"));
	case HTTP1_FRAMING_NONE:
	case HTTP1_FRAMING_UNTIL_CLOSE:
		break;
	}
	return end;
}

static char *put_connection(char *end, const struct http1_response_head *head)
{
	if (head->close)
		return put(end, text_literal("Connection: close\r\n"));
	if (head->keep_alive)
		return put(end, text_literal("Connection: keep-alive\r\n"));
	return end;
}

/* --- the whole ---------------------------------------------------------------------------- */

/* At least as much as the head takes. */
static size_t room_for(const struct response *response, const struct http1_response_head *head)
{
	size_t length = REST_LENGTH_MAX + head->date.length + head->expires.length;

	for (unsigned i = 0; i < response->field_count; i++)
		length += response->fields[i].name.length + response->fields[i].value.length +
			  sizeof(": \r\n") - 1;
	return length;
}

void http1_write_head(struct buffer *buffer, const struct response *response,
	const struct http1_response_head *head)
{
	char *end = buffer->bytes + buffer->length;

	if (room_for(response, head) > buffer_room(buffer)) {
		buffer->truncated = true;
		return;
	}
	end = put_status_line(end, response->status);
	end = put(end, text_literal("\r\nDate: "));
	end = put(end, head->date);
	if (head->server)
		end = put(end, text_literal("\r\nServer: Ringlet"));
	end = put(end, text_literal("\r\n"));
	if (head->expires.length > 0)
		end = put_field(end, text_literal("Expires"), head->expires);
	for (unsigned i = 0; i < response->field_count; i++)
		end = put_field(end, response->fields[i].name, response->fields[i].value);
	end = put_framing(end, head);
	end = put_connection(end, head);
	end = put(end, text_literal("\r\n"));
	buffer->length = (size_t)(end - buffer->bytes);
}

static bool is_like_others(const struct http1_response_head *head)
{
	return head->framing == HTTP1_FRAMING_LENGTH && head->expires.length == 0 && !head->close &&
	       !head->keep_alive;
}

/* Behind the status line comes Date. */
static void prepare(struct prepared_head *prepared, struct text head)
{
	if (head.length == 0 || head.length > sizeof(prepared->bytes))
		return;
	memcpy(prepared->bytes, head.bytes, head.length);
	prepared->length = head.length;
	prepared->date = text_find(head, '\r') + sizeof("\r\nDate: ") - 1;
}

void http1_write_prepared_head(struct buffer *buffer, const struct response *response,
	const struct http1_response_head *head)
{
	struct prepared_head *prepared = response->prepared;
	size_t start = buffer->length;

	if (!is_like_others(head) || prepared->length == 0) {
		http1_write_head(buffer, response, head);
		if (is_like_others(head))
			prepare(prepared, text_from(buffer_text(buffer), start));
		return;
	}
	if (prepared->length > buffer_room(buffer)) {
		buffer->truncated = true;
		return;
	}
	buffer_append(buffer, (struct text){ prepared->bytes, prepared->length });
	memcpy(buffer->bytes + start + prepared->date, head->date.bytes, head->date.length);
}

void http1_write_chunk_head(struct buffer *buffer, uint64_t length)
{
	static const char DIGITS[] = "0123456789abcdef";
	char bytes[16];
	size_t start = sizeof(bytes);

	do {
		bytes[--start] = DIGITS[length & 15];
		length >>= 4;
	} while (length > 0);
	buffer_append(buffer, (struct text){ bytes + start, sizeof(bytes) - start });
	buffer_append(buffer, text_literal("\r\n"));
}
