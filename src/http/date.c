/* Dates: written in the one form that HTTP sends, "Sun, 06 Nov 1994 08:49:37 GMT", read in the
 * three that were ever sent.
 *
 * By hand because strftime() and strptime() follow the locale.  The name of the weekday is read,
 * and not compared with the date: it says nothing that the date does not say.  The current date is
 * rendered when its second changes; a worker has one thread that answers, so one cache in static
 * memory is enough. */
#include "http/date.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const int64_t NS_PER_SECOND = 1000000000;

/* IMF-fixdate has four digits for the year: 0001-01-01 to 9999-12-31. */
static const time_t TIME_MIN = -62135596800;
static const time_t TIME_MAX = 253402300799;

static const char DAYS[] = "SunMonTueWedThuFriSat";
static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* --- writing ------------------------------------------------------------------------------ */

static void write_digits(char *bytes, int count, int number)
{
	while (count-- > 0) {
		bytes[count] = (char)('0' + number % 10);
		number /= 10;
	}
}

static time_t clamp(time_t time)
{
	if (time < TIME_MIN)
		return TIME_MIN;
	return time > TIME_MAX ? TIME_MAX : time;
}

void date_write(char bytes[DATE_LENGTH], time_t time)
{
	struct tm parts;

	time = clamp(time);
	gmtime_r(&time, &parts);
	memcpy(bytes, "ddd, DD mmm YYYY HH:MM:SS GMT", DATE_LENGTH);
	memcpy(bytes, DAYS + 3 * parts.tm_wday, 3);
	write_digits(bytes + 5, 2, parts.tm_mday);
	memcpy(bytes + 8, MONTHS + 3 * parts.tm_mon, 3);
	write_digits(bytes + 12, 4, parts.tm_year + 1900);
	write_digits(bytes + 17, 2, parts.tm_hour);
	write_digits(bytes + 20, 2, parts.tm_min);
	write_digits(bytes + 23, 2, parts.tm_sec);
}

struct text date_now(int64_t wall_ns)
{
	static char bytes[DATE_LENGTH];
	static time_t rendered = -1;
	time_t now = wall_ns / NS_PER_SECOND;

	assert(wall_ns >= 0);
	if (now != rendered) {
		date_write(bytes, now);
		rendered = now;
	}
	return (struct text){ bytes, DATE_LENGTH };
}

/* --- reading: each function takes what it is named after from the front of `rest` ---------- */

static bool take(struct text *rest, struct text expected)
{
	if (!text_starts_with(*rest, expected))
		return false;
	*rest = text_from(*rest, expected.length);
	return true;
}

/* The index of a name of three letters. */
static bool take_name(int *index, struct text *rest, const char *names)
{
	for (size_t i = 0; names[i] != '\0'; i += 3) {
		if (take(rest, (struct text){ names + i, 3 })) {
			*index = (int)(i / 3);
			return true;
		}
	}
	return false;
}

static bool take_digits(int *number, struct text *rest, size_t count)
{
	uint64_t value;

	if (rest->length < count || text_to_number(&value, text_first(*rest, count)) < 0)
		return false;
	*number = (int)value;
	*rest = text_from(*rest, count);
	return true;
}

static bool take_time(struct tm *parts, struct text *rest)
{
	return take_digits(&parts->tm_hour, rest, 2) && take(rest, text_literal(":")) &&
	       take_digits(&parts->tm_min, rest, 2) && take(rest, text_literal(":")) &&
	       take_digits(&parts->tm_sec, rest, 2);
}

static bool take_year(struct tm *parts, struct text *rest)
{
	int year;

	if (!take_digits(&year, rest, 4))
		return false;
	parts->tm_year = year - 1900;
	return true;
}

/* "06 Nov 1994 08:49:37 GMT", what follows "Sun, ". */
static bool take_fixdate(struct tm *parts, struct text *rest)
{
	return take_digits(&parts->tm_mday, rest, 2) && take(rest, text_literal(" ")) &&
	       take_name(&parts->tm_mon, rest, MONTHS) && take(rest, text_literal(" ")) &&
	       take_year(parts, rest) && take(rest, text_literal(" ")) && take_time(parts, rest) &&
	       take(rest, text_literal(" GMT"));
}

/* "Nov  6 08:49:37 1994", what follows "Sun ". */
static bool take_asctime(struct tm *parts, struct text *rest)
{
	if (!take_name(&parts->tm_mon, rest, MONTHS) || !take(rest, text_literal(" ")))
		return false;
	if (!take_digits(&parts->tm_mday, rest, take(rest, text_literal(" ")) ? 1 : 2))
		return false;
	return take(rest, text_literal(" ")) && take_time(parts, rest) &&
	       take(rest, text_literal(" ")) && take_year(parts, rest);
}

/* A date more than 50 years ahead is meant to be the one a century earlier. */
static void choose_century(struct tm *parts, int digits, time_t now)
{
	struct tm limit, copy;

	gmtime_r(&now, &limit);
	parts->tm_year = (limit.tm_year + 1900) / 100 * 100 + digits - 1900;
	limit.tm_year += 50;
	copy = *parts;
	if (timegm(&copy) > timegm(&limit))
		parts->tm_year -= 100;
}

/* "06-Nov-94 08:49:37 GMT", what follows "Sunday, ". */
static bool take_rfc850(struct tm *parts, struct text *rest, time_t now)
{
	int year;

	if (!take_digits(&parts->tm_mday, rest, 2) || !take(rest, text_literal("-")) ||
		!take_name(&parts->tm_mon, rest, MONTHS) || !take(rest, text_literal("-")) ||
		!take_digits(&year, rest, 2) || !take(rest, text_literal(" ")) ||
		!take_time(parts, rest) || !take(rest, text_literal(" GMT")))
		return false;
	choose_century(parts, year, now);
	return true;
}

static bool take_date(struct tm *parts, struct text *rest, time_t now)
{
	static const char *const day_ends[] = { "day", "day", "sday", "nesday", "rsday", "day",
		"urday" };
	int day;

	if (!take_name(&day, rest, DAYS))
		return false;
	if (take(rest, text_literal(", ")))
		return take_fixdate(parts, rest);
	if (take(rest, text_literal(" ")))
		return take_asctime(parts, rest);
	return take(rest, text_of(day_ends[day])) && take(rest, text_literal(", ")) &&
	       take_rfc850(parts, rest, now);
}

static int days_of_month(const struct tm *parts)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = parts->tm_year + 1900;
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[parts->tm_mon] + (parts->tm_mon == 1 && is_leap);
}

/* Of the calendar; a leap second is a second. */
static bool exists(const struct tm *parts)
{
	return parts->tm_mday >= 1 && parts->tm_mday <= days_of_month(parts) &&
	       parts->tm_hour < 24 && parts->tm_min < 60 && parts->tm_sec <= 60;
}

int date_parse(time_t *time, struct text date, time_t now)
{
	struct tm parts = { 0 };

	if (!take_date(&parts, &date, now) || date.length > 0 || !exists(&parts))
		return -EINVAL;
	*time = timegm(&parts);
	return 0;
}
