/* base/text.h, base/buffer.h, base/list.h, base/block_pool.h: the basic types. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/block_pool.h"
#include "base/buffer.h"
#include "base/list.h"

static void test_number_needs_digits_only(void **state)
{
	uint64_t number = 7;

	(void)state;
	assert_int_equal(text_to_number(&number, text_literal("18446744073709551615")), 0);
	assert_true(number == UINT64_MAX);
	assert_int_equal(text_to_number(&number, text_literal("18446744073709551616")), -ERANGE);
	assert_int_equal(text_to_number(&number, text_literal("")), -EINVAL);
	assert_int_equal(text_to_number(&number, text_literal("+1")), -EINVAL);
	assert_int_equal(text_to_number(&number, text_literal("1 ")), -EINVAL);
	assert_true(number == UINT64_MAX);
}

static void test_trim_takes_spaces_and_tabs_of_both_ends(void **state)
{
	(void)state;
	assert_true(text_equal(text_trim(text_literal(" \ta b\t ")), text_literal("a b")));
	assert_int_equal(text_trim(text_literal(" \t ")).length, 0);
}

static void test_buffer_keeps_what_fits_and_says_so(void **state)
{
	char memory[8];
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, memory, sizeof(memory));
	buffer_append_number(&buffer, 12345);
	assert_false(buffer.truncated);
	buffer_append_string(&buffer, "abcdef");
	assert_true(buffer.truncated);
	assert_true(text_equal(buffer_text(&buffer), text_literal("12345abc")));
	buffer_consume(&buffer, 5);
	assert_true(text_equal(buffer_text(&buffer), text_literal("abc")));
}

static void test_formatting_beyond_the_end_truncates(void **state)
{
	char memory[4];
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, memory, sizeof(memory));
	buffer_append_format(&buffer, "%d", 123456);
	assert_true(buffer.truncated);
	assert_true(text_equal(buffer_text(&buffer), text_literal("123")));
}

static void test_moving_a_list_empties_its_source(void **state)
{
	struct list from, to;
	struct list_node a, b;

	(void)state;
	list_init(&from);
	list_append(&from, &a);
	list_append(&from, &b);
	list_move_all(&to, &from);
	assert_true(list_is_empty(&from));
	assert_ptr_equal(list_take_first(&to), &a);
	assert_ptr_equal(list_take_first(&to), &b);
	assert_null(list_take_first(&to));
	list_move_all(&to, &from);
	assert_true(list_is_empty(&to));
}

static void test_block_pool_keeps_no_more_than_its_bound(void **state)
{
	struct block_pool pool = BLOCK_POOL(64, 1);
	void *a = block_pool_take(&pool), *b = block_pool_take(&pool);

	(void)state;
	block_pool_return(&pool, a);
	block_pool_return(&pool, b);
	assert_int_equal(pool.kept_count, 1);
	assert_ptr_equal(block_pool_take(&pool), a);
	block_pool_return(&pool, a);
	block_pool_trim(&pool);
	assert_int_equal(pool.kept_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_needs_digits_only),
		cmocka_unit_test(test_trim_takes_spaces_and_tabs_of_both_ends),
		cmocka_unit_test(test_buffer_keeps_what_fits_and_says_so),
		cmocka_unit_test(test_formatting_beyond_the_end_truncates),
		cmocka_unit_test(test_moving_a_list_empties_its_source),
		cmocka_unit_test(test_block_pool_keeps_no_more_than_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
