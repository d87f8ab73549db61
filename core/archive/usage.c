#include "archive/usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

int usage_open(struct usage *u, uint64_t own, const struct cache_dep *deps, size_t n,
	       const uint64_t *victims, size_t n_victims, struct err *e)
{
	*u = (struct usage){ .own = own, .n = n };
	u->deps = calloc(n + 1, sizeof(*u->deps));
	u->victim = calloc(n + 1, sizeof(*u->victim));
	if (!u->deps || !u->victim)
		return err_memory(e);
	for (size_t i = 0; i < n; i++) {
		u->deps[i] = deps[i];
		for (size_t k = 0; k < n_victims; k++)
			u->victim[i] |= victims[k] == deps[i].archive.seq;
	}
	usage_restart(u);
	return 0;
}

void usage_close(struct usage *u)
{
	free(u->deps);
	free(u->victim);
	*u = (struct usage){ .n = 0 };
}

void usage_restart(struct usage *u)
{
	for (size_t i = 0; i < u->n; i++)
		u->deps[i].live = 0;
	u->own_live = 0;
	u->before = (struct record_place){ .seq = 0 };
}

/* NULL: neither own nor known. */
static uint64_t *find_live(struct usage *u, uint64_t seq, bool *victim)
{
	*victim = false;
	if (seq == u->own)
		return &u->own_live;
	if (u->last < u->n && u->deps[u->last].archive.seq == seq) {
		*victim = u->victim[u->last];
		return &u->deps[u->last].live;
	}
	for (size_t i = 0; i < u->n; i++)
		if (u->deps[i].archive.seq == seq) {
			u->last = i;
			*victim = u->victim[i];
			return &u->deps[i].live;
		}
	return NULL;
}

bool usage_allows(struct usage *u, uint64_t seq)
{
	bool victim;

	return find_live(u, seq, &victim) && !victim;
}

bool usage_chunk(struct usage *u, const struct chunk *x)
{
	bool victim;
	uint64_t *live = find_live(u, x->in.at.seq, &victim);

	if (!live || victim)
		return false;
	if (chunk_same_place(&u->before, &x->in.at) && u->before_offset == x->offset)
		return true;
	u->before = x->in.at;
	u->before_offset = x->offset;
	/* its share of the frame; at least something, so that the archive counts as reached */
	*live += x->in.content ? (uint64_t)x->length * x->in.clen / x->in.content + 1 : 1;
	return true;
}

bool usage_record(struct usage *u, const struct record_place *at, uint32_t clen)
{
	bool victim;
	uint64_t *live = find_live(u, at->seq, &victim);

	if (!live || victim)
		return false;
	*live += clen + (uint64_t)1;
	return true;
}

size_t usage_deps(const struct usage *u, struct cache_dep *out)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n; i++) {
		if (u->deps[i].live == 0)
			continue;
		out[n] = u->deps[i];
		if (out[n].live > out[n].size)
			out[n].live = out[n].size;
		n++;
	}
	return n;
}
