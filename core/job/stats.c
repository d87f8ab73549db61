#include "job/stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void stats_free(struct stats *s)
{
	free(s->deps);
	*s = (struct stats)STATS_EMPTY;
}

static const struct snapshot *snapshot_of(const struct catalog_stream *s,
					  const struct archive_id *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(s->snapshots[i].archive.id, a->id, sizeof(a->id)) == 0)
			return &s->snapshots[i];
	return NULL;
}

static int take_deps(const struct catalog_stream *s, const struct part_trailer *t,
		     struct stats *out, struct err *e)
{
	out->deps = calloc(t->n_deps ? t->n_deps : 1, sizeof(*out->deps));
	if (!out->deps)
		return err_memory(e);
	out->n_deps = t->n_deps;
	out->has_live = t->n_deps > 0;
	for (size_t i = 0; i < t->n_deps; i++) {
		const struct snapshot *x = snapshot_of(s, &t->deps[i].archive);
		struct stats_dep *d = &out->deps[i];

		d->seq = t->deps[i].archive.seq;
		memcpy(d->id, t->deps[i].archive.id, sizeof(d->id));
		d->live = t->deps[i].live;
		d->known = x && x->has_summary;
		d->new_bytes = d->known ? x->summary.new_bytes : 0;
		out->has_live = out->has_live && d->known;
		out->live += d->live;
		out->live_of += d->new_bytes;
	}
	return 0;
}

static int read_trailer(struct store *store, const struct descriptor *d,
			const struct catalog_stream *s, const struct snapshot *x,
			struct stats *out, struct err *e)
{
	struct part_reader *r = NULL;
	int result = part_reader_open(store, d, x->name, &r, e);

	if (result == 1)
		result = err_set(e, ERR_STORE,
				 "%s: is not there: pruned while reading: run again",
				 x->name);
	else if (result == 0)
		result = take_deps(s, &r->trailer, out, e);
	part_reader_free(r);
	return result;
}

int job_stats(struct store *store, const struct descriptor *d,
	      const struct reader_keys *keys, const struct catalog_stream *s,
	      const struct snapshot *x, struct stats *out, struct err *e)
{
	struct err why = ERR_EMPTY;

	*out = (struct stats)STATS_EMPTY;
	if (read_trailer(store, d, s, x, out, e) < 0)
		return -1;
	if (!keys || keys->n == 0)
		return 0;
	if (tally_archive(store, d, x->name, keys, &out->tally, &why) == 0) {
		out->has_tally = true;
		return 0;
	}
	if (why.kind == ERR_KEY) /* sealed to an older key: the trailer must do */
		return 0;
	*e = why;
	return -1;
}

static double ratio(uint64_t a, uint64_t b) { return b > 0 ? (double)a / (double)b : 0; }

double stats_dedup(const struct stats *s)
{
	return s->has_tally ? ratio(s->tally.totals.body_len, s->tally.body.plain) : 0;
}

double stats_compression(const struct stats *s)
{
	const struct tally *t = &s->tally;

	if (!s->has_tally)
		return 0;
	return ratio(t->body.plain + t->head.plain + t->node.plain + t->root.plain,
		     t->body.packed + t->head.packed + t->node.packed + t->root.packed);
}

double stats_live(const struct stats *s)
{
	return s->has_live && s->live_of > 0 ? ratio(s->live, s->live_of) : -1;
}
