/* Entries of one snapshot: the head tree gives extents, these give groups, one after the
 * other out of the frame in memory, and these entries, in place.  The body stream is
 * asked for only where somebody wants it.
 *
 * The list of entries is never resumed after an error in it: what follows could pass for
 * all.  Who salvages is told how many entries are missing: what names a node or a frame
 * of them says how many it holds, so the numbers behind them are right. */
#include "archive/reader.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive_parts.h"
#include "archive/body_source.h"
#include "archive/body_window.h"
#include "archive/crypto.h"
#include "archive/frame.h"
#include "archive/frame_source.h"
#include "archive/record.h"
#include "base/entry.h"
#include "base/err.h"
#include "base/wire.h"
#include "store/store.h"

#define BLOCK 512

/* The head stream: where its reading is. */
struct heads {
	struct tree_walker *walker;
	const struct unpacked *frame;
	struct cursor group; /* what is left of the open group */
	uint32_t chunk;	     /* of the open group */
	uint64_t extent_end; /* in the frame's content; the group's end is at most this */
	uint64_t entries, body; /* of the extent, still to come */
};

struct reader {
	struct archive_parts parts;
	struct frame_source frames;
	struct body_source body;
	struct body_window window; /* of the body being read by reader_body_any */
	bool windowed;
	struct heads heads;
	struct stream_keys *keys;
	struct root root;
	bool check_all, broken, salvage;
	uint64_t next_no;	    /* of the next entry */
	uint64_t body_used;	    /* where the next entry's body begins */
	uint64_t body_at, body_end; /* what reader_body still gives */
	uint64_t checked;	    /* the body stream was decoded up to here */
};

/* ---- opening ---- */

static const struct part_reader *final_part(const struct reader *r)
{
	return archive_parts_final(&r->parts);
}

static int load_root(struct reader *r, struct err *e)
{
	struct part_reader *final = archive_parts_final(&r->parts);
	struct record_place at = { .seq = final->header.seq, .part = final->header.part };

	if (stream_keys_new(&r->keys, e) < 0 ||
	    archive_parts_get(&r->parts, &at, &final, e) < 0)
		return -1;
	return record_root(final, &r->root, r->keys, e);
}

static int reader_setup(struct reader *r, struct store *store, const struct descriptor *d,
			const char *name, const struct reader_keys *keys,
			const struct report *salvage, struct err *e)
{
	r->salvage = salvage != NULL;
	if (archive_parts_open(&r->parts, store, d, name, keys, salvage, e) < 0 ||
	    load_root(r, e) < 0 ||
	    frame_source_open(&r->frames, &r->parts, r->keys->id, e) < 0)
		return -1;
	if (body_source_open(&r->body, &r->frames, &r->root.body, e) < 0)
		return err_in(e, "%s", name);
	return reader_rewind(r, e);
}

static int open_with(struct store *store, const struct descriptor *d, const char *name,
		     const struct reader_keys *keys, const struct report *salvage,
		     struct reader **out, struct err *e)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		return err_memory(e);
	if (reader_setup(r, store, d, name, keys, salvage, e) < 0) {
		reader_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

int reader_open(struct store *store, const struct descriptor *d, const char *name,
		const struct reader_keys *keys, struct reader **out, struct err *e)
{
	return open_with(store, d, name, keys, NULL, out, e);
}

int reader_open_salvage(struct store *store, const struct descriptor *d, const char *name,
			const struct reader_keys *keys, const struct report *report,
			struct reader **out, struct err *e)
{
	return open_with(store, d, name, keys, report, out, e);
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	tree_walker_free(r->heads.walker);
	body_window_free(&r->window);
	body_source_close(&r->body);
	frame_source_close(&r->frames);
	archive_parts_close(&r->parts);
	stream_keys_free(r->keys);
	free(r);
}

const struct root *reader_root(const struct reader *r) { return &r->root; }
const struct part_trailer *reader_trailer(const struct reader *r)
{
	return &final_part(r)->trailer;
}
const uint8_t *reader_list_key(const struct reader *r) { return r->keys->list; }
void reader_check_all(struct reader *r) { r->check_all = true; }

int reader_rewind(struct reader *r, struct err *e)
{
	struct tree_walker *fresh = tree_walker_new(TREE_HEAD, &r->root.head,
						    frame_source_node, &r->frames, e);

	if (!fresh)
		return err_in(e, "%s", final_part(r)->name);
	tree_walker_free(r->heads.walker);
	r->heads = (struct heads){ .walker = fresh };
	r->broken = r->windowed = false;
	r->next_no = r->body_used = r->body_at = r->body_end = r->checked = 0;
	return 0;
}

/* ---- groups ---- */

static int damaged_list(const struct reader *r, const char *why, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "%s: list of entries: %s", final_part(r)->name,
		       why);
}

/* The next extent of the head stream, before its first group; 1 at the end. */
static int extent_next(struct reader *r, struct err *e)
{
	struct heads *h = &r->heads;
	struct extent x;
	int found = tree_walker_next(h->walker, &x, e);

	if (found == 1)
		return 1;
	if (found < 0)
		tree_walker_pass(h->walker, &x);
	h->entries = x.entries;
	h->body = x.body;
	if (found < 0)
		return err_in(e, "%s: list of entries", final_part(r)->name);
	if (frame_source_get(&r->frames, TREE_HEAD, &x, &h->frame, e) < 0)
		return -1;
	h->chunk = 0;
	while (h->frame->ends[h->chunk] <= x.offset)
		h->chunk++; /* the check of the extent found it to cover whole chunks */
	h->extent_end = x.offset + x.length;
	return 0;
}

/* Open the next group; 1 at the end of the head stream. */
static int group_next(struct reader *r, struct err *e)
{
	struct heads *h = &r->heads;
	const uint8_t *content;
	uint32_t start;

	if (h->frame && h->frame->ends[h->chunk] < h->extent_end) {
		h->chunk++;
	} else {
		int found;

		if (h->entries > 0 || h->body > 0)
			return damaged_list(r, "an extent holds less than it says", e);
		found = extent_next(r, e);
		if (found != 0)
			return found;
	}
	content = h->frame->plain + h->frame->content_at;
	start = h->chunk > 0 ? h->frame->ends[h->chunk - 1] : 0;
	h->group = cursor_make(content + start, h->frame->ends[h->chunk] - start);
	return 0;
}

/* ---- entries ---- */

/* Take one entry, or a gap (en->header_len 0), out of the open group. */
static int entry_take(struct reader *r, struct reader_entry *en, struct err *e)
{
	struct heads *h = &r->heads;
	uint64_t header_len = cursor_varint(&h->group),
		 body_len = cursor_varint(&h->group);

	if (header_len > ENTRY_HEADER_MAX || header_len % BLOCK != 0)
		return damaged_list(r, "a header of impossible length", e);
	*en = (struct reader_entry){ .no = r->next_no,
				     .header = cursor_take(&h->group, header_len),
				     .header_len = header_len,
				     .body_at = r->body_used,
				     .body_len = body_len };
	if (!cursor_ok(&h->group))
		return damaged_list(r, "a group ends within an entry", e);
	if (header_len == 0 && body_len == 0)
		return damaged_list(r, "a gap of no bytes", e);
	if (body_len > h->body || (header_len > 0 && h->entries == 0))
		return damaged_list(r, "an extent holds more than it says", e);
	h->body -= body_len;
	h->entries -= header_len > 0;
	r->next_no += header_len > 0;
	r->body_used += body_len;
	return 0;
}

static int name_entry(const struct reader *r, struct err *e)
{
	return r->next_no == 0
		       ? -1
		       : err_in(e, "entry %llu", (unsigned long long)r->next_no - 1);
}

/* With check_all: decode what was passed over. */
static int check_passed(struct reader *r, struct err *e)
{
	const uint8_t *p;
	size_t n;

	while (r->check_all && r->checked < r->body_used) {
		if (body_source_get(&r->body, r->checked, &p, &n, e) < 0)
			return name_entry(r, e);
		r->checked += n;
	}
	return 0;
}

static int check_totals(struct reader *r, struct err *e)
{
	if (r->next_no != r->root.totals.entries ||
	    r->body_used != r->root.totals.body_len)
		return damaged_list(r, "is not what the totals say", e);
	return 0;
}

/* The list of entries has failed.  Where salvaging, pass over what is left of the extent, or
 * of the node, that cannot be read. */
static int list_failed(struct reader *r, struct reader_entry *en, const struct err *e)
{
	struct heads *h = &r->heads;

	if (!reader_goes_on(r, e))
		return -1;
	*en = (struct reader_entry){ .no = r->next_no,
				     .body_at = r->body_used,
				     .body_len = h->body,
				     .lost = h->entries };
	r->next_no += h->entries;
	r->body_used += h->body;
	h->entries = h->body = 0;
	h->frame = NULL;
	h->group = cursor_make(NULL, 0);
	return 2;
}

/* What was passed over is damaged; its entries were told of. */
static int check_failed(struct reader *r, struct reader_entry *en, const struct err *e)
{
	if (!reader_goes_on(r, e))
		return -1;
	*en = (struct reader_entry){ .no = r->next_no,
				     .body_at = r->checked,
				     .body_len = r->body_used - r->checked };
	r->checked = r->body_used;
	return 2;
}

static int entry_next(struct reader *r, struct reader_entry *en, struct err *e)
{
	do {
		while (r->heads.group.left == 0) {
			int found = group_next(r, e);

			if (found < 0)
				return list_failed(r, en, e);
			if (found == 1 && check_passed(r, e) < 0)
				return check_failed(r, en, e);
			if (found == 1)
				return check_totals(r, e) < 0 ? -1 : 1;
		}
		if (check_passed(r, e) < 0)
			return check_failed(r, en, e);
		if (entry_take(r, en, e) < 0) {
			(void)err_in(e, "entry %llu", (unsigned long long)r->next_no);
			return list_failed(r, en, e);
		}
	} while (en->header_len == 0);
	return 0;
}

int reader_next(struct reader *r, struct reader_entry *en, struct err *e)
{
	int found;

	if (r->broken)
		return damaged_list(r, "cannot be read on after an error in it", e);
	found = entry_next(r, en, e);
	r->broken = found < 0;
	r->body_at = found == 0 ? en->body_at : 0;
	r->body_end = found == 0 ? en->body_at + en->body_len : 0;
	r->windowed = false;
	return found;
}

/* ---- bodies ---- */

/* The bytes FROM to TO were decoded. */
static void body_checked(struct reader *r, uint64_t from, uint64_t to)
{
	if (from <= r->checked && r->checked < to)
		r->checked = to;
}

/* Where salvaging, the rest of it counts as looked at: the loss is told of once. */
static int body_failed(struct reader *r, struct err *e)
{
	if (reader_goes_on(r, e))
		body_checked(r, r->body_at, r->body_end);
	return name_entry(r, e);
}

int reader_body(struct reader *r, const uint8_t **p, size_t *n, struct err *e)
{
	uint64_t left = r->body_end - r->body_at;

	if (left == 0)
		return 1;
	if (body_source_get(&r->body, r->body_at, p, n, e) < 0)
		return body_failed(r, e);
	if (*n > left)
		*n = (size_t)left;
	body_checked(r, r->body_at, r->body_at + *n);
	r->body_at += *n;
	return 0;
}

int reader_body_any(struct reader *r, uint64_t *at, const uint8_t **p, size_t *n,
		    struct err *e)
{
	int found;

	if (!r->windowed)
		body_window_begin(&r->window, &r->body, r->body_at,
				  r->body_end - r->body_at);
	r->windowed = true;
	found = body_window_next(&r->window, at, p, n, e);
	if (found < 0)
		return body_failed(r, e);
	if (found == 1)
		body_checked(r, r->body_at, r->body_end);
	*at -= found == 0 ? r->body_at : 0;
	return found;
}

bool reader_goes_on(const struct reader *r, const struct err *e)
{
	return r->salvage && store_file_fault(e);
}

int reader_body_from(struct reader *r, uint64_t at, uint64_t len, struct err *e)
{
	if (at > r->root.totals.body_len || len > r->root.totals.body_len - at)
		return err_set(e, ERR_FAILED,
			       "a place beyond the end of all content is asked for");
	r->body_at = at;
	r->body_end = at + len;
	r->windowed = false;
	return 0;
}
