#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/reader.h"
#include "cli.h"
#include "job/find.h"
#include "json.h"
#include "snapshots.h"
#include "source/pax.h"

static const char type_letters[] = { '-', 'h', 'l', 'c', 'b', 'd', 'p' };

static void mode_text(const struct pax *p, char out[11])
{
	static const char bits[] = "rwxrwxrwx";

	out[0] = type_letters[p->type];
	for (int i = 0; i < 9; i++)
		out[1 + i] = p->shown_mode & (1u << (8 - i)) ? bits[i] : '-';
	if (p->shown_mode & 04000)
		out[3] = out[3] == 'x' ? 's' : 'S';
	if (p->shown_mode & 02000)
		out[6] = out[6] == 'x' ? 's' : 'S';
	if (p->shown_mode & 01000)
		out[9] = out[9] == 'x' ? 't' : 'T';
	out[10] = '\0';
}

static void print_entry(const struct pax *p)
{
	char mode[11];

	mode_text(p, mode);
	(void)printf("%s%c%6" PRIu64 " %6" PRIu64 " %10s  %s  %s", mode, p->has_acl ? '+' : ' ',
		     p->uid, p->gid, cli_size(p->size), cli_time_s(p->mtime),
		     cli_printable(p->path));
	if (p->type == PAX_LINK || p->type == PAX_SYMLINK)
		(void)printf(" -> %s", cli_printable(p->target));
	(void)putchar('\n');
}

static struct json *entry_json(const struct pax *p)
{
	static const char *const types[] = { "file",   "link",	    "symlink", "char device",
					     "block device", "directory", "fifo" };
	struct json *o = json_new_object();

	json_text(o, "path", p->path);
	json_text(o, "type", types[p->type]);
	json_number(o, "mode", p->shown_mode);
	json_truth(o, "acl", p->has_acl);
	json_number(o, "uid", p->uid);
	json_number(o, "gid", p->gid);
	json_number(o, "size", p->size);
	json_signed(o, "mtime", p->mtime);
	json_number(o, "mtime_ns", p->mtime_ns);
	if (p->type == PAX_LINK || p->type == PAX_SYMLINK)
		json_text(o, "target", p->target);
	return o;
}

static int show_entries(struct host *h, struct cli *c, const struct snapshot *x,
			struct json *rows, struct err *e)
{
	struct reader_keys keys;
	struct reader_entry en;
	struct reader *r = NULL;
	static struct pax p;
	int more = 0;

	if (host_need_reader(h, &c->keys, e) < 0)
		return -1;
	keys = host_reader_keys(h);
	if (reader_open(h->store, &h->d, x->name, &keys, &r, e) < 0)
		return -1;
	/* Nobody wants the rest where the output is closed; main says so. */
	while (more == 0 && !ferror(stdout) && (more = reader_next(r, &en, e)) == 0) {
		if (pax_parse(en.header, en.header_len, &p, e) < 0)
			more = -1;
		else if (rows)
			json_add(rows, entry_json(&p));
		else
			print_entry(&p);
	}
	reader_free(r);
	return more < 0 ? -1 : 0;
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
	struct json *doc, *rows;
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
	if (files) {
		rows = json_new_array();
		if (show_entries(&h, c, x, rows, &e) < 0)
			return cli_fail(&e);
		json_put(doc, "files", rows);
	}
	json_print(doc);
	return code;
}
