#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "entries.h"
#include "job/select.h"
#include "json.h"
#include "opened.h"
#include "snapshots.h"

struct place {
	const char *typed;
	char path[ENTRY_PATH_MAX + 3]; /* "./a/b" */
	bool recursive;
	bool seen; /* it is in the snapshot */
};

/* What lies in the directory, or the one thing that is none. */
static bool is_in(void *ctx, const struct pax *p)
{
	struct place *at = ctx;
	size_t len = strlen(at->path);

	if (!pax_path_below(p->path, at->path))
		return false;
	at->seen = true;
	if (!p->path[len])
		return p->type != PAX_DIR;
	return at->recursive || !strchr(p->path + len + 1, '/');
}

static const char *name_in(void *ctx, const struct pax *p)
{
	const struct place *at = ctx;
	size_t len = strlen(at->path);

	return p->path[len] ? p->path + len + 1 : p->path;
}

static int check_seen(void *ctx, struct err *e)
{
	const struct place *at = ctx;

	if (at->seen)
		return 0;
	return err_set(e, ERR_NOT_FOUND, "%s: nothing of that path in the snapshot",
		       at->typed);
}

int cmd_ls(struct cli *c)
{
	static struct place at;
	struct entries o = {
		.wanted = is_in, .ctx = &at, .name = name_in, .after_scan = check_seen
	};
	auto_opened struct opened x = OPENED_EMPTY;
	auto_host struct host h = HOST_EMPTY;
	struct err e = ERR_EMPTY;

	if (c->n_args < 1 || c->n_args > 2) {
		(void)err_set(&e, ERR_USAGE,
			      "ls takes NAME@WHICH and maybe a path in it");
		return cli_fail(&e);
	}
	at.typed = c->n_args == 2 ? c->args[1] : "/";
	at.recursive = cli_flag(c, "--recursive");
	if (select_path(at.typed, at.path, &e) < 0 ||
	    opened_named(c, c->args[0], &h, &x, &e) < 0)
		return cli_fail(&e);
	if (c->json) {
		o.doc = snapshot_json(x.stream, x.snapshot);
		json_text(o.doc, "path", at.path);
	}
	if (entries_print(c, x.reader, &o, &e) < 0)
		return cli_fail(&e);
	return 0;
}
