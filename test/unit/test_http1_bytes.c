/* http1/parser.h and http1/body.h: every byte at every place, every cut, every alignment.
 *
 * The allowed bytes are written down here a second time, from the grammars of the RFCs, without the
 * parser's table. Everything that is parsed ends directly before a page that may not be read, so
 * that a parser that reads several bytes at once crashes if it reads one too many. */
#include "assert_text.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "http1/body.h"
#include "http1/parser.h"

enum { HEADER_BYTES_MAX = 16384, MEMORY_SIZE = 1 << 16, ALIGNMENT_MAX = 64 };

static struct request request;
static struct http1_head result;

/* --- memory that ends at a wall ----------------------------------------------------------- */

static char *wall; /* the first byte that may not be read */

static int build_wall(void **state)
{
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, MEMORY_SIZE + page_size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (memory == MAP_FAILED)
		return -1;
	wall = memory + MEMORY_SIZE;
	return mprotect(wall, page_size, PROT_NONE);
}

/* A copy whose last byte is directly before the wall. */
static struct text before_wall(struct text text)
{
	char *copy = wall - text.length;

	assert_true(text.length <= MEMORY_SIZE);
	if (text.length > 0)
		memcpy(copy, text.bytes, text.length);
	return (struct text){ copy, text.length };
}

/* --- the grammars ------------------------------------------------------------------------- */

static bool is_alphanumeric(unsigned byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= 'a' && byte <= 'z');
}

static bool is_one_of(unsigned byte, const char *bytes)
{
	return byte != 0 && strchr(bytes, (int)byte);
}

/* tchar (RFC 9110 §5.6.2) */
static bool is_token(unsigned byte)
{
	return is_alphanumeric(byte) || is_one_of(byte, "!#$%&'*+-.^_`|~");
}

/* VCHAR, obs-text, space and tab (RFC 9110 §5.5) */
static bool is_value(unsigned byte)
{
	return byte == '\t' || (byte >= ' ' && byte < 0x7f) || byte >= 0x80;
}

/* The bytes of a target (RFC 9112 §3.2, RFC 3986 §2), and "<>\^`{|}: browsers send these unescaped,
 * and they end no target anywhere. No fragment. */
static bool is_target(unsigned byte)
{
	return is_alphanumeric(byte) || is_one_of(byte, "-._~:/?[]@!$&'()*+,;=%") ||
	       is_one_of(byte, "\"<>\\^`{|}");
}

/* unreserved, sub-delims and the percent sign (RFC 3986 §3.2.2) */
static bool is_host(unsigned byte)
{
	return is_alphanumeric(byte) || is_one_of(byte, "-._~!$&'()*+,;=");
}

static bool is_host_or_its_end(unsigned byte)
{
	return is_host(byte) || is_one_of(byte, "/?");
}

static bool is_hexadecimal(unsigned byte)
{
	return is_one_of(byte, "0123456789abcdefABCDEF");
}

/* --- every byte in every place ------------------------------------------------------------ */

static unsigned parse_before_wall(struct text bytes)
{
	struct text head = before_wall(bytes);
	struct http1_scan scan = { 0 };
	int64_t length = http1_find_head(&scan, head, HEADER_BYTES_MAX);

	if (length < 0)
		return (unsigned)-length;
	assert_int_equal(length, bytes.length);
	return http1_parse_head(&request, &result, head);
}

/* Replaces the "?" of the pattern by each byte. */
static void assert_takes(const char *pattern, bool (*may_stand)(unsigned byte))
{
	char head[256];
	size_t length = strlen(pattern), place = (size_t)(strchr(pattern, '?') - pattern);

	assert_true(length < sizeof(head) && place < length);
	for (unsigned byte = 0; byte < 256; byte++) {
		unsigned status;

		memcpy(head, pattern, length);
		head[place] = (char)byte;
		status = parse_before_wall((struct text){ head, length });
		if (status != (may_stand(byte) ? 0 : 400))
			fail_saying("%u for the byte %#x in \"%s\"\n", status, byte, pattern);
	}
}

#define HOST "Host: a\r\n"

/* RFC 9110 §5.1 */
static void test_names_are_tokens(void **state)
{
	(void)state;
	assert_takes("GET / HTTP/1.1\r\n" HOST "?A: b\r\n\r\n", is_token);
	assert_takes("GET / HTTP/1.1\r\n" HOST "?: b\r\n\r\n", is_token);
	assert_takes("GET / HTTP/1.1\r\n?A: b\r\n" HOST "\r\n", is_token);
}

/* A colon there correctly ends the name. */
static bool is_token_or_colon(unsigned byte)
{
	return is_token(byte) || byte == ':';
}

static void test_names_are_tokens_behind_their_first_byte(void **state)
{
	(void)state;
	assert_takes("GET / HTTP/1.1\r\n" HOST "A?B: b\r\n\r\n", is_token_or_colon);
	assert_takes("GET / HTTP/1.1\r\n" HOST "AB?: b\r\n\r\n", is_token_or_colon);
	assert_takes("GET / HTTP/1.1\r\n" HOST
		     "Abcdefghijklmnopqrstuvwxyz?Abcdefghijklmnop: b\r\n\r\n",
		is_token_or_colon);
}

/* RFC 9110 §5.5 */
static void test_values_are_visible_blank_or_8_bit(void **state)
{
	(void)state;
	assert_takes("GET / HTTP/1.1\r\n" HOST "A:?\r\n\r\n", is_value);
	assert_takes("GET / HTTP/1.1\r\n" HOST "A:?b\r\n\r\n", is_value);
	assert_takes("GET / HTTP/1.1\r\n" HOST "A: ?b\r\n\r\n", is_value);
	assert_takes("GET / HTTP/1.1\r\n" HOST "A: b?c\r\n\r\n", is_value);
	assert_takes("GET / HTTP/1.1\r\n" HOST "A: b?\r\n\r\n", is_value);
	assert_takes("GET / HTTP/1.1\r\n" HOST "A: b ?\r\nC: d\r\n\r\n", is_value);
	assert_takes("GET / HTTP/1.1\r\n" HOST
		     "A: bcdefghijklmnopqrstuvwxyzbcdefgh?jklmnopqrstuvwxyz\r\n\r\n",
		is_value);
}

/* RFC 9110 §9.1 */
static void test_methods_are_tokens(void **state)
{
	(void)state;
	assert_takes("?ET / HTTP/1.1\r\n" HOST "\r\n", is_token);
	assert_takes("G?T / HTTP/1.1\r\n" HOST "\r\n", is_token);
	assert_takes("GE? / HTTP/1.1\r\n" HOST "\r\n", is_token);
	assert_takes("? / HTTP/1.1\r\n" HOST "\r\n", is_token);
	assert_takes(
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ?ABCDEFGHIJKLMN / HTTP/1.1\r\n" HOST "\r\n", is_token);
}

/* RFC 9112 §3.2 */
static void test_targets_are_visible_without_a_fragment(void **state)
{
	(void)state;
	assert_takes("GET ? HTTP/1.1\r\n" HOST "\r\n", is_target);
	assert_takes("GET ?a HTTP/1.1\r\n" HOST "\r\n", is_target);
	assert_takes("GET /? HTTP/1.1\r\n" HOST "\r\n", is_target);
	assert_takes("GET /?a HTTP/1.1\r\n" HOST "\r\n", is_target);
	assert_takes("GET /abcdefghijklmnopqrstuvwxyz0123456789?abcdefghij HTTP/1.1\r\n" HOST
		     "\r\n",
		is_target);
}

/* RFC 9112 §3.2, RFC 3986 §3.2.2 */
static void test_hosts_are_registered_names(void **state)
{
	(void)state;
	assert_takes("GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", is_host);
	assert_takes("GET http://a?b/ HTTP/1.1\r\n" HOST "\r\n", is_host_or_its_end);
}

static bool is_h(unsigned byte)
{
	return byte == 'H';
}

static bool is_slash(unsigned byte)
{
	return byte == '/';
}

static bool is_point(unsigned byte)
{
	return byte == '.';
}

static bool is_digit(unsigned byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_none(unsigned byte)
{
	(void)byte;
	return false;
}

/* RFC 9112 §2.3, §3 */
static void test_versions_have_one_spelling(void **state)
{
	(void)state;
	assert_takes("GET / ?TTP/1.1\r\n" HOST "\r\n", is_h);
	assert_takes("GET / HTTP?1.1\r\n" HOST "\r\n", is_slash);
	assert_takes("GET / HTTP/1?1\r\n" HOST "\r\n", is_point);
	assert_takes("GET / HTTP/1.?\r\n" HOST "\r\n", is_digit);
	assert_takes("GET / HTTP/1.1?\r\n" HOST "\r\n", is_none);
}

/* --- every byte in bodies ----------------------------------------------------------------- */

struct decoded {
	int result;
	size_t taken;
	char content[64];
	size_t content_length;
};

static void decode_part(struct http1_body *body, struct decoded *decoded, struct text part)
{
	struct text rest = before_wall(part), content;
	size_t length = rest.length;

	do {
		decoded->result = http1_body_decode(body, &rest, &content);
		assert_true(decoded->content_length + content.length <= sizeof(decoded->content));
		if (content.length > 0)
			memcpy(decoded->content + decoded->content_length, content.bytes,
				content.length);
		decoded->content_length += content.length;
	} while (decoded->result == 0 && rest.length > 0);
	decoded->taken += length - rest.length;
}

static void assert_decodes(const char *pattern, bool (*may_stand)(unsigned byte))
{
	char bytes[256];
	size_t length = strlen(pattern), place = (size_t)(strchr(pattern, '?') - pattern);

	for (unsigned byte = 0; byte < 256; byte++) {
		struct decoded decoded = { 0 };
		struct http1_body body;

		memcpy(bytes, pattern, length);
		bytes[place] = (char)byte;
		http1_body_init(&body, REQUEST_LENGTH_CHUNKED);
		decode_part(&body, &decoded, (struct text){ bytes, length });
		if ((decoded.result >= 0) != may_stand(byte))
			fail_saying(
				"%d for the byte %#x in \"%s\"\n", decoded.result, byte, pattern);
	}
}

static bool is_extension_or_blank(unsigned byte)
{
	return is_hexadecimal(byte) || is_one_of(byte, " \t;");
}

static bool is_cr(unsigned byte)
{
	return byte == '\r';
}

static bool is_token_or_cr(unsigned byte)
{
	return is_token(byte) || is_cr(byte);
}

static bool is_value_or_cr(unsigned byte)
{
	return is_value(byte) || is_cr(byte);
}

static bool is_lf(unsigned byte)
{
	return byte == '\n';
}

static bool is_any(unsigned byte)
{
	(void)byte;
	return true;
}

/* RFC 9112 §7.1 */
static void test_chunks_are_made_of_their_grammar(void **state)
{
	(void)state;
	assert_decodes("?;a", is_hexadecimal);
	assert_decodes("1?;a", is_extension_or_blank);
	assert_decodes("1;?", is_value_or_cr);
	assert_decodes("1;a?b\r\n", is_value);
	assert_decodes("1\r?", is_lf);
	assert_decodes("1\r\n?\r\n", is_any);
	assert_decodes("1\r\na?", is_cr);
	assert_decodes("1\r\na\r?", is_lf);
}

/* RFC 9112 §7.1.2 */
static void test_trailers_are_made_of_their_grammar(void **state)
{
	(void)state;
	assert_decodes("0\r\n?", is_token_or_cr);
	assert_decodes("0\r\nA?: b\r\n", is_token_or_colon);
	assert_decodes("0\r\nA:?", is_value_or_cr);
	assert_decodes("0\r\nA: b?c\r\n", is_value);
	assert_decodes("0\r\nA: b\r?", is_lf);
	assert_decodes("0\r\n\r?", is_lf);
}

/* --- every cut ---------------------------------------------------------------------------- */

static const struct text HEADS[] = {
	TEXT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	TEXT("\r\nGET /a?b HTTP/1.0\r\n\r\n"),
	TEXT("POST http://b:80/c?d HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nConnection: "
	     "close\r\n\r\n"),
	TEXT("PUT /x HTTP/1.1\r\nHost:a\r\nTransfer-Encoding:\tchunked \r\nExpect: "
	     "100-continue\r\n\r\n"),
	TEXT("GET /index.html HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; "
	     "Linux)\r\n"
	     "Accept: text/html,*/*;q=0.8\r\nAccept-Encoding: gzip, br\r\nCookie: a=\"b\"; "
	     "c=\xff\r\n"
	     "Empty:\r\nBlank: \t \r\n\r\n"),
	TEXT("GET / HTTP/1.1\r\nHost: a\r\nA: b\nC: d\r\n\r\n"),
	TEXT("GET / HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n"),
	TEXT("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"),
	TEXT("GET / HTTP/1.1\r\nHost: a\r\rA: b\r\n\r\n"),
	TEXT("\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
};
enum { HEAD_COUNT = sizeof(HEADS) / sizeof(HEADS[0]) };

/* What arrives lies elsewhere each time, and what lay there before is gone. */
static int64_t find_in_parts(struct text head, size_t first, size_t second)
{
	struct http1_scan scan = { 0 };
	int64_t found =
		http1_find_head(&scan, before_wall(text_first(head, first)), HEADER_BYTES_MAX);

	if (found == 0)
		found = http1_find_head(
			&scan, before_wall(text_first(head, second)), HEADER_BYTES_MAX);
	if (found == 0)
		found = http1_find_head(&scan, before_wall(head), HEADER_BYTES_MAX);
	return found;
}

static void test_every_two_cuts_of_a_head_leave_its_end_where_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < HEAD_COUNT; i++) {
		struct http1_scan scan = { 0 };
		int64_t whole = http1_find_head(&scan, before_wall(HEADS[i]), HEADER_BYTES_MAX);

		for (size_t second = 0; second <= HEADS[i].length; second++) {
			for (size_t first = 0; first <= second; first++)
				assert_true(find_in_parts(HEADS[i], first, second) == whole);
		}
	}
}

static struct decoded decode_in_parts(struct text bytes, size_t first, size_t second)
{
	struct decoded decoded = { 0 };
	struct http1_body body;
	const struct text parts[] = { text_first(bytes, first),
		text_from(text_first(bytes, second), first), text_from(bytes, second) };

	http1_body_init(&body, REQUEST_LENGTH_CHUNKED);
	for (unsigned i = 0; i < 3 && decoded.result == 0; i++)
		decode_part(&body, &decoded, parts[i]);
	return decoded;
}

static void assert_same(const struct decoded *parts, const struct decoded *whole)
{
	assert_int_equal(parts->result, whole->result);
	assert_int_equal(parts->taken, whole->taken);
	assert_int_equal(parts->content_length, whole->content_length);
	assert_memory_equal(parts->content, whole->content, sizeof(whole->content));
}

static void test_every_two_cuts_of_a_body_leave_its_content(void **state)
{
	static const struct text BODIES[] = {
		TEXT("3\r\nabc\r\n0\r\n\r\nGET /"),
		TEXT("1;a=\"b\"\r\nx\r\n00002 \t;c\r\nyz\r\n0;d\r\nE: f\r\nG:\r\n\r\nmore"),
		TEXT("a\r\n\r\n0\r\n\r\n\r\n \r\n0\r\n\r\n"),
		TEXT("3\r\nabcd\r\n0\r\n\r\n"),
		TEXT("1\r\nx\r\n0\r\nA : b\r\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
		struct decoded whole = decode_in_parts(BODIES[i], 0, 0);

		for (size_t second = 0; second <= BODIES[i].length; second++) {
			for (size_t first = 0; first <= second; first++) {
				struct decoded parts = decode_in_parts(BODIES[i], first, second);

				assert_same(&parts, &whole);
			}
		}
	}
}

/* --- every alignment ---------------------------------------------------------------------- */

static void assert_pads_parse(struct text head, size_t pad)
{
	struct http1_scan scan = { 0 };

	assert_int_equal(http1_find_head(&scan, head, HEADER_BYTES_MAX), head.length);
	assert_int_equal(http1_parse_head(&request, &result, head), 0);
	assert_int_equal(request.target.length, pad + 1);
	assert_int_equal(request.field_count, 2);
	assert_int_equal(request.fields[0].name.length, pad + 1);
	assert_int_equal(request.fields[0].value.length, pad + 1);
	assert_int_equal(request.method, METHOD_GET);
	assert_text(request.host, "a");
	assert_text(text_from(request.target, pad), "/");
	assert_text(text_from(request.fields[0].value, pad), "d");
}

/* A target, a field name and a value, each `pad` bytes longer than needed. */
static struct text padded_head(char *memory, size_t size, size_t pad)
{
	static const char FILLING[ALIGNMENT_MAX + 1] =
		"/bcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz01";
	struct text filling = { FILLING, pad };
	struct buffer head;

	buffer_init(&head, memory, size);
	buffer_append_string(&head, "GET ");
	buffer_append(&head, filling);
	buffer_append_string(&head, "/ HTTP/1.1\r\nA");
	buffer_append(&head, text_first(text_of(FILLING + 1), pad));
	buffer_append_string(&head, ":");
	buffer_append(&head, filling);
	buffer_append_string(&head, "d\r\nHost: a\r\n\r\n");
	assert_false(head.truncated);
	return buffer_text(&head);
}

/* Lengths of runs, with all combinations of their begin and end. */
static void test_every_alignment_is_parsed_alike(void **state)
{
	char memory[512];

	(void)state;
	for (size_t pad = 0; pad < ALIGNMENT_MAX; pad++) {
		struct text head = padded_head(memory, sizeof(memory), pad);

		assert_pads_parse(before_wall(head), pad);
		for (size_t shift = 1; shift < ALIGNMENT_MAX; shift++) {
			char *copy = wall - shift - head.length;

			memcpy(copy, head.bytes, head.length);
			assert_pads_parse((struct text){ copy, head.length }, pad);
		}
	}
}

/* Bytes that follow in the same memory do not belong to the head, whatever they are. */
static void test_bytes_behind_a_head_have_no_say(void **state)
{
	static const char BEHIND[] = "\n\r\0 \t:a\x80/";

	(void)state;
	for (size_t i = 0; i < sizeof(BEHIND); i++) {
		for (size_t length = 0; length <= HEADS[4].length; length++) {
			struct http1_scan scan = { 0 };
			char *copy = wall - ALIGNMENT_MAX - length;

			memset(wall - ALIGNMENT_MAX, BEHIND[i], ALIGNMENT_MAX);
			memcpy(copy, HEADS[4].bytes, length);
			assert_int_equal(http1_find_head(&scan, (struct text){ copy, length },
						 HEADER_BYTES_MAX),
				length == HEADS[4].length ? length : 0);
		}
	}
}

/* RFC 9112 §2.2: the parser finds a wrong byte wherever it is in a run. */
static void test_every_alignment_finds_the_wrong_byte(void **state)
{
	static const char WRONG[] = { '\0', '\n', '\r', '\x01', '\x7f', '\x1f' };
	char memory[512];

	(void)state;
	for (size_t i = 0; i < sizeof(WRONG); i++) {
		struct text head = padded_head(memory, sizeof(memory), ALIGNMENT_MAX - 1);

		for (size_t at = 0; at + 4 < head.length; at++) {
			char kept = memory[at];

			if (kept == '\r' || kept == '\n' || kept == WRONG[i])
				continue;
			memory[at] = WRONG[i];
			assert_int_equal(parse_before_wall(head), 400);
			memory[at] = kept;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_tokens),
		cmocka_unit_test(test_names_are_tokens_behind_their_first_byte),
		cmocka_unit_test(test_values_are_visible_blank_or_8_bit),
		cmocka_unit_test(test_methods_are_tokens),
		cmocka_unit_test(test_targets_are_visible_without_a_fragment),
		cmocka_unit_test(test_hosts_are_registered_names),
		cmocka_unit_test(test_versions_have_one_spelling),
		cmocka_unit_test(test_chunks_are_made_of_their_grammar),
		cmocka_unit_test(test_trailers_are_made_of_their_grammar),
		cmocka_unit_test(test_every_two_cuts_of_a_head_leave_its_end_where_it_is),
		cmocka_unit_test(test_every_two_cuts_of_a_body_leave_its_content),
		cmocka_unit_test(test_every_alignment_is_parsed_alike),
		cmocka_unit_test(test_bytes_behind_a_head_have_no_say),
		cmocka_unit_test(test_every_alignment_finds_the_wrong_byte),
	};

	return cmocka_run_group_tests(tests, build_wall, NULL);
}
