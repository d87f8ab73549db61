/* TLV areas: walked with a cursor, so that no length leads outside. */
#include "archive/tlv.h"

#include "base/wire.h"

/* Whether TYPE is met for the first time; SEEN has a bit for each type that may be
 * unknown.  An area may have a million TLVs: no search of those before. */
static bool first_of_type(uint8_t seen[TLV_MUST_KNOW / 8], uint16_t type)
{
	uint8_t bit = (uint8_t)(1u << type % 8);

	if (seen[type / 8] & bit)
		return false;
	seen[type / 8] |= bit;
	return true;
}

bool tlv_fits(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_make(p, n);
	uint8_t seen[TLV_MUST_KNOW / 8] = { 0 };

	while (cursor_ok(&c) && !cursor_done(&c)) {
		uint16_t type = cursor_u16(&c);

		if ((type & TLV_MUST_KNOW) || !first_of_type(seen, type))
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
