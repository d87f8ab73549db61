/* Levels: 1, 2, 3 for the first complete snapshot of a day, week, four weeks (DESIGN 4.7). */
#ifndef PLAN_LEVEL_H
#define PLAN_LEVEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Day number of the local date of TIME_MS (Unix ms), days since 1970-01-01. */
int64_t level_day(int64_t time_ms);
/* Level of a snapshot on DAY when the newest complete one was on LAST (or there is none). */
uint8_t level_of(int64_t day, bool has_last, int64_t last);

/* An archive that the newest snapshot refers to. */
struct level_archive {
	uint64_t seq;
	uint8_t level;
	uint64_t live, size; /* stored bytes: referred to, and all */
};

#define LEVEL_DEPENDENCIES 128

/* Which of N archives a snapshot of LEVEL writes anew (DESIGN 4.7; the thresholds were simulated):
 * those of lower levels that are less than 75 % live, those of the same level that are less than
 * 30 % live; and where more than LEVEL_DEPENDENCIES would remain, those with the fewest live bytes,
 * down to three quarters of that.  Their sequence numbers go to OUT (room for N); returns how many.
 * ARCHIVES is put in another order. */
size_t level_victims(uint8_t level, struct level_archive *archives, size_t n, uint64_t *out);

#endif
