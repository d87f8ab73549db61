#include "opened.h"

#include "archive/reader.h"
#include "cli.h"
#include "job/find.h"

void opened_close(struct opened *o)
{
	reader_free(o->reader);
	catalog_free(&o->all);
}

int opened_open(struct cli *c, struct host *h, const struct find_spec *spec,
		struct opened *out, struct err *e)
{
	struct reader_keys keys;

	if (find_snapshot(h, spec, &out->all, &out->stream, &out->snapshot, e) != 0 ||
	    host_need_reader(h, &c->keys, e) < 0)
		return -1;
	keys = host_reader_keys(h);
	return reader_open(h->store, &h->d, out->snapshot->name, &keys, &out->reader, e);
}

int opened_named(struct cli *c, const char *text, struct host *h, struct opened *out,
		 struct err *e)
{
	struct find_spec spec;

	if (cli_config(c, e) < 0 || find_parse(text, &spec, e) < 0 ||
	    host_open(&c->config, &c->keys, h, e) < 0)
		return -1;
	return opened_open(c, h, &spec, out, e);
}
