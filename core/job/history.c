#include "job/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/report.h"
#include "job/host.h"
#include "job/linked.h"
#include "source/match.h"

/* Places in history.versions. */
struct places {
	size_t n, room;
	size_t *at;
};

struct search {
	const struct host *h;
	const struct catalog_stream *s;
	const struct history_options *o;
	struct history *out;
	struct places open,
		now; /* versions of the newer snapshot, of this one; in walk order */
	struct tree_ref list; /* the newer one's list of entries */
	bool has_list;
};

void history_free(struct history *h)
{
	bytes_free(&h->versions);
	bytes_free(&h->paths);
	*h = (struct history)HISTORY_EMPTY;
}

static struct version *version_at(const struct history *h, size_t i)
{
	return (struct version *)(void *)h->versions.p + i;
}

const struct version *history_version(const struct history *h, size_t i)
{
	return version_at(h, i);
}

const char *history_path(const struct history *h, const struct version *v)
{
	return (const char *)h->paths.p + v->path_at;
}

static bool matches(void *ctx, const struct pax *p)
{
	const struct search *x = ctx;

	return p->path[1] == '/' &&
	       match_path(x->o->pattern, p->path + 2, p->type == PAX_DIR);
}

static int places_add(struct places *p, size_t at, struct err *e)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		size_t *more = reallocarray(p->at, room, sizeof(*more));

		if (!more)
			return err_memory(e);
		p->at = more;
		p->room = room;
	}
	p->at[p->n++] = at;
	return 0;
}

static int version_add(struct search *x, const struct linked_entry *en, uint64_t seq,
		       struct err *e)
{
	struct history *h = x->out;
	struct version v = { .path_at = h->paths.len,
			     .type = en->file->type,
			     .size = en->file->size,
			     .mtime = en->file->mtime,
			     .mtime_ns = en->file->mtime_ns,
			     .first = seq,
			     .last = seq };
	size_t len = strlen(en->pax->path) + 1;

	/* Two places of it may be kept beside. */
	if (h->paths.len + len + (h->n + 1) * (sizeof(v) + 2 * sizeof(size_t)) >
	    HISTORY_ROOM)
		return err_set(
			e, ERR_USAGE,
			"%s: more than %zu versions match: choose a narrower pattern",
			x->o->pattern, h->n);
	if (bytes_append(&h->versions, &v, sizeof(v), e) < 0 ||
	    bytes_append(&h->paths, en->pax->path, len, e) < 0)
		return -1;
	h->n++;
	return 0;
}

static bool same_version(const struct version *v, const struct linked_entry *en)
{
	return v->type == en->file->type && v->size == en->file->size &&
	       v->mtime == en->file->mtime && v->mtime_ns == en->file->mtime_ns;
}

/* An entry that matches: the version of the newer snapshot goes on, or another begins.
 * *FROM is where in the open ones its path is looked for. */
static int take_entry(struct search *x, const struct linked_entry *en, uint64_t seq,
		      size_t *from, struct err *e)
{
	const struct history *h = x->out;
	const struct version *v = NULL;
	int order = -1;

	for (; *from < x->open.n; ++*from) {
		v = history_version(h, x->open.at[*from]);
		order = pax_path_order(history_path(h, v), en->pax->path);
		if (order >= 0)
			break;
	}
	if (order == 0 && same_version(v, en))
		return places_add(&x->now, x->open.at[*from], e);
	if (version_add(x, en, seq, e) < 0)
		return -1;
	return places_add(&x->now, x->out->n - 1, e);
}

/* All of this snapshot was read: what it has is what the next one is compared with. */
static void settle(struct search *x, uint64_t seq)
{
	struct places swap = x->open;

	for (size_t i = 0; i < x->now.n; i++)
		version_at(x->out, x->now.at[i])->first = seq;
	x->open = x->now;
	x->now = swap;
	x->now.n = 0;
}

/* Whether R lists the very entries of the newer snapshot: a keyed hash over all of them
 * says so. */
static bool same_list(const struct search *x, const struct reader *r)
{
	const struct tree_ref *a = &x->list, *b = &reader_root(r)->head;

	return x->has_list && a->level == b->level && a->length == b->length &&
	       a->entries == b->entries && memcmp(a->id, b->id, sizeof(a->id)) == 0;
}

static int search_reader(struct search *x, struct reader *r, uint64_t seq, struct err *e)
{
	struct linked *l = NULL;
	struct linked_entry en;
	size_t from = 0;
	int more;

	if (same_list(x, r)) {
		for (size_t i = 0; i < x->open.n; i++)
			version_at(x->out, x->open.at[i])->first = seq;
		return 0;
	}
	more = linked_new(r, x->o->scratch, matches, x, &l, e);
	while (more == 0 && (more = linked_next(l, &en, e)) == 0)
		more = take_entry(x, &en, seq, &from, e);
	linked_free(l);
	if (more < 0)
		return -1;
	settle(x, seq);
	x->list = reader_root(r)->head;
	x->has_list = true;
	return 0;
}

/* Forget what a snapshot gave that turned out to be damaged: all from version N on. */
static void drop(struct search *x, size_t n)
{
	struct history *h = x->out;

	if (h->n > n) {
		h->paths.len = history_version(h, n)->path_at;
		h->versions.len = n * sizeof(struct version);
		h->n = n;
	}
	x->now.n = 0;
}

static void pass_over(struct search *x, const struct snapshot *s, enum err_kind kind,
		      const char *why)
{
	char what[VOLUME_NAME_MAX + 32];

	(void)snprintf(what, sizeof(what), "%s@%llu", x->s->stream.name,
		       (unsigned long long)s->archive.seq);
	report_note(x->o->report, NOTE_WARNING, what, "not searched: %s", why);
	if (x->out->worst != ERR_DAMAGED)
		x->out->worst = (int)kind;
}

static int search_snapshot(struct search *x, const struct snapshot *s, struct err *e)
{
	struct reader_keys keys = host_reader_keys(x->h);
	size_t n = x->out->n;
	struct err why = ERR_EMPTY;
	struct reader *r = NULL;
	int result = reader_open(x->h->store, &x->h->d, s->name, &keys, &r, &why);

	if (result == 0)
		result = search_reader(x, r, s->archive.seq, &why);
	reader_free(r);
	if (result == 0) {
		x->out->searched++;
		return 0;
	}
	if (why.kind != ERR_DAMAGED && why.kind != ERR_KEY) {
		*e = why;
		return -1;
	}
	drop(x, n);
	pass_over(x, s, why.kind, why.text);
	return 0;
}

int job_history(const struct host *h, const struct catalog_stream *s,
		const struct history_options *o, struct history *out, struct err *e)
{
	struct search x = { .h = h, .s = s, .o = o, .out = out };
	int result = 0;

	for (size_t i = s->n; result == 0 && i > 0; i--) {
		const struct snapshot *one = &s->snapshots[i - 1];

		if (one->state == SNAPSHOT_OK)
			result = search_snapshot(&x, one, e);
		else if (one->state == SNAPSHOT_DAMAGED)
			pass_over(&x, one, ERR_DAMAGED, one->problem);
	}
	free(x.open.at);
	free(x.now.at);
	return result;
}
