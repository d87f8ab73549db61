/* TLV areas: walked with a cursor, so that no length leads outside. */
#include "archive/tlv.h"

#include "base/wire.h"

bool tlv_fits(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_make(p, n);

	while (cursor_ok(&c) && !cursor_done(&c)) {
		uint16_t type = cursor_u16(&c);

		if (type & TLV_MUST_KNOW)
			return false;
		(void)cursor_take(&c, cursor_u16(&c));
	}
	return cursor_ok(&c);
}

const uint8_t *tlv_find(const uint8_t *p, size_t n, uint16_t type, size_t *len)
{
	struct cursor c = cursor_make(p, n);

	while (cursor_ok(&c) && !cursor_done(&c)) {
		uint16_t got = cursor_u16(&c);
		const uint8_t *value;

		*len = cursor_u16(&c);
		value = cursor_take(&c, *len);
		if (value && got == type)
			return value;
	}
	return NULL;
}
