/* Unpacking: one decoded frame, its table checked, its chunks hashed anew.
 *
 * Nothing of a frame is used before its id fits: then each byte is what the writer read.
 */
#include <stdlib.h>
#include <string.h>

#include "archive/codec.h"
#include "archive/crypto.h"
#include "archive/frame.h"
#include "archive/frame_hash.h"
#include "base/err.h"
#include "base/wire.h"

struct unpacker {
	struct codec *codec;
};

struct unpacked *unpacked_new(struct err *e)
{
	struct unpacked *u = calloc(1, sizeof(*u));

	if (!u) {
		(void)err_memory(e);
		return NULL;
	}
	u->plain = malloc(FRAME_MAX);
	u->ends = malloc(FRAME_CHUNKS * sizeof(*u->ends));
	u->fingerprints = malloc(FRAME_CHUNKS * sizeof(*u->fingerprints));
	if (!u->plain || !u->ends || !u->fingerprints) {
		(void)err_memory(e);
		unpacked_free(u);
		return NULL;
	}
	return u;
}

void unpacked_free(struct unpacked *u)
{
	if (!u)
		return;
	free(u->plain);
	free(u->ends);
	free(u->fingerprints);
	free(u);
}

struct unpacker *unpacker_new(struct err *e)
{
	struct unpacker *u = calloc(1, sizeof(*u));

	if (!u) {
		(void)err_memory(e);
		return NULL;
	}
	u->codec = codec_new(0, e);
	if (!u->codec) {
		free(u);
		return NULL;
	}
	return u;
}

uint8_t *unpacker_room(void) { return malloc(FRAME_MAX); }

void unpacker_free(struct unpacker *u)
{
	if (!u)
		return;
	codec_free(u->codec);
	free(u);
}

int unpacker_record(struct unpacker *u, enum record_codec codec, const uint8_t *data,
		    size_t clen, uint8_t *out, size_t ulen, struct err *e)
{
	if (codec == CODEC_ZSTD)
		return codec_expand(u->codec, data, clen, out, ulen, e);
	if (codec != CODEC_RAW)
		return err_set(e, ERR_DAMAGED, "unknown codec %d of a record",
			       (int)codec);
	if (clen != ulen)
		return err_set(e, ERR_DAMAGED, "lengths of a record disagree");
	memcpy(out, data, ulen);
	return 0;
}

/* Fill ends from the table; false where it does not describe exactly what follows it. */
static bool parse_table(struct unpacked *u, size_t ulen)
{
	struct cursor c = cursor_make(u->plain, ulen);
	uint64_t n = cursor_varint(&c);
	uint32_t end = 0;

	if (n == 0 || n > FRAME_CHUNKS)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t length = cursor_varint(&c);

		if (!cursor_ok(&c) || length == 0 || length > FRAME_CONTENT - end)
			return false;
		end += (uint32_t)length;
		u->ends[i] = end;
	}
	u->n_chunks = (uint32_t)n;
	u->content_at = ulen - c.left;
	u->content_len = c.left;
	return c.left == end;
}

int unpacked_parse(struct unpacked *u, enum record_type type, size_t ulen,
		   const uint8_t id_key[32], const uint8_t id[32], struct err *e)
{
	uint8_t found[32];
	bool ok = ulen <= FRAME_MAX && parse_table(u, ulen);

	if (ok)
		frame_hash(type, id_key, u->plain + u->content_at, u->ends, u->n_chunks,
			   u->fingerprints, found);
	if (ok && crypto_equal(found, id, sizeof(found)))
		return 0;
	u->n_chunks = 0;
	u->content_len = 0;
	return err_set(e, ERR_DAMAGED,
		       ok ? "content of a frame is not what its id says"
			  : "table of a frame does not fit its content");
}

/* The chunk that begins at OFFSET, or n_chunks: those before it end at or before OFFSET.
 */
static uint32_t chunk_at(const struct unpacked *u, uint64_t offset)
{
	uint32_t low = 0, high = u->n_chunks;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (u->ends[mid] <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	if (offset != (low > 0 ? u->ends[low - 1] : 0))
		return u->n_chunks;
	return low;
}

int unpacked_check(const struct unpacked *u, uint64_t offset, uint64_t length,
		   const uint8_t id_key[32], const uint8_t check[8], struct err *e)
{
	uint32_t first = chunk_at(u, offset), after;
	uint8_t found[8];

	if (length == 0 || offset > u->content_len || length > u->content_len - offset)
		return err_set(e, ERR_DAMAGED, "an extent leads outside its frame");
	after = offset + length == u->content_len ? u->n_chunks
						  : chunk_at(u, offset + length);
	if (first == u->n_chunks ||
	    (after == u->n_chunks && offset + length != u->content_len))
		return err_set(e, ERR_DAMAGED, "an extent does not cover whole chunks");
	frame_check(id_key, u->fingerprints[first], after - first, found);
	if (!crypto_equal(found, check, sizeof(found)))
		return err_set(e, ERR_DAMAGED,
			       "an extent's check does not fit its chunks");
	return 0;
}
