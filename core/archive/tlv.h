/* Areas for later additions: type, length, value (docs/format.md section 12). */
#ifndef ARCHIVE_TLV_H
#define ARCHIVE_TLV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLV_MUST_KNOW                                                                    \
	0x8000 /* types with this bit are refused by who does not know them */

/* Whether N bytes are TLVs back to back, each type once, none of which must be known (no
 * type defined so far has the high bit). */
bool tlv_fits(const uint8_t *p, size_t n);
/* The value of the TLV of TYPE in an area that fits, its length in *LEN; NULL without. */
const uint8_t *tlv_find(const uint8_t *p, size_t n, uint16_t type, size_t *len);

#endif
