/* files/cache.h and files/watch.h, through the static endpoint: what the cache keeps, for how long,
 * and within which limits. On every backend; inotify's part on the real ones. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "endpoints/registry.h"
#include "files/cache.h"
#include "simulated/simulated.h"
#include "visit.h"

/* After base/log.h: it has a macro `fail`. */
#include <cmocka.h>

static const char *backend;
static uint64_t seed;
static struct place place;
static struct visit caller;
static struct section *site;
static void *location;

static struct cache_limits limits;

static void add_root(const char *name)
{
	const char *path = place_path(&place, name);
	struct setting_value *value =
		section_add_value(site, section_find_setting(site, "root"), 1);

	assert_non_null(value);
	assert_int_equal(setting_value_add_string(value, text_of(path)), 0);
	assert_int_equal(section_complete(site), 0);
}

static void open_location(void)
{
	cache_limit(&limits);
	assert_int_equal(static_endpoint.open(&location, site, place.proactor), 0);
}

static void close_location(void)
{
	static_endpoint.close(location);
}

/* inotify does not see the files of the simulated backend. */
static int set_up(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	place_open(&place, backend, seed);
	place_make_file(&place, "www/a.txt", text_literal("some text"));
	limits = (struct cache_limits){
		.entry_count_max = 16,
		.descriptor_count_max = 8,
		.byte_count_max = 1000,
		.file_length_max = 100,
		.directory_count_max = place_is_simulated(&place) ? 0 : 16,
	};
	site = section_new(NULL, NULL, static_endpoint.settings, NULL);
	site->tables[1] = static_endpoint.shared_settings;
	add_root("www");
	open_location();
	return 0;
}

static int tear_down(void **state)
{
	const struct cache_limits nothing = { 0 };

	(void)state;
	close_location();
	cache_limit(&nothing);
	section_free(site);
	while (proactor_active_count(place.proactor) > 0)
		place_turn(&place);
	assert_int_equal(metrics_sum(METRIC_CACHE_ENTRIES), 0);
	assert_int_equal(metrics_sum(METRIC_CACHE_BYTES), 0);
	assert_int_equal(metrics_sum(METRIC_CACHE_DESCRIPTORS), 0);
	place_close(&place);
	return 0;
}

static void reopen(void)
{
	close_location();
	open_location();
}

static unsigned get(const char *path)
{
	visit(&caller, &place, &static_endpoint, location, path);
	return visit_status(&caller);
}

/* Was the request answered from the cache? */
static bool is_hit(const char *path)
{
	uint64_t hits = metrics_sum(METRIC_CACHE_HITS);

	get(path);
	return metrics_sum(METRIC_CACHE_HITS) > hits;
}

static void settle(void)
{
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(proactor_turn(place.proactor, 0), 0);
}

static void warm(const char *path)
{
	for (unsigned i = 0; i < 5; i++) {
		if (is_hit(path))
			return;
	}
	fail_msg("%s is never remembered", path);
}

/* The cache reads only old files into memory. */
static void age(const char *path)
{
	const struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };

	if (place_is_simulated(&place))
		simulated_advance(place.proactor, UINT64_C(4000000000));
	else
		assert_int_equal(utimensat(AT_FDCWD, place_path(&place, path), times, 0), 0);
	settle();
}

static void make_old_file(const char *path, size_t length)
{
	place_make_pattern(&place, path, length);
	age(path);
}

/* The first answer comes from the descriptor and starts the read; later ones come from memory. */
static void warm_in_memory(const char *path)
{
	uint64_t bytes = metrics_sum(METRIC_CACHE_BYTES);

	for (unsigned i = 0; i < 100 && metrics_sum(METRIC_CACHE_BYTES) == bytes; i++) {
		get(path);
		settle();
	}
	assert_true(metrics_sum(METRIC_CACHE_BYTES) > bytes);
}

/* The visitor's own reads are ops, too. */
static void ask_without_reading(const char *path)
{
	visit_init(&caller, &place, path);
	static_endpoint.handle(location, &caller.exchange);
	visit_await_answer(&caller);
	visit_release(&caller);
}

static bool is_hit_without_reading(const char *path)
{
	uint64_t hits = metrics_sum(METRIC_CACHE_HITS);

	ask_without_reading(path);
	return metrics_sum(METRIC_CACHE_HITS) > hits;
}

#define assert_body(expected) assert_true(text_equal(visit_body(&caller), text_literal(expected)))

/* --- what is remembered ------------------------------------------------------------------- */

static void test_hit_is_answered_within_handle_without_an_op(void **state)
{
	uint64_t ops;

	(void)state;
	age("www/a.txt");
	warm_in_memory("/a.txt");
	ops = metrics_sum(METRIC_OPS_SUBMITTED);
	visit_init(&caller, &place, "/a.txt");
	static_endpoint.handle(location, &caller.exchange);
	assert_int_equal(caller.answer_count, 1);
	visit_pull_all(&caller, SIZE_MAX);
	assert_int_equal(metrics_sum(METRIC_OPS_SUBMITTED), ops);
	assert_int_equal(caller.extent_count, 0);
	assert_body("some text");
}

static void test_file_is_kept_open_until_it_has_been_read(void **state)
{
	(void)state;
	warm("/a.txt");
	assert_int_equal(metrics_sum(METRIC_CACHE_DESCRIPTORS), 1);
	assert_int_equal(metrics_sum(METRIC_CACHE_BYTES), 0);
	age("www/a.txt");
	warm_in_memory("/a.txt");
	assert_int_equal(metrics_sum(METRIC_CACHE_DESCRIPTORS), 0);
	assert_int_equal(metrics_sum(METRIC_CACHE_BYTES), 9);
}

static void test_file_just_written_is_not_taken_into_memory(void **state)
{
	(void)state;
	place_make_file(&place, "www/fresh", text_literal("fresh"));
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(get("/fresh"), 200);
		settle();
	}
	assert_int_equal(metrics_sum(METRIC_CACHE_BYTES), 0);
}

static void test_long_file_stays_open(void **state)
{
	(void)state;
	make_old_file("www/long", 101);
	warm("/long");
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(get("/long"), 200);
		assert_true(caller.patterned);
		settle();
	}
	assert_int_equal(metrics_sum(METRIC_CACHE_BYTES), 0);
	assert_int_equal(metrics_sum(METRIC_CACHE_DESCRIPTORS), 1);
}

static void test_what_is_missing_is_known_to_be(void **state)
{
	uint64_t opens;

	(void)state;
	warm("/none");
	opens = metrics_sum(METRIC_OPENS);
	assert_int_equal(get("/none"), 404);
	assert_int_equal(metrics_sum(METRIC_OPENS), opens);
}

static void test_empty_file_is_remembered(void **state)
{
	(void)state;
	make_old_file("www/empty", 0);
	warm("/empty");
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(get("/empty"), 200);
		assert_int_equal(caller.length, 0);
		settle();
	}
}

static void test_failing_read_leaves_the_descriptor(void **state)
{
	(void)state;
	warm("/a.txt");
	age("www/a.txt");
	get("/a.txt"); /* looked at again */
	simulated_fail_next(place.proactor, OP_READ, -EIO);
	ask_without_reading("/a.txt");
	settle();
	assert_int_equal(metrics_sum(METRIC_CACHE_BYTES), 0);
	assert_int_equal(metrics_sum(METRIC_CACHE_DESCRIPTORS), 1);
}

static void test_file_that_shrinks_while_it_is_read_is_not_taken(void **state)
{
	(void)state;
	place_make_pattern(&place, "www/shrinks", 100);
	warm("/shrinks");
	age("www/shrinks");
	for (unsigned i = 0; i < 5 && !is_hit_without_reading("/shrinks"); i++)
		continue;
	assert_int_equal(metrics_sum(METRIC_CACHE_DESCRIPTORS), 1);
	place_truncate(&place, "www/shrinks", 50);
	settle();
	assert_int_equal(metrics_sum(METRIC_CACHE_BYTES), 0);
}

/* --- bounds ------------------------------------------------------------------------------- */

static void make_files(unsigned count)
{
	char path[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "www/%u", i);
		place_make_pattern(&place, path, 100 + i);
	}
	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "www/%u", i);
		age(path);
	}
}

static void visit_files(unsigned count)
{
	char path[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "/%u", i);
		assert_int_equal(get(path), 200);
		assert_int_equal(caller.length, 100 + i);
	}
}

static void test_descriptors_are_bounded(void **state)
{
	(void)state;
	make_files(20);
	for (unsigned i = 0; i < 3; i++)
		visit_files(20);
	settle();
	assert_int_equal(metrics_sum(METRIC_CACHE_DESCRIPTORS), 8);
	assert_true(place_open_count(&place) <= 1 + 8 + 2); /* the root, inotify's, mountinfo */
}

static void test_least_recently_used_goes_first(void **state)
{
	(void)state;
	limits.file_length_max = 50;
	reopen();
	make_files(9);
	warm("/0");
	warm("/1");
	for (unsigned i = 2; i < 9; i++) {
		char path[32];

		/* The clock determines the order of use. */
		assert_int_equal(proactor_turn(place.proactor, 0), 0);
		if (place_is_simulated(&place))
			simulated_advance(place.proactor, 1000);
		snprintf(path, sizeof(path), "/%u", i);
		assert_true(is_hit("/0"));
		warm(path);
	}
	assert_true(is_hit("/0"));
	assert_false(is_hit("/1"));
}

static void test_bytes_are_bounded(void **state)
{
	char path[32];

	(void)state;
	limits.byte_count_max = 250;
	reopen();
	for (unsigned i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "www/%u", i);
		place_make_pattern(&place, path, 100);
	}
	for (unsigned i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "www/%u", i);
		age(path);
	}
	for (unsigned i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/%u", i % 5);
		assert_int_equal(get(path), 200);
		assert_true(caller.patterned);
		settle();
		assert_true(metrics_sum(METRIC_CACHE_BYTES) <= 250);
	}
	assert_int_equal(metrics_sum(METRIC_CACHE_BYTES), 200);
}

static void test_what_is_missing_takes_a_quarter_at_most(void **state)
{
	char path[32];

	(void)state;
	warm("/a.txt");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/none%u", i % 50);
		assert_int_equal(get(path), 404);
	}
	assert_int_equal(metrics_sum(METRIC_CACHE_ENTRIES), 1 + 16 / 4);
	assert_true(is_hit("/a.txt"));
}

static void test_content_outlives_its_entry(void **state)
{
	struct visit *slow = calloc(1, sizeof(*slow));

	(void)state;
	make_old_file("www/slow", 90);
	warm_in_memory("/slow");
	visit_init(slow, &place, "/slow");
	static_endpoint.handle(location, &slow->exchange);
	visit_await_answer(slow);
	reopen();
	assert_int_equal(metrics_sum(METRIC_CACHE_BYTES), 0);
	visit_pull_all(slow, 7);
	assert_int_equal(slow->length, 90);
	assert_true(slow->patterned);
	free(slow);
}

static void test_location_may_close_while_a_file_is_read(void **state)
{
	(void)state;
	for (unsigned turns = 0; turns < 8; turns++) {
		age("www/a.txt");
		warm("/a.txt");
		get("/a.txt");
		for (unsigned i = 0; i < turns; i++)
			assert_int_equal(proactor_turn(place.proactor, 0), 0);
		reopen();
	}
}

static void test_nothing_is_remembered_without_entries(void **state)
{
	(void)state;
	limits.entry_count_max = 0;
	reopen();
	for (unsigned i = 0; i < 5; i++)
		assert_false(is_hit("/a.txt"));
}

static void test_each_worker_of_a_process_has_its_own(void **state)
{
	struct place first_place = place;
	struct section *first_site = site;
	void *first = location;

	(void)state;
	warm("/a.txt");
	place_open(&place, backend, seed);
	place_make_file(&place, "www/a.txt", text_literal("another"));
	site = section_new(NULL, NULL, static_endpoint.settings, NULL);
	site->tables[1] = static_endpoint.shared_settings;
	add_root("www");
	assert_int_equal(static_endpoint.open(&location, site, place.proactor), 0);
	assert_false(is_hit("/a.txt"));
	warm("/a.txt");
	assert_body("another");
	assert_int_equal(metrics_sum(METRIC_CACHE_ENTRIES), 2);
	close_location();
	section_free(site);
	while (proactor_active_count(place.proactor) > 0)
		place_turn(&place);
	place_close(&place);
	place = first_place;
	site = first_site;
	location = first;
	assert_int_equal(metrics_sum(METRIC_CACHE_ENTRIES), 1);
	assert_true(is_hit("/a.txt"));
	assert_body("some text");
}

/* --- without events ----------------------------------------------------------------------- */

static void test_what_cannot_be_watched_is_looked_at_again_after_a_second(void **state)
{
	(void)state;
	warm("/a.txt");
	warm("/none");
	place_make_file(&place, "www/a.txt", text_literal("new"));
	place_make_file(&place, "www/none", text_literal("made"));
	get("/a.txt");
	assert_body("some text");
	simulated_advance(place.proactor, UINT64_C(1100000000));
	settle();
	get("/a.txt");
	assert_body("new");
	assert_int_equal(get("/none"), 200);
}

static void test_look_that_finds_the_same_file_leaves_its_bytes(void **state)
{
	(void)state;
	age("www/a.txt");
	warm_in_memory("/a.txt");
	simulated_advance(place.proactor, UINT64_C(1100000000));
	settle();
	assert_false(is_hit("/a.txt"));
	assert_int_equal(caller.extent_count, 0);
	assert_body("some text");
	assert_true(is_hit("/a.txt"));
}

static void test_descriptor_that_is_not_used_is_closed(void **state)
{
	(void)state;
	make_old_file("www/long", 101);
	make_old_file("www/other", 101);
	warm_in_memory("/a.txt");
	warm("/long");
	warm("/other");
	simulated_advance(place.proactor, UINT64_C(3000000000));
	settle();
	get("/other");
	assert_int_equal(metrics_sum(METRIC_CACHE_DESCRIPTORS), 2);
	simulated_advance(place.proactor, UINT64_C(2500000000));
	settle();
	assert_int_equal(metrics_sum(METRIC_CACHE_DESCRIPTORS), 1);
	simulated_advance(place.proactor, UINT64_C(5000000000));
	settle();
	assert_int_equal(metrics_sum(METRIC_CACHE_DESCRIPTORS), 0);
	assert_int_equal(metrics_sum(METRIC_CACHE_BYTES), 9);
	assert_int_equal(place_open_count(&place), 1); /* the root */
}

static void test_bytes_are_read_anew_now_and_then(void **state)
{
	(void)state;
	age("www/a.txt");
	warm_in_memory("/a.txt");
	simulated_store_mapped(place.proactor, "www/a.txt", text_literal("SOME TEXT"));
	get("/a.txt");
	assert_body("some text");
	simulated_advance(place.proactor, UINT64_C(10100000000));
	settle();
	get("/a.txt"); /* looked at again */
	settle();
	assert_true(is_hit("/a.txt"));
	assert_body("SOME TEXT");
	assert_int_equal(metrics_sum(METRIC_CACHE_BYTES), 9);
}

/* --- with events -------------------------------------------------------------------------- */

static void write_to(const char *path, const char *bytes)
{
	int fd = open(place_path(&place, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
	close(fd);
}

static void rename_to(const char *from, const char *to)
{
	char old[PATH_MAX];

	snprintf(old, sizeof(old), "%s", place_path(&place, from));
	assert_int_equal(rename(old, place_path(&place, to)), 0);
}

static void test_event_names_the_entry_that_goes(void **state)
{
	uint64_t count;

	(void)state;
	place_make_file(&place, "www/b.txt", text_literal("other"));
	warm("/a.txt");
	warm("/b.txt");
	count = metrics_sum(METRIC_CACHE_INVALIDATIONS);
	write_to("www/fresh", "new");
	rename_to("www/fresh", "www/a.txt");
	settle();
	assert_true(is_hit("/b.txt"));
	assert_false(is_hit("/a.txt"));
	assert_body("new");
	assert_int_equal(metrics_sum(METRIC_CACHE_INVALIDATIONS), count + 1);
}

static void test_created_name_ends_what_was_missing(void **state)
{
	(void)state;
	warm("/no/such/path");
	place_make_file(&place, "www/no/such/path", text_literal("made"));
	settle();
	assert_int_equal(get("/no/such/path"), 200);
}

static void test_whatever_is_beneath_goes_with_its_directory(void **state)
{
	(void)state;
	place_make_file(&place, "www/d/e/f/b.txt", text_literal("deep"));
	warm("/d/e/f/b.txt");
	warm("/d/e/none");
	rename_to("www/d", "www/g");
	settle();
	assert_false(is_hit("/d/e/none"));
	assert_int_equal(get("/d/e/f/b.txt"), 404);
	assert_int_equal(get("/g/e/f/b.txt"), 200);
	/* Its directories are watched under their new names, and not under the old ones. */
	warm("/g/e/f/b.txt");
	write_to("www/g/e/f/b.txt", "changed");
	settle();
	assert_false(is_hit("/g/e/f/b.txt"));
	assert_body("changed");
	place_make_file(&place, "www/d/e/f/b.txt", text_literal("another"));
	settle();
	assert_int_equal(get("/d/e/f/b.txt"), 200);
}

static void test_lost_events_end_everything(void **state)
{
	(void)state;
	place_make_file(&place, "www/d/b.txt", text_literal("deep"));
	warm("/a.txt");
	warm("/d/b.txt");
	/* More than fs.inotify.max_queued_events, of alternating kinds: inotify merges two equal
	 * ones. */
	for (unsigned i = 0; i < 20000; i++) {
		const char *path = place_path(&place, i % 2 ? "www/one" : "www/two");
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		assert_true(fd >= 0);
		close(fd);
	}
	settle();
	assert_false(is_hit("/a.txt"));
	assert_false(is_hit("/d/b.txt"));
	warm("/a.txt");
}

static void test_event_without_a_change_leaves_the_bytes(void **state)
{
	(void)state;
	age("www/a.txt");
	warm_in_memory("/a.txt");
	close(open(place_path(&place, "www/a.txt"), O_WRONLY | O_CLOEXEC)); /* IN_CLOSE_WRITE */
	settle();
	assert_false(is_hit("/a.txt"));
	assert_int_equal(caller.extent_count, 0);
	assert_body("some text");
	assert_true(is_hit("/a.txt"));
}

static void replace_during_lookup(const char *contents, unsigned turns)
{
	visit_init(&caller, &place, "/d/b.txt");
	static_endpoint.handle(location, &caller.exchange);
	for (unsigned i = 0; i < turns; i++)
		assert_int_equal(proactor_turn(place.proactor, 0), 0);
	write_to("www/fresh", contents);
	rename_to("www/fresh", "www/d/b.txt");
	visit_await_answer(&caller);
	visit_pull_all(&caller, SIZE_MAX);
	settle();
}

static void test_change_during_a_lookup_is_not_forgotten(void **state)
{
	char contents[16];

	(void)state;
	place_make_file(&place, "www/d/b.txt", text_literal("first"));
	for (unsigned i = 0; i < 40; i++) {
		snprintf(contents, sizeof(contents), "%u", i);
		replace_during_lookup(contents, i % 8);
		for (unsigned again = 0; again < 3; again++) {
			assert_int_equal(get("/d/b.txt"), 200);
			assert_true(text_equal(visit_body(&caller), text_of(contents)));
			if (i % 3 == 0)
				break;
		}
	}
}

static void test_directory_reached_in_two_ways_tells_both(void **state)
{
	struct section *outer_site = site;
	void *outer = location, *inner;

	(void)state;
	place_make_file(&place, "www/www/c.txt", text_literal("inner"));
	warm("/www/c.txt");
	site = section_new(NULL, NULL, static_endpoint.settings, NULL);
	site->tables[1] = static_endpoint.shared_settings;
	add_root("www/www");
	assert_int_equal(static_endpoint.open(&location, site, place.proactor), 0);
	warm("/c.txt");
	inner = location;
	write_to("www/www/c.txt", "changed");
	settle();
	assert_false(is_hit("/c.txt"));
	assert_body("changed");
	location = outer;
	assert_false(is_hit("/www/c.txt"));
	assert_body("changed");
	location = inner;
	close_location();
	section_free(site);
	site = outer_site;
	location = outer;
}

static void test_watches_are_bounded_and_what_is_beyond_is_not_relied_on(void **state)
{
	uint64_t failures = metrics_sum(METRIC_CACHE_WATCH_FAILURES);

	(void)state;
	limits.directory_count_max = 2;
	reopen();
	place_make_file(&place, "www/1/2/3/b.txt", text_literal("deep"));
	warm("/1/2/3/b.txt");
	assert_true(metrics_sum(METRIC_CACHE_WATCH_FAILURES) > failures);
	assert_int_equal(get("/1/2/3/b.txt"), 200);
}

static void test_unused_watches_make_room_for_others(void **state)
{
	char path[64];
	uint64_t failures = metrics_sum(METRIC_CACHE_WATCH_FAILURES);

	(void)state;
	limits.directory_count_max = 3;
	limits.entry_count_max = 4;
	limits.descriptor_count_max = 1;
	reopen();
	for (unsigned i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "www/%u/b.txt", i);
		place_make_file(&place, path, text_literal("some"));
		snprintf(path, sizeof(path), "/%u/b.txt", i);
		warm(path);
	}
	assert_int_equal(metrics_sum(METRIC_CACHE_WATCH_FAILURES), failures);
}

/* --- by chance ---------------------------------------------------------------------------- */

static void test_any_order_of_events_answers_every_request_once(void **state)
{
	struct visit *visits = calloc(60, sizeof(*visits));
	char path[32];

	(void)state;
	make_files(10);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 60; i++) {
			snprintf(path, sizeof(path), i % 4 ? "/%u" : "/none%u", i % 10);
			visit_init(&visits[i], &place, path);
			static_endpoint.handle(location, &visits[i].exchange);
		}
		for (unsigned i = 0; i < 60; i++) {
			visit_await_answer(&visits[i]);
			assert_int_equal(visit_status(&visits[i]), i % 4 ? 200 : 404);
			visit_pull_all(&visits[i], 1000);
			assert_true(i % 4 == 0 || visits[i].length == 100 + i % 10);
		}
	}
	free(visits);
}

#define HERE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest everywhere[] = {
	HERE(test_hit_is_answered_within_handle_without_an_op),
	HERE(test_file_is_kept_open_until_it_has_been_read),
	HERE(test_file_just_written_is_not_taken_into_memory),
	HERE(test_long_file_stays_open),
	HERE(test_what_is_missing_is_known_to_be),
	HERE(test_empty_file_is_remembered),
	HERE(test_file_that_shrinks_while_it_is_read_is_not_taken),
	HERE(test_descriptors_are_bounded),
	HERE(test_least_recently_used_goes_first),
	HERE(test_bytes_are_bounded),
	HERE(test_what_is_missing_takes_a_quarter_at_most),
	HERE(test_content_outlives_its_entry),
	HERE(test_location_may_close_while_a_file_is_read),
	HERE(test_nothing_is_remembered_without_entries),
	HERE(test_each_worker_of_a_process_has_its_own),
	HERE(test_any_order_of_events_answers_every_request_once),
};

static const struct CMUnitTest without_events[] = {
	HERE(test_failing_read_leaves_the_descriptor),
	HERE(test_what_cannot_be_watched_is_looked_at_again_after_a_second),
	HERE(test_look_that_finds_the_same_file_leaves_its_bytes),
	HERE(test_descriptor_that_is_not_used_is_closed),
	HERE(test_bytes_are_read_anew_now_and_then),
};

static const struct CMUnitTest with_events[] = {
	HERE(test_event_names_the_entry_that_goes),
	HERE(test_created_name_ends_what_was_missing),
	HERE(test_whatever_is_beneath_goes_with_its_directory),
	HERE(test_lost_events_end_everything),
	HERE(test_event_without_a_change_leaves_the_bytes),
	HERE(test_change_during_a_lookup_is_not_forgotten),
	HERE(test_directory_reached_in_two_ways_tells_both),
	HERE(test_watches_are_bounded_and_what_is_beyond_is_not_relied_on),
	HERE(test_unused_watches_make_room_for_others),
};

/* Reads are short, and ops end late and in any order. */
static const struct CMUnitTest by_chance[] = {
	HERE(test_any_order_of_events_answers_every_request_once),
	HERE(test_location_may_close_while_a_file_is_read),
	HERE(test_bytes_are_bounded),
};

int main(int argument_count, char **arguments)
{
	int failed_count;

	if (argument_count < 2) {
		fprintf(stderr, "usage: test_cache BACKEND\n");
		return 2;
	}
	backend = arguments[1];
	failed_count = cmocka_run_group_tests(everywhere, NULL, NULL);
	if (strcmp(backend, "simulated") != 0)
		return failed_count + cmocka_run_group_tests(with_events, NULL, NULL);
	failed_count += cmocka_run_group_tests(without_events, NULL, NULL);
	for (seed = 1; seed <= 20 && failed_count == 0; seed++)
		failed_count += cmocka_run_group_tests(by_chance, NULL, NULL);
	return failed_count;
}
