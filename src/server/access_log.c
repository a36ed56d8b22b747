/* Formatting a finished response as a line of the access log. */
#include "server/access_log.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "base/host.h"
#include "net/address.h"

/* Bounds of the written text, escapes included. */
enum {
	LINE_LENGTH_MAX = 4096,  /* of the request line and of the target */
	FIELD_LENGTH_MAX = 1024, /* of Referer, User-Agent, location */
	NAME_LENGTH_MAX = 256,   /* of the other members, which are short */
};

static_assert(
	LINE_LENGTH_MAX + 3 * FIELD_LENGTH_MAX + 5 * NAME_LENGTH_MAX < ACCESS_LINE_LENGTH_MAX - 512,
	"a line fits");

/* --- combined ----------------------------------------------------------------------------- */

/* An empty text is written as "-", as in other servers' logs. */
static void append_escaped(struct buffer *line, struct text text, size_t length_max)
{
	if (text.length == 0)
		buffer_append_byte(line, '-');
	escape_append(line, text, ESCAPE_COMBINED, length_max);
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

static void append_member(
	struct buffer *line, const char *name, struct text value, size_t length_max)
{
	buffer_append_string(line, ",\"");
	buffer_append_string(line, name);
	buffer_append_string(line, "\":");
	buffer_append_byte(line, '"');
	escape_append(line, value, ESCAPE_JSON, length_max);
	buffer_append_byte(line, '"');
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
	const struct finished_exchange *finished, struct text remote, struct proactor *proactor)
{
	const struct exchange *exchange = finished->exchange;
	const struct request *request = &exchange->request;
	uint64_t now_ns = proactor_now_ns(proactor);
	struct access_entry entry = {
		.wall_ns = proactor_wall_ns(proactor),
		.body_length = exchange->sent_length,
		.status = exchange->response.status,
		.cut = finished->cut,
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
	const struct finished_exchange *finished, struct proactor *proactor)
{
	char memory[ADDRESS_NAME_LENGTH_MAX];
	struct buffer remote;
	struct access_entry entry;

	buffer_init(&remote, memory, sizeof(memory));
	host_append(&remote, finished->client);
	entry = entry_of(finished, buffer_text(&remote), proactor);
	switch (format) {
	case ACCESS_LOG_COMBINED:
		access_log_append_combined(line, &entry);
		return;
	case ACCESS_LOG_JSON:
		access_log_append_json(line, &entry);
		return;
	}
}
