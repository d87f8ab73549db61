#include "archive/frame_hash.h"

#include <string.h>

#include "archive/crypto.h"

void frame_hash(enum record_type type, const uint8_t id_key[32], const uint8_t *content,
		const uint32_t *ends, uint32_t n,
		uint8_t (*fingerprints)[FINGERPRINT_LEN], uint8_t id[32])
{
	uint8_t word = (uint8_t)type, chunk_id[32];
	struct crypto_hash h;
	uint32_t start = 0;

	crypto_hash_init(&h, "vs1.id.frame", id_key, 32, 32);
	crypto_hash_update(&h, &word, 1);
	for (uint32_t i = 0; i < n; i++) {
		frame_chunk_id(type, id_key, content + start, ends[i] - start, chunk_id);
		crypto_hash_update(&h, chunk_id, 32);
		memcpy(fingerprints[i], chunk_id, FINGERPRINT_LEN);
		start = ends[i];
	}
	crypto_hash_final(&h, id);
}

void frame_hash_filled(struct frame *f, const uint8_t id_key[32])
{
	uint8_t word = (uint8_t)f->type;
	struct crypto_hash h;
	uint32_t start = 0;

	crypto_hash_init(&h, "vs1.id.frame", id_key, 32, 32);
	crypto_hash_update(&h, &word, 1);
	for (uint32_t i = 0; i < f->n_chunks; i++) {
		if (!f->id_known[i])
			frame_chunk_id(f->type, id_key, frame_content(f) + start,
				       f->ends[i] - start, f->ids[i]);
		crypto_hash_update(&h, f->ids[i], 32);
		memcpy(f->fingerprints[i], f->ids[i], FINGERPRINT_LEN);
		start = f->ends[i];
	}
	crypto_hash_final(&h, f->id);
}
