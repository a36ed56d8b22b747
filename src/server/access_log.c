/* From a finished response to its line in the access log.
 *
 * Escaping is one table per format that says, for a byte or a character, whether it may stand as
 * it is.  The bounds below times the longest escape of a byte (six, \u001F) stay under
 * ACCESS_LINE_LENGTH_MAX, so that no line is ever cut in the middle of an escape. */
#include "server/access_log.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "base/host.h"
#include "http/exchange.h"
#include "net/address.h"

enum {
	LINE_LENGTH_MAX = 4096,  /* of the request line and of the target */
	FIELD_LENGTH_MAX = 1024, /* of Referer, User-Agent, location */
	NAME_LENGTH_MAX = 256,   /* of everything that is short by nature */
};

static_assert(6 * (LINE_LENGTH_MAX + 3 * FIELD_LENGTH_MAX + 5 * NAME_LENGTH_MAX) <
		      ACCESS_LINE_LENGTH_MAX - 512,
	"a line fits");

static const char HEX_DIGITS[] = "0123456789ABCDEF";

/* --- combined ----------------------------------------------------------------------------- */

static void append_hex_escape(struct buffer *line, unsigned char byte)
{
	buffer_append_string(line, "\\x");
	buffer_append_byte(line, HEX_DIGITS[byte >> 4]);
	buffer_append_byte(line, HEX_DIGITS[byte & 15]);
}

static bool stands_as_it_is(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* "-" stands for what is not there, as in other servers' logs. */
static void append_escaped(struct buffer *line, struct text text, size_t length_max)
{
	text = text_first(text, length_max);
	if (text.length == 0)
		buffer_append_byte(line, '-');
	for (size_t i = 0; i < text.length; i++) {
		unsigned char byte = (unsigned char)text.bytes[i];

		if (stands_as_it_is(byte))
			buffer_append_byte(line, (char)byte);
		else
			append_hex_escape(line, byte);
	}
}

static void append_quoted(struct buffer *line, struct text text, size_t length_max)
{
	buffer_append_byte(line, '"');
	append_escaped(line, text, length_max);
	buffer_append_byte(line, '"');
}

static struct tm time_parts(int64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / 1000000000);
	struct tm parts;

	gmtime_r(&seconds, &parts);
	return parts;
}

/* 21/Nov/2026:09:46:03 +0000 */
static void append_common_time(struct buffer *line, int64_t wall_ns)
{
	static const char MONTHS[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };
	struct tm parts = time_parts(wall_ns);

	buffer_append_format(line, "%02d/%s/%04d:%02d:%02d:%02d +0000", parts.tm_mday,
		MONTHS[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
		parts.tm_sec);
}

void access_log_append_combined(struct buffer *line, const struct access_entry *entry)
{
	append_escaped(line, entry->remote, NAME_LENGTH_MAX);
	buffer_append_string(line, " - - [");
	append_common_time(line, entry->wall_ns);
	buffer_append_string(line, "] ");
	append_quoted(line, entry->line, LINE_LENGTH_MAX);
	buffer_append_byte(line, ' ');
	buffer_append_number(line, entry->status);
	buffer_append_byte(line, ' ');
	buffer_append_number(line, entry->body_length);
	buffer_append_byte(line, ' ');
	append_quoted(line, entry->referer, FIELD_LENGTH_MAX);
	buffer_append_byte(line, ' ');
	append_quoted(line, entry->user_agent, FIELD_LENGTH_MAX);
	buffer_append_byte(line, '\n');
	assert(!line->truncated);
}

/* --- JSON (RFC 8259) ---------------------------------------------------------------------- */

/* What a lead byte promises (RFC 3629 §4): how long the sequence is, and the range of its second
 * byte, which rules out overlong forms, surrogates and what lies beyond U+10FFFF. */
struct utf8_lead {
	unsigned char first, last;
	unsigned char length;
	unsigned char second_first, second_last;
};

static const struct utf8_lead UTF8_LEADS[] = {
	{ 0xc2, 0xdf, 2, 0x80, 0xbf },
	{ 0xe0, 0xe0, 3, 0xa0, 0xbf },
	{ 0xe1, 0xec, 3, 0x80, 0xbf },
	{ 0xed, 0xed, 3, 0x80, 0x9f },
	{ 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf },
	{ 0xf1, 0xf3, 4, 0x80, 0xbf },
	{ 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static const struct utf8_lead *find_lead(unsigned char byte)
{
	for (size_t i = 0; i < sizeof(UTF8_LEADS) / sizeof(UTF8_LEADS[0]); i++) {
		if (byte >= UTF8_LEADS[i].first && byte <= UTF8_LEADS[i].last)
			return &UTF8_LEADS[i];
	}
	return NULL;
}

/* Length of the well-formed sequence of several bytes that `text` begins with, or 0. */
static size_t sequence_length(struct text text)
{
	const unsigned char *bytes = (const unsigned char *)text.bytes;
	const struct utf8_lead *lead = find_lead(bytes[0]);

	if (!lead || lead->length > text.length)
		return 0;
	if (bytes[1] < lead->second_first || bytes[1] > lead->second_last)
		return 0;
	for (size_t i = 2; i < lead->length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	}
	return lead->length;
}

static void append_unicode_escape(struct buffer *line, unsigned char code)
{
	buffer_append_string(line, "\\u00");
	buffer_append_byte(line, HEX_DIGITS[code >> 4]);
	buffer_append_byte(line, HEX_DIGITS[code & 15]);
}

static void append_json_ascii(struct buffer *line, unsigned char byte)
{
	if (byte == '"' || byte == '\\')
		buffer_append_byte(line, '\\');
	if (byte < 0x20 || byte == 0x7f)
		append_unicode_escape(line, byte);
	else
		buffer_append_byte(line, (char)byte);
}

/* One character, or one byte that belongs to none; returns how many bytes were taken.  U+0080 to
 * U+009F are control characters, too.  A byte that is not UTF-8 becomes the text \xNN. */
static size_t append_json_character(struct buffer *line, struct text text)
{
	unsigned char byte = (unsigned char)text.bytes[0];
	size_t length;

	if (byte < 0x80) {
		append_json_ascii(line, byte);
		return 1;
	}
	length = sequence_length(text);
	if (length == 0) {
		buffer_append_byte(line, '\\');
		append_hex_escape(line, byte);
		return 1;
	}
	if (byte == 0xc2 && (unsigned char)text.bytes[1] < 0xa0)
		append_unicode_escape(line, (unsigned char)text.bytes[1]);
	else
		buffer_append(line, text_first(text, length));
	return length;
}

static void append_json_string(struct buffer *line, struct text text, size_t length_max)
{
	text = text_first(text, length_max);
	buffer_append_byte(line, '"');
	while (text.length > 0)
		text = text_from(text, append_json_character(line, text));
	buffer_append_byte(line, '"');
}

static void append_member(
	struct buffer *line, const char *name, struct text value, size_t length_max)
{
	buffer_append_string(line, ",\"");
	buffer_append_string(line, name);
	buffer_append_string(line, "\":");
	append_json_string(line, value, length_max);
}

/* 2026-11-21T09:46:03.123Z */
static void append_iso_time(struct buffer *line, int64_t wall_ns)
{
	struct tm parts = time_parts(wall_ns);

	buffer_append_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
		parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
		(int)(wall_ns / 1000000 % 1000));
}

void access_log_append_json(struct buffer *line, const struct access_entry *entry)
{
	struct text method = text_first(entry->line, text_find(entry->line, ' '));
	unsigned long long duration_us = entry->duration_ns / 1000;

	buffer_append_string(line, "{\"time\":\"");
	append_iso_time(line, entry->wall_ns);
	buffer_append_byte(line, '"');
	append_member(line, "remote", entry->remote, NAME_LENGTH_MAX);
	append_member(line, "method", method, NAME_LENGTH_MAX);
	append_member(line, "target", entry->target, LINE_LENGTH_MAX);
	append_member(line, "protocol", entry->protocol, NAME_LENGTH_MAX);
	buffer_append_format(line, ",\"status\":%u,\"bytes\":%llu", entry->status,
		(unsigned long long)entry->body_length);
	buffer_append_format(
		line, ",\"duration_ms\":%llu.%03llu", duration_us / 1000, duration_us % 1000);
	buffer_append_string(line, entry->cut ? ",\"cut\":true" : ",\"cut\":false");
	append_member(line, "host", entry->host, NAME_LENGTH_MAX);
	append_member(line, "referer", entry->referer, FIELD_LENGTH_MAX);
	append_member(line, "user_agent", entry->user_agent, FIELD_LENGTH_MAX);
	append_member(line, "location", entry->location, FIELD_LENGTH_MAX);
	append_member(line, "endpoint", entry->endpoint, NAME_LENGTH_MAX);
	buffer_append_string(line, "}\n");
	assert(!line->truncated);
}

/* --- the entry of a response -------------------------------------------------------------- */

static struct text field_value(const struct request *request, struct text name)
{
	const struct field *field = request_field(request, name);

	return field ? field->value : (struct text){ NULL, 0 };
}

static struct text protocol_of(const struct request *request)
{
	if (request->line.length == 0)
		return (struct text){ NULL, 0 };
	switch (request->version) {
	case HTTP_1_0:
		return text_literal("HTTP/1.0");
	case HTTP_1_1:
		return text_literal("HTTP/1.1");
	case HTTP_2:
		return text_literal("HTTP/2");
	}
	return (struct text){ NULL, 0 };
}

static struct access_entry entry_of(
	const struct http1_record *record, struct text remote, struct proactor *proactor)
{
	const struct exchange *exchange = record->exchange;
	const struct request *request = &exchange->request;
	uint64_t now_ns = proactor_now_ns(proactor);
	struct access_entry entry = {
		.wall_ns = proactor_wall_ns(proactor),
		.body_length = exchange->sent_length,
		.status = exchange->response.status,
		.cut = record->cut,
		.remote = remote,
		.line = request->line,
		.target = request->target,
		.protocol = protocol_of(request),
		.host = request->host,
		.referer = field_value(request, text_literal("Referer")),
		.user_agent = field_value(request, text_literal("User-Agent")),
	};

	if (exchange->started_ns > 0 && exchange->started_ns < now_ns)
		entry.duration_ns = now_ns - exchange->started_ns;
	if (exchange->location) {
		entry.location = exchange->location->prefix;
		entry.endpoint = text_of(exchange->location->endpoint->name);
	}
	return entry;
}

void access_log_append(struct buffer *line, enum access_log_format format,
	const struct http1_record *record, struct proactor *proactor)
{
	char memory[ADDRESS_NAME_LENGTH_MAX];
	struct buffer remote;
	struct access_entry entry;

	buffer_init(&remote, memory, sizeof(memory));
	host_append(&remote, record->client);
	entry = entry_of(record, buffer_text(&remote), proactor);
	switch (format) {
	case ACCESS_LOG_COMBINED:
		access_log_append_combined(line, &entry);
		return;
	case ACCESS_LOG_JSON:
		access_log_append_json(line, &entry);
		return;
	}
}
