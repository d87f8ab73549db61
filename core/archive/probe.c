#include "archive/probe.h"

#include <stdlib.h>

#include "archive/known.h"
#include "archive/stream.h"
#include "base/err.h"

struct probe {
	const struct stream_keys *keys;
	struct known known;
	bool changed;
};

int probe_open(struct cache *c, const struct cache_list *tip, const struct stream_keys *keys,
	       struct probe **out, struct err *e)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (!p)
		return err_memory(e);
	p->keys = keys;
	if (known_open(&p->known, c, &tip->segs[CACHE_ENTRIES], e) < 0) {
		probe_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	known_close(&p->known);
	free(p);
}

bool probe_changed(const struct probe *p) { return p->changed; }

static int changed(struct probe *p, struct err *e)
{
	p->changed = true;
	return err_set(e, ERR_FAILED, "an entry changed");
}

/* Entries come in order, so the next of the tip must be this one. */
static int probe_known(void *ctx, const struct entry_hint *hint, struct err *e)
{
	struct probe *p = ctx;

	if (!p->known.have || entry_path_compare(p->known.now.path, hint->path) != 0 ||
	    !known_same(&p->known, hint->stat, hint->link, p->keys->gear))
		return changed(p, e);
	return known_pass(&p->known, e) < 0 ? -1 : 1;
}

static int probe_begin(void *ctx, const struct entry_hint *hint, struct err *e)
{
	(void)hint;
	return changed(ctx, e);
}

static int probe_body(void *ctx, uint64_t offset, const uint8_t *p, size_t n, struct err *e)
{
	(void)offset;
	(void)p;
	(void)n;
	return changed(ctx, e);
}

static int probe_entry(void *ctx, const struct entry *en, struct err *e)
{
	(void)en;
	return changed(ctx, e);
}

static int probe_drop(void *ctx, struct err *e) { return changed(ctx, e); }

struct entry_sink probe_sink(struct probe *p)
{
	return (struct entry_sink){ .ctx = p,
				    .known = probe_known,
				    .begin = probe_begin,
				    .body = probe_body,
				    .entry = probe_entry,
				    .drop = probe_drop };
}

void probe_finish(struct probe *p) { p->changed |= p->known.have; }
