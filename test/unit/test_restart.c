/* server/restart.h and server/descriptors.h: the two small calculations of the supervisor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/descriptors.h"
#include "server/restart.h"

#define SECOND_NS UINT64_C(1000000000)

/* A worker lives for `life_ns` and dies; returns the delay in seconds. */
static uint64_t delay_after(struct restart *restart, uint64_t *now_ns, uint64_t life_ns)
{
	uint64_t delay_ns;

	restart_started(restart, *now_ns);
	*now_ns += life_ns;
	delay_ns = restart_delay_ns(restart, *now_ns);
	*now_ns += delay_ns;
	return delay_ns / SECOND_NS;
}

static void test_first_death_is_followed_at_once(void **state)
{
	struct restart restart = { 0 };
	uint64_t now_ns = 7;

	(void)state;
	assert_int_equal(delay_after(&restart, &now_ns, 1), 0);
}

static void test_early_deaths_wait_longer_and_longer(void **state)
{
	static const uint64_t expected[] = { 0, 1, 2, 4, 8, 16, 30, 30, 30 };
	struct restart restart = { 0 };
	uint64_t now_ns = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(delay_after(&restart, &now_ns, SECOND_NS), expected[i]);
	for (int i = 0; i < 100; i++)
		assert_int_equal(delay_after(&restart, &now_ns, SECOND_NS), 30);
}

static void test_long_life_forgives(void **state)
{
	struct restart restart = { 0 };
	uint64_t now_ns = 7;

	(void)state;
	for (int i = 0; i < 5; i++)
		delay_after(&restart, &now_ns, SECOND_NS);
	assert_int_equal(delay_after(&restart, &now_ns, 6 * SECOND_NS), 0);
	assert_int_equal(delay_after(&restart, &now_ns, SECOND_NS), 1);
}

static void test_plenty_of_descriptors_grants_what_is_wanted(void **state)
{
	struct descriptor_budget budget = descriptors_share_out(1048576, 22, 10000, 4096);

	(void)state;
	assert_int_equal(budget.connection_count_max, 10000);
	assert_int_equal(budget.pipe_count_max, 16);
	assert_int_equal(budget.cached_count_max, 512);
}

static void test_few_descriptors_are_never_promised_twice(void **state)
{
	(void)state;
	for (uint64_t limit = 40; limit < 3000; limit++) {
		struct descriptor_budget budget = descriptors_share_out(limit, 22, 10000, 4096);

		assert_true(budget.connection_count_max >= 1);
		assert_true(budget.pipe_count_max >= 1);
		assert_true(22 + 2 * budget.pipe_count_max + budget.cached_count_max +
				    2 * budget.connection_count_max <=
			    limit);
	}
}

static void test_hopeless_limit_still_lets_one_connection_try(void **state)
{
	struct descriptor_budget budget = descriptors_share_out(10, 22, 10000, 4096);

	(void)state;
	assert_int_equal(budget.connection_count_max, 1);
	assert_int_equal(budget.pipe_count_max, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_death_is_followed_at_once),
		cmocka_unit_test(test_early_deaths_wait_longer_and_longer),
		cmocka_unit_test(test_long_life_forgives),
		cmocka_unit_test(test_plenty_of_descriptors_grants_what_is_wanted),
		cmocka_unit_test(test_few_descriptors_are_never_promised_twice),
		cmocka_unit_test(test_hopeless_limit_still_lets_one_connection_try),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
