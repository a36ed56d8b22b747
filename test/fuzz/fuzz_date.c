/* A date in one of the three forms is either refused, or a time that is written and read again as
 * itself. */
#include "fuzz.h"

#include "http/date.h"

/* 6 November 1994, 08:49:37, and the first and last second that can be written. */
enum { NOW = 784111777 };
static const time_t FIRST = -62135596800, LAST = 253402300799;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct text date = { (const char *)bytes, length };
	char written[DATE_LENGTH];
	struct text again = { written, DATE_LENGTH };
	time_t time, second_time;

	if (date_parse(&time, date, NOW) < 0)
		return 0;
	date_write(written, time);
	assert(date_parse(&second_time, again, NOW) == 0);
	assert(second_time == (time < FIRST ? FIRST : time > LAST ? LAST : time));
	return 0;
}
