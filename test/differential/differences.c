/* The table of deliberate differences.
 *
 * Each entry has the kind of a difference, the words with which Ringlet refuses, and a predicate
 * that looks for the cause in the bytes, or in what the other parser made of them. The first entry
 * that fits counts. differential.c requires an entry for every difference, and a difference for
 * every entry. */
#include "differences.h"

#include "http/byte.h"
#include "http/path.h"

/* --- bytes -------------------------------------------------------------------------------- */

static bool contains(struct text text, struct text part)
{
	while (text.length >= part.length) {
		if (text_starts_with(text, part))
			return true;
		text = text_from(text, 1);
	}
	return false;
}

/* Is there a `first` that is followed by another byte than `second`? The end of the text does not
 * count. */
static bool has_lonely(struct text text, char first, char second)
{
	for (size_t i = 0; i + 1 < text.length; i++) {
		if (text.bytes[i] == first && text.bytes[i + 1] != second)
			return true;
	}
	return false;
}

static bool has_bare_lf(const struct difference *difference)
{
	struct text bytes = difference->bytes;

	for (size_t i = 0; i < bytes.length; i++) {
		if (bytes.bytes[i] == '\n' && (i == 0 || bytes.bytes[i - 1] != '\r'))
			return true;
	}
	return false;
}

static bool has_bare_cr(const struct difference *difference)
{
	return has_lonely(difference->bytes, '\r', '\n');
}

static bool has_nul(const struct difference *difference)
{
	return contains(difference->bytes, text_literal("\0"));
}

static bool has_folded_line(const struct difference *difference)
{
	return contains(difference->bytes, text_literal("\r\n ")) ||
	       contains(difference->bytes, text_literal("\r\n\t"));
}

/* Without the one empty line that both parsers skip. */
static struct text from_request_line(const struct difference *difference)
{
	size_t skipped = text_starts_with(difference->bytes, text_literal("\r\n")) ? 2 : 0;

	return text_from(difference->bytes, skipped);
}

static struct text request_line(const struct difference *difference)
{
	struct text line = from_request_line(difference);

	return text_first(line, text_find(line, '\r'));
}

static bool begins_with_empty_lines(const struct difference *difference)
{
	return text_starts_with(difference->bytes, text_literal("\r\n\r\n"));
}

static bool begins_with_cr(const struct difference *difference)
{
	return text_starts_with(from_request_line(difference), text_literal("\r"));
}

static bool has_two_spaces(const struct difference *difference)
{
	return contains(request_line(difference), text_literal("  "));
}

static bool has_no_version(const struct difference *difference)
{
	struct text line = request_line(difference);
	struct text target = text_from(line, text_find(line, ' ') + 1);

	return text_find(target, ' ') == target.length;
}

static bool has_misspelt_version(const struct difference *difference)
{
	return !contains(request_line(difference), text_literal(" HTTP/"));
}

static bool is_chunked(const struct difference *difference)
{
	return difference->ours->content_length == REQUEST_LENGTH_CHUNKED;
}

/* Is there a line in which a space comes before the colon? */
static bool has_blank_before_colon(const struct difference *difference)
{
	struct text rest = text_from(difference->bytes, text_find(difference->bytes, '\n') + 1);

	while (rest.length > 0) {
		struct text line = text_first(rest, text_find(rest, '\n'));

		if (text_find(line, ' ') < text_find(line, ':'))
			return true;
		rest = text_from(rest, line.length + 1);
	}
	return false;
}

static bool is_icecast(const struct difference *difference)
{
	return contains(request_line(difference), text_literal(" ICE/"));
}

static bool names_other_major_version(const struct difference *difference)
{
	struct text line = request_line(difference);

	return contains(line, text_literal(" HTTP/")) && !contains(line, text_literal(" HTTP/1"));
}

/* The byte that ends the run of allowed bytes in the target. */
static char first_odd_byte_of_target(const struct difference *difference)
{
	struct text rest = request_line(difference);

	rest = text_from(rest, text_find(rest, ' ') + 1);
	while (rest.length > 0 && rest.bytes[0] > 0x20 && rest.bytes[0] < 0x7f &&
		rest.bytes[0] != '#')
		rest = text_from(rest, 1);
	return rest.length > 0 ? rest.bytes[0] : ' ';
}

static bool target_has_fragment(const struct difference *difference)
{
	return first_odd_byte_of_target(difference) == '#';
}

static bool target_has_lenient_byte(const struct difference *difference)
{
	char byte = first_odd_byte_of_target(difference);

	return byte == '\t' || byte == '\f' || (byte & 0x80);
}

/* --- what the library made of it ---------------------------------------------------------- */

static unsigned count_fields(const struct reading_message *message, const char *name)
{
	unsigned count = 0;

	for (unsigned i = 0; i < message->field_count && i < REQUEST_FIELDS_MAX; i++)
		count += text_equal_ignoring_case(message->fields[i].name, text_of(name));
	return count;
}

/* The value of the first field with this name, as the library read it. */
static struct text value_of(const struct difference *difference, const char *name)
{
	const struct reading_message *message = difference->theirs;

	for (unsigned i = 0; i < message->field_count && i < REQUEST_FIELDS_MAX; i++) {
		if (text_equal_ignoring_case(message->fields[i].name, text_of(name)))
			return text_trim(message->fields[i].value);
	}
	return (struct text){ 0 };
}

static bool has_invalid_host(const struct difference *difference)
{
	return count_fields(difference->theirs, "host") > 0 &&
	       !library_knows_host(value_of(difference, "host"));
}

static bool has_two_hosts(const struct difference *difference)
{
	return count_fields(difference->theirs, "host") > 1;
}

static bool has_no_host(const struct difference *difference)
{
	return count_fields(difference->theirs, "host") == 0;
}

static bool has_invalid_authority(const struct difference *difference)
{
	return !difference->theirs->target_is_good;
}

static bool has_other_expectation(const struct difference *difference)
{
	return count_fields(difference->theirs, "expect") > 0;
}

static bool has_empty_length(const struct difference *difference)
{
	return has_folded_line(difference) || value_of(difference, "content-length").length == 0;
}

static bool has_long_length(const struct difference *difference)
{
	return value_of(difference, "content-length").length > 18;
}

static bool has_coding_list(const struct difference *difference)
{
	const struct reading_message *message = difference->theirs;

	for (unsigned i = 0; i < message->field_count && i < REQUEST_FIELDS_MAX; i++) {
		struct text value = message->fields[i].value;

		if (text_equal_ignoring_case(
			    message->fields[i].name, text_literal("transfer-encoding")) &&
			text_find(value, ',') < value.length)
			return true;
	}
	return false;
}

static bool has_empty_coding(const struct difference *difference)
{
	return has_coding_list(difference) || has_folded_line(difference) ||
	       value_of(difference, "transfer-encoding").length == 0;
}

static bool has_two_codings(const struct difference *difference)
{
	return has_coding_list(difference) ||
	       count_fields(difference->theirs, "transfer-encoding") > 1;
}

static bool has_coding(const struct difference *difference)
{
	return count_fields(difference->theirs, "transfer-encoding") > 0;
}

static bool has_too_many_fields(const struct difference *difference)
{
	return difference->theirs->field_count >= REQUEST_FIELDS_MAX;
}

static bool has_unlisted_method(const struct difference *difference)
{
	return !library_knows_method(difference->ours->method);
}

static bool head_is_incomplete(const struct difference *difference)
{
	return !contains(from_request_line(difference), text_literal("\r\n\r\n"));
}

static bool is_connect(const struct difference *difference)
{
	return text_equal(difference->ours->method, text_literal("CONNECT"));
}

/* Neither origin-form nor "*" nor "http://…": the router answers 400, because there is no path. */
static bool has_no_path(const struct difference *difference)
{
	static const struct text HTTP = TEXT("http://"), ASTERISK = TEXT("*");
	char memory[256];
	struct text target = difference->ours->target;
	struct buffer path;

	buffer_init(&path, memory, sizeof(memory));
	return !is_connect(difference) && path_normalize(&path, target) < 0 &&
	       !text_equal(target, ASTERISK) &&
	       !text_equal_ignoring_case(text_first(target, HTTP.length), HTTP);
}

static bool has_later_minor_version(const struct difference *difference)
{
	return difference->theirs->major == 1 && difference->theirs->minor > 1;
}

/* Does a line end in blanks, one of them a tab? */
static bool has_tab_behind_value(const struct difference *difference)
{
	bool tab_seen = false;

	for (size_t i = 0; i < difference->bytes.length; i++) {
		char byte = difference->bytes.bytes[i];

		if (byte == '\r' && tab_seen)
			return true;
		tab_seen = byte == '\t' || (tab_seen && byte == ' ');
	}
	return false;
}

static bool has_tab_before_extension(const struct difference *difference)
{
	return contains(difference->bytes, text_literal("\t;")) ||
	       contains(difference->bytes, text_literal("\t ;"));
}

static bool has_tab_in_connection(const struct difference *difference)
{
	struct text value = value_of(difference, "connection");

	return has_tab_behind_value(difference) || text_find(value, '\t') < value.length;
}

static bool has_empty_option(const struct difference *difference)
{
	struct text options = value_of(difference, "connection");

	return text_starts_with(options, text_literal(",")) ||
	       contains(options, text_literal(",,"));
}

static bool begins_option(struct text text, const char *option)
{
	return text.length > 0 && text.length < strlen(option) &&
	       text_equal_ignoring_case(text, text_first(text_of(option), text.length));
}

static bool has_unfinished_option(const struct difference *difference)
{
	struct text rest = value_of(difference, "connection");

	while (rest.length > 0) {
		struct text option = text_first(rest, text_find(rest, ','));

		rest = text_from(rest, option.length + 1);
		option = text_trim(option);
		if (begins_option(option, "keep-alive") || begins_option(option, "close") ||
			begins_option(option, "upgrade"))
			return true;
	}
	return false;
}

static bool has_option_that_is_no_token(const struct difference *difference)
{
	struct text options = value_of(difference, "connection");

	for (size_t i = 0; i < options.length; i++) {
		char byte = options.bytes[i];

		if (byte != ',' && byte != ' ' && !byte_is_token(byte))
			return true;
	}
	return false;
}

static bool is_old_and_asks_for_both(const struct difference *difference)
{
	struct text rest = value_of(difference, "connection");
	bool close_seen = false, keep_seen = false;

	while (rest.length > 0) {
		struct text option = text_trim(text_first(rest, text_find(rest, ',')));

		close_seen |= text_equal_ignoring_case(option, text_literal("close"));
		keep_seen |= text_equal_ignoring_case(option, text_literal("keep-alive"));
		rest = text_from(rest, text_find(rest, ',') + 1);
	}
	return difference->theirs->minor == 0 && close_seen && keep_seen;
}

/* The name of some field begins with "Transfer-Encoding" and continues. */
static bool has_longer_name(const struct difference *difference)
{
	static const struct text NAME = TEXT("Transfer-Encoding");

	for (unsigned i = 0; i < difference->ours->field_count; i++) {
		struct text name = difference->ours->fields[i].name;

		if (name.length > NAME.length &&
			text_equal_ignoring_case(text_first(name, NAME.length), NAME))
			return true;
	}
	return false;
}

/* Behind a colon and blanks. */
static bool value_begins_with_control_byte(const struct difference *difference)
{
	struct text rest = difference->bytes;

	while (rest.length > 0) {
		rest = text_from(rest, text_find(rest, ':') + 1);
		while (rest.length > 0 && (rest.bytes[0] == ' ' || rest.bytes[0] == '\t'))
			rest = text_from(rest, 1);
		if (rest.length > 0 && rest.bytes[0] != '\r' && byte_is_control(rest.bytes[0]))
			return true;
	}
	return false;
}

/* --- bodies ------------------------------------------------------------------------------- */

static char refused_byte(const struct difference *difference)
{
	return difference->at < difference->bytes.length ? difference->bytes.bytes[difference->at]
							 : '\0';
}

static bool follows_cr(const struct difference *difference)
{
	return difference->at > 0 && difference->bytes.bytes[difference->at - 1] == '\r';
}

static bool body_has_bare_cr(const struct difference *difference)
{
	return follows_cr(difference) && refused_byte(difference) != '\n';
}

static bool body_has_bare_lf(const struct difference *difference)
{
	return !follows_cr(difference) && refused_byte(difference) == '\n';
}

static bool body_has_control_byte(const struct difference *difference)
{
	return !follows_cr(difference) && refused_byte(difference) != '\n' &&
	       !byte_is_field_value(refused_byte(difference));
}

static bool body_has_folded_trailer(const struct difference *difference)
{
	char byte = refused_byte(difference);

	return difference->bytes.bytes[difference->at - 1] == '\n' && (byte == ' ' || byte == '\t');
}

static bool trailer_has_blank_before_colon(const struct difference *difference)
{
	return !body_has_folded_trailer(difference) && refused_byte(difference) == ' ';
}

static bool chunk_has_no_end(const struct difference *difference)
{
	return refused_byte(difference) != '\r' || follows_cr(difference);
}

/* The line with the refused byte, up to this byte, without the line end. */
static struct text refused_line(const struct difference *difference)
{
	struct text line = text_first(difference->bytes, difference->at - follows_cr(difference));
	size_t start = line.length;

	while (start > 0 && line.bytes[start - 1] != '\n')
		start--;
	return text_from(line, start);
}

static bool body_has_blank_behind_size(const struct difference *difference)
{
	struct text line = refused_line(difference);
	char last = line.length > 0 ? line.bytes[line.length - 1] : '0';

	return !body_has_bare_cr(difference) && text_find(line, ';') == line.length &&
	       (last == ' ' || last == '\t');
}

static bool body_has_8_bit_digit(const struct difference *difference)
{
	return (refused_byte(difference) & 0x80) &&
	       text_find(refused_line(difference), ';') == refused_line(difference).length;
}

static bool body_has_digit_too_many(const struct difference *difference)
{
	return refused_line(difference).length >= 15 &&
	       byte_hex_value(refused_byte(difference)) >= 0;
}

/* --- the table ---------------------------------------------------------------------------- */

const struct excuse EXCUSES[] = {
	{ .name = "bare LF",
		.kind = WE_REFUSE,
		.why = "a line that ends in LF without CR",
		.applies = has_bare_lf,
		.section = "RFC 9112 §2.2",
		.reason = "some recipients take it for a line end, others do not, and would see "
			  "another request" },
	{ .name = "NUL in a head",
		.kind = WE_REFUSE,
		.why = "a NUL in the head",
		.applies = has_nul,
		.section = "RFC 9110 §5.5",
		.reason = "C programs behind a proxy end a string there, so Ringlet refuses it "
			  "instead of replacing it" },
	{ .name = "empty lines first",
		.kind = WE_REFUSE,
		.why = "two empty lines before a request",
		.applies = begins_with_empty_lines,
		.section = "RFC 9112 §2.2",
		.reason = "Ringlet skips one, for old clients" },
	{ .name = "bare CR first",
		.kind = WE_REFUSE,
		.why = "a malformed method",
		.applies = begins_with_cr,
		.section = "RFC 9112 §2.2",
		.reason = "a CR without LF is no line end" },
	{ .name = "two spaces before the target",
		.kind = WE_REFUSE,
		.why = "no target",
		.applies = has_two_spaces,
		.section = "RFC 9112 §3",
		.reason = "one space separates; §3 warns of parsers that accept any white space" },
	{ .name = "two spaces before the version",
		.kind = WE_REFUSE,
		.why = "a malformed version",
		.applies = has_two_spaces,
		.section = "RFC 9112 §3",
		.reason = "as before the target" },
	{ .name = "Icecast",
		.kind = WE_REFUSE,
		.why = "a malformed version",
		.applies = is_icecast,
		.section = "RFC 9112 §2.3",
		.reason = "`SOURCE / ICE/1.0` is not HTTP" },
	{ .name = "misspelt version",
		.kind = WE_REFUSE,
		.why = "a malformed version",
		.applies = has_misspelt_version,
		.section = "RFC 9112 §2.3",
		.reason = "`HTTP` is case-sensitive",
		.lenient = true },
	{ .name = "no version",
		.kind = WE_REFUSE,
		.why = "no version",
		.applies = has_no_version,
		.section = "RFC 9112 §3",
		.reason = "HTTP/0.9 has no fields, hence no Host and no length of a body" },
	{ .name = "another major version",
		.kind = WE_REFUSE,
		.why = "not HTTP/1",
		.applies = names_other_major_version,
		.section = "RFC 9110 §15.6.6",
		.reason = "505" },
	{ .name = "fragment",
		.kind = WE_REFUSE,
		.why = "a byte that no target may have",
		.applies = target_has_fragment,
		.section = "RFC 9112 §3.2",
		.reason = "no form of a target has a fragment" },
	{ .name = "tab, form feed or 8-bit in a target",
		.kind = WE_REFUSE,
		.why = "a byte that no target may have",
		.applies = target_has_lenient_byte,
		.section = "RFC 9112 §3.2",
		.reason = "no URI has them",
		.lenient = true },
	{ .name = "authority of an absolute target",
		.kind = WE_REFUSE,
		.why = "an invalid host in the target",
		.applies = has_invalid_authority,
		.section = "RFC 9110 §4.2.1, §4.2.4",
		.reason = "no empty host, no user, a real address, a port of digits up to 65535; "
			  "its own parser of URLs agrees but for the address" },
	{ .name = "folded line",
		.kind = WE_REFUSE,
		.why = "a folded line",
		.applies = has_folded_line,
		.section = "RFC 9112 §5.2",
		.reason = "a server refuses obs-fold or unfolds it" },
	{ .name = "blank before a colon",
		.kind = WE_REFUSE,
		.why = "white space before a colon",
		.applies = has_blank_before_colon,
		.section = "RFC 9112 §5.1",
		.reason = "a server must refuse it",
		.lenient = true },
	{ .name = "CR that begins a line",
		.kind = WE_REFUSE,
		.why = "a field without a colon",
		.applies = has_bare_cr,
		.section = "RFC 9112 §2.2",
		.reason = "a CR without LF is no line end",
		.lenient = true },
	{ .name = "invalid Host",
		.kind = WE_REFUSE,
		.why = "an invalid Host",
		.applies = has_invalid_host,
		.section = "RFC 9112 §3.2",
		.reason = "a server must refuse it; its own parser of URLs agrees, but takes any "
			  "run of colons and digits for an address" },
	{ .name = "two Hosts",
		.kind = WE_REFUSE,
		.why = "two Host fields",
		.applies = has_two_hosts,
		.section = "RFC 9112 §3.2",
		.reason = "a server must refuse them" },
	{ .name = "no Host",
		.kind = WE_REFUSE,
		.why = "no Host",
		.applies = has_no_host,
		.section = "RFC 9112 §3.2",
		.reason = "a server must refuse that in HTTP/1.1" },
	{ .name = "control byte that begins a value",
		.kind = WE_REFUSE,
		.why = "a control byte in a field value",
		.applies = value_begins_with_control_byte,
		.section = "RFC 9110 §5.5",
		.reason = "the library does not check the first byte of a value" },
	{ .name = "CR for a value",
		.kind = WE_REFUSE,
		.why = "a control byte in a field value",
		.applies = has_bare_cr,
		.section = "RFC 9110 §5.5",
		.reason = "a CR without LF is no line end",
		.lenient = true },
	{ .name = "empty Content-Length",
		.kind = WE_REFUSE,
		.why = "a malformed Content-Length",
		.applies = has_empty_length,
		.section = "RFC 9112 §6.3",
		.reason = "a length has at least one digit, even if a folded line follows" },
	{ .name = "Content-Length beyond 63 bits",
		.kind = WE_REFUSE,
		.why = "a Content-Length beyond all bounds",
		.applies = has_long_length,
		.section = "RFC 9110 §8.6",
		.reason = "some part of every system stores lengths in signed integers" },
	{ .name = "expectation",
		.kind = WE_REFUSE,
		.why = "an expectation other than 100-continue",
		.applies = has_other_expectation,
		.section = "RFC 9110 §10.1.1",
		.reason = "417" },
	{ .name = "empty transfer coding",
		.kind = WE_REFUSE,
		.why = "an empty transfer coding",
		.applies = has_empty_coding,
		.section = "RFC 9112 §6.1",
		.reason = "other lists may have empty elements; no honest client sends one in this "
			  "list" },
	{ .name = "chunked twice",
		.kind = WE_REFUSE,
		.why = "a transfer coding after chunked",
		.applies = has_two_codings,
		.section = "RFC 9112 §6.1",
		.reason = "chunked may be applied once, and last" },
	{ .name = "transfer coding in HTTP/1.0",
		.kind = WE_REFUSE,
		.why = "Transfer-Encoding in HTTP/1.0",
		.applies = has_coding,
		.section = "RFC 9112 §6.1",
		.reason = "§6.1 calls its framing faulty" },
	{ .name = "unknown transfer coding",
		.kind = WE_REFUSE,
		.why = "an unknown transfer coding",
		.applies = has_coding,
		.section = "RFC 9112 §6.1",
		.reason = "501, even if chunked follows it" },
	{ .name = "too many fields",
		.kind = WE_REFUSE,
		.why = "too many fields",
		.applies = has_too_many_fields,
		.section = "RFC 6585 §5",
		.reason = "431" },
	{ .name = "bare LF in a chunk size",
		.kind = WE_REFUSE,
		.why = "chunk size",
		.applies = body_has_bare_lf,
		.section = "RFC 9112 §7.1",
		.reason = "a line ends in CR LF; in an extension, the library looks for the next "
			  "CR only" },
	{ .name = "bare CR in a chunk size",
		.kind = WE_REFUSE,
		.why = "chunk size",
		.applies = body_has_bare_cr,
		.section = "RFC 9112 §2.2",
		.reason = "a CR without LF is no line end",
		.lenient = true },
	{ .name = "8-bit digit",
		.kind = WE_REFUSE,
		.why = "chunk size",
		.applies = body_has_8_bit_digit,
		.section = "RFC 9112 §7.1",
		.reason = "the library reads every byte from 0x80 on as the digit 0" },
	{ .name = "control byte in a chunk extension",
		.kind = WE_REFUSE,
		.why = "chunk size",
		.applies = body_has_control_byte,
		.section = "RFC 9112 §7.1.1",
		.reason = "extensions are tokens and quoted strings" },
	{ .name = "blank behind a chunk size",
		.kind = WE_REFUSE,
		.why = "chunk size",
		.applies = body_has_blank_behind_size,
		.section = "RFC 9112 §7.1.1",
		.reason = "allowed only before the semicolon of an extension" },
	{ .name = "chunk size beyond 63 bits",
		.kind = WE_REFUSE,
		.why = "chunk size",
		.applies = body_has_digit_too_many,
		.section = "RFC 9112 §7.1",
		.reason = "as for Content-Length" },
	{ .name = "chunk without its line end",
		.kind = WE_REFUSE,
		.why = "chunk end",
		.applies = chunk_has_no_end,
		.section = "RFC 9112 §7.1",
		.reason = "CR LF follows the content of a chunk",
		.lenient = true },
	{ .name = "bare LF in trailers",
		.kind = WE_REFUSE,
		.why = "trailer",
		.applies = body_has_bare_lf,
		.section = "RFC 9112 §2.2",
		.reason = "as in a head" },
	{ .name = "bare CR in trailers",
		.kind = WE_REFUSE,
		.why = "trailer",
		.applies = body_has_bare_cr,
		.section = "RFC 9112 §2.2",
		.reason = "as in a head",
		.lenient = true },
	{ .name = "folded trailer",
		.kind = WE_REFUSE,
		.why = "trailer",
		.applies = body_has_folded_trailer,
		.section = "RFC 9112 §5.2",
		.reason = "as in a head" },
	{ .name = "blank before the colon of a trailer",
		.kind = WE_REFUSE,
		.why = "trailer",
		.applies = trailer_has_blank_before_colon,
		.section = "RFC 9112 §5.1",
		.reason = "as in a head",
		.lenient = true },
	{ .name = "control byte in a trailer",
		.kind = WE_REFUSE,
		.why = "trailer",
		.applies = body_has_control_byte,
		.section = "RFC 9110 §5.5",
		.reason = "as in a head" },
	{ .name = "method of no list",
		.kind = THEY_REFUSE,
		.why = "HPE_INVALID_METHOD",
		.applies = has_unlisted_method,
		.section = "RFC 9110 §9.1",
		.reason = "any token is a method; Ringlet answers an unknown one with 501" },
	{ .name = "target without a path",
		.kind = THEY_REFUSE,
		.why = "HPE_INVALID_URL",
		.applies = has_no_path,
		.section = "RFC 9112 §3.2",
		.reason = "the parser accepts it; the router checks the path and answers 400" },
	{ .name = "tab behind Content-Length",
		.kind = THEY_REFUSE,
		.why = "HPE_INVALID_CONTENT_LENGTH",
		.applies = has_tab_behind_value,
		.section = "RFC 9112 §5",
		.reason = "optional white space is spaces and tabs" },
	{ .name = "target of CONNECT",
		.kind = THEY_REFUSE,
		.why = "HPE_INVALID_URL",
		.applies = is_connect,
		.section = "RFC 9112 §3.2.3",
		.reason = "left to the router, which refuses the method" },
	{ .name = "tab before a chunk extension",
		.kind = THEY_REFUSE,
		.why = "HPE_INVALID_CHUNK_SIZE",
		.applies = has_tab_before_extension,
		.section = "RFC 9112 §7.1.1",
		.reason = "bad white space is spaces and tabs" },
	{ .name = "length in trailers",
		.kind = THEY_REFUSE,
		.why = "HPE_INVALID_CONTENT_LENGTH",
		.applies = is_chunked,
		.section = "RFC 9110 §6.5.1",
		.reason = "Ringlet drops trailers, whatever they say" },
	{ .name = "name longer than Transfer-Encoding",
		.kind = THEY_REFUSE,
		.why = "HPE_INVALID_TRANSFER_ENCODING",
		.applies = has_longer_name,
		.section = "RFC 9110 §5.1",
		.reason = "the library compares only as many bytes as Transfer-Encoding has" },
	{ .name = "name longer than Transfer-Encoding, with a length",
		.kind = THEY_REFUSE,
		.why = "HPE_UNEXPECTED_CONTENT_LENGTH",
		.applies = has_longer_name,
		.section = "RFC 9110 §5.1",
		.reason = "likewise" },
	{ .name = "name longer than Transfer-Encoding, with a coding",
		.kind = OTHER_FRAMING,
		.applies = has_longer_name,
		.section = "RFC 9110 §5.1",
		.reason = "likewise" },
	{ .name = "incomplete head",
		.kind = THEY_REFUSE_EARLIER,
		.applies = head_is_incomplete,
		.section = "RFC 9112 §2.2",
		.reason = "Ringlet checks a head when it is complete; only bare LF and NUL are "
			  "refused earlier" },
	{ .name = "CR for an empty line",
		.kind = WE_WAIT,
		.applies = has_bare_cr,
		.section = "RFC 9112 §2.2",
		.reason = "a CR without LF is no line end",
		.lenient = true },
	{ .name = "authority of CONNECT",
		.kind = OTHER_AUTHORITY,
		.applies = is_connect,
		.section = "RFC 9112 §3.2.3",
		.reason = "left to the router, which refuses the method" },
	{ .name = "scheme other than http",
		.kind = OTHER_AUTHORITY,
		.applies = has_no_path,
		.section = "RFC 9110 §4.2",
		.reason = "left to the router, whose check of the path answers 400" },
	{ .name = "query of CONNECT",
		.kind = OTHER_QUERY,
		.applies = is_connect,
		.section = "RFC 9112 §3.2.3",
		.reason = "left to the router, which refuses the method" },
	{ .name = "host of other bytes",
		.kind = OTHER_AUTHORITY,
		.applies = has_invalid_authority,
		.section = "RFC 3986 §3.2.2, §3.2.3",
		.reason = "a host may contain sub-delimiters, and a port may be empty; the "
			  "library's parser of URLs refuses both" },
	{ .name = "query behind such a host",
		.kind = OTHER_QUERY,
		.applies = has_invalid_authority,
		.section = "RFC 3986 §3.2.2, §3.2.3",
		.reason = "likewise" },
	{ .name = "later minor version",
		.kind = OTHER_VERSION,
		.applies = has_later_minor_version,
		.section = "RFC 9110 §2.5",
		.reason = "Ringlet reads it as 1.1, the highest that it knows" },
	{ .name = "tab behind a transfer coding",
		.kind = OTHER_FRAMING,
		.applies = has_tab_behind_value,
		.section = "RFC 9112 §5",
		.reason = "optional white space is spaces and tabs" },
	{ .name = "tab in Connection",
		.kind = OTHER_PERSISTENCE,
		.applies = has_tab_in_connection,
		.section = "RFC 9110 §5.6.1",
		.reason = "optional white space is spaces and tabs" },
	{ .name = "empty connection option",
		.kind = OTHER_PERSISTENCE,
		.applies = has_empty_option,
		.section = "RFC 9110 §5.6.1",
		.reason = "empty elements of a list are ignored" },
	{ .name = "option that begins as another",
		.kind = OTHER_PERSISTENCE,
		.applies = has_unfinished_option,
		.section = "RFC 9110 §5.6.1",
		.reason = "the library does not see what follows `keep-aliv,`" },
	{ .name = "option that is no token",
		.kind = OTHER_PERSISTENCE,
		.applies = has_option_that_is_no_token,
		.section = "RFC 9110 §7.6.1",
		.reason = "an unknown option; the library does not see what follows it" },
	{ .name = "close and keep-alive in HTTP/1.0",
		.kind = OTHER_PERSISTENCE,
		.applies = is_old_and_asks_for_both,
		.section = "RFC 9112 §9.3",
		.reason = "close takes precedence" },
};
const unsigned EXCUSE_COUNT = sizeof(EXCUSES) / sizeof(EXCUSES[0]);
