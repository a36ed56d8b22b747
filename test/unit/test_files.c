/* files/root.h and files/lookup.h: which paths are found below a root, which are not, and that
 * nothing outside is ever found. On every backend; tests that need a real file system, or chance,
 * have groups of their own. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "files/lookup.h"
#include "place.h"
#include "simulated/simulated.h"

/* After base/log.h: it has a macro `fail`. */
#include <cmocka.h>

static const char *backend;
static struct place place;
static struct root *root;
static char logged[LOG_LINE_LENGTH_MAX];
static unsigned logged_count;

static void keep_log(void *context, struct text line)
{
	(void)context;
	snprintf(logged, sizeof(logged), "%.*s", TEXT_ARGUMENTS(line));
	logged_count++;
}

static int set_up(void **state)
{
	(void)state;
	log_set_sink(keep_log, NULL);
	logged_count = 0;
	place_open(&place, backend, 0);
	place_make_file(&place, "www/a.txt", text_literal("inside"));
	place_make_file(&place, "secret.txt", text_literal("outside"));
	assert_int_equal(root_open(&root, place_path(&place, "www"), place.proactor), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	root_close(root);
	place_close(&place);
	return 0;
}

/* --- looking up --------------------------------------------------------------------------- */

static const char *const index_names[] = { "index.html", "index.txt" };

struct seeker {
	struct lookup lookup;
	unsigned done_count;
};

static void note_done(struct lookup *lookup)
{
	container_of(lookup, struct seeker, lookup)->done_count++;
}

static int seek(struct seeker *seeker, const char *path)
{
	memset(seeker, 0, sizeof(*seeker));
	seeker->lookup.root = root;
	seeker->lookup.index = index_names;
	seeker->lookup.index_count = 2;
	seeker->lookup.done = note_done;
	return lookup_start(&seeker->lookup, text_of(path));
}

static void await(struct seeker *seeker)
{
	for (unsigned i = 0; i < 10000 && seeker->done_count == 0; i++)
		place_turn(&place);
	assert_int_equal(seeker->done_count, 1);
	assert_false(op_is_active(&seeker->lookup.op));
	assert_true((seeker->lookup.fd >= 0) == (seeker->lookup.status == 200));
}

static void note_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	assert_int_equal(op->result, 0);
}

static void close_found(const struct seeker *seeker)
{
	struct op op;

	if (seeker->lookup.fd < 0)
		return;
	op_init(&op, note_closed);
	proactor_close(place.proactor, &op, seeker->lookup.fd);
	while (op_is_active(&op))
		place_turn(&place);
}

/* Returns the status, and the length of the file in *length. */
static unsigned look(const char *path, uint64_t *length)
{
	static struct seeker seeker;

	if (seek(&seeker, path) < 0)
		return seeker.lookup.status;
	await(&seeker);
	*length = (uint64_t)seeker.lookup.stat.st_size;
	close_found(&seeker);
	return seeker.lookup.status;
}

static unsigned status_of(const char *path)
{
	uint64_t length;

	return look(path, &length);
}

static void assert_finds(const char *path, const char *contents)
{
	uint64_t length = 0;

	assert_int_equal(look(path, &length), 200);
	assert_int_equal(length, strlen(contents));
}

/* --- files and directories ---------------------------------------------------------------- */

static void test_file_is_found(void **state)
{
	(void)state;
	place_make_file(&place, "www/deep/er/b.txt", text_literal("deeper"));
	assert_finds("/a.txt", "inside");
	assert_finds("/deep/er/b.txt", "deeper");
	assert_int_equal(logged_count, 0);
}

static void test_file_costs_one_open_and_one_stat(void **state)
{
	uint64_t opens = metrics_sum(METRIC_OPENS), stats = metrics_sum(METRIC_STATS);

	(void)state;
	assert_finds("/a.txt", "inside");
	assert_int_equal(metrics_sum(METRIC_OPENS) - opens, 1);
	assert_int_equal(metrics_sum(METRIC_STATS) - stats, 1);
}

static void test_missing_file_is_404_and_logged_with_path_and_errno(void **state)
{
	(void)state;
	assert_int_equal(status_of("/none"), 404);
	assert_int_equal(logged_count, 1);
	assert_non_null(strstr(logged, "info"));
	assert_non_null(strstr(logged, "404"));
	assert_non_null(strstr(logged, "www/none"));
	assert_non_null(strstr(logged, "ENOENT"));
}

static void test_path_through_a_file_is_404(void **state)
{
	(void)state;
	assert_int_equal(status_of("/a.txt/"), 404);
	assert_int_equal(status_of("/a.txt/b"), 404);
}

static void test_path_too_long_is_404(void **state)
{
	char path[PATH_MAX + 100];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[300] = '\0';
	assert_int_equal(status_of(path), 404);
	path[300] = 'x';
	path[PATH_MAX + 50] = '\0';
	assert_int_equal(status_of(path), 404);
	path[PATH_MAX - 5] = '/';
	path[PATH_MAX - 4] = '\0'; /* no room for an index name */
	assert_int_equal(status_of(path), 404);
}

static void test_dot_segments_are_hidden_but_for_well_known(void **state)
{
	(void)state;
	place_make_file(&place, "www/.git/config", text_literal("x"));
	place_make_file(&place, "www/.well-known/security.txt", text_literal("x"));
	assert_int_equal(status_of("/.git/config"), 404);
	assert_int_equal(status_of("/.git/"), 404);
	assert_int_equal(status_of("/.none"), 404);
	assert_finds("/.well-known/security.txt", "x");
}

static void test_directory_without_its_slash_is_301(void **state)
{
	(void)state;
	place_make_directory(&place, "www/dir");
	assert_int_equal(status_of("/dir"), 301);
	assert_int_equal(logged_count, 0);
}

static void test_directory_is_its_first_index_file_that_exists(void **state)
{
	static struct seeker seeker;

	(void)state;
	place_make_file(&place, "www/dir/index.txt", text_literal("second"));
	place_make_file(&place, "www/index.txt", text_literal("root's second"));
	assert_finds("/dir/", "second");
	assert_finds("/", "root's second");
	place_make_file(&place, "www/dir/index.html", text_literal("first"));
	assert_finds("/dir/", "first");
	seek(&seeker, "/dir/");
	await(&seeker);
	assert_true(text_equal(lookup_path(&seeker.lookup), text_literal("dir/index.html")));
	close_found(&seeker);
}

static void test_directory_without_index_is_403_and_logged(void **state)
{
	(void)state;
	place_make_directory(&place, "www/dir");
	assert_int_equal(status_of("/dir/"), 403);
	assert_non_null(strstr(logged, "www/dir/: no index file"));
	assert_int_equal(status_of("/"), 403);
}

static void test_missing_directory_is_404(void **state)
{
	(void)state;
	assert_int_equal(status_of("/none/"), 404);
}

static void test_index_that_is_a_directory_is_403(void **state)
{
	(void)state;
	place_make_directory(&place, "www/dir/index.html");
	assert_int_equal(status_of("/dir/"), 403);
}

static void test_index_that_cannot_be_sent_is_passed_over(void **state)
{
	static const char *const paths[] = { "/d/", "/fifo/", "/outside/", "/circle/", "/none/" };

	(void)state;
	place_make_directory(&place, "www/d/index.html");
	place_make_file(&place, "www/d/index.txt", text_literal("inside"));
	place_make_file(&place, "www/fifo/index.txt", text_literal("inside"));
	place_make_fifo(&place, "www/fifo/index.html");
	place_make_file(&place, "www/outside/index.txt", text_literal("inside"));
	place_make_symlink(&place, "www/outside/index.html", "../../secret.txt");
	place_make_file(&place, "www/circle/index.txt", text_literal("inside"));
	place_make_symlink(&place, "www/circle/index.html", "index.html");
	place_make_file(&place, "www/none/index.txt", text_literal("inside"));
	place_make_symlink(&place, "www/none/index.html", "/none/at/all");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_finds(paths[i], "inside");
}

static void test_fifo_is_403_at_once(void **state)
{
	(void)state;
	place_make_fifo(&place, "www/fifo");
	assert_int_equal(status_of("/fifo"), 403);
	assert_non_null(strstr(logged, "not a regular file"));
}

/* --- links -------------------------------------------------------------------------------- */

static void test_relative_link_inside_is_followed(void **state)
{
	(void)state;
	place_make_directory(&place, "www/dir");
	place_make_symlink(&place, "www/link", "a.txt");
	place_make_symlink(&place, "www/dir/up", "../a.txt");
	place_make_symlink(&place, "www/same", "dir");
	assert_finds("/link", "inside");
	assert_finds("/dir/up", "inside");
	assert_finds("/same/up", "inside");
	assert_int_equal(status_of("/same"), 301);
}

static void test_relative_link_outside_is_404(void **state)
{
	(void)state;
	place_make_symlink(&place, "www/link", "../secret.txt");
	place_make_symlink(&place, "www/up", "..");
	assert_int_equal(status_of("/link"), 404);
	assert_non_null(strstr(logged, "EXDEV"));
	assert_int_equal(status_of("/up/secret.txt"), 404);
	assert_int_equal(status_of("/up"), 404);
	assert_int_equal(status_of("/up/none"), 404);
}

static void test_link_in_a_circle_is_404(void **state)
{
	(void)state;
	place_make_symlink(&place, "www/link", "link");
	assert_int_equal(status_of("/link"), 404);
	assert_non_null(strstr(logged, "ELOOP"));
}

static void test_dangling_link_is_404(void **state)
{
	(void)state;
	place_make_symlink(&place, "www/link", "none");
	assert_int_equal(status_of("/link"), 404);
}

/* --- the root ----------------------------------------------------------------------------- */

static void age_root(void)
{
	root->looked_up_ns = proactor_now_ns(place.proactor) - 2 * ROOT_AGE_NS_MAX;
}

static uint64_t look_count_ups(const char *path)
{
	uint64_t opens = metrics_sum(METRIC_OPENS);

	assert_finds(path, "inside");
	return metrics_sum(METRIC_OPENS) - opens - 1;
}

static void test_root_is_looked_up_again_only_after_a_second(void **state)
{
	(void)state;
	assert_int_equal(look_count_ups("/a.txt"), 0);
	age_root();
	assert_int_equal(look_count_ups("/a.txt"), 1);
	assert_int_equal(look_count_ups("/a.txt"), 0);
}

static void test_one_look_up_serves_all_who_wait(void **state)
{
	static struct seeker seekers[20];
	uint64_t opens = metrics_sum(METRIC_OPENS);

	(void)state;
	age_root();
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(seek(&seekers[i], "/a.txt"), 0);
	for (unsigned i = 0; i < 20; i++) {
		await(&seekers[i]);
		assert_int_equal(seekers[i].lookup.status, 200);
		close_found(&seekers[i]);
	}
	assert_int_equal(metrics_sum(METRIC_OPENS) - opens, 21);
}

static void test_switched_link_is_followed_by_the_next_look_up(void **state)
{
	struct root *own = root;

	(void)state;
	place_make_file(&place, "release-1/v", text_literal("1"));
	place_make_file(&place, "release-2/v", text_literal("22"));
	place_make_symlink(&place, "current", "release-1");
	assert_int_equal(root_open(&root, place_path(&place, "current"), place.proactor), 0);
	assert_finds("/v", "1");
	place_make_symlink(&place, "current", "release-2");
	assert_finds("/v", "1");
	age_root();
	assert_finds("/v", "22");
	root_close(root);
	root = own;
}

static void test_lookup_ends_in_the_directory_it_began_in(void **state)
{
	static struct seeker old, new;
	struct root *own = root;

	(void)state;
	place_make_file(&place, "release-1/v", text_literal("1"));
	place_make_file(&place, "release-2/v", text_literal("22"));
	place_make_symlink(&place, "current", "release-1");
	assert_int_equal(root_open(&root, place_path(&place, "current"), place.proactor), 0);
	place_make_symlink(&place, "current", "release-2");
	assert_int_equal(seek(&old, "/v"), 0);
	age_root();
	assert_int_equal(seek(&new, "/v"), 0);
	await(&old);
	await(&new);
	assert_int_equal(old.lookup.stat.st_size, 1);
	assert_int_equal(new.lookup.stat.st_size, 2);
	close_found(&old);
	close_found(&new);
	while (root->directory_count > 1)
		place_turn(&place);
	root_close(root);
	root = own;
}

static void test_root_closed_in_the_middle_of_a_look_up_ends_it_first(void **state)
{
	static struct seeker seeker;
	struct root *own = root;

	(void)state;
	place_make_file(&place, "other/v", text_literal("1"));
	assert_int_equal(root_open(&root, place_path(&place, "other"), place.proactor), 0);
	age_root();
	assert_int_equal(seek(&seeker, "/v"), 0);
	lookup_cancel(&seeker.lookup);
	root_close(root);
	root = own;
	assert_int_equal(seeker.done_count, 1);
	assert_int_equal(seeker.lookup.status, 503);
	assert_int_equal(seeker.lookup.fd, -1);
}

static void test_missing_root_is_503_logged_once_and_may_come_back(void **state)
{
	struct root *own = root;

	(void)state;
	place_make_file(&place, "new/a", text_literal("1"));
	assert_int_equal(root_open(&root, place_path(&place, "new"), place.proactor), 0);
	place_remove(&place, "new");
	age_root();
	logged_count = 0;
	assert_int_equal(status_of("/a"), 503);
	assert_int_equal(status_of("/a"), 503);
	assert_int_equal(logged_count, 3); /* the root once, and each request */
	place_make_file(&place, "new/a", text_literal("22"));
	assert_finds("/a", "22");
	assert_non_null(strstr(logged, "is back"));
	root_close(root);
	root = own;
}

static void test_root_that_is_not_there_does_not_open(void **state)
{
	struct root *other;

	(void)state;
	assert_int_equal(root_open(&other, place_path(&place, "nowhere"), place.proactor), -ENOENT);
	assert_int_equal(
		root_open(&other, place_path(&place, "secret.txt"), place.proactor), -ENOTDIR);
	assert_int_equal(logged_count, 2);
}

static void test_same_root_is_opened_once(void **state)
{
	struct root *same;

	(void)state;
	assert_int_equal(root_open(&same, place_path(&place, "www"), place.proactor), 0);
	assert_ptr_equal(same, root);
	root_close(same);
	assert_finds("/a.txt", "inside");
}

/* --- cancelling --------------------------------------------------------------------------- */

static void cancel_after(unsigned turns, const char *path)
{
	static struct seeker seeker;

	assert_int_equal(seek(&seeker, path), 0);
	for (unsigned i = 0; i < turns && seeker.done_count == 0; i++)
		assert_int_equal(proactor_turn(place.proactor, 0), 0);
	if (seeker.done_count == 0) {
		lookup_cancel(&seeker.lookup);
		lookup_cancel(&seeker.lookup);
	}
	await(&seeker);
	assert_true(seeker.lookup.status == 503 || turns > 0);
	close_found(&seeker);
}

/* Closing the place asserts that nothing stayed open. */
static void test_cancelled_lookup_ends_once_and_leaves_nothing_open(void **state)
{
	(void)state;
	place_make_directory(&place, "www/dir");
	place_make_fifo(&place, "www/fifo");
	for (unsigned turns = 0; turns < 8; turns++) {
		cancel_after(turns, "/a.txt");
		cancel_after(turns, "/dir/");
		cancel_after(turns, "/dir");
		cancel_after(turns, "/fifo");
		age_root();
		cancel_after(turns, "/a.txt");
	}
}

/* --- simulated: errors and chance --------------------------------------------------------- */

static void fail_opens(unsigned count, int error)
{
	while (count-- > 0)
		simulated_fail_next(place.proactor, OP_OPEN, error);
}

static void test_errors_of_open_have_their_status(void **state)
{
	static const struct {
		int error;
		unsigned status;
	} cases[] = {
		{ -EACCES, 403 },
		{ -EPERM, 403 },
		{ -ENXIO, 403 },
		{ -ENAMETOOLONG, 404 },
		{ -EMFILE, 503 },
		{ -ENFILE, 503 },
		{ -ENOMEM, 503 },
		{ -EIO, 500 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fail_opens(1, cases[i].error);
		assert_int_equal(status_of("/a.txt"), cases[i].status);
	}
	assert_finds("/a.txt", "inside");
}

static void test_shortage_of_descriptors_does_not_lose_the_root(void **state)
{
	(void)state;
	age_root();
	fail_opens(1, -EMFILE);
	assert_finds("/a.txt", "inside");
	assert_int_equal(logged_count, 0);
	assert_int_equal(look_count_ups("/a.txt"), 0);
}

static void test_open_is_tried_again_when_paths_changed_under_it(void **state)
{
	(void)state;
	fail_opens(10, -EAGAIN);
	assert_finds("/a.txt", "inside");
}

static void test_open_is_not_tried_for_ever(void **state)
{
	(void)state;
	fail_opens(64, -EAGAIN);
	assert_int_equal(status_of("/a.txt"), 503);
	assert_finds("/a.txt", "inside");
}

static void test_failing_stat_closes_the_file(void **state)
{
	(void)state;
	simulated_fail_next(place.proactor, OP_STAT, -EIO);
	assert_int_equal(status_of("/a.txt"), 500);
}

static void test_unreadable_file_is_403(void **state)
{
	(void)state;
	simulated_set_mode(place.proactor, "www/a.txt", 0);
	assert_int_equal(status_of("/a.txt"), 403);
	assert_non_null(strstr(logged, "EACCES"));
}

static void test_directory_that_may_not_be_read_still_has_an_address(void **state)
{
	(void)state;
	place_make_file(&place, "www/dir/index.html", text_literal("index"));
	simulated_set_mode(place.proactor, "www/dir", S_IXUSR);
	assert_int_equal(status_of("/dir"), 301);
	assert_finds("/dir/", "index");
	simulated_set_mode(place.proactor, "www/dir", 0);
	assert_int_equal(status_of("/dir"), 301);
	assert_int_equal(status_of("/dir/"), 403);
	assert_int_equal(status_of("/dir/index.html"), 403);
}

static void test_devices_and_sockets_are_403(void **state)
{
	(void)state;
	simulated_make_special(place.proactor, "www/disk", S_IFBLK);
	simulated_make_special(place.proactor, "www/zero", S_IFCHR);
	simulated_make_special(place.proactor, "www/socket", S_IFSOCK);
	assert_int_equal(status_of("/disk"), 403);
	assert_int_equal(status_of("/zero"), 403);
	assert_int_equal(status_of("/socket"), 403);
}

static void test_root_grows_old_by_the_clock(void **state)
{
	(void)state;
	assert_int_equal(look_count_ups("/a.txt"), 0);
	simulated_advance(place.proactor, ROOT_AGE_NS_MAX / 2);
	place_turn(&place);
	assert_int_equal(look_count_ups("/a.txt"), 0);
	simulated_advance(place.proactor, ROOT_AGE_NS_MAX);
	place_turn(&place);
	assert_int_equal(look_count_ups("/a.txt"), 1);
}

/* Many lookups at once, each cancelled or not, in every order that chance produces. */
static void run_seed(uint64_t seed)
{
	static struct seeker seekers[16];
	static const char *const paths[] = { "/a.txt", "/none", "/dir/", "/dir" };

	place_open(&place, "simulated", seed);
	place_make_file(&place, "www/a.txt", text_literal("inside"));
	place_make_directory(&place, "www/dir");
	assert_int_equal(root_open(&root, "www", place.proactor), 0);
	for (unsigned i = 0; i < 16; i++) {
		if (i % 5 == seed % 5)
			age_root();
		assert_int_equal(seek(&seekers[i], paths[(i + seed) % 4]), 0);
		if (i % 3 == 0)
			assert_int_equal(proactor_turn(place.proactor, 0), 0);
		if (i % 2 == seed % 2 && seekers[i].done_count == 0)
			lookup_cancel(&seekers[i].lookup);
	}
	for (unsigned i = 0; i < 16; i++) {
		await(&seekers[i]);
		close_found(&seekers[i]);
	}
	root_close(root);
	place_close(&place);
}

static void test_any_order_of_events_ends_every_lookup_once(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_WARNING);
	for (uint64_t seed = 1; seed <= 200; seed++)
		run_seed(seed);
	log_set_level(LOG_LEVEL_INFO);
}

/* --- real file systems -------------------------------------------------------------------- */

static void link_to(const char *link, const char *target)
{
	char absolute[PATH_MAX];

	snprintf(absolute, sizeof(absolute), "%s", place_path(&place, target));
	place_make_symlink(&place, link, absolute);
}

static void test_absolute_link_inside_is_followed(void **state)
{
	(void)state;
	place_make_file(&place, "www/dir/index.html", text_literal("index"));
	link_to("www/link", "www/a.txt");
	link_to("www/dir/link", "www/link");
	link_to("www/same", "www/dir");
	link_to("www/self", "www");
	assert_finds("/link", "inside");
	assert_finds("/dir/link", "inside");
	assert_finds("/same/", "index");
	assert_finds("/same/index.html", "index");
	assert_finds("/self/self/same/", "index");
	assert_int_equal(status_of("/same"), 301);
	assert_int_equal(status_of("/self"), 301);
	assert_int_equal(status_of("/same/none"), 404);
	assert_int_equal(status_of("/link/"), 404);
}

static void test_absolute_link_is_followed_when_the_root_is_a_link(void **state)
{
	struct root *own = root;

	(void)state;
	link_to("current", "www");
	link_to("www/link", "www/a.txt");
	link_to("www/other", "current/a.txt");
	assert_int_equal(root_open(&root, place_path(&place, "current"), place.proactor), 0);
	assert_finds("/link", "inside");
	assert_finds("/other", "inside");
	root_close(root);
	root = own;
}

static void test_absolute_link_outside_is_404(void **state)
{
	(void)state;
	place_make_file(&place, "www-private/a.txt", text_literal("beside"));
	link_to("www/link", "secret.txt");
	link_to("www/beside", "www-private/a.txt"); /* "www" begins its name, not its segments */
	link_to("www/directory", "www-private");
	place_make_symlink(&place, "www/null", "/dev/null");
	place_make_symlink(&place, "www/top", "/");
	place_make_symlink(&place, "www/process", "/proc/self/root");
	assert_int_equal(status_of("/link"), 404);
	assert_int_equal(status_of("/beside"), 404);
	assert_int_equal(status_of("/directory/a.txt"), 404);
	assert_int_equal(status_of("/directory/"), 404);
	assert_int_equal(status_of("/null"), 404);
	assert_int_equal(status_of("/top/dev/null"), 404);
	assert_int_equal(status_of("/process/dev/null"), 404);
}

static void test_link_to_a_descriptor_is_404(void **state)
{
	(void)state;
	place_make_symlink(&place, "www/input", "/proc/self/fd/0");
	assert_int_equal(status_of("/input"), 404);
}

static void test_socket_is_403(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", place_path(&place, "www/sock"));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(status_of("/sock"), 403);
	assert_non_null(strstr(logged, "ENXIO"));
}

static void test_file_of_64_bits_is_found(void **state)
{
	uint64_t length = 0;

	(void)state;
	place_truncate(&place, "www/a.txt", UINT64_C(5) << 30);
	assert_int_equal(look("/a.txt", &length), 200);
	assert_true(length == UINT64_C(5) << 30);
}

/* Another process swaps a directory and a link to the outside, as fast as it can. */
static bool storm_ends;

static void *swap(void *context)
{
	char inside[PATH_MAX], out[PATH_MAX], spare[PATH_MAX];

	(void)context;
	snprintf(inside, sizeof(inside), "%swww/dir", place.base);
	snprintf(out, sizeof(out), "%swww/out", place.base);
	snprintf(spare, sizeof(spare), "%swww/spare", place.base);
	while (!__atomic_load_n(&storm_ends, __ATOMIC_ACQUIRE)) {
		rename(inside, spare);
		rename(out, inside);
		rename(inside, out);
		rename(spare, inside);
	}
	return NULL;
}

static void test_storm_of_renames_leads_nobody_out(void **state)
{
	pthread_t thread;
	unsigned found_count = 0;

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	place_make_file(&place, "www/dir/f", text_literal("in"));
	place_make_file(&place, "private/f", text_literal("outside"));
	place_make_symlink(&place, "www/out", "../private");
	place_make_symlink(&place, "www/through", "dir/../dir/f");
	storm_ends = false;
	assert_int_equal(pthread_create(&thread, NULL, swap, NULL), 0);
	for (unsigned i = 0; i < 2000 || found_count == 0; i++) {
		uint64_t length = 0;
		unsigned status = look(i % 2 ? "/dir/f" : "/through", &length);

		if (status == 200) {
			assert_int_equal(length, 2);
			found_count++;
		} else {
			assert_true(status == 404 || status == 503);
		}
	}
	__atomic_store_n(&storm_ends, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	log_set_level(LOG_LEVEL_INFO);
	assert_finds("/dir/f", "in");
}

/* root can read everything, so a child runs the lookups as another user. */
static int look_as_nobody(void)
{
	struct place own;
	bool forbidden;

	if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
		return 2;
	place_open(&own, backend, 0);
	rmdir(own.base); /* only its proactor is needed, and nothing closes it */
	assert_int_equal(root_open(&root, place_path(&place, "www"), own.proactor), 0);
	place.proactor = own.proactor;
	forbidden = status_of("/unreadable") == 403 && strstr(logged, "EACCES") &&
		    status_of("/closed/f") == 403 && status_of("/closed/") == 403;
	return forbidden && status_of("/a.txt") == 200 ? 0 : 1;
}

static void test_what_may_not_be_read_is_403(void **state)
{
	int status;
	pid_t child;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	place_make_file(&place, "www/unreadable", text_literal("x"));
	place_make_file(&place, "www/closed/f", text_literal("x"));
	assert_int_equal(chmod(place_path(&place, ""), 0755), 0);
	assert_int_equal(chmod(place_path(&place, "www/unreadable"), 0600), 0);
	assert_int_equal(chmod(place_path(&place, "www/closed"), 0700), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(look_as_nobody());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- all of it ---------------------------------------------------------------------------- */

#define AT_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest everywhere[] = {
	AT_PLACE(test_file_is_found),
	AT_PLACE(test_file_costs_one_open_and_one_stat),
	AT_PLACE(test_missing_file_is_404_and_logged_with_path_and_errno),
	AT_PLACE(test_path_through_a_file_is_404),
	AT_PLACE(test_path_too_long_is_404),
	AT_PLACE(test_dot_segments_are_hidden_but_for_well_known),
	AT_PLACE(test_directory_without_its_slash_is_301),
	AT_PLACE(test_directory_is_its_first_index_file_that_exists),
	AT_PLACE(test_directory_without_index_is_403_and_logged),
	AT_PLACE(test_missing_directory_is_404),
	AT_PLACE(test_index_that_is_a_directory_is_403),
	AT_PLACE(test_fifo_is_403_at_once),
	AT_PLACE(test_relative_link_inside_is_followed),
	AT_PLACE(test_link_in_a_circle_is_404),
	AT_PLACE(test_dangling_link_is_404),
	AT_PLACE(test_root_is_looked_up_again_only_after_a_second),
	AT_PLACE(test_one_look_up_serves_all_who_wait),
	AT_PLACE(test_switched_link_is_followed_by_the_next_look_up),
	AT_PLACE(test_lookup_ends_in_the_directory_it_began_in),
	AT_PLACE(test_root_closed_in_the_middle_of_a_look_up_ends_it_first),
	AT_PLACE(test_missing_root_is_503_logged_once_and_may_come_back),
	AT_PLACE(test_root_that_is_not_there_does_not_open),
	AT_PLACE(test_same_root_is_opened_once),
	AT_PLACE(test_cancelled_lookup_ends_once_and_leaves_nothing_open),
};

static const struct CMUnitTest simulated_only[] = {
	AT_PLACE(test_errors_of_open_have_their_status),
	AT_PLACE(test_shortage_of_descriptors_does_not_lose_the_root),
	AT_PLACE(test_open_is_tried_again_when_paths_changed_under_it),
	AT_PLACE(test_open_is_not_tried_for_ever),
	AT_PLACE(test_failing_stat_closes_the_file),
	AT_PLACE(test_unreadable_file_is_403),
	AT_PLACE(test_directory_that_may_not_be_read_still_has_an_address),
	AT_PLACE(test_devices_and_sockets_are_403),
	AT_PLACE(test_root_grows_old_by_the_clock),
	cmocka_unit_test(test_any_order_of_events_ends_every_lookup_once),
};

static const struct CMUnitTest real_only[] = {
	AT_PLACE(test_index_that_cannot_be_sent_is_passed_over),
	AT_PLACE(test_relative_link_outside_is_404),
	AT_PLACE(test_absolute_link_inside_is_followed),
	AT_PLACE(test_absolute_link_is_followed_when_the_root_is_a_link),
	AT_PLACE(test_absolute_link_outside_is_404),
	AT_PLACE(test_link_to_a_descriptor_is_404),
	AT_PLACE(test_socket_is_403),
	AT_PLACE(test_file_of_64_bits_is_found),
	AT_PLACE(test_storm_of_renames_leads_nobody_out),
	AT_PLACE(test_what_may_not_be_read_is_403),
};

int main(int argument_count, char **arguments)
{
	backend = argument_count > 1 ? arguments[1] : "simulated";
	if (strcmp(backend, "simulated") == 0)
		return cmocka_run_group_tests(everywhere, NULL, NULL) +
		       cmocka_run_group_tests(simulated_only, NULL, NULL);
	return cmocka_run_group_tests(everywhere, NULL, NULL) +
	       cmocka_run_group_tests(real_only, NULL, NULL);
}
