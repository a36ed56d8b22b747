/* http/path.h: nothing that a client writes into a target leads above "/", and nothing is decoded
 * twice (RFC 3986 §2.1, §3.3, §5.2.4; RFC 9110 §4.2.3). */
#include "assert_text.h"

#include <errno.h>

#include "http/path.h"

static char memory[4096];

/* The normalised path, or the reason why there is none. */
static struct text normalized(struct text raw)
{
	struct buffer path;

	buffer_init(&path, memory, sizeof(memory));
	switch (path_normalize(&path, raw)) {
	case 0:
		return buffer_text(&path);
	case -EINVAL:
		return text_literal("(no slash)");
	case -EILSEQ:
		return text_literal("(broken escape)");
	case -EPERM:
		return text_literal("(forbidden byte)");
	default:
		return text_literal("(undocumented)");
	}
}

#define assert_path(raw, expected) assert_text(normalized(text_literal(raw)), expected)

static void test_plain_paths_stay_as_they_are(void **state)
{
	(void)state;
	assert_path("/", "/");
	assert_path("/a", "/a");
	assert_path("/a/b.html", "/a/b.html");
	assert_path("/a/b/", "/a/b/");
	assert_path("/...", "/...");
	assert_path("/a/.b/..c/d..", "/a/.b/..c/d..");
	assert_path("/~user/a:b@c;d=e,f!$&'()*+", "/~user/a:b@c;d=e,f!$&'()*+");
}

static void assert_resolved(const char *base, const char *raw, const char *expected)
{
	struct buffer path;

	buffer_init(&path, memory, sizeof(memory));
	buffer_append_string(&path, base);
	assert_int_equal(path_resolve(&path, text_of(raw)), 0);
	assert_text(buffer_text(&path), expected);
}

static void test_relative_paths_are_resolved_from_another(void **state)
{
	(void)state;
	assert_resolved("/a/", "b/c", "/a/b/c");
	assert_resolved("/a/", "../b", "/b");
	assert_resolved("/a/", "..", "/");
	assert_resolved("/a/", "../../../b/", "/b/");
	assert_resolved("/a b/", "%62//./c", "/a b/b/c");
	assert_resolved("/", "", "/");
}

static void test_escapes_are_decoded_once(void **state)
{
	(void)state;
	assert_path("/%61%62", "/ab");
	assert_path("/%7Euser", "/~user");
	assert_path("/a%20b", "/a b");
	assert_path("/%252e%252e/", "/%2e%2e/");
	assert_path("/%252F", "/%2F");
	assert_path("/%25%32%46", "/%2F");
	assert_path("/a%3Fb%23c", "/a?b#c");
}

static void test_broken_escapes_are_refused(void **state)
{
	(void)state;
	assert_path("/%", "(broken escape)");
	assert_path("/%4", "(broken escape)");
	assert_path("/%4g", "(broken escape)");
	assert_path("/%g4", "(broken escape)");
	assert_path("/a%/b", "(broken escape)");
	assert_path("/%4/1", "(broken escape)");
	assert_path("/% 41", "(broken escape)");
	assert_path("/%-1", "(broken escape)");
	assert_path("/%u0041", "(broken escape)");
}

static void test_encoded_slash_and_nul_are_refused(void **state)
{
	(void)state;
	assert_path("/a%2Fb", "(forbidden byte)");
	assert_path("/a%2fb", "(forbidden byte)");
	assert_path("/..%2f..%2fetc/passwd", "(forbidden byte)");
	assert_path("/%00", "(forbidden byte)");
	assert_path("/a.html%00.png", "(forbidden byte)");
	assert_path("/a\0b", "(forbidden byte)");
}

static void test_control_bytes_are_refused(void **state)
{
	(void)state;
	assert_path("/%0d%0aSet-Cookie:x", "(forbidden byte)");
	assert_path("/%09", "(forbidden byte)");
	assert_path("/%1f", "(forbidden byte)");
	assert_path("/%7f", "(forbidden byte)");
	assert_path("/a\tb", "(forbidden byte)");
	assert_path("/a\x7f", "(forbidden byte)");
}

static void test_dot_segments_are_resolved(void **state)
{
	(void)state;
	assert_path("/a/./b", "/a/b");
	assert_path("/a/../b", "/b");
	assert_path("/a/b/../../c", "/c");
	assert_path("/a/b/..", "/a/");
	assert_path("/a/.", "/a/");
	assert_path("/.", "/");
	assert_path("/a/b/../c/./d/", "/a/c/d/");
	/* The example of RFC 3986 §5.2.4. */
	assert_path("/a/b/c/./../../g", "/a/g");
}

static void test_dot_segments_stop_at_the_top(void **state)
{
	(void)state;
	assert_path("/..", "/");
	assert_path("/../", "/");
	assert_path("/../../../etc/passwd", "/etc/passwd");
	assert_path("/a/../../b", "/b");
	assert_path("/..//../a", "/a");
	assert_path("/./../.", "/");
}

static void test_encoded_dots_are_dots(void **state)
{
	(void)state;
	assert_path("/a/%2e%2e/b", "/b");
	assert_path("/a/%2E./b", "/b");
	assert_path("/a/.%2e", "/");
	assert_path("/%2e/a", "/a");
	assert_path("/%2e%2e/%2e%2e/etc", "/etc");
	assert_path("/%2e%2e%2e/a", "/.../a");
}

static void test_empty_segments_are_merged(void **state)
{
	(void)state;
	assert_path("//", "/");
	assert_path("//a", "/a");
	assert_path("/a//b", "/a/b");
	assert_path("///a///b///", "/a/b/");
	assert_path("/a/..//b/./", "/b/");
	assert_path("/a//../b", "/b");
}

static void test_backslash_is_an_ordinary_byte(void **state)
{
	(void)state;
	assert_path("/a\\..\\b", "/a\\..\\b");
	assert_path("/..\\", "/..\\");
	assert_path("/%5c..", "/\\..");
}

static void test_bytes_that_are_not_utf_8_are_kept(void **state)
{
	(void)state;
	assert_path("/%ff%C3%A4", "/\xff\xc3\xa4");
	assert_path("/\x80", "/\x80");
	assert_path("/%c0%ae%c0%ae/", "/\xc0\xae\xc0\xae/"); /* an overlong dot is no dot */
}

static void test_a_path_begins_with_a_slash(void **state)
{
	(void)state;
	assert_path("", "(no slash)");
	assert_path("a", "(no slash)");
	assert_path("*", "(no slash)");
	assert_path("../a", "(no slash)");
	assert_path("%2Fa", "(no slash)");
	assert_path("\\a", "(no slash)");
}

static void test_a_path_that_overflows_says_so(void **state)
{
	char small[8];
	struct buffer path;

	(void)state;
	buffer_init(&path, small, sizeof(small));
	assert_int_equal(path_normalize(&path, text_literal("/1234567")), 0);
	assert_false(path.truncated);
	buffer_init(&path, small, sizeof(small));
	assert_int_equal(path_normalize(&path, text_literal("/12345678")), 0);
	assert_true(path.truncated);
	/* A path that leaves the root is refused even if it returns. */
	buffer_init(&path, small, sizeof(small));
	assert_int_equal(path_normalize(&path, text_literal("/12345678/../../../x/y/")), 0);
	assert_true(path.truncated);
	/* Segments that are resolved away need no room. */
	buffer_init(&path, small, sizeof(small));
	assert_int_equal(path_normalize(&path, text_literal("/a/../b/../c/../d/../e")), 0);
	assert_text(buffer_text(&path), "/e");
}

/* Every sequence of up to six parts of known attacks. */
static void check_invariants(struct text raw)
{
	struct text path = normalized(raw);

	if (path.length > 0 && path.bytes[0] == '(')
		return;
	assert_true(path.length > 0 && path.bytes[0] == '/');
	for (size_t i = 0; i < path.length; i++) {
		struct text rest = text_from(path, i);

		assert_false(text_starts_with(rest, text_literal("//")));
		assert_false(text_starts_with(rest, text_literal("/./")));
		assert_false(text_starts_with(rest, text_literal("/../")));
		assert_false(text_equal(rest, text_literal("/.")));
		assert_false(text_equal(rest, text_literal("/..")));
	}
}

static void combine_pieces(char *raw, size_t length, unsigned depth)
{
	static const char *const PIECES[] = { "/", ".", "..", "%2e", "%2f", "%", "a", "\\" };

	check_invariants((struct text){ raw, length });
	if (depth == 0)
		return;
	for (size_t i = 0; i < sizeof(PIECES) / sizeof(PIECES[0]); i++) {
		size_t piece_length = strlen(PIECES[i]);

		memcpy(raw + length, PIECES[i], piece_length);
		combine_pieces(raw, length + piece_length, depth - 1);
	}
}

static void test_no_combination_escapes(void **state)
{
	char raw[32] = "/";

	(void)state;
	combine_pieces(raw, 1, 6);
}

static void test_dot_segments_are_noticed_anywhere(void **state)
{
	(void)state;
	assert_true(path_has_dot_segment(text_literal("/.git/config")));
	assert_true(path_has_dot_segment(text_literal("/a/.htaccess")));
	assert_true(path_has_dot_segment(text_literal("/a/b/.c/d")));
	assert_false(path_has_dot_segment(text_literal("/a.b/c.d")));
	assert_false(path_has_dot_segment(text_literal("/")));
	assert_false(path_has_dot_segment(text_literal("/a/")));
}

/* RFC 8615 */
static void test_well_known_is_no_dot_segment_at_the_top(void **state)
{
	(void)state;
	assert_false(path_has_dot_segment(text_literal("/.well-known/acme-challenge/x")));
	assert_false(path_has_dot_segment(text_literal("/.well-known")));
	assert_true(path_has_dot_segment(text_literal("/.well-known/.x")));
	assert_true(path_has_dot_segment(text_literal("/.well-knownx")));
	assert_true(path_has_dot_segment(text_literal("/a/.well-known/x")));
	assert_true(path_has_dot_segment(text_literal("/.Well-Known/x")));
}

static struct text encoded(struct text path)
{
	struct buffer buffer;

	buffer_init(&buffer, memory, sizeof(memory));
	path_append_encoded(&buffer, path);
	return buffer_text(&buffer);
}

/* RFC 3986 §3.3 */
static void test_only_path_bytes_stay_unencoded(void **state)
{
	(void)state;
	assert_text(encoded(text_literal("/aZ09-._~!$&'()*+,;=:@/")), "/aZ09-._~!$&'()*+,;=:@/");
	assert_text(encoded(text_literal("/a b?c#d%")), "/a%20b%3Fc%23d%25");
	assert_text(encoded(text_literal("/\xff\r\n\x01")), "/%FF%0D%0A%01");
	assert_text(encoded(text_literal("/\\[]\"<>^`{|}")), "/%5C%5B%5D%22%3C%3E%5E%60%7B%7C%7D");
}

/* "//host/" in a Location would lead to another server, and browsers read "/\host" as the same. */
static void test_an_encoded_path_never_names_a_host(void **state)
{
	(void)state;
	assert_text(encoded(text_literal("//evil.example/")), "/evil.example/");
	assert_text(encoded(text_literal("///evil.example/")), "/evil.example/");
	assert_text(encoded(text_literal("/\\evil.example/")), "/%5Cevil.example/");
}

static void test_prefixes_are_whole_segments(void **state)
{
	struct text ping = text_literal("/ping"), dynamic = text_literal("/dynamic/");

	(void)state;
	assert_true(path_begins_with(text_literal("/ping"), ping));
	assert_true(path_begins_with(text_literal("/ping/x"), ping));
	assert_true(path_begins_with(text_literal("/ping/"), ping));
	assert_false(path_begins_with(text_literal("/pingx"), ping));
	assert_false(path_begins_with(text_literal("/pin"), ping));
	assert_true(path_begins_with(text_literal("/dynamic/x"), dynamic));
	assert_true(path_begins_with(text_literal("/dynamic/"), dynamic));
	assert_false(path_begins_with(text_literal("/dynamic"), dynamic));
	assert_true(path_begins_with(text_literal("/"), text_literal("/")));
	assert_true(path_begins_with(text_literal("/x"), text_literal("/")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_paths_stay_as_they_are),
		cmocka_unit_test(test_relative_paths_are_resolved_from_another),
		cmocka_unit_test(test_escapes_are_decoded_once),
		cmocka_unit_test(test_broken_escapes_are_refused),
		cmocka_unit_test(test_encoded_slash_and_nul_are_refused),
		cmocka_unit_test(test_control_bytes_are_refused),
		cmocka_unit_test(test_dot_segments_are_resolved),
		cmocka_unit_test(test_dot_segments_stop_at_the_top),
		cmocka_unit_test(test_encoded_dots_are_dots),
		cmocka_unit_test(test_empty_segments_are_merged),
		cmocka_unit_test(test_backslash_is_an_ordinary_byte),
		cmocka_unit_test(test_bytes_that_are_not_utf_8_are_kept),
		cmocka_unit_test(test_a_path_begins_with_a_slash),
		cmocka_unit_test(test_a_path_that_overflows_says_so),
		cmocka_unit_test(test_no_combination_escapes),
		cmocka_unit_test(test_dot_segments_are_noticed_anywhere),
		cmocka_unit_test(test_well_known_is_no_dot_segment_at_the_top),
		cmocka_unit_test(test_only_path_bytes_stay_unencoded),
		cmocka_unit_test(test_an_encoded_path_never_names_a_host),
		cmocka_unit_test(test_prefixes_are_whole_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
