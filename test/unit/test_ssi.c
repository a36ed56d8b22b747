/* filters/ssi.c: each directive and each error, through the dynamic endpoint without a wire, on
 * every backend. */
#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assert_text.h"
#include "base/log.h"
#include "base/metrics.h"
#include "endpoints/registry.h"
#include "visit.h"

#define ERROR_MESSAGE "[an error occurred while processing the directive]"

static const char *backend;
static uint64_t seed = 1; /* for the simulated backend: cuts, order, late cancels */
static struct place place;
static struct visit caller;
static struct section *location;
static void *dynamic;
static char logged[8192];

static void keep_line(void *context, struct text line)
{
	size_t length = strlen(logged);

	(void)context;
	snprintf(logged + length, sizeof(logged) - length, "%.*s", TEXT_ARGUMENTS(line));
}

static void add_value(const char *name, const char *string)
{
	struct setting_value *value =
		section_add_value(location, section_find_setting(location, name), 1);

	assert_non_null(value);
	assert_int_equal(setting_value_add_string(value, text_of(string)), 0);
}

static int set_up(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_WARNING);
	logged[0] = '\0';
	log_set_sink(keep_line, NULL);
	place_open(&place, backend, seed);
	place_make_file(&place, "www/b.html", text_literal("[b]"));
	place_make_file(&place, "outside.html", text_literal("outside"));
	location = section_new(NULL, NULL, dynamic_endpoint.settings, NULL);
	location->tables[1] = dynamic_endpoint.shared_settings;
	add_value("root", place_path(&place, "www"));
	add_value("filters", "ssi");
	assert_int_equal(section_complete(location), 0);
	assert_int_equal(dynamic_endpoint.open(&dynamic, location, place.proactor), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dynamic_endpoint.close(dynamic);
	section_free(location);
	place_close(&place);
	log_set_sink(NULL, NULL);
	return 0;
}

static void make(const char *path, const char *contents)
{
	place_make_file(&place, path, text_of(contents));
}

/* Like visit_init(), with what a wire would know in addition. */
static void begin(const char *path, const char *target, const char *query)
{
	visit_init(&caller, &place, path);
	caller.exchange.request.target = text_of(target);
	caller.exchange.request.query = text_of(query);
}

static void ask(void)
{
	dynamic_endpoint.handle(dynamic, &caller.exchange);
	visit_await_answer(&caller);
	/* The request is gone now. */
	memset(caller.path, 'x', sizeof(caller.path) - 1);
	memset(&caller.exchange.request, 0, sizeof(caller.exchange.request));
}

static struct text get(const char *path)
{
	begin(path, path, "");
	ask();
	visit_pull_all(&caller, SIZE_MAX);
	assert_int_equal(visit_status(&caller), 200);
	return visit_body(&caller);
}

/* What a page with this directive shows between its marks. */
static void assert_page(const char *page, const char *expected)
{
	make("www/page.html", page);
	assert_text(get("/page.html"), expected);
}

static void assert_error(const char *directive, const char *why)
{
	char page[4096];

	snprintf(page, sizeof(page), "\n(%s)", directive);
	logged[0] = '\0';
	assert_page(page, "\n(" ERROR_MESSAGE ")");
	if (!strstr(logged, "www/page.html:2: ") || !strstr(logged, why))
		fail_saying("\"%s\" has no \"%s\"\n", logged, why);
}

/* --- the answer --------------------------------------------------------------------------- */

static void test_page_has_neither_validators_nor_length(void **state)
{
	(void)state;
	assert_page("text", "text");
	assert_int_equal(caller.exchange.response.length, -1);
	assert_null(visit_field(&caller, "ETag").bytes);
	assert_null(visit_field(&caller, "Last-Modified").bytes);
	assert_null(visit_field(&caller, "Accept-Ranges").bytes);
	assert_text(visit_field(&caller, "Content-Type"), "text/html; charset=utf-8");
}

static void test_conditions_and_ranges_are_ignored(void **state)
{
	(void)state;
	make("www/page.html", "0123456789");
	begin("/page.html", "/page.html", "");
	visit_add_field(&caller, "If-None-Match", "*");
	visit_add_field(&caller, "Range", "bytes=0-1");
	ask();
	visit_pull_all(&caller, SIZE_MAX);
	assert_int_equal(visit_status(&caller), 200);
	assert_text(visit_body(&caller), "0123456789");
}

static void test_what_is_no_html_passes_as_it_is(void **state)
{
	(void)state;
	make("www/page.txt", "<!--#echo var=\"X\" -->");
	assert_text(get("/page.txt"), "<!--#echo var=\"X\" -->");
	assert_int_equal(caller.exchange.response.length, 21);
	assert_non_null(visit_field(&caller, "ETag").bytes);
	assert_text(visit_field(&caller, "Accept-Ranges"), "bytes");
}

static void test_empty_page_is_one_empty_last_piece(void **state)
{
	(void)state;
	assert_page("", "");
	assert_int_equal(caller.piece_count, 1);
}

static void test_page_that_ends_in_text_ends_with_it(void **state)
{
	(void)state;
	assert_page("some text", "some text");
	if (!place_is_simulated(&place)) /* which reads a few bytes at a time */
		assert_int_equal(caller.piece_count, 1);
}

static void test_pieces_fit_any_length(void **state)
{
	(void)state;
	make("www/page.html", "a<!-b<!--#echo var=\"X\" default=\"<>&'\" -->c<!--#include "
			      "file=\"b.html\" -->d<!--");
	for (size_t length_max = 1; length_max < 90; length_max++) {
		begin("/page.html", "/page.html", "");
		ask();
		visit_pull_all(&caller, length_max);
		assert_text(visit_body(&caller), "a<!-b&lt;&gt;&amp;&#39;c[b]d<!--");
	}
}

static void test_short_parts_are_gathered_and_long_ones_are_not(void **state)
{
	static char page[3 * 5000];
	struct buffer buffer;

	(void)state;
	assert_page("a<!--#echo var=\"X\" -->b<!--#echo var=\"X\" default=\"&\" -->c",
		"a(none)b&amp;c");
	assert_int_equal(caller.piece_count, 1);
	buffer_init(&buffer, page, sizeof(page));
	for (unsigned i = 0; i < 2; i++) {
		buffer_append_format(&buffer, "%05000d", 0);
		buffer_append_string(&buffer, "<!--#echo var=\"X\" -->-");
	}
	place_make_file(&place, "www/page.html", buffer_text(&buffer));
	assert_int_equal(get("/page.html").length, 2 * (5000 + 7));
	assert_int_equal(caller.piece_count, 4);
}

/* --- echo --------------------------------------------------------------------------------- */

static void test_request_is_told(void **state)
{
	(void)state;
	make("www/d/index.html",
		"<!--# echo var=\"REQUEST_URI\" --> <!--#echo var=\"query_string\"-->"
		" <!--#echo var=\"DOCUMENT_URI\" --> <!--#echo var=\"HTTP_X_Y\" -->");
	begin("/d/", "/%64/?a=b", "a=b");
	visit_add_field(&caller, "x-y", "z");
	visit_add_field(&caller, "X-Y", "second");
	ask();
	visit_pull_all(&caller, SIZE_MAX);
	assert_text(visit_body(&caller), "/%64/?a=b a=b /d/index.html z");
}

static void test_values_are_safe_in_html(void **state)
{
	(void)state;
	make("www/page.html", "<!--# echo var=\"QUERY_STRING\" -->");
	begin("/page.html", "/", "<script>alert('1\"&')</script>");
	ask();
	visit_pull_all(&caller, SIZE_MAX);
	assert_text(
		visit_body(&caller), "&lt;script&gt;alert(&#39;1&quot;&amp;&#39;)&lt;/script&gt;");
}

static void test_encodings_are_chosen(void **state)
{
	(void)state;
	assert_page("<!--#echo var=\"X\" default=\"<&\" encoding=\"none\" -->", "<&");
	assert_page("<!--#echo var=\"X\" default=\"<&\" encoding=\"url\" -->", "%3C%26");
	assert_page("<!--#echo var=\"X\" default=\"<&\" encoding=\"entity\" -->", "&lt;&amp;");
}

static void test_what_is_not_known_is_none_or_the_default(void **state)
{
	(void)state;
	assert_page("<!--#echo var=\"HTTP_NONE\" -->", "(none)");
	assert_page("<!--#echo var=\"REMOTE_ADDR\" default=\"nobody\" -->", "nobody");
	assert_page("(<!--#echo var=\"X\" default=\"\" -->)", "()");
	/* An empty query is a query. */
	assert_page("(<!--#echo var=\"QUERY_STRING\" default=\"x\" -->)", "()");
}

static void test_long_values_are_not_cut(void **state)
{
	static char query[10001];
	struct text body;

	(void)state;
	memset(query, '"', sizeof(query) - 1);
	make("www/page.html", "<!--#echo var=\"QUERY_STRING\" encoding=\"url\" -->");
	begin("/page.html", "/", query);
	ask();
	visit_pull_all(&caller, SIZE_MAX);
	body = visit_body(&caller);
	assert_int_equal(body.length, 30000);
	for (size_t i = 0; i < body.length; i += 3)
		assert_memory_equal(body.bytes + i, "%22", 3);
}

static void test_dates_follow_timefmt(void **state)
{
	struct text body;

	(void)state;
	assert_page("<!--#config timefmt=\"%Z%%\" --><!--#echo var=\"DATE_GMT\" -->", "GMT%");
	make("www/page.html", "<!--#echo var=\"DATE_GMT\" -->");
	body = get("/page.html");
	assert_text(text_from(body, body.length - 4), " GMT");
	make("www/page.html",
		"<!--#config timefmt=\"%s\" --><!--#echo var=\"DATE_LOCAL\" -->=<!--#echo "
		"var=\"DATE_GMT\" -->");
	body = get("/page.html");
	assert_true(text_equal(
		text_first(body, text_find(body, '=')), text_from(body, text_find(body, '=') + 1)));
}

/* --- config ------------------------------------------------------------------------------- */

static void test_message_of_errors_is_chosen(void **state)
{
	(void)state;
	assert_page("<!--#config errmsg=\"<i>no</i>\" --><!--#x -->", "<i>no</i>");
	assert_page("(<!--#config errmsg=\"\" --><!--#x -->)", "()");
}

static void test_config_is_of_its_document_alone(void **state)
{
	(void)state;
	make("www/inner.html", "<!--#x --><!--#config errmsg=\"inner\" --><!--#x -->");
	assert_page(
		"<!--#config errmsg=\"outer\" --><!--#include file=\"inner.html\" --><!--#x -->",
		ERROR_MESSAGE "innerouter");
}

/* --- files -------------------------------------------------------------------------------- */

static void test_files_are_included_by_path(void **state)
{
	(void)state;
	make("www/d/c d.html", "[c]");
	make("www/d/50%25.html", "[%]");
	make("www/d/page.html",
		"<!--#include virtual=\"/b.html\" --><!--#include virtual=\"../b.html\""
		" --><!--#include virtual=\"c%20d.html\" -->"
		"<!--#include file=\"c d.html\" --><!--#include file=\"../b.html\" -->"
		"<!--#include file=\"50%25.html\" -->");
	assert_text(get("/d/page.html"), "[b][b][c][c][b][%]");
}

static void test_included_files_include(void **state)
{
	(void)state;
	make("www/d/inner.html",
		"<<!--#include file=\"deep.txt\" -->><!--#echo var=\"DOCUMENT_URI\" -->");
	make("www/d/deep.txt", "deep <!--#include virtual=\"/b.html\" -->");
	assert_page("1<!--#include virtual=\"/d/inner.html\" -->2", "1<deep [b]>/page.html2");
}

static void test_empty_files_are_included(void **state)
{
	(void)state;
	make("www/empty.html", "");
	assert_page("(<!--#include file=\"empty.html\" -->)", "()");
	assert_page("<!--#include file=\"empty.html\" -->", "");
}

static void test_sizes_and_times_are_told(void **state)
{
	(void)state;
	make("www/big.txt", "");
	place_truncate(&place, "www/big.txt", 1536);
	assert_page("<!--#fsize file=\"big.txt\" --> <!--#config sizefmt=\"abbrev\" -->"
		    "<!--#fsize virtual=\"/big.txt\" --> <!--#config sizefmt=\"bytes\" -->"
		    "<!--#fsize file=\"b.html\" -->",
		"1536 1.5K 3");
	assert_page("<!--#config timefmt=\"T\" --><!--#flastmod file=\"b.html\" -->", "T");
}

static void test_links_lead_nowhere_outside(void **state)
{
	(void)state;
	place_make_symlink(&place, "www/out.html", "../outside.html");
	place_make_symlink(&place, "www/in.html", "b.html");
	assert_error("<!--#include file=\"out.html\" -->", "/out.html: 404");
	assert_error("<!--#fsize file=\"out.html\" -->", "/out.html: 404");
	assert_page("<!--#include file=\"in.html\" -->", "[b]");
}

static void test_no_path_leads_outside(void **state)
{
	static const char *const paths[] = { "../outside.html", "/../outside.html",
		"%2e%2e/outside.html", "d/../../outside.html", "/..%2foutside.html",
		"../../../../../../etc/passwd", "/etc/passwd", ".hidden", "//outside.html" };
	char directive[128];

	(void)state;
	make("www/.hidden", "hidden");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		snprintf(directive, sizeof(directive), "<!--#include virtual=\"%s\" -->", paths[i]);
		assert_error(directive, "ssi: ");
		if (paths[i][0] == '/')
			continue;
		snprintf(directive, sizeof(directive), "<!--#include file=\"%s\" -->", paths[i]);
		assert_error(directive, "ssi: ");
	}
}

/* --- errors ------------------------------------------------------------------------------- */

static void test_errors_are_shown_logged_and_counted(void **state)
{
	uint64_t errors = metrics_sum(METRIC_SSI_ERRORS);
	uint64_t directives = metrics_sum(METRIC_SSI_DIRECTIVES);

	(void)state;
	assert_error("<!--#exec cmd=\"ls\" -->", "unknown command \"exec\"");
	assert_error("<!--#echo vra=\"X\" -->", "echo: unknown parameter \"vra\"");
	assert_error("<!--#echo default=\"X\" -->", "echo: no var");
	assert_error("<!--#echo -->", "echo: no parameter");
	assert_error("<!--#echo var=\"X\" encoding=\"base64\" -->", "unknown encoding \"base64\"");
	assert_error("<!--#echo var=X -->", "a value without quotes");
	assert_error("<!--#config sizefmt=\"x\" -->", "sizefmt is neither");
	assert_error("<!--#config timefmt=\"\" --><!--#echo var=\"DATE_GMT\" -->", "timefmt makes");
	assert_error("<!--#include file=\"a\" virtual=\"b\" -->", "more than one file");
	assert_error("<!--#include file=\"/b.html\" -->", "an absolute path");
	assert_error("<!--#include virtual=\"/b.html\" wait=\"x\" -->", "wait is neither");
	assert_error("<!--#include virtual=\"/%\" -->", "not a path");
	assert_error("<!--#include virtual=\"/none.html\" -->", "/none.html: 404");
	assert_error("<!--#include virtual=\"/\" -->", "/: 403");
	assert_error("<!--#flastmod virtual=\"/none.html\" -->", "/none.html: 404");
	assert_int_equal(metrics_sum(METRIC_SSI_ERRORS) - errors, 15);
	assert_int_equal(metrics_sum(METRIC_SSI_DIRECTIVES) - directives, 16);
}

static void test_long_words_of_config_are_refused(void **state)
{
	char directive[512];

	(void)state;
	snprintf(directive, sizeof(directive), "<!--#config errmsg=\"%0256d\" -->", 0);
	assert_error(directive, "more than 255 bytes");
	snprintf(directive, sizeof(directive), "<!--#config timefmt=\"%0256d\" -->", 0);
	assert_error(directive, "more than 255 bytes");
}

static void test_long_directive_is_refused(void **state)
{
	char directive[3000];

	(void)state;
	snprintf(directive, sizeof(directive), "<!--#echo var=\"%02500d\" -->", 0);
	assert_error(directive, "longer than 2048 bytes");
}

static void test_directive_that_does_not_end_is_an_error(void **state)
{
	(void)state;
	make("www/page.html", "a\n<!--#echo var=\"X");
	assert_text(get("/page.html"), "a\n" ERROR_MESSAGE);
	assert_non_null(strstr(logged, "www/page.html:2: a directive that does not end"));
}

static void test_loops_are_refused(void **state)
{
	(void)state;
	assert_error("<!--#include file=\"page.html\" -->", "/page.html: includes itself");
	make("www/one.html", "1<!--#include file=\"two.html\" -->");
	make("www/two.html", "2<!--#include file=\"one.html\" -->");
	assert_text(get("/one.html"), "12" ERROR_MESSAGE);
	assert_non_null(strstr(logged, "www/two.html:1: /one.html: includes itself"));
	/* The same file twice in sequence is no loop. */
	assert_page("<!--#include file=\"b.html\" --><!--#include file=\"b.html\" -->", "[b][b]");
}

static void test_no_link_hides_a_loop(void **state)
{
	(void)state;
	place_make_symlink(&place, "www/link.html", "page.html");
	assert_error("<!--#include file=\"link.html\" -->", "/link.html: includes itself");
}

static void test_depth_is_bounded(void **state)
{
	char path[32], contents[64];

	(void)state;
	for (unsigned i = 1; i <= 9; i++) {
		snprintf(path, sizeof(path), "www/%u.html", i);
		snprintf(contents, sizeof(contents), "%u<!--#include file=\"%u.html\" -->", i,
			i + 1);
		make(path, contents);
	}
	assert_text(get("/1.html"), "12345678" ERROR_MESSAGE);
	assert_non_null(strstr(logged, "www/8.html:1: include: more than 8 files"));
	make("www/8.html", "8");
	assert_text(get("/1.html"), "12345678");
}

static void test_includes_are_bounded(void **state)
{
	static char contents[1002 * 32];
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, contents, sizeof(contents));
	for (unsigned i = 0; i < 1001; i++)
		buffer_append_string(&buffer, "<!--#include file=\"b.html\"-->");
	place_make_file(&place, "www/page.html", buffer_text(&buffer));
	assert_int_equal(get("/page.html").length, 3000 + strlen(ERROR_MESSAGE));
	assert_non_null(strstr(logged, "more than 1000 in one answer"));
}

/* A file that became shorter between lookup and read. */
static void test_outermost_file_that_shrinks_cuts_the_answer(void **state)
{
	(void)state;
	make("www/page.html", "0123456789");
	begin("/page.html", "/", "");
	ask();
	place_truncate(&place, "www/page.html", 0);
	assert_int_equal(visit_pull(&caller, SIZE_MAX), -ENODATA);
	visit_release(&caller);
}

/* --- leaving ------------------------------------------------------------------------------ */

/* Releases the body after `count` pieces, whatever it is doing; returns whether it was waiting. */
static bool leave_after(unsigned count)
{
	struct body_source *body;
	struct body_piece piece;
	int outcome;

	begin("/page.html", "/", "");
	ask();
	body = caller.exchange.response.body;
	do
		outcome = visit_pull(&caller, 1);
	while (outcome == BODY_PIECE && count-- > 0);
	if (outcome == BODY_PIECE)
		outcome = body->produce(body, &piece, 1);
	body->release(body);
	while (proactor_active_count(place.proactor) > 0)
		place_turn(&place);
	return outcome == BODY_LATER;
}

static void test_leaving_at_any_time_leaves_nothing_behind(void **state)
{
	size_t open_count = place_open_count(&place);
	unsigned waiting_count = 0;

	(void)state;
	make("www/inner.html", "x<!--#include file=\"b.html\" -->y");
	make("www/page.html",
		"abc<!--#include file=\"inner.html\" --><!--#fsize file=\"b.html\" -->"
		"<!--#include file=\"page.html\" --><!--#include file=\"none\" -->z");
	for (unsigned count = 0; count < 120; count++)
		waiting_count += leave_after(count);
	assert_true(waiting_count >= 5);
	assert_int_equal(place_open_count(&place), open_count);
}

int main(int argument_count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_page_has_neither_validators_nor_length, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_conditions_and_ranges_are_ignored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_no_html_passes_as_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_empty_page_is_one_empty_last_piece, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_page_that_ends_in_text_ends_with_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pieces_fit_any_length, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_request_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_values_are_safe_in_html, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_encodings_are_chosen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_not_known_is_none_or_the_default, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_values_are_not_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dates_follow_timefmt, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_message_of_errors_is_chosen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_config_is_of_its_document_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_files_are_included_by_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_included_files_include, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_empty_files_are_included, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sizes_and_times_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_path_leads_outside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_errors_are_shown_logged_and_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_long_words_of_config_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_directive_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_directive_that_does_not_end_is_an_error, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_loops_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_link_hides_a_loop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_depth_is_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_includes_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_outermost_file_that_shrinks_cuts_the_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_leaving_at_any_time_leaves_nothing_behind, set_up, tear_down),
	};
	/* The simulated kernel reads a few bytes at a time and resolves no absolute link. */
	const struct CMUnitTest tests_of_a_real_kernel[] = {
		cmocka_unit_test_setup_teardown(
			test_short_parts_are_gathered_and_long_ones_are_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links_lead_nowhere_outside, set_up, tear_down),
	};
	int failed_count;

	assert(argument_count >= 2);
	backend = arguments[1];
	failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	if (strcmp(backend, "simulated") != 0)
		failed_count += cmocka_run_group_tests(tests_of_a_real_kernel, NULL, NULL);
	while (strcmp(backend, "simulated") == 0 && failed_count == 0 && ++seed <= 20) {
		printf("seed %llu\n", (unsigned long long)seed);
		failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	}
	return failed_count;
}
