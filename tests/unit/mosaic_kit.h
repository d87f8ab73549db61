/* Incremental snapshots of one paged file, as they are after many changes: each is made by
 * hand, and its body lies in the archives of the ones before it, a page here, a page there. */
#ifndef TESTS_MOSAIC_KIT_H
#define TESTS_MOSAIC_KIT_H

#include "archive/tree.h"
#include "archive_kit.h"

#define MOSAIC_PAGE 16384
#define MOSAIC_FRAME 8 /* pages in a frame */

struct mosaic_page {
	struct record_place at;
	uint32_t chunk; /* of the frame there */
	uint8_t fingerprint[16];
};

struct mosaic {
	size_t n;		   /* pages; each of them one chunk */
	struct mosaic_page *pages; /* where each lies now */
	size_t n_extents;	   /* of the newest: neighbours in a frame are one */
	uint32_t *versions;	 /* the number of the snapshot it is of */
	size_t *live;		 /* pages that lie in each snapshot, by number */
	struct archive_id *made; /* by number; made[0] is none */
	uint64_t seq;		 /* of the newest */
	uint8_t chain[32];	 /* of its trailer */
	const uint8_t *group;	 /* the one group of the head stream */
	size_t group_len;
	uint64_t entries, files; /* files: with headers that can be parsed, else 0 */
};

/* The first snapshot, of N pages that belong to one entry. */
void mosaic_first(struct mosaic *m, size_t n);
/* The next one, with the pages of which PICK says so written anew. */
void mosaic_next(struct mosaic *m, bool (*pick)(size_t page, uint64_t seq));
/* What page I holds now. */
void mosaic_page(const struct mosaic *m, size_t i, uint8_t out[MOSAIC_PAGE]);
/* What the pages from AT of the file on hold now. */
bool mosaic_equals(const struct mosaic *m, uint64_t at, const uint8_t *p, size_t n);
void mosaic_free(struct mosaic *m);

#endif
