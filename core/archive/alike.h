/* Files by their first chunk, of the tip and of this run: how a renamed, moved or copied file finds
 * the list of its chunks (DESIGN 4.2).  The tip's are loaded when the first is asked for. */
#ifndef ARCHIVE_ALIKE_H
#define ARCHIVE_ALIKE_H

#include <stdint.h>

#include "archive/cache_entries.h"
#include "archive/chunk.h"

struct alike;
struct err;
struct line;

/* A list of chunks. */
struct alike_list {
	enum chunk_source source;
	uint64_t first, n;
};

/* SCRATCH is a directory for spill files; C, ENTRIES (NULL: there is no tip) and LINE, which knows
 * its chunks, are borrowed throughout. */
int alike_new(const char *scratch, struct cache *c, const struct cache_segs *entries,
	      struct line *line, struct alike **out, struct err *e);
void alike_free(struct alike *a);
/* 0: *out is the list that begins with the chunk FINGERPRINT.  1: there is none. */
int alike_get(struct alike *a, const uint8_t fingerprint[FINGERPRINT_LEN], struct alike_list *out,
	      struct err *e);
/* N chunks of this run, from number FIRST on, begin with FINGERPRINT. */
int alike_put(struct alike *a, const uint8_t fingerprint[FINGERPRINT_LEN], uint64_t first,
	      uint64_t n, struct err *e);

#endif
