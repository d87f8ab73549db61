/* How a body is cut into chunks, and which of them share a frame (DESIGN "Small chunks,
 * big frames, extents").  Pure: it fills a frame and says when another is needed.
 *
 *     size >= 64 KiB, a multiple of 4096    pages of 16 KiB, in frames of 128 KiB of that
 * file only other sizes >= 64 KiB                 pieces of 16 KiB, in frames of 512 KiB
 * with others smaller                               one chunk, in frames of 512 KiB with
 * others */
#ifndef ARCHIVE_CHUNKER_H
#define ARCHIVE_CHUNKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame;

struct chunker {
	size_t longest; /* bytes of a chunk, at most */
	size_t limit;	/* bytes of a frame */
	bool alone;	/* its frames hold nothing else */
	uint64_t left;	/* of the size announced; 0: none, or more came than announced */
};

/* A body of about SIZE bytes begins. */
void chunker_begin(struct chunker *c, uint64_t size);
/* Put bytes of P into F (its limit is c->limit, or that of a frame which bodies share).
 * Returns how many of the N it took: fewer mean that F is full, and no chunk is open in
 * it then. */
size_t chunker_put(struct chunker *c, struct frame *f, const uint8_t *p, size_t n);
/* The body is at its end: close its last chunk.  F may be NULL. */
void chunker_end(struct chunker *c, struct frame *f);

#endif
