/* http/date.h: the form in which HTTP sends dates (RFC 9110 §5.6.7), and the three forms that it
 * reads. */
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

/* The time of a file can be any time. */
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

/* --- reading ------------------------------------------------------------------------------ */

static const time_t EXAMPLE = 784111777;
static const time_t YEAR_2026 = 1798761599; /* its last second */

static time_t parsed(const char *date)
{
	time_t time = -1;

	if (date_parse(&time, text_of(date), YEAR_2026) < 0)
		fail_saying("\"%s\" is not read\n", date);
	return time;
}

/* RFC 9110 §5.6.7: a recipient MUST accept all three. */
static void test_dates_are_read_in_all_three_forms(void **state)
{
	(void)state;
	assert_int_equal(parsed("Sun, 06 Nov 1994 08:49:37 GMT"), EXAMPLE);
	assert_int_equal(parsed("Sunday, 06-Nov-94 08:49:37 GMT"), EXAMPLE);
	assert_int_equal(parsed("Sun Nov  6 08:49:37 1994"), EXAMPLE);
	assert_int_equal(parsed("Wed Nov 16 08:49:37 1994"), EXAMPLE + 10 * 86400);
}

static void test_what_is_written_is_read(void **state)
{
	static const time_t times[] = { 0, -1, 951782400, 4102444800, 253402300799, -62135596800 };

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		time_t time = 1;

		assert_int_equal(date_parse(&time, written(times[i]), 0), 0);
		assert_int_equal(time, times[i]);
	}
}

static void test_every_weekday_and_month_has_its_names(void **state)
{
	(void)state;
	assert_int_equal(parsed("Monday, 07-Nov-94 08:49:37 GMT"), EXAMPLE + 86400);
	assert_int_equal(parsed("Tuesday, 08-Nov-94 08:49:37 GMT"), EXAMPLE + 2 * 86400);
	assert_int_equal(parsed("Wednesday, 09-Nov-94 08:49:37 GMT"), EXAMPLE + 3 * 86400);
	assert_int_equal(parsed("Thursday, 10-Nov-94 08:49:37 GMT"), EXAMPLE + 4 * 86400);
	assert_int_equal(parsed("Friday, 11-Nov-94 08:49:37 GMT"), EXAMPLE + 5 * 86400);
	assert_int_equal(parsed("Saturday, 12-Nov-94 08:49:37 GMT"), EXAMPLE + 6 * 86400);
	for (time_t month = 0; month < 12; month++) {
		time_t time = month * 31 * 86400, again = -1;

		assert_int_equal(date_parse(&again, written(time), 0), 0);
		assert_int_equal(again, time);
	}
}

/* RFC 9110 §5.6.7: more than 50 years in the future means the most recent past. */
static void test_two_digits_of_a_year_are_at_most_50_years_ahead(void **state)
{
	(void)state;
	assert_int_equal(parsed("Thursday, 31-Dec-76 23:59:59 GMT"),
		parsed("Thu, 31 Dec 2076 23:59:59 GMT"));
	assert_int_equal(parsed("Saturday, 01-Jan-77 00:00:00 GMT"),
		parsed("Sat, 01 Jan 1977 00:00:00 GMT"));
	assert_int_equal(parsed("Saturday, 01-Jan-00 00:00:00 GMT"),
		parsed("Sat, 01 Jan 2000 00:00:00 GMT"));
}

static void test_leap_days_and_leap_seconds_exist(void **state)
{
	(void)state;
	assert_int_equal(parsed("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400);
	assert_int_equal(parsed("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800);
}

static void test_what_is_no_date_is_refused(void **state)
{
	static const char *const wrong[] = { "", "0", "yesterday", "784111777",
		"Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
		" Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37 GMT; length=7", "sun, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT", "Thu, 31 Nov 1994 08:49:37 GMT",
		"Mon, 29 Feb 1900 00:00:00 GMT", "Wed, 29 Feb 1995 00:00:00 GMT",
		"Sun, -6 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
		"Sunday, 06 Nov 1994 08:49:37 GMT", "Sunsday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 94", "Sun Nov  6 08:49:37 1994 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT" };
	time_t time;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (date_parse(&time, text_of(wrong[i]), YEAR_2026) == 0)
			fail_saying("\"%s\" is read\n", wrong[i]);
	}
}

static void test_no_beginning_of_a_date_is_a_date(void **state)
{
	static const char *const dates[] = { "Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994" };
	time_t time;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t length = 0; length < strlen(dates[i]); length++)
			assert_true(date_parse(&time, (struct text){ dates[i], length }, 0) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates_are_written_as_imf_fixdate),
		cmocka_unit_test(test_times_before_1970_are_dates_too),
		cmocka_unit_test(test_times_beyond_four_digits_of_a_year_are_clamped),
		cmocka_unit_test(test_the_current_date_changes_with_its_second),
		cmocka_unit_test(test_dates_are_read_in_all_three_forms),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_every_weekday_and_month_has_its_names),
		cmocka_unit_test(test_two_digits_of_a_year_are_at_most_50_years_ahead),
		cmocka_unit_test(test_leap_days_and_leap_seconds_exist),
		cmocka_unit_test(test_what_is_no_date_is_refused),
		cmocka_unit_test(test_no_beginning_of_a_date_is_a_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
