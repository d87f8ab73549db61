/* Entries and their groups.
 *
 * A group all of whose entries came again unchanged is referred to as it is, and nothing of it is
 * made or read.  Whether it is all of them is known at its end only, so they are counted until
 * then; where another entry comes in between, the headers of those counted are taken from the tip
 * cache's copy and begin a new group. */
#include <assert.h>
#include <string.h>

#include "archive/heads.h"
#include "archive/writer_parts.h"
#include "base/err.h"
#include "base/wire.h"

/* ---- groups ---- */

/* The group that ends may be one of the tip's again, though its entries were read anew. */
static int find_group(struct writer *w, const uint8_t *id, size_t length, uint64_t *number,
		      struct err *e)
{
	uint64_t from = w->known.group > 2 ? w->known.group - 2 : 0;

	for (uint64_t i = from; w->tip && i <= w->known.group + 1; i++) {
		struct chunk c;

		if (i >= w->tip->segs[CACHE_HEAD].units)
			break;
		if (line_chunk(w->head.line, CHUNK_OLD, i, &c, e) < 0)
			return -1;
		if (c.length != length || memcmp(c.fingerprint, id, FINGERPRINT_LEN) != 0 ||
		    !usage_allows(&w->usage, c.in.at.seq))
			continue;
		*number = i;
		return 0;
	}
	return 1;
}

static int group_finish(struct writer *w, struct err *e)
{
	struct frame *f = w->head.open;
	struct group g = w->group;
	uint64_t number;
	uint8_t id[32];
	size_t length;
	int r;

	if (g.n == 0)
		return 0;
	length = f->used - f->chunk_start;
	frame_chunk_id(RECORD_HEAD, w->keys->id, frame_content(f) + f->chunk_start, length, id);
	r = find_group(w, id, length, &number, e);
	if (r < 0)
		return -1;
	if (r == 0) {
		frame_drop_chunk(f);
		w->group = (struct group){ .n = 0 };
		return line_known(w->head.line, CHUNK_OLD, number, 1, e);
	}
	group_close(&w->group, f, id);
	line_frame(w->head.line, f, f->n_chunks - 1, (uint32_t)g.entries, g.body);
	return 0;
}

/* The head frame has no room for the open group to grow: the group goes on in a new one. */
static int move_group(struct writer *w, struct err *e)
{
	struct frame *full = w->head.open, *next;

	w->head.open = NULL;
	if (writer_frame(w, &w->head, RECORD_HEAD, FRAME_CONTENT, e) < 0) {
		w->head.open = full;
		return -1;
	}
	next = w->head.open;
	group_move(full, next);
	w->head.open = full;
	writer_give(w, &w->head);
	assert(!w->head.open); /* a group fits in a frame: its header's length was checked */
	w->head.open = next;
	return 0;
}

/* Append an entry, or with HEADER_LEN 0 a gap, to the open group. */
static int put(struct writer *w, const uint8_t *header, size_t header_len, uint64_t body,
	       struct err *e)
{
	if (w->group.n == 0 && writer_room(w, &w->head, e) < 0)
		return -1;
	if (writer_frame(w, &w->head, RECORD_HEAD, FRAME_CONTENT, e) < 0)
		return -1;
	if (group_put(&w->group, w->head.open, header, header_len, body))
		return 0;
	if (move_group(w, e) < 0)
		return -1;
	(void)group_put(&w->group, w->head.open, header, header_len, body);
	return 0;
}

/* Remember the entry X that was put; its group may end with it. */
static int remember(struct writer *w, struct cache_entry *x, const char *path, struct err *e)
{
	x->group_end = group_ends(&w->group, w->head.open, w->keys->gear, path);
	if (entries_writer_add(w->entries, x, x->group_end, e) < 0)
		return -1;
	return x->group_end ? group_finish(w, e) : 0;
}

/* ---- entries of the tip ---- */

/* Put the entry that was number I of the tip's group GROUP, its header from the copy. */
static int put_copy(struct writer *w, uint64_t group, uint32_t i, struct err *e)
{
	const uint8_t *p, *header;
	struct chunk c;
	struct cursor in;
	uint64_t header_len, body;

	if (line_chunk(w->head.line, CHUNK_OLD, group, &c, e) < 0 ||
	    heads_load(w->heads, &c, &p, e) < 0)
		return -1;
	in = cursor_make(p, c.length);
	do {
		header_len = cursor_varint(&in);
		body = cursor_varint(&in);
		header = cursor_take(&in, header_len <= ENTRY_HEADER_MAX ? (size_t)header_len
									 : SIZE_MAX);
	} while (header && i-- > 0);
	if (!header || !cursor_ok(&in))
		return cache_broken(w->cache, "a group is shorter than its entries", e);
	return put(w, header, (size_t)header_len, body, e);
}

/* Entries counted of a group that will not come whole. */
static int put_kept(struct writer *w, struct err *e)
{
	struct kept k = w->kept;

	w->kept.n = 0;
	for (uint32_t i = 0; i < k.n; i++)
		if (put_copy(w, k.group, i, e) < 0)
			return -1;
	return 0;
}

/* Whether k->now may be counted as the next one of a group that comes whole. */
static int counts(struct writer *w, struct err *e)
{
	const struct known *k = &w->known;
	struct chunk c;

	if (w->kept.n > 0)
		return w->kept.group == k->group && w->kept.n == k->in_group;
	if (k->in_group > 0 || w->group.n > 0)
		return 0;
	if (line_chunk(w->head.line, CHUNK_OLD, k->group, &c, e) < 0)
		return -1;
	return usage_allows(&w->usage, c.in.at.seq);
}

static int keep_head(struct writer *w, struct err *e)
{
	const struct known *k = &w->known;
	int r = counts(w, e);

	if (r < 0)
		return -1;
	w->record = k->now;
	if (r == 0) {
		if (put_kept(w, e) < 0 || put_copy(w, k->group, k->in_group, e) < 0)
			return -1;
		return remember(w, &w->record, k->now.path, e);
	}
	w->kept.group = k->group;
	w->kept.n++;
	if (entries_writer_add(w->entries, &w->record, k->now.group_end, e) < 0)
		return -1;
	if (!k->now.group_end)
		return 0;
	w->kept.n = 0;
	return writer_room(w, &w->head, e) < 0
		       ? -1
		       : line_known(w->head.line, CHUNK_OLD, k->group, 1, e);
}

/* Whether all of k->now's content lies where it may be used. */
static int body_allowed(struct writer *w, struct err *e)
{
	for (uint64_t i = 0; i < w->known.now.chunks; i++) {
		struct chunk c;

		if (line_chunk(w->body.line, CHUNK_OLD, w->known.body + i, &c, e) < 0)
			return -1;
		if (!usage_allows(&w->usage, c.in.at.seq))
			return 0;
	}
	return 1;
}

int writer_head_known(struct writer *w, const struct entry_hint *hint, struct err *e)
{
	int r = known_seek(&w->known, hint->path, e);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (w->distrust || !known_same(&w->known, hint->stat, hint->link, w->keys->gear))
		return 0;
	r = body_allowed(w, e);
	if (r <= 0)
		return r;
	if (writer_room(w, &w->body, e) < 0 ||
	    line_known(w->body.line, CHUNK_OLD, w->known.body, w->known.now.chunks, e) < 0 ||
	    keep_head(w, e) < 0)
		return -1;
	w->body_len += w->known.now.body;
	w->n_entries++;
	return known_pass(&w->known, e) < 0 ? -1 : 1;
}

/* ---- new entries ---- */

static void describe(struct writer *w, const struct entry *en)
{
	struct cache_entry *x = &w->record;

	x->stat = en->stat ? *en->stat : (struct entry_stat){ .ino = 0 };
	x->settled = en->settled && en->stat;
	x->gap = false;
	x->link = en->link != NULL;
	x->link_hash = en->link ? known_link_hash(en->link, w->keys->gear) : 0;
}

static void describe_body(struct writer *w, const char *path)
{
	struct cache_entry *x = &w->record;

	(void)memcpy(x->path, path, strnlen(path, ENTRY_PATH_MAX) + 1);
	x->body = w->pending;
	x->chunks = w->pending > 0 ? w->coming.chunks : 0;
	x->mode = w->pending > 0 ? w->chunker.mode : CHUNK_WHOLE;
}

int writer_head_entry(struct writer *w, const struct entry *en, struct err *e)
{
	if (writer_body_end(w, e) < 0)
		return -1;
	describe(w, en);
	describe_body(w, en->path);
	/* The tip's entry of this path, and those before, are past. */
	if (known_seek(&w->known, en->path, e) < 0 || put_kept(w, e) < 0 ||
	    put(w, en->header, en->header_len, w->pending, e) < 0)
		return -1;
	w->pending = 0;
	w->coming.chunks = 0;
	w->n_entries++;
	return remember(w, &w->record, en->path, e);
}

int writer_head_gap(struct writer *w, struct err *e)
{
	const struct entry none = { .path = w->coming.path };

	if (w->pending == 0)
		return 0;
	if (writer_body_end(w, e) < 0)
		return -1;
	describe(w, &none);
	describe_body(w, none.path);
	w->record.gap = true;
	if (put_kept(w, e) < 0 || put(w, NULL, 0, w->pending, e) < 0)
		return -1;
	w->pending = 0;
	w->coming.chunks = 0;
	return remember(w, &w->record, NULL, e);
}

int writer_head_close(struct writer *w, struct err *e)
{
	if (put_kept(w, e) < 0)
		return -1;
	return group_finish(w, e);
}
