/* Packing: table, hashes, compression, and the proof that what was compressed decodes.
 *
 * A probe looks at a sixteenth of the bytes before zstd does.  Data that was encrypted or
 * compressed already has bytes of all values equally often; where every sample looks like
 * that the frame goes to disk as it is.  One sample that does not is enough to try. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "archive/codec.h"
#include "archive/crypto.h"
#include "archive/frame.h"
#include "archive/frame_hash.h"
#include "base/err.h"
#include "base/wire.h"

#define PROBE_STEP 16384 /* a sample in each of these */
#define PROBE_LEN 1024
/* Sum of the squared counts of 1024 bytes: 5116 +- 90 for random ones, over this where
 * one byte in a hundred could be saved by entropy coding alone. */
#define PROBE_EVEN 5632

struct packer {
	struct codec *codec; /* at level 0 it says that nothing fits */
	uint8_t *scratch;    /* where compressed data is decoded again */
};

#define SCRATCH_LEN (FRAME_TABLE_ROOM + FRAME_CONTENT)
_Static_assert(SCRATCH_LEN >= 2 * NODE_MAX,
	       "room for a node, compressed and decoded again");

struct packer *packer_new(int level, struct err *e)
{
	struct packer *p = calloc(1, sizeof(*p));

	if (!p) {
		(void)err_memory(e);
		return NULL;
	}
	p->codec = codec_new(level, e);
	p->scratch = malloc(SCRATCH_LEN);
	if (p->codec && p->scratch)
		return p;
	if (p->codec)
		(void)err_memory(e);
	packer_free(p);
	return NULL;
}

void packer_free(struct packer *p)
{
	if (!p)
		return;
	codec_free(p->codec);
	free(p->scratch);
	free(p);
}

static bool sample_is_even(const uint8_t *p)
{
	uint32_t count[256] = { 0 }, sum = 0;

	for (size_t i = 0; i < PROBE_LEN; i++)
		count[p[i]]++;
	for (size_t i = 0; i < 256; i++)
		sum += count[i] * count[i];
	return sum < PROBE_EVEN;
}

/* Whether compressing N bytes is worth trying. */
static bool probe(const uint8_t *p, size_t n)
{
	if (n < PROBE_LEN)
		return true;
	for (size_t at = 0; at + PROBE_LEN <= n; at += PROBE_STEP)
		if (!sample_is_even(p + at))
			return true;
	return !sample_is_even(p + n - PROBE_LEN);
}

/* Compress N bytes of PLAIN into OUT, decode again into SCRATCH, compare.  1: saves too
 * little. */
static int squeeze(struct packer *p, const uint8_t *plain, size_t n, uint8_t *out,
		   uint8_t *scratch, size_t *clen, struct err *e)
{
	size_t least = n / 64 + (n % 64 > 0); /* what must be saved */
	int r;

	r = codec_squeeze(p->codec, plain, n, out, n - least, clen, e);
	if (r != 0)
		return r;
	if (codec_expand(p->codec, out, *clen, scratch, n, e) < 0) {
		e->kind = ERR_FAILED;
		return err_in(e, "compressor fault");
	}
	if (memcmp(scratch, plain, n) != 0)
		return err_set(
			e, ERR_FAILED,
			"compressor fault: what it wrote decodes to something else "
			"(test this machine's memory)");
	return 0;
}

/* Write the table so that it ends where the content begins; returns where it starts. */
static uint8_t *write_table(const struct frame *f)
{
	uint8_t number[10];
	size_t n = wire_varint(number, f->n_chunks);
	uint32_t start = 0;
	uint8_t *p, *at;

	for (uint32_t i = 0; i < f->n_chunks; start = f->ends[i++])
		n += wire_varint(number, f->ends[i] - start);
	assert(n <= FRAME_TABLE_ROOM);
	at = frame_content(f) - n;
	p = at + wire_varint(at, f->n_chunks);
	start = 0;
	/* The last varint ends at the content and writes no byte beyond itself. */
	for (uint32_t i = 0; i < f->n_chunks; start = f->ends[i++])
		p += wire_varint(p, f->ends[i] - start);
	return at;
}

int frame_pack(struct frame *f, struct packer *p, const uint8_t id_key[32], struct err *e)
{
	const uint8_t *plain;
	int r;

	assert(f->n_chunks > 0 && f->chunk_start == f->used);
	plain = write_table(f);
	f->ulen = (size_t)(frame_content(f) - plain) + f->used;
	frame_hash_filled(f, id_key);
	/* Only the content is probed: the table looks like nothing else. */
	r = 1;
	if (probe(frame_content(f), f->used))
		r = squeeze(p, plain, f->ulen, f->out, p->scratch, &f->clen, e);
	if (r < 0)
		return -1;
	f->codec = r == 0 ? CODEC_ZSTD : CODEC_RAW;
	f->packed = r == 0 ? f->out : plain;
	if (r == 1)
		f->clen = f->ulen;
	return 0;
}

int packer_small(struct packer *p, const uint8_t *plain, size_t n, const uint8_t **out,
		 size_t *clen, enum record_codec *codec, struct err *e)
{
	int r;

	assert(n <= NODE_MAX);
	r = squeeze(p, plain, n, p->scratch + NODE_MAX, p->scratch, clen, e);
	if (r < 0)
		return -1;
	*codec = r == 0 ? CODEC_ZSTD : CODEC_RAW;
	*out = r == 0 ? p->scratch + NODE_MAX : plain;
	if (r == 1)
		*clen = n;
	return 0;
}
