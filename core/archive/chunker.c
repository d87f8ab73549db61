/* Cuts depend on the file alone, never on how full a frame happens to be: a chunk that might not
 * fit as a whole begins the next frame. */
#include "archive/chunker.h"

#include <string.h>

#include "archive/crypto.h"
#include "archive/frame.h"
#include "base/entry.h"
#include "base/wire.h"

#define SMALL 65536 /* from here on a file is cut */
#define PAGE_UNIT 4096
#define PAGE 16384
#define PAGED_FRAME 131072
#define CDC_LEAST 8192
#define CDC_MOST 65536
#define CDC_MASK 0xfffc000000000000U /* 14 bits: 16 KiB behind the least, on average */

enum chunk_mode chunker_mode(uint64_t size)
{
	if (size < SMALL)
		return CHUNK_WHOLE;
	return size != ENTRY_SIZE_UNKNOWN && size % PAGE_UNIT == 0 ? CHUNK_PAGES : CHUNK_CDC;
}

void chunker_key(struct chunker *c, const uint8_t gear_key[32])
{
	for (size_t i = 0; i < 256; i++) {
		uint8_t word = (uint8_t)i, out[8];

		crypto_b2("vs1.gear", gear_key, 32, &word, 1, out, sizeof(out));
		c->gear[i] = wire_get64(out);
	}
}

void chunker_switch(struct chunker *c, enum chunk_mode mode)
{
	c->mode = mode;
	c->longest = mode == CHUNK_PAGES ? PAGE : CDC_MOST;
	c->limit = mode == CHUNK_PAGES ? PAGED_FRAME : FRAME_CONTENT;
	c->hash = 0;
}

void chunker_begin(struct chunker *c, enum chunk_mode mode, uint64_t size)
{
	chunker_switch(c, mode);
	c->left = size;
	c->at = 0;
}

/* Whether the chunk that begins now has room, as far as its length is known. */
static bool has_room(const struct chunker *c, const struct frame *f)
{
	size_t want = c->left > 0 && c->left < c->longest ? (size_t)c->left : c->longest;

	return f->n_chunks < FRAME_FILL &&
	       (f->used == 0 || (f->used < f->limit && want <= f->limit - f->used));
}

/* How many of N bytes at P belong to the open chunk, of which OPEN bytes are there. */
static size_t scan(struct chunker *c, size_t open, const uint8_t *p, size_t n, bool *end)
{
	size_t i = 0;

	if (open < CDC_LEAST)
		i = n < CDC_LEAST - open ? n : CDC_LEAST - open;
	for (; i < n; i++) {
		c->hash = (c->hash << 1) + c->gear[p[i]];
		if ((c->hash & CDC_MASK) == 0) {
			*end = true;
			return i + 1;
		}
	}
	return n;
}

/* The bytes of P that go into the open chunk of OPEN bytes; *END where it ends with them. */
static size_t take(struct chunker *c, size_t open, const uint8_t *p, size_t n, bool *end)
{
	if (c->mode == CHUNK_PAGES) {
		size_t page = PAGE - (size_t)(c->at % PAGE);

		*end = n >= page;
		return n < page ? n : page;
	}
	if (n > c->longest - open)
		n = c->longest - open;
	if (c->mode == CHUNK_CDC)
		n = scan(c, open, p, n, end);
	*end = *end || open + n == c->longest;
	return n;
}

size_t chunker_put(struct chunker *c, struct frame *f, uint64_t offset, const uint8_t *p, size_t n,
		   bool *end)
{
	size_t open = f->used - f->chunk_start, k;

	*end = false;
	if (offset != c->at && open > 0 && c->mode == CHUNK_PAGES) { /* behind a hole */
		c->at = offset;
		*end = true;
		return 0;
	}
	c->at = offset;
	if (open == 0 && !has_room(c, f))
		return 0;
	if (n > f->limit - f->used) /* a body longer than announced may fill the frame */
		n = f->limit - f->used;
	k = take(c, open, p, n, end);
	memcpy(frame_content(f) + f->used, p, k);
	f->used += k;
	c->at += k;
	c->left = c->left > k ? c->left - k : 0;
	*end = *end || f->used == f->limit;
	if (*end)
		c->hash = 0;
	return k;
}
