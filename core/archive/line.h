/* A stream's chunks on their way into its tree, in order, while some of them still lie in frames
 * that are not written yet.
 *
 * Chunks come as parts of frames, or as numbers of chunks that are known (of the tip's list, or
 * earlier ones of this run's).  What leaves at the front becomes extents, chunks that neighbour
 * each other in one frame a single one, and the chunk list of the next tip cache. */
#ifndef ARCHIVE_LINE_H
#define ARCHIVE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/cache_chunks.h"
#include "archive/chunk.h"

struct err;
struct frame;
struct usage;

struct line_options {
	enum tree_stream stream;
	const uint8_t *id_key;
	struct tree_builder *tree;   /* NULL: no tree is made (a pass that another follows) */
	struct chunks_reader *old;   /* NULL: no chunk of the tip is known */
	struct chunks_writer *out;
	struct usage *usage;
	struct cache *cache;
};

struct line;
/* All that O names is borrowed throughout. */
int line_new(const struct line_options *o, struct line **out, struct err *e);
void line_free(struct line *l);

/* The next chunk is number CHUNK of frame F; of a group ENTRIES and BODY. */
void line_frame(struct line *l, const struct frame *f, uint32_t chunk, uint32_t entries,
		uint64_t body);
/* The next N chunks are those of SOURCE from number FIRST on. */
int line_known(struct line *l, enum chunk_source source, uint64_t first, uint64_t n,
	       struct err *e);
/* Whether more can be taken before a frame is written. */
bool line_full(const struct line *l);
/* Chunks taken so far: the number that the next one will have in OUT. */
uint64_t line_count(const struct line *l);
/* F, the oldest frame not written, lies at PLACE now. */
int line_written(struct line *l, const struct frame *f, const struct chunk_place *place,
		 struct err *e);
/* All frames are written: hand over the last extent. */
int line_finish(struct line *l, struct err *e);
/* Chunk number I of SOURCE; a new one must have left the line. */
int line_chunk(struct line *l, enum chunk_source source, uint64_t i, struct chunk *out,
	       struct err *e);
/* Whether the new chunk I has left the line. */
bool line_has(const struct line *l, uint64_t i);

#endif
