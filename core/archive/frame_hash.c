#include "archive/frame_hash.h"

#include <string.h>

#include "archive/crypto.h"

void frame_hash(enum record_type type, const uint8_t id_key[32], const uint8_t *content,
		const uint32_t *ends, uint32_t n,
		uint8_t (*fingerprints)[FINGERPRINT_LEN], uint8_t id[32])
{
	const char *label = type == RECORD_HEAD ? "vs1.id.head" : "vs1.id.body";
	uint8_t word = (uint8_t)type, chunk_id[32];
	struct crypto_hash h;
	uint32_t start = 0;

	crypto_hash_init(&h, "vs1.id.frame", id_key, 32, 32);
	crypto_hash_update(&h, &word, 1);
	for (uint32_t i = 0; i < n; i++) {
		crypto_b2(label, id_key, 32, content + start, ends[i] - start, chunk_id,
			  32);
		crypto_hash_update(&h, chunk_id, 32);
		memcpy(fingerprints[i], chunk_id, FINGERPRINT_LEN);
		start = ends[i];
	}
	crypto_hash_final(&h, id);
}
