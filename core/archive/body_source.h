/* The body stream from any place on: extents by the body tree, bytes in place. */
#ifndef ARCHIVE_BODY_SOURCE_H
#define ARCHIVE_BODY_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "archive/tree.h"

struct err;
struct frame_source;

#define BODY_SOURCE_AHEAD 32

struct body_source {
	struct frame_source *frames; /* borrowed */
	struct tree_walker *walker;
	uint64_t length;
	/* the extent that was found last; x.length = 0: none */
	struct extent x;
	uint64_t at;
	const uint8_t *p; /* its bytes; NULL: not loaded */
	/* the ones behind it, as far as the tree was read ahead */
	struct extent ahead[BODY_SOURCE_AHEAD];
	size_t ahead_first, n_ahead;
	bool ahead_ends; /* the tree gives no more; it is asked by place then */
	unsigned run;	 /* extents found one behind the other, without going elsewhere */
};

/* Free with body_source_close, also when opening failed. */
int body_source_open(struct body_source *b, struct frame_source *frames,
		     const struct tree_ref *top, struct err *e);
void body_source_close(struct body_source *b);
/* Bytes of the stream from AT on, AT < b->length: *n > 0 of them at *p, valid until the
 * next call. */
int body_source_get(struct body_source *b, uint64_t at, const uint8_t **p, size_t *n,
		    struct err *e);

/* ---- for those who choose the order ---- */
/* Find the extent that holds AT < b->length: b->x, which begins at b->at.  The one after the
 * last one is found without asking the tree anew. */
int body_source_find(struct body_source *b, uint64_t at, struct err *e);
/* The bytes of X, which was found before: x->length at *p, valid until the next call. */
int body_source_load(struct body_source *b, const struct extent *x, const uint8_t **p,
		     struct err *e);
/* What lies at AT will be loaded soon.  false: enough is begun. */
bool body_source_ahead(struct body_source *b, const struct record_place *at);

#endif
