#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "cli.h"
#include "entries.h"
#include "job/find.h"
#include "job/history.h"
#include "json.h"
#include "snapshots.h"
#include "source/match.h"
#include "grid.h"

static const struct grid_column columns[] = {
	{ "VOLUME", false },   { "SNAPSHOTS", false }, { "SIZE", true },
	{ "MODIFIED", false }, { "PATH", false },
};

/* What comes of one stream's search goes here. */
struct found {
	struct grid *rows; /* NULL with --json */
	bool names;	   /* volumes have a column */
	uint64_t versions, searched;
	bool failed;
};

static void row_version(const struct found *f, const char *volume,
			const struct version *v, const char *path)
{
	char range[48];
	const char *cells[5];

	(void)snprintf(range, sizeof(range), "%llu", (unsigned long long)v->first);
	if (v->last != v->first)
		(void)snprintf(range, sizeof(range), "%llu..%llu",
			       (unsigned long long)v->first, (unsigned long long)v->last);
	cells[0] = volume;
	cells[1] = range;
	cells[2] = v->type == PAX_FILE ? cli_size(v->size) : "-";
	cells[3] = cli_time_s(v->mtime);
	cells[4] = cli_printable(path);
	grid_row(f->rows, f->names ? cells : cells + 1);
}

static void json_version(const struct catalog_stream *s, const struct version *v,
			 const char *path)
{
	struct json *o = json_new_object();

	json_text(o, "host", s->stream.host);
	json_text(o, "volume", s->stream.name);
	json_hex(o, "stream", s->stream.id, sizeof(s->stream.id));
	json_number(o, "first", v->first);
	json_number(o, "last", v->last);
	json_text(o, "path", path);
	json_text(o, "type", entry_type(v->type));
	json_number(o, "size", v->size);
	json_signed(o, "mtime", v->mtime);
	json_number(o, "mtime_ns", v->mtime_ns);
	json_row(o);
}

static int search(struct cli *c, const struct host *h, const struct catalog *all,
		  const struct catalog_stream *s, const struct history_options *o,
		  struct found *f, struct err *e)
{
	auto_history struct history x = HISTORY_EMPTY;
	char volume[512];

	if (job_history(h, s, o, &x, e) < 0) {
		f->failed = true;
		return cli_fail(e);
	}
	(void)snprintf(volume, sizeof(volume), "%s", snapshots_name(c, all, s));
	for (size_t i = 0; i < x.n; i++) {
		const struct version *v = history_version(&x, i);

		if (c->json)
			json_version(s, v, history_path(&x, v));
		else
			row_version(f, volume, v, history_path(&x, v));
	}
	f->versions += x.n;
	f->searched += x.searched;
	return x.worst;
}

/* A path as volsnap shows it, "./a/b", is one below the root. */
static int check_pattern(const char *typed, const char **out, struct err *e)
{
	const char *problem;

	*out = strncmp(typed, "./", 2) == 0 ? typed + 1 : typed;
	problem = match_problem(*out);
	return problem ? err_set(e, ERR_USAGE, "%s: %s", typed, problem) : 0;
}

static int load(struct cli *c, struct host *h, struct catalog *all,
		const struct catalog_stream **only, struct bytes *problems, struct err *e)
{
	struct reader_keys keys;
	struct find_spec spec;

	if (!cli_flag(c, "--all") && find_parse(c->args[0], &spec, e) < 0)
		return -1;
	if (!cli_flag(c, "--all") && spec.which[0])
		return err_set(e, ERR_USAGE,
			       "find looks into every snapshot: %s without @%s",
			       spec.name, spec.which);
	if (host_open(&c->config, &c->keys, h, e) < 0 ||
	    host_need_reader(h, &c->keys, e) < 0)
		return -1;
	keys = host_reader_keys(h);
	if (catalog_load(h->store, &h->d, NULL, h->key, &keys, all, problems, e) < 0)
		return -1;
	return !cli_flag(c, "--all") && find_stream(h, all, &spec, only, e) != 0 ? -1 : 0;
}

static void begin(const struct cli *c, const char *pattern, struct found *f)
{
	struct json *doc;

	f->names = cli_flag(c, "--all");
	if (!c->json) {
		f->rows = grid_new(f->names ? columns : columns + 1, f->names ? 5 : 4, 2);
		return;
	}
	doc = json_new_object();
	json_text(doc, "pattern", pattern);
	json_rows(doc, "versions");
}

static void end(const struct cli *c, const char *pattern, struct found *f)
{
	struct json *tail;

	cli_report_end();
	if (c->json) {
		tail = json_new_object();
		json_number(tail, "searched", f->searched);
		json_rows_end(tail);
	} else if (f->versions > 0) {
		grid_print(f->rows);
	} else if (!f->failed) {
		cli_say(c, "nothing matches %s in %s snapshot%s", pattern,
			cli_count(f->searched), f->searched == 1 ? "" : "s");
	}
	grid_free(f->rows);
}

int cmd_find(struct cli *c)
{
	bool everywhere = cli_flag(c, "--all");
	struct report report = cli_report(c, "find");
	struct history_options o = { .report = &report };
	auto_bytes struct bytes problems = BYTES_EMPTY;
	auto_catalog struct catalog all = CATALOG_EMPTY;
	const struct catalog_stream *only = NULL;
	auto_host struct host h = HOST_EMPTY;
	struct found f = { .rows = NULL };
	struct err e = ERR_EMPTY;
	int code = 0;

	if (c->n_args != (everywhere ? 1 : 2)) {
		(void)err_set(&e, ERR_USAGE,
			      "find takes NAME and PATTERN, or --all and PATTERN");
		return cli_fail(&e);
	}
	if (check_pattern(c->args[c->n_args - 1], &o.pattern, &e) < 0 ||
	    cli_config(c, &e) < 0 || load(c, &h, &all, &only, &problems, &e) < 0)
		return cli_fail(&e);
	o.scratch = c->config.state_dir;
	begin(c, c->args[c->n_args - 1], &f);
	for (size_t i = 0; i < all.n; i++)
		if (!only || only == &all.streams[i])
			code = cli_worse(
				code, search(c, &h, &all, &all.streams[i], &o, &f, &e));
	end(c, c->args[c->n_args - 1], &f);
	if (everywhere && problems.len > 0) {
		(void)fwrite(problems.p, 1, problems.len, stderr);
		code = cli_worse(code, ERR_DAMAGED);
	}
	return code;
}
