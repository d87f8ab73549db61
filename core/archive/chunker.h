/* How a body is cut into chunks (DESIGN "Small chunks, big frames, extents").  Pure: it fills a
 * frame, and says where a chunk ends and when another frame is needed.
 *
 *     size >= 64 KiB, a multiple of 4096    pages: 16 KiB of the file's offset, frames of 128 KiB
 *     other sizes >= 64 KiB, and unknown    content-defined, 8 to 64 KiB, about 24
 *     smaller                               one chunk
 *
 * Content-defined cuts are those of a gear hash (Xia et al., "Ddelta", 2014) with a table from the
 * stream's gear key, so that lengths tell nothing to who lacks the key. */
#ifndef ARCHIVE_CHUNKER_H
#define ARCHIVE_CHUNKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame;

enum chunk_mode { CHUNK_WHOLE, CHUNK_PAGES, CHUNK_CDC };

struct chunker {
	uint64_t gear[256];
	enum chunk_mode mode;
	size_t longest; /* bytes of a chunk, at most */
	size_t limit;	/* bytes of a frame */
	uint64_t left;	/* of the size announced; 0: none, or more came than announced */
	uint64_t at;	/* offset in the file of the next byte */
	uint64_t hash;
};

/* The mode for a body of SIZE bytes, of which nothing is known (ENTRY_SIZE_UNKNOWN allowed). */
enum chunk_mode chunker_mode(uint64_t size);
/* Once: the table. */
void chunker_key(struct chunker *c, const uint8_t gear_key[32]);
/* A body of about SIZE bytes begins. */
void chunker_begin(struct chunker *c, enum chunk_mode mode, uint64_t size);
/* Go over to another mode; no chunk is open. */
void chunker_switch(struct chunker *c, enum chunk_mode mode);
/* Put bytes of P, which lie at OFFSET of the file, into F.  Returns how many of the N it took.  *END:
 * a chunk is complete, it is F's open one; close it (frame_end_chunk) or take it back.  Fewer than N
 * without *END: F has no room for the next chunk, none is open in it. */
size_t chunker_put(struct chunker *c, struct frame *f, uint64_t offset, const uint8_t *p, size_t n,
		   bool *end);

#endif
