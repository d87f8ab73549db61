#include "job/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/reader.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "base/report.h"
#include "base/scope.h"
#include "job/host.h"
#include "source/pax.h"

struct verify {
	const struct host *h;
	const struct catalog_stream *s;
	const struct snapshot *x;
	const struct report *report;
	char what[VOLUME_NAME_MAX + 32]; /* NAME@SEQ */
	uint64_t found;			 /* damage, so far */
	uint64_t bytes;
};

static void damage(struct verify *v, const char *text)
{
	v->found++;
	report_note(v->report, NOTE_DAMAGED, v->what, "%s", text);
}

/* What is damage is noted; anything else ends the run. */
static int note_or_fail(struct verify *v, struct err *e)
{
	if (e->kind != ERR_DAMAGED)
		return -1;
	damage(v, e->text);
	return 0;
}

static int check_slots(struct verify *v, struct part_reader *r, struct err *e)
{
	for (uint32_t i = 0; i < r->trailer.n_segments; i++) {
		struct progress p = { .bytes = v->bytes, .total_bytes = v->x->stored };

		if (interrupt_check(e) < 0)
			return -1;
		if (part_reader_check_slot(r, i, e) < 0 && note_or_fail(v, e) < 0)
			return -1;
		v->bytes += SEGMENT_LEN;
		report_progress(v->report, &p);
	}
	return 0;
}

static int check_part(struct verify *v, const char *name, enum verify_depth depth, struct err *e)
{
	struct part_reader *r = NULL;
	char text[700];
	int found = part_reader_open(v->h->store, &v->h->d, name, &r, e);

	if (found == 1) {
		(void)snprintf(text, sizeof(text), "%s: is missing", name);
		damage(v, text);
		return 0;
	}
	if (found < 0)
		return note_or_fail(v, e);
	if (r->header_degraded || r->trailer_degraded) {
		(void)snprintf(text, sizeof(text),
			       "%s: one copy of its %s is damaged; the other still serves", name,
			       r->header_degraded ? "header" : "trailer");
		damage(v, text);
	}
	found = depth == VERIFY_QUICK ? 0 : check_slots(v, r, e);
	part_reader_free(r);
	return found;
}

/* Parts 1 .. n-1 have names of their own beside the last one's. */
static int check_parts(struct verify *v, enum verify_depth depth, struct err *e)
{
	char name[600];
	size_t stem = strlen(v->x->name) - strlen(".vsf");

	for (uint32_t i = 1; i < v->x->n_parts; i++) {
		(void)snprintf(name, sizeof(name), "%.*s.%04u.vsa", (int)stem, v->x->name, i);
		if (check_part(v, name, depth, e) < 0)
			return -1;
	}
	return check_part(v, v->x->name, depth, e);
}

/* Whether the trailer of X continues the chain of PARENT's. */
static int check_link(struct verify *v, const struct snapshot *parent, struct err *e)
{
	struct part_reader *own = NULL, *before = NULL;
	int result = 0;

	if (part_reader_open(v->h->store, &v->h->d, v->x->name, &own, e) == 0 &&
	    part_reader_open(v->h->store, &v->h->d, parent->name, &before, e) == 0) {
		if (!part_trailer_chain_fits(&own->trailer, before->trailer.chain))
			damage(v, "it does not continue the chain of the snapshot before it");
	} else {
		result = note_or_fail(v, e);
	}
	part_reader_free(own);
	part_reader_free(before);
	return result;
}

/* The chain binds each snapshot to its parent's: with the parent at hand it can be checked. */
static int check_chain(struct verify *v, struct err *e)
{
	const struct snapshot *parent = NULL;

	for (size_t i = 0; v->x->has_parent && i < v->s->n; i++)
		if (memcmp(v->s->snapshots[i].archive.id, v->x->parent.id, 16) == 0)
			parent = &v->s->snapshots[i];
	if (!parent || parent->state == SNAPSHOT_DAMAGED)
		return 0;
	if (memcmp(parent->archive.trailer_hash, v->x->parent.trailer_hash, 32) != 0) {
		damage(v, "its parent is not the snapshot that it names");
		return 0;
	}
	return check_link(v, parent, e);
}

static void count_entry(const struct pax *p, struct totals *t)
{
	t->entries++;
	t->files += p->type == PAX_FILE;
	t->dirs += p->type == PAX_DIR;
	t->bytes += p->type == PAX_FILE ? p->size : 0;
}

static int check_entries(struct verify *v, struct reader *r, struct err *e)
{
	auto_free struct pax *p = malloc(sizeof(*p));
	const struct totals *want = &reader_root(r)->totals;
	struct totals got = { .entries = 0 };
	struct reader_entry en;
	int more;

	if (!p)
		return err_memory(e);
	reader_check_all(r);
	while ((more = reader_next(r, &en, e)) == 0) {
		struct progress at = { .entries = got.entries, .bytes = got.bytes,
				       .total_bytes = want->bytes };

		if (interrupt_check(e) < 0)
			return -1;
		if (pax_parse(en.header, en.header_len, p, e) < 0)
			return err_in(e, "entry %llu", (unsigned long long)en.no);
		if (p->body_len != en.body_len)
			return err_set(e, ERR_DAMAGED, "%s: header and content differ in size",
				       p->path);
		count_entry(p, &got);
		report_progress(v->report, &at);
	}
	if (more < 0)
		return -1;
	if (got.files != want->files || got.dirs != want->dirs || got.bytes != want->bytes)
		return err_set(e, ERR_DAMAGED, "its entries do not add up to its totals");
	return 0;
}

static int check_keyed(struct verify *v, struct err *e)
{
	struct reader_keys keys = host_reader_keys(v->h);
	struct reader *r = NULL;
	int result = reader_open(v->h->store, &v->h->d, v->x->name, &keys, &r, e);

	if (result == 0)
		result = check_entries(v, r, e);
	reader_free(r);
	return result < 0 ? note_or_fail(v, e) : 0;
}

int job_verify(const struct host *h, const struct catalog_stream *s, const struct snapshot *x,
	       enum verify_depth depth, const struct report *report, struct verify_outcome *out,
	       struct err *e)
{
	struct verify v = { .h = h, .s = s, .x = x, .report = report };
	int result = 0;

	(void)snprintf(v.what, sizeof(v.what), "%s@%llu", s->stream.name,
		       (unsigned long long)x->archive.seq);
	if (depth == VERIFY_KEYED && h->n_readers == 0)
		depth = VERIFY_BYTES;
	if (x->state == SNAPSHOT_DAMAGED)
		damage(&v, x->problem);
	else if (check_chain(&v, e) < 0 || check_parts(&v, depth, e) < 0)
		result = -1;
	else if (depth == VERIFY_KEYED && v.found == 0)
		result = check_keyed(&v, e);
	out->snapshots++;
	out->damaged += v.found > 0;
	out->bytes += x->stored;
	out->depth = depth;
	return result;
}
