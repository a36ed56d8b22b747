/* http/date.h: the one form of dates that HTTP sends (RFC 9110 §5.6.7). */
#include "assert_text.h"

#include "http/date.h"

static struct text written(time_t time)
{
	static char bytes[DATE_LENGTH];

	date_write(bytes, time);
	return (struct text){ bytes, sizeof(bytes) };
}

static void test_dates_are_written_as_imf_fixdate(void **state)
{
	(void)state;
	/* The example of RFC 9110 §5.6.7. */
	assert_text(written(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_text(written(0), "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_text(written(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
	assert_text(written(1798761599), "Thu, 31 Dec 2026 23:59:59 GMT");
}

static void test_times_before_1970_are_dates_too(void **state)
{
	(void)state;
	assert_text(written(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
}

/* A file's time is what somebody set it to. */
static void test_times_beyond_four_digits_of_a_year_are_clamped(void **state)
{
	(void)state;
	assert_text(written(253402300799), "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_text(written(253402300800), "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_text(written(INT64_MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_text(written(INT64_MIN), "Mon, 01 Jan 0001 00:00:00 GMT");
}

static void test_the_current_date_changes_with_its_second(void **state)
{
	const int64_t second = 1000000000;

	(void)state;
	assert_text(date_now(784111777 * second), "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_text(date_now(784111777 * second + second - 1), "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_text(date_now(784111778 * second), "Sun, 06 Nov 1994 08:49:38 GMT");
	assert_text(date_now(784111777 * second), "Sun, 06 Nov 1994 08:49:37 GMT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates_are_written_as_imf_fixdate),
		cmocka_unit_test(test_times_before_1970_are_dates_too),
		cmocka_unit_test(test_times_beyond_four_digits_of_a_year_are_clamped),
		cmocka_unit_test(test_the_current_date_changes_with_its_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
