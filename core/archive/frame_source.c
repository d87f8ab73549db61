#include "archive/frame_source.h"

#include <stdlib.h>
#include <string.h>

#include "archive/archive_parts.h"
#include "archive/crypto.h"
#include "archive/frame.h"
#include "archive/record.h"
#include "base/bytes.h"
#include "base/err.h"

int frame_source_open(struct frame_source *f, struct archive_parts *parts,
		      const uint8_t *id_key, struct err *e)
{
	*f = (struct frame_source){ .parts = parts, .id_key = id_key };
	f->packed = malloc(FRAME_MAX);
	if (!f->packed)
		return err_memory(e);
	f->unpacker = unpacker_new(e);
	f->head.frame = f->unpacker ? unpacked_new(e) : NULL;
	return f->head.frame ? 0 : -1;
}

void frame_source_close(struct frame_source *f)
{
	free(f->packed);
	unpacker_free(f->unpacker);
	unpacked_free(f->head.frame);
	for (size_t i = 0; i < FRAME_SOURCE_BODIES; i++)
		unpacked_free(f->bodies[i].frame);
	*f = (struct frame_source){ .parts = NULL };
}

static int name_record(const struct part_reader *r, const struct record_place *at,
		       struct err *e)
{
	return err_in(e, "%s: record at %llu", r->name, (unsigned long long)at->offset);
}

static bool same_place(const struct record_place *a, const struct record_place *b)
{
	return a->seq == b->seq && a->part == b->part && a->offset == b->offset;
}

static int slot_load(struct frame_source *f, struct frame_slot *s, enum record_type type,
		     const struct record_place *at, struct err *e)
{
	struct part_reader *r = NULL;
	struct record rec;

	s->loaded = false;
	if (!s->frame)
		s->frame = unpacked_new(e);
	if (!s->frame)
		return -1;
	if (archive_parts_get(f->parts, at, &r, e) < 0 ||
	    record_load(r, at->offset, type, f->unpacker, f->packed, s->frame->plain,
			&rec, e) < 0)
		return -1;
	if (unpacked_parse(s->frame, type, rec.ulen, f->id_key, rec.id, e) < 0)
		return name_record(r, at, e);
	s->at = *at;
	s->loaded = true;
	f->decoded += type == RECORD_BODY;
	return 0;
}

/* Where the BODY frame at AT lies, or a slot for it: an empty one, or that whose last use is
 * longest ago. */
static struct frame_slot *body_slot(struct frame_source *f, const struct record_place *at)
{
	struct frame_slot *best = &f->bodies[0];

	for (size_t i = 0; i < FRAME_SOURCE_BODIES; i++) {
		struct frame_slot *s = &f->bodies[i];

		if (s->loaded && same_place(&s->at, at)) {
			best = s;
			break;
		}
		if (best->loaded && (!s->loaded || s->used < best->used))
			best = s;
	}
	best->used = ++f->uses;
	return best;
}

int frame_source_get(struct frame_source *f, enum tree_stream stream,
		     const struct extent *x, const struct unpacked **out, struct err *e)
{
	struct frame_slot *s = stream == TREE_HEAD ? &f->head : body_slot(f, &x->at);
	enum record_type type = stream == TREE_HEAD ? RECORD_HEAD : RECORD_BODY;
	struct err ignored = ERR_EMPTY;
	struct part_reader *r = NULL;

	if ((!s->loaded || !same_place(&s->at, &x->at)) &&
	    slot_load(f, s, type, &x->at, e) < 0)
		return -1;
	if (unpacked_check(s->frame, x->offset, x->length, f->id_key, x->check, e) < 0) {
		if (archive_parts_get(f->parts, &x->at, &r, &ignored) == 0)
			(void)name_record(r, &x->at, e);
		return -1;
	}
	*out = s->frame;
	return 0;
}

int frame_source_node(void *ctx, const struct tree_ref *ref, struct bytes *out,
		      struct err *e)
{
	struct frame_source *f = ctx;
	struct part_reader *r = NULL;
	struct record rec;
	uint8_t id[32];

	if (archive_parts_get(f->parts, &ref->at, &r, e) < 0 ||
	    bytes_reserve(out, NODE_MAX, e) < 0 ||
	    record_load(r, ref->at.offset, RECORD_NODE, f->unpacker, f->packed,
			out->p + out->len, &rec, e) < 0)
		return -1;
	frame_node_id(f->id_key, out->p + out->len, rec.ulen, id);
	if (!crypto_equal(id, rec.id, sizeof(id)) ||
	    !crypto_equal(id, ref->id, sizeof(ref->id))) {
		(void)err_set(e, ERR_DAMAGED, "a node is not what its id says");
		return name_record(r, &ref->at, e);
	}
	out->len += rec.ulen;
	return 0;
}
