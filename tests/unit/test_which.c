/* WHICH: the part of NAME@WHICH that chooses a snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "archive/catalog.h"
#include "base/err.h"

static struct err oops;

#define HOUR 3600000
/* 2023-11-14 22:13:20 UTC */
#define T0 1700000000000

/* Eight snapshots with ids 0a…, 1a…: the states say which of them count. */
static struct snapshot shelf[] = {
	{ .archive = { .seq = 1, .id = { 0x0a, 0xbc, 0xde, 0xf1, 0x11 } },
	  .created_ms = T0 },
	{ .archive = { .seq = 2, .id = { 0x0a, 0xbc, 0xde, 0xf2, 0x22 } },
	  .created_ms = T0 + HOUR },
	{ .archive = { .seq = 3, .id = { 0x3a } },
	  .created_ms = T0 + 2 * HOUR,
	  .state = SNAPSHOT_DAMAGED },
	{ .archive = { .seq = 4, .id = { 0x4a } },
	  .created_ms = T0 + 3 * HOUR,
	  .state = SNAPSHOT_PARTIAL },
	{ .archive = { .seq = 5, .id = { 0x5a } },
	  .created_ms = T0 + 4 * HOUR,
	  .state = SNAPSHOT_ABANDONED },
	{ .archive = { .seq = 5, .id = { 0x5b } }, .created_ms = T0 + 5 * HOUR },
	{ .archive = { .seq = 6, .id = { 0x6a } }, .created_ms = T0 + 6 * HOUR },
	{ .archive = { .seq = 6, .id = { 0x6b } }, .created_ms = T0 - 5 * HOUR },
};

static const struct catalog_stream stream = { .stream = { .name = "db" },
					      .n = sizeof(shelf) / sizeof(*shelf),
					      .snapshots = shelf };

/* Index on the shelf, or minus the kind of the error. */
static int which(const char *text)
{
	static char broken[] = "broken";
	const struct snapshot *x = NULL;

	for (size_t i = 0; i < stream.n; i++)
		shelf[i].problem = broken;
	if (catalog_which(&stream, text, &x, &oops) < 0)
		return -(int)oops.kind;
	return (int)(x - shelf);
}

/* The same for who salvages. */
static int which_damaged(const char *text)
{
	const struct snapshot *x = NULL;

	if (catalog_which_damaged(&stream, text, &x, &oops) < 0)
		return -(int)oops.kind;
	return (int)(x - shelf);
}

/* Who salvages gets a damaged one by its number or id; all else is as for others. */
static void test_damaged(void **state)
{
	(void)state;
	assert_int_equal(which("3"), -ERR_DAMAGED);
	assert_int_equal(which_damaged("3"), 2);
	assert_int_equal(which_damaged("3a000000"), 2);
	assert_int_equal(which_damaged("id:3"), 2);
	assert_int_equal(which_damaged("4"), -ERR_NOT_FOUND);
	assert_int_equal(which_damaged("5"), 5);
	assert_int_equal(which_damaged("latest"), 7);
	assert_int_equal(which_damaged("latest~5"), -ERR_NOT_FOUND);
	assert_int_equal(which_damaged("2023-11-14T22:13Z"), which("2023-11-14T22:13Z"));
}

/* latest is the highest number that counts, latest~N the N-th before it. */
static void test_latest(void **state)
{
	(void)state;
	assert_int_equal(which("latest"), 7);
	assert_int_equal(which("latest~0"), 7);
	assert_int_equal(which("latest~1"), 6);
	assert_int_equal(which("latest~2"), 5);
	assert_int_equal(which("latest~4"), 0);
	assert_int_equal(which("latest~5"), -ERR_NOT_FOUND);
	assert_int_equal(which("latest~99999999999999999999999"), -ERR_NOT_FOUND);
	assert_int_equal(which("latest~"), -ERR_USAGE);
	assert_int_equal(which("latest~x"), -ERR_USAGE);
	assert_int_equal(which("latest~-1"), -ERR_USAGE);
	assert_int_equal(which("latest1"), -ERR_USAGE);
	assert_int_equal(which("Latest"), -ERR_USAGE);
}

/* Digits are a number, whatever their count; a damaged one is ERR_DAMAGED, a checkpoint
 * and an abandoned one are not found, two that count are ambiguous. */
static void test_number(void **state)
{
	(void)state;
	assert_int_equal(which("1"), 0);
	assert_int_equal(which("0000000002"), 1);
	assert_int_equal(which("00000000000000000000000000000000001"), 0);
	assert_int_equal(which("3"), -ERR_DAMAGED);
	assert_int_equal(which("4"), -ERR_NOT_FOUND);
	assert_int_equal(which("5"), 5); /* its abandoned sibling does not count */
	assert_int_equal(which("6"), -ERR_REFUSED);
	assert_int_equal(which("7"), -ERR_NOT_FOUND);
	assert_int_equal(which("0"), -ERR_NOT_FOUND);
	assert_int_equal(which("18446744073709551617"), -ERR_NOT_FOUND);
	assert_int_equal(which("99999999"), -ERR_NOT_FOUND);
}

/* Eight hex digits with a letter are the beginning of an id, and so is anything hex
 * behind id:. */
static void test_id(void **state)
{
	(void)state;
	assert_int_equal(which("0abcdef1"), 0);
	assert_int_equal(which("0ABCDEF2"), 1);
	assert_int_equal(which("0abcdef111"), 0);
	assert_int_equal(which("0abcdef1110000000000000000000000"), 0);
	assert_int_equal(which("0abcdef11100000000000000000000000"), -ERR_USAGE);
	assert_int_equal(which("0abcdef1110000000000000000000001"), -ERR_NOT_FOUND);
	assert_int_equal(which("0abcdef"), -ERR_USAGE);
	assert_int_equal(which("id:0abcdef"), -ERR_REFUSED);
	assert_int_equal(which("id:0"), -ERR_REFUSED);
	assert_int_equal(which("id:6a"), 6);
	assert_int_equal(which("id:3"), -ERR_DAMAGED);
	assert_int_equal(which("id:4"), -ERR_NOT_FOUND);
	assert_int_equal(which("id:5a"), -ERR_NOT_FOUND);
	assert_int_equal(which("id:5"), 5);
	assert_int_equal(which("id:7"), -ERR_NOT_FOUND);
	assert_int_equal(which("id:"), -ERR_USAGE);
	assert_int_equal(which("id:xyz"), -ERR_USAGE);
	assert_int_equal(which("ID:6a"), -ERR_USAGE);
	assert_int_equal(which("3a000000"), -ERR_DAMAGED);
}

static void set_zone(const char *tz)
{
	assert_int_equal(setenv("TZ", tz, 1), 0);
	tzset();
}

/* A date is the newest snapshot at or before it: a minute counts to its end, a day to the
 * end of the local day; the time of a snapshot counts, not its number. */
static void test_date(void **state)
{
	(void)state;
	set_zone("UTC");
	assert_int_equal(which("2023-11-14T22:13Z"), 0);
	assert_int_equal(which("2023-11-14T22:12Z"), 7);
	assert_int_equal(which("2023-11-14T22:14"), 0);
	assert_int_equal(which("2023-11-14T23:13"), 1);
	assert_int_equal(which("2023-11-14"), 1);
	assert_int_equal(which("2023-11-15T01:13"), 1); /* 2 to 4 do not count */
	assert_int_equal(which("2023-11-15"), 6);
	assert_int_equal(which("2099-12-31"), 6);
	assert_int_equal(which("2023-11-13"), -ERR_NOT_FOUND);
	set_zone("XXX-5"); /* five hours ahead: 03:13 of the 15th */
	assert_int_equal(which("2023-11-15T03:13"), 0);
	assert_int_equal(which("2023-11-14T22:13Z"), 0);
	assert_int_equal(which("2023-11-14T22:13"), 7);
	assert_int_equal(which("2023-11-14"), 7);
	assert_int_equal(which("2023-11-15"), 6);
	set_zone("UTC");
}

/* A day of 23 or 25 hours ends when the local date does. */
static void test_short_day(void **state)
{
	struct snapshot x[] = { { .archive = { .seq = 1 }, .problem = (char[]){ "" } } };
	struct catalog_stream s = { .stream = { .name = "db" }, .n = 1, .snapshots = x };
	const struct snapshot *out;

	(void)state;
	set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	x[0].created_ms =
		1679868000000 - 1; /* the last of 2023-03-26, a day of 23 hours */
	assert_int_equal(catalog_which(&s, "2023-03-26", &out, &oops), 0);
	x[0].created_ms++;
	assert_int_equal(catalog_which(&s, "2023-03-26", &out, &oops), -1);
	assert_int_equal(catalog_which(&s, "2023-03-27", &out, &oops), 0);
	set_zone("UTC");
}

/* Of equal times the higher number is the newest; the summary's time is preferred to the
 * header's. */
static void test_equal_times(void **state)
{
	struct snapshot x[] = {
		{ .archive = { .seq = 1 }, .created_ms = T0, .problem = (char[]){ "" } },
		{ .archive = { .seq = 2 }, .created_ms = T0, .problem = (char[]){ "" } },
	};
	struct catalog_stream s = { .stream = { .name = "db" }, .n = 2, .snapshots = x };
	const struct snapshot *out = NULL;

	(void)state;
	assert_int_equal(catalog_which(&s, "2023-11-20", &out, &oops), 0);
	assert_int_equal(out->archive.seq, 2);
	x[1].has_summary = true;
	x[1].summary.time_ms = T0 - HOUR;
	assert_int_equal(catalog_which(&s, "2023-11-20", &out, &oops), 0);
	assert_int_equal(out->archive.seq, 1);
}

/* Anything else is not a WHICH, and no snapshot. */
static void test_not_which(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"1 ",
		"+1",
		"-1",
		"1.0",
		"0x1",
		"2023",
		"2023-11",
		"2023-11-1",
		"2023-13-01",
		"2023-00-10",
		"2023-02-29",
		"2023-11-31",
		"2023-11-00",
		"2023-11-14T",
		"2023-11-14Z",
		"2023-11-14T22",
		"2023-11-14T22:13z",
		"2023-11-14T24:00",
		"2023-11-14T22:60",
		"2023-11-14T22:13:20",
		"2023-11-14T22:13ZZ",
		"2023-11-14 22:13",
		"20231114T2213",
		"latest ",
		"newest",
		"abcdefg1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int found = which(bad[i]);
		bool number = strcmp(bad[i], "2023") == 0;

		if (found != (number ? -ERR_NOT_FOUND : -ERR_USAGE))
			fail_msg("\"%s\" is %d", bad[i], found);
	}
	assert_int_equal(which("2024-02-29"), 6);
}

/* Of several of a name none of which counts the damaged one is spoken of; what has no
 * number has no id either. */
static void test_damaged_first(void **state)
{
	static char broken[] = "broken";
	struct snapshot x[] = {
		{ .state = SNAPSHOT_DAMAGED, .problem = broken },
		{ .archive = { .seq = 4, .id = { 1 } },
		  .state = SNAPSHOT_DAMAGED,
		  .problem = broken },
		{ .archive = { .seq = 4, .id = { 2 } },
		  .state = SNAPSHOT_PARTIAL,
		  .problem = broken },
	};
	struct catalog_stream s = { .stream = { .name = "db" }, .n = 3, .snapshots = x };
	const struct snapshot *out;

	(void)state;
	assert_int_equal(catalog_which(&s, "4", &out, &oops), -1);
	assert_int_equal(oops.kind, ERR_DAMAGED);
	assert_int_equal(catalog_which(&s, "id:00", &out, &oops), -1);
	assert_int_equal(oops.kind, ERR_NOT_FOUND);
}

/* A stream of which nothing counts has no latest. */
static void test_none(void **state)
{
	struct catalog_stream s = { .stream = { .name = "db" } };
	const struct snapshot *out;

	(void)state;
	assert_int_equal(catalog_which(&s, "latest", &out, &oops), -1);
	assert_int_equal(oops.kind, ERR_NOT_FOUND);
	assert_int_equal(catalog_which(&s, "2023-11-14", &out, &oops), -1);
	assert_int_equal(oops.kind, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_latest),	  cmocka_unit_test(test_number),
		cmocka_unit_test(test_id),	  cmocka_unit_test(test_date),
		cmocka_unit_test(test_short_day), cmocka_unit_test(test_equal_times),
		cmocka_unit_test(test_not_which), cmocka_unit_test(test_damaged_first),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests_name("which", tests, NULL, NULL);
}
