#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "job/restore.h"
#include "json.h"

static void print_json(const struct cli *c, const struct restore_outcome *r, int code)
{
	static const char *const ends[] = { "restored", "not empty, left alone",
					    "nothing to restore yet", "dry run" };
	struct json *o = json_new_object();

	json_text(o, "volume", c->args[0]);
	json_text(o, "result", ends[r->end]);
	json_text(o, "target", r->target);
	json_number(o, "seq", r->archive.seq);
	json_number(o, "entries", r->end == RESTORE_DRY ? r->snapshot.entries :
							  r->restored.entries);
	json_number(o, "bytes", r->end == RESTORE_DRY ? r->snapshot.bytes : r->restored.bytes);
	json_number(o, "problems", r->restored.problems);
	json_number(o, "lost", r->lost);
	json_truth(o, "snapshot_incomplete", r->incomplete);
	json_truth(o, "kept_previous", r->kept_previous);
	json_number(o, "elapsed_ms", r->elapsed_ms);
	json_number(o, "exit", (uint64_t)code);
	json_print(o);
}

static void print_words(const struct cli *c, const struct restore_outcome *r)
{
	switch (r->end) {
	case RESTORE_NOT_EMPTY:
		cli_say(c, "%s: not empty, left alone", r->target);
		return;
	case RESTORE_FIRST:
		cli_say(c, "%s: the store holds no snapshot of it yet: nothing to restore",
			c->args[0]);
		return;
	case RESTORE_DRY:
		(void)printf("would restore %s entries, %s, to %s\n",
			     cli_count(r->snapshot.entries), cli_size(r->snapshot.bytes),
			     r->target);
		return;
	case RESTORE_DONE:
		break;
	}
	if (!c->quiet)
		(void)printf("restored %s entries, %s, to %s in %s\n",
			     cli_count(r->restored.entries), cli_size(r->restored.bytes),
			     r->target, cli_duration(r->elapsed_ms));
	if (r->kept_previous)
		cli_say(c, "what was there is kept beside it (delete it: volsnap restore %s "
			   "--discard-previous)",
			c->args[0]);
}

static int discard(struct cli *c)
{
	struct err e = ERR_EMPTY;
	struct find_spec spec;
	int found;

	if (find_parse(c->args[0], &spec, &e) < 0)
		return cli_fail(&e);
	found = restore_discard(&c->config, spec.name, &e);
	if (found == 1)
		(void)err_set(&e, ERR_NOT_FOUND, "%s: there is no previous tree", spec.name);
	if (found != 0)
		return cli_fail(&e);
	cli_say(c, "%s: the previous tree is deleted", spec.name);
	return 0;
}

static int check_usage(const struct cli *c, const struct restore_options *o, struct err *e)
{
	if (c->n_args != 1)
		return err_set(e, ERR_USAGE, "restore takes one NAME@WHICH");
	if (o->to && o->as)
		return err_set(e, ERR_USAGE, "--to and --as do not go together");
	if (o->if_empty && o->replace)
		return err_set(e, ERR_USAGE, "--if-empty and --replace do not go together");
	return 0;
}

/* A restore of "NAME" without @WHICH is too easily a slip: say which. */
static int need_which(const struct restore_options *o, struct err *e)
{
	if (o->spec.which[0])
		return 0;
	return err_set(e, ERR_USAGE, "which snapshot? (%s@latest is the newest)", o->spec.name);
}

int cmd_restore(struct cli *c)
{
	static const char *paths[CLI_ARGS_MAX];
	struct report report = cli_report(c, "restore");
	struct restore_options o = { .to = cli_value(c, "--to"),
				     .as = cli_value(c, "--as"),
				     .paths = paths,
				     .n_paths = cli_values(c, "--path", paths, CLI_ARGS_MAX),
				     .if_empty = cli_flag(c, "--if-empty"),
				     .replace = cli_flag(c, "--replace"),
				     .devices = cli_flag(c, "--devices"),
				     .salvage = cli_flag(c, "--salvage"),
				     .dry_run = cli_flag(c, "--dry-run"),
				     .keys = &c->keys,
				     .report = &report };
	static struct restore_outcome r;
	struct err e = ERR_EMPTY;
	int code = 0;

	if (check_usage(c, &o, &e) < 0 || cli_config(c, &e) < 0)
		return cli_fail(&e);
	if (cli_flag(c, "--discard-previous"))
		return discard(c);
	if (find_parse(c->args[0], &o.spec, &e) < 0 || need_which(&o, &e) < 0)
		return cli_fail(&e);
	o.spec.damaged = o.salvage;
	if (job_restore(&c->config, &o, &r, &e) < 0)
		return cli_fail(&e);
	cli_report_end();
	if (r.incomplete)
		cli_say(c, "volsnap: warning: this snapshot is incomplete: %u entries were left "
			   "out, %u changed while they were read",
			r.snapshot.unreadable, r.snapshot.changed);
	if (r.lost > 0)
		cli_say(c, "volsnap: %s of %s entries are lost: their files are not there",
			cli_count(r.lost), cli_count(r.snapshot.entries));
	if (r.restored.problems > 0 || r.lost > 0)
		code = ERR_INCOMPLETE;
	if (c->json)
		print_json(c, &r, code);
	else
		print_words(c, &r);
	return code;
}
