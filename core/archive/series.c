/* Order is everything here: a part is complete, synced and named before the next one
 * begins, and the last one is named only when all others were seen again.  So whatever
 * crash leaves a .vsf, it left all of its parts. */
#include "archive/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/envelope.h"
#include "archive/tree.h"
#include "archive/writer.h"
#include "base/err.h"
#include "store/store.h"

struct finished {
	uint8_t hash[32];
	uint64_t size;
};

struct series {
	struct store *store;
	const struct secret *host;
	const struct stream_keys *keys;
	uint32_t max_segments;
	struct archive_id parent;
	bool has_parent;
	uint8_t parent_chain[32];

	struct part_header header; /* of the open part */
	uint8_t *fk;
	char dir[512];
	struct store_part *file; /* the open part, or the staged one */
	struct part_writer *part;
	struct finished *done; /* parts that have their names */
	uint32_t n_done;
	uint64_t new_bytes, stored;
};

/* ---- parts ---- */

static void part_name(const struct series *s, uint32_t number, bool final, char *out,
		      size_t size)
{
	struct part_header h = { .part = number, .seq = s->header.seq };
	int n = snprintf(out, size, "%s/", s->dir);

	memcpy(h.archive_id, s->header.archive_id, sizeof(h.archive_id));
	part_header_name(&h, final, out + n, size - (size_t)n);
}

static int part_begin(struct series *s, struct err *e)
{
	char prefix[33];

	crypto_hex(s->header.stream.id, sizeof(s->header.stream.id), prefix);
	if (store_part_begin(s->store, prefix, &s->file, e) < 0)
		return -1;
	return part_writer_open(s->file, &s->header, s->fk, &s->part, e);
}

/* Write what ends the open part, and sync it. */
static int part_finish(struct series *s, struct part_trailer *t, struct err *e)
{
	if (part_writer_finish(s->part, t, s->parent_chain, s->host, e) < 0)
		return -1;
	part_writer_free(s->part);
	s->part = NULL;
	if (store_part_sync(s->file, e) < 0)
		return -1;
	s->stored += store_part_size(s->file);
	return 0;
}

static int done_add(struct series *s, const uint8_t hash[32], struct err *e)
{
	size_t n = (size_t)s->n_done + 1;
	struct finished *p = reallocarray(s->done, n, sizeof(*p));

	if (!p)
		return err_memory(e);
	s->done = p;
	memcpy(p[s->n_done].hash, hash, 32);
	p[s->n_done].size = store_part_size(s->file);
	s->n_done++;
	return 0;
}

/* The open part is full: finish it and begin the next. */
static int part_roll(struct series *s, struct err *e)
{
	struct part_trailer t = { .final = false };
	char name[700];
	int r = part_finish(s, &t, e);

	if (r == 0)
		r = done_add(s, t.hash, e);
	part_trailer_free(&t);
	if (r < 0)
		return -1;
	part_name(s, s->header.part, false, name, sizeof(name));
	if (store_part_commit(s->file, name, e) < 0)
		return -1;
	store_part_free(s->file);
	s->file = NULL;
	if (s->header.part == UINT32_MAX)
		return err_set(e, ERR_FAILED, "%s: too many parts", s->dir);
	s->header.part++;
	return part_begin(s, e);
}

/* ---- opening ---- */

static int series_setup(struct series *s, const struct writer_options *o, struct err *e)
{
	s->store = o->store;
	s->host = o->host;
	s->keys = o->keys;
	s->max_segments = o->max_segments ? o->max_segments : PART_MAX_SEGMENTS;
	if (o->parent) {
		s->parent = *o->parent;
		s->has_parent = true;
	}
	if (o->parent_chain)
		memcpy(s->parent_chain, o->parent_chain, sizeof(s->parent_chain));
	stream_dir(o->stream, s->dir, sizeof(s->dir));
	if (envelope_make(o, &s->header, &s->fk, e) < 0)
		return -1;
	return part_begin(s, e);
}

int series_open(const struct writer_options *o, struct series **out, struct err *e)
{
	struct series *s = calloc(1, sizeof(*s));

	if (!s)
		return err_memory(e);
	if (series_setup(s, o, e) < 0) {
		series_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void series_free(struct series *s)
{
	if (!s)
		return;
	part_writer_free(s->part);
	store_part_free(s->file);
	part_header_free(&s->header);
	crypto_unlock(s->fk);
	free(s->done);
	free(s);
}

/* ---- records ---- */

int series_record(struct series *s, const struct outgoing *r, struct record_place *at,
		  struct err *e)
{
	if (!part_writer_fits(s->part, r->clen, s->max_segments) && part_roll(s, e) < 0)
		return -1;
	if (!part_writer_fits(s->part, r->clen, s->max_segments))
		return err_set(e, ERR_FAILED,
			       "a record of %zu bytes does not fit in a part", r->clen);
	*at = (struct record_place){ .seq = s->header.seq, .part = s->header.part };
	if (part_writer_record(s->part, r->type, r->codec, r->id, r->data, r->clen,
			       r->ulen, &at->offset, e) < 0)
		return -1;
	s->new_bytes += r->clen;
	return 0;
}

/* ---- the end ---- */

static int trailer_fill(const struct series *s, struct part_trailer *t,
			const struct summary *sum, struct err *e)
{
	t->final = true;
	t->n_parts = s->n_done + 1;
	t->parts = calloc(t->n_parts, sizeof(*t->parts));
	if (!t->parts)
		return err_memory(e);
	for (uint32_t i = 0; i < s->n_done; i++)
		memcpy(t->parts[i], s->done[i].hash, 32);
	t->has_parent = s->has_parent;
	t->parent = s->parent;
	summary_seal(sum, s->keys->list, s->header.hash, t->summary);
	return 0;
}

int series_stage(struct series *s, struct part_trailer *t, const struct summary *sum,
		 struct err *e)
{
	if (trailer_fill(s, t, sum, e) < 0)
		return -1;
	return part_finish(s, t, e);
}

/* Part NUMBER must be there with the size it was written with. */
static int part_check(const struct series *s, uint32_t number, struct err *e)
{
	struct store_file *f = NULL;
	uint64_t size = 0;
	char name[700];
	int found;

	part_name(s, number, false, name, sizeof(name));
	found = store_file_open(s->store, name, &f, e);
	if (found < 0)
		return -1;
	if (found == 0)
		size = store_file_size(f);
	store_file_free(f);
	if (found == 0 && size == s->done[number - 1].size)
		return 0;
	return err_set(e, ERR_STORE,
		       "store %s: %s, written by this run, %s: nothing is committed",
		       store_location(s->store), name,
		       found ? "is gone" : "has another size");
}

int series_commit(struct series *s, struct err *e)
{
	char name[700];

	for (uint32_t i = 1; i <= s->n_done; i++)
		if (part_check(s, i, e) < 0)
			return -1;
	part_name(s, s->header.part, true, name, sizeof(name));
	return store_part_commit(s->file, name, e);
}

uint64_t series_new_bytes(const struct series *s) { return s->new_bytes; }
uint64_t series_stored(const struct series *s) { return s->stored; }
const uint8_t *series_archive_id(const struct series *s) { return s->header.archive_id; }
