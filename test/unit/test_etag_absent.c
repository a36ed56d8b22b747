/* files/etag.h in a build without libxxhash: what needs it is refused, not replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "files/content_hash.h"
#include "files/etag.h"

static void test_content_is_refused_and_the_other_words_are_not(void **state)
{
	size_t wrong = 1;

	(void)state;
	assert_false(content_hash_is_built());
	for (size_t i = 0; etag_words[i]; i++) {
		const char *what = etag_check(&etag_words[i], 1, &wrong);

		assert_int_equal(what != NULL, i == ETAG_CONTENT);
		assert_int_equal(wrong, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content_is_refused_and_the_other_words_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
