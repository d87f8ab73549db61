#include "archive/cache_entries.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/wire.h"

#define SEGMENT_LEAST (8u << 10)
#define SEGMENT_FULL (CACHE_SEGMENT_MAX - 8192) /* an entry is smaller than the rest */

enum {
	FLAG_SETTLED = 1,
	FLAG_GROUP_END = 2,
	FLAG_GAP = 4,
	FLAG_LINK = 8,
	FLAG_ROOT_DEVICE = 16,
	MODE_SHIFT = 5
};

/* ---- writing ---- */

struct entries_writer {
	struct cache *cache;
	struct cache_segs segs;
	struct bytes open;
	uint32_t n;
	char before[ENTRY_PATH_MAX + 1];
};

int entries_writer_new(struct cache *c, struct entries_writer **out, struct err *e)
{
	struct entries_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_memory(e);
	w->cache = c;
	if (bytes_reserve(&w->open, CACHE_SEGMENT_MAX, e) < 0) {
		entries_writer_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

void entries_writer_free(struct entries_writer *w)
{
	if (!w)
		return;
	free(w->segs.list);
	bytes_free(&w->open);
	free(w);
}

static int segment_end(struct entries_writer *w, struct err *e)
{
	struct cache_seg seg = { .units = w->n };

	if (w->n == 0)
		return 0;
	if (cache_save(w->cache, CACHE_ENTRIES, w->open.p, w->open.len, &seg, e) < 0 ||
	    cache_segs_add(&w->segs, &seg, e) < 0)
		return -1;
	w->open.len = 0;
	w->n = 0;
	w->before[0] = '\0';
	return 0;
}

static int put_path(struct entries_writer *w, const char *path, struct err *e)
{
	size_t shared = 0, n;

	while (path[shared] && path[shared] == w->before[shared])
		shared++;
	n = strlen(path + shared);
	if (wire_put_varint(&w->open, shared, e) < 0 || wire_put_varint(&w->open, n, e) < 0 ||
	    bytes_append(&w->open, path + shared, n, e) < 0)
		return -1;
	memcpy(w->before + shared, path + shared, n + 1);
	return 0;
}

static int put_stat(struct bytes *out, const struct entry_stat *s, struct err *e)
{
	int64_t since = (int64_t)((uint64_t)s->ctime - (uint64_t)s->mtime);

	if (wire_put_varint(out, s->ino, e) < 0 || wire_put_varint(out, s->mode, e) < 0 ||
	    wire_put_varint(out, s->uid, e) < 0 || wire_put_varint(out, s->gid, e) < 0 ||
	    wire_put_varint(out, s->size, e) < 0 || wire_put_varint(out, s->rdev, e) < 0 ||
	    wire_put_zigzag(out, s->mtime, e) < 0 || wire_put_varint(out, s->mtime_ns, e) < 0 ||
	    wire_put_zigzag(out, since, e) < 0)
		return -1;
	return wire_put_varint(out, s->ctime_ns, e);
}

static uint8_t flags_of(const struct cache_entry *x)
{
	return (uint8_t)((x->settled ? FLAG_SETTLED : 0) | (x->group_end ? FLAG_GROUP_END : 0) |
			 (x->gap ? FLAG_GAP : 0) | (x->link ? FLAG_LINK : 0) |
			 (x->stat.root_device ? FLAG_ROOT_DEVICE : 0) |
			 (int)x->mode << MODE_SHIFT);
}

/* One place in 32 of those where a segment may end: far more seldom than SEGMENT_LEAST, so that where
 * segments end hardly depends on where they began.  Anybody may know these places (FNV-1a). */
static bool ends_here(const char *path)
{
	uint32_t h = 2166136261u;

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 16777619u;
	return h >> 27 == 0;
}

int entries_writer_add(struct entries_writer *w, const struct cache_entry *x, bool cut,
		       struct err *e)
{
	struct bytes *out = &w->open;

	if (wire_put8(out, flags_of(x), e) < 0 || put_path(w, x->path, e) < 0 ||
	    put_stat(out, &x->stat, e) < 0 || wire_put_varint(out, x->chunks, e) < 0 ||
	    wire_put_varint(out, x->body, e) < 0 ||
	    (x->link && wire_put64(out, x->link_hash, e) < 0))
		return -1;
	w->n++;
	if ((cut && out->len >= SEGMENT_LEAST && ends_here(x->path)) ||
	    out->len >= SEGMENT_FULL)
		return segment_end(w, e);
	return 0;
}

int entries_writer_finish(struct entries_writer *w, struct cache_segs *out, struct err *e)
{
	if (segment_end(w, e) < 0)
		return -1;
	*out = w->segs;
	w->segs = (struct cache_segs){ .n = 0 };
	return 0;
}

/* ---- reading ---- */

struct entries_reader {
	struct cache *cache;
	const struct cache_segs *segs;
	size_t next; /* segment */
	uint8_t *p;
	struct cursor c;
	uint32_t left; /* of the loaded segment */
	char before[ENTRY_PATH_MAX + 1];
};

int entries_reader_new(struct cache *c, const struct cache_segs *segs, struct entries_reader **out,
		       struct err *e)
{
	struct entries_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return err_memory(e);
	r->cache = c;
	r->segs = segs;
	r->p = malloc(CACHE_SEGMENT_MAX);
	if (!r->p) {
		free(r);
		return err_memory(e);
	}
	*out = r;
	return 0;
}

void entries_reader_free(struct entries_reader *r)
{
	if (!r)
		return;
	free(r->p);
	free(r);
}

static bool take_path(struct entries_reader *r, char *out)
{
	uint64_t shared = cursor_varint(&r->c), n = cursor_varint(&r->c);
	const uint8_t *rest = cursor_take(&r->c, n < ENTRY_PATH_MAX + 1 ? (size_t)n : SIZE_MAX);

	if (!rest || shared > strlen(r->before) || shared + n > ENTRY_PATH_MAX ||
	    memchr(rest, '\0', (size_t)n))
		return false;
	memcpy(r->before + shared, rest, (size_t)n);
	r->before[shared + n] = '\0';
	memcpy(out, r->before, (size_t)(shared + n) + 1);
	return true;
}

static void take_stat(struct cursor *c, struct entry_stat *s)
{
	s->ino = cursor_varint(c);
	s->mode = (uint32_t)cursor_varint(c);
	s->uid = (uint32_t)cursor_varint(c);
	s->gid = (uint32_t)cursor_varint(c);
	s->size = cursor_varint(c);
	s->rdev = cursor_varint(c);
	s->mtime = cursor_zigzag(c);
	s->mtime_ns = (uint32_t)cursor_varint(c);
	s->ctime = (int64_t)((uint64_t)s->mtime + (uint64_t)cursor_zigzag(c));
	s->ctime_ns = (uint32_t)cursor_varint(c);
}

static bool take_entry(struct entries_reader *r, struct cache_entry *x)
{
	uint8_t flags = cursor_u8(&r->c);

	x->settled = flags & FLAG_SETTLED;
	x->group_end = flags & FLAG_GROUP_END;
	x->gap = flags & FLAG_GAP;
	x->link = flags & FLAG_LINK;
	x->mode = (enum chunk_mode)(flags >> MODE_SHIFT);
	if (x->mode > CHUNK_CDC || !take_path(r, x->path))
		return false;
	take_stat(&r->c, &x->stat);
	x->stat.root_device = flags & FLAG_ROOT_DEVICE;
	x->chunks = cursor_varint(&r->c);
	x->body = cursor_varint(&r->c);
	x->link_hash = x->link ? cursor_u64(&r->c) : 0;
	return cursor_ok(&r->c);
}

int entries_reader_next(struct entries_reader *r, struct cache_entry *out, struct err *e)
{
	if (r->left == 0) {
		const struct cache_seg *s;
		size_t n;

		if (r->next == r->segs->n)
			return 1;
		s = &r->segs->list[r->next++];
		if (cache_load(r->cache, CACHE_ENTRIES, s, r->p, &n, e) < 0)
			return -1;
		r->c = cursor_make(r->p, n);
		r->left = s->units;
		r->before[0] = '\0';
		if (r->left == 0)
			return cache_broken(r->cache, "a segment of entries is empty", e);
	}
	if (!take_entry(r, out))
		return cache_broken(r->cache, "an entry cannot be read", e);
	if (--r->left == 0 && !cursor_done(&r->c))
		return cache_broken(r->cache, "a segment of entries is too long", e);
	return 0;
}
