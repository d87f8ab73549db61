#include <stdio.h>

#include "archive/crypto.h"
#include "archive/reader.h"
#include "cli.h"
#include "entries.h"
#include "job/find.h"
#include "json.h"
#include "snapshots.h"

static int show_entries(struct host *h, struct cli *c, const struct snapshot *x,
			struct json *doc, struct err *e)
{
	struct entries all = { .doc = doc };
	struct reader_keys keys;
	struct reader *r = NULL;
	int result;

	if (host_need_reader(h, &c->keys, e) < 0)
		return -1;
	keys = host_reader_keys(h);
	if (reader_open(h->store, &h->d, x->name, &keys, &r, e) < 0)
		return -1;
	result = entries_print(c, r, &all, e);
	reader_free(r);
	return result;
}

static void print_identity(const struct catalog_stream *s, const struct snapshot *x)
{
	char id[33], stream[33];

	crypto_hex(x->archive.id, 16, id);
	crypto_hex(s->stream.id, 16, stream);
	(void)printf("volume    %s/%s\n", s->stream.host, cli_printable(s->stream.name));
	(void)printf("snapshot  %llu  (id %s)\n", (unsigned long long)x->archive.seq, id);
	(void)printf("stream    %s\n", stream);
	(void)printf("time      %s\n", cli_time(snapshot_time(x)));
	(void)printf("state     %s%s%s\n", snapshot_word(x), x->problem[0] ? ": " : "", x->problem);
	if (x->has_summary) {
		(void)printf("level     %u, grade %s\n", x->summary.level,
			     grade_word(x->summary.grade));
		(void)printf("entries   %s, %s\n", cli_count(x->summary.entries),
			     cli_size(x->summary.bytes));
		if (x->summary.unreadable || x->summary.changed_entries)
			(void)printf("missing   %u left out, %u changed while they were read\n",
				     x->summary.unreadable, x->summary.changed_entries);
	}
	(void)printf("stored    %s in %u file%s\n", cli_size(x->stored), x->n_parts,
		     x->n_parts == 1 ? "" : "s");
}

int cmd_show(struct cli *c)
{
	bool files = cli_flag(c, "--files");
	auto_catalog struct catalog all = CATALOG_EMPTY;
	auto_host struct host h = HOST_EMPTY;
	const struct catalog_stream *s = NULL;
	const struct snapshot *x = NULL;
	struct json *doc;
	struct find_spec spec;
	struct err e = ERR_EMPTY;
	int code;

	if (c->n_args != 1) {
		(void)err_set(&e, ERR_USAGE, "show takes one NAME@WHICH");
		return cli_fail(&e);
	}
	if (cli_config(c, &e) < 0 || find_parse(c->args[0], &spec, &e) < 0 ||
	    host_open(&c->config, &c->keys, &h, &e) < 0)
		return cli_fail(&e);
	spec.damaged = !files; /* what it is can be said all the same */
	if (find_snapshot(&h, &spec, &all, &s, &x, &e) != 0)
		return cli_fail(&e);
	code = x->state == SNAPSHOT_DAMAGED ? ERR_DAMAGED : 0;
	if (!c->json) {
		print_identity(s, x);
		if (files && (puts("") < 0 || show_entries(&h, c, x, NULL, &e) < 0))
			return cli_fail(&e);
		return code;
	}
	doc = snapshot_json(s, x);
	if (files)
		return show_entries(&h, c, x, doc, &e) < 0 ? cli_fail(&e) : code;
	json_print(doc);
	return code;
}
