/* The request head: found first, then taken apart in one pass.
 *
 * Both are strict where RFC 9112 lets a recipient choose, because whatever two implementations read
 * differently can be used to smuggle a request past one of them (§11.2).  A run of
 * allowed bytes is taken, by a table of classes or, in values, eight at a time; what stands after
 * the run decides.
 * Fields that govern the connection itself are noted as they pass; whether they fit together is
 * judged when all were seen.  Nothing is copied and nothing allocated. */
#include "http1/parser.h"

#include <errno.h>

#include "base/smaller.h"
#include "http/byte.h"
#include "http/network.h"

enum byte_class {
	TOKEN = 1,  /* tchar (RFC 9110 §5.6.2) */
	TARGET = 2, /* in a request target: visible, no fragment (RFC 9112 §3.2) */
	NAME = 4,   /* in the name of a host, but for escapes (RFC 3986 §3.2.2) */
	MARK = TARGET | NAME,
	PLAIN = MARK | TOKEN,
};

static const unsigned char CLASSES[256] = {
	['!'] = PLAIN,
	['"'] = TARGET,
	['#'] = TOKEN,
	['$'] = PLAIN,
	['%'] = TOKEN | TARGET,
	['&' ... '\''] = PLAIN,
	['(' ... ')'] = MARK,
	['*' ... '+'] = PLAIN,
	[','] = MARK,
	['-' ... '.'] = PLAIN,
	['/'] = TARGET,
	['0' ... '9'] = PLAIN,
	[':'] = TARGET,
	[';'] = MARK,
	['<'] = TARGET,
	['='] = MARK,
	['>' ... '@'] = TARGET,
	['A' ... 'Z'] = PLAIN,
	['[' ... ']'] = TARGET,
	['^'] = TOKEN | TARGET,
	['_'] = PLAIN,
	['`'] = TOKEN | TARGET,
	['a' ... 'z'] = PLAIN,
	['{'] = TARGET,
	['|'] = TOKEN | TARGET,
	['}'] = TARGET,
	['~'] = PLAIN,
};

/* A head being taken apart. */
struct parse {
	struct request *request;
	struct http1_head *result;
	struct text rest;      /* what was not looked at yet */
	struct text authority; /* of a target in absolute form */
	bool host_seen, length_seen, coding_seen;
	bool chunked, unknown_coding;
	bool close, keep_alive;
};

/* --- finding the end ---------------------------------------------------------------------- */

static int refuse_bytes(struct http1_scan *scan, unsigned status, const char *why)
{
	scan->why = why;
	return -(int)status;
}

/* A line of the head ends at `end`, where the LF is.  1: the head ends here too, 0: it goes on, or
 * -400. */
static int end_line(struct http1_scan *scan, struct text bytes, size_t end)
{
	size_t length = end - scan->line_start;
	bool first = scan->line_start == 0;

	if (length == 0 || bytes.bytes[end - 1] != '\r')
		return refuse_bytes(scan, 400, "a line that ends in LF without CR");
	scan->examined = scan->line_start = end + 1;
	if (length > 1) {
		scan->line_seen = true;
		return 0;
	}
	if (scan->line_seen)
		return 1;
	return first ? 0 : refuse_bytes(scan, 400, "two empty lines before a request");
}

int64_t http1_find_head(struct http1_scan *scan, struct text bytes, size_t header_bytes_max)
{
	/* What lies beyond the bound has no say, so that the answer does not depend on how the
	 * bytes were cut into receives. */
	struct text seen = text_first(bytes, header_bytes_max);
	struct text new = text_from(seen, scan->examined);
	size_t end = seen.length;
	int r = 0;

	while (r == 0 && scan->examined < seen.length) {
		struct text rest = text_from(seen, scan->examined);
		size_t length = text_find(rest, '\n');

		end = scan->examined + length;
		if (length < rest.length)
			r = end_line(scan, seen, end);
		else
			scan->examined = end;
	}
	/* Once for all lines; a NUL comes before whatever is wrong with the end of its line. */
	new.length = end - (size_t)(new.bytes - seen.bytes);
	if (text_find(new, '\0') < new.length)
		return refuse_bytes(scan, 400, "a NUL in the head");
	if (r != 0)
		return r < 0 ? r : (int64_t)scan->examined;
	if (bytes.length < header_bytes_max)
		return 0;
	if (scan->line_seen)
		return refuse_bytes(scan, 431, "a head that is too long");
	return refuse_bytes(scan, 414, "a request line that is too long");
}

/* --- taking bytes ------------------------------------------------------------------------- */

static bool is_of(char byte, enum byte_class class)
{
	return CLASSES[(unsigned char)byte] & class;
}

static struct text take_bytes(struct text *rest, size_t length)
{
	struct text run = { rest->bytes, length };

	rest->bytes += length;
	rest->length -= length;
	return run;
}

/* The run of bytes of that class at the front. */
static struct text take_run(struct text *rest, enum byte_class class)
{
	const char *end = rest->bytes + rest->length;
	const char *at = rest->bytes;

	while (at < end && is_of(*at, class))
		at++;
	return take_bytes(rest, (size_t)(at - rest->bytes));
}

static bool take_byte(struct text *rest, char byte)
{
	if (rest->length == 0 || rest->bytes[0] != byte)
		return false;
	take_bytes(rest, 1);
	return true;
}

static bool take_line_end(struct text *rest)
{
	return take_byte(rest, '\r') && take_byte(rest, '\n');
}

/* What stands before the next comma, which is taken too.  A list that ends in a comma has an empty
 * last element: *more says whether there is another. */
static struct text take_element(struct text *list, bool *more)
{
	size_t length = text_find(*list, ',');
	struct text element = text_trim(text_first(*list, length));

	*more = length < list->length;
	*list = text_from(*list, length + 1);
	return element;
}

static unsigned refuse(struct parse *parse, unsigned status, const char *why)
{
	parse->result->why = why;
	return status;
}

/* --- the request line --------------------------------------------------------------------- */

/* "1.1" and all later minor versions are read as 1.1 (RFC 9110 §2.5). */
static unsigned parse_version(struct parse *parse, struct text version)
{
	char major, minor;

	if (version.length != 8 || !text_starts_with(version, text_literal("HTTP/")) ||
		version.bytes[6] != '.')
		return refuse(parse, 400, "a malformed version");
	major = version.bytes[5];
	minor = version.bytes[7];
	if (major < '0' || major > '9' || minor < '0' || minor > '9')
		return refuse(parse, 400, "a malformed version");
	if (major != '1')
		return refuse(parse, 505, "not HTTP/1");
	parse->request->version = minor == '0' ? HTTP_1_0 : HTTP_1_1;
	return 0;
}

static size_t hex_run(struct text text)
{
	size_t length = 0;

	while (length < text.length && byte_hex_value(text.bytes[length]) >= 0)
		length++;
	return length;
}

/* "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ) */
static bool is_future_address(struct text text)
{
	size_t digits = hex_run(text_from(text, 1));

	if (text.length == 0 || byte_lower(text.bytes[0]) != 'v' || digits == 0)
		return false;
	text = text_from(text, 1 + digits);
	if (!take_byte(&text, '.') || text.length == 0)
		return false;
	while (take_run(&text, NAME).length > 0 || take_byte(&text, ':'))
		;
	return text.length == 0;
}

/* IP-literal (RFC 3986 §3.2.2), without its brackets. */
static bool is_ip_literal(struct text text)
{
	struct network network;

	if (text_find(text, ':') < text.length && network_parse_address(&network, text) == 0)
		return true;
	return is_future_address(text);
}

/* pct-encoded (RFC 3986 §2.1) */
static bool take_escape(struct text *rest)
{
	if (rest->length == 0 || rest->bytes[0] != '%' ||
		hex_run(text_first(text_from(*rest, 1), 2)) < 2)
		return false;
	take_bytes(rest, 3);
	return true;
}

/* reg-name or IPv4address */
static bool take_registered_name(struct text *rest)
{
	struct text start = *rest;

	while (take_run(rest, NAME).length > 0 || take_escape(rest))
		;
	return rest->length < start.length;
}

/* Takes "example.com" or "[::1]" off the front. */
static bool take_host_name(struct text *rest)
{
	struct text literal;

	if (!take_byte(rest, '['))
		return take_registered_name(rest);
	literal = text_first(*rest, text_find(*rest, ']'));
	*rest = text_from(*rest, literal.length);
	return is_ip_literal(literal) && take_byte(rest, ']');
}

/* uri-host [ ":" port ] (RFC 9110 §7.2); the port may be empty (RFC 3986 §3.2.3). */
static bool is_host(struct text host)
{
	uint64_t port;

	if (!take_host_name(&host))
		return false;
	if (host.length == 0)
		return true;
	if (!take_byte(&host, ':'))
		return false;
	return host.length == 0 || (text_to_number(&port, host) == 0 && port <= UINT16_MAX);
}

/* "http://host/path" as it is sent to proxies: its authority counts, not Host (RFC 9112 §3.2.2). */
static unsigned split_absolute_target(struct parse *parse)
{
	static const struct text SCHEME = TEXT("http://");
	struct request *request = parse->request;
	struct text rest = request->target;
	size_t slash, question;

	if (!text_equal_ignoring_case(text_first(rest, SCHEME.length), SCHEME))
		return 0;
	rest = text_from(rest, SCHEME.length);
	slash = text_find(rest, '/');
	question = text_find(rest, '?');
	parse->authority = text_first(rest, smaller(slash, question));
	if (!is_host(parse->authority))
		return refuse(parse, 400, "an invalid host in the target");
	request->target = text_from(rest, parse->authority.length);
	return 0;
}

static unsigned parse_target(struct parse *parse)
{
	struct request *request = parse->request;
	unsigned status = split_absolute_target(parse);

	if (status == 0)
		request->query = text_from(request->target, text_find(request->target, '?') + 1);
	return status;
}

static unsigned parse_request_line(struct parse *parse)
{
	struct request *request = parse->request;
	struct text rest;
	struct text method;
	unsigned status;

	request->line = text_first(parse->rest, text_find(parse->rest, '\r'));
	rest = request->line;
	parse->rest = text_from(parse->rest, rest.length);
	method = take_run(&rest, TOKEN);
	request->method = method_of(method);
	if (method.length == 0 || !take_byte(&rest, ' '))
		return refuse(parse, 400, "a malformed method");
	request->target = take_run(&rest, TARGET);
	if (request->target.length == 0)
		return refuse(parse, 400, "no target");
	if (!take_byte(&rest, ' '))
		return refuse(parse, 400,
			rest.length > 0 ? "a byte that no target may have" : "no version");
	status = parse_version(parse, rest);
	if (status != 0)
		return status;
	if (!take_line_end(&parse->rest))
		return refuse(parse, 400, "a CR without LF");
	return parse_target(parse);
}

/* --- fields that govern the connection ---------------------------------------------------- */

static unsigned note_connection(struct parse *parse, struct text value)
{
	bool more = true;

	while (more) {
		struct text option = take_element(&value, &more);

		if (text_equal_ignoring_case(option, text_literal("close")))
			parse->close = true;
		else if (text_equal_ignoring_case(option, text_literal("keep-alive")))
			parse->keep_alive = true;
	}
	return 0;
}

static unsigned note_content_length(struct parse *parse, struct text value)
{
	uint64_t length;
	int r;

	if (parse->length_seen)
		return refuse(parse, 400, "two Content-Length fields");
	parse->length_seen = true;
	r = text_to_number(&length, value);
	if (r == -EINVAL)
		return refuse(parse, 400, "a malformed Content-Length");
	if (r < 0 || length > INT64_MAX)
		return refuse(parse, 400, "a Content-Length beyond all bounds");
	parse->request->content_length = length;
	return 0;
}

/* An HTTP/1.0 client that expects 100 is served without (RFC 9110 §10.1.1). */
static unsigned note_expect(struct parse *parse, struct text value)
{
	bool more = true;

	while (more) {
		struct text expectation = take_element(&value, &more);

		if (!text_equal_ignoring_case(expectation, text_literal("100-continue")))
			return refuse(parse, 417, "an expectation other than 100-continue");
	}
	parse->request->expects_continue = parse->request->version >= HTTP_1_1;
	return 0;
}

/* Empty for a target without authority (RFC 9112 §3.2). */
static unsigned note_host(struct parse *parse, struct text value)
{
	if (parse->host_seen)
		return refuse(parse, 400, "two Host fields");
	parse->host_seen = true;
	if (value.length > 0 && !is_host(value))
		return refuse(parse, 400, "an invalid Host");
	parse->request->host = value;
	return 0;
}

static unsigned note_transfer_encoding(struct parse *parse, struct text value)
{
	bool more = true;

	parse->coding_seen = true;
	while (more) {
		struct text coding = take_element(&value, &more);

		if (coding.length == 0)
			return refuse(parse, 400, "an empty transfer coding");
		if (parse->chunked)
			return refuse(parse, 400, "a transfer coding after chunked");
		if (text_equal_ignoring_case(coding, text_literal("chunked")))
			parse->chunked = true;
		else
			parse->unknown_coding = true;
	}
	return 0;
}

/* By the length of the name: no two are equally long. */
static const struct governing_field {
	struct text name;
	unsigned (*note)(struct parse *parse, struct text value);
} GOVERNING_FIELDS[] = {
	[sizeof("Connection") - 1] = { TEXT("Connection"), note_connection },
	[sizeof("Content-Length") - 1] = { TEXT("Content-Length"), note_content_length },
	[sizeof("Expect") - 1] = { TEXT("Expect"), note_expect },
	[sizeof("Host") - 1] = { TEXT("Host"), note_host },
	[sizeof("Transfer-Encoding") - 1] = { TEXT("Transfer-Encoding"), note_transfer_encoding },
};

static unsigned note_field(struct parse *parse, const struct field *field)
{
	const struct governing_field *governing;

	if (field->name.length >= sizeof(GOVERNING_FIELDS) / sizeof(GOVERNING_FIELDS[0]))
		return 0;
	governing = &GOVERNING_FIELDS[field->name.length];
	if (!governing->note || !text_equal_ignoring_case(field->name, governing->name))
		return 0;
	return governing->note(parse, field->value);
}

/* --- the fields --------------------------------------------------------------------------- */

/* Why no field name ends in front of `rest`. */
static const char *name_fault(struct text name, struct text rest)
{
	bool blank = rest.length > 0 && (rest.bytes[0] == ' ' || rest.bytes[0] == '\t');

	if (blank)
		return name.length == 0 ? "a folded line" : "white space before a colon";
	if (rest.length == 0 || rest.bytes[0] == '\r')
		return "a field without a colon";
	if (rest.bytes[0] == ':')
		return "a field without a name";
	return "a byte that no field name may have";
}

static unsigned parse_field(struct parse *parse)
{
	struct request *request = parse->request;
	struct field *field = &request->fields[request->field_count];

	if (request->field_count == REQUEST_FIELDS_MAX)
		return refuse(parse, 431, "too many fields");
	field->name = take_run(&parse->rest, TOKEN);
	if (field->name.length == 0 || !take_byte(&parse->rest, ':'))
		return refuse(parse, 400, name_fault(field->name, parse->rest));
	field->value = text_trim(take_bytes(&parse->rest, byte_field_value_run(parse->rest)));
	if (!take_line_end(&parse->rest))
		return refuse(parse, 400, "a control byte in a field value");
	request->field_count++;
	return note_field(parse, field);
}

/* What only the whole head tells (RFC 9112 §3.2, §6.1, §6.3). */
static unsigned judge(struct parse *parse)
{
	struct request *request = parse->request;

	if (!parse->host_seen && request->version == HTTP_1_1)
		return refuse(parse, 400, "no Host");
	if (parse->coding_seen && parse->length_seen)
		return refuse(parse, 400, "both Transfer-Encoding and Content-Length");
	if (parse->coding_seen && request->version == HTTP_1_0)
		return refuse(parse, 400, "Transfer-Encoding in HTTP/1.0");
	if (parse->unknown_coding)
		return refuse(parse, 501, "an unknown transfer coding");
	if (parse->chunked)
		request->content_length = REQUEST_LENGTH_CHUNKED;
	if (parse->authority.length > 0)
		request->host = parse->authority;
	parse->result->keep_alive =
		!parse->close && (parse->keep_alive || request->version == HTTP_1_1);
	return 0;
}

static bool is_empty_line(struct text rest)
{
	return rest.length >= 2 && rest.bytes[0] == '\r' && rest.bytes[1] == '\n';
}

unsigned http1_parse_head(struct request *request, struct http1_head *result, struct text head)
{
	struct parse parse = { .request = request, .result = result, .rest = head };
	unsigned status;

	*result = (struct http1_head){ 0 };
	request_init(request);
	if (is_empty_line(head))
		parse.rest = text_from(head, 2);
	status = parse_request_line(&parse);
	while (status == 0 && !is_empty_line(parse.rest))
		status = parse_field(&parse);
	return status == 0 ? judge(&parse) : status;
}
