/* The endpoints, asked without a wire: static and dynamic with the bodies they send
 * (files/extents.h, files/reader.h), ping, stats, and the registry.  On every
 * backend. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/owned.h"
#include "endpoints/generated.h"
#include "endpoints/registry.h"
#include "files/extents.h"
#include "files/reader.h"
#include "files/representation.h"
#include "simulated/simulated.h"
#include "visit.h"

/* After base/log.h: it has a macro `fail`. */
#include <cmocka.h>

static const char *backend, *document_path;
static uint64_t seed;
static struct place place;
static struct visit caller;
static void *static_state, *dynamic_state;

static void add_value(struct section *section, const char *name, const char *string)
{
	struct setting_value *value =
		section_add_value(section, section_find_setting(section, name), 1);

	assert_non_null(value);
	assert_int_equal(setting_value_add_string(value, text_of(string)), 0);
}

/* Like the configuration: root "www", defaults for everything else. */
static struct section *static_location, *dynamic_location;

static void *open_endpoint(const struct endpoint *endpoint, struct section **location)
{
	void *state;

	*location = section_new(NULL, NULL, endpoint->settings, NULL);
	(*location)->tables[1] = endpoint->shared_settings;
	add_value(*location, "root", place_path(&place, "www"));
	assert_int_equal(section_complete(*location), 0);
	assert_int_equal(endpoint->open(&state, *location, place.proactor), 0);
	return state;
}

static int set_up(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	place_open(&place, backend, seed);
	place_make_file(&place, "www/a.txt", text_literal("some text"));
	static_state = open_endpoint(&static_endpoint, &static_location);
	dynamic_state = open_endpoint(&dynamic_endpoint, &dynamic_location);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	static_endpoint.close(static_state);
	dynamic_endpoint.close(dynamic_state);
	section_free(static_location);
	section_free(dynamic_location);
	place_close(&place);
	return 0;
}

static void get_static(const char *path)
{
	visit(&caller, &place, &static_endpoint, static_state, path);
}

static void get_dynamic(const char *path)
{
	visit(&caller, &place, &dynamic_endpoint, dynamic_state, path);
}

static void begin(const struct endpoint *endpoint, void *state, const char *path)
{
	visit_init(&caller, &place, path);
	endpoint->handle(state, &caller.exchange);
}

static void begin_dynamic(const char *path)
{
	begin(&dynamic_endpoint, dynamic_state, path);
	visit_await_answer(&caller);
	assert_int_equal(visit_status(&caller), 200);
}

#define assert_body(expected) assert_true(text_equal(visit_body(&caller), text_literal(expected)))
#define assert_field(name, expected)                                                               \
	assert_true(text_equal(visit_field(&caller, name), text_literal(expected)))

/* --- what static and dynamic share -------------------------------------------------------- */

static void assert_is_a_txt(void)
{
	assert_int_equal(visit_status(&caller), 200);
	assert_int_equal(caller.exchange.response.length, 9);
	assert_int_equal(caller.outcome, BODY_LAST);
	assert_body("some text");
	assert_field("Content-Type", "text/plain; charset=utf-8");
	assert_int_equal(visit_field(&caller, "Last-Modified").length, 29);
}

static void test_file_is_answered_with_its_description(void **state)
{
	(void)state;
	get_static("/a.txt");
	assert_is_a_txt();
	get_dynamic("/a.txt");
	assert_is_a_txt();
}

static void assert_is_empty(void)
{
	assert_int_equal(visit_status(&caller), 200);
	assert_int_equal(caller.exchange.response.length, 0);
	assert_int_equal(caller.outcome, BODY_LAST);
	assert_int_equal(caller.piece_count, 1);
	assert_int_equal(caller.length, 0);
}

static void test_empty_file_is_one_empty_last_piece(void **state)
{
	(void)state;
	place_make_file(&place, "www/empty", text_literal(""));
	get_static("/empty");
	assert_is_empty();
	get_dynamic("/empty");
	assert_is_empty();
}

static void test_missing_file_is_answered_with_404(void **state)
{
	(void)state;
	get_static("/none");
	assert_int_equal(visit_status(&caller), 404);
	assert_body("404 Not Found\n");
	get_dynamic("/.a");
	assert_int_equal(visit_status(&caller), 404);
}

static void test_directory_is_redirected_to_its_slash_with_the_query(void **state)
{
	(void)state;
	place_make_directory(&place, "www/some dir");
	get_static("/some dir");
	assert_int_equal(visit_status(&caller), 301);
	assert_field("Location", "/some%20dir/");
	visit_init(&caller, &place, "/some dir");
	caller.exchange.request.target = text_literal("/some%20dir?a=b&c");
	dynamic_endpoint.handle(dynamic_state, &caller.exchange);
	visit_await_answer(&caller);
	assert_field("Location", "/some%20dir/?a=b&c");
}

static void test_redirect_that_is_too_long_is_414(void **state)
{
	char target[2000];

	(void)state;
	memset(target, '?', sizeof(target));
	place_make_directory(&place, "www/dir");
	visit_init(&caller, &place, "/dir");
	caller.exchange.request.target = (struct text){ target, sizeof(target) };
	static_endpoint.handle(static_state, &caller.exchange);
	visit_await_answer(&caller);
	assert_int_equal(visit_status(&caller), 414);
}

static void test_index_file_is_answered_with_its_own_type(void **state)
{
	(void)state;
	place_make_file(&place, "www/dir/index.html", text_literal("<p>"));
	get_static("/dir/");
	assert_int_equal(visit_status(&caller), 200);
	assert_field("Content-Type", "text/html; charset=utf-8");
}

static void test_etag_is_strong_and_changes_with_a_rewrite(void **state)
{
	char etag[64];

	(void)state;
	get_static("/a.txt");
	snprintf(etag, sizeof(etag), "%.*s", TEXT_ARGUMENTS(visit_field(&caller, "ETag")));
	assert_true(etag[0] == '"' && etag[strlen(etag) - 1] == '"');
	get_dynamic("/a.txt");
	assert_true(text_equal(visit_field(&caller, "ETag"), text_of(etag)));
	if (place_is_simulated(&place))
		simulated_advance(place.proactor, 1000);
	place_remove(&place, "www/a.txt");
	place_make_file(&place, "www/a.txt", text_literal("SOME TEXT"));
	get_static("/a.txt");
	assert_false(text_equal(visit_field(&caller, "ETag"), text_of(etag)));
}

/* §8.8.2.1 */
static void test_last_modified_is_never_after_date_when_the_clock_is_set_back(void **state)
{
	const struct text no_coding = { NULL, 0 };
	const struct stat stat = { .st_mtim = { .tv_sec = 784111777 } };
	const struct etag no_tag = { 0 };
	struct representation representation;

	(void)state;
	representation_init(
		&representation, text_literal("a.txt"), no_coding, &stat, &no_tag, 784111999);
	visit_init(&caller, &place, "/a.txt");
	representation_add_last_modified(&representation, &caller.exchange, 784111777);
	assert_field("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
	visit_init(&caller, &place, "/a.txt");
	representation_add_last_modified(&representation, &caller.exchange, 784111776);
	assert_field("Last-Modified", "Sun, 06 Nov 1994 08:49:36 GMT");
}

/* --- conditions (RFC 9110 §13) ------------------------------------------------------------ */

static void handle_and_pull(const struct endpoint *endpoint, void *state)
{
	endpoint->handle(state, &caller.exchange);
	visit_await_answer(&caller);
	visit_pull_all(&caller, SIZE_MAX);
}

/* GET with one field. */
static void get_with(const struct endpoint *endpoint, void *state, const char *path,
	const char *name, const char *value)
{
	visit_init(&caller, &place, path);
	visit_add_field(&caller, name, value);
	handle_and_pull(endpoint, state);
}

static void assert_304_carries_the_etag_alone(const struct endpoint *endpoint, void *state)
{
	char etag[64];

	visit(&caller, &place, endpoint, state, "/a.txt");
	snprintf(etag, sizeof(etag), "%.*s", TEXT_ARGUMENTS(visit_field(&caller, "ETag")));
	get_with(endpoint, state, "/a.txt", "If-None-Match", etag);
	assert_int_equal(visit_status(&caller), 304);
	assert_null(caller.exchange.response.body);
	assert_true(text_equal(visit_field(&caller, "ETag"), text_of(etag)));
	assert_int_equal(caller.exchange.response.field_count, 1);
}

/* §15.4.5 */
static void test_not_modified_carries_the_etag_and_no_body(void **state)
{
	(void)state;
	assert_304_carries_the_etag_alone(&static_endpoint, static_state);
	assert_304_carries_the_etag_alone(&dynamic_endpoint, dynamic_state);
}

static void test_failed_condition_is_412(void **state)
{
	(void)state;
	get_with(&static_endpoint, static_state, "/a.txt", "If-Match", "\"x\"");
	assert_int_equal(visit_status(&caller), 412);
	assert_body("412 Precondition Failed\n");
	get_with(&dynamic_endpoint, dynamic_state, "/a.txt", "If-Match", "\"x\"");
	assert_int_equal(visit_status(&caller), 412);
}

/* §13.2.1: a condition counts only where the answer would be 2xx. */
static void test_conditions_do_not_hide_what_is_missing(void **state)
{
	(void)state;
	place_make_directory(&place, "www/dir");
	get_with(&static_endpoint, static_state, "/none", "If-Match", "\"x\"");
	assert_int_equal(visit_status(&caller), 404);
	get_with(&static_endpoint, static_state, "/dir", "If-None-Match", "*");
	assert_int_equal(visit_status(&caller), 301);
}

static void test_many_answers_without_a_body_close_their_files(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		get_with(&static_endpoint, static_state, "/a.txt", "If-None-Match", "*");
		assert_int_equal(visit_status(&caller), 304);
	}
	while (proactor_active_count(place.proactor) > 0)
		place_turn(&place);
	assert_int_equal(place_open_count(&place), 1); /* the root */
}

/* --- ranges (RFC 9110 §14) ---------------------------------------------------------------- */

static void begin_range(
	const struct endpoint *endpoint, void *state, const char *path, const char *range)
{
	visit_init(&caller, &place, path);
	visit_add_field(&caller, "Range", range);
	endpoint->handle(state, &caller.exchange);
	visit_await_answer(&caller);
}

static void assert_range(const struct endpoint *endpoint, void *state, const char *range,
	const char *content_range, uint64_t offset, uint64_t length)
{
	for (size_t length_max = 997; length_max < SIZE_MAX / 8; length_max *= 9973) {
		begin_range(endpoint, state, "/file", range);
		caller.offset = offset;
		visit_pull_all(&caller, length_max);
		assert_int_equal(visit_status(&caller), 206);
		assert_true(
			text_equal(visit_field(&caller, "Content-Range"), text_of(content_range)));
		assert_field("Content-Type", "application/octet-stream");
		assert_field("Accept-Ranges", "bytes");
		assert_true(visit_field(&caller, "ETag").length > 0);
		assert_true(visit_field(&caller, "Last-Modified").length > 0);
		assert_int_equal(caller.exchange.response.length, length);
		assert_int_equal(caller.outcome, BODY_LAST);
		assert_int_equal(caller.length, length);
		assert_true(caller.patterned);
	}
}

static void assert_single_ranges(const struct endpoint *endpoint, void *state)
{
	assert_range(endpoint, state, "bytes=0-0", "bytes 0-0/300000", 0, 1);
	assert_range(endpoint, state, "bytes=1000-2999", "bytes 1000-2999/300000", 1000, 2000);
	assert_range(endpoint, state, "bytes=-1000", "bytes 299000-299999/300000", 299000, 1000);
	assert_range(endpoint, state, "bytes=5-", "bytes 5-299999/300000", 5, 299995);
	assert_range(endpoint, state, "bytes=0-", "bytes 0-299999/300000", 0, 300000);
	assert_range(endpoint, state, "bytes=10-20,15-29,999999-", "bytes 10-29/300000", 10, 20);
}

static void test_single_range_is_the_bytes_asked_for(void **state)
{
	(void)state;
	place_make_pattern(&place, "www/file", 300000);
	assert_single_ranges(&static_endpoint, static_state);
	assert_single_ranges(&dynamic_endpoint, dynamic_state);
}

/* The expected body, with BOUNDARY replaced. */
static struct text with_boundary(const char *pattern, struct text boundary)
{
	static char memory[sizeof(caller.kept)];
	struct buffer buffer;

	buffer_init(&buffer, memory, sizeof(memory));
	for (const char *next; (next = strchr(pattern, '@')); pattern = next + 1) {
		buffer_append(&buffer, (struct text){ pattern, (size_t)(next - pattern) });
		buffer_append(&buffer, boundary);
	}
	buffer_append_string(&buffer, pattern);
	return buffer_text(&buffer);
}

static void assert_parts(const struct endpoint *endpoint, void *state, size_t length_max)
{
	const struct text prefix = TEXT("multipart/byteranges; boundary=");
	struct text expected, type;

	begin_range(endpoint, state, "/a.txt", "bytes=-4, 0-1, 900-");
	caller.is_parted = true;
	visit_pull_all(&caller, length_max);
	assert_int_equal(visit_status(&caller), 206);
	type = visit_field(&caller, "Content-Type");
	assert_true(text_starts_with(type, prefix));
	expected = with_boundary("--@\r\nContent-Type: text/plain; charset=utf-8\r\n"
				 "Content-Range: bytes 5-8/9\r\n\r\ntext\r\n"
				 "--@\r\nContent-Type: text/plain; charset=utf-8\r\n"
				 "Content-Range: bytes 0-1/9\r\n\r\nso\r\n--@--\r\n",
		text_from(type, prefix.length));
	assert_int_equal(caller.outcome, BODY_LAST);
	assert_true(text_equal(visit_body(&caller), expected));
	assert_int_equal(caller.exchange.response.length, expected.length);
	assert_null(visit_field(&caller, "Content-Range").bytes);
}

/* §14.6, §15.3.7.2 */
static void test_several_ranges_are_parts_in_the_order_asked_for(void **state)
{
	static const size_t lengths[] = { SIZE_MAX, 100, 3, 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_parts(&static_endpoint, static_state, lengths[i]);
		assert_parts(&dynamic_endpoint, dynamic_state, lengths[i]);
	}
}

static void test_parts_of_static_files_are_extents(void **state)
{
	(void)state;
	place_make_pattern(&place, "www/file", (3 << 20) + 5);
	begin_range(&static_endpoint, static_state, "/file", "bytes=0-9,1000-1500000");
	caller.is_parted = true;
	visit_pull_all(&caller, 1 << 20);
	assert_int_equal(caller.extent_count, 3);
	assert_int_equal(caller.piece_count, 6); /* two heads and the end */
	assert_int_equal(caller.extent_length_max, 1 << 20);
	assert_int_equal(caller.length, caller.exchange.response.length);
}

static void test_range_beyond_the_end_is_416_with_the_length(void **state)
{
	(void)state;
	begin_range(&static_endpoint, static_state, "/a.txt", "bytes=9-");
	assert_int_equal(visit_status(&caller), 416);
	assert_field("Content-Range", "bytes */9");
	visit_pull_all(&caller, SIZE_MAX);
	assert_body("416 Range Not Satisfiable\n");
	begin_range(&dynamic_endpoint, dynamic_state, "/a.txt", "bytes=-0");
	assert_int_equal(visit_status(&caller), 416);
}

static void assert_whole_with(enum method method, const char *name, const char *value)
{
	visit_init(&caller, &place, "/a.txt");
	caller.exchange.request.method = method;
	visit_add_field(&caller, "Range", "bytes=0-1");
	if (name)
		visit_add_field(&caller, name, value);
	handle_and_pull(&static_endpoint, static_state);
	assert_int_equal(visit_status(&caller), 200);
	assert_int_equal(caller.exchange.response.length, 9);
	assert_field("Accept-Ranges", "bytes");
	assert_null(visit_field(&caller, "Content-Range").bytes);
}

static void test_range_is_ignored_where_it_does_not_count(void **state)
{
	(void)state;
	assert_whole_with(METHOD_HEAD, NULL, NULL);          /* §14.2 */
	assert_whole_with(METHOD_GET, "Range", "bytes=2-3"); /* twice */
	assert_whole_with(METHOD_GET, "If-Range", "\"x\"");  /* §13.1.5 */
}

/* §15.3.7: fields that such a client knows are not repeated. */
static void test_if_range_that_holds_is_answered_with_the_part_alone(void **state)
{
	char etag[64];

	(void)state;
	get_static("/a.txt");
	snprintf(etag, sizeof(etag), "%.*s", TEXT_ARGUMENTS(visit_field(&caller, "ETag")));
	visit_init(&caller, &place, "/a.txt");
	visit_add_field(&caller, "Range", "bytes=5-");
	visit_add_field(&caller, "If-Range", etag);
	caller.offset = 5;
	handle_and_pull(&static_endpoint, static_state);
	assert_int_equal(visit_status(&caller), 206);
	assert_body("text");
	assert_true(text_equal(visit_field(&caller, "ETag"), text_of(etag)));
	assert_null(visit_field(&caller, "Content-Type").bytes);
	assert_null(visit_field(&caller, "Last-Modified").bytes);
}

static void test_ranges_may_lie_beyond_4_gib(void **state)
{
	(void)state;
	place_truncate(&place, "www/a.txt", (UINT64_C(5) << 30) + 10);
	for (unsigned i = 0; i < 2; i++) {
		begin_range(i ? &dynamic_endpoint : &static_endpoint,
			i ? dynamic_state : static_state, "/a.txt", "bytes=5368709120-");
		caller.offset = UINT64_C(5) << 30;
		visit_pull_all(&caller, SIZE_MAX);
		assert_int_equal(caller.length, 10);
		assert_field("Content-Range", "bytes 5368709120-5368709129/5368709130");
	}
}

static void release_parts_after(const struct endpoint *endpoint, void *state, unsigned pieces)
{
	begin_range(endpoint, state, "/a.txt", "bytes=0-1,4-5");
	caller.is_parted = true;
	for (unsigned i = 0; i < pieces; i++)
		assert_int_equal(visit_pull(&caller, SIZE_MAX), BODY_PIECE);
	visit_release(&caller);
}

static void test_parts_may_be_released_at_any_time(void **state)
{
	(void)state;
	for (unsigned pieces = 0; pieces < 5; pieces++) {
		release_parts_after(&static_endpoint, static_state, pieces);
		release_parts_after(&dynamic_endpoint, dynamic_state, pieces);
	}
}

static void test_parts_of_a_file_that_shrinks_are_cut(void **state)
{
	(void)state;
	place_make_pattern(&place, "www/file", 1 << 20);
	begin_range(&dynamic_endpoint, dynamic_state, "/file", "bytes=0-9,900000-");
	caller.is_parted = true;
	place_truncate(&place, "www/file", 500);
	visit_pull_all(&caller, SIZE_MAX);
	assert_int_equal(caller.outcome, -ENODATA);
}

/* --- siblings (RFC 9110 §12.5.3) ---------------------------------------------------------- */

static struct section *negotiating_site;
static void *negotiating_state;

/* A file an hour younger than the one made before. */
static void make_younger(const char *path, struct text contents)
{
	static time_t seconds = 1000000000;
	const struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };

	seconds += 3600;
	if (place_is_simulated(&place))
		simulated_advance(place.proactor, UINT64_C(3600000000000));
	place_make_file(&place, path, contents);
	if (!place_is_simulated(&place))
		assert_int_equal(utimensat(AT_FDCWD, place_path(&place, path), times, 0), 0);
}

static int set_up_siblings(void **state)
{
	set_up(state);
	make_younger("www/a.txt", text_literal("some text"));
	make_younger("www/b.gz", text_literal("stale"));
	make_younger("www/b", text_literal("original"));
	make_younger("www/dir/index.html", text_literal("<p>"));
	place_make_directory(&place, "www/a.txt.br");
	make_younger("www/a.txt.gz", text_literal("gzipped"));
	make_younger("www/a.txt.zst", text_literal("zstandard"));
	make_younger("www/dir/index.html.gz", text_literal("index"));
	negotiating_site = section_new(NULL, NULL, static_endpoint.settings, NULL);
	negotiating_site->tables[1] = static_endpoint.shared_settings;
	add_value(negotiating_site, "root", place_path(&place, "www"));
	add_value(negotiating_site, "precompressed", "zst");
	assert_int_equal(
		setting_value_add_string(
			section_find_value(negotiating_site, "precompressed"), text_literal("br")),
		0);
	assert_int_equal(
		setting_value_add_string(
			section_find_value(negotiating_site, "precompressed"), text_literal("gz")),
		0);
	assert_int_equal(section_complete(negotiating_site), 0);
	assert_int_equal(
		static_endpoint.open(&negotiating_state, negotiating_site, place.proactor), 0);
	return 0;
}

static int tear_down_siblings(void **state)
{
	static_endpoint.close(negotiating_state);
	section_free(negotiating_site);
	return tear_down(state);
}

static void negotiate(const char *path, const char *accepted)
{
	get_with(&static_endpoint, negotiating_state, path, "Accept-Encoding", accepted);
	assert_field("Vary", "Accept-Encoding");
}

static void assert_coding(const char *coding)
{
	struct text told = visit_field(&caller, "Content-Encoding");

	assert_int_equal(visit_status(&caller), 200);
	assert_int_equal(told.length, strlen(coding));
	assert_true(text_equal(told, text_of(coding)));
}

static void test_sibling_is_sent_to_who_accepts_it(void **state)
{
	(void)state;
	negotiate("/a.txt", "gzip");
	assert_coding("gzip");
	assert_body("gzipped");
	assert_field("Content-Type", "text/plain; charset=utf-8");
	negotiate("/a.txt", "gzip, br, zstd");
	assert_coding("zstd");
	assert_body("zstandard");
	negotiate("/a.txt", "zstd;q=0.5, gzip;q=0.6");
	assert_coding("gzip");
	negotiate("/a.txt", "br"); /* is a directory */
	assert_coding("");
	assert_body("some text");
	negotiate("/a.txt", "gzip;q=0.5, identity");
	assert_coding("");
	negotiate("/a.txt", "*");
	assert_coding("zstd");
	negotiate("/dir/", "gzip");
	assert_coding("gzip");
	assert_field("Content-Type", "text/html; charset=utf-8");
}

static void test_without_accept_encoding_the_original_is_sent(void **state)
{
	(void)state;
	visit(&caller, &place, &static_endpoint, negotiating_state, "/a.txt");
	assert_coding("");
	assert_body("some text");
	assert_field("Vary", "Accept-Encoding");
}

static void test_sibling_older_than_its_original_is_not_sent(void **state)
{
	(void)state;
	negotiate("/b", "gzip");
	assert_coding("");
	assert_body("original");
}

static void test_nothing_acceptable_is_406(void **state)
{
	(void)state;
	negotiate("/b", "gzip, identity;q=0");
	assert_int_equal(visit_status(&caller), 406);
	negotiate("/a.txt", "gzip, *;q=0");
	assert_coding("gzip");
}

static void test_each_representation_has_a_tag_of_its_own(void **state)
{
	char etag[64];

	(void)state;
	make_younger("www/a.txt.gz", text_literal("as long!!"));
	negotiate("/a.txt", "gzip");
	snprintf(etag, sizeof(etag), "%.*s", TEXT_ARGUMENTS(visit_field(&caller, "ETag")));
	assert_true(strstr(etag, "-gzip\""));
	negotiate("/a.txt", "identity");
	assert_false(text_equal(visit_field(&caller, "ETag"), text_of(etag)));
	visit_init(&caller, &place, "/a.txt");
	visit_add_field(&caller, "Accept-Encoding", "gzip");
	visit_add_field(&caller, "If-None-Match", etag);
	handle_and_pull(&static_endpoint, negotiating_state);
	assert_int_equal(visit_status(&caller), 304);
	assert_field("Vary", "Accept-Encoding");
}

static void test_range_applies_to_the_representation_chosen(void **state)
{
	(void)state;
	visit_init(&caller, &place, "/a.txt");
	visit_add_field(&caller, "Accept-Encoding", "gzip");
	visit_add_field(&caller, "Range", "bytes=-4");
	caller.offset = 3;
	handle_and_pull(&static_endpoint, negotiating_state);
	assert_int_equal(visit_status(&caller), 206);
	assert_field("Content-Range", "bytes 3-6/7");
	assert_field("Content-Encoding", "gzip");
	assert_body("pped");
}

static void test_cancelled_negotiation_is_answered_once(void **state)
{
	(void)state;
	for (unsigned turns = 0; turns < 12; turns++) {
		visit_init(&caller, &place, "/a.txt");
		visit_add_field(&caller, "Accept-Encoding", "br, gzip");
		static_endpoint.handle(negotiating_state, &caller.exchange);
		for (unsigned i = 0; i < turns && caller.answer_count == 0; i++)
			assert_int_equal(proactor_turn(place.proactor, 0), 0);
		caller.exchange.cancelled = caller.answer_count == 0;
		if (caller.exchange.cancelled)
			static_endpoint.cancelled(negotiating_state, &caller.exchange);
		visit_await_answer(&caller);
		if (caller.exchange.response.body)
			visit_release(&caller);
	}
}

static void cancel_after(const struct endpoint *endpoint, void *state, unsigned turns)
{
	begin(endpoint, state, "/a.txt");
	for (unsigned i = 0; i < turns && caller.answer_count == 0; i++)
		assert_int_equal(proactor_turn(place.proactor, 0), 0);
	if (caller.answer_count == 0)
		endpoint->cancelled(state, &caller.exchange);
	visit_await_answer(&caller);
	if (caller.exchange.response.body)
		visit_release(&caller);
}

static void test_cancelled_request_is_answered_once(void **state)
{
	(void)state;
	for (unsigned turns = 0; turns < 6; turns++) {
		cancel_after(&static_endpoint, static_state, turns);
		cancel_after(&dynamic_endpoint, dynamic_state, turns);
	}
}

static void test_hundred_requests_at_once_are_all_answered(void **state)
{
	struct visit *visits = calloc(100, sizeof(*visits));

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		visit_init(&visits[i], &place, i % 3 ? "/a.txt" : "/none");
		if (i % 2)
			static_endpoint.handle(static_state, &visits[i].exchange);
		else
			dynamic_endpoint.handle(dynamic_state, &visits[i].exchange);
	}
	for (unsigned i = 0; i < 100; i++) {
		visit_await_answer(&visits[i]);
		assert_int_equal(visit_status(&visits[i]), i % 3 ? 200 : 404);
		visit_pull_all(&visits[i], 4);
	}
	free(visits);
}

/* --- static: extents ---------------------------------------------------------------------- */

static void test_static_file_is_extents_as_long_as_they_may_be(void **state)
{
	size_t length = (3 << 20) + 5;

	(void)state;
	place_make_pattern(&place, "www/big", length);
	get_static("/big");
	assert_int_equal(caller.length, length);
	assert_int_equal(caller.extent_count, 1);
	assert_int_equal(caller.piece_count, 1);
	begin(&static_endpoint, static_state, "/big");
	visit_await_answer(&caller);
	visit_pull_all(&caller, 4096);
	assert_true(caller.patterned);
	assert_int_equal(caller.length, length);
	assert_int_equal(caller.extent_length_max, 4096);
}

static void test_static_file_may_be_longer_than_4_gib(void **state)
{
	(void)state;
	place_truncate(&place, "www/a.txt", UINT64_C(5) << 30);
	get_static("/a.txt");
	assert_true(caller.exchange.response.length == INT64_C(5) << 30);
	assert_true(caller.length == UINT64_C(5) << 30);
	assert_int_equal(caller.extent_count, 1);
}

static void test_static_body_may_be_released_without_being_asked(void **state)
{
	(void)state;
	begin(&static_endpoint, static_state, "/a.txt");
	visit_await_answer(&caller);
	visit_release(&caller);
}

/* --- static: on a wire that cannot send files ----------------------------------------------- */

static void begin_in_memory(const char *path, const char *range)
{
	visit_init(&caller, &place, path);
	caller.sends_no_files = true;
	if (range)
		visit_add_field(&caller, "Range", range);
	static_endpoint.handle(static_state, &caller.exchange);
	visit_await_answer(&caller);
}

static void test_static_file_is_read_for_a_wire_that_cannot_send_files(void **state)
{
	static const struct {
		const char *range;
		unsigned status;
		uint64_t offset, length;
		bool is_parted;
	} rows[] = {
		{ NULL, 200, 0, (3 << 20) + 5, false },
		{ "bytes=100000-2000000", 206, 100000, 1900001, false },
		{ "bytes=0-99999,200000-399999", 206, 0, 300000, true },
	};

	(void)state;
	place_make_pattern(&place, "www/big", (3 << 20) + 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_in_memory("/big", rows[i].range);
		assert_int_equal(visit_status(&caller), rows[i].status);
		caller.offset = rows[i].offset;
		caller.is_parted = rows[i].is_parted;
		visit_pull_all(&caller, SIZE_MAX);
		assert_int_equal(caller.outcome, BODY_LAST);
		assert_int_equal(caller.extent_count, 0);
		assert_true(caller.patterned || caller.is_parted);
		assert_int_equal(caller.length, caller.exchange.response.length);
		assert_true(caller.length >= rows[i].length);
	}
}

/* --- dynamic: reading ahead --------------------------------------------------------------- */

static void assert_dynamic(const char *path, size_t length, size_t length_max)
{
	begin_dynamic(path);
	visit_pull_all(&caller, length_max);
	assert_int_equal(caller.outcome, BODY_LAST);
	assert_int_equal(caller.exchange.response.length, length);
	assert_int_equal(caller.length, length);
	assert_true(caller.patterned);
	assert_int_equal(caller.extent_count, 0);
}

static void test_dynamic_file_of_any_length_arrives_byte_for_byte(void **state)
{
	static const size_t lengths[] = { 1, 2, 65535, 65536, 65537, 131071, 131072, 131073, 262143,
		262144, 262145, 524288, 524289, (1 << 20) + 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		place_make_pattern(&place, "www/file", lengths[i]);
		assert_dynamic("/file", lengths[i], SIZE_MAX);
		assert_dynamic("/file", lengths[i], READER_BUFFER_LENGTH / 2);
		assert_dynamic("/file", lengths[i], 1000);
	}
}

static void turn_often(void)
{
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(proactor_turn(place.proactor, 1000000), 0);
}

static void test_reader_reads_ahead_and_no_further_than_its_buffer(void **state)
{
	uint64_t read;

	(void)state;
	place_make_pattern(&place, "www/file", 1 << 20);
	begin_dynamic("/file");
	read = metrics_sum(METRIC_READ_BYTES);
	turn_often();
	assert_int_equal(metrics_sum(METRIC_READ_BYTES) - read, 0); /* nobody asked yet */
	assert_int_equal(visit_pull(&caller, 1), BODY_PIECE);
	turn_often();
	if (seed == 0)
		assert_int_equal(metrics_sum(METRIC_READ_BYTES) - read, READER_BUFFER_LENGTH);
	assert_true(metrics_sum(METRIC_READ_BYTES) - read <= READER_BUFFER_LENGTH);
	visit_pull_all(&caller, SIZE_MAX);
	assert_true(caller.patterned);
	assert_int_equal(metrics_sum(METRIC_READ_BYTES) - read, 1 << 20);
}

static uint64_t count_reads(size_t length)
{
	uint64_t before = metrics_sum(METRIC_READS);

	place_make_pattern(&place, "www/file", length);
	assert_dynamic("/file", length, SIZE_MAX);
	return metrics_sum(METRIC_READS) - before;
}

/* No file of the simulated kernel is in memory, except by chance; on other backends it depends on
 * kernel and file system whether that is known. */
static bool is_in_memory(const char *path, uint64_t length)
{
	bool found = false;

	if (strcmp(backend, "simulated") != 0) {
		auto_fd file = open(place_path(&place, path), O_RDONLY);

		found = proactor_is_in_memory(place.proactor, file, 0, length);
	}
	return found;
}

static void test_what_is_in_memory_is_read_in_longer_pieces(void **state)
{
	bool halves;

	(void)state;
	place_make_pattern(&place, "www/file", READER_BUFFER_LENGTH);
	halves = !is_in_memory("www/file", READER_BUFFER_LENGTH);
	assert_int_equal(count_reads(READER_BUFFER_LENGTH / 2), 1);
	assert_int_equal(count_reads(READER_BUFFER_LENGTH), halves ? 2 : 1);
	assert_int_equal(count_reads(2 * READER_BUFFER_LENGTH), halves ? 4 : 2);
	assert_int_equal(count_reads(10 * READER_BUFFER_LENGTH + 1), halves ? 21 : 11);
}

static void test_dynamic_file_that_shrinks_is_cut_never_padded(void **state)
{
	(void)state;
	place_make_pattern(&place, "www/file", 1 << 20);
	begin_dynamic("/file");
	assert_int_equal(visit_pull(&caller, 1000), BODY_PIECE);
	turn_often(); /* no read is in flight: during one, the kernel may show zeros */
	place_truncate(&place, "www/file", 500);
	visit_pull_all(&caller, SIZE_MAX);
	assert_int_equal(caller.outcome, -ENODATA);
	assert_true(caller.patterned);
	assert_true(caller.length <= READER_BUFFER_LENGTH);
}

static void test_of_a_file_that_grows_the_announced_length_is_sent(void **state)
{
	(void)state;
	place_make_pattern(&place, "www/file", 100000);
	begin_dynamic("/file");
	place_truncate(&place, "www/file", 200000);
	visit_pull_all(&caller, SIZE_MAX);
	assert_int_equal(caller.outcome, BODY_LAST);
	assert_int_equal(caller.length, 100000);
	assert_true(caller.patterned);
}

static void ignore_ready(struct body_source *source)
{
	(void)source;
	fail_msg("ready() after release()");
}

static void release_after(unsigned pieces, unsigned turns)
{
	struct body_source *body;
	struct body_piece piece;

	begin_dynamic("/file");
	for (unsigned i = 0; i < pieces; i++)
		visit_pull(&caller, SIZE_MAX);
	body = caller.exchange.response.body;
	body->ready = ignore_ready;
	if (turns == 0)
		(void)body->produce(body, &piece, SIZE_MAX);
	for (unsigned i = 1; i < turns; i++)
		assert_int_equal(proactor_turn(place.proactor, 0), 0);
	visit_release(&caller);
}

static void test_reader_may_be_released_in_the_middle_of_a_read(void **state)
{
	(void)state;
	place_make_pattern(&place, "www/file", 8 * READER_BUFFER_LENGTH);
	for (unsigned pieces = 0; pieces < 6; pieces++) {
		for (unsigned turns = 0; turns < 4; turns++)
			release_after(pieces, turns);
	}
}

/* --- simulated: errors and 64 bits -------------------------------------------------------- */

static void test_read_error_cuts_the_body_after_what_was_read(void **state)
{
	(void)state;
	place_make_pattern(&place, "www/file", READER_BUFFER_LENGTH + 100000);
	begin_dynamic("/file");
	assert_int_equal(visit_pull(&caller, SIZE_MAX), BODY_PIECE);
	simulated_fail_next(place.proactor, OP_READ, -EIO);
	visit_pull_all(&caller, SIZE_MAX);
	assert_int_equal(caller.outcome, -EIO);
	assert_true(caller.patterned);
	assert_true(caller.length >= READER_BUFFER_LENGTH / 2);
}

static void test_dynamic_file_may_be_longer_than_4_gib(void **state)
{
	(void)state;
	place_truncate(&place, "www/a.txt", (UINT64_C(4) << 30) + 70000);
	get_dynamic("/a.txt");
	assert_int_equal(caller.outcome, BODY_LAST);
	assert_true(caller.length == (UINT64_C(4) << 30) + 70000);
}

/* --- ping and the registry ---------------------------------------------------------------- */

static void test_ping_is_pong(void **state)
{
	(void)state;
	visit(&caller, &place, &ping_endpoint, NULL, "/ping");
	assert_int_equal(visit_status(&caller), 200);
	assert_int_equal(caller.exchange.response.length, 4);
	assert_body("pong");
	assert_field("Content-Type", "text/plain");
	assert_false(ping_endpoint.sub_paths);
}

static void test_health_and_ready_are_200(void **state)
{
	(void)state;
	visit(&caller, &place, &health_endpoint, NULL, "/healthz");
	assert_int_equal(visit_status(&caller), 200);
	visit(&caller, &place, &ready_endpoint, NULL, "/readyz");
	assert_int_equal(visit_status(&caller), 200);
	assert_body("ready\n");
}

static void test_every_endpoint_is_found_by_its_name(void **state)
{
	size_t count = 0;

	(void)state;
	for (; endpoints[count]; count++) {
		const struct endpoint *endpoint = endpoints[count];

		assert_ptr_equal(endpoint_named(text_of(endpoint->name)), endpoint);
		assert_non_null(endpoint->handle);
		assert_non_null(endpoint->summary);
		assert_true(endpoint->methods != 0);
	}
	assert_true(count >= 4);
	assert_null(endpoint_named(text_literal("")));
	assert_null(endpoint_named(text_literal("stat")));
}

/* --- stats -------------------------------------------------------------------------------- */

static char document[1 << 16];

static int read_document(void **state)
{
	FILE *file = fopen(document_path, "r");

	(void)state;
	assert_non_null(file);
	document[fread(document, 1, sizeof(document) - 1, file)] = '\0';
	fclose(file);
	return 0;
}

static const char *get_stats_as(const char *query)
{
	visit_init(&caller, &place, "/stats");
	caller.exchange.request.query = text_of(query);
	stats_endpoint.handle(NULL, &caller.exchange);
	visit_await_answer(&caller);
	visit_pull_all(&caller, SIZE_MAX);
	assert_int_equal(caller.exchange.response.length, caller.length);
	assert_true(caller.kept_length < sizeof(caller.kept));
	caller.kept[caller.kept_length] = '\0';
	return caller.kept;
}

static const char *get_stats(void)
{
	const char *json = get_stats_as("format=json");

	assert_int_equal(visit_status(&caller), 200);
	return json;
}

/* The number behind `"key": `. */
static uint64_t number_of(const char *json, const char *key)
{
	char quoted[64];
	const char *found;

	snprintf(quoted, sizeof(quoted), "\"%s\": ", key);
	found = strstr(json, quoted);
	if (!found)
		fail_msg("/stats has no key %s", key);
	return strtoull(found + strlen(quoted), NULL, 10);
}

static void test_stats_tell_every_metric_summed_over_the_workers(void **state)
{
	static struct metrics pages[3];
	struct metrics *before = metrics;
	const char *json;

	(void)state;
	for (size_t page = 0; page < 3; page++) {
		for (size_t i = 0; i < METRICS_COUNT; i++)
			pages[page].values[i] = 1000000 * (i + 1);
		pages[page].restarts = page;
		pages[page].started_ns =
			(uint64_t)proactor_wall_ns(place.proactor) - UINT64_C(1500000000) * page;
	}
	metrics_attach(pages, 3, 1);
	json = get_stats();
	metrics_attach(before, 1, 0);
	for (size_t i = 0; i < METRICS_COUNT; i++) {
		uint64_t told = number_of(json, metric_descriptions[i].key);

		assert_int_equal(told / 1000000, 3 * (i + 1)); /* some are counting on */
	}
	assert_int_equal(number_of(json, "workers"), 2); /* a page each, one of a predecessor */
	assert_int_equal(number_of(json, "restarts"), 3);
	assert_int_equal(number_of(json, "uptime_seconds"), 3);
	assert_field("Content-Type", "application/json");
	assert_field("Cache-Control", "no-store");
}

/* Two workers; each answered 50 pings in a millisecond and a static file with 404 in a second. */
static void fill_endpoints(struct metrics *pages)
{
	struct metrics *before = metrics;

	for (size_t page = 0; page < 2; page++) {
		metrics_attach(pages, 2, page);
		for (unsigned i = 0; i < 50; i++)
			metrics_count_response(
				endpoint_number(&ping_endpoint), 200, UINT64_C(1000000));
		metrics_count_response(
			endpoint_number(&static_endpoint), 404, UINT64_C(1000000000));
	}
	metrics = before;
}

static void test_stats_tell_what_each_endpoint_answered(void **state)
{
	static struct metrics pages[2];
	struct metrics *before = metrics;
	const char *json;

	(void)state;
	fill_endpoints(pages);
	json = get_stats();
	metrics_attach(before, 1, 0);
	assert_non_null(strstr(json, "{\"name\": \"none\", \"requests\": 0, "
				     "\"responses\": [], \"latency_us\": {\"p50\": 0.000,"));
	assert_non_null(strstr(json, "{\"name\": \"ping\", \"requests\": 100, "
				     "\"responses\": [{\"status\": 200, \"count\": 100}], "
				     "\"latency_us\": {\"p50\": 1015.808, \"p90\": 1015.808"));
	assert_non_null(strstr(json, "{\"name\": \"static\", \"requests\": 2, "
				     "\"responses\": [{\"status\": 404, \"count\": 2}], "));
}

static void test_stats_are_for_people_by_default(void **state)
{
	const char *text = get_stats_as("");

	(void)state;
	assert_int_equal(visit_status(&caller), 200);
	assert_field("Content-Type", "text/plain; charset=utf-8");
	assert_field("Vary", "Accept");
	assert_non_null(strstr(text, "\nconnections    "));
	assert_non_null(strstr(text, "\nping  "));
	assert_string_equal(get_stats_as("format=text&x"), text);
}

static void test_stats_have_the_layout_of_nginx_for_exporters(void **state)
{
	uint64_t numbers[7];

	(void)state;
	assert_int_equal(sscanf(get_stats_as("format=nginx"),
				 "Active connections: %lu \nserver accepts handled requests\n "
				 "%lu %lu %lu \nReading: %lu Writing: %lu Waiting: %lu \n",
				 &numbers[0], &numbers[1], &numbers[2], &numbers[3], &numbers[4],
				 &numbers[5], &numbers[6]),
		7);
	assert_field("Content-Type", "text/plain; charset=utf-8");
}

static void test_stats_in_an_unknown_format_are_400(void **state)
{
	(void)state;
	get_stats_as("format=xml");
	assert_int_equal(visit_status(&caller), 400);
	assert_body("format is text, json or nginx\n");
}

static void test_stats_name_the_backend(void **state)
{
	char expected[64];

	(void)state;
	snprintf(expected, sizeof(expected), "\"backend\": \"%s\"", backend);
	assert_non_null(strstr(get_stats(), expected));
}

static void assert_is_documented(const char *key, size_t length)
{
	char row[128];

	snprintf(row, sizeof(row), "`%.*s`", (int)length, key);
	if (!strstr(document, row))
		fail_msg("docs/endpoints.md does not know the key %s of /stats", row);
}

static void test_every_key_of_stats_is_documented(void **state)
{
	unsigned key_count = 0;
	const char *json;

	(void)state;
	metrics_count_response(0, 200, 1); /* so that there is a status to tell */
	json = get_stats();
	for (const char *end = strstr(json, "\":"); end; end = strstr(end + 1, "\":")) {
		const char *start = end;

		while (start[-1] != '"')
			start--;
		assert_is_documented(start, (size_t)(end - start));
		key_count++;
	}
	assert_true(key_count > METRICS_COUNT);
}

static void test_every_metric_is_documented_with_its_meaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < METRICS_COUNT; i++) {
		char row[256];

		snprintf(row, sizeof(row), "| `%s` | %s |\n", metric_descriptions[i].key,
			metric_descriptions[i].help);
		if (!strstr(document, row))
			fail_msg("docs/endpoints.md has no row %s", row);
	}
}

static void test_every_documented_key_of_stats_is_told(void **state)
{
	const char *line = strstr(document, "\n## stats\n");
	const char *end, *json;

	(void)state;
	assert_non_null(line);
	metrics_count_response(0, 200, 1);
	json = get_stats();
	end = strstr(line + 1, "\n## ");
	while ((line = strstr(line, "\n| `")) && (!end || line < end)) {
		char key[64];

		line += strlen("\n| `");
		snprintf(key, sizeof(key), "\"%.*s\":", (int)strcspn(line, "`"), line);
		if (!strstr(json, key))
			fail_msg("/stats has no key %s", key);
	}
}

static void test_generated_answer_that_does_not_fit_is_500(void **state)
{
	struct generated_body *body = generated_take();

	(void)state;
	visit_init(&caller, &place, "/");
	for (unsigned i = 0; i <= GENERATED_LENGTH_MAX; i++)
		buffer_append_byte(&body->text, 'x');
	generated_answer(body, &caller.exchange, text_literal("text/plain"));
	assert_int_equal(visit_status(&caller), 500);
}

static void test_generated_answer_arrives_in_pieces_of_any_length(void **state)
{
	struct generated_body *body = generated_take();

	(void)state;
	visit_init(&caller, &place, "/");
	for (unsigned i = 0; i < GENERATED_LENGTH_MAX; i++)
		buffer_append_byte(&body->text, place_byte(i));
	generated_answer(body, &caller.exchange, text_literal("text/plain"));
	visit_pull_all(&caller, 1000);
	assert_int_equal(caller.length, GENERATED_LENGTH_MAX);
	assert_true(caller.patterned);
}

/* --- all of it ---------------------------------------------------------------------------- */

#define AT_PLACE(name)    cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define AT_SIBLINGS(name) cmocka_unit_test_setup_teardown(name, set_up_siblings, tear_down_siblings)

static const struct CMUnitTest everywhere[] = {
	AT_PLACE(test_file_is_answered_with_its_description),
	AT_PLACE(test_empty_file_is_one_empty_last_piece),
	AT_PLACE(test_missing_file_is_answered_with_404),
	AT_PLACE(test_directory_is_redirected_to_its_slash_with_the_query),
	AT_PLACE(test_redirect_that_is_too_long_is_414),
	AT_PLACE(test_index_file_is_answered_with_its_own_type),
	AT_PLACE(test_etag_is_strong_and_changes_with_a_rewrite),
	AT_PLACE(test_last_modified_is_never_after_date_when_the_clock_is_set_back),
	AT_PLACE(test_not_modified_carries_the_etag_and_no_body),
	AT_PLACE(test_failed_condition_is_412),
	AT_PLACE(test_conditions_do_not_hide_what_is_missing),
	AT_PLACE(test_many_answers_without_a_body_close_their_files),
	AT_PLACE(test_single_range_is_the_bytes_asked_for),
	AT_PLACE(test_several_ranges_are_parts_in_the_order_asked_for),
	AT_PLACE(test_parts_of_static_files_are_extents),
	AT_PLACE(test_range_beyond_the_end_is_416_with_the_length),
	AT_PLACE(test_range_is_ignored_where_it_does_not_count),
	AT_PLACE(test_if_range_that_holds_is_answered_with_the_part_alone),
	AT_PLACE(test_ranges_may_lie_beyond_4_gib),
	AT_PLACE(test_parts_may_be_released_at_any_time),
	AT_PLACE(test_parts_of_a_file_that_shrinks_are_cut),
	AT_SIBLINGS(test_sibling_is_sent_to_who_accepts_it),
	AT_SIBLINGS(test_without_accept_encoding_the_original_is_sent),
	AT_SIBLINGS(test_sibling_older_than_its_original_is_not_sent),
	AT_SIBLINGS(test_nothing_acceptable_is_406),
	AT_SIBLINGS(test_each_representation_has_a_tag_of_its_own),
	AT_SIBLINGS(test_range_applies_to_the_representation_chosen),
	AT_SIBLINGS(test_cancelled_negotiation_is_answered_once),
	AT_PLACE(test_cancelled_request_is_answered_once),
	AT_PLACE(test_hundred_requests_at_once_are_all_answered),
	AT_PLACE(test_static_file_is_extents_as_long_as_they_may_be),
	AT_PLACE(test_static_file_is_read_for_a_wire_that_cannot_send_files),
	AT_PLACE(test_static_file_may_be_longer_than_4_gib),
	AT_PLACE(test_static_body_may_be_released_without_being_asked),
	AT_PLACE(test_dynamic_file_of_any_length_arrives_byte_for_byte),
	AT_PLACE(test_what_is_in_memory_is_read_in_longer_pieces),
	AT_PLACE(test_reader_reads_ahead_and_no_further_than_its_buffer),
	AT_PLACE(test_dynamic_file_that_shrinks_is_cut_never_padded),
	AT_PLACE(test_of_a_file_that_grows_the_announced_length_is_sent),
	AT_PLACE(test_reader_may_be_released_in_the_middle_of_a_read),
	AT_PLACE(test_ping_is_pong),
	AT_PLACE(test_health_and_ready_are_200),
	AT_PLACE(test_every_endpoint_is_found_by_its_name),
	AT_PLACE(test_stats_tell_every_metric_summed_over_the_workers),
	AT_PLACE(test_stats_tell_what_each_endpoint_answered),
	AT_PLACE(test_stats_are_for_people_by_default),
	AT_PLACE(test_stats_have_the_layout_of_nginx_for_exporters),
	AT_PLACE(test_stats_in_an_unknown_format_are_400),
	AT_PLACE(test_stats_name_the_backend),
	AT_PLACE(test_every_key_of_stats_is_documented),
	AT_PLACE(test_every_metric_is_documented_with_its_meaning),
	AT_PLACE(test_every_documented_key_of_stats_is_told),
	AT_PLACE(test_generated_answer_that_does_not_fit_is_500),
	AT_PLACE(test_generated_answer_arrives_in_pieces_of_any_length),
};

static const struct CMUnitTest simulated_only[] = {
	AT_PLACE(test_read_error_cuts_the_body_after_what_was_read),
	AT_PLACE(test_dynamic_file_may_be_longer_than_4_gib),
};

/* Reads are cut short, ops end late and in any order. */
static const struct CMUnitTest by_chance[] = {
	AT_PLACE(test_single_range_is_the_bytes_asked_for),
	AT_PLACE(test_several_ranges_are_parts_in_the_order_asked_for),
	AT_PLACE(test_parts_may_be_released_at_any_time),
	AT_SIBLINGS(test_sibling_is_sent_to_who_accepts_it),
	AT_SIBLINGS(test_cancelled_negotiation_is_answered_once),
	AT_PLACE(test_file_is_answered_with_its_description),
	AT_PLACE(test_cancelled_request_is_answered_once),
	AT_PLACE(test_hundred_requests_at_once_are_all_answered),
	AT_PLACE(test_dynamic_file_of_any_length_arrives_byte_for_byte),
	AT_PLACE(test_reader_reads_ahead_and_no_further_than_its_buffer),
	AT_PLACE(test_dynamic_file_that_shrinks_is_cut_never_padded),
	AT_PLACE(test_reader_may_be_released_in_the_middle_of_a_read),
};

static int run_seeds(void)
{
	int failed_count = 0;

	for (seed = 1; seed <= 20 && failed_count == 0; seed++) {
		printf("seed %llu\n", (unsigned long long)seed);
		failed_count += cmocka_run_group_tests(by_chance, NULL, NULL);
	}
	return failed_count;
}

int main(int argument_count, char **arguments)
{
	int failed_count;

	if (argument_count != 3) {
		fprintf(stderr, "usage: test_endpoints BACKEND docs/endpoints.md\n");
		return 2;
	}
	backend = arguments[1];
	document_path = arguments[2];
	failed_count = cmocka_run_group_tests(everywhere, read_document, NULL);
	if (strcmp(backend, "simulated") == 0) {
		failed_count += cmocka_run_group_tests(simulated_only, NULL, NULL);
		failed_count += run_seeds();
	}
	return failed_count;
}
