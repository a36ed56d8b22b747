/* http/media_type.h: types by extension (RFC 9110 §8.3). */
#include "assert_text.h"

#include "http/media_type.h"

/* One case for each way in which a binary search can go wrong: the first, the last, neighbours, and
 * a prefix of another. */
static void test_known_extensions_have_their_types(void **state)
{
	static const struct {
		const char *path, *type;
	} CASES[] = {
		{ "/a.7z", "application/x-7z-compressed" },
		{ "/a.aac", "audio/aac" },
		{ "/a.avif", "image/avif" },
		{ "/a.c", "text/plain; charset=utf-8" },
		{ "/a.css", "text/css; charset=utf-8" },
		{ "/a.csv", "text/csv; charset=utf-8" },
		{ "/a.gif", "image/gif" },
		{ "/a.gz", "application/gzip" },
		{ "/a.h", "text/plain; charset=utf-8" },
		{ "/a.htm", "text/html; charset=utf-8" },
		{ "/a.html", "text/html; charset=utf-8" },
		{ "/a.shtm", "text/html; charset=utf-8" },
		{ "/a.shtml", "text/html; charset=utf-8" },
		{ "/a.stm", "text/html; charset=utf-8" },
		{ "/a.ico", "image/vnd.microsoft.icon" },
		{ "/a.jpeg", "image/jpeg" },
		{ "/a.jpg", "image/jpeg" },
		{ "/a.js", "text/javascript; charset=utf-8" },
		{ "/a.json", "application/json" },
		{ "/a.jsonl", "application/jsonl" },
		{ "/a.map", "application/json" },
		{ "/a.md", "text/markdown; charset=utf-8" },
		{ "/a.mjs", "text/javascript; charset=utf-8" },
		{ "/a.mp3", "audio/mpeg" },
		{ "/a.mp4", "video/mp4" },
		{ "/a.ogg", "audio/ogg" },
		{ "/a.pdf", "application/pdf" },
		{ "/a.png", "image/png" },
		{ "/a.svg", "image/svg+xml" },
		{ "/a.tar", "application/x-tar" },
		{ "/a.txt", "text/plain; charset=utf-8" },
		{ "/a.wasm", "application/wasm" },
		{ "/a.wav", "audio/wav" },
		{ "/a.webm", "video/webm" },
		{ "/a.webmanifest", "application/manifest+json" },
		{ "/a.webp", "image/webp" },
		{ "/a.woff", "font/woff" },
		{ "/a.woff2", "font/woff2" },
		{ "/a.xml", "application/xml" },
		{ "/a.zip", "application/zip" },
		{ "/a.zst", "application/zstd" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
		assert_text(media_type_of(text_of(CASES[i].path)), CASES[i].type);
}

static void test_the_case_of_an_extension_is_ignored(void **state)
{
	(void)state;
	assert_text(media_type_of(text_literal("/A.HTML")), "text/html; charset=utf-8");
	assert_text(media_type_of(text_literal("/A.WebP")), "image/webp");
}

static void test_only_the_last_extension_counts(void **state)
{
	(void)state;
	assert_text(media_type_of(text_literal("/a.tar.gz")), "application/gzip");
	assert_text(media_type_of(text_literal("/a.html.txt")), "text/plain; charset=utf-8");
}

static void assert_unknown(const char *path)
{
	assert_text(media_type_of(text_of(path)), "application/octet-stream");
}

static void test_everything_else_is_bytes(void **state)
{
	(void)state;
	assert_unknown("/a.unknown");
	assert_unknown("/a");
	assert_unknown("/a.");
	assert_unknown("/a.html/b");
	assert_unknown("/");
	assert_unknown("");
	assert_unknown("/html");
	assert_unknown("/a.htmlx");
	assert_unknown("/a.ht");
	assert_unknown("/a.0");
	assert_unknown("/a.zzz");
	assert_unknown("/a.\xff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_extensions_have_their_types),
		cmocka_unit_test(test_the_case_of_an_extension_is_ignored),
		cmocka_unit_test(test_only_the_last_extension_counts),
		cmocka_unit_test(test_everything_else_is_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
