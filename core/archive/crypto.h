/* The one door to libsodium: hashes, sealing, signatures, agreement, locked memory.
 * Formulas are those of docs/format.md section 1. */
#ifndef ARCHIVE_CRYPTO_H
#define ARCHIVE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define CRYPTO_KEY_LEN 32
#define CRYPTO_HASH_LEN 32
#define CRYPTO_SIG_LEN 64
#define CRYPTO_TAG_LEN 16

/* Once per process, before anything else here. */
int crypto_init(struct err *e);

/* B2(label, key, msg, n): LABEL at most 16 ASCII bytes, KEY_LEN 0..64, N 1..64. */
void crypto_b2(const char *label, const uint8_t *key, size_t key_len, const void *msg,
	       size_t msg_len, uint8_t *out, size_t n);

/* The same in pieces. */
struct crypto_hash {
	uint64_t state[64]; /* room for libsodium's state (asserted in crypto.c) */
	uint64_t align_room[8];
	size_t n;
};
void crypto_hash_init(struct crypto_hash *h, const char *label, const uint8_t *key,
		      size_t key_len, size_t n);
void crypto_hash_update(struct crypto_hash *h, const void *p, size_t n);
void crypto_hash_final(struct crypto_hash *h, uint8_t *out);

/* ChaCha20-Poly1305-IETF.  seal writes m_len + 16 bytes; open returns false, and zeroes out, if
 * the tag does not fit; C_LEN includes the tag.  out may equal m (in place). */
void crypto_seal(const uint8_t key[32], const uint8_t nonce[12], const void *ad, size_t ad_len,
		 const uint8_t *m, size_t m_len, uint8_t *out);
bool crypto_open(const uint8_t key[32], const uint8_t nonce[12], const void *ad, size_t ad_len,
		 const uint8_t *c, size_t c_len, uint8_t *out);

/* Ed25519 from a 32-byte seed: public key; Sign(seed, label ‖ extra ‖ hash[32]), EXTRA may be
 * NULL with length 0; verify. */
void crypto_sign_public(const uint8_t seed[32], uint8_t pk[32]);
void crypto_sign_hash(const uint8_t seed[32], const char *label, const uint8_t *extra,
		 size_t extra_len, const uint8_t hash[32], uint8_t sig[64]);
bool crypto_verify_hash(const uint8_t pk[32], const char *label, const uint8_t *extra,
		   size_t extra_len, const uint8_t hash[32], const uint8_t sig[64]);

/* X25519. agree returns false on an all-zero result. */
void crypto_x_public(const uint8_t sk[32], uint8_t pk[32]);
bool crypto_x_agree(const uint8_t sk[32], const uint8_t pk[32], uint8_t shared[32]);

void crypto_random(void *out, size_t n);
void crypto_wipe(void *p, size_t n);
/* Constant time. */
bool crypto_equal(const void *a, const void *b, size_t n);
bool crypto_is_zero(const void *p, size_t n);

/* Locked, guarded, zeroed memory for secrets, wiped by crypto_unlock (NULL is a no-op). */
void *crypto_lock(size_t n, struct err *e);
void crypto_unlock(void *p);

/* SipHash-2-4 with a 16-byte key: for cuts, never for ids. */
uint64_t crypto_short(const uint8_t key[16], const void *p, size_t n);

/* Hex, lower case.  crypto_hex writes 2n+1 bytes.  crypto_unhex: false unless exactly 2n digits. */
void crypto_hex(const uint8_t *p, size_t n, char *out);
bool crypto_unhex(const char *hex, uint8_t *out, size_t n);

#endif
