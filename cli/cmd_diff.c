#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "entries.h"
#include "job/diff.h"
#include "job/find.h"
#include "json.h"
#include "opened.h"
#include "snapshots.h"

static const char *const kind_words[] = { "added", "removed", "modified", "metadata" };
static const char kind_letters[] = { '+', '-', 'M', 'm' };

/* The words for what differs, in OUT; how many. */
static size_t what_words(const struct diff_what *w, const char *out[12])
{
	const struct {
		bool is;
		const char *word;
	} all[] = { { w->type, "type" },       { w->size, "size" },
		    { w->content, "content" }, { w->mtime, "mtime" },
		    { w->target, "target" },   { w->device, "device" },
		    { w->mode, "mode" },       { w->owner, "owner" },
		    { w->xattr, "xattr" },     { w->acl, "acl" },
		    { w->flags, "flags" },     { w->link, "link" } };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i].is)
			out[n++] = all[i].word;
	return n;
}

static bool print_change(void *ctx, const struct diff_change *x)
{
	const struct linked_entry *en = x->after ? x->after : x->before;
	const char *words[12];
	size_t n = what_words(&x->what, words);

	(void)ctx;
	cli_report_end();
	(void)printf("%c %s", kind_letters[x->kind], cli_printable(en->pax->path));
	for (size_t i = 0; i < n; i++)
		(void)printf("%s%s", i == 0 ? "  (" : ", ", words[i]);
	(void)puts(n > 0 ? ")" : "");
	return !ferror(stdout);
}

static bool json_change(void *ctx, const struct diff_change *x)
{
	const struct linked_entry *en = x->after ? x->after : x->before;
	struct json *o = json_new_object(), *what = json_new_array();
	const char *words[12];
	size_t n = what_words(&x->what, words);

	(void)ctx;
	json_text(o, "path", en->pax->path);
	json_text(o, "change", kind_words[x->kind]);
	for (size_t i = 0; i < n; i++)
		json_add_text(what, words[i]);
	json_put(o, "what", what);
	if (x->before)
		json_put(o, "before", entry_json(x->before));
	if (x->after)
		json_put(o, "after", entry_json(x->after));
	json_row(o);
	return !ferror(stdout);
}

static void begin_json(const struct opened *a, const struct opened *b, bool content)
{
	struct json *doc = json_new_object();

	json_put(doc, "before", snapshot_json(a->stream, a->snapshot));
	json_put(doc, "after", snapshot_json(b->stream, b->snapshot));
	json_truth(doc, "content", content);
	json_rows(doc, "changes");
}

static void end_json(const struct diff_totals *t)
{
	struct json *o = json_new_object();

	json_number(o, "added", t->added);
	json_number(o, "added_bytes", t->added_bytes);
	json_number(o, "removed", t->removed);
	json_number(o, "removed_bytes", t->removed_bytes);
	json_number(o, "modified", t->modified);
	json_number(o, "metadata", t->meta);
	json_number(o, "same", t->same);
	json_rows_end(o);
}

static void print_totals(const struct cli *c, const struct opened *a,
			 const struct opened *b, const struct diff_totals *t)
{
	if (c->quiet)
		return;
	(void)printf("%s@%llu -> ", cli_printable(a->stream->stream.name),
		     (unsigned long long)a->snapshot->archive.seq);
	(void)printf("%s@%llu: ", cli_printable(b->stream->stream.name),
		     (unsigned long long)b->snapshot->archive.seq);
	(void)printf("%s added, %s removed, ", cli_count(t->added), cli_count(t->removed));
	(void)printf("%s modified, %s metadata, %s same\n", cli_count(t->modified),
		     cli_count(t->meta), cli_count(t->same));
}

/* "@WHICH" is of the first one's volume. */
static int parse_both(const struct cli *c, struct find_spec *a, struct find_spec *b,
		      struct err *e)
{
	const char *text = c->args[1];

	if (find_parse(c->args[0], a, e) < 0)
		return -1;
	if (text[0] != '@')
		return find_parse(text, b, e);
	*b = *a;
	if (!text[1] || strlen(text + 1) >= sizeof(b->which))
		return err_set(e, ERR_USAGE, "\"%s\": expected [[HOST/]NAME]@WHICH",
			       text);
	(void)snprintf(b->which, sizeof(b->which), "%s", text + 1);
	return 0;
}

int cmd_diff(struct cli *c)
{
	struct report report = cli_report(c, "diff");
	struct diff_options o = { .content = cli_flag(c, "--content"),
				  .report = &report,
				  .change = c->json ? json_change : print_change };
	auto_opened struct opened a = OPENED_EMPTY, b = OPENED_EMPTY;
	auto_host struct host h = HOST_EMPTY;
	static struct find_spec first, second;
	struct diff_totals totals;
	struct err e = ERR_EMPTY;

	if (c->n_args != 2) {
		(void)err_set(&e, ERR_USAGE,
			      "diff takes NAME@WHICH and NAME@WHICH, or @WHICH");
		return cli_fail(&e);
	}
	if (cli_config(c, &e) < 0 || parse_both(c, &first, &second, &e) < 0 ||
	    host_open(&c->config, &c->keys, &h, &e) < 0 ||
	    opened_open(c, &h, &first, &a, &e) < 0 ||
	    opened_open(c, &h, &second, &b, &e) < 0)
		return cli_fail(&e);
	o.scratch = c->config.state_dir;
	if (c->json)
		begin_json(&a, &b, o.content);
	if (job_diff(a.reader, b.reader, &o, &totals, &e) < 0)
		return cli_fail(&e);
	cli_report_end();
	if (c->json)
		end_json(&totals);
	else
		print_totals(c, &a, &b, &totals);
	return 0;
}
