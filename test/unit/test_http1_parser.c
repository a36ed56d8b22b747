/* http1/parser.h: what the parser reads from a head, and above all what it refuses (RFC 9112 §2 to
 * §6).
 *
 * Every head here is also found byte by byte, and parsed again after damage. Its memory ends where
 * it ends, so that the sanitizers notice a read beyond it. */
#include "assert_text.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "http1/parser.h"

enum { HEADER_BYTES_MAX = 16384 };

static struct request request;
static struct http1_head result;

#define GET     "GET / HTTP/1.1\r\nHost: a\r\n"
#define GET_OLD "GET / HTTP/1.0\r\n"
#define POST    "POST / HTTP/1.1\r\nHost: a\r\n"

static int64_t find_whole(struct text bytes, size_t header_bytes_max)
{
	struct http1_scan scan = { 0 };

	return http1_find_head(&scan, bytes, header_bytes_max);
}

/* Shows one more byte in each call, like a slow client. */
static int64_t find_slowly(struct text bytes, size_t header_bytes_max)
{
	struct http1_scan scan = { 0 };
	int64_t found = 0;

	for (size_t length = 0; found == 0 && length <= bytes.length; length++)
		found = http1_find_head(&scan, text_first(bytes, length), header_bytes_max);
	return found;
}

static int64_t find(struct text bytes, size_t header_bytes_max)
{
	int64_t found = find_whole(bytes, header_bytes_max);

	assert_true(find_slowly(bytes, header_bytes_max) == found);
	return found;
}

/* Like a connection: first find the end, then parse. */
static unsigned parse(struct text head)
{
	int64_t length = find(head, HEADER_BYTES_MAX);

	if (length < 0)
		return (unsigned)-length;
	assert_int_equal(length, head.length);
	return http1_parse_head(&request, &result, head);
}

static void assert_accepts(struct text head)
{
	unsigned status = parse(head);

	if (status != 0)
		fail_saying("%u (%s) for \"%.*s\"\n", status, result.why, TEXT_ARGUMENTS(head));
	assert_null(result.why);
}

static void assert_refuses(struct text head, unsigned expected, const char *why)
{
	unsigned status = parse(head);

	if (status != expected)
		fail_saying(
			"%u instead of %u for \"%.*s\"\n", status, expected, TEXT_ARGUMENTS(head));
	assert_non_null(result.why);
	assert_string_equal(result.why, why);
}

/* For a head that is refused already while its end is searched. */
static void assert_not_found(struct text head, const char *why)
{
	struct http1_scan scan = { 0 };

	assert_int_equal(find(head, HEADER_BYTES_MAX), -400);
	assert_int_equal(http1_find_head(&scan, head, HEADER_BYTES_MAX), -400);
	assert_string_equal(scan.why, why);
}

#define BARE_LF                    "a line that ends in LF without CR"

#define accepts(head)              assert_accepts(text_literal(head))
#define refuses(head, status, why) assert_refuses(text_literal(head), status, why)
#define not_found(head, why)       assert_not_found(text_literal(head), why)

/* --- finding the end ---------------------------------------------------------------------- */

static void test_a_head_ends_at_its_empty_line(void **state)
{
	static const struct text HEAD = TEXT(GET "\r\n");

	(void)state;
	for (size_t length = 0; length < HEAD.length; length++)
		assert_int_equal(find(text_first(HEAD, length), HEADER_BYTES_MAX), 0);
	assert_int_equal(find(HEAD, HEADER_BYTES_MAX), HEAD.length);
	assert_int_equal(find(text_literal(GET "\r\n" GET "\r\n"), HEADER_BYTES_MAX), HEAD.length);
}

/* The following bytes are a body or the next request and have rules of their own. */
static void test_bytes_after_the_head_are_not_looked_at(void **state)
{
	(void)state;
	assert_int_equal(find(text_literal(GET_OLD "\r\n\n\0\n"), HEADER_BYTES_MAX),
		sizeof(GET_OLD "\r\n") - 1);
}

/* RFC 9112 §2.2 */
static void test_one_empty_line_before_the_request_line_is_skipped(void **state)
{
	(void)state;
	accepts("\r\n" GET "\r\n");
	assert_text(request.line, "GET / HTTP/1.1");
	not_found("\r\n\r\n" GET "\r\n", "two empty lines before a request");
	not_found("\n" GET "\r\n", BARE_LF);
}

/* RFC 9112 §2.2 allows to take a bare LF for a line end; two parsers could then differ. */
static void test_a_bare_lf_is_400(void **state)
{
	(void)state;
	not_found("GET / HTTP/1.1\nHost: a\r\n\r\n", BARE_LF);
	not_found(GET "A: b\nC: d\r\n\r\n", BARE_LF);
	not_found(GET "\n", BARE_LF);
	not_found(GET "A: b\r\n\n", BARE_LF);
	not_found("\n", BARE_LF);
	not_found("GET / HTTP/1.1\r\n\n", BARE_LF);
}

static void test_nul_is_400(void **state)
{
	(void)state;
	not_found("GET /\0 HTTP/1.1\r\n\r\n", "a NUL in the head");
	not_found(GET "A: \0\r\n\r\n", "a NUL in the head");
	not_found(GET "A\0: b\r\n\r\n", "a NUL in the head");
	not_found("\0", "a NUL in the head");
}

/* A bare LF is refused when it arrives, not later. */
static void test_damage_is_told_before_the_head_is_complete(void **state)
{
	(void)state;
	not_found(GET "A: b\n", BARE_LF);
	not_found(GET "A: \0", "a NUL in the head");
}

static void fill(char *memory, size_t size, const char *start, const char *end)
{
	size_t start_length = strlen(start), end_length = strlen(end);

	assert_true(start_length + end_length <= size);
	memset(memory, 'a', size);
	memcpy(memory, start, start_length);
	memcpy(memory + size - end_length, end, end_length);
}

/* RFC 9110 §15.5.15 */
static void test_a_request_line_beyond_the_bound_is_414(void **state)
{
	char memory[128];
	struct text head = { memory, sizeof(memory) };

	(void)state;
	fill(memory, sizeof(memory), "GET /", " HTTP/1.1\r\n");
	assert_int_equal(find(head, 127), -414);
	assert_int_equal(find(head, 64), -414);
	assert_int_equal(find(text_first(head, 63), 64), 0);
	assert_int_equal(find(text_first(head, 64), 64), -414);
	assert_int_equal(find(head, 129), 0);
}

/* RFC 6585 §5 */
static void test_a_head_beyond_the_bound_is_431(void **state)
{
	char memory[128];
	struct text head = { memory, sizeof(memory) };

	(void)state;
	fill(memory, sizeof(memory), "GET / HTTP/1.0\r\nA: ", "\r\n\r\n");
	assert_int_equal(find(head, 128), 128);
	assert_int_equal(find(head, 127), -431);
	assert_int_equal(find(head, 64), -431);
	assert_int_equal(find(head, 16), -431);
	assert_int_equal(find(head, 15), -414);
}

/* If a client sends one byte at a time, the parser must not read all of them each time: here the
 * bytes that were examined are destroyed before the next call. */
static void test_a_slow_head_is_examined_once(void **state)
{
	static char memory[4096];
	struct http1_scan scan = { 0 };

	(void)state;
	fill(memory, sizeof(memory), "GET / HTTP/1.0\r\nA: ", "\r\n\r\n");
	for (size_t length = 0; length < sizeof(memory); length++) {
		assert_int_equal(
			http1_find_head(&scan, (struct text){ memory, length }, HEADER_BYTES_MAX),
			0);
		assert_int_equal(scan.examined, length);
		if (length >= 2)
			memory[length - 2] = '\0';
	}
	assert_int_equal(
		http1_find_head(&scan, (struct text){ memory, sizeof(memory) }, HEADER_BYTES_MAX),
		sizeof(memory));
}

/* --- the request line --------------------------------------------------------------------- */

static void test_a_request_is_taken_apart(void **state)
{
	(void)state;
	accepts("HEAD /a/b?c=d?e HTTP/1.1\r\nHost: example.com:8080\r\nAccept:*/*\r\n"
		"X-Empty:\r\nX-Blank: \t a b\t \r\n\r\n");
	assert_text(request.line, "HEAD /a/b?c=d?e HTTP/1.1");
	assert_int_equal(request.method, METHOD_HEAD);
	assert_int_equal(request.version, HTTP_1_1);
	assert_text(request.target, "/a/b?c=d?e");
	assert_text(request.query, "c=d?e");
	assert_text(request.host, "example.com:8080");
	assert_true(request.content_length == 0);
	assert_false(request.expects_continue);
	assert_int_equal(request.field_count, 4);
	assert_text(request.fields[1].name, "Accept");
	assert_text(request.fields[1].value, "*/*");
	assert_text(request.fields[2].value, "");
	assert_text(request.fields[3].name, "X-Blank");
	assert_text(request.fields[3].value, "a b");
	assert_true(result.keep_alive);
}

static void test_a_target_without_query_has_an_empty_one(void **state)
{
	(void)state;
	accepts(GET "\r\n");
	assert_text(request.query, "");
	accepts("GET /? HTTP/1.0\r\n\r\n");
	assert_text(request.query, "");
}

/* RFC 9110 §9.1 */
static void test_any_token_is_a_method(void **state)
{
	(void)state;
	accepts("BREW / HTTP/1.0\r\n\r\n");
	assert_int_equal(request.method, METHOD_UNKNOWN);
	accepts("get / HTTP/1.0\r\n\r\n");
	assert_int_equal(request.method, METHOD_UNKNOWN);
	accepts("!#$%&'*+-.^_`|~09azAZ / HTTP/1.0\r\n\r\n");
	accepts("OPTIONS * HTTP/1.0\r\n\r\n");
	assert_text(request.target, "*");
	accepts("CONNECT a:443 HTTP/1.0\r\n\r\n");
	assert_text(request.target, "a:443");
}

/* RFC 9112 §3: one space separates, none is before or after; lenient parsing by white space is not
 * done. */
static void test_the_request_line_has_exactly_two_spaces(void **state)
{
	(void)state;
	refuses("GET  / HTTP/1.1\r\n\r\n", 400, "no target");
	refuses("GET /  HTTP/1.1\r\n\r\n", 400, "a malformed version");
	refuses("GET / HTTP/1.1 \r\n\r\n", 400, "a malformed version");
	refuses(" GET / HTTP/1.1\r\n\r\n", 400, "a malformed method");
	refuses("GET\t/ HTTP/1.1\r\n\r\n", 400, "a malformed method");
	refuses("GET /\tHTTP/1.1\r\n\r\n", 400, "a byte that no target may have");
	refuses("GET /\r\n\r\n", 400, "no version");
	refuses("GET / \r\n\r\n", 400, "a malformed version");
	refuses("GET\r\n\r\n", 400, "a malformed method");
	refuses("GET \r\n\r\n", 400, "no target");
	refuses("GET /a b HTTP/1.1\r\n\r\n", 400, "a malformed version");
}

static void test_a_method_is_a_token(void **state)
{
	(void)state;
	refuses("G(T / HTTP/1.1\r\n\r\n", 400, "a malformed method");
	refuses("GET: / HTTP/1.1\r\n\r\n", 400, "a malformed method");
	refuses("G\xc4T / HTTP/1.1\r\n\r\n", 400, "a malformed method");
	refuses("\x16\x03\x01 / HTTP/1.1\r\n\r\n", 400, "a malformed method");
}

/* RFC 9112 §3.2: visible ASCII; a fragment is never sent. */
static void test_a_target_is_visible_ascii(void **state)
{
	static const char *const WHY = "a byte that no target may have";

	(void)state;
	for (unsigned byte = 1; byte < 256; byte++) {
		char head[] = "GET /? HTTP/1.0\r\n\r\n";

		head[5] = (char)byte;
		if (byte == '\n')
			assert_not_found(text_of(head), BARE_LF);
		else if (byte == ' ')
			assert_refuses(text_of(head), 400, "a malformed version");
		else if (byte == '\r')
			assert_refuses(text_of(head), 400, "no version");
		else if (byte < 0x21 || byte > 0x7e || byte == '#')
			assert_refuses(text_of(head), 400, WHY);
		else
			assert_accepts(text_of(head));
	}
}

/* RFC 9110 §2.5 */
static void test_later_minor_versions_are_read_as_1_1(void **state)
{
	(void)state;
	accepts("GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(request.version, HTTP_1_0);
	accepts("GET / HTTP/1.9\r\nHost: a\r\n\r\n");
	assert_int_equal(request.version, HTTP_1_1);
}

/* RFC 9110 §15.6.6 */
static void test_other_major_versions_are_505(void **state)
{
	(void)state;
	refuses("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "not HTTP/1");
	refuses("GET / HTTP/0.9\r\n\r\n", 505, "not HTTP/1");
	refuses("GET / HTTP/3.1\r\n\r\n", 505, "not HTTP/1");
	/* The preface of HTTP/2 (RFC 9113 §3.4). */
	refuses("PRI * HTTP/2.0\r\n\r\n", 505, "not HTTP/1");
}

static void test_anything_else_is_no_version(void **state)
{
	static const char *const VERSIONS[] = { "http/1.1", "HTTP/1", "HTTP/1.", "HTTP/1.10",
		"HTTP/11.1", "HTTP 1.1", "HTTP/1,1", "HTTP/a.b", "HTTPS/1.1", "HTTP/1.x",
		"XTTP/1.1", "HTTP/-1.1", "HTTP/1.1x" };

	(void)state;
	for (size_t i = 0; i < sizeof(VERSIONS) / sizeof(VERSIONS[0]); i++) {
		char memory[64];
		struct buffer head;

		buffer_init(&head, memory, sizeof(memory));
		buffer_append_format(&head, "GET / %s\r\n\r\n", VERSIONS[i]);
		assert_refuses(buffer_text(&head), 400, "a malformed version");
	}
}

/* RFC 9112 §3.2.2 */
static void test_the_authority_of_an_absolute_target_replaces_host(void **state)
{
	(void)state;
	accepts("GET http://b:80/c?d HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_text(request.host, "b:80");
	assert_text(request.target, "/c?d");
	assert_text(request.query, "d");
	accepts("GET HTTP://b HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_text(request.host, "b");
	assert_text(request.target, "");
	accepts("GET http://b?c/d HTTP/1.0\r\n\r\n");
	assert_text(request.host, "b");
	assert_text(request.target, "?c/d");
	assert_text(request.query, "c/d");
	accepts("GET http://[::1]:8080/ HTTP/1.0\r\n\r\n");
	assert_text(request.host, "[::1]:8080");
}

/* RFC 9110 §4.2.1, §4.2.4 */
static void test_an_absolute_target_needs_a_host_and_no_user(void **state)
{
	static const char *const WHY = "an invalid host in the target";

	(void)state;
	refuses("GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", 400, WHY);
	refuses("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400, WHY);
	refuses("GET http://:80/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, WHY);
	refuses("GET http://user@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, WHY);
	refuses("GET http://b:x/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, WHY);
	refuses("GET http://b/ HTTP/1.1\r\n\r\n", 400, "no Host");
}

/* --- fields ------------------------------------------------------------------------------- */

/* RFC 9110 §5.1, §5.6.2 */
static void test_a_field_name_is_a_token(void **state)
{
	static const char *const WHY = "a byte that no field name may have";

	(void)state;
	accepts(GET "!#$%&'*+-.^_`|~09azAZ: b\r\n\r\n");
	refuses(GET ": b\r\n\r\n", 400, "a field without a name");
	refuses(GET "A\r\n\r\n", 400, "a field without a colon");
	refuses(GET "A(b: c\r\n\r\n", 400, WHY);
	refuses(GET "A\x7f: c\r\n\r\n", 400, WHY);
	refuses(GET "\xc3\xa4: c\r\n\r\n", 400, WHY);
	refuses(GET "\"A\": c\r\n\r\n", 400, WHY);
	refuses(GET "A/B: c\r\n\r\n", 400, WHY);
}

/* RFC 9112 §5.1: a server MUST answer 400. */
static void test_white_space_before_the_colon_is_400(void **state)
{
	(void)state;
	refuses(GET "A : b\r\n\r\n", 400, "white space before a colon");
	refuses(GET "A\t: b\r\n\r\n", 400, "white space before a colon");
	refuses(POST "Content-Length : 5\r\n\r\n", 400, "white space before a colon");
	refuses(GET "A B: c\r\n\r\n", 400, "white space before a colon");
}

/* RFC 9112 §5.2, and §2.2 for white space before the first field. */
static void test_folded_lines_are_400(void **state)
{
	(void)state;
	refuses(GET "A: b\r\n c\r\n\r\n", 400, "a folded line");
	refuses(GET "A: b\r\n\tc\r\n\r\n", 400, "a folded line");
	refuses(GET "A: b\r\n \r\n\r\n", 400, "a folded line");
	refuses("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "a folded line");
}

/* RFC 9110 §5.5 */
static void test_the_tab_is_the_only_control_byte_in_a_value(void **state)
{
	(void)state;
	for (unsigned byte = 1; byte < 256; byte++) {
		char head[] = GET_OLD "A: b?c\r\n\r\n";

		head[sizeof(GET_OLD "A: b") - 1] = (char)byte;
		if (byte == '\n')
			assert_not_found(text_of(head), BARE_LF);
		else if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			assert_refuses(text_of(head), 400, "a control byte in a field value");
		else
			assert_accepts(text_of(head));
	}
}

/* The parser checks values eight bytes at a time. */
static void test_each_byte_counts_wherever_it_stands_in_a_value(void **state)
{
	static const char start[] = "GET / HTTP/1.1\r\nHost: a\r\nA: ";
	char head[96];

	(void)state;
	for (size_t place = 0; place < 24; place++) {
		for (int byte = 1; byte < 256; byte++) {
			size_t length =
				(size_t)snprintf(head, sizeof(head), "%s%024d\r\n\r\n", start, 0);
			struct text text = { head, length };

			if (byte == '\n')
				continue; /* a line without CR, another complaint */
			head[sizeof(start) - 1 + place] = (char)byte;
			if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
				assert_refuses(text, 400, "a control byte in a field value");
			else
				assert_accepts(text);
		}
	}
}

/* RFC 9112 §2.2 */
static void test_a_bare_cr_is_400(void **state)
{
	(void)state;
	refuses(GET "A: b\rC: d\r\n\r\n", 400, "a control byte in a field value");
	refuses(GET "A: b\r\r\n\r\n", 400, "a control byte in a field value");
	refuses("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, "a CR without LF");
	refuses(GET "A\r: b\r\n\r\n", 400, "a field without a colon");
	refuses(GET "\rA: b\r\n\r\n", 400, "a field without a colon");
}

/* RFC 6585 §5 */
static void test_too_many_fields_are_431(void **state)
{
	char memory[2048];
	struct buffer head;

	(void)state;
	buffer_init(&head, memory, sizeof(memory));
	buffer_append_string(&head, "GET / HTTP/1.0\r\n");
	for (unsigned i = 0; i < REQUEST_FIELDS_MAX; i++)
		buffer_append_string(&head, "A: b\r\n");
	buffer_append_string(&head, "\r\n");
	assert_accepts(buffer_text(&head));
	assert_int_equal(request.field_count, REQUEST_FIELDS_MAX);
	head.length -= 2;
	buffer_append_string(&head, "A: b\r\n\r\n");
	assert_refuses(buffer_text(&head), 431, "too many fields");
}

/* --- Host --------------------------------------------------------------------------------- */

/* RFC 9112 §3.2 */
static void test_1_1_needs_one_host(void **state)
{
	(void)state;
	refuses("GET / HTTP/1.1\r\n\r\n", 400, "no Host");
	refuses("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "two Host fields");
	refuses("GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", 400, "two Host fields");
	refuses(GET_OLD "Host: a\r\nHost: a\r\n\r\n", 400, "two Host fields");
	accepts("GET / HTTP/1.1\r\nhost:a\r\n\r\n");
	assert_text(request.host, "a");
}

static void test_1_0_needs_no_host(void **state)
{
	(void)state;
	accepts(GET_OLD "\r\n");
	assert_text(request.host, "");
	accepts(GET_OLD "Host: a\r\n\r\n");
	assert_text(request.host, "a");
}

static unsigned parse_with(const char *name, const char *value)
{
	char memory[512];
	struct buffer head;

	buffer_init(&head, memory, sizeof(memory));
	buffer_append_format(&head, "GET / HTTP/1.1\r\n%s: %s\r\n\r\n", name, value);
	assert_false(head.truncated);
	return parse(buffer_text(&head));
}

/* RFC 9110 §7.2, RFC 3986 §3.2.2 */
static void test_hosts_are_names_or_addresses_with_ports(void **state)
{
	static const char *const GOOD[] = { "", "a", "example.com", "EXAMPLE.com:80",
		"a:", "1.2.3.4", "[::1]", "[::1]:8080", "[::ffff:1.2.3.4]", "a_b-c.d~e",
		"xn--bcher-kva.example", "a:65535", "a%41:80", "%c3%A4", "[v1.a]", "[VfF.:!a-~]:80",
		"[1:2:3:4:5:6:7::]" };
	static const char *const BAD[] = { ":80", "a:x", "a:65536", "a:80:80", "a/b", "a@b", "a b",
		"a\\b", "[::1", "::1", "[]", "[::g]", "[::1]a", "a]", "[", "a?b", "a#b", "<a>",
		"a\tb", "\xc3\xa4", "a:-1", "a:+80", "a, b", "a%", "a%4", "a%4g", "%%41",
		"[4712::abcd::]", "[:::::]", "[1:2:3]", "[1.2.3.4]", "[1:2:3:4:5:6:7:8:9]",
		"[::12345]", "[::1.2.3]", "[fe80::1%eth0]", "[fe80::1%25eth0]", "[:]", "[.]", "[a]",
		"[v.a]", "[v1.]", "[v1a]", "[vg.a]", "[v1.a%41]", "[v1.[]", "[v]" };

	(void)state;
	for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
		assert_int_equal(parse_with("Host", GOOD[i]), 0);
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		if (parse_with("Host", BAD[i]) != 400)
			fail_saying("accepted the host \"%s\"\n", BAD[i]);
		assert_string_equal(result.why, "an invalid Host");
	}
}

/* --- framing ------------------------------------------------------------------------------ */

/* RFC 9112 §6.2 */
static void test_content_length_counts_the_body(void **state)
{
	(void)state;
	accepts(POST "Content-Length: 5\r\n\r\n");
	assert_true(request.content_length == 5);
	accepts(POST "content-length:0\r\n\r\n");
	assert_true(request.content_length == 0);
	accepts(POST "Content-Length: 9223372036854775807\r\n\r\n");
	assert_true(request.content_length == INT64_MAX);
	accepts(POST "Content-Length: \t0005 \r\n\r\n");
	assert_true(request.content_length == 5);
	accepts(POST "\r\n");
	assert_true(request.content_length == 0);
}

/* RFC 9112 §6.3 item 5 */
static void test_a_malformed_content_length_is_400(void **state)
{
	static const char *const WHY = "a malformed Content-Length";

	(void)state;
	refuses(POST "Content-Length: +5\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: -5\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: 5 5\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: 5, 5\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: 5,\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: 0x5\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: 5a\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: 5.0\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: \"5\"\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length:\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: \xd9\xa5\r\n\r\n", 400, WHY);
}

static void test_a_content_length_that_overflows_is_400(void **state)
{
	static const char *const WHY = "a Content-Length beyond all bounds";

	(void)state;
	refuses(POST "Content-Length: 9223372036854775808\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: 18446744073709551615\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: 18446744073709551621\r\n\r\n", 400, WHY);
}

/* Even if the values are equal: RFC 9110 §8.6 allows to refuse that. */
static void test_two_content_lengths_are_400(void **state)
{
	static const char *const WHY = "two Content-Length fields";

	(void)state;
	refuses(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400, WHY);
	refuses(POST "Content-Length: 5\r\nA: b\r\ncontent-length: 5\r\n\r\n", 400, WHY);
}

/* RFC 9112 §6.1, §11.2 */
static void test_content_length_beside_transfer_encoding_is_400(void **state)
{
	static const char *const WHY = "both Transfer-Encoding and Content-Length";

	(void)state;
	refuses(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, WHY);
	refuses(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400, WHY);
	refuses(POST "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", 400, WHY);
}

/* RFC 9112 §7.1 */
static void test_chunked_in_any_case_is_accepted(void **state)
{
	(void)state;
	accepts(POST "Transfer-Encoding: chunked\r\n\r\n");
	assert_true(request.content_length == REQUEST_LENGTH_CHUNKED);
	accepts(POST "transfer-encoding:\tCHUNKED \r\n\r\n");
	assert_true(request.content_length == REQUEST_LENGTH_CHUNKED);
}

/* RFC 9112 §6.1 */
static void test_other_transfer_codings_are_501(void **state)
{
	static const char *const WHY = "an unknown transfer coding";

	(void)state;
	refuses(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, WHY);
	refuses(POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 501, WHY);
	refuses(POST "Transfer-Encoding: gzip\r\n\r\n", 501, WHY);
	refuses(POST "Transfer-Encoding: identity\r\n\r\n", 501, WHY);
	refuses(POST "Transfer-Encoding: xchunked\r\n\r\n", 501, WHY);
	refuses(POST "Transfer-Encoding: chunked;a=b\r\n\r\n", 501, WHY);
	refuses(POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 501, WHY);
	refuses(POST "Transfer-Encoding: chunked chunked\r\n\r\n", 501, WHY);
}

/* RFC 9112 §6.1, §6.3 item 4 */
static void test_chunked_comes_last_and_once(void **state)
{
	static const char *const WHY = "a transfer coding after chunked";

	(void)state;
	refuses(POST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400, WHY);
	refuses(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400, WHY);
	refuses(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, WHY);
	refuses(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400, WHY);
	refuses(POST "Transfer-Encoding:\r\n\r\n", 400, "an empty transfer coding");
	refuses(POST "Transfer-Encoding: ,chunked\r\n\r\n", 400, "an empty transfer coding");
	refuses(POST "Transfer-Encoding: chunked,\r\n\r\n", 400, "an empty transfer coding");
	refuses(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n", 400,
		"an empty transfer coding");
}

/* RFC 9112 §6.1: a client that says 1.0 does not know the coding. */
static void test_transfer_encoding_in_1_0_is_400(void **state)
{
	(void)state;
	refuses("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
		"Transfer-Encoding in HTTP/1.0");
}

/* --- Expect and Connection ---------------------------------------------------------------- */

/* RFC 9110 §10.1.1 */
static void test_100_continue_is_the_only_expectation(void **state)
{
	static const char *const WHY = "an expectation other than 100-continue";

	(void)state;
	accepts(POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	assert_true(request.expects_continue);
	accepts(POST "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
	assert_true(request.expects_continue);
	refuses(POST "Expect: 200-ok\r\n\r\n", 417, WHY);
	refuses(POST "Expect: 100-continue, x\r\n\r\n", 417, WHY);
	refuses(POST "Expect: 100-continue=x\r\n\r\n", 417, WHY);
	refuses(POST "Expect:\r\n\r\n", 417, WHY);
}

static void test_100_continue_is_ignored_in_1_0(void **state)
{
	(void)state;
	accepts("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	assert_false(request.expects_continue);
}

/* RFC 9112 §9.3 */
static void test_connections_persist_by_version_and_option(void **state)
{
	static const struct {
		struct text head;
		bool keep_alive;
	} CASES[] = {
		{ TEXT(GET "\r\n"), true },
		{ TEXT(GET "Connection: close\r\n\r\n"), false },
		{ TEXT(GET "Connection: CLOSE\r\n\r\n"), false },
		{ TEXT(GET "Connection: x, close ,y\r\n\r\n"), false },
		{ TEXT(GET "Connection: x\r\nConnection: close\r\n\r\n"), false },
		{ TEXT(GET "Connection: close\r\nConnection: keep-alive\r\n\r\n"), false },
		{ TEXT(GET "Connection: closed\r\n\r\n"), true },
		{ TEXT(GET "Connection: Upgrade, HTTP2-Settings\r\n\r\n"), true },
		{ TEXT(GET "Connection: ,,\r\n\r\n"), true },
		{ TEXT(GET "Connection:\r\n\r\n"), true },
		{ TEXT(GET_OLD "\r\n"), false },
		{ TEXT(GET_OLD "Connection: keep-alive\r\n\r\n"), true },
		{ TEXT(GET_OLD "Connection: a,Keep-Alive\r\n\r\n"), true },
		{ TEXT(GET_OLD "Connection: keep-alive, close\r\n\r\n"), false },
		{ TEXT(GET_OLD "Connection: x\r\n\r\n"), false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		assert_accepts(CASES[i].head);
		assert_int_equal(result.keep_alive, CASES[i].keep_alive);
	}
}

/* --- after a refusal ---------------------------------------------------------------------- */

/* The answer to HEAD has no body and the log has the request line, also if the request was bad. */
static void test_a_refused_request_keeps_what_could_be_read(void **state)
{
	(void)state;
	refuses("HEAD /a HTTP/1.0\r\nA b\r\n\r\n", 400, "white space before a colon");
	assert_text(request.line, "HEAD /a HTTP/1.0");
	assert_int_equal(request.method, METHOD_HEAD);
	assert_int_equal(request.version, HTTP_1_0);
	assert_text(request.target, "/a");
	assert_false(result.keep_alive);
	refuses("HEAD /a\x01 HTTP/1.1\r\n\r\n", 400, "a byte that no target may have");
	assert_text(request.line, "HEAD /a\x01 HTTP/1.1");
	assert_int_equal(request.method, METHOD_HEAD);
	refuses("\x01\r\n\r\n", 400, "a malformed method");
	assert_text(request.line, "\x01");
	assert_int_equal(request.method, METHOD_UNKNOWN);
	assert_text(request.target, "");
}

static void test_a_head_that_was_not_found_whole_is_400(void **state)
{
	static const struct text HEAD = TEXT(POST "Content-Length: 5\r\n\r\n");

	(void)state;
	for (size_t length = 0; length < HEAD.length; length++)
		assert_int_equal(
			http1_parse_head(&request, &result, text_first(HEAD, length)), 400);
}

/* --- damage ------------------------------------------------------------------------------- */

static const struct text GOOD_HEADS[] = {
	TEXT(GET "\r\n"),
	TEXT("\r\n" GET_OLD "\r\n"),
	TEXT("GET http://[::1]:80/%41?b HTTP/1.1\r\nHost: [::1]:80\r\nAccept: */*\r\n\r\n"),
	TEXT(POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
	TEXT(POST "Transfer-Encoding: chunked\r\nConnection: a, close\r\n\r\n"),
};

static bool lies_within(struct text part, struct text whole)
{
	return part.length == 0 || (part.bytes >= whole.bytes &&
					   part.bytes + part.length <= whole.bytes + whole.length);
}

static bool is_answerable(unsigned status)
{
	return status == 400 || status == 417 || status == 431 || status == 501 || status == 505;
}

/* Whatever stands in `head`: an answer, and texts inside it. */
static void check_parsed(struct text head)
{
	unsigned status;

	find(head, HEADER_BYTES_MAX);
	status = http1_parse_head(&request, &result, head);
	assert_true(lies_within(request.line, head));
	assert_true(lies_within(request.target, head));
	if (status != 0) {
		assert_true(is_answerable(status));
		assert_non_null(result.why);
		return;
	}
	assert_true(lies_within(request.query, head));
	assert_true(lies_within(request.host, head));
	for (unsigned i = 0; i < request.field_count; i++) {
		assert_true(request.fields[i].name.length > 0);
		assert_true(lies_within(request.fields[i].name, head));
		assert_true(lies_within(request.fields[i].value, head));
	}
}

static void test_any_byte_may_be_any_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(GOOD_HEADS) / sizeof(GOOD_HEADS[0]); i++) {
		struct text head = GOOD_HEADS[i];
		char *copy = malloc(head.length);

		assert_non_null(copy);
		assert_accepts(head);
		for (size_t at = 0; at < head.length; at++) {
			memcpy(copy, head.bytes, head.length);
			for (unsigned byte = 0; byte < 256; byte++) {
				copy[at] = (char)byte;
				check_parsed((struct text){ copy, head.length });
			}
		}
		free(copy);
	}
}

static void check_copy(struct text before, struct text after)
{
	char *copy = malloc(before.length + after.length + 1);

	assert_non_null(copy);
	memcpy(copy + 1, before.bytes, before.length);
	memcpy(copy + 1 + before.length, after.bytes, after.length);
	check_parsed((struct text){ copy + 1, before.length + after.length });
	free(copy);
}

static void test_any_bytes_may_be_missing_or_doubled(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(GOOD_HEADS) / sizeof(GOOD_HEADS[0]); i++) {
		struct text head = GOOD_HEADS[i];

		for (size_t from = 0; from <= head.length; from++) {
			for (size_t to = 0; to <= head.length; to++)
				check_copy(text_first(head, from), text_from(head, to));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_head_ends_at_its_empty_line),
		cmocka_unit_test(test_bytes_after_the_head_are_not_looked_at),
		cmocka_unit_test(test_one_empty_line_before_the_request_line_is_skipped),
		cmocka_unit_test(test_a_bare_lf_is_400),
		cmocka_unit_test(test_nul_is_400),
		cmocka_unit_test(test_damage_is_told_before_the_head_is_complete),
		cmocka_unit_test(test_a_request_line_beyond_the_bound_is_414),
		cmocka_unit_test(test_a_head_beyond_the_bound_is_431),
		cmocka_unit_test(test_a_slow_head_is_examined_once),
		cmocka_unit_test(test_a_request_is_taken_apart),
		cmocka_unit_test(test_a_target_without_query_has_an_empty_one),
		cmocka_unit_test(test_any_token_is_a_method),
		cmocka_unit_test(test_the_request_line_has_exactly_two_spaces),
		cmocka_unit_test(test_a_method_is_a_token),
		cmocka_unit_test(test_a_target_is_visible_ascii),
		cmocka_unit_test(test_later_minor_versions_are_read_as_1_1),
		cmocka_unit_test(test_other_major_versions_are_505),
		cmocka_unit_test(test_anything_else_is_no_version),
		cmocka_unit_test(test_the_authority_of_an_absolute_target_replaces_host),
		cmocka_unit_test(test_an_absolute_target_needs_a_host_and_no_user),
		cmocka_unit_test(test_a_field_name_is_a_token),
		cmocka_unit_test(test_white_space_before_the_colon_is_400),
		cmocka_unit_test(test_folded_lines_are_400),
		cmocka_unit_test(test_the_tab_is_the_only_control_byte_in_a_value),
		cmocka_unit_test(test_each_byte_counts_wherever_it_stands_in_a_value),
		cmocka_unit_test(test_a_bare_cr_is_400),
		cmocka_unit_test(test_too_many_fields_are_431),
		cmocka_unit_test(test_1_1_needs_one_host),
		cmocka_unit_test(test_1_0_needs_no_host),
		cmocka_unit_test(test_hosts_are_names_or_addresses_with_ports),
		cmocka_unit_test(test_content_length_counts_the_body),
		cmocka_unit_test(test_a_malformed_content_length_is_400),
		cmocka_unit_test(test_a_content_length_that_overflows_is_400),
		cmocka_unit_test(test_two_content_lengths_are_400),
		cmocka_unit_test(test_content_length_beside_transfer_encoding_is_400),
		cmocka_unit_test(test_chunked_in_any_case_is_accepted),
		cmocka_unit_test(test_other_transfer_codings_are_501),
		cmocka_unit_test(test_chunked_comes_last_and_once),
		cmocka_unit_test(test_transfer_encoding_in_1_0_is_400),
		cmocka_unit_test(test_100_continue_is_the_only_expectation),
		cmocka_unit_test(test_100_continue_is_ignored_in_1_0),
		cmocka_unit_test(test_connections_persist_by_version_and_option),
		cmocka_unit_test(test_a_refused_request_keeps_what_could_be_read),
		cmocka_unit_test(test_a_head_that_was_not_found_whole_is_400),
		cmocka_unit_test(test_any_byte_may_be_any_other),
		cmocka_unit_test(test_any_bytes_may_be_missing_or_doubled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
