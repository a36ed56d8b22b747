/* http/compression.h: which answers are compressed, and which fields they get. */
#include "assert_text.h"

#include <stdlib.h>

#include "base/metrics.h"
#include "http/compression.h"

static const struct setting TABLE[] = {
	{ .name = "compress_types",
		.type = SETTING_STRINGS,
		.fallback = "{\"text/*\", \"application/json\"}" },
	{ .name = "compress_min_bytes", .type = SETTING_SIZE, .fallback = "100" },
	{ .name = "compress_level", .type = SETTING_NUMBER, .fallback = "7" },
	{ 0 },
};

static struct exchange *exchange;
static struct section *section;
static struct compression *compression;
static struct body_source inner, outer;
static unsigned level_seen;
static bool has_room;

static struct body_source *open_coder(
	struct body_source *source, struct proactor *proactor, unsigned level)
{
	(void)proactor;
	assert_ptr_equal(source, &inner);
	level_seen = level;
	return has_room ? &outer : NULL;
}

static const struct body_coder CODER = { .name = TEXT("gzip"), .open = open_coder };

static void note_answered(struct exchange *answered)
{
	(void)answered;
}

static const struct exchange_wire WIRE = { .answered = note_answered };

static int set_up(void **state)
{
	(void)state;
	section = section_new(NULL, NULL, TABLE, NULL);
	exchange = malloc(sizeof(*exchange));
	if (!section || !exchange || section_complete(section) < 0)
		return -1;
	return compression_new(&compression, section, &CODER);
}

static int tear_down(void **state)
{
	(void)state;
	compression_free(compression);
	section_free(section);
	free(exchange);
	return 0;
}

static void add(const char *name, const char *value)
{
	exchange_add_field(exchange, text_of(name), text_of(value));
}

/* A request with this Accept-Encoding (NULL: none). */
static void begin(const char *accepted)
{
	struct request *request = &exchange->request;

	exchange_init(exchange, &WIRE, NULL);
	exchange->compression = compression;
	has_room = true;
	request->method = METHOD_GET;
	if (accepted)
		request->fields[request->field_count++] =
			(struct field){ text_literal("Accept-Encoding"), text_of(accepted) };
}

static struct text value_of(const char *name)
{
	const struct response *response = &exchange->response;
	struct text value = { NULL, 0 };

	for (unsigned i = 0; i < response->field_count; i++) {
		if (!text_equal_ignoring_case(response->fields[i].name, text_of(name)))
			continue;
		assert_null(value.bytes);
		value = response->fields[i].value;
	}
	return value;
}

static void answer(unsigned status, int64_t length)
{
	exchange_answer(exchange, status, &inner, length);
}

static void assert_compressed(void)
{
	assert_ptr_equal(exchange->response.body, &outer);
	assert_true(exchange->response.length == -1);
	assert_text(value_of("Content-Encoding"), "gzip");
	assert_text(value_of("Vary"), "Accept-Encoding");
}

static void assert_as_it_was(int64_t length)
{
	assert_ptr_equal(exchange->response.body, &inner);
	assert_true(exchange->response.length == length);
	assert_null(value_of("Content-Encoding").bytes);
}

static void answer_text(const char *accepted)
{
	begin(accepted);
	add("Content-Type", "text/plain; charset=utf-8");
	answer(200, 100);
}

static void test_the_fields_tell_what_was_done(void **state)
{
	(void)state;
	begin("gzip");
	add("Content-Type", "text/plain");
	add("Accept-Ranges", "bytes");
	add("ETag", "\"a\"");
	answer(200, 100);
	assert_compressed();
	assert_null(value_of("Accept-Ranges").bytes);
	assert_text(value_of("ETag"), "W/\"a\"");
	assert_int_equal(level_seen, 7);
}

/* RFC 9110 §5.3 */
static void test_fields_keep_their_order(void **state)
{
	(void)state;
	begin("gzip");
	add("Accept-Ranges", "bytes");
	add("Content-Type", "text/plain");
	add("Link", "</a>");
	add("Link", "</b>");
	answer(200, 100);
	assert_compressed();
	assert_text(exchange->response.fields[1].value, "</a>");
	assert_text(exchange->response.fields[2].value, "</b>");
}

/* RFC 9110 §12.5.3 */
static void test_the_client_chooses_by_weight(void **state)
{
	static const char *const yes[] = { "gzip", "x-gzip", "GZIP", "br, gzip;q=0.1", "*",
		"identity;q=0, gzip;q=0.001", "gzip;q=0.5, identity;q=0.5", "deflate, *;q=0.3" };
	static const char *const no[] = { NULL, "", "br", "identity", "gzip;q=0", "gzip;q=0, *",
		"gzip;q=0.5, identity", "identity;q=0", "gzip;q=x", "gzipped" };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		answer_text(yes[i]);
		assert_compressed();
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		answer_text(no[i]);
		assert_as_it_was(100);
		assert_text(value_of("Vary"), "Accept-Encoding");
	}
}

static void test_types_are_those_that_are_listed(void **state)
{
	static const char *const yes[] = { "text/css", "TEXT/HTML;charset=x", "application/json",
		"Application/JSON ; a=b" };
	static const char *const no[] = { "image/png", "application/jsonp", "application/jso",
		"textual/x", "text", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		begin("gzip");
		add("Content-Type", yes[i]);
		answer(200, -1);
		assert_compressed();
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		begin("gzip");
		add("Content-Type", no[i]);
		answer(200, 1000);
		assert_as_it_was(1000);
		assert_null(value_of("Vary").bytes);
	}
	begin("gzip");
	answer(200, 1000);
	assert_as_it_was(1000);
}

static void test_short_bodies_stay_as_they_are(void **state)
{
	(void)state;
	begin("gzip");
	add("Content-Type", "text/plain");
	answer(200, 99);
	assert_as_it_was(99);
	assert_null(value_of("Vary").bytes);
}

static void test_bodies_of_the_response_itself_stay_as_they_are(void **state)
{
	(void)state;
	begin("gzip");
	exchange_answer_bytes(exchange, 200, text_literal("text/plain"),
		exchange_copy(exchange,
			text_literal("a body of more than a hundred bytes, which stand in the "
				     "response's own memory and would be gone with the "
				     "exchange, while a thread still read them")));
	assert_ptr_equal(exchange->response.body, &exchange->response.from_memory.source);
	assert_true(exchange->response.length > 100);
	assert_null(value_of("Vary").bytes);
}

static void test_errors_are_compressed_other_statuses_are_not(void **state)
{
	static const unsigned yes[] = { 200, 403, 404, 500, 503 };
	static const unsigned no[] = { 201, 301, 308 };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		begin("gzip");
		add("Content-Type", "text/html");
		answer(yes[i], 100);
		assert_compressed();
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		begin("gzip");
		add("Content-Type", "text/html");
		answer(no[i], 100);
		assert_as_it_was(100);
	}
}

static void test_what_is_coded_or_must_not_change_stays_as_it_is(void **state)
{
	static const struct {
		const char *name, *value;
	} fields[] = {
		{ "Content-Encoding", "br" },
		{ "Cache-Control", "no-transform" },
		{ "cache-control", "max-age=5, No-Transform" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		begin("gzip");
		add("Content-Type", "text/plain");
		add(fields[i].name, fields[i].value);
		answer(200, 100);
		assert_ptr_equal(exchange->response.body, &inner);
		assert_null(value_of("Vary").bytes);
	}
	begin("gzip");
	add("Content-Type", "text/plain");
	add("Cache-Control", "private");
	answer(200, 100);
	assert_compressed();
}

/* RFC 9110 §12.5.5 */
static void test_vary_is_said_once(void **state)
{
	static const char *const enough[] = { "Accept-Encoding", "*", "Origin, accept-encoding" };

	(void)state;
	for (size_t i = 0; i < sizeof(enough) / sizeof(enough[0]); i++) {
		begin("gzip");
		add("Content-Type", "text/plain");
		add("Vary", enough[i]);
		answer(200, 100);
		assert_text(value_of("Vary"), enough[i]);
	}
	begin("gzip");
	add("Content-Type", "text/plain");
	add("Vary", "Origin");
	answer(200, 100);
	assert_int_equal(exchange->response.field_count, 4);
	assert_text(exchange->response.fields[1].value, "Origin");
	assert_text(exchange->response.fields[2].name, "Vary");
	assert_text(exchange->response.fields[2].value, "Accept-Encoding");
}

static void test_parts_stay_as_they_are_and_vary(void **state)
{
	(void)state;
	begin("gzip");
	add("ETag", "\"a\"");
	exchange_describe_whole(exchange, text_literal("text/plain"), 1000);
	answer(206, 10);
	assert_as_it_was(10);
	assert_text(value_of("Vary"), "Accept-Encoding");
	assert_text(value_of("ETag"), "\"a\"");
	begin("gzip");
	exchange_describe_whole(exchange, text_literal("text/plain"), 99);
	answer(206, 10);
	assert_null(value_of("Vary").bytes);
}

static void answer_not_modified(const char *accepted, const char *type)
{
	begin(accepted);
	add("ETag", "\"a\"");
	exchange_describe_whole(exchange, text_of(type), 100);
	exchange_answer(exchange, 304, NULL, 0);
	assert_null(value_of("Content-Encoding").bytes);
}

/* RFC 9110 §15.4.5, RFC 9111 §4.3.4: a cache finds its copy by the tag. */
static void test_not_modified_says_what_its_200_would_have_said(void **state)
{
	(void)state;
	answer_not_modified("gzip", "text/plain");
	assert_text(value_of("ETag"), "W/\"a\"");
	assert_text(value_of("Vary"), "Accept-Encoding");
	answer_not_modified("br", "text/plain");
	assert_text(value_of("ETag"), "\"a\"");
	assert_text(value_of("Vary"), "Accept-Encoding");
	answer_not_modified("gzip", "image/png");
	assert_text(value_of("ETag"), "\"a\"");
	assert_null(value_of("Vary").bytes);
}

static void test_tags_are_made_weak_once_or_left_out(void **state)
{
	static char tag[RESPONSE_MEMORY_SIZE * 2 / 3];

	(void)state;
	begin("gzip");
	add("Content-Type", "text/plain");
	add("ETag", "W/\"a\"");
	answer(200, 100);
	assert_text(value_of("ETag"), "W/\"a\"");

	memset(tag, 'x', sizeof(tag) - 1);
	tag[0] = tag[sizeof(tag) - 2] = '"';
	begin("gzip");
	add("Content-Type", "text/plain");
	add("ETag", tag);
	answer(200, 100);
	assert_compressed();
	assert_null(value_of("ETag").bytes);
}

static void test_without_room_the_answer_goes_out_as_it_is(void **state)
{
	uint64_t before = metrics_sum(METRIC_COMPRESSIONS_SKIPPED);

	(void)state;
	begin("gzip");
	has_room = false;
	add("Content-Type", "text/plain");
	add("ETag", "\"a\"");
	answer(200, 100);
	assert_as_it_was(100);
	assert_text(value_of("Vary"), "Accept-Encoding");
	assert_text(value_of("ETag"), "\"a\"");
	assert_int_equal(metrics_sum(METRIC_COMPRESSIONS_SKIPPED), before + 1);
}

static void test_an_answer_full_of_fields_has_room_for_two_more(void **state)
{
	(void)state;
	begin("gzip");
	add("Content-Type", "text/plain");
	for (unsigned i = 1; i < RESPONSE_FIELDS_MAX; i++)
		add("X-Field", "x");
	for (unsigned i = 0; i < LOCATION_FIELDS_MAX; i++)
		exchange->response.fields[exchange->response.field_count++] =
			(struct field){ text_literal("X-Added"), text_literal("x") };
	answer(200, 100);
	assert_compressed();
}

static void test_media_types_are_checked(void **state)
{
	static const char *const right[] = { "text/html", "text/*", "image/svg+xml" };
	static const char *const wrong[] = { "", "text", "text/", "/html", "*/*", "*", "text/html ",
		"text/html; charset=utf-8", "text/ht*", "text/html/x" };
	size_t index;

	(void)state;
	assert_null(compression_check_types(right, 3, &index));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_non_null(compression_check_types(&wrong[i], 1, &index));
		assert_int_equal(index, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_fields_tell_what_was_done),
		cmocka_unit_test(test_fields_keep_their_order),
		cmocka_unit_test(test_the_client_chooses_by_weight),
		cmocka_unit_test(test_types_are_those_that_are_listed),
		cmocka_unit_test(test_short_bodies_stay_as_they_are),
		cmocka_unit_test(test_bodies_of_the_response_itself_stay_as_they_are),
		cmocka_unit_test(test_errors_are_compressed_other_statuses_are_not),
		cmocka_unit_test(test_what_is_coded_or_must_not_change_stays_as_it_is),
		cmocka_unit_test(test_vary_is_said_once),
		cmocka_unit_test(test_parts_stay_as_they_are_and_vary),
		cmocka_unit_test(test_not_modified_says_what_its_200_would_have_said),
		cmocka_unit_test(test_tags_are_made_weak_once_or_left_out),
		cmocka_unit_test(test_without_room_the_answer_goes_out_as_it_is),
		cmocka_unit_test(test_an_answer_full_of_fields_has_room_for_two_more),
		cmocka_unit_test(test_media_types_are_checked),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
