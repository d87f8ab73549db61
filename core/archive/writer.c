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

uint64_t writer_new_content(const struct writer *w) { return w->changed; }

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

int writer_pass_finish(struct writer *w, struct cache_segs out[CACHE_KINDS], struct err *e)
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

/* A pass that another follows has no trees: the nodes that are there are those of the tip still. */
static int take_nodes(const struct writer *w, struct cache_segs *out, struct err *e)
{
	const struct cache_segs *from = w->tip ? &w->tip->segs[CACHE_NODES] : out;

	for (size_t i = 0; i < from->n; i++)
		if (cache_segs_add(out, &from->list[i], e) < 0)
			return -1;
	return 0;
}

/* A frame in which nothing stayed is the pipeline's again. */
static void give_back(struct writer *w, struct side *s)
{
	if (s->open)
		pipeline_release(w->pipeline, s->open);
	s->open = NULL;
}

int writer_next_pass(struct writer *w, struct err *e)
{
	struct cache_list pass = CACHE_LIST_EMPTY;

	if (w->state != WRITER_OPEN || w->body.tree || w->pending > 0)
		return err_set(e, ERR_FAILED, "writer: asked for a second pass out of turn");
	w->state = WRITER_BROKEN; /* until it is done */
	if (writer_pass_finish(w, pass.segs, e) < 0 ||
	    take_nodes(w, &pass.segs[CACHE_NODES], e) < 0) {
		cache_list_free(&pass);
		return -1;
	}
	give_back(w, &w->body);
	give_back(w, &w->head);
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
