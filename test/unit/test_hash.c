/* base/hash.h: different texts have different hashes, and every seed changes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"

static void test_texts_that_differ_have_different_hashes(void **state)
{
	static const char zeros[40];
	static const char letters[] = "/static/images/a-path-of-some-length.png";

	(void)state;
	for (size_t i = 0; i < sizeof(zeros); i++) {
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(hash_text(1, (struct text){ zeros, i }),
				hash_text(1, (struct text){ zeros, j }));
			assert_int_not_equal(hash_text(1, (struct text){ letters, i }),
				hash_text(1, (struct text){ letters, j }));
		}
	}
	assert_int_not_equal(hash_text(1, text_literal("/12345678/a")),
		hash_text(1, text_literal("/12345679/a")));
}

static void test_another_seed_makes_another_hash(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 100; seed++) {
		assert_int_not_equal(
			hash_text(0, text_literal("/a")), hash_text(seed, text_literal("/a")));
		assert_int_not_equal(
			hash_text(0, text_literal("")), hash_text(seed, text_literal("")));
	}
	assert_int_equal(hash_text(7, text_literal("/a")), hash_text(7, text_literal("/a")));
}

static void test_hashes_spread_over_the_buckets(void **state)
{
	struct buckets buckets;
	size_t counts[64] = { 0 };
	uint64_t seed = hash_seed();

	(void)state;
	assert_int_equal(buckets_open(&buckets, 60), 0);
	for (unsigned i = 0; i < 6400; i++) {
		char bytes[4] = { '/', (char)('a' + i % 26), (char)('a' + i / 26 % 26),
			(char)('a' + i / 676) };
		struct list *bucket =
			buckets_at(&buckets, hash_text(seed, (struct text){ bytes, 4 }));

		assert_true(list_is_empty(bucket));
		counts[bucket - buckets.lists]++;
	}
	for (unsigned i = 0; i < 64; i++)
		assert_in_range(counts[i], 30, 200);
	buckets_close(&buckets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_that_differ_have_different_hashes),
		cmocka_unit_test(test_another_seed_makes_another_hash),
		cmocka_unit_test(test_hashes_spread_over_the_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
