#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "cli.h"
#include "job/snapshot.h"
#include "json.h"

static void print_line(const struct cli *c, const char *name, const struct snapshot_outcome *s)
{
	if (c->quiet || c->json)
		return;
	(void)printf("%s@%llu  %s entries, %s, stored %s in %s\n", name,
		     (unsigned long long)s->archive.seq, cli_count(s->totals.entries),
		     cli_size(s->totals.bytes), cli_size(s->stored), cli_duration(s->elapsed_ms));
	if (s->totals.unreadable || s->totals.changed)
		cli_say(c,
			"volsnap: %s@%llu is incomplete: %u entries left out, %u changed while "
			"they were read",
			name, (unsigned long long)s->archive.seq, s->totals.unreadable,
			s->totals.changed);
	if (c->verbose)
		cli_say(c, "volsnap: %s: %llu vanished, %llu sockets skipped", name,
			(unsigned long long)s->totals.vanished,
			(unsigned long long)s->totals.skipped);
}

static void json_line(struct json *all, const char *name, const struct snapshot_outcome *s,
		      int code, const struct err *e)
{
	struct json *o = json_new_object();

	json_text(o, "volume", name);
	json_number(o, "exit", (uint64_t)code);
	if (code != 0 && code != ERR_INCOMPLETE) {
		json_text(o, "error", e->text);
		json_add(all, o);
		return;
	}
	json_number(o, "seq", s->archive.seq);
	json_hex(o, "id", s->archive.id, sizeof(s->archive.id));
	json_number(o, "level", s->level);
	json_number(o, "entries", s->totals.entries);
	json_number(o, "bytes", s->totals.bytes);
	json_number(o, "new_bytes", s->new_bytes);
	json_number(o, "stored", s->stored);
	json_number(o, "dependencies", s->n_deps);
	json_number(o, "unreadable", s->totals.unreadable);
	json_number(o, "changed", s->totals.changed);
	json_number(o, "vanished", s->totals.vanished);
	json_number(o, "skipped", s->totals.skipped);
	json_number(o, "elapsed_ms", s->elapsed_ms);
	json_add(all, o);
}

static int snapshot_one(struct cli *c, const struct host *h, const struct config_volume *v,
			struct json *all)
{
	struct report report = cli_report(c, v->name);
	struct snapshot_options o = { .allow_empty = cli_flag(c, "--allow-empty"),
				      .full = cli_flag(c, "--full"),
				      .wait_s = (unsigned)(c->wait_ms / 1000),
				      .report = &report };
	struct snapshot_outcome out;
	struct err e = ERR_EMPTY;
	int code = 0;

	if (job_snapshot(h, v, &o, &out, &e) < 0)
		code = cli_fail(&e);
	else if (out.totals.unreadable || out.totals.changed)
		code = ERR_INCOMPLETE;
	cli_report_end();
	if (all)
		json_line(all, v->name, &out, code, &e);
	else if (code == 0 || code == ERR_INCOMPLETE)
		print_line(c, v->name, &out);
	return code;
}

static int find_all(const struct cli *c, const struct config_volume **out, size_t *n,
		    struct err *e)
{
	bool all = cli_flag(c, "--all");

	if (all == (c->n_args > 0))
		return err_set(e, ERR_USAGE, "snapshot takes volume names, or --all");
	if (all && c->config.n_volumes == 0)
		return err_set(e, ERR_NOT_FOUND, "no volume is configured");
	*n = all ? c->config.n_volumes : c->n_args;
	for (size_t i = 0; i < *n; i++) {
		out[i] = all ? &c->config.volumes[i] : config_find(&c->config, c->args[i]);
		if (!out[i])
			return err_set(e, ERR_NOT_FOUND,
				       "%s: no volume of that name is configured: add a section "
				       "[volume %s] or [bind %s]",
				       c->args[i], c->args[i], c->args[i]);
	}
	return 0;
}

int cmd_snapshot(struct cli *c)
{
	const struct config_volume **volumes = NULL;
	struct json *all = c->json ? json_new_array() : NULL, *doc;
	struct host h = HOST_EMPTY;
	struct err e = ERR_EMPTY;
	int code = 0;
	size_t n = 0;

	if (cli_config(c, &e) < 0 || cli_wait(c, &e) < 0)
		return cli_fail(&e);
	n = c->config.n_volumes > c->n_args ? c->config.n_volumes : c->n_args;
	volumes = calloc(n + 1, sizeof(*volumes));
	if (!volumes) {
		(void)err_memory(&e);
		return cli_fail(&e);
	}
	c->keys.write = true;
	if (find_all(c, volumes, &n, &e) < 0 || host_open(&c->config, &c->keys, &h, &e) < 0) {
		free(volumes);
		return cli_fail(&e);
	}
	for (size_t i = 0; i < n; i++)
		code = cli_worse(code, snapshot_one(c, &h, volumes[i], all));
	host_close(&h);
	free(volumes);
	if (all) {
		doc = json_new_object();
		json_put(doc, "snapshots", all);
		json_print(doc);
	}
	return code;
}
