/* table.c and texts.c: keys to values and places to strings, in memory and in files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/entry.h"
#include "base/err.h"
#include "base/wire.h"
#include "base/table.h"
#include "source/texts.h"

static void make_key(uint8_t key[16], uint64_t i)
{
	/* as of inodes: small numbers in a row, on few devices */
	wire_set64(key, i / 3);
	wire_set64(key + 8, i % 3);
}

static void put_get(uint64_t n)
{
	struct err e = ERR_EMPTY;
	struct table *l;
	uint8_t key[16];
	uint64_t value;

	assert_int_equal(table_new("/tmp", 65536, &l, &e), 0);
	for (uint64_t i = 0; i < n; i++) {
		make_key(key, i);
		assert_int_equal(table_put(l, key, i * 7, &e), 0);
	}
	for (uint64_t i = 0; i < 2 * n; i++) {
		make_key(key, i);
		value = 1;
		assert_int_equal(table_get(l, key, &value, &e), i < n ? 0 : 1);
		if (i < n && value != i * 7)
			fail_msg("key %lu has %lu", (unsigned long)i,
				 (unsigned long)value);
	}
	table_free(l);
}

/* As many keys as stay in memory are found with their values, and no others. */
static void in_memory(void **state)
{
	(void)state;
	put_get(1);
	put_get(1100); /* past the first growth */
	put_get(65536);
}

/* The same where the table has moved to a file, just so and after it has doubled there.
 */
static void in_file(void **state)
{
	(void)state;
	put_get(65537);
	put_get(300000);
}

/* A second put of a key replaces its value and adds none, in memory and in the file. */
static void replace(void **state)
{
	struct err e = ERR_EMPTY;
	struct table *l;
	uint8_t key[16];
	uint64_t value;

	(void)state;
	assert_int_equal(table_new("/tmp", 65536, &l, &e), 0);
	for (uint64_t round = 0; round < 3; round++)
		for (uint64_t i = 0; i < 70000; i++) {
			make_key(key, i);
			assert_int_equal(table_put(l, key, i + round, &e), 0);
		}
	for (uint64_t i = 0; i < 70000; i++) {
		make_key(key, i);
		assert_int_equal(table_get(l, key, &value, &e), 0);
		assert_int_equal(value, i + 2);
	}
	table_free(l);
}

/* A scratch directory that is not there is an error once the table must move, and not
 * before. */
static void no_scratch(void **state)
{
	struct err e = ERR_EMPTY;
	struct table *l;
	uint8_t key[16];

	(void)state;
	assert_int_equal(table_new("/nonexistent", 65536, &l, &e), 0);
	for (uint64_t i = 0; i < 65536; i++) {
		make_key(key, i);
		assert_int_equal(table_put(l, key, i, &e), 0);
	}
	make_key(key, 65536);
	assert_int_equal(table_put(l, key, 1, &e), -1);
	assert_non_null(strstr(e.text, "/nonexistent"));
	table_free(l);
}

/* Strings come back from their places, the empty and the longest too; a longer one is
 * refused. */
static void strings(void **state)
{
	static char longest[ENTRY_PATH_MAX + 2], out[ENTRY_PATH_MAX + 1];
	struct err e = ERR_EMPTY;
	uint64_t places[1000], place;
	struct texts *t;

	(void)state;
	memset(longest, 'x', ENTRY_PATH_MAX);
	assert_int_equal(texts_new("/tmp", &t, &e), 0);
	for (size_t i = 0; i < 1000; i++) {
		longest[i * 4] = '\0';
		assert_int_equal(texts_put(t, longest, &places[i], &e), 0);
		longest[i * 4] = 'x';
	}
	assert_int_equal(texts_put(t, longest, &place, &e), 0);
	for (size_t i = 1000; i-- > 0;) {
		assert_int_equal(texts_get(t, places[i], out, &e), 0);
		assert_int_equal(strlen(out), i * 4);
		assert_memory_equal(out, longest, i * 4);
	}
	assert_int_equal(texts_get(t, place, out, &e), 0);
	assert_string_equal(out, longest);
	longest[ENTRY_PATH_MAX] = 'x';
	assert_int_equal(texts_put(t, longest, &place, &e), -1);
	assert_int_equal(texts_get(t, 1 << 30, out, &e), -1);
	texts_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_memory), cmocka_unit_test(in_file),
		cmocka_unit_test(replace),   cmocka_unit_test(no_scratch),
		cmocka_unit_test(strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
