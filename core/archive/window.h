/* Where a chunk of a changed file lay in the list of its chunks before (DESIGN 4.2): at the same place;
 * behind the one found last, however much was inserted there; or in a window of 4096 chunks, which
 * reaches from 512 before that place, or more, to 2048 behind it, or more. */
#ifndef ARCHIVE_WINDOW_H
#define ARCHIVE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/chunk.h"

struct err;
struct line;
struct window;

/* LINE is borrowed throughout; it knows the chunks. */
int window_new(struct line *line, struct window **out, struct err *e);
void window_free(struct window *w);
/* From now on the list is the N chunks of SOURCE from number FIRST on. */
void window_open(struct window *w, enum chunk_source source, uint64_t first, uint64_t n);
enum chunk_source window_source(const struct window *w);
/* Look for the chunk of LENGTH bytes with FINGERPRINT: 0 found, *number is its number and *out the
 * chunk; 1 not found. */
int window_find(struct window *w, const uint8_t fingerprint[FINGERPRINT_LEN], uint32_t length,
		uint64_t *number, struct chunk *out, struct err *e);

#endif
