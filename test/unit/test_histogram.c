/* Histograms: every time belongs to one bucket, bounds are exact where promised, and quantiles are
 * as exact as promised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/histogram.h"

static struct histogram histogram;

static int set_up(void **state)
{
	(void)state;
	memset(&histogram, 0, sizeof(histogram));
	return 0;
}

static void test_bucket_holds_what_exceeds_the_bound_before_it(void **state)
{
	(void)state;
	assert_int_equal(histogram_bucket(0), 0);
	for (unsigned i = 0; i < HISTOGRAM_BUCKET_COUNT - 1; i++) {
		uint64_t bound_ns = histogram_bound_ns(i);

		assert_int_equal(histogram_bucket(bound_ns), i);
		assert_int_equal(histogram_bucket(bound_ns + 1), i + 1);
		assert_true(histogram_bound_ns(i + 1) > bound_ns);
	}
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKET_COUNT - 1);
}

static void test_powers_of_two_are_bounds(void **state)
{
	(void)state;
	for (unsigned bits = HISTOGRAM_BITS_MIN; bits <= HISTOGRAM_BITS_MAX; bits++) {
		uint64_t ns = UINT64_C(1) << bits;

		assert_int_equal(histogram_bound_ns(histogram_bucket(ns)), ns);
		memset(&histogram, 0, sizeof(histogram));
		histogram_add(&histogram, ns);
		histogram_add(&histogram, ns + 1);
		assert_int_equal(histogram_count_within(&histogram, bits), 1);
		assert_int_equal(histogram_count(&histogram), 2);
		assert_int_equal(histogram.sum_ns, 2 * ns + 1);
	}
}

static void test_bound_is_at_most_a_sixteenth_too_long(void **state)
{
	(void)state;
	for (uint64_t ns = 1025; ns < UINT64_C(270000000000); ns += ns / 7) {
		uint64_t bound_ns = histogram_bound_ns(histogram_bucket(ns));

		assert_true(bound_ns >= ns);
		assert_true(bound_ns - ns <= ns / 16);
	}
}

static void test_quantile_is_the_bound_of_its_bucket(void **state)
{
	(void)state;
	assert_int_equal(histogram_quantile_ns(&histogram, 500), 0);
	for (unsigned ms = 1; ms <= 1000; ms++)
		histogram_add(&histogram, ms * UINT64_C(1000000));
	for (unsigned i = 1; i <= 1000; i++) {
		uint64_t ns = i * UINT64_C(1000000);

		assert_int_equal(histogram_quantile_ns(&histogram, i),
			histogram_bound_ns(histogram_bucket(ns)));
	}
}

static void test_quantile_of_what_exceeds_all_bounds_is_the_last(void **state)
{
	(void)state;
	histogram_add(&histogram, UINT64_C(1) << 62);
	assert_true(histogram_quantile_ns(&histogram, 500) == UINT64_C(1) << HISTOGRAM_BITS_MAX);
	assert_int_equal(histogram_count_within(&histogram, HISTOGRAM_BITS_MAX), 0);
}

static void test_merged_histograms_are_one(void **state)
{
	static struct histogram sum;

	(void)state;
	histogram_add(&histogram, 1000);
	histogram_add(&histogram, 5000000);
	histogram_merge(&sum, &histogram);
	histogram_merge(&sum, &histogram);
	assert_int_equal(histogram_count(&sum), 4);
	assert_int_equal(sum.sum_ns, 2 * 5001000);
	assert_int_equal(histogram_quantile_ns(&sum, 500), 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket_holds_what_exceeds_the_bound_before_it),
		cmocka_unit_test_setup(test_powers_of_two_are_bounds, set_up),
		cmocka_unit_test(test_bound_is_at_most_a_sixteenth_too_long),
		cmocka_unit_test_setup(test_quantile_is_the_bound_of_its_bucket, set_up),
		cmocka_unit_test_setup(
			test_quantile_of_what_exceeds_all_bounds_is_the_last, set_up),
		cmocka_unit_test_setup(test_merged_histograms_are_one, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
