/* Reads a stream with libhttp-parser. Its callbacks give texts in pieces; they are joined in the
 * reading's memory.
 *
 * Each message has a parser of its own, stopped when the message is complete, so that the library
 * says where the next one begins. Upgrades are removed: Ringlet ignores them (RFC 9110 §7.8), and
 * an HTTP parser does not read what follows one. */
#include "reading.h"

#include <arpa/inet.h>
#include <http_parser.h>

#include "base/text.h"

struct progress {
	struct reading *reading;
	struct reading_message *message;
	bool value_begun; /* of the last field */
};

static void append(struct reading *reading, struct text *text, const char *bytes, size_t length)
{
	if (!text->bytes)
		text->bytes = reading->memory.bytes + reading->memory.length;
	buffer_append(&reading->memory, (struct text){ bytes, length });
	text->length += length;
}

static int on_url(http_parser *parser, const char *bytes, size_t length)
{
	struct progress *progress = parser->data;

	append(progress->reading, &progress->message->target, bytes, length);
	return 0;
}

/* NULL: a trailer, or more fields than a message has room for. */
static struct field *last_field(struct reading_message *message)
{
	if (message->head_read || message->field_count > REQUEST_FIELDS_MAX)
		return NULL;
	return &message->fields[message->field_count - 1];
}

static int on_field_name(http_parser *parser, const char *bytes, size_t length)
{
	struct progress *progress = parser->data;
	struct reading_message *message = progress->message;
	struct field *field;

	if (message->field_count == 0 || progress->value_begun)
		message->field_count += !message->head_read;
	progress->value_begun = false;
	field = last_field(message);
	if (field)
		append(progress->reading, &field->name, bytes, length);
	return 0;
}

static int on_field_value(http_parser *parser, const char *bytes, size_t length)
{
	struct progress *progress = parser->data;
	struct field *field = last_field(progress->message);

	progress->value_begun = true;
	if (field)
		append(progress->reading, &field->value, bytes, length);
	return 0;
}

/* The authority as in the URL, including its port. */
static struct text authority_of(const struct http_parser_url *url, struct text target)
{
	size_t start = url->field_data[UF_HOST].off;
	struct text rest;

	if (!(url->field_set & 1U << UF_HOST))
		return (struct text){ 0 };
	if (start > 0 && target.bytes[start - 1] == '[')
		start--;
	rest = text_from(target, start);
	rest = text_first(rest, text_find(rest, '/'));
	return text_first(rest, text_find(rest, '?'));
}

/* The library takes any digits, colons and dots in brackets for an address. */
static bool has_real_address(struct text authority)
{
	char memory[INET6_ADDRSTRLEN];
	struct in6_addr address;
	struct buffer string;

	if (authority.length == 0 || authority.bytes[0] != '[')
		return true;
	buffer_init(&string, memory, sizeof(memory));
	buffer_append(&string, text_from(text_first(authority, text_find(authority, ']')), 1));
	buffer_append_byte(&string, '\0');
	return !string.truncated && inet_pton(AF_INET6, memory, &address) == 1;
}

static void take_url(struct reading_message *message, bool connect)
{
	struct http_parser_url url;
	struct text before_host;

	http_parser_url_init(&url);
	if (http_parser_parse_url(message->target.bytes, message->target.length, connect, &url))
		return;
	before_host = text_first(message->target, url.field_data[UF_HOST].off);
	message->authority = authority_of(&url, message->target);
	message->target_is_good = text_find(before_host, '@') == before_host.length &&
				  has_real_address(message->authority);
	if (url.field_set & 1U << UF_QUERY)
		message->query =
			text_first(text_from(message->target, url.field_data[UF_QUERY].off),
				url.field_data[UF_QUERY].len);
}

static uint64_t content_length_of(const http_parser *parser)
{
	if (parser->flags & F_CHUNKED)
		return REQUEST_LENGTH_CHUNKED;
	return parser->flags & F_CONTENTLENGTH ? parser->content_length : 0;
}

static int on_head(http_parser *parser)
{
	struct progress *progress = parser->data;
	struct reading_message *message = progress->message;

	message->method = text_of(http_method_str(parser->method));
	message->major = parser->http_major;
	message->minor = parser->http_minor;
	message->content_length = content_length_of(parser);
	message->keep_alive = http_should_keep_alive(parser);
	for (unsigned i = 0; i < message->field_count && i < REQUEST_FIELDS_MAX; i++)
		message->fields[i].value = text_trim(message->fields[i].value);
	message->head_read = true;
	take_url(message, parser->method == HTTP_CONNECT);
	parser->upgrade = 0;
	return 0;
}

static int on_body(http_parser *parser, const char *bytes, size_t length)
{
	struct progress *progress = parser->data;

	append(progress->reading, &progress->message->body, bytes, length);
	return 0;
}

static int on_whole(http_parser *parser)
{
	struct progress *progress = parser->data;

	progress->message->whole = true;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings SETTINGS = {
	.on_url = on_url,
	.on_header_field = on_field_name,
	.on_header_value = on_field_value,
	.on_headers_complete = on_head,
	.on_body = on_body,
	.on_message_complete = on_whole,
};

/* Whether another message may follow. */
static bool read_message(
	struct reading *reading, size_t *at, struct text stream, const struct cuts *cuts)
{
	struct progress progress = { .reading = reading, .message = begin_message(reading, *at) };
	size_t start = *at;
	http_parser parser;

	if (!progress.message)
		return false;
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = &progress;
	while (*at < stream.length && HTTP_PARSER_ERRNO(&parser) == HPE_OK) {
		size_t end = next_cut(cuts, *at, stream);

		*at += http_parser_execute(&parser, &SETTINGS, stream.bytes + *at, end - *at);
	}
	reading->refused =
		HTTP_PARSER_ERRNO(&parser) != HPE_OK && HTTP_PARSER_ERRNO(&parser) != HPE_PAUSED;
	if (reading->refused)
		reading->why = http_errno_name(HTTP_PARSER_ERRNO(&parser));
	if (reading->refused || !progress.message->whole)
		return false;
	progress.message->length = *at - start;
	return progress.message->keep_alive;
}

void read_by_library(struct reading *reading, struct text stream, const struct cuts *cuts)
{
	size_t at = 0;

	begin_reading(reading);
	while (at < stream.length && read_message(reading, &at, stream, cuts))
		continue;
}

bool library_knows_method(struct text name)
{
	for (unsigned method = 0; method <= HTTP_SOURCE; method++) {
		if (text_equal(name, text_of(http_method_str((enum http_method)method))))
			return true;
	}
	return false;
}

bool library_knows_host(struct text host)
{
	char memory[256];
	struct http_parser_url url;
	struct buffer target;

	buffer_init(&target, memory, sizeof(memory));
	buffer_append_format(&target, "http://%.*s/", TEXT_ARGUMENTS(host));
	http_parser_url_init(&url);
	return !http_parser_parse_url(target.bytes, target.length, false, &url) &&
	       text_find(host, '@') == host.length && has_real_address(host) &&
	       url.field_data[UF_PATH].off + 1U == target.length;
}

bool library_is_strict(void)
{
	static struct reading reading;
	static const struct cuts WHOLE = { 0 };

	read_by_library(&reading, text_literal("GET /\t HTTP/1.1\r\n\r\n"), &WHOLE);
	return reading.refused;
}
