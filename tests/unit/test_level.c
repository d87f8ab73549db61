/* Levels of snapshots, which archives a snapshot writes anew, and which files are trusted to be what they
 * were: against plain statements of the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/entry.h"
#include "dice.h"
#include "plan/level.h"
#include "source/trust.h"

__extension__ typedef __int128 wide;

/* ---- levels ---- */

/* Level 1 for the first of a day, 2 of a week that begins on Monday, 3 of four weeks or of all; the clock
 * may go back. */
static void test_level_of(void **state)
{
	(void)state;
	assert_int_equal(level_of(0, false, 0), 3);
	for (int64_t day = -1000; day < 1000; day++) {
		/* 1970-01-05 was a Monday, day 4 */
		int64_t week = (day + 10 * 28 * 7 * 28 - 4) / 7, next = (day + 1 + 10 * 28 * 7 * 28 - 4) / 7;
		bool period = (day + 3 + 7 * 4000) / 28 != (day + 4 + 7 * 4000) / 28;
		uint8_t want = period ? 3 : week != next ? 2 : 1;

		assert_int_equal(level_of(day, true, day), 0);
		assert_int_equal(level_of(day + 1, true, day), want);
		assert_int_equal(level_of(day, true, day + 1), want);
		assert_int_equal(level_of(day + 28, true, day), 3);
	}
}

/* The day of a moment is that of the local calendar, before 1970 too, and with summer time. */
static void test_level_day(void **state)
{
	(void)state;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	assert_int_equal(level_day(0), 0);
	assert_int_equal(level_day(86399999), 0);
	assert_int_equal(level_day(86400000), 1);
	assert_int_equal(level_day(-1), -1);
	assert_int_equal(level_day(-86400000), -1);
	assert_int_equal(level_day(-86400001), -2);
	assert_int_equal(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
	tzset();
	assert_int_equal(level_day(82800000 - 1), 0);	  /* 23:59:59.999 in winter */
	assert_int_equal(level_day(82800000), 1);
	assert_int_equal(level_day(1782856799999), 20634); /* 2026-06-30 23:59:59.999 */
	assert_int_equal(level_day(1782856800000), 20635);
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

/* ---- victims ---- */

static bool named(uint64_t seq, const uint64_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == seq)
			return true;
	return false;
}

/* Less than PERCENT of 100 live, in whole bytes, said with 128 bits. */
static bool less(const struct level_archive *a, unsigned percent)
{
	return (wide)a->live < (wide)a->size * percent / 100;
}

static bool by_rule(uint8_t level, const struct level_archive *a)
{
	return (a->level < level && less(a, 75)) || (a->level == level && less(a, 30));
}

static void random_archives(struct level_archive *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		a[i] = (struct level_archive){ .seq = i * 3 + 1,
					       .level = (uint8_t)dice_below(4),
					       .size = dice_below(5) ? dice_below(2000)
								     : dice() >> dice_below(30) };
		a[i].live = dice_below(3) ? a[i].size - a[i].size / (1 + dice_below(9))
					  : a[i].size;
		a[i].live = a[i].live > 20 ? a[i].live - dice_below(20) : a[i].live;
	}
}

/* Victims are those that the thresholds name, and where more than 128 would remain those with the fewest
 * live bytes, until 96 remain; none twice. */
static void test_victims(void **state)
{
	static struct level_archive a[400], copy[400];
	uint64_t out[400];

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		size_t n = round % 2 ? dice_below(20) : 90 + dice_below(300), by = 0, left, got;
		uint8_t level = (uint8_t)dice_below(4);

		random_archives(a, n);
		memcpy(copy, a, sizeof(a));
		got = level_victims(level, a, n, out);
		for (size_t i = 0; i < got; i++)
			assert_false(named(out[i], out, i));
		for (size_t i = 0; i < n; i++)
			by += by_rule(level, &copy[i]);
		left = n - by > 128 ? 96 : n - by;
		assert_int_equal(got, n - left);
		for (size_t i = 0; i < n; i++) {
			bool is = named(copy[i].seq, out, got);

			assert_true(is || !by_rule(level, &copy[i]));
			if (!is || by_rule(level, &copy[i]))
				continue;
			assert_true(n - by > 128);
			for (size_t k = 0; k < n; k++) /* who stays has no fewer */
				assert_true(named(copy[k].seq, out, got) ||
					    copy[k].live >= copy[i].live);
		}
	}
}

/* Exactly three quarters, exactly 30 %, and exactly 128 stay. */
static void test_thresholds(void **state)
{
	struct level_archive a[129], one = { .seq = 1, .level = 0, .size = 1000, .live = 750 };
	uint64_t out[129];

	(void)state;
	assert_int_equal(level_victims(1, &one, 1, out), 0);
	assert_int_equal(level_victims(0, &one, 1, out), 0);
	one.live = 749;
	assert_int_equal(level_victims(1, &one, 1, out), 1);
	one.live = 300;
	assert_int_equal(level_victims(0, &one, 1, out), 0);
	one.live = 299;
	assert_int_equal(level_victims(0, &one, 1, out), 1);
	one.level = 1;
	assert_int_equal(level_victims(0, &one, 1, out), 0);
	for (uint64_t i = 0; i < 129; i++)
		a[i] = (struct level_archive){ .seq = i + 1, .size = 10, .live = 10 };
	assert_int_equal(level_victims(3, a, 128, out), 0);
	assert_int_equal(level_victims(3, a, 129, out), 33);
	assert_int_equal(level_victims(3, a, 0, out), 0);
}

/* ---- trust ---- */

#define SECOND 1000000000LL

static bool trusted(int64_t mtime_ns, int64_t ctime_ns, int64_t now, uint64_t window_ms)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	st.st_mtim.tv_sec = mtime_ns / SECOND - (mtime_ns % SECOND < 0);
	st.st_mtim.tv_nsec = (mtime_ns % SECOND + SECOND) % SECOND;
	st.st_ctim.tv_sec = ctime_ns / SECOND - (ctime_ns % SECOND < 0);
	st.st_ctim.tv_nsec = (ctime_ns % SECOND + SECOND) % SECOND;
	return trust_times(&st, now, window_ms);
}

/* Both times lie more than the window before the reading, to the nanosecond; times in the future, and all
 * times while the clock is before 1970 or the window reaches there, are not trusted. */
static void test_times(void **state)
{
	const int64_t now = 1700000000 * SECOND + 5, edge = now - 60 * SECOND;

	(void)state;
	assert_true(trusted(edge - 1, edge - 1, now, 60000));
	assert_false(trusted(edge, edge - 1, now, 60000));
	assert_false(trusted(edge - 1, edge, now, 60000));
	assert_false(trusted(now + 1, edge - 1, now, 60000));
	assert_false(trusted(edge - 1, now + 1000 * SECOND, now, 60000));
	assert_true(trusted(-5 * SECOND, -1, now, 60000));
	assert_true(trusted(now - 1, now - 1, now, 0));
	assert_false(trusted(now, now - 1, now, 0));
	assert_false(trusted(now - 1, now, now, 0));
	assert_false(trusted(-100 * SECOND, -100 * SECOND, -SECOND, 0));
	assert_false(trusted(-100 * SECOND, -100 * SECOND, 30 * SECOND, 60000));
	assert_true(trusted(-1, -1, 60 * SECOND, 60000));
	assert_false(trusted(0, 0, 60 * SECOND, 60000));
	assert_false(trusted(0, 0, now, UINT64_MAX));
	assert_false(trusted(0, 0, now, INT64_MAX / 1000000 + 1));
	assert_false(trusted(0, 0, INT64_MIN, 60000));
	assert_false(trusted(0, 0, INT64_MIN, 0));
	assert_true(trusted(0, 0, INT64_MAX, 60000));
}

/* The same for random moments, said with 128 bits. */
static void test_times_at_random(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		int64_t now = (int64_t)(dice() >> 1), m = now, c = now;
		uint64_t window = dice() >> dice_below(64);
		wide limit = (wide)now - (wide)window * 1000000;

		if (dice_below(2) && window < 1000000000)
			m = c = now - (int64_t)window * 1000000;
		m -= (int64_t)dice_below(5) - 2;
		c -= (int64_t)dice_below(5) - 2;
		if (window <= INT64_MAX / 1000000)
			assert_true(trusted(m, c, now, window) == (limit >= 0 && m < limit && c < limit));
		else
			assert_false(trusted(m, c, now, window));
	}
}

/* What is remembered of an entry is its stat, without the size of a directory, and whether it lies on the
 * root's device. */
static void test_stat(void **state)
{
	struct entry_stat s;
	struct stat st;

	(void)state;
	memset(&st, 0, sizeof(st));
	st.st_ino = 5;
	st.st_dev = 7;
	st.st_size = 4096;
	st.st_mode = 0100640;
	st.st_uid = 1;
	st.st_gid = 2;
	st.st_rdev = 3;
	st.st_mtim.tv_sec = -4;
	st.st_mtim.tv_nsec = 999999999;
	st.st_ctim.tv_sec = 8;
	st.st_ctim.tv_nsec = 9;
	trust_stat(&st, 7, &s);
	assert_true(s.ino == 5 && s.size == 4096 && s.mode == 0100640 && s.uid == 1 && s.gid == 2 &&
		    s.rdev == 3 && s.mtime == -4 && s.mtime_ns == 999999999 && s.ctime == 8 &&
		    s.ctime_ns == 9 && s.root_device);
	st.st_mode = 040755;
	trust_stat(&st, 8, &s);
	assert_true(s.size == 0 && !s.root_device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_level_of),   cmocka_unit_test(test_level_day),
		cmocka_unit_test(test_victims),	   cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_times),	   cmocka_unit_test(test_times_at_random),
		cmocka_unit_test(test_stat),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
