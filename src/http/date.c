/* Dates in the one form that HTTP sends, "Sun, 06 Nov 1994 08:49:37 GMT".
 *
 * Written by hand because strftime() follows the locale.  The current date is rendered when its
 * second changes; a worker has one thread that answers, so one cache in static memory is enough. */
#include "http/date.h"

#include <assert.h>
#include <string.h>

static const int64_t NS_PER_SECOND = 1000000000;

/* IMF-fixdate has four digits for the year: 0001-01-01 to 9999-12-31. */
static const time_t TIME_MIN = -62135596800;
static const time_t TIME_MAX = 253402300799;

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
	static const char DAYS[] = "SunMonTueWedThuFriSat";
	static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
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
