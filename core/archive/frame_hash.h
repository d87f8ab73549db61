/* One pass over a frame's chunks: their fingerprints and the frame's id (docs/format.md
 * 7). Shared by packing and unpacking. */
#ifndef ARCHIVE_FRAME_HASH_H
#define ARCHIVE_FRAME_HASH_H

#include <stdint.h>

#include "archive/frame.h"

/* N chunks of CONTENT, ending at ENDS; fills FINGERPRINTS[0..n) and ID. */
void frame_hash(enum record_type type, const uint8_t id_key[32], const uint8_t *content,
		const uint32_t *ends, uint32_t n,
		uint8_t (*fingerprints)[FINGERPRINT_LEN], uint8_t id[32]);
/* The same for a frame that was filled; chunks whose ids are known are not hashed again. */
void frame_hash_filled(struct frame *f, const uint8_t id_key[32]);

#endif
