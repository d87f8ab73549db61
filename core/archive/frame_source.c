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
	frame_worker_free(f->worker);
	free(f->packed);
	unpacker_free(f->unpacker);
	unpacked_free(f->head.frame);
	for (size_t i = 0; i < FRAME_SOURCE_BODIES; i++) {
		unpacked_free(f->bodies[i].frame);
		free(f->bodies[i].packed);
	}
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

/* The slot of the BODY frame at AT, or NULL. */
static struct frame_slot *body_find(struct frame_source *f, const struct record_place *at)
{
	for (size_t i = 0; i < FRAME_SOURCE_BODIES; i++) {
		struct frame_slot *s = &f->bodies[i];

		if ((s->loaded || s->ahead) && same_place(&s->at, at))
			return s;
	}
	return NULL;
}

/* Whether A is to make room rather than B: an empty one, then what nobody said will come, and
 * among equals that of which we heard longest ago. */
static bool goes_before(const struct frame_slot *a, const struct frame_slot *b)
{
	bool a_empty = !a->loaded && !a->ahead, b_empty = !b->loaded && !b->ahead;

	if (a_empty || b_empty)
		return a_empty && !b_empty;
	if (a->ahead != b->ahead)
		return b->ahead;
	return a->ahead ? a->wanted < b->wanted : a->used < b->used;
}

/* A slot for a BODY frame.  NULL: all are taken by what is in use or, since then, was said to
 * come. */
static struct frame_slot *body_room(struct frame_source *f)
{
	struct frame_slot *best = NULL;

	for (size_t i = 0; i < FRAME_SOURCE_BODIES; i++) {
		struct frame_slot *s = &f->bodies[i];

		if (f->current && (s == f->current || s->wanted == f->uses))
			continue;
		if (!best || goes_before(s, best))
			best = s;
	}
	return best;
}

/* Take over what the worker made of S. */
static int slot_take(struct frame_source *f, struct frame_slot *s, struct err *e)
{
	struct err ignored = ERR_EMPTY;
	struct part_reader *r = NULL;

	s->ahead = false;
	s->loaded = frame_worker_wait(f->worker, &s->job, e) == 0;
	f->decoded += s->loaded;
	if (s->loaded)
		return 0;
	return archive_parts_get(f->parts, &s->at, &r, &ignored) == 0
		       ? name_record(r, &s->at, e)
		       : -1;
}

/* Make the slot S free for another frame; nobody asked for what was begun in it. */
static void slot_clear(struct frame_source *f, struct frame_slot *s)
{
	struct err ignored = ERR_EMPTY;

	if (s->ahead)
		(void)slot_take(f, s, &ignored);
	s->loaded = false;
}

static int body_get(struct frame_source *f, const struct record_place *at,
		    struct frame_slot **out, struct err *e)
{
	struct frame_slot *s = body_find(f, at);

	f->current = NULL;
	if (s && s->ahead && slot_take(f, s, e) < 0)
		return -1;
	if (!s) {
		s = body_room(f);
		slot_clear(f, s);
		if (slot_load(f, s, RECORD_BODY, at, e) < 0)
			return -1;
	}
	s->used = ++f->uses;
	f->current = s;
	*out = s;
	return 0;
}

/* What a slot needs to be filled ahead; kept until the source is closed. */
static bool slot_memory(struct frame_slot *s)
{
	struct err ignored = ERR_EMPTY;

	if (!s->frame)
		s->frame = unpacked_new(&ignored);
	if (!s->packed)
		s->packed = unpacker_room();
	return s->frame && s->packed;
}

bool frame_source_ahead(struct frame_source *f, const struct record_place *at)
{
	struct err ignored = ERR_EMPTY;
	struct part_reader *r = NULL;
	struct frame_slot *s;

	if (!f->worker && !f->alone) {
		f->worker = frame_worker_new(f->id_key);
		f->alone = !f->worker;
	}
	if (f->alone)
		return false;
	s = body_find(f, at);
	if (s) {
		s->wanted = f->uses;
		return true;
	}
	s = body_room(f);
	if (!s)
		return false;
	slot_clear(f, s);
	if (!slot_memory(s) ||
	    archive_parts_get(f->parts, at, &r, &ignored) < 0 ||
	    record_fetch(r, at->offset, RECORD_BODY, s->packed, &s->job.rec, &ignored) < 0)
		return false;
	s->at = *at;
	s->ahead = true;
	s->wanted = f->uses;
	s->job.frame = s->frame;
	s->job.packed = s->packed;
	frame_worker_give(f->worker, &s->job);
	return true;
}

static int head_get(struct frame_source *f, const struct record_place *at,
		    struct frame_slot **out, struct err *e)
{
	*out = &f->head;
	return f->head.loaded && same_place(&f->head.at, at)
		       ? 0
		       : slot_load(f, &f->head, RECORD_HEAD, at, e);
}

int frame_source_get(struct frame_source *f, enum tree_stream stream,
		     const struct extent *x, const struct unpacked **out, struct err *e)
{
	struct err ignored = ERR_EMPTY;
	struct part_reader *r = NULL;
	struct frame_slot *s = NULL;

	if ((stream == TREE_HEAD ? head_get : body_get)(f, &x->at, &s, e) < 0)
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
