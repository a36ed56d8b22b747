/* endpoints/fallback.h: which lists are valid, and which page belongs to an error. */
#include "assert_text.h"

#include "endpoints/fallback.h"

static void test_each_status_has_its_page(void **state)
{
	static const char *const PAGES[] = { "404 /404.html", "503  /busy.html" };

	(void)state;
	assert_text(fallback_page(PAGES, 2, 404), "/404.html");
	assert_text(fallback_page(PAGES, 2, 503), "/busy.html");
	assert_int_equal(fallback_page(PAGES, 2, 403).length, 0);
	assert_int_equal(fallback_page(NULL, 0, 404).length, 0);
}

static void test_only_normal_paths_are_tried(void **state)
{
	static const char *const PATHS[] = { "/a", "/b/", "c" };
	static const char *const WRONG[] = { "", "a", "/a//b", "/a/../b", "/%61", "/a\n" };
	size_t wrong;

	(void)state;
	assert_null(fallback_check_paths(PATHS, 2, &wrong));
	assert_non_null(fallback_check_paths(PATHS, 3, &wrong));
	assert_int_equal(wrong, 2);
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
		assert_non_null(fallback_check_paths(&WRONG[i], 1, &wrong));
}

static void test_only_errors_have_pages_and_each_one(void **state)
{
	static const char *const TWICE[] = { "404 /a", "404 /b" };
	static const char *const WRONG[] = { "", "404", "/404.html", "399 /a", "600 /a", "404 a" };
	size_t wrong;

	(void)state;
	assert_null(fallback_check_pages(TWICE, 1, &wrong));
	assert_non_null(fallback_check_pages(TWICE, 2, &wrong));
	assert_int_equal(wrong, 1);
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
		assert_non_null(fallback_check_pages(&WRONG[i], 1, &wrong));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_status_has_its_page),
		cmocka_unit_test(test_only_normal_paths_are_tried),
		cmocka_unit_test(test_only_errors_have_pages_and_each_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
