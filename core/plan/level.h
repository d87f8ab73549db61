/* Levels: 1, 2, 3 for the first complete snapshot of a day, week, four weeks (DESIGN 4.7). */
#ifndef PLAN_LEVEL_H
#define PLAN_LEVEL_H

#include <stdbool.h>
#include <stdint.h>

/* Day number of the local date of TIME_MS (Unix ms), days since 1970-01-01. */
int64_t level_day(int64_t time_ms);
/* Level of a snapshot on DAY when the newest complete one was on LAST (or there is none). */
uint8_t level_of(int64_t day, bool has_last, int64_t last);

#endif
