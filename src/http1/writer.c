/* The response head as bytes.
 *
 * The fields of the connection come from the wire, all others from the exchange, which let no byte
 * into them that could end a line.  The caller's buffer is large enough for every head that an
 * exchange can hold; `truncated` says if it was not. */
#include "http1/writer.h"

#include "http/status.h"

enum http1_framing http1_choose_framing(
	const struct request *request, const struct response *response)
{
	if (!status_has_content(response->status))
		return HTTP1_FRAMING_NONE;
	if (response->length >= 0)
		return HTTP1_FRAMING_LENGTH;
	return request->version == HTTP_1_0 ? HTTP1_FRAMING_UNTIL_CLOSE : HTTP1_FRAMING_CHUNKED;
}

static void write_field(struct buffer *buffer, struct text name, struct text value)
{
	buffer_append(buffer, name);
	buffer_append(buffer, text_literal(": "));
	buffer_append(buffer, value);
	buffer_append(buffer, text_literal("\r\n"));
}

static void write_status_line(struct buffer *buffer, unsigned status)
{
	buffer_append(buffer, text_literal("HTTP/1.1 "));
	buffer_append_number(buffer, status);
	buffer_append_byte(buffer, ' ');
	buffer_append(buffer, status_reason(status));
	buffer_append(buffer, text_literal("\r\n"));
}

static void write_framing(struct buffer *buffer, const struct http1_response_head *head)
{
	switch (head->framing) {
	case HTTP1_FRAMING_LENGTH:
		buffer_append(buffer, text_literal("Content-Length: "));
		buffer_append_number(buffer, head->length);
		buffer_append(buffer, text_literal("\r\n"));
		break;
	case HTTP1_FRAMING_CHUNKED:
		write_field(buffer, text_literal("Transfer-Encoding"), text_literal("chunked"));
		break;
	case HTTP1_FRAMING_NONE:
	case HTTP1_FRAMING_UNTIL_CLOSE:
		break;
	}
}

static void write_connection(struct buffer *buffer, const struct http1_response_head *head)
{
	if (head->close)
		write_field(buffer, text_literal("Connection"), text_literal("close"));
	else if (head->keep_alive)
		write_field(buffer, text_literal("Connection"), text_literal("keep-alive"));
}

void http1_write_head(struct buffer *buffer, const struct response *response,
	const struct http1_response_head *head)
{
	write_status_line(buffer, response->status);
	write_field(buffer, text_literal("Date"), head->date);
	if (head->server)
		write_field(buffer, text_literal("Server"), text_literal("Ringlet"));
	if (head->expires.length > 0)
		write_field(buffer, text_literal("Expires"), head->expires);
	for (unsigned i = 0; i < response->field_count; i++)
		write_field(buffer, response->fields[i].name, response->fields[i].value);
	write_framing(buffer, head);
	write_connection(buffer, head);
	buffer_append(buffer, text_literal("\r\n"));
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
