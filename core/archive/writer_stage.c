/* The end of an archive: trees, ROOT, trailer, and the tip cache that the next snapshot goes on from;
 * then the commit, and what the tip cache needs no more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/nodes.h"
#include "archive/series.h"
#include "archive/writer_parts.h"
#include "base/err.h"

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
	if (writer_pass_finish(w, w->next.segs, e) < 0 || finish_trees(w, r, e) < 0 ||
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
	int r;

	if (w->state != WRITER_COMMITTED) /* the tip is still the one before */
		return err_set(e, ERR_FAILED,
			       "writer: asked to sweep for what is not committed");
	r = frames_of(w, &f, e);
	if (r == 0)
		r = cache_sweep(w->cache, &w->next, keep_head, &f, e);
	free(f.list);
	return r;
}
