#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "cli.h"
#include "job/find.h"
#include "job/verify.h"
#include "json.h"

/* What to verify. */
struct range {
	const struct catalog_stream *stream; /* NULL: all */
	const struct snapshot *snapshot;     /* NULL: all of the stream */
};

static int choose(const struct cli *c, const struct host *h, const struct catalog *all,
		  struct range *out, struct err *e)
{
	struct find_spec spec;

	if (c->n_args == 0)
		return 0;
	if (find_parse(c->args[0], &spec, e) < 0 ||
	    find_stream(h, all, &spec, &out->stream, e) != 0)
		return -1;
	if (!spec.which[0])
		return 0;
	return catalog_which_damaged(out->stream, spec.which, &out->snapshot, e);
}

static int verify_range(struct cli *c, const struct host *h, const struct catalog *all,
			const struct range *range, struct verify_outcome *out, struct err *e)
{
	enum verify_depth depth = cli_flag(c, "--quick") ? VERIFY_QUICK : VERIFY_KEYED;
	struct report report = cli_report(c, "verify");

	for (size_t i = 0; i < all->n; i++) {
		const struct catalog_stream *s = &all->streams[i];

		if (range->stream && range->stream != s)
			continue;
		if (job_verify(h, s, range->snapshot, depth, &report, out, e) < 0)
			return -1;
	}
	cli_report_end();
	return 0;
}

static void print_result(const struct cli *c, const struct verify_outcome *v, int code)
{
	static const char *const depths[] = { "structure and sizes", "every byte (no reading key)",
					      "every byte and every entry" };
	struct json *o;

	if (c->json) {
		o = json_new_object();
		json_number(o, "snapshots", v->snapshots);
		json_number(o, "damaged", v->damaged);
		json_number(o, "bytes", v->bytes);
		json_text(o, "depth", v->depth == VERIFY_QUICK ? "quick" :
				      v->depth == VERIFY_BYTES ? "bytes" :
								 "entries");
		json_number(o, "exit", (uint64_t)code);
		json_print(o);
		return;
	}
	if (!c->quiet)
		(void)printf("verified %s snapshot%s, %s: %s; %s damaged\n",
			     cli_count(v->snapshots), v->snapshots == 1 ? "" : "s",
			     cli_size(v->bytes), depths[v->depth], cli_count(v->damaged));
}

int cmd_verify(struct cli *c)
{
	auto_catalog struct catalog all = CATALOG_EMPTY;
	auto_bytes struct bytes problems = BYTES_EMPTY;
	struct verify_outcome out = { .depth = VERIFY_QUICK };
	struct reader_keys keys;
	struct range range = { .stream = NULL };
	auto_host struct host h = HOST_EMPTY;
	struct err e = ERR_EMPTY;
	int code;

	if (c->n_args > 1) {
		(void)err_set(&e, ERR_USAGE, "verify takes one NAME[@WHICH], or none");
		return cli_fail(&e);
	}
	if (cli_config(c, &e) < 0 || host_open(&c->config, &c->keys, &h, &e) < 0)
		return cli_fail(&e);
	keys = host_reader_keys(&h);
	if (catalog_load(h.store, &h.d, NULL, h.key, &keys, &all, &problems, &e) < 0 ||
	    choose(c, &h, &all, &range, &e) < 0 ||
	    verify_range(c, &h, &all, &range, &out, &e) < 0)
		return cli_fail(&e);
	if (problems.len > 0)
		(void)fwrite(problems.p, 1, problems.len, stderr);
	code = out.found > 0 || problems.len > 0 ? ERR_DAMAGED : 0;
	print_result(c, &out, code);
	return code;
}
