/* Dates (RFC 9110 §5.6.7): rendering IMF-fixdate, the current one without a call per request, and
 * reading all three forms. */
#ifndef RINGLET_HTTP_DATE_H
#define RINGLET_HTTP_DATE_H

#include <time.h>

#include "base/text.h"

enum { DATE_LENGTH = 29 }; /* "Sun, 06 Nov 1994 08:49:37 GMT" */

void date_write(char bytes[DATE_LENGTH], time_t time);

/* The date of the second that `wall_ns` falls in; rendered once per second and kept.  Valid until
 * the next call. */
struct text date_now(int64_t wall_ns);

/* IMF-fixdate, RFC 850's form or asctime()'s.  RFC 850's two digits are the year that is not more
 * than 50 years after `now`.  0; -EINVAL: not a date, or not one of the calendar. */
int date_parse(time_t *time, struct text date, time_t now);

#endif
