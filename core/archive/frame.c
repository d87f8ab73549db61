/* Frames being filled, and the ids of what they and other records hold.
 *
 * The content of a frame begins at a fixed place; its table is written backwards from
 * there when the frame is packed, so that table and content are one run of bytes without
 * a copy. */
#include "archive/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "base/err.h"

struct frame *frame_new(struct err *e)
{
	struct frame *f = calloc(1, sizeof(*f));

	if (!f) {
		(void)err_memory(e);
		return NULL;
	}
	f->ends = malloc(FRAME_FILL * sizeof(*f->ends));
	f->ids = malloc(FRAME_FILL * sizeof(*f->ids));
	f->id_known = malloc(FRAME_FILL * sizeof(*f->id_known));
	f->fingerprints = malloc(FRAME_FILL * sizeof(*f->fingerprints));
	f->room = malloc(FRAME_TABLE_ROOM + FRAME_CONTENT);
	f->out = malloc(FRAME_TABLE_ROOM + FRAME_CONTENT);
	if (!f->ends || !f->ids || !f->id_known || !f->fingerprints || !f->room || !f->out) {
		(void)err_memory(e);
		frame_free(f);
		return NULL;
	}
	frame_reset(f, RECORD_BODY, FRAME_CONTENT);
	return f;
}

void frame_free(struct frame *f)
{
	if (!f)
		return;
	free(f->ends);
	free(f->ids);
	free(f->id_known);
	free(f->fingerprints);
	free(f->room);
	free(f->out);
	free(f);
}

void frame_reset(struct frame *f, enum record_type type, size_t limit)
{
	assert(limit <= FRAME_CONTENT);
	f->type = type;
	f->limit = limit;
	f->used = 0;
	f->chunk_start = 0;
	f->n_chunks = 0;
	f->packed = NULL;
	f->clen = 0;
	f->ulen = 0;
	f->codec = CODEC_RAW;
}

void frame_end_chunk(struct frame *f, const uint8_t *id)
{
	assert(f->used > f->chunk_start && f->used <= f->limit &&
	       f->n_chunks < FRAME_FILL);
	f->id_known[f->n_chunks] = id != NULL;
	if (id)
		memcpy(f->ids[f->n_chunks], id, 32);
	f->ends[f->n_chunks++] = (uint32_t)f->used;
	f->chunk_start = f->used;
}

void frame_drop_chunk(struct frame *f) { f->used = f->chunk_start; }

void frame_chunk_id(enum record_type type, const uint8_t id_key[32], const uint8_t *p, size_t n,
		    uint8_t id[32])
{
	crypto_b2(type == RECORD_HEAD ? "vs1.id.head" : "vs1.id.body", id_key, 32, p, n, id, 32);
}

void frame_node_id(const uint8_t id_key[32], const uint8_t *plain, size_t n,
		   uint8_t out[32])
{
	crypto_b2("vs1.id.node", id_key, 32, plain, n, out, 32);
}

void frame_root_id(const uint8_t *plain, size_t n, uint8_t out[32])
{
	crypto_b2("vs1.id.root", NULL, 0, plain, n, out, 32);
}

void frame_check(const uint8_t id_key[32], const uint8_t *fingerprints, size_t n,
		 uint8_t out[8])
{
	uint8_t full[16];

	crypto_b2("vs1.check", id_key, 32, fingerprints, n * FINGERPRINT_LEN, full,
		  sizeof(full));
	for (size_t i = 0; i < 8; i++)
		out[i] = full[i];
}
