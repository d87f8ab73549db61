/* Cuts depend on the offset in the file alone, never on how full a frame happens to be: a
 * chunk that would not fit as a whole begins the next frame. */
#include "archive/chunker.h"

#include <string.h>

#include "archive/frame.h"

#define SMALL 65536 /* from here on a file is cut */
#define PAGE_UNIT 4096
#define PIECE 16384
#define PAGED_FRAME 131072

void chunker_begin(struct chunker *c, uint64_t size)
{
	bool paged = size >= SMALL && size % PAGE_UNIT == 0;

	c->longest = size >= SMALL ? PIECE : SMALL;
	c->limit = paged ? PAGED_FRAME : FRAME_CONTENT;
	c->alone = paged;
	c->left = size;
}

/* Whether the chunk that begins now has room, as far as its length is known. */
static bool has_room(const struct chunker *c, const struct frame *f)
{
	size_t want = c->left > 0 && c->left < c->longest ? (size_t)c->left : c->longest;

	return f->n_chunks < FRAME_CHUNKS && (f->used == 0 || want <= f->limit - f->used);
}

size_t chunker_put(struct chunker *c, struct frame *f, const uint8_t *p, size_t n)
{
	size_t taken = 0;

	while (taken < n) {
		size_t open = f->used - f->chunk_start, k = n - taken;

		if (open == 0 && !has_room(c, f))
			break;
		if (k > c->longest - open)
			k = c->longest - open;
		if (k > f->limit - f->used)
			k = f->limit - f->used;
		memcpy(frame_content(f) + f->used, p + taken, k);
		f->used += k;
		taken += k;
		c->left = c->left > k ? c->left - k : 0;
		if (open + k == c->longest || f->used == f->limit)
			frame_end_chunk(f);
	}
	return taken;
}

void chunker_end(struct chunker *c, struct frame *f)
{
	if (f && f->used > f->chunk_start)
		frame_end_chunk(f);
	chunker_begin(c, 0);
}
