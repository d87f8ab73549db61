#include "plan/level.h"

#include <stdbool.h>
#include <stdlib.h>
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

static bool below(const struct level_archive *a, unsigned percent)
{
	return a->live < a->size / 100 * percent + a->size % 100 * percent / 100;
}

static bool is_victim(uint8_t level, const struct level_archive *a)
{
	return (a->level < level && below(a, 75)) || (a->level == level && below(a, 30));
}

static int fewest_live_first(const void *a, const void *b)
{
	const struct level_archive *x = a, *y = b;

	if (x->live != y->live)
		return x->live < y->live ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

size_t level_victims(uint8_t level, struct level_archive *archives, size_t n, uint64_t *out)
{
	size_t found = 0, left;
	bool crowded;

	qsort(archives, n, sizeof(*archives), fewest_live_first);
	for (size_t i = 0; i < n; i++)
		found += is_victim(level, &archives[i]);
	crowded = n - found > LEVEL_DEPENDENCIES;
	/* in one go, fewest first: what is left then is at most three quarters */
	left = n - found;
	found = 0;
	for (size_t i = 0; i < n; i++) {
		bool victim = is_victim(level, &archives[i]);

		if (!victim && crowded && left > LEVEL_DEPENDENCIES / 4 * 3) {
			victim = true;
			left--;
		}
		if (victim)
			out[found++] = archives[i].seq;
	}
	return found;
}
