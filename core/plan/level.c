#include "plan/level.h"

#include <time.h>

/* Floor division, so that days before 1970 stay in order. */
static int64_t div_floor(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t level_day(int64_t time_ms)
{
	time_t t = (time_t)div_floor(time_ms, 1000);
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return div_floor(time_ms, 86400000);
	return div_floor((int64_t)t + tm.tm_gmtoff, 86400);
}

static int64_t week_of(int64_t day)
{
	return div_floor(day + 3, 7);
}

uint8_t level_of(int64_t day, bool has_last, int64_t last)
{
	if (!has_last || div_floor(week_of(day), 4) != div_floor(week_of(last), 4))
		return 3;
	if (week_of(day) != week_of(last))
		return 2;
	return day != last;
}
