/* The chunks of a stream, in order, in segments of the tip cache: each found by its number.
 *
 *     u32 places, u32 chunks
 *     places of 28:  u64 seq, u32 part, u64 offset, u32 clen, u32 content
 *     chunks of 24 (36 in the head stream):  16 fingerprint, u64 place << 39 | offset << 19 | length - 1;
 *             of a group also u32 entries, u64 body
 *
 * Segments end where a fingerprint says so, so that a chunk more or less changes one of them. */
#ifndef ARCHIVE_CACHE_CHUNKS_H
#define ARCHIVE_CACHE_CHUNKS_H

#include <stdint.h>

#include "archive/cache.h"
#include "archive/chunk.h"

struct err;
struct chunks_reader;
struct chunks_writer;

/* KIND is CACHE_BODY or CACHE_HEAD; C and SEGS are borrowed throughout.  SLOTS segments are kept in
 * memory. */
int chunks_reader_new(struct cache *c, enum cache_kind kind, const struct cache_segs *segs,
		      size_t slots, struct chunks_reader **out, struct err *e);
void chunks_reader_free(struct chunks_reader *r);
/* Chunk number I (from 0).  -1 with the cache broken where it is not there. */
int chunks_reader_get(struct chunks_reader *r, uint64_t i, struct chunk *out, struct err *e);

int chunks_writer_new(struct cache *c, enum cache_kind kind, struct chunks_writer **out,
		      struct err *e);
void chunks_writer_free(struct chunks_writer *w);
int chunks_writer_add(struct chunks_writer *w, const struct chunk *x, struct err *e);
/* Chunk number I of those added so far. */
int chunks_writer_get(struct chunks_writer *w, uint64_t i, struct chunk *out, struct err *e);
/* Save what is open; *out is given away. */
int chunks_writer_finish(struct chunks_writer *w, struct cache_segs *out, struct err *e);

#endif
