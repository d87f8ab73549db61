/* ROOT: what goes in comes out, where docs/format.md 11 says; nothing else is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive/crypto.h"
#include "archive/part.h"
#include "archive/root.h"
#include "base/err.h"
#include "base/wire.h"

static struct root in, out;
static struct stream_keys keys, got_keys;
static struct bytes raw;

static int group_setup(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	return crypto_init(&e);
}

static int setup(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	memset(&in, 0, sizeof(in));
	in.totals = (struct totals){ 5, 3, 1, 7000, 6000, 2500, 2, 1, 4, 9 };
	in.begun_ms = -5;
	in.begun_boot_ms = 77;
	in.grade = GRADE_FROZEN;
	in.level = 2;
	in.kind = STREAM_BIND;
	in.head = (struct tree_ref){ .level = 0, .at = { 9, 2, 1000 } };
	in.body = (struct tree_ref){ .level = 3, .at = { 8, 1, 2000 } };
	memset(in.boot_id, 0xb0, sizeof(in.boot_id));
	memset(in.head.id, 0x11, sizeof(in.head.id));
	memset(in.body.id, 0x22, sizeof(in.body.id));
	strcpy(in.name, "db");
	strcpy(in.source, "/var/lib/docker/volumes/db/_data");
	memset(keys.id, 1, 32);
	memset(keys.gear, 2, 32);
	memset(keys.list, 3, 32);
	raw.len = 0;
	return root_encode(&in, &keys, &raw, &e);
}

static int teardown(void **state)
{
	(void)state;
	bytes_free(&raw);
	return 0;
}

static int decode(void)
{
	struct err e = ERR_EMPTY;
	int r = root_decode(raw.p, raw.len, &out, &got_keys, &e);

	assert_true(r == 0 || e.kind == ERR_DAMAGED);
	return r;
}

/* Everything comes back, and the trees' sums are those of the totals. */
static void test_round_trip(void **state)
{
	(void)state;
	assert_int_equal(decode(), 0);
	assert_memory_equal(&got_keys, &keys, sizeof(keys));
	in.head.length = 2500;
	in.head.entries = 5;
	in.head.body = 6000;
	in.body.length = 6000;
	assert_memory_equal(&out, &in, offsetof(struct root, name));
	assert_string_equal(out.name, in.name);
	assert_string_equal(out.source, in.source);
}

/* Fields lie where docs/format.md says. */
static void test_layout(void **state)
{
	(void)state;
	assert_memory_equal(raw.p, "VSROOT1\0", 8);
	assert_int_equal(raw.p[8], 1);
	assert_int_equal(raw.p[40], 2);
	assert_int_equal(raw.p[72], 3);
	assert_int_equal(wire_get64(raw.p + 104), 5);
	assert_int_equal(wire_get64(raw.p + 136), 6000);
	assert_int_equal(wire_get64(raw.p + 160), 1);
	assert_int_equal(wire_get32(raw.p + 172), 9);
	assert_int_equal(wire_get64(raw.p + 176), (uint64_t)-5);
	assert_int_equal(raw.p[192], 0xb0);
	assert_memory_equal(raw.p + 208, "\2\2\2\0\0\0\0\0", 8);
	assert_memory_equal(raw.p + 216, "\0\0\0\0\2\0\0\0\11\0\0\0\0\0\0\0", 16);
	assert_int_equal(raw.p[256], 3);
	assert_int_equal(wire_get64(raw.p + 272), 2000);
	assert_int_equal(raw.p[280], 0x22);
	assert_int_equal(wire_get32(raw.p + 296), 6 + 36);
	assert_memory_equal(raw.p + 300, "\1\0\2\0db\2\0\40\0/var", 14);
	assert_int_equal(raw.len, 300 + 42);
}

/* An empty body stream has no tree, and only it. */
static void test_empty_body(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	in.totals.body_len = 0;
	in.body = (struct tree_ref){ .level = TREE_LEVEL_NONE };
	raw.len = 0;
	assert_int_equal(root_encode(&in, &keys, &raw, &e), 0);
	assert_int_equal(decode(), 0);
	assert_int_equal(out.body.level, TREE_LEVEL_NONE);
	raw.p[136] = 1;
	assert_int_equal(decode(), -1);
	raw.p[136] = 0;
	raw.p[295] = 1;
	assert_int_equal(decode(), -1);
}

/* Every pad must be zero and every word one of its list. */
static void test_fields(void **state)
{
	static const struct {
		size_t at;
		uint8_t bad;
	} cases[] = { { 0, 'X' },   { 208, 0 }, { 208, 4 },   { 209, 4 }, { 210, 0 },
		      { 210, 4 },   { 211, 1 }, { 212, 1 },   { 215, 1 }, { 216, 16 },
		      { 216, 255 }, { 217, 1 }, { 219, 1 },   { 257, 1 }, { 296, 41 },
		      { 296, 43 },  { 299, 1 }, { 301, 128 }, { 304, 0 }, { 302, 100 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t good = raw.p[cases[i].at];

		assert_int_equal(decode(), 0);
		raw.p[cases[i].at] = cases[i].bad;
		assert_int_equal(decode(), -1);
		raw.p[cases[i].at] = good;
	}
}

/* A ROOT cut anywhere, or with a byte more, is refused. */
static void test_lengths(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	assert_int_equal(bytes_zero(&raw, 1, &e), 0);
	assert_int_equal(decode(), -1);
	raw.len--;
	assert_int_equal(decode(), 0);
	while (raw.len-- > 0)
		assert_int_equal(decode(), -1);
	raw.len = 0;
}

/* The longest names fit, and a longer one in the area is refused rather than cut. */
static void test_long_names(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	memset(in.name, 'n', VOLUME_NAME_MAX);
	memset(in.source, 's', 4095);
	raw.len = 0;
	assert_int_equal(root_encode(&in, &keys, &raw, &e), 0);
	assert_int_equal(decode(), 0);
	assert_int_equal(strlen(out.name), VOLUME_NAME_MAX);
	assert_int_equal(strlen(out.source), 4095);
	assert_int_equal(bytes_zero(&raw, 1, &e), 0);
	raw.p[raw.len - 1] = 's';
	wire_set16(raw.p + 300 + 4 + 4095 + 2, 4096);
	wire_set32(raw.p + 296, 2 * 4 + 4095 + 4096);
	assert_int_equal(decode(), -1);
}

/* The area is AREA alone. */
static int decode_area(const char *area, size_t n)
{
	struct err e = ERR_EMPTY;

	raw.len = 300;
	wire_set32(raw.p + 296, (uint32_t)n);
	assert_int_equal(bytes_append(&raw, area, n, &e), 0);
	return decode();
}

/* A volume has a name: ROOT without it, with an empty one or with one that has a NUL is
 * refused.  The path of the source may be missing. */
static void test_name(void **state)
{
	(void)state;
	assert_int_equal(decode_area("\1\0\2\0db\2\0\1\0/", 11), 0);
	assert_string_equal(out.source, "/");
	assert_int_equal(decode_area("\1\0\2\0db", 6), 0);
	assert_string_equal(out.name, "db");
	assert_string_equal(out.source, "");
	assert_int_equal(decode_area("", 0), -1);
	assert_int_equal(decode_area("\2\0\1\0/", 5), -1);
	assert_int_equal(decode_area("\1\0\0\0\2\0\1\0/", 9), -1);
	assert_int_equal(decode_area("\1\0\2\0d\0", 6), -1);
}

/* An addition of later times is passed over; one that must be known is refused, and so is
 * a second name. */
static void test_unknown_tlv(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	assert_int_equal(bytes_append(&raw, "\7\0\1\0x", 5, &e), 0);
	wire_set32(raw.p + 296, 42 + 5);
	assert_int_equal(decode(), 0);
	raw.p[raw.len - 4] = 0x80;
	assert_int_equal(decode(), -1);
	assert_int_equal(decode_area("\1\0\2\0db\1\0\2\0db", 12), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_round_trip, setup),
		cmocka_unit_test_setup(test_layout, setup),
		cmocka_unit_test_setup(test_empty_body, setup),
		cmocka_unit_test_setup(test_fields, setup),
		cmocka_unit_test_setup(test_lengths, setup),
		cmocka_unit_test_setup(test_long_names, setup),
		cmocka_unit_test_setup(test_name, setup),
		cmocka_unit_test_setup(test_unknown_tlv, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, teardown);
}
