/* Writing one part: records fill the payload of one open segment; a full one is sealed
 * where it lies, hashed, and written out with its neighbours (docs/format.md section 7).
 *
 * A full segment is sealed only when more is to come, because the nonce of the last one
 * differs. The nonce is made from the number of slot hashes so far: there is no counter
 * to forget, and the payload key belongs to this part alone. */
#include "archive/part.h"

#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "base/err.h"
#include "base/wire.h"
#include "store/store.h"

#define GATHER 8 /* segments per write */
#define NO_RECORD 0xFFFF
#define FIRST_LEN 2

_Static_assert(FIRST_LEN + SEGMENT_PAYLOAD + CRYPTO_TAG_LEN == SEGMENT_LEN,
	       "a segment's parts");

struct part_writer {
	struct store_part *file; /* borrowed */
	struct bytes header;	 /* for the copy */
	uint8_t store_id[16], header_hash[32];
	uint8_t *key;	    /* 32 bytes, locked */
	uint8_t *out;	    /* GATHER segments; the open one is the last of them */
	size_t n_out;	    /* sealed ones in it */
	size_t fill;	    /* payload bytes of the open segment */
	struct bytes slots; /* 16 bytes for each sealed segment */
};

uint64_t part_padme(uint64_t n)
{
	unsigned e, s, z;
	uint64_t mask;

	if (n < 2)
		return n;
	e = 63u - (unsigned)__builtin_clzll(n);
	s = 32u - (unsigned)__builtin_clz(e);
	z = e > s ? e - s : 0;
	mask = ((uint64_t)1 << z) - 1;
	return (n + mask) & ~mask;
}

static uint8_t *segment_open(struct part_writer *w)
{
	return w->out + w->n_out * SEGMENT_LEN;
}

/* Begin an empty segment. */
static void segment_begin(struct part_writer *w)
{
	memset(segment_open(w), 0, SEGMENT_LEN);
	wire_set16(segment_open(w), NO_RECORD);
	w->fill = 0;
}

static int gather_write(struct part_writer *w, struct err *e)
{
	size_t n = w->n_out * SEGMENT_LEN;

	w->n_out = 0;
	return n ? store_part_write(w->file, w->out, n, e) : 0;
}

static uint64_t segment_index(const struct part_writer *w) { return w->slots.len / 16; }

static int slot_add(struct part_writer *w, const uint8_t *segment, struct err *e)
{
	uint8_t index[8], hash[16];
	struct crypto_hash h;

	wire_set64(index, segment_index(w));
	crypto_hash_init(&h, "vs1.slot", NULL, 0, sizeof(hash));
	crypto_hash_update(&h, index, sizeof(index));
	crypto_hash_update(&h, segment, SEGMENT_LEN);
	crypto_hash_final(&h, hash);
	return bytes_append(&w->slots, hash, sizeof(hash), e);
}

/* Seal the open segment. */
static int segment_seal(struct part_writer *w, bool last, struct err *e)
{
	uint8_t nonce[12], *p = segment_open(w);

	if (segment_index(w) >= PART_MAX_SEGMENTS)
		return err_set(e, ERR_FAILED, "part: more than %d segments",
			       PART_MAX_SEGMENTS);
	wire_set64(nonce, segment_index(w));
	wire_set32(nonce + 8, last);
	crypto_seal(w->key, nonce, NULL, 0, p, FIRST_LEN + SEGMENT_PAYLOAD, p);
	if (slot_add(w, p, e) < 0)
		return -1;
	w->n_out++;
	return w->n_out == GATHER ? gather_write(w, e) : 0;
}

/* Make room for at least one byte in the open segment. */
static int segment_room(struct part_writer *w, struct err *e)
{
	if (w->fill < SEGMENT_PAYLOAD)
		return 0;
	if (segment_seal(w, false, e) < 0)
		return -1;
	segment_begin(w);
	return 0;
}

static int payload_append(struct part_writer *w, const uint8_t *p, size_t n,
			  struct err *e)
{
	while (n > 0) {
		size_t k;

		if (segment_room(w, e) < 0)
			return -1;
		k = SEGMENT_PAYLOAD - w->fill < n ? SEGMENT_PAYLOAD - w->fill : n;
		memcpy(segment_open(w) + FIRST_LEN + w->fill, p, k);
		w->fill += k;
		p += k;
		n -= k;
	}
	return 0;
}

/* ---- opening and ending ---- */

static int writer_setup(struct part_writer *w, struct part_header *h,
			const uint8_t fk[32], struct err *e)
{
	if (part_header_encode(h, fk, &w->header, e) < 0)
		return -1;
	memcpy(w->store_id, h->store_id, 16);
	memcpy(w->header_hash, h->hash, 32);
	w->out = malloc((size_t)GATHER * SEGMENT_LEN);
	if (!w->out)
		return err_memory(e);
	w->key = crypto_lock(32, e);
	if (!w->key)
		return -1;
	crypto_b2("vs1.payload", fk, 32, h->hash, 32, w->key, 32);
	segment_begin(w);
	return store_part_write(w->file, w->header.p, w->header.len, e);
}

int part_writer_open(struct store_part *file, struct part_header *h, const uint8_t fk[32],
		     struct part_writer **out, struct err *e)
{
	struct part_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_memory(e);
	w->file = file;
	if (writer_setup(w, h, fk, e) < 0) {
		part_writer_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

void part_writer_free(struct part_writer *w)
{
	if (!w)
		return;
	if (w->out)
		crypto_wipe(w->out, (size_t)GATHER * SEGMENT_LEN); /* ROOT holds keys */
	free(w->out);
	crypto_unlock(w->key);
	bytes_free(&w->header);
	bytes_free(&w->slots);
	free(w);
}

/* ---- records ---- */

static uint64_t stream_length(const struct part_writer *w)
{
	return segment_index(w) * SEGMENT_PAYLOAD + w->fill;
}

bool part_writer_fits(const struct part_writer *w, size_t clen, uint32_t max_segments)
{
	uint64_t end = stream_length(w) + RECORD_HEAD_LEN + clen;
	uint64_t n = (end + SEGMENT_PAYLOAD - 1) / SEGMENT_PAYLOAD;

	return part_padme(n) <= max_segments && part_padme(n) <= PART_MAX_SEGMENTS;
}

static size_t record_limit(enum record_type type)
{
	return type == RECORD_BODY || type == RECORD_HEAD ? FRAME_MAX : NODE_MAX;
}

int part_writer_record(struct part_writer *w, enum record_type type,
		       enum record_codec codec, const uint8_t id[32], const uint8_t *data,
		       size_t clen, size_t ulen, uint64_t *offset, struct err *e)
{
	uint8_t head[RECORD_HEAD_LEN] = { (uint8_t)type, (uint8_t)codec };
	uint8_t *first;

	if (ulen > record_limit(type) || clen > ulen)
		return err_set(e, ERR_FAILED, "record: %zu of %zu bytes, over the limits",
			       clen, ulen);
	wire_set32(head + 4, (uint32_t)clen);
	wire_set32(head + 8, (uint32_t)ulen);
	memcpy(head + 16, id, 32);
	if (segment_room(w, e) < 0)
		return -1;
	*offset = stream_length(w);
	first = segment_open(w);
	if (wire_get16(first) == NO_RECORD)
		wire_set16(first, (uint16_t)w->fill);
	if (payload_append(w, head, sizeof(head), e) < 0)
		return -1;
	return payload_append(w, data, clen, e);
}

/* ---- finishing ---- */

/* Seal the open segment and as many empty ones as the padding asks for. */
static int segments_finish(struct part_writer *w, struct err *e)
{
	uint64_t n = part_padme(segment_index(w) + 1);

	while (segment_index(w) + 1 < n) {
		if (segment_seal(w, false, e) < 0)
			return -1;
		segment_begin(w);
	}
	if (segment_seal(w, true, e) < 0)
		return -1;
	return gather_write(w, e);
}

/* The slots go to the trailer, which owns them from now on. */
static void slots_give(struct part_writer *w, struct part_trailer *t)
{
	t->n_segments = (uint32_t)segment_index(w);
	free(t->slots);
	t->slots = (uint8_t(*)[16])w->slots.p;
	w->slots = (struct bytes)BYTES_EMPTY;
	memcpy(t->header_hash, w->header_hash, 32);
}

int part_writer_finish(struct part_writer *w, struct part_trailer *t,
		       const uint8_t parent_chain[32], const struct secret *host,
		       struct err *e)
{
	auto_bytes struct bytes raw = BYTES_EMPTY;

	if (segments_finish(w, e) < 0)
		return -1;
	slots_give(w, t);
	if (part_trailer_encode(t, w->store_id, parent_chain, host, &raw, e) < 0 ||
	    store_part_write(w->file, w->header.p, w->header.len, e) < 0 ||
	    store_part_write(w->file, raw.p, raw.len, e) < 0)
		return -1;
	return store_part_write(w->file, raw.p, raw.len, e);
}
