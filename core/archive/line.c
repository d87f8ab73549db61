/* A ring of runs.  A run of known chunks is a number and a count, so that any stretch of unchanged
 * data waits in 32 bytes. */
#include "archive/line.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/frame.h"
#include "archive/usage.h"
#include "base/err.h"
#include "base/wire.h"

#define RUNS 4096
#define FULL (RUNS - 8)

/* A leaf ends behind a chunk whose fingerprint says so, one in 256 (groups: 64), and no sooner than
 * a quarter and no later than four times of that. */
#define LEAF_BODY 256
#define LEAF_HEAD 64

enum run_kind { RUN_OLD = CHUNK_OLD, RUN_NEW = CHUNK_NEW, RUN_FRAME };

struct run {
	enum run_kind kind;
	uint32_t entries; /* of a group in a frame */
	const struct frame *f;
	uint64_t first, n;
	uint64_t body;
};

struct line {
	struct line_options o;
	uint64_t taken, left; /* chunks in all; those that left */
	size_t head, n;
	struct run ring[RUNS];
	/* the open extent; length 0: none */
	struct extent x;
	struct crypto_hash check;
	uint32_t leaf; /* chunks in the open leaf */
};

int line_new(const struct line_options *o, struct line **out, struct err *e)
{
	struct line *l = calloc(1, sizeof(*l));

	if (!l)
		return err_memory(e);
	l->o = *o;
	*out = l;
	return 0;
}

void line_free(struct line *l) { free(l); }
bool line_full(const struct line *l) { return l->n >= FULL; }
uint64_t line_count(const struct line *l) { return l->taken; }
bool line_has(const struct line *l, uint64_t i) { return i < l->left; }

/* ---- out at the front ---- */

static int extent_end(struct line *l, struct err *e)
{
	uint8_t full[16];

	if (l->x.length == 0)
		return 0;
	crypto_hash_final(&l->check, full);
	memcpy(l->x.check, full, sizeof(l->x.check));
	if (l->o.tree && tree_builder_add(l->o.tree, &l->x, e) < 0)
		return -1;
	l->x.length = 0;
	return 0;
}

static bool leaf_ends(struct line *l, const struct chunk *c)
{
	uint32_t mean = l->o.stream == TREE_HEAD ? LEAF_HEAD : LEAF_BODY;

	l->leaf++;
	if (l->leaf < mean / 4)
		return false;
	return l->leaf >= mean * 4 || wire_get16(c->fingerprint) % mean == 0;
}

static int leave(struct line *l, const struct chunk *c, struct err *e)
{
	struct extent *x = &l->x;

	if (!usage_chunk(l->o.usage, c))
		return cache_broken(l->o.cache, "it leads to a snapshot that may not be used", e);
	if (chunks_writer_add(l->o.out, c, e) < 0)
		return -1;
	l->left++;
	if (x->length > 0 && (!chunk_same_place(&x->at, &c->in.at) ||
			      x->offset + x->length != c->offset) &&
	    extent_end(l, e) < 0)
		return -1;
	if (x->length == 0) {
		*x = (struct extent){ .at = c->in.at, .offset = c->offset };
		crypto_hash_init(&l->check, "vs1.check", l->o.id_key, 32, 16);
	}
	crypto_hash_update(&l->check, c->fingerprint, FINGERPRINT_LEN);
	x->length += c->length;
	x->entries += c->entries;
	x->body += c->body;
	if (!leaf_ends(l, c))
		return 0;
	l->leaf = 0;
	if (extent_end(l, e) < 0)
		return -1;
	return l->o.tree ? tree_builder_cut(l->o.tree, e) : 0;
}

int line_chunk(struct line *l, enum chunk_source source, uint64_t i, struct chunk *out,
	       struct err *e)
{
	if (source == CHUNK_OLD)
		return chunks_reader_get(l->o.old, i, out, e);
	assert(i < l->left);
	return chunks_writer_get(l->o.out, i, out, e);
}

static int run_leaves(struct line *l, const struct run *r, const struct chunk_place *place,
		      struct err *e)
{
	struct chunk c;

	for (uint64_t i = r->first; i < r->first + r->n; i++) {
		if (r->kind == RUN_FRAME && place) {
			uint32_t start = i > 0 ? r->f->ends[i - 1] : 0;

			c = (struct chunk){ .in = *place,
					    .offset = start,
					    .length = r->f->ends[i] - start,
					    .entries = r->entries,
					    .body = r->body };
			memcpy(c.fingerprint, r->f->fingerprints[i], FINGERPRINT_LEN);
		} else if (line_chunk(l, (enum chunk_source)r->kind, i, &c, e) < 0) {
			return -1;
		}
		if (leave(l, &c, e) < 0)
			return -1;
	}
	return 0;
}

/* Let go what can go: known chunks, and those of F, which lies at PLACE (NULL: no frame). */
static int move(struct line *l, const struct frame *f, const struct chunk_place *place,
		struct err *e)
{
	while (l->n > 0) {
		struct run *r = &l->ring[l->head];

		if (r->kind == RUN_FRAME && (!place || r->f != f))
			return 0;
		if (run_leaves(l, r, place, e) < 0)
			return -1;
		l->head = (l->head + 1) % RUNS;
		l->n--;
	}
	return 0;
}

int line_written(struct line *l, const struct frame *f, const struct chunk_place *place,
		 struct err *e)
{
	return move(l, f, place, e);
}

int line_finish(struct line *l, struct err *e)
{
	assert(l->n == 0);
	return extent_end(l, e);
}

/* ---- in at the back ---- */

static void push(struct line *l, const struct run *r)
{
	struct run *last = l->n > 0 ? &l->ring[(l->head + l->n - 1) % RUNS] : NULL;

	l->taken += r->n;
	if (last && last->kind == r->kind && last->f == r->f && last->first + last->n == r->first &&
	    (r->kind != RUN_FRAME || l->o.stream == TREE_BODY)) {
		last->n += r->n;
		return;
	}
	assert(l->n < RUNS);
	l->ring[(l->head + l->n++) % RUNS] = *r;
}

void line_frame(struct line *l, const struct frame *f, uint32_t chunk, uint32_t entries,
		uint64_t body)
{
	push(l, &(struct run){ .kind = RUN_FRAME,
			       .f = f,
			       .first = chunk,
			       .n = 1,
			       .entries = entries,
			       .body = body });
}

int line_known(struct line *l, enum chunk_source source, uint64_t first, uint64_t n,
	       struct err *e)
{
	if (n == 0)
		return 0;
	push(l, &(struct run){ .kind = (enum run_kind)source, .first = first, .n = n });
	return move(l, NULL, NULL, e);
}
