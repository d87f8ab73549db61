#include "archive/cache_chunks.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/crypto.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/wire.h"

#define HEAD_LEN 8
#define PLACE_LEN 28
#define CHUNK_LEN_MAX 36
#define CHUNKS_LEAST 512
#define CHUNKS_MOST 3000
#define CUT_MASK 2047
#define PLACES_NEAR 8 /* places that a new chunk's is looked for among */

_Static_assert(HEAD_LEN + CHUNKS_MOST * (PLACE_LEN + CHUNK_LEN_MAX) <= CACHE_SEGMENT_MAX,
	       "a segment holds as many chunks as it may");

static size_t chunk_len(enum cache_kind kind) { return kind == CACHE_HEAD ? 36 : 24; }

static void place_encode(const struct chunk_place *x, uint8_t p[PLACE_LEN])
{
	wire_set64(p, x->at.seq);
	wire_set32(p + 8, x->at.part);
	wire_set64(p + 12, x->at.offset);
	wire_set32(p + 20, x->clen);
	wire_set32(p + 24, x->content);
}

static void place_decode(const uint8_t *p, struct chunk_place *x)
{
	x->at.seq = wire_get64(p);
	x->at.part = wire_get32(p + 8);
	x->at.offset = wire_get64(p + 12);
	x->clen = wire_get32(p + 20);
	x->content = wire_get32(p + 24);
}

static void chunk_encode(enum cache_kind kind, const struct chunk *x, size_t place, uint8_t *p)
{
	assert(x->length > 0 && x->length <= FRAME_CONTENT && x->offset < FRAME_CONTENT);
	memcpy(p, x->fingerprint, FINGERPRINT_LEN);
	wire_set64(p + 16, (uint64_t)place << 39 | (uint64_t)x->offset << 19 | (x->length - 1));
	if (kind == CACHE_HEAD) {
		wire_set32(p + 24, x->entries);
		wire_set64(p + 28, x->body);
	}
}

/* Returns the number of its place. */
static size_t chunk_decode(enum cache_kind kind, const uint8_t *p, struct chunk *x)
{
	uint64_t word = wire_get64(p + 16);

	memcpy(x->fingerprint, p, FINGERPRINT_LEN);
	x->offset = (uint32_t)(word >> 19) & 0xfffff;
	x->length = (uint32_t)(word & 0x7ffff) + 1;
	x->entries = kind == CACHE_HEAD ? wire_get32(p + 24) : 0;
	x->body = kind == CACHE_HEAD ? wire_get64(p + 28) : 0;
	return (size_t)(word >> 39);
}

/* ---- reading ---- */

struct slot {
	uint8_t *p;
	size_t seg; /* SIZE_MAX: none */
	uint32_t n_places, n;
	uint64_t used; /* when */
};

struct chunks_reader {
	struct cache *cache;
	enum cache_kind kind;
	const struct cache_segs *segs;
	uint64_t *starts; /* of each segment: its first chunk's number; one more at the end */
	uint64_t clock;
	size_t n_slots, last;
	struct slot slots[];
};

static int make_starts(struct chunks_reader *r, struct err *e)
{
	uint64_t at = 0;

	r->starts = calloc(r->segs->n + 1, sizeof(*r->starts));
	if (!r->starts)
		return err_memory(e);
	for (size_t i = 0; i < r->segs->n; i++) {
		r->starts[i] = at;
		at += r->segs->list[i].units;
	}
	r->starts[r->segs->n] = at;
	return 0;
}

int chunks_reader_new(struct cache *c, enum cache_kind kind, const struct cache_segs *segs,
		      size_t slots, struct chunks_reader **out, struct err *e)
{
	struct chunks_reader *r = calloc(1, sizeof(*r) + slots * sizeof(r->slots[0]));

	if (!r)
		return err_memory(e);
	r->cache = c;
	r->kind = kind;
	r->segs = segs;
	r->n_slots = slots;
	for (size_t i = 0; i < slots; i++)
		r->slots[i].seg = SIZE_MAX;
	if (make_starts(r, e) < 0) {
		chunks_reader_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void chunks_reader_free(struct chunks_reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_slots; i++)
		free(r->slots[i].p);
	free(r->starts);
	free(r);
}

static int slot_load(struct chunks_reader *r, struct slot *s, size_t seg, struct err *e)
{
	size_t n;

	s->seg = SIZE_MAX;
	if (!s->p && !(s->p = malloc(CACHE_SEGMENT_MAX)))
		return err_memory(e);
	if (cache_load(r->cache, r->kind, &r->segs->list[seg], s->p, &n, e) < 0)
		return -1;
	if (n < HEAD_LEN)
		return cache_broken(r->cache, "a segment of chunks is too short", e);
	s->n_places = wire_get32(s->p);
	s->n = wire_get32(s->p + 4);
	if (s->n != r->segs->list[seg].units || s->n > CHUNKS_MOST || s->n_places > s->n ||
	    n != HEAD_LEN + (size_t)s->n_places * PLACE_LEN + s->n * chunk_len(r->kind))
		return cache_broken(r->cache, "a segment of chunks has an impossible size", e);
	s->seg = seg;
	return 0;
}

/* The segment that holds chunk I. */
static size_t find_segment(const uint64_t *starts, size_t n, uint64_t i)
{
	size_t low = 0, high = n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (starts[mid] <= i)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static struct slot *slot_for(struct chunks_reader *r, uint64_t i, struct err *e)
{
	size_t seg = find_segment(r->starts, r->segs->n, i), oldest = 0;

	for (size_t k = 0; k < r->n_slots; k++) {
		if (r->slots[k].seg == seg) {
			r->last = k;
			return &r->slots[k];
		}
		if (r->slots[k].used < r->slots[oldest].used)
			oldest = k;
	}
	if (slot_load(r, &r->slots[oldest], seg, e) < 0)
		return NULL;
	r->last = oldest;
	return &r->slots[oldest];
}

int chunks_reader_get(struct chunks_reader *r, uint64_t i, struct chunk *out, struct err *e)
{
	struct slot *s = &r->slots[r->last];
	const uint8_t *chunks;
	size_t place;

	if (i >= r->segs->units)
		return cache_broken(r->cache, "it names a chunk that is not there", e);
	if (s->seg == SIZE_MAX || i < r->starts[s->seg] || i >= r->starts[s->seg + 1])
		s = slot_for(r, i, e);
	if (!s)
		return -1;
	s->used = ++r->clock;
	chunks = s->p + HEAD_LEN + (size_t)s->n_places * PLACE_LEN;
	place = chunk_decode(r->kind, chunks + (i - r->starts[s->seg]) * chunk_len(r->kind), out);
	if (place >= s->n_places)
		return cache_broken(r->cache, "a chunk lies nowhere", e);
	place_decode(s->p + HEAD_LEN + place * PLACE_LEN, &out->in);
	return 0;
}

/* ---- writing ---- */

struct written {
	uint64_t start;
	uint32_t n_places;
};

struct chunks_writer {
	struct cache *cache;
	enum cache_kind kind;
	struct cache_segs segs;
	struct written *written; /* beside segs.list */
	uint64_t total;
	/* the open segment */
	uint8_t *places, *chunks;
	uint32_t n_places, n;
	/* the saved one that was looked into last */
	int peek_fd;
	size_t peek;
};

int chunks_writer_new(struct cache *c, enum cache_kind kind, struct chunks_writer **out,
		      struct err *e)
{
	struct chunks_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_memory(e);
	w->cache = c;
	w->kind = kind;
	w->peek_fd = -1;
	w->places = malloc(HEAD_LEN + (size_t)CHUNKS_MOST * (PLACE_LEN + chunk_len(kind)));
	w->chunks = malloc(CHUNKS_MOST * chunk_len(kind));
	if (!w->places || !w->chunks) {
		chunks_writer_free(w);
		return err_memory(e);
	}
	*out = w;
	return 0;
}

void chunks_writer_free(struct chunks_writer *w)
{
	if (!w)
		return;
	scope_close(&w->peek_fd);
	free(w->segs.list);
	free(w->written);
	free(w->places);
	free(w->chunks);
	free(w);
}

/* Save the open segment and begin an empty one. */
static int segment_end(struct chunks_writer *w, struct err *e)
{
	size_t head = HEAD_LEN + (size_t)w->n_places * PLACE_LEN;
	size_t n = w->n * chunk_len(w->kind);
	struct cache_seg seg = { .units = w->n };
	struct written *p = reallocarray(w->written, w->segs.n + 1, sizeof(*p));

	if (!p)
		return err_memory(e);
	w->written = p;
	p[w->segs.n] = (struct written){ .start = w->total - w->n, .n_places = w->n_places };
	wire_set32(w->places, w->n_places);
	wire_set32(w->places + 4, w->n);
	memcpy(w->places + head, w->chunks, n);
	if (cache_save(w->cache, w->kind, w->places, head + n, &seg, e) < 0 ||
	    cache_segs_add(&w->segs, &seg, e) < 0)
		return -1;
	w->n = w->n_places = 0;
	return 0;
}

/* The number of X's place in the open segment: one of the last ones, or a new one. */
static size_t place_number(struct chunks_writer *w, const struct chunk_place *x)
{
	uint8_t raw[PLACE_LEN];
	size_t i = w->n_places;

	place_encode(x, raw);
	while (i > 0 && w->n_places - i < PLACES_NEAR) {
		i--;
		if (memcmp(w->places + HEAD_LEN + i * PLACE_LEN, raw, PLACE_LEN) == 0)
			return i;
	}
	memcpy(w->places + HEAD_LEN + w->n_places * (size_t)PLACE_LEN, raw, PLACE_LEN);
	return w->n_places++;
}

int chunks_writer_add(struct chunks_writer *w, const struct chunk *x, struct err *e)
{
	size_t place = place_number(w, &x->in);

	chunk_encode(w->kind, x, place, w->chunks + w->n * chunk_len(w->kind));
	w->n++;
	w->total++;
	if (w->n == CHUNKS_MOST ||
	    (w->n >= CHUNKS_LEAST && (wire_get64(x->fingerprint) & CUT_MASK) == 0))
		return segment_end(w, e);
	return 0;
}

/* This run wrote it a moment ago: it is read as it lies, without its hash. */
static int peek(struct chunks_writer *w, size_t seg, uint64_t i, struct chunk *out,
		struct err *e)
{
	const struct written *x = &w->written[seg];
	uint8_t raw[CHUNK_LEN_MAX], place[PLACE_LEN];
	size_t len = chunk_len(w->kind), at, no;
	char name[33];

	if (w->peek_fd < 0 || w->peek != seg) {
		scope_close(&w->peek_fd);
		crypto_hex(w->segs.list[seg].name, 16, name);
		w->peek_fd = openat(w->cache->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		w->peek = seg;
	}
	at = HEAD_LEN + (size_t)x->n_places * PLACE_LEN + (size_t)(i - x->start) * len;
	if (w->peek_fd < 0 || file_pread(w->peek_fd, raw, len, (off_t)at) != (ssize_t)len)
		return err_sys(e, "read the tip cache");
	no = chunk_decode(w->kind, raw, out);
	at = HEAD_LEN + no * PLACE_LEN;
	if (no >= x->n_places ||
	    file_pread(w->peek_fd, place, PLACE_LEN, (off_t)at) != PLACE_LEN)
		return cache_broken(w->cache, "a segment changed while it was used", e);
	place_decode(place, &out->in);
	return 0;
}

int chunks_writer_get(struct chunks_writer *w, uint64_t i, struct chunk *out, struct err *e)
{
	uint64_t open = w->total - w->n;
	size_t low = 0, high = w->segs.n;

	assert(i < w->total);
	if (i >= open) {
		size_t no = chunk_decode(
			w->kind, w->chunks + (size_t)(i - open) * chunk_len(w->kind), out);

		place_decode(w->places + HEAD_LEN + no * PLACE_LEN, &out->in);
		return 0;
	}
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (w->written[mid].start <= i)
			low = mid;
		else
			high = mid;
	}
	return peek(w, low, i, out, e);
}

int chunks_writer_finish(struct chunks_writer *w, struct cache_segs *out, struct err *e)
{
	if (w->n > 0 && segment_end(w, e) < 0)
		return -1;
	*out = w->segs;
	w->segs = (struct cache_segs){ .n = 0 };
	return 0;
}
