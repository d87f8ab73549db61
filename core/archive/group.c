#include "archive/group.h"

#include <assert.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/frame.h"
#include "base/wire.h"

#define GROUP_MASK 31 /* one path in 32 ends a group */
#define GROUP_ENTRIES 64
#define GROUP_BYTES 65536

bool group_put(struct group *g, struct frame *f, const uint8_t *header, size_t header_len,
	       uint64_t body_len)
{
	uint8_t lengths[20];
	size_t n = wire_varint(lengths, header_len), room = f->limit - f->used;
	uint8_t *at = frame_content(f) + f->used;

	n += wire_varint(lengths + n, body_len);
	if (f->n_chunks == FRAME_FILL || n > room || header_len > room - n)
		return false;
	memcpy(at, lengths, n);
	if (header_len > 0)
		memcpy(at + n, header, header_len);
	f->used += n + header_len;
	g->n++;
	g->entries += header_len > 0;
	g->body += body_len;
	return true;
}

bool group_ends(const struct group *g, const struct frame *f, const uint8_t gear_key[32],
		const char *path)
{
	if (g->n >= GROUP_ENTRIES || f->used - f->chunk_start >= GROUP_BYTES)
		return true;
	return path && (crypto_short(gear_key, path, strlen(path)) & GROUP_MASK) == 0;
}

void group_close(struct group *g, struct frame *f, const uint8_t *id)
{
	if (g->n > 0)
		frame_end_chunk(f, id);
	*g = (struct group){ .n = 0 };
}

void group_move(struct frame *f, struct frame *to)
{
	size_t n = f->used - f->chunk_start;

	assert(to->used == 0);
	memcpy(frame_content(to), frame_content(f) + f->chunk_start, n);
	to->used = n;
	f->used = f->chunk_start;
}
