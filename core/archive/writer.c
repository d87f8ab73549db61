/* Entries in, an archive out.
 *
 * A body fills the open BODY frame chunk by chunk; its entry then goes to the open group,
 * the last chunk of the open HEAD frame.  A full frame is given to the pipeline, and
 * whenever there is no frame left to fill, the oldest one given comes back packed and is
 * written: a record, and one extent in its stream's tree, since all of a frame lies
 * together in its stream.  So both trees grow from left to right whichever frames are in
 * flight. */
#include "archive/writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "archive/chunker.h"
#include "archive/crypto.h"
#include "archive/frame.h"
#include "archive/group.h"
#include "archive/pipeline.h"
#include "archive/series.h"
#include "archive/tree.h"
#include "base/err.h"

struct writer {
	const struct stream_keys *keys;
	struct series *series;
	struct pipeline *pipeline;
	struct tree_builder *body_tree, *head_tree;
	struct frame *body, *head; /* open ones, or NULL */
	struct chunker chunker;
	struct group group;
	uint64_t pending; /* bytes of body that no entry has claimed */
	uint64_t entries, body_len;
	enum { WRITER_OPEN, WRITER_STAGED, WRITER_BROKEN } state;
};

/* ---- packed frames and nodes become records ---- */

static int write_node(void *ctx, const uint8_t *plain, size_t n, struct tree_ref *ref,
		      struct err *e)
{
	struct writer *w = ctx;
	uint8_t id[32];
	struct outgoing r = { .type = RECORD_NODE, .id = id, .ulen = n };

	frame_node_id(w->keys->id, plain, n, id);
	memcpy(ref->id, id, sizeof(ref->id));
	if (packer_small(pipeline_packer(w->pipeline), plain, n, &r.data, &r.clen,
			 &r.codec, e) < 0)
		return -1;
	return series_record(w->series, &r, &ref->at, e);
}

static int write_frame(struct writer *w, const struct frame *f, struct err *e)
{
	struct outgoing r = { .type = f->type,
			      .codec = f->codec,
			      .id = f->id,
			      .data = f->packed,
			      .clen = f->clen,
			      .ulen = f->ulen };
	struct extent x = { .length = f->used, .entries = f->entries, .body = f->body };

	frame_check(w->keys->id, f->fingerprints[0], f->n_chunks, x.check);
	if (series_record(w->series, &r, &x.at, e) < 0)
		return -1;
	return tree_builder_add(f->type == RECORD_HEAD ? w->head_tree : w->body_tree, &x,
				e);
}

/* Write the oldest given frame; 1: none is given. */
static int drain_one(struct writer *w, struct err *e)
{
	struct frame *f;
	int r = pipeline_collect(w->pipeline, &f, e);

	if (r != 0)
		return r;
	r = write_frame(w, f, e);
	pipeline_release(w->pipeline, f);
	return r;
}

/* ---- open frames ---- */

static struct frame *take_frame(struct writer *w, enum record_type type, size_t limit,
				struct err *e)
{
	struct frame *f;

	while (!(f = pipeline_take(w->pipeline)))
		if (drain_one(w, e) != 0)
			return NULL;
	frame_reset(f, type, limit);
	return f;
}

/* Give an open frame away, unless there is nothing in it. */
static void give_frame(struct writer *w, struct frame **f)
{
	if (*f && (*f)->used > 0) {
		pipeline_give(w->pipeline, *f);
		*f = NULL;
	}
}

static int head_frame(struct writer *w, struct err *e)
{
	if (!w->head)
		w->head = take_frame(w, RECORD_HEAD, FRAME_CONTENT, e);
	return w->head ? 0 : -1;
}

static int body_frame(struct writer *w, struct err *e)
{
	if (!w->body)
		w->body = take_frame(w, RECORD_BODY, w->chunker.limit, e);
	return w->body ? 0 : -1;
}

/* The head frame has no room for the open group to grow: the group goes on in a new one.
 */
static int move_group(struct writer *w, struct err *e)
{
	struct frame *next = take_frame(w, RECORD_HEAD, FRAME_CONTENT, e);

	if (!next)
		return -1;
	group_move(w->head, next);
	give_frame(w, &w->head);
	assert(!w->head); /* a group fits in a frame: its header's length was checked */
	w->head = next;
	return 0;
}

/* ---- the sink ---- */

static void body_begin(struct writer *w, uint64_t size)
{
	chunker_begin(&w->chunker, size);
	if (w->chunker.alone)
		give_frame(w, &w->body);
	/* One that is open and empty may have another limit. */
	if (w->body && w->body->used == 0)
		frame_reset(w->body, RECORD_BODY, w->chunker.limit);
}

static int body_bytes(struct writer *w, const uint8_t *p, size_t n, struct err *e)
{
	if (__builtin_add_overflow(w->pending, n, &w->pending) ||
	    __builtin_add_overflow(w->body_len, n, &w->body_len))
		return err_set(e, ERR_FAILED, "body stream too long");
	while (n > 0) {
		size_t k;

		if (body_frame(w, e) < 0)
			return -1;
		k = chunker_put(&w->chunker, w->body, p, n);
		p += k;
		n -= k;
		if (n > 0 || w->body->used == w->body->limit)
			give_frame(w, &w->body);
	}
	return 0;
}

static void body_end(struct writer *w)
{
	bool alone = w->chunker.alone;

	chunker_end(&w->chunker, w->body);
	if (alone)
		give_frame(w, &w->body);
}

/* An entry, or with HEADER_LEN 0 a gap, that owns the pending bytes. */
static int add_entry(struct writer *w, const char *path, const uint8_t *header,
		     size_t header_len, struct err *e)
{
	body_end(w);
	if (head_frame(w, e) < 0)
		return -1;
	if (!group_put(&w->group, w->head, header, header_len, w->pending)) {
		if (move_group(w, e) < 0)
			return -1;
		(void)group_put(&w->group, w->head, header, header_len, w->pending);
	}
	w->pending = 0;
	w->entries += header_len > 0;
	if (group_ends(&w->group, w->head, w->keys->gear, path))
		group_close(&w->group, w->head);
	return 0;
}

static int check_entry(const struct writer *w, const struct entry *en, struct err *e)
{
	if (en->header_len == 0 || en->header_len % 512 != 0 ||
	    en->header_len > ENTRY_HEADER_MAX)
		return err_set(e, ERR_FAILED, "%s: a header of %zu bytes", en->path,
			       en->header_len);
	if (en->body_len != w->pending)
		return err_set(e, ERR_FAILED, "%s: a body of %llu bytes, but %llu came",
			       en->path, (unsigned long long)en->body_len,
			       (unsigned long long)w->pending);
	return 0;
}

/* Once a call failed, what there is will never be a snapshot. */
static int note(struct writer *w, int r)
{
	if (r < 0)
		w->state = WRITER_BROKEN;
	return r;
}

static int sink_begin(void *ctx, const struct entry_hint *hint, struct err *e)
{
	(void)e;
	body_begin(ctx, hint->size);
	return 0;
}

static int sink_body(void *ctx, const uint8_t *p, size_t n, struct err *e)
{
	return note(ctx, body_bytes(ctx, p, n, e));
}

static int sink_entry(void *ctx, const struct entry *en, struct err *e)
{
	if (note(ctx, check_entry(ctx, en, e)) < 0)
		return -1;
	return note(ctx, add_entry(ctx, en->path, en->header, en->header_len, e));
}

static int sink_drop(void *ctx, struct err *e)
{
	struct writer *w = ctx;

	return w->pending > 0 ? note(w, add_entry(w, NULL, NULL, 0, e)) : 0;
}

struct entry_sink writer_sink(struct writer *w)
{
	return (struct entry_sink){ .ctx = w,
				    .begin = sink_begin,
				    .body = sink_body,
				    .entry = sink_entry,
				    .drop = sink_drop };
}

/* ---- open, stage, commit ---- */

static int writer_setup(struct writer *w, const struct writer_options *o, struct err *e)
{
	w->keys = o->keys;
	chunker_begin(&w->chunker, 0);
	if (series_open(o, &w->series, e) < 0)
		return -1;
	w->pipeline = pipeline_new(o->compression, pipeline_workers(), o->keys->id, e);
	if (!w->pipeline)
		return -1;
	w->body_tree = tree_builder_new(TREE_BODY, write_node, w, e);
	if (!w->body_tree)
		return -1;
	w->head_tree = tree_builder_new(TREE_HEAD, write_node, w, e);
	return w->head_tree ? 0 : -1;
}

int writer_open(const struct writer_options *o, struct writer **out, struct err *e)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_memory(e);
	if (writer_setup(w, o, e) < 0) {
		writer_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	frame_free(w->body);
	frame_free(w->head);
	pipeline_free(w->pipeline);
	tree_builder_free(w->body_tree);
	tree_builder_free(w->head_tree);
	series_free(w->series);
	free(w);
}

/* All that is open or given becomes records. */
static int drain(struct writer *w, struct err *e)
{
	int r;

	if (w->head)
		group_close(&w->group, w->head);
	give_frame(w, &w->body);
	give_frame(w, &w->head);
	while ((r = drain_one(w, e)) == 0)
		continue;
	return r < 0 ? -1 : 0;
}

/* ROOT holds keys: its plaintext is wiped, and it is not compressed, so that no copy
 * stays. */
static int write_root(struct writer *w, const struct root *r, struct record_place *at,
		      struct err *e)
{
	auto_bytes struct bytes plain = BYTES_EMPTY;
	uint8_t id[32];
	struct outgoing rec = { .type = RECORD_ROOT, .codec = CODEC_RAW, .id = id };
	int result = root_encode(r, w->keys, &plain, e);

	if (result == 0) {
		frame_root_id(plain.p, plain.len, id);
		rec.data = plain.p;
		rec.clen = rec.ulen = plain.len;
		result = series_record(w->series, &rec, at, e);
	}
	if (plain.p)
		crypto_wipe(plain.p, plain.cap);
	return result;
}

static int finish_trees(struct writer *w, struct root *r, struct err *e)
{
	if (tree_builder_finish(w->body_tree, &r->body, e) < 0 ||
	    tree_builder_finish(w->head_tree, &r->head, e) < 0)
		return -1;
	assert(r->body.length == w->body_len && r->head.entries == w->entries &&
	       r->head.body == w->body_len);
	r->totals.entries = w->entries;
	r->totals.body_len = w->body_len;
	r->totals.head_len = r->head.length;
	return 0;
}

static void fill_summary(const struct writer *w, const struct root *r, struct summary *s)
{
	s->level = r->level;
	s->grade = (uint8_t)r->grade;
	s->unreadable = r->totals.unreadable;
	s->changed_entries = r->totals.changed;
	s->entries = r->totals.entries;
	s->bytes = r->totals.bytes;
	s->new_bytes = series_new_bytes(w->series);
	s->reemitted = 0;
}

static int stage_trailer(struct writer *w, const struct summary *s,
			 const struct record_place *root, struct writer_result *out,
			 struct err *e)
{
	struct part_trailer t = { .root_offset = root->offset };
	int r = series_stage(w->series, &t, s, e);

	if (r == 0) {
		memcpy(out->archive.id, series_archive_id(w->series), 16);
		out->archive.seq = root->seq;
		memcpy(out->archive.trailer_hash, t.hash, 32);
		memcpy(out->chain, t.chain, 32);
		out->new_bytes = s->new_bytes;
		out->stored = series_stored(w->series);
	}
	part_trailer_free(&t);
	return r;
}

int writer_stage(struct writer *w, struct root *r, struct summary *s,
		 struct writer_result *out, struct err *e)
{
	struct record_place root;

	if (w->state != WRITER_OPEN || w->pending > 0)
		return err_set(e, ERR_FAILED,
			       "writer: asked to finish what did not go well");
	w->state = WRITER_BROKEN; /* until all of it is done */
	if (drain(w, e) < 0 || finish_trees(w, r, e) < 0 ||
	    write_root(w, r, &root, e) < 0)
		return -1;
	fill_summary(w, r, s);
	if (stage_trailer(w, s, &root, out, e) < 0)
		return -1;
	w->state = WRITER_STAGED;
	return 0;
}

int writer_commit(struct writer *w, struct err *e)
{
	if (w->state != WRITER_STAGED)
		return err_set(e, ERR_FAILED,
			       "writer: asked to commit what is not staged");
	w->state = WRITER_BROKEN; /* once only */
	return series_commit(w->series, e);
}
