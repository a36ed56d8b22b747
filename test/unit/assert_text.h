/* Shared by the unit tests: the includes that cmocka needs, and a comparison of texts. */
#ifndef RINGLET_TEST_ASSERT_TEXT_H
#define RINGLET_TEST_ASSERT_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail     /* base/log.h has one */
#undef fail_msg /* is made of it */

#include "base/text.h"

#define fail_saying(...)                                                                           \
	do {                                                                                       \
		print_error(__VA_ARGS__);                                                          \
		_fail(__FILE__, __LINE__);                                                         \
	} while (0)

/* Prints both if they differ. */
#define assert_text(actual, expected)                                                              \
	do {                                                                                       \
		struct text actual_text = (actual), expected_text = text_of(expected);             \
		if (!text_equal(actual_text, expected_text))                                       \
			fail_saying("\"%.*s\" is not \"%.*s\"\n", TEXT_ARGUMENTS(actual_text),     \
				TEXT_ARGUMENTS(expected_text));                                    \
	} while (0)

#endif
