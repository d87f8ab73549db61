/* TLV areas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive/tlv.h"
#include "base/wire.h"

/* An area is any number of whole TLVs, also none; a cut one does not fit. */
static void whole_only(void **state)
{
	static const uint8_t area[] = {
		1, 0, 2, 0, 'a', 'b', 5, 0, 0, 0, 2, 0, 1, 0, 'c'
	};

	(void)state;
	for (size_t n = 0; n <= sizeof(area); n++)
		assert_int_equal(tlv_fits(area, n),
				 n == 0 || n == 6 || n == 10 || n == 15);
}

/* A type that must be known is refused, since none is; others are passed over. */
static void must_know(void **state)
{
	static const uint8_t high[] = { 0, 0x80, 0, 0 }, low[] = { 0xff, 0x7f, 0, 0 };

	(void)state;
	assert_false(tlv_fits(high, sizeof(high)));
	assert_true(tlv_fits(low, sizeof(low)));
}

/* A type occurs once, whatever its values are and whether it is known: every type there
 * is fits side by side, and any of them a second time does not. */
static void once(void **state)
{
	enum { TYPES = 0x8000 };
	static const uint8_t twice[] = { 5, 0, 0, 0, 1, 0, 1, 0, 'a', 5, 0, 1, 0, 'b' };
	static uint8_t area[4 * (TYPES + 1)];

	(void)state;
	assert_true(tlv_fits(twice, 9));
	assert_false(tlv_fits(twice, sizeof(twice)));
	for (size_t i = 0; i < TYPES; i++)
		wire_set16(area + 4 * i, (uint16_t)i);
	assert_true(tlv_fits(area, 4 * TYPES));
	for (size_t i = 0; i < TYPES; i += i < TYPES - 8 ? 7 : 1) {
		wire_set16(area + 4 * TYPES, (uint16_t)i);
		assert_false(tlv_fits(area, sizeof(area)));
	}
}

/* A type that is there is found, an empty one too; a missing one is not. */
static void find(void **state)
{
	static const uint8_t area[] = {
		1, 0, 2, 0, 'a', 'b', 5, 0, 0, 0, 3, 0, 1, 0, 'c'
	};
	size_t len = 9;

	(void)state;
	assert_ptr_equal(tlv_find(area, sizeof(area), 1, &len), area + 4);
	assert_int_equal(len, 2);
	assert_ptr_equal(tlv_find(area, sizeof(area), 5, &len), area + 10);
	assert_int_equal(len, 0);
	assert_null(tlv_find(area, sizeof(area), 2, &len));
	assert_null(tlv_find(area, 0, 1, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_only),
		cmocka_unit_test(must_know),
		cmocka_unit_test(once),
		cmocka_unit_test(find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
