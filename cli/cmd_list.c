#include <stdio.h>
#include <string.h>

#include "archive/crypto.h"
#include "base/bytes.h"
#include "cli.h"
#include "job/find.h"
#include "json.h"
#include "snapshots.h"

static void print_snapshot(const struct catalog_stream *s, const struct snapshot *x,
			   const char *name, int width)
{
	char id[9];

	crypto_hex(x->archive.id, 4, id);
	(void)printf("%-*s %5llu  %s  %s  ", width, name, (unsigned long long)x->archive.seq, id,
		     cli_time(snapshot_time(x)));
	if (x->has_summary)
		(void)printf("%3u  %-7s %11s %10s", x->summary.level,
			     grade_word(x->summary.grade), cli_count(x->summary.entries),
			     cli_size(x->summary.bytes));
	else
		(void)printf("%3s  %-7s %11s %10s", "-", "-", "-", "-");
	(void)printf(" %10s  %s\n", cli_size(x->stored), snapshot_word(x));
	(void)s;
}

static void print_table(const struct cli *c, const struct catalog *all,
			bool (*wanted)(const struct catalog_stream *, const void *),
			const void *ctx)
{
	size_t width = 6, rows = 0;

	for (size_t i = 0; i < all->n; i++) {
		size_t len = strlen(snapshots_name(c, all, &all->streams[i]));

		if (wanted(&all->streams[i], ctx) && len > width)
			width = len < 40 ? len : 40;
		rows += wanted(&all->streams[i], ctx) ? all->streams[i].n : 0;
	}
	if (rows == 0) {
		cli_say(c, "no snapshots yet: volsnap snapshot NAME takes one");
		return;
	}
	(void)printf("%-*s %5s  %-8s  %-16s  %3s  %-7s %11s %10s %10s  %s\n", (int)width, "VOLUME",
		     "SEQ", "ID", "TIME", "LVL", "GRADE", "ENTRIES", "SIZE", "STORED", "STATE");
	for (size_t i = 0; i < all->n; i++) {
		const struct catalog_stream *s = &all->streams[i];

		for (size_t k = 0; wanted(s, ctx) && k < s->n; k++)
			print_snapshot(s, &s->snapshots[k], snapshots_name(c, all, s), (int)width);
	}
}

static bool is_wanted(const struct catalog_stream *s, const void *spec)
{
	return !spec || s == spec;
}

static void print_json(const struct catalog *all, const struct catalog_stream *only)
{
	struct json *doc = json_new_object(), *rows = json_new_array();

	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; is_wanted(&all->streams[i], only) && k < all->streams[i].n; k++)
			json_add(rows, snapshot_json(&all->streams[i],
						     &all->streams[i].snapshots[k]));
	json_put(doc, "snapshots", rows);
	json_print(doc);
}

int cmd_list(struct cli *c)
{
	auto_catalog struct catalog all = CATALOG_EMPTY;
	auto_bytes struct bytes problems = BYTES_EMPTY;
	const struct catalog_stream *only = NULL;
	auto_host struct host h = HOST_EMPTY;
	struct find_spec spec;
	struct reader_keys keys;
	struct err e = ERR_EMPTY;

	if (c->n_args > 1) {
		(void)err_set(&e, ERR_USAGE, "list takes one name, or none");
		return cli_fail(&e);
	}
	if (cli_config(c, &e) < 0 || host_open(&c->config, &c->keys, &h, &e) < 0)
		return cli_fail(&e);
	keys = host_reader_keys(&h);
	if (catalog_load(h.store, &h.d, NULL, h.key, &keys, &all, &problems, &e) < 0)
		return cli_fail(&e);
	if (c->n_args == 1 && (find_parse(c->args[0], &spec, &e) < 0 ||
			       find_stream(&h, &all, &spec, &only, &e) != 0))
		return cli_fail(&e);
	if (c->json)
		print_json(&all, only);
	else
		print_table(c, &all, is_wanted, only);
	return snapshots_damaged(c, &all, only, &problems);
}
