#include "job/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/interrupt.h"
#include "base/report.h"
#include "base/scope.h"
#include "job/host.h"
#include "job/verify_entries.h"
#include "store/store.h"

/* What is known of the files of a snapshot. */
enum files_state { FILES_UNKNOWN, FILES_GOOD, FILES_DAMAGED };

struct verify {
	const struct host *h;
	const struct catalog_stream *s;
	enum verify_depth depth;
	const struct report *report;
	struct verify_outcome *out;
	enum files_state *files; /* of each snapshot of S */
	/* of the snapshot that is looked at */
	const struct snapshot *x;
	char what[VOLUME_NAME_MAX + 32]; /* NAME@SEQ */
	uint64_t found;			 /* damage, so far */
	bool unreadable;		 /* some of it cannot be had from either copy */
	uint64_t bytes;
};

static void damage(struct verify *v, const char *text)
{
	v->found++;
	v->out->found++;
	report_note(v->report, NOTE_DAMAGED, v->what, "%s", text);
}

/* What is damage is noted; anything else ends the run. */
static int note_or_fail(struct verify *v, struct err *e)
{
	if (!store_file_fault(e))
		return -1;
	v->unreadable = true;
	damage(v, e->text);
	return 0;
}

static void look_at(struct verify *v, const struct snapshot *x)
{
	v->x = x;
	v->found = v->bytes = 0;
	v->unreadable = false;
	(void)snprintf(v->what, sizeof(v->what), "%s@%llu", v->s->stream.name,
		       (unsigned long long)x->archive.seq);
}

/* ---- files ---- */

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

static int check_part(struct verify *v, const char *name, struct err *e)
{
	struct part_reader *r = NULL;
	char text[700];
	int found = part_reader_open(v->h->store, &v->h->d, name, &r, e);

	if (found == 1) {
		(void)snprintf(text, sizeof(text), "%s: is missing", name);
		v->unreadable = true;
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
	found = v->depth == VERIFY_QUICK ? 0 : check_slots(v, r, e);
	part_reader_free(r);
	return found;
}

/* Parts 1 .. n-1 have names of their own beside the last one's. */
static int check_parts(struct verify *v, struct err *e)
{
	char name[600];
	size_t stem = strlen(v->x->name) - strlen(".vsf");

	for (uint32_t i = 1; i < v->x->n_parts; i++) {
		(void)snprintf(name, sizeof(name), "%.*s.%04u.vsa", (int)stem, v->x->name, i);
		if (check_part(v, name, e) < 0)
			return -1;
	}
	return check_part(v, v->x->name, e);
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

/* All files of the snapshot that is looked at. */
static int check_files(struct verify *v, struct err *e)
{
	enum files_state *state = &v->files[v->x - v->s->snapshots];

	if (v->x->n_parts == 0) { /* not even its last part opens */
		v->unreadable = true;
		damage(v, v->x->problem);
	} else if (check_parts(v, e) < 0 || check_chain(v, e) < 0) {
		return -1;
	}
	*state = v->unreadable ? FILES_DAMAGED : FILES_GOOD;
	return 0;
}

/* ---- what it rests on ---- */

static const struct snapshot *find(const struct catalog_stream *s, const struct archive_id *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(s->snapshots[i].archive.id, a->id, sizeof(a->id)) == 0)
			return &s->snapshots[i];
	return NULL;
}

/* The files of A, which X rests on: looked at once, under its own name. */
static int check_dependency(struct verify *v, const struct archive_id *a, struct err *e)
{
	const struct snapshot *x = v->x, *dep = find(v->s, a);
	uint64_t found = v->found;
	bool unreadable = v->unreadable;
	char text[200];
	int result = 0;

	if (dep && v->files[dep - v->s->snapshots] == FILES_UNKNOWN) {
		look_at(v, dep);
		result = check_files(v, e);
		look_at(v, x);
		v->found = found;
		v->unreadable = unreadable;
	}
	if (result < 0 || (dep && v->files[dep - v->s->snapshots] == FILES_GOOD))
		return result;
	(void)snprintf(text, sizeof(text), "snapshot %llu, on which it rests, is %s%s",
		       (unsigned long long)a->seq, dep ? "damaged" : "missing",
		       v->depth == VERIFY_KEYED ? ""
						: ": with a reading key verify says what is lost");
	if (v->depth == VERIFY_KEYED && dep)
		report_note(v->report, NOTE_INFO, v->what, "%s", text); /* maybe nothing is lost */
	else
		damage(v, text);
	return 0;
}

static int check_dependencies(struct verify *v, struct err *e)
{
	struct part_reader *r = NULL;
	int result = part_reader_open(v->h->store, &v->h->d, v->x->name, &r, e);

	if (result != 0) /* was told of */
		return result < 0 && !store_file_fault(e) ? -1 : 0;
	for (size_t i = 0; result == 0 && i < r->trailer.n_deps; i++)
		result = check_dependency(v, &r->trailer.deps[i].archive, e);
	part_reader_free(r);
	return result;
}

/* ---- all of it ---- */

static int check_entries(struct verify *v, struct err *e)
{
	struct reader_keys keys = host_reader_keys(v->h);
	uint64_t lost = 0;

	if (v->x->needs_key) {
		report_note(v->report, NOTE_WARNING, v->what,
			    "sealed to none of the keys here: of it only the bytes were checked");
		return 0;
	}
	if (verify_entries(v->h, v->x, &keys, v->what, v->found > 0, v->report, &lost, e) < 0)
		return note_or_fail(v, e);
	v->found += lost;
	v->out->found += lost;
	return 0;
}

static int check_snapshot(struct verify *v, const struct snapshot *x, struct err *e)
{
	look_at(v, x);
	if (check_files(v, e) < 0)
		return -1;
	if (x->n_parts > 0 && (check_dependencies(v, e) < 0 ||
			       (v->depth == VERIFY_KEYED && check_entries(v, e) < 0)))
		return -1;
	if (v->found == 0 && x->state == SNAPSHOT_DAMAGED)
		damage(v, x->problem);
	v->out->snapshots++;
	v->out->damaged += v->found > 0;
	v->out->bytes += x->stored;
	return 0;
}

int job_verify(const struct host *h, const struct catalog_stream *s, const struct snapshot *x,
	       enum verify_depth depth, const struct report *report, struct verify_outcome *out,
	       struct err *e)
{
	auto_free enum files_state *files = calloc(s->n + 1, sizeof(*files));
	auto_free struct verify *v = calloc(1, sizeof(*v));

	if (!files || !v)
		return err_memory(e);
	if (depth == VERIFY_KEYED && h->n_readers == 0)
		depth = VERIFY_BYTES;
	*v = (struct verify){ .h = h, .s = s, .depth = depth, .report = report, .out = out,
			      .files = files };
	out->depth = depth;
	for (size_t i = 0; i < s->n; i++)
		if ((!x || x == &s->snapshots[i]) && check_snapshot(v, &s->snapshots[i], e) < 0)
			return -1;
	return 0;
}
