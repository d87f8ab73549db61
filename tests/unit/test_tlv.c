/* TLV areas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive/tlv.h"

/* An area is any number of whole TLVs, also none; a cut one does not fit. */
static void whole_only(void **state)
{
	static const uint8_t area[] = {
		1, 0, 2, 0, 'a', 'b', 5, 0, 0, 0, 1, 0, 1, 0, 'c'
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

/* The first of a type is found, an empty one too; a missing one is not. */
static void find(void **state)
{
	static const uint8_t area[] = {
		1, 0, 2, 0, 'a', 'b', 5, 0, 0, 0, 1, 0, 1, 0, 'c'
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
		cmocka_unit_test(find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
