/* A chunk of a stream, as the tip cache and the writer know it: what it is and where it lies. */
#ifndef ARCHIVE_CHUNK_H
#define ARCHIVE_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/frame.h"
#include "archive/tree.h"

/* A frame in the store. */
struct chunk_place {
	struct record_place at;
	uint32_t clen;	  /* stored bytes of the record */
	uint32_t content; /* bytes of its chunks */
};

struct chunk {
	uint8_t fingerprint[FINGERPRINT_LEN];
	struct chunk_place in;
	uint32_t offset, length; /* in the frame's content */
	uint32_t entries;	 /* of a group (head stream) */
	uint64_t body;
};

static inline bool chunk_same_place(const struct record_place *a, const struct record_place *b)
{
	return a->offset == b->offset && a->part == b->part && a->seq == b->seq;
}

/* Which list of chunks a number is of: that of the tip, or that which this run writes. */
enum chunk_source { CHUNK_OLD, CHUNK_NEW };

#endif
