/* A body's chunks: each complete one is looked for among those that the file had before, or among
 * those of a file that begins with the same one; what is found is referred to, and its bytes leave
 * the frame again.  A new file is not hashed here beyond its first chunk: the workers do that. */
#include <string.h>

#include "archive/alike.h"
#include "archive/writer_parts.h"
#include "base/err.h"

#define JUDGED 64 /* pages after which a paged file may prove to be none */

int writer_body_begin(struct writer *w, const struct entry_hint *hint, struct err *e)
{
	struct coming *c = &w->coming;
	enum chunk_mode mode = chunker_mode(hint->size);
	int r = known_seek(&w->known, hint->path, e);

	if (r < 0)
		return -1;
	(void)memcpy(c->path, hint->path, strnlen(hint->path, ENTRY_PATH_MAX) + 1);
	c->listed = r == 0 && w->known.now.chunks > 0;
	c->resized = r == 0 && w->known.now.stat.size != hint->size;
	c->first = line_count(w->body.line);
	c->chunks = 0;
	c->hits = 0;
	if (c->listed) {
		window_open(w->window, CHUNK_OLD, w->known.body, w->known.now.chunks);
		/* a file that was small may have grown */
		if (w->known.now.mode != CHUNK_WHOLE)
			mode = w->known.now.mode;
	}
	chunker_begin(&w->chunker, mode, hint->size);
	if (w->body.open && w->body.open->limit != w->chunker.limit)
		writer_give(w, &w->body);
	if (w->body.open && w->body.open->used == 0)
		frame_reset(w->body.open, RECORD_BODY, w->chunker.limit);
	return 0;
}

/* In the list of what the file was.  1: not there, or in an archive that is to be emptied. */
static int find_listed(struct writer *w, const uint8_t *id, uint32_t length, uint64_t *number,
		       struct err *e)
{
	struct chunk c;
	int r = w->coming.listed ? window_find(w->window, id, length, number, &c, e) : 1;

	if (r != 0)
		return r;
	w->coming.hits++;
	if (usage_allows(&w->usage, c.in.at.seq))
		return 0;
	w->reemitted += c.in.content ? (uint64_t)length * c.in.clen / c.in.content : 0;
	return 2;
}

/* The first chunk may be that of another file, whose list then is this one's. */
static int find_alike(struct writer *w, const uint8_t *id, uint32_t length,
		      enum chunk_source *source, uint64_t *number, struct err *e)
{
	struct alike_list list;
	int r = alike_get(w->alike, id, &list, e);

	if (r != 0)
		return r;
	*source = list.source;
	if (list.source == CHUNK_NEW && !line_has(w->body.line, list.first + list.n - 1)) {
		*number = list.first; /* still on its way, but in front of this one */
		return 0;
	}
	window_open(w->window, list.source, list.first, list.n);
	w->coming.listed = true;
	return find_listed(w, id, length, number, e);
}

/* 0: the chunk is known, and in the line.  1: it is not.  2: it is, but must be written anew. */
static int refer(struct writer *w, const uint8_t *id, uint32_t length, struct err *e)
{
	enum chunk_source source = window_source(w->window);
	uint64_t number;
	int r = find_listed(w, id, length, &number, e);

	if (r == 1 && w->coming.chunks == 0)
		r = find_alike(w, id, length, &source, &number, e);
	if (r != 0)
		return r;
	frame_drop_chunk(w->body.open);
	return line_known(w->body.line, source, number, 1, e);
}

/* A file of another length of whose pages nearly all are new is none of pages: its content was shifted.
 * A database may have most of its pages changed in place, and pages remain the best for it. */
static void judge_mode(struct writer *w)
{
	if (w->chunker.mode != CHUNK_PAGES || !w->coming.listed || !w->coming.resized ||
	    w->coming.chunks != JUDGED || w->coming.hits >= JUDGED / 8)
		return;
	writer_give(w, &w->body);
	chunker_switch(&w->chunker, CHUNK_CDC);
	if (w->body.open)
		frame_reset(w->body.open, RECORD_BODY, w->chunker.limit);
}

/* The open chunk is complete. */
static int chunk_done(struct writer *w, struct err *e)
{
	struct frame *f = w->body.open;
	uint32_t length = (uint32_t)(f->used - f->chunk_start);
	bool hashed = w->coming.listed || w->coming.chunks == 0;
	uint8_t id[32];
	int r = 1;

	if (hashed) {
		frame_chunk_id(RECORD_BODY, w->keys->id, frame_content(f) + f->chunk_start, length,
			       id);
		if (w->coming.chunks == 0)
			memcpy(w->coming.fingerprint, id, FINGERPRINT_LEN);
		r = refer(w, id, length, e);
		if (r < 0)
			return -1;
	}
	w->coming.chunks++;
	if (r > 0) {
		w->changed += r == 1 ? length : 0;
		frame_end_chunk(f, hashed ? id : NULL);
		line_frame(w->body.line, f, f->n_chunks - 1, 0, 0);
		if (f->used == f->limit || f->n_chunks == FRAME_FILL)
			writer_give(w, &w->body);
	}
	judge_mode(w);
	return 0;
}

int writer_body_bytes(struct writer *w, uint64_t offset, const uint8_t *p, size_t n,
		      struct err *e)
{
	if (__builtin_add_overflow(w->pending, n, &w->pending) ||
	    __builtin_add_overflow(w->body_len, n, &w->body_len))
		return err_set(e, ERR_FAILED, "body stream too long");
	while (n > 0) {
		struct frame *f = w->body.open;
		bool end;
		size_t k;

		if ((!f || f->used == f->chunk_start) && writer_room(w, &w->body, e) < 0)
			return -1;
		if (writer_frame(w, &w->body, RECORD_BODY, w->chunker.limit, e) < 0)
			return -1;
		k = chunker_put(&w->chunker, w->body.open, offset, p, n, &end);
		offset += k;
		p += k;
		n -= k;
		if (end && chunk_done(w, e) < 0)
			return -1;
		if (!end && n > 0) /* no room */
			writer_give(w, &w->body);
	}
	return 0;
}

int writer_body_end(struct writer *w, struct err *e)
{
	struct frame *f = w->body.open;
	struct coming *c = &w->coming;

	if (f && f->used > f->chunk_start && chunk_done(w, e) < 0)
		return -1;
	if (c->chunks > 0 && alike_put(w->alike, c->fingerprint, c->first, c->chunks, e) < 0)
		return -1;
	return 0;
}
