/* Extents and nodes turned into checked bytes: one unpacked HEAD frame is kept, and the
 * BODY frames last used, since neighbouring extents mostly lie in one frame, or take turns
 * between the old frame of a file and those with its changes.  The frames that come next
 * are unpacked ahead, by a thread, where there is more than one CPU. */
#ifndef ARCHIVE_FRAME_SOURCE_H
#define ARCHIVE_FRAME_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/frame_worker.h"
#include "archive/tree.h"

struct archive_parts;
struct bytes;
struct err;
struct unpacked;
struct unpacker;

#define FRAME_SOURCE_BODIES 4

struct frame_slot {
	struct unpacked *frame; /* NULL: not needed yet */
	struct record_place at;
	bool loaded;
	bool ahead;    /* it is with the worker, or was and nobody asked for it yet */
	uint64_t used;	 /* when, by the count of f->uses */
	uint64_t wanted; /* when somebody said last that it will be */
	uint8_t *packed;
	struct frame_job job;
};

struct frame_source {
	struct archive_parts *parts; /* borrowed */
	const uint8_t *id_key;	     /* borrowed */
	struct unpacker *unpacker;
	uint8_t *packed;
	struct frame_slot head, bodies[FRAME_SOURCE_BODIES];
	const struct frame_slot *current; /* which BODY frame's bytes are in use; or NULL */
	struct frame_worker *worker;
	bool alone; /* there is no worker to be had */
	uint64_t uses;
	uint64_t decoded; /* BODY frames unpacked so far */
};

/* Free with frame_source_close, also when opening failed. */
int frame_source_open(struct frame_source *f, struct archive_parts *parts,
		      const uint8_t *id_key, struct err *e);
void frame_source_close(struct frame_source *f);
/* The frame that X lies in, its id and X's check recomputed: X's bytes are x->length from
 * x->offset of its content on.  Valid until the next extent of the same STREAM is asked
 * for. */
int frame_source_get(struct frame_source *f, enum tree_stream stream,
		     const struct extent *x, const struct unpacked **out, struct err *e);
/* The BODY frame at AT will be asked for soon: begin with it, if there is room beside the frame
 * that is in use and those that were begun before.  false: there is none.  What fails
 * will fail when it is asked for. */
bool frame_source_ahead(struct frame_source *f, const struct record_place *at);
/* A tree_load_fn; CTX is the frame_source. */
int frame_source_node(void *ctx, const struct tree_ref *ref, struct bytes *out,
		      struct err *e);

#endif
