#include "archive/archive_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/reader.h"
#include "archive/tree.h"
#include "base/err.h"
#include "base/file.h"
#include "base/report.h"
#include "base/scope.h"
#include "store/store.h"

#define NAME_ROOM 512 /* as struct part_reader has it */

struct opening {
	struct store *store;
	const struct descriptor *d;
	const struct reader_keys *keys;
	const struct report *salvage;
	uint8_t *fk; /* of the archive being opened; locked */
};

/* ---- what a part holds ---- */

/* Give back what only reading needs; the segment's memory was lent, and holds keys if it
 * held ROOT. */
static void part_rest(struct part_reader *r)
{
	crypto_wipe(r->segment, SEGMENT_PAYLOAD);
	free(r->run);
	r->segment = NULL;
	r->run = NULL;
	r->segment_no = UINT64_MAX;
	r->run_first = r->run_n = 0;
}

/* Give back what only opening needs. */
static void part_trim(struct part_reader *r)
{
	free(r->segment);
	r->segment = NULL;
	free(r->trailer.slots);
	r->trailer.slots = NULL;
	free(r->header.stanzas);
	r->header.stanzas = NULL;
	r->header.n_stanzas = 0;
	bytes_free(&r->raw_header);
}

/* ---- keys ---- */

static int no_key(const struct part_reader *r, const struct reader_keys *keys,
		  struct err *e)
{
	if (!keys || keys->n == 0)
		return err_set(
			e, ERR_KEY,
			"%s: there is no reading key here: it needs the recovery key",
			r->name);
	return err_set(e, ERR_KEY,
		       "%s: is sealed to none of the keys here: it needs the recovery "
		       "key, or an "
		       "older one",
		       r->name);
}

int archive_parts_key(const struct part_reader *r, const struct reader_keys *keys,
		      uint8_t *fk, struct err *e)
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

/* Parts differ only in number, date and mac (section 6); volume and nonce are in the
 * stream's id. */
static bool same_archive(const struct part_header *a, const struct part_header *b)
{
	return memcmp(a->store_id, b->store_id, sizeof(a->store_id)) == 0 &&
	       memcmp(a->stream.id, b->stream.id, sizeof(a->stream.id)) == 0 &&
	       memcmp(a->archive_id, b->archive_id, sizeof(a->archive_id)) == 0 &&
	       memcmp(a->eph_pk, b->eph_pk, sizeof(a->eph_pk)) == 0 && a->seq == b->seq &&
	       a->epoch == b->epoch && strcmp(a->stream.host, b->stream.host) == 0 &&
	       a->tlv.len == b->tlv.len &&
	       (a->tlv.len == 0 || memcmp(a->tlv.p, b->tlv.p, a->tlv.len) == 0) &&
	       a->n_stanzas == b->n_stanzas &&
	       memcmp(a->stanzas, b->stanzas, a->n_stanzas * STANZA_LEN) == 0;
}

/* Open part NO of the archive whose last part is FINAL. */
static int part_open(const struct opening *o, const struct part_reader *final,
		     uint32_t no, struct part_reader **out, struct err *e)
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
		return err_set(e, ERR_DAMAGED, "%s: is not the part %lu that %s names",
			       name, (unsigned long)no, final->name);
	if ((*out)->header.part != no || !same_archive(&(*out)->header, &final->header))
		return err_set(e, ERR_DAMAGED, "%s: does not belong to %s", name,
			       final->name);
	if (part_reader_unlock(*out, o->fk, e) < 0)
		return -1;
	part_trim(*out);
	return 0;
}

static void archive_close(struct archive *x)
{
	for (uint32_t i = 0; x && i < x->n; i++)
		part_reader_free(x->parts[i]);
	free(x);
}

/* An archive of which only the last part is there yet; takes it. */
static struct archive *archive_of(struct part_reader *final, struct err *e)
{
	uint32_t n = final->trailer.final ? final->trailer.n_parts : 0;
	struct archive *x = NULL;

	if (n == 0)
		(void)err_set(e, ERR_DAMAGED, "%s: is not the last part of a snapshot",
			      final->name);
	else if (!(x = calloc(1, sizeof(*x) + n * sizeof(struct part_reader *))))
		(void)err_memory(e);
	if (!x) {
		part_reader_free(final);
		return NULL;
	}
	x->seq = final->header.seq;
	x->n = n;
	x->parts[n - 1] = final;
	return x;
}

/* Begin with the last part, NAME; 1 if there is no such file. */
static int archive_begin(const struct opening *o, const char *name, struct archive **out,
			 struct err *e)
{
	struct part_reader *final = NULL;
	struct archive *x;
	int found = part_reader_open(o->store, o->d, name, &final, e);

	if (found != 0)
		return found;
	x = archive_of(final, e);
	if (!x)
		return -1;
	*out = x;
	return 0;
}

/* Whether the loss that E tells of is borne; then it is reported. */
static bool is_borne(const struct opening *o, const struct err *e)
{
	if (!o->salvage || (!store_file_fault(e) && e->kind != ERR_KEY))
		return false;
	report_note(o->salvage, NOTE_DAMAGED, NULL, "%s", e->text);
	return true;
}

/* Open all other parts, and unlock all. */
static int archive_finish(struct archive *x, const struct opening *o, struct err *e)
{
	struct part_reader *final = x->parts[x->n - 1];

	if (archive_parts_key(final, o->keys, o->fk, e) < 0)
		return -1;
	for (uint32_t i = 1; i < x->n; i++) {
		if (part_open(o, final, i, &x->parts[i - 1], e) == 0)
			continue;
		if (!is_borne(o, e))
			return -1;
		part_reader_free(x->parts[i - 1]);
		x->parts[i - 1] = NULL;
	}
	if (part_reader_unlock(final, o->fk, e) < 0)
		return -1;
	part_trim(final);
	return 0;
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

static int dependency_begin(struct archive_parts *all, const struct opening *o,
			    const struct archive_id *a, struct archive **out,
			    struct err *e)
{
	const struct part_reader *last, *final = archive_parts_final(all);
	char name[NAME_ROOM];
	int found;

	dependency_name(final, a, name);
	found = archive_begin(o, name, out, e);
	if (found == 1)
		return err_set(e, ERR_DAMAGED,
			       "%s: snapshot %llu, on which it rests, is missing",
			       final->name, (unsigned long long)a->seq);
	if (found < 0 || !*out)
		return -1;
	last = (*out)->parts[(*out)->n - 1];
	if (memcmp(last->trailer.hash, a->trailer_hash, 32) != 0 ||
	    memcmp(last->header.stream.id, final->header.stream.id, 16) != 0)
		return err_set(e, ERR_DAMAGED,
			       "%s: is not the snapshot on which %s rests", name,
			       final->name);
	return archive_finish(*out, o, e);
}

static int dependency_open(struct archive_parts *all, const struct opening *o,
			   const struct archive_id *a, struct err *e)
{
	struct archive *x = NULL;

	if (dependency_begin(all, o, a, &x, e) < 0 || !x) {
		archive_close(x);
		if (!is_borne(o, e))
			return -1;
		x = calloc(1, sizeof(*x));
		if (!x)
			return err_memory(e);
		x->seq = a->seq;
	}
	x->next = all->own->next;
	all->own->next = x;
	return 0;
}

static int all_open(struct archive_parts *a, const struct opening *o, const char *name,
		    struct err *e)
{
	const struct part_trailer *t;
	int found = archive_begin(o, name, &a->own, e);

	if (found == 1)
		return err_set(e, ERR_STORE,
			       "%s: is not there: pruned while reading: run again", name);
	if (found < 0 || archive_finish(a->own, o, e) < 0)
		return -1;
	t = &archive_parts_final(a)->trailer;
	for (size_t i = 0; i < t->n_deps; i++)
		if (dependency_open(a, o, &t->deps[i].archive, e) < 0)
			return -1;
	return 0;
}

/* Every part holds a descriptor. */
static int too_many(const char *name, uint64_t limit, struct err *e)
{
	return err_set(e, ERR_FAILED,
		       "%s: it and what it rests on are more files than this process may "
		       "open (%llu): raise the limit (ulimit -n, or LimitNOFILE= of a "
		       "systemd unit)",
		       name, (unsigned long long)limit);
}

int archive_parts_open(struct archive_parts *a, struct store *store,
		       const struct descriptor *d, const char *name,
		       const struct reader_keys *keys, const struct report *salvage,
		       struct err *e)
{
	struct opening o = { .store = store, .d = d, .keys = keys, .salvage = salvage };
	uint64_t limit = file_raise_limit();
	int result;

	*a = (struct archive_parts){ .own = NULL };
	for (size_t i = 0; i < ARCHIVE_PARTS_AWAKE; i++)
		if (!(a->segments[i] = malloc(SEGMENT_LEN)))
			return err_memory(e);
	o.fk = crypto_lock(32, e);
	if (!o.fk)
		return -1;
	result = all_open(a, &o, name, e);
	crypto_unlock(o.fk);
	return result < 0 && e->sys == EMFILE ? too_many(name, limit, e) : result;
}

void archive_parts_close(struct archive_parts *a)
{
	for (size_t i = 0; i < ARCHIVE_PARTS_AWAKE; i++) {
		if (a->awake[i])
			part_rest(a->awake[i]);
		free(a->segments[i]);
	}
	while (a->own) {
		struct archive *next = a->own->next;

		archive_close(a->own);
		a->own = next;
	}
	*a = (struct archive_parts){ .own = NULL };
}

struct part_reader *archive_parts_final(const struct archive_parts *a)
{
	return a->own->parts[a->own->n - 1];
}

/* ---- reading ---- */

static const struct archive *archive_find(const struct archive_parts *a, uint64_t seq)
{
	const struct archive *x = a->own;

	while (x && x->seq != seq)
		x = x->next;
	return x;
}

/* Where R is awake, or a place for it: one not in use, or the one not read last. */
static size_t place_of(const struct archive_parts *a, const struct part_reader *r)
{
	for (size_t i = 0; i < ARCHIVE_PARTS_AWAKE; i++)
		if (a->awake[i] == r)
			return i;
	return (a->last + 1) % ARCHIVE_PARTS_AWAKE;
}

int archive_parts_get(struct archive_parts *a, const struct record_place *at,
		      struct part_reader **out, struct err *e)
{
	const struct archive *x = archive_find(a, at->seq);
	struct part_reader *r;
	size_t i;

	if (x && x->n == 0)
		return err_set(e, ERR_DAMAGED,
			       "%s: snapshot %llu, on which it rests, is lost",
			       archive_parts_final(a)->name, (unsigned long long)at->seq);
	if (!x || at->part < 1 || at->part > x->n)
		return err_set(e, ERR_DAMAGED,
			       "%s: leads to part %lu of snapshot %llu, on which it does "
			       "not rest",
			       archive_parts_final(a)->name, (unsigned long)at->part,
			       (unsigned long long)at->seq);
	r = x->parts[at->part - 1];
	if (!r)
		return err_set(e, ERR_DAMAGED, "%s: part %lu of snapshot %llu is lost",
			       archive_parts_final(a)->name, (unsigned long)at->part,
			       (unsigned long long)at->seq);
	i = place_of(a, r);
	if (a->awake[i] != r) {
		if (a->awake[i])
			part_rest(a->awake[i]);
		a->awake[i] = r;
		r->segment = a->segments[i];
	}
	a->last = i;
	*out = r;
	return 0;
}
