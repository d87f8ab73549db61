/* Entries in, an archive out.
 *
 * Contents fill the open BODY frame, entries the open HEAD frame (writer_body.c, writer_head.c). A
 * full frame is given to the pipeline, and whenever there is no frame left to fill, the oldest one
 * given comes back packed and is written; its chunks, and known ones that wait behind them, then
 * leave their line and become extents.  So both trees grow from left to right whichever frames are in
 * flight. */
#include "archive/writer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/alike.h"
#include "archive/crypto.h"
#include "archive/envelope.h"
#include "archive/heads.h"
#include "archive/nodes.h"
#include "archive/pipeline.h"
#include "archive/series.h"
#include "archive/writer_parts.h"
#include "base/err.h"
#include "base/scope.h"

#define BODY_SLOTS 3 /* segments of chunks in memory: the walk's, the window's, the line's */
#define HEAD_SLOTS 2

/* ---- packed frames and nodes become records ---- */

static int node_write(struct writer *w, const uint8_t *plain, size_t n, const uint8_t id[32],
		      struct chunk_place *in, struct err *e)
{
	struct outgoing r = { .type = RECORD_NODE, .id = id, .ulen = n };

	if (packer_small(pipeline_packer(w->pipeline), plain, n, &r.data, &r.clen, &r.codec, e) < 0)
		return -1;
	in->clen = (uint32_t)r.clen;
	return series_record(w->series, &r, &in->at, e);
}

/* A tree_store_fn: a node that the tip has is referred to. */
static int node_store(void *ctx, const uint8_t *plain, size_t n, struct tree_ref *ref,
		      struct err *e)
{
	struct writer *w = ctx;
	struct chunk_place in = { .content = 0 };
	uint8_t id[32];
	int r;

	frame_node_id(w->keys->id, plain, n, id);
	memcpy(ref->id, id, sizeof(ref->id));
	r = nodes_find(w->nodes, ref->id, &in, e);
	if (r < 0)
		return -1;
	if ((r == 1 || !usage_allows(&w->usage, in.at.seq)) &&
	    node_write(w, plain, n, id, &in, e) < 0)
		return -1;
	ref->at = in.at;
	if (!usage_record(&w->usage, &in.at, in.clen))
		return cache_broken(w->cache, "a node leads astray", e);
	return nodes_add(w->nodes, ref->id, &in, e);
}

static int write_frame(struct writer *w, const struct frame *f, struct err *e)
{
	struct outgoing r = { .type = f->type,
			      .codec = f->codec,
			      .id = f->id,
			      .data = f->packed,
			      .clen = f->clen,
			      .ulen = f->ulen };
	struct chunk_place in = { .clen = (uint32_t)f->clen, .content = (uint32_t)f->used };
	struct side *s = f->type == RECORD_HEAD ? &w->head : &w->body;

	if (series_record(w->series, &r, &in.at, e) < 0)
		return -1;
	if (f->type == RECORD_HEAD && heads_save(w->heads, &in.at, f, e) < 0)
		return -1;
	return line_written(s->line, f, &in, e);
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

int writer_frame(struct writer *w, struct side *s, enum record_type type, size_t limit,
		 struct err *e)
{
	if (s->open)
		return 0;
	while (!(s->open = pipeline_take(w->pipeline)))
		if (drain_one(w, e) != 0)
			return -1;
	frame_reset(s->open, type, limit);
	return 0;
}

void writer_give(struct writer *w, struct side *s)
{
	if (s->open && s->open->used > 0) {
		pipeline_give(w->pipeline, s->open);
		s->open = NULL;
	}
}

int writer_room(struct writer *w, struct side *s, struct err *e)
{
	while (line_full(s->line)) {
		writer_give(w, s);
		if (drain_one(w, e) != 0)
			return -1;
	}
	return 0;
}

/* ---- the sink ---- */

/* Once a call failed, what there is will never be a snapshot. */
static int note(struct writer *w, int r)
{
	if (r < 0)
		w->state = WRITER_BROKEN;
	return r;
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

static int sink_known(void *ctx, const struct entry_hint *hint, struct err *e)
{
	return note(ctx, writer_head_known(ctx, hint, e));
}

static int sink_begin(void *ctx, const struct entry_hint *hint, struct err *e)
{
	return note(ctx, writer_body_begin(ctx, hint, e));
}

static int sink_body(void *ctx, uint64_t offset, const uint8_t *p, size_t n, struct err *e)
{
	return note(ctx, writer_body_bytes(ctx, offset, p, n, e));
}

static int sink_entry(void *ctx, const struct entry *en, struct err *e)
{
	if (note(ctx, check_entry(ctx, en, e)) < 0)
		return -1;
	return note(ctx, writer_head_entry(ctx, en, e));
}

static int sink_drop(void *ctx, struct err *e)
{
	return note(ctx, writer_head_gap(ctx, e));
}

struct entry_sink writer_sink(struct writer *w)
{
	return (struct entry_sink){ .ctx = w,
				    .known = sink_known,
				    .begin = sink_begin,
				    .body = sink_body,
				    .entry = sink_entry,
				    .drop = sink_drop };
}

/* ---- a pass: what is made for it and thrown away behind it ---- */

static int side_open(struct writer *w, struct side *s, enum tree_stream stream,
		     enum cache_kind kind, size_t slots, bool with_tree, struct err *e)
{
	struct line_options o = { .stream = stream,
				  .id_key = w->keys->id,
				  .usage = &w->usage,
				  .cache = w->cache };

	if (w->tip &&
	    chunks_reader_new(w->cache, kind, &w->tip->segs[kind], slots, &s->old, e) < 0)
		return -1;
	if (chunks_writer_new(w->cache, kind, &s->out, e) < 0)
		return -1;
	if (with_tree && !(s->tree = tree_builder_new(stream, node_store, w, e)))
		return -1;
	o.tree = s->tree;
	o.old = s->old;
	o.out = s->out;
	return line_new(&o, &s->line, e);
}

static void side_close(struct side *s)
{
	frame_free(s->open);
	tree_builder_free(s->tree);
	chunks_reader_free(s->old);
	chunks_writer_free(s->out);
	line_free(s->line);
	*s = (struct side){ .open = NULL };
}

static int pass_open(struct writer *w, bool another, struct err *e)
{
	const struct cache_segs *segs = w->tip ? w->tip->segs : NULL;

	if (side_open(w, &w->body, TREE_BODY, CACHE_BODY, BODY_SLOTS, !another, e) < 0 ||
	    side_open(w, &w->head, TREE_HEAD, CACHE_HEAD, HEAD_SLOTS, !another, e) < 0 ||
	    nodes_new(w->scratch, w->cache, segs ? &segs[CACHE_NODES] : NULL, &w->nodes, e) < 0 ||
	    alike_new(w->scratch, w->cache, segs ? &segs[CACHE_ENTRIES] : NULL, w->body.line,
		      &w->alike, e) < 0 ||
	    window_new(w->body.line, &w->window, e) < 0 ||
	    entries_writer_new(w->cache, &w->entries, e) < 0)
		return -1;
	return known_open(&w->known, w->cache, segs ? &segs[CACHE_ENTRIES] : NULL, e);
}

static void pass_close(struct writer *w)
{
	known_close(&w->known);
	entries_writer_free(w->entries);
	window_free(w->window);
	alike_free(w->alike);
	nodes_free(w->nodes);
	side_close(&w->body);
	side_close(&w->head);
	w->entries = NULL;
	w->window = NULL;
	w->alike = NULL;
	w->nodes = NULL;
}

/* All that is open or given becomes records, all lines empty, and the lists of segments whole. */
static int pass_finish(struct writer *w, struct cache_segs out[CACHE_KINDS], struct err *e)
{
	int r;

	if (writer_head_close(w, e) < 0)
		return -1;
	writer_give(w, &w->body);
	writer_give(w, &w->head);
	while ((r = drain_one(w, e)) == 0)
		continue;
	if (r < 0 || line_finish(w->body.line, e) < 0 || line_finish(w->head.line, e) < 0 ||
	    entries_writer_finish(w->entries, &out[CACHE_ENTRIES], e) < 0 ||
	    chunks_writer_finish(w->body.out, &out[CACHE_BODY], e) < 0)
		return -1;
	return chunks_writer_finish(w->head.out, &out[CACHE_HEAD], e);
}

int writer_next_pass(struct writer *w, struct err *e)
{
	struct cache_list pass = CACHE_LIST_EMPTY;

	if (w->state != WRITER_OPEN || w->body.tree || w->pending > 0)
		return err_set(e, ERR_FAILED, "writer: asked for a second pass out of turn");
	w->state = WRITER_BROKEN; /* until it is done */
	if (pass_finish(w, pass.segs, e) < 0 ||
	    nodes_finish(w->nodes, &pass.segs[CACHE_NODES], e) < 0) {
		cache_list_free(&pass);
		return -1;
	}
	pass_close(w);
	w->pass = pass;
	w->tip = &w->pass;
	w->distrust = false;
	w->n_entries = w->body_len = 0;
	usage_restart(&w->usage);
	if (pass_open(w, false, e) < 0)
		return -1;
	w->state = WRITER_OPEN;
	return 0;
}

/* ---- open ---- */

static int note_recipients(struct writer *w, const struct writer_options *o, struct err *e)
{
	w->recipients = calloc(CACHE_RECIPIENTS, sizeof(*w->recipients));
	if (!w->recipients)
		return err_memory(e);
	w->n_recipients = envelope_recipients(o->d, o->stream->host_pk, w->recipients,
					      CACHE_RECIPIENTS);
	return 0;
}

static int writer_setup(struct writer *w, const struct writer_options *o, struct err *e)
{
	w->keys = o->keys;
	w->scratch = o->scratch;
	w->cache = o->cache;
	w->tip = o->tip;
	memcpy(w->options, o->options, sizeof(w->options));
	w->distrust = !o->tip || memcmp(o->tip->options, o->options, sizeof(o->options)) != 0;
	chunker_key(&w->chunker, o->keys->gear);
	chunker_begin(&w->chunker, CHUNK_WHOLE, 0);
	if (usage_open(&w->usage, o->seq, o->tip ? o->tip->deps : NULL, o->tip ? o->tip->n_deps : 0,
		       o->victims, o->n_victims, e) < 0 ||
	    note_recipients(w, o, e) < 0 || series_open(o, &w->series, e) < 0)
		return -1;
	w->pipeline = pipeline_new(o->compression, pipeline_workers(), o->keys->id, e);
	if (!w->pipeline || heads_new(w->cache, w->keys->id, &w->heads, e) < 0)
		return -1;
	return pass_open(w, o->another_pass, e);
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
	pass_close(w);
	heads_free(w->heads);
	pipeline_free(w->pipeline);
	series_free(w->series);
	usage_close(&w->usage);
	cache_list_free(&w->pass);
	cache_list_free(&w->next);
	free(w->recipients);
	crypto_wipe(&w->chunker, sizeof(w->chunker));
	free(w);
}

/* ---- stage ---- */

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
	if (tree_builder_finish(w->body.tree, &r->body, e) < 0 ||
	    tree_builder_finish(w->head.tree, &r->head, e) < 0)
		return -1;
	if (r->body.length != w->body_len || r->head.entries != w->n_entries ||
	    r->head.body != w->body_len)
		return cache_broken(w->cache, "what it says does not add up", e);
	r->totals.entries = w->n_entries;
	r->totals.body_len = w->body_len;
	r->totals.head_len = r->head.length;
	return nodes_finish(w->nodes, &w->next.segs[CACHE_NODES], e);
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
	s->reemitted = w->reemitted < s->new_bytes ? w->reemitted : s->new_bytes;
	s->changed_bytes = w->tip ? w->changed : UINT64_MAX;
}

/* The archives that the trees reach go into the trailer, and with this one into the tip cache. */
static int fill_deps(struct writer *w, struct part_trailer *t, struct err *e)
{
	struct cache_list *next = &w->next;

	next->deps = calloc(w->usage.n + 1, sizeof(*next->deps));
	if (!next->deps)
		return err_memory(e);
	next->n_deps = usage_deps(&w->usage, next->deps);
	t->deps = calloc(next->n_deps + 1, sizeof(*t->deps));
	if (!t->deps)
		return err_memory(e);
	t->n_deps = next->n_deps;
	for (size_t i = 0; i < t->n_deps; i++) {
		t->deps[i].archive = next->deps[i].archive;
		t->deps[i].live = next->deps[i].live;
	}
	return 0;
}

/* The tip cache of the archive that OUT names. */
static int save_list(struct writer *w, const struct summary *s, const struct writer_result *out,
		     struct err *e)
{
	struct cache_list *next = &w->next;

	next->archive = out->archive;
	memcpy(next->options, w->options, sizeof(next->options));
	next->recipients = w->recipients;
	next->n_recipients = w->n_recipients;
	w->recipients = NULL;
	next->deps[next->n_deps++] = (struct cache_dep){ .archive = out->archive,
							  .live = w->usage.own_live,
							  .size = s->new_bytes,
							  .level = s->level };
	return cache_list_save(w->cache, next, e);
}

static int stage_trailer(struct writer *w, bool partial, const struct summary *s,
			 const struct record_place *root, struct writer_result *out,
			 struct err *e)
{
	struct part_trailer t = { .root_offset = root->offset, .partial = partial };
	int r = fill_deps(w, &t, e);

	if (r == 0)
		r = series_stage(w->series, &t, s, e);
	if (r == 0) {
		memcpy(out->archive.id, series_archive_id(w->series), 16);
		out->archive.seq = root->seq;
		memcpy(out->archive.trailer_hash, t.hash, 32);
		memcpy(out->chain, t.chain, 32);
		out->new_bytes = s->new_bytes;
		out->stored = series_stored(w->series);
		out->n_deps = t.n_deps;
		r = save_list(w, s, out, e);
	}
	part_trailer_free(&t);
	return r;
}

int writer_stage(struct writer *w, bool partial, struct root *r, struct summary *s,
		 struct writer_result *out, struct err *e)
{
	struct record_place root;

	if (w->state != WRITER_OPEN || w->pending > 0 || !w->body.tree)
		return err_set(e, ERR_FAILED,
			       "writer: asked to finish what did not go well");
	w->state = WRITER_BROKEN; /* until all of it is done */
	if (pass_finish(w, w->next.segs, e) < 0 || finish_trees(w, r, e) < 0 ||
	    write_root(w, r, &root, e) < 0)
		return -1;
	fill_summary(w, r, s);
	if (stage_trailer(w, partial, s, &root, out, e) < 0)
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
	if (series_commit(w->series, e) < 0)
		return -1;
	w->state = WRITER_COMMITTED;
	return 0;
}

/* ---- sweep ---- */

struct frames {
	size_t n, room;
	struct record_place *list;
};

static int compare_places(const void *a, const void *b)
{
	const struct record_place *x = a, *y = b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int frames_add(struct frames *f, const struct record_place *at, struct err *e)
{
	if (f->n > 0 && chunk_same_place(&f->list[f->n - 1], at))
		return 0;
	if (f->n == f->room) {
		size_t room = f->room ? f->room * 2 : 64;
		struct record_place *p = reallocarray(f->list, room, sizeof(*p));

		if (!p)
			return err_memory(e);
		f->list = p;
		f->room = room;
	}
	f->list[f->n++] = *at;
	return 0;
}

/* The HEAD frames that groups lie in, sorted. */
static int frames_of(struct writer *w, struct frames *f, struct err *e)
{
	const struct cache_segs *segs = &w->next.segs[CACHE_HEAD];
	struct chunks_reader *r = NULL;
	int result = chunks_reader_new(w->cache, CACHE_HEAD, segs, 1, &r, e);

	for (uint64_t i = 0; result == 0 && i < segs->units; i++) {
		struct chunk c;

		result = chunks_reader_get(r, i, &c, e);
		if (result == 0)
			result = frames_add(f, &c.in.at, e);
	}
	chunks_reader_free(r);
	if (f->n > 0)
		qsort(f->list, f->n, sizeof(*f->list), compare_places);
	return result;
}

static bool keep_head(void *ctx, const char *name)
{
	const struct frames *f = ctx;
	unsigned long long seq, offset;
	struct record_place at;
	unsigned part;

	if (sscanf(name, "h-%llu-%u-%llu", &seq, &part, &offset) != 3)
		return false;
	at = (struct record_place){ .seq = seq, .part = part, .offset = offset };
	return f->n > 0 && bsearch(&at, f->list, f->n, sizeof(*f->list), compare_places);
}

int writer_sweep(struct writer *w, struct err *e)
{
	struct frames f = { .list = NULL };
	int r = 0;

	if (w->state == WRITER_COMMITTED)
		r = frames_of(w, &f, e);
	if (r == 0)
		r = cache_sweep(w->cache, &w->next, keep_head, &f, e);
	free(f.list);
	return r;
}
