#include "archive/archive_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/reader.h"
#include "archive/tree.h"
#include "base/err.h"
#include "base/scope.h"

#define NAME_ROOM 512 /* as struct part_reader has it */

struct opening {
	struct store *store;
	const struct descriptor *d;
	const struct reader_keys *keys;
	uint8_t *fk; /* of the archive being opened; locked */
};

/* ---- what a part holds ---- */

/* Give back what only reading needs. */
static void part_rest(struct part_reader *r)
{
	if (r->segment)
		crypto_wipe(r->segment, SEGMENT_PAYLOAD); /* ROOT holds keys */
	free(r->segment);
	free(r->run);
	r->segment = NULL;
	r->run = NULL;
	r->segment_no = UINT64_MAX;
	r->run_first = r->run_n = 0;
}

static int part_wake(struct part_reader *r, struct err *e)
{
	if (!r->segment)
		r->segment = malloc(SEGMENT_LEN);
	return r->segment ? 0 : err_memory(e);
}

/* Give back what only opening needs. */
static void part_trim(struct part_reader *r)
{
	part_rest(r);
	free(r->trailer.slots);
	r->trailer.slots = NULL;
	free(r->header.stanzas);
	r->header.stanzas = NULL;
	r->header.n_stanzas = 0;
	bytes_free(&r->raw_header);
}

/* ---- keys ---- */

static int no_key(const struct part_reader *r, const struct reader_keys *keys, struct err *e)
{
	if (!keys || keys->n == 0)
		return err_set(e, ERR_KEY, "%s: there is no reading key here: it needs the recovery key",
			       r->name);
	return err_set(e, ERR_KEY,
		       "%s: is sealed to none of the keys here: it needs the recovery key, or an "
		       "older one",
		       r->name);
}

int archive_parts_key(const struct part_reader *r, const struct reader_keys *keys, uint8_t *fk,
		      struct err *e)
{
	struct err why = ERR_EMPTY;
	bool broken = false;

	for (size_t i = 0; keys && i < keys->n; i++) {
		int found = stanza_open(&r->header, KEY_READER, keys->x[i]->b, fk, &why);

		if (found == 0)
			return 0;
		broken |= found < 0;
	}
	if (!broken)
		return no_key(r, keys, e);
	*e = why;
	return err_in(e, "%s", r->name);
}

/* ---- one archive ---- */

/* What all parts of an archive share (section 6). */
static bool same_archive(const struct part_header *a, const struct part_header *b)
{
	return memcmp(a->store_id, b->store_id, sizeof(a->store_id)) == 0 &&
	       memcmp(a->stream.id, b->stream.id, sizeof(a->stream.id)) == 0 &&
	       memcmp(a->archive_id, b->archive_id, sizeof(a->archive_id)) == 0 &&
	       memcmp(a->eph_pk, b->eph_pk, sizeof(a->eph_pk)) == 0 && a->seq == b->seq &&
	       a->n_stanzas == b->n_stanzas &&
	       memcmp(a->stanzas, b->stanzas, a->n_stanzas * STANZA_LEN) == 0;
}

/* Open part NO of the archive whose last part is FINAL. */
static int part_open(const struct opening *o, const struct part_reader *final, uint32_t no,
		     struct part_reader **out, struct err *e)
{
	int stem = (int)(strlen(final->name) - strlen(".vsf"));
	char name[NAME_ROOM];
	int found;

	(void)snprintf(name, sizeof(name), "%.*s.%04lu.vsa", stem, final->name,
		       (unsigned long)no);
	found = part_reader_open(o->store, o->d, name, out, e);
	if (found == 1)
		return err_set(e, ERR_DAMAGED, "%s: part %lu is missing", final->name,
			       (unsigned long)no);
	if (found < 0)
		return -1;
	if (memcmp((*out)->trailer.hash, final->trailer.parts[no - 1], 32) != 0)
		return err_set(e, ERR_DAMAGED, "%s: is not the part %lu that %s names", name,
			       (unsigned long)no, final->name);
	if ((*out)->header.part != no || !same_archive(&(*out)->header, &final->header))
		return err_set(e, ERR_DAMAGED, "%s: does not belong to %s", name, final->name);
	if (part_reader_unlock(*out, o->fk, e) < 0)
		return -1;
	part_trim(*out);
	return 0;
}

/* Open all parts; x->parts[0] holds the last one, opened by the caller, and ends in its place. */
static int archive_open(struct archive *x, const struct opening *o, struct err *e)
{
	struct part_reader *final = x->parts[0], **parts;
	uint32_t n = final->trailer.n_parts;

	parts = reallocarray(x->parts, n, sizeof(struct part_reader *));
	if (!parts)
		return err_memory(e);
	memset(parts, 0, n * sizeof(struct part_reader *));
	x->parts = parts;
	parts[n - 1] = final;
	x->n = n;
	x->seq = final->header.seq;
	if (archive_parts_key(final, o->keys, o->fk, e) < 0)
		return -1;
	for (uint32_t i = 1; i < n; i++)
		if (part_open(o, final, i, &parts[i - 1], e) < 0)
			return -1;
	if (part_reader_unlock(final, o->fk, e) < 0)
		return -1;
	part_trim(final);
	return 0;
}

/* Begin with the last part: x->parts[0]. */
static int archive_begin(struct archive *x, const struct opening *o, const char *name,
			 struct err *e)
{
	struct part_reader *r = NULL;
	int found = part_reader_open(o->store, o->d, name, &r, e);

	if (found != 0)
		return found;
	x->parts = calloc(1, sizeof(struct part_reader *));
	if (!x->parts) {
		part_reader_free(r);
		return err_memory(e);
	}
	x->parts[0] = r;
	x->n = 1;
	if (!r->trailer.final)
		return err_set(e, ERR_DAMAGED, "%s: is not the last part of a snapshot", name);
	return 0;
}

static void archive_close(struct archive *x)
{
	for (uint32_t i = 0; i < x->n; i++)
		part_reader_free(x->parts[i]);
	free(x->parts);
}

/* ---- all of them ---- */

/* Names are hints, but a dependency's is all made of what the signed trailer says. */
static void dependency_name(const struct part_reader *final, const struct archive_id *a,
			    char out[NAME_ROOM])
{
	int dir = (int)(strrchr(final->name, '/') - final->name);
	char id[33];

	crypto_hex(a->id, sizeof(a->id), id);
	(void)snprintf(out, NAME_ROOM, "%.*s/%010llu-%s.vsf", dir, final->name,
		       (unsigned long long)a->seq, id);
}

static int dependency_open(struct archive *x, const struct opening *o,
			   const struct part_reader *final, const struct archive_id *a,
			   struct err *e)
{
	char name[NAME_ROOM];
	int found;

	dependency_name(final, a, name);
	found = archive_begin(x, o, name, e);
	if (found == 1)
		return err_set(e, ERR_DAMAGED, "%s: snapshot %llu, on which it rests, is missing",
			       final->name, (unsigned long long)a->seq);
	if (found < 0)
		return -1;
	if (memcmp(x->parts[0]->trailer.hash, a->trailer_hash, 32) != 0 ||
	    memcmp(x->parts[0]->header.stream.id, final->header.stream.id, 16) != 0)
		return err_set(e, ERR_DAMAGED, "%s: is not the snapshot on which %s rests", name,
			       final->name);
	return archive_open(x, o, e);
}

static int all_open(struct archive_parts *a, const struct opening *o, const char *name,
		    struct err *e)
{
	struct part_reader *final;
	struct archive *more;
	size_t n_deps;
	int found;

	a->archives = calloc(1, sizeof(*a->archives));
	if (!a->archives)
		return err_memory(e);
	a->n = 1;
	found = archive_begin(&a->archives[0], o, name, e);
	if (found == 1)
		return err_set(e, ERR_STORE, "%s: is not there: pruned while reading: run again",
			       name);
	if (found < 0)
		return -1;
	final = a->archives[0].parts[0];
	n_deps = final->trailer.n_deps;
	if (archive_open(&a->archives[0], o, e) < 0)
		return -1;
	more = reallocarray(a->archives, n_deps + 1, sizeof(*more));
	if (!more)
		return err_memory(e);
	a->archives = more;
	for (size_t i = 0; i < n_deps; i++) {
		a->archives[a->n] = (struct archive){ .n = 0 };
		a->n++;
		if (dependency_open(&a->archives[i + 1], o, final,
				    &final->trailer.deps[i].archive, e) < 0)
			return -1;
	}
	return 0;
}

int archive_parts_open(struct archive_parts *a, struct store *store, const struct descriptor *d,
		       const char *name, const struct reader_keys *keys, struct err *e)
{
	struct opening o = { .store = store, .d = d, .keys = keys };
	int result;

	*a = (struct archive_parts){ .n = 0 };
	o.fk = crypto_lock(32, e);
	if (!o.fk)
		return -1;
	result = all_open(a, &o, name, e);
	crypto_unlock(o.fk);
	return result;
}

void archive_parts_close(struct archive_parts *a)
{
	for (size_t i = 0; i < a->n; i++)
		archive_close(&a->archives[i]);
	free(a->archives);
	*a = (struct archive_parts){ .n = 0 };
}

struct part_reader *archive_parts_final(const struct archive_parts *a)
{
	return a->archives[0].parts[a->archives[0].n - 1];
}

/* ---- reading ---- */

/* The snapshot's own, or the dependency of that number. */
static const struct archive *archive_find(const struct archive_parts *a, uint64_t seq)
{
	size_t low = 1, high = a->n;

	if (a->archives[0].seq == seq)
		return &a->archives[0];
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (a->archives[mid].seq == seq)
			return &a->archives[mid];
		if (a->archives[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

int archive_parts_get(struct archive_parts *a, const struct place *at, struct part_reader **out,
		      struct err *e)
{
	const struct archive *x = archive_find(a, at->seq);
	struct part_reader *r;

	if (!x || at->part < 1 || at->part > x->n)
		return err_set(e, ERR_DAMAGED,
			       "%s: leads to part %lu of snapshot %llu, on which it does not rest",
			       archive_parts_final(a)->name, (unsigned long)at->part,
			       (unsigned long long)at->seq);
	r = x->parts[at->part - 1];
	if (r != a->awake[0]) {
		struct part_reader *second = a->awake[1];

		if (part_wake(r, e) < 0)
			return -1;
		if (second && second != r)
			part_rest(second);
		a->awake[1] = a->awake[0];
		a->awake[0] = r;
	}
	*out = r;
	return 0;
}
