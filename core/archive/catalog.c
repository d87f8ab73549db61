/* The directories of a store, host by host and stream by stream; one of them in
 * catalog_dir.c. */
#include "archive/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/catalog_dir.h"
#include "base/err.h"
#include "base/scope.h"
#include "store/store.h"

#define ID_LEN 9 /* ".SSSSSSSS" */

struct load {
	struct store *store;
	const struct descriptor *d;
	const struct catalog_filter *filter;
	const struct secret *host_secret;
	const struct reader_keys *keys;
	struct catalog *out;
	struct bytes *problems;
	const char *host; /* directory being read */
};

void catalog_free(struct catalog *c)
{
	for (size_t i = 0; i < c->n; i++)
		catalog_dir_stream_free(&c->streams[i]);
	free(c->streams);
	*c = (struct catalog)CATALOG_EMPTY;
}

int64_t catalog_time(const struct snapshot *x)
{
	return x->has_summary ? x->summary.time_ms : x->created_ms;
}

/* A line for whoever asked; names in it are as hostile as the store. */
static int problem(struct load *l, const char *dir, const char *text, struct err *e)
{
	size_t from;

	if (!l->problems)
		return 0;
	from = l->problems->len;
	if (bytes_append(l->problems, dir, strlen(dir), e) < 0 ||
	    bytes_append(l->problems, ": ", 2, e) < 0 ||
	    bytes_append(l->problems, text, strlen(text), e) < 0)
		return -1;
	for (size_t i = from; i < l->problems->len; i++)
		if (l->problems->p[i] < ' ' || l->problems->p[i] == 0x7f)
			l->problems->p[i] = '?';
	return bytes_append(l->problems, "\n", 1, e);
}

/* ---- filters ---- */

/* LABEL is wanted as HOST or VOLUME component COMPONENT, the first LEN bytes of it. */
static bool component_fits(const char *label, const char *component, size_t len)
{
	char escaped[STORE_NAME_MAX];

	if (!label)
		return true;
	stream_escape(label, escaped);
	return strlen(escaped) == len && memcmp(escaped, component, len) == 0;
}

static bool stream_wanted(const struct catalog_filter *f, const struct stream *s)
{
	return !f || ((!f->host || strcmp(f->host, s->host) == 0) &&
		      (!f->name || strcmp(f->name, s->name) == 0));
}

/* ---- streams ---- */

static int stream_add(struct catalog *c, struct catalog_stream *s, struct err *e)
{
	struct catalog_stream *more = reallocarray(c->streams, c->n + 1, sizeof(*more));

	if (!more)
		return err_memory(e);
	c->streams = more;
	c->streams[c->n++] = *s;
	*s = (struct catalog_stream){ .n = 0 };
	return 0;
}

static int dir_load(struct load *l, struct catalog_dir *d, struct err *e)
{
	char text[1600], place[512];

	if (catalog_dir_read(d, e) < 0)
		return -1;
	if (d->known) {
		if (!stream_wanted(l->filter, &d->stream.stream))
			return 0;
		stream_dir(&d->stream.stream, place, sizeof(place));
		if (strcmp(place, d->stream.dir) != 0) {
			/* A copy: taken for the stream, it would be there twice. */
			(void)snprintf(text, sizeof(text),
				       "holds the stream whose place is %s", place);
			return problem(l, d->stream.dir, text, e);
		}
		if (catalog_judge(d, e) < 0)
			return -1;
		return stream_add(l->out, &d->stream, e);
	}
	if (d->n == 0) /* of a first snapshot that is not done */
		return 0;
	(void)snprintf(text, sizeof(text), "no snapshot of it verifies: %s",
		       d->all[0].x.problem);
	return problem(l, d->stream.dir, text, e);
}

static int volume_listed(void *ctx, const char *name, bool is_dir, uint64_t size,
			 struct err *e)
{
	struct load *l = ctx;
	size_t len = strlen(name);
	struct catalog_dir *d;
	int result;

	(void)size;
	if (!is_dir ||
	    (l->filter && l->filter->name &&
	     (len <= ID_LEN || !component_fits(l->filter->name, name, len - ID_LEN))))
		return 0;
	if (len >= STORE_NAME_MAX + ID_LEN)
		return problem(l, name, "is not the name of a stream", e);
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_memory(e);
	d->store = l->store;
	d->d = l->d;
	d->host_secret = l->host_secret;
	d->keys = l->keys;
	(void)snprintf(d->stream.dir, sizeof(d->stream.dir), "s/%s/%s", l->host, name);
	result = dir_load(l, d, e);
	catalog_dir_free(d);
	free(d);
	return result;
}

static int host_listed(void *ctx, const char *name, bool is_dir, uint64_t size,
		       struct err *e)
{
	struct load *l = ctx;
	char dir[STORE_NAME_MAX + 3];

	(void)size;
	if (!is_dir ||
	    (l->filter && !component_fits(l->filter->host, name, strlen(name))))
		return 0;
	if (strlen(name) >= STORE_NAME_MAX)
		return problem(l, name, "is not the name of a host", e);
	l->host = name;
	(void)snprintf(dir, sizeof(dir), "s/%s", name);
	return store_list(l->store, dir, volume_listed, l, e);
}

static int by_name(const void *a, const void *b)
{
	const struct stream *x = &((const struct catalog_stream *)a)->stream;
	const struct stream *y = &((const struct catalog_stream *)b)->stream;
	int order = strcmp(x->host, y->host);

	if (order == 0)
		order = strcmp(x->name, y->name);
	return order ? order : memcmp(x->id, y->id, sizeof(x->id));
}

int catalog_load(struct store *store, const struct descriptor *d,
		 const struct catalog_filter *filter, const struct secret *host_secret,
		 const struct reader_keys *keys, struct catalog *out,
		 struct bytes *problems, struct err *e)
{
	struct load l = { .store = store,
			  .d = d,
			  .filter = filter,
			  .host_secret = host_secret,
			  .keys = keys,
			  .out = out,
			  .problems = problems };

	*out = (struct catalog)CATALOG_EMPTY;
	if (store_list(store, "s", host_listed, &l, e) < 0) {
		catalog_free(out);
		return -1;
	}
	if (out->n > 1)
		qsort(out->streams, out->n, sizeof(*out->streams), by_name);
	return 0;
}
