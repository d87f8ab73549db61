#include "archive/nodes.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/table.h"
#include "base/wire.h"

#define NODE_LEN 40
#define SEGMENT_NODES 2048
#define IN_MEMORY 8192

struct nodes {
	struct cache *cache;
	const struct cache_segs *segs;
	struct table *table; /* id -> number in the tip's list */
	uint8_t *loaded;     /* a segment of it */
	size_t loaded_seg;
	/* what is new */
	struct cache_segs out;
	uint8_t *open;
	uint32_t n;
};

static int load_segment(struct nodes *n, size_t seg, struct err *e)
{
	size_t len;

	if (n->loaded_seg == seg)
		return 0;
	n->loaded_seg = SIZE_MAX;
	if (cache_load(n->cache, CACHE_NODES, &n->segs->list[seg], n->loaded, &len, e) < 0)
		return -1;
	if (len != (size_t)n->segs->list[seg].units * NODE_LEN)
		return cache_broken(n->cache, "a segment of nodes has an impossible size", e);
	n->loaded_seg = seg;
	return 0;
}

/* All segments but the last have SEGMENT_NODES. */
static int load_all(struct nodes *n, struct err *e)
{
	for (size_t s = 0; n->segs && s < n->segs->n; s++) {
		uint32_t units = n->segs->list[s].units;

		if (units > SEGMENT_NODES || (s + 1 < n->segs->n && units != SEGMENT_NODES))
			return cache_broken(n->cache, "a segment of nodes has an impossible size",
					    e);
		if (load_segment(n, s, e) < 0)
			return -1;
		for (uint32_t i = 0; i < units; i++)
			if (table_put(n->table, n->loaded + (size_t)i * NODE_LEN,
				      s * SEGMENT_NODES + i, e) < 0)
				return -1;
	}
	return 0;
}

int nodes_new(const char *scratch, struct cache *c, const struct cache_segs *segs,
	      struct nodes **out, struct err *e)
{
	struct nodes *n = calloc(1, sizeof(*n));

	if (!n)
		return err_memory(e);
	n->cache = c;
	n->segs = segs;
	n->loaded_seg = SIZE_MAX;
	n->loaded = malloc(CACHE_SEGMENT_MAX);
	n->open = malloc(SEGMENT_NODES * NODE_LEN);
	if (!n->loaded || !n->open) {
		nodes_free(n);
		return err_memory(e);
	}
	if (table_new(scratch, IN_MEMORY, &n->table, e) < 0 || load_all(n, e) < 0) {
		nodes_free(n);
		return -1;
	}
	*out = n;
	return 0;
}

void nodes_free(struct nodes *n)
{
	if (!n)
		return;
	table_free(n->table);
	free(n->loaded);
	free(n->open);
	free(n->out.list);
	free(n);
}

int nodes_find(struct nodes *n, const uint8_t id[16], struct chunk_place *in, struct err *e)
{
	const uint8_t *p;
	uint64_t i;
	int r = table_get(n->table, id, &i, e);

	if (r != 0)
		return r;
	if (load_segment(n, (size_t)(i / SEGMENT_NODES), e) < 0)
		return -1;
	p = n->loaded + i % SEGMENT_NODES * NODE_LEN;
	in->at.seq = wire_get64(p + 16);
	in->at.part = wire_get32(p + 24);
	in->at.offset = wire_get64(p + 28);
	in->clen = wire_get32(p + 36);
	in->content = 0;
	return 0;
}

static int segment_end(struct nodes *n, struct err *e)
{
	struct cache_seg seg = { .units = n->n };

	if (n->n == 0)
		return 0;
	if (cache_save(n->cache, CACHE_NODES, n->open, (size_t)n->n * NODE_LEN, &seg, e) < 0)
		return -1;
	n->n = 0;
	return cache_segs_add(&n->out, &seg, e);
}

int nodes_add(struct nodes *n, const uint8_t id[16], const struct chunk_place *in, struct err *e)
{
	uint8_t *p = n->open + (size_t)n->n * NODE_LEN;

	memcpy(p, id, 16);
	wire_set64(p + 16, in->at.seq);
	wire_set32(p + 24, in->at.part);
	wire_set64(p + 28, in->at.offset);
	wire_set32(p + 36, in->clen);
	n->n++;
	return n->n == SEGMENT_NODES ? segment_end(n, e) : 0;
}

int nodes_finish(struct nodes *n, struct cache_segs *out, struct err *e)
{
	if (segment_end(n, e) < 0)
		return -1;
	*out = n->out;
	n->out = (struct cache_segs){ .n = 0 };
	return 0;
}
