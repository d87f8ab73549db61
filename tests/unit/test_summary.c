/* The summary: sealed with the list key to one header. */
#include "archive/root.h"
#include "base/wire.h"
#include "part_kit.h"

static const uint8_t hh[32] = { 4, 5, 6 };
static const uint8_t zero_nonce[12];

static const struct summary sample = {
	.time_ms = -1,
	.day = -2,
	.level = 2,
	.grade = GRADE_FROZEN,
	.unreadable = 3,
	.changed_entries = 4,
	.entries = 5,
	.bytes = 6,
	.new_bytes = 7,
	.reemitted = 8,
	.changed_bytes = UINT64_MAX,
};

/* What is sealed comes out again, all of it. */
static void round_trip(void **state)
{
	uint8_t sealed[SUMMARY_LEN + 16];
	struct err e = ERR_EMPTY;
	struct summary s;

	(void)state;
	summary_seal(&sample, kit.list_key, hh, sealed);
	memset(&s, 0x55, sizeof(s));
	assert_int_equal(summary_open(sealed, kit.list_key, hh, &s, &e), 0);
	assert_int_equal(s.time_ms, -1);
	assert_int_equal(s.day, -2);
	assert_int_equal(s.level, 2);
	assert_int_equal(s.grade, GRADE_FROZEN);
	assert_int_equal(s.unreadable, 3);
	assert_int_equal(s.changed_entries, 4);
	assert_int_equal(s.entries, 5);
	assert_int_equal(s.bytes, 6);
	assert_int_equal(s.new_bytes, 7);
	assert_int_equal(s.reemitted, 8);
	assert_true(s.changed_bytes == UINT64_MAX);
}

/* Another list key, another header, any flipped bit: refused. */
static void refused(void **state)
{
	uint8_t sealed[SUMMARY_LEN + 16], other[32] = { 0 };
	struct err e = ERR_EMPTY;
	struct summary s;

	(void)state;
	summary_seal(&sample, kit.list_key, hh, sealed);
	assert_int_equal(summary_open(sealed, other, hh, &s, &e), -1);
	assert_int_equal(summary_open(sealed, kit.list_key, other, &s, &e), -1);
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(summary_open(sealed, kit.list_key, hh, &s, &e), -1);
		assert_int_equal(e.kind, ERR_DAMAGED);
		assert_non_null(strstr(e.text, "wrong list key"));
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* A summary that is sealed well but has a field no summary has is refused: each zero, the
 * grade, the level. */
static void fields(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int result;
	} cases[] = {
		{ 255, 0, 0 },	{ 16, 4, -1 }, { 17, 0, -1 }, { 17, 4, -1 },
		{ 18, 1, -1 },	{ 28, 1, -1 }, { 31, 1, -1 }, { 72, 1, -1 },
		{ 255, 1, -1 }, { 71, 1, 0 },
	};
	uint8_t sealed[SUMMARY_LEN + 16], sk[32];

	(void)state;
	crypto_b2("vs1.summary", kit.list_key, 32, hh, 32, sk, 32);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t plain[SUMMARY_LEN] = { [17] = 1 };
		struct err e = ERR_EMPTY;
		struct summary s;

		plain[cases[i].at] = cases[i].value;
		crypto_seal(sk, zero_nonce, NULL, 0, plain, sizeof(plain), sealed);
		assert_int_equal(summary_open(sealed, kit.list_key, hh, &s, &e),
				 cases[i].result);
	}
}

/* Fields lie where the format says. */
static void layout(void **state)
{
	uint8_t sealed[SUMMARY_LEN + 16], plain[SUMMARY_LEN], sk[32];

	(void)state;
	summary_seal(&sample, kit.list_key, hh, sealed);
	crypto_b2("vs1.summary", kit.list_key, 32, hh, 32, sk, 32);
	assert_true(crypto_open(sk, zero_nonce, NULL, 0, sealed, sizeof(sealed), plain));
	assert_true(wire_get64(plain) == (uint64_t)-1 &&
		    wire_get64(plain + 8) == (uint64_t)-2);
	assert_true(plain[16] == 2 && plain[17] == 2);
	assert_true(wire_get32(plain + 20) == 3 && wire_get32(plain + 24) == 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(wire_get64(plain + 32 + 8 * i), 5 + i);
	assert_true(wire_get64(plain + 64) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(refused),
		cmocka_unit_test(fields),
		cmocka_unit_test(layout),
	};

	return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
