#include <stdio.h>
#include <string.h>
#include <time.h>

#include "archive/crypto.h"
#include "base/bytes.h"
#include "cli.h"
#include "job/find.h"
#include "job/stats.h"
#include "json.h"
#include "snapshots.h"
#include "grid.h"

static const struct grid_column columns[] = {
	{ "SEQ", true },     { "TIME", false }, { "LVL", true },    { "ENTRIES", true },
	{ "LOGICAL", true }, { "NEW", true },	{ "STORED", true }, { "DEDUP", true },
	{ "ZIP", true },     { "DEPS", true },	{ "LIVE", true },   { "", false },
};
enum { N_COLUMNS = sizeof(columns) / sizeof(*columns) };

static const struct grid_column dep_columns[] = {
	{ "RESTS ON", true },
	{ "LIVE", true },
	{ "OF", true },
	{ "SHARE", true },
};

struct sums {
	uint64_t snapshots, logical, stored;
};

/* What is to be shown, and what it came to. */
struct view {
	struct cli *c;
	const struct host *h;
	const struct catalog *all;
	const struct catalog_stream *stream; /* NULL: all */
	const struct snapshot *snapshot;     /* NULL: all */
	struct report report;
	struct progress done;
	struct sums sums;
	int code;
};

/* Six characters at most; "-" where it is not known. */
static const char *ratio_text(double v, char out[16])
{
	(void)snprintf(out, 16, v < 10 ? "%.2fx" : v < 100 ? "%.1fx" : "%.0fx", v);
	return v > 0 ? out : "-";
}

static const char *share_text(double v, char out[16])
{
	(void)snprintf(out, 16, "%.0f%%", 100 * v);
	return v >= 0 ? out : "-";
}

/* As ls -l does: the hour of what is recent, else the year. */
static const char *short_time(long long ms)
{
	long long age = (long long)time(NULL) - ms / 1000;
	const char *text = cli_time(ms);
	static char out[12];

	if (strlen(text) != strlen("2026-11-24 02:53"))
		return text;
	(void)snprintf(out, sizeof(out), "%.11s",
		       age >= 0 && age < 300 * 86400LL ? text + 5 : text);
	out[age >= 0 && age < 300 * 86400LL ? 11 : 10] = '\0';
	return out;
}

static void row_snapshot(struct grid *t, const struct snapshot *x, const struct stats *s)
{
	char seq[24], level[8], deps[24], dedup[16], zip[16], live[16];
	const char *state = snapshot_word(x);
	bool known = x->has_summary, read = x->state != SNAPSHOT_DAMAGED;
	const char *cells[N_COLUMNS] = {
		seq,
		short_time(snapshot_time(x)),
		known ? level : "-",
		known ? cli_count(x->summary.entries) : "-",
		known ? cli_size(x->summary.bytes) : "-",
		known ? cli_size(x->summary.new_bytes) : "-",
		cli_size(x->stored),
		ratio_text(stats_dedup(s), dedup),
		ratio_text(stats_compression(s), zip),
		read ? deps : "-",
		share_text(stats_live(s), live),
		strcmp(state, "complete") == 0 ? "" : state,
	};

	(void)snprintf(seq, sizeof(seq), "%llu", (unsigned long long)x->archive.seq);
	(void)snprintf(level, sizeof(level), "%u", x->summary.level);
	(void)snprintf(deps, sizeof(deps), "%zu", s->n_deps);
	grid_row(t, cells);
}

static void print_deps(const struct stats *s)
{
	struct grid *t = grid_new(dep_columns, 4, 2);

	for (size_t i = 0; i < s->n_deps; i++) {
		const struct stats_dep *d = &s->deps[i];
		bool share = d->known && d->new_bytes > 0;
		char seq[24], text[16];
		const char *cells[4] = {
			seq, cli_size(d->live), d->known ? cli_size(d->new_bytes) : "-",
			share_text(share ? (double)d->live / (double)d->new_bytes : -1,
				   text)
		};

		(void)snprintf(seq, sizeof(seq), "%llu", (unsigned long long)d->seq);
		grid_row(t, cells);
	}
	(void)putchar('\n');
	grid_print(t);
	grid_free(t);
}

static struct json *tally_json(const struct tally *t)
{
	const struct tally_sum *sums[] = { &t->body, &t->head, &t->node, &t->root };
	static const char *const names[] = { "body", "head", "node", "root" };
	struct json *o = json_new_object();

	for (size_t i = 0; i < 4; i++) {
		struct json *one = json_new_object();

		json_number(one, "records", sums[i]->n);
		json_number(one, "packed", sums[i]->packed);
		json_number(one, "plain", sums[i]->plain);
		json_put(o, names[i], one);
	}
	return o;
}

static struct json *deps_json(const struct stats *s)
{
	struct json *rows = json_new_array();

	for (size_t i = 0; i < s->n_deps; i++) {
		struct json *o = json_new_object();

		json_number(o, "seq", s->deps[i].seq);
		json_hex(o, "id", s->deps[i].id, sizeof(s->deps[i].id));
		json_number(o, "live", s->deps[i].live);
		if (s->deps[i].known)
			json_number(o, "new_bytes", s->deps[i].new_bytes);
		json_add(rows, o);
	}
	return rows;
}

static struct json *stats_json(const struct catalog_stream *stream,
			       const struct snapshot *x, const struct stats *s)
{
	struct json *o = snapshot_json(stream, x);

	if (x->has_summary)
		json_number(o, "reemitted", x->summary.reemitted);
	if (x->state == SNAPSHOT_DAMAGED)
		return o;
	json_put(o, "dependencies", deps_json(s));
	json_number(o, "live", s->live);
	if (s->has_live)
		json_number(o, "live_of", s->live_of);
	if (!s->has_tally)
		return o;
	json_number(o, "content", s->tally.totals.body_len);
	json_put(o, "records", tally_json(&s->tally));
	if (stats_dedup(s) > 0)
		json_ratio(o, "dedup", stats_dedup(s));
	json_ratio(o, "compression", stats_compression(s));
	return o;
}

/* What is damaged is said, and the rest of it shown. */
static int look(struct view *v, const struct catalog_stream *s, const struct snapshot *x,
		struct stats *out, struct err *e)
{
	struct reader_keys keys = host_reader_keys(v->h);

	if (cli_flag(v->c, "--quick"))
		keys.n = 0;
	if (x->state != SNAPSHOT_DAMAGED &&
	    job_stats(v->h->store, &v->h->d, &keys, s, x, out, e) < 0) {
		if (e->kind != ERR_DAMAGED)
			return -1;
		v->code = cli_worse(v->code, cli_fail(e));
	}
	v->sums.snapshots++;
	v->sums.logical += x->has_summary ? x->summary.bytes : 0;
	v->sums.stored += x->stored;
	v->done.entries++;
	v->done.bytes += x->stored;
	report_progress(&v->report, &v->done);
	return 0;
}

/* The table of one stream; of a single snapshot also what it rests on. */
static int show_stream(struct view *v, const struct catalog_stream *s, struct err *e)
{
	struct grid *t = v->c->json ? NULL : grid_new(columns, N_COLUMNS, 1);
	auto_stats struct stats st = STATS_EMPTY;
	int result = 0;

	for (size_t i = 0; result == 0 && i < s->n; i++) {
		const struct snapshot *x = &s->snapshots[i];

		if (v->snapshot && v->snapshot != x)
			continue;
		stats_free(&st);
		result = look(v, s, x, &st, e);
		if (result == 0 && t)
			row_snapshot(t, x, &st);
		else if (result == 0)
			json_row(stats_json(s, x, &st));
	}
	cli_report_end();
	if (t && !v->stream)
		(void)printf("%s\n", snapshots_name(v->c, v->all, s));
	if (t)
		grid_print(t);
	if (t && v->snapshot && st.n_deps > 0)
		print_deps(&st);
	if (t && !v->stream)
		(void)putchar('\n');
	grid_free(t);
	return result;
}

static void end(const struct view *v)
{
	const struct sums *s = &v->sums;
	struct json *total, *tail;
	char text[16];

	if (v->c->json) {
		total = json_new_object();
		tail = json_new_object();
		json_number(total, "snapshots", s->snapshots);
		json_number(total, "bytes", s->logical);
		json_number(total, "stored", s->stored);
		json_put(tail, "total", total);
		json_rows_end(tail);
		return;
	}
	if (s->snapshots == 0) {
		cli_say(v->c, "no snapshots yet: volsnap snapshot NAME takes one");
		return;
	}
	(void)printf("%s snapshot%s, %s in %s stored", cli_count(s->snapshots),
		     s->snapshots == 1 ? "" : "s", cli_size(s->logical),
		     cli_size(s->stored));
	(void)printf(
		": %s\n",
		ratio_text(s->stored ? (double)s->logical / (double)s->stored : 0, text));
	if (v->h->n_readers == 0 && !cli_flag(v->c, "--quick"))
		cli_say(v->c, "no reading key: DEDUP and ZIP need one (--key)");
}

static int choose(struct view *v, struct err *e)
{
	struct find_spec spec;

	if (v->c->n_args == 0)
		return 0;
	if (find_parse(v->c->args[0], &spec, e) < 0 ||
	    find_stream(v->h, v->all, &spec, &v->stream, e) != 0)
		return -1;
	if (!spec.which[0])
		return 0;
	return catalog_which(v->stream, spec.which, &v->snapshot, e);
}

static int show_all(struct view *v, struct err *e)
{
	if (v->c->json)
		json_rows(json_new_object(), "snapshots");
	for (size_t i = 0; i < v->all->n; i++)
		if ((!v->stream || v->stream == &v->all->streams[i]) &&
		    show_stream(v, &v->all->streams[i], e) < 0)
			return -1;
	end(v);
	return 0;
}

int cmd_stats(struct cli *c)
{
	auto_catalog struct catalog all = CATALOG_EMPTY;
	auto_bytes struct bytes problems = BYTES_EMPTY;
	auto_host struct host h = HOST_EMPTY;
	struct view v = {
		.c = c, .h = &h, .all = &all, .report = cli_report(c, "stats")
	};
	struct reader_keys keys;
	struct err e = ERR_EMPTY;

	if (c->n_args > 1) {
		(void)err_set(&e, ERR_USAGE, "stats takes one NAME[@WHICH], or none");
		return cli_fail(&e);
	}
	if (cli_config(c, &e) < 0 || host_open(&c->config, &c->keys, &h, &e) < 0)
		return cli_fail(&e);
	keys = host_reader_keys(&h);
	if (catalog_load(h.store, &h.d, NULL, h.key, &keys, &all, &problems, &e) < 0 ||
	    choose(&v, &e) < 0 || show_all(&v, &e) < 0)
		return cli_fail(&e);
	return v.snapshot ? v.code
			  : cli_worse(v.code,
				      snapshots_damaged(c, &all, v.stream, &problems));
}
