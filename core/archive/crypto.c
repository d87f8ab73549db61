/* libsodium behind our own words; see crypto.h. */
#include "archive/crypto.h"

#include <sodium.h>
#include <string.h>

#include "base/err.h"

/* libsodium wants its hash state aligned to 64 bytes; a struct in somebody's struct may not be. */
static crypto_generichash_blake2b_state *hash_state(struct crypto_hash *h)
{
	uintptr_t at = (uintptr_t)h->state;

	_Static_assert(sizeof(h->state) + sizeof(h->align_room) >=
			       sizeof(crypto_generichash_blake2b_state) + 64,
		       "room for the state wherever it lies");
	return (crypto_generichash_blake2b_state *)((at + 63) & ~(uintptr_t)63);
}

static const uint8_t no_salt[crypto_generichash_blake2b_SALTBYTES];

static void label_pad(const char *label, uint8_t out[crypto_generichash_blake2b_PERSONALBYTES])
{
	size_t n = strnlen(label, crypto_generichash_blake2b_PERSONALBYTES);

	memset(out, 0, crypto_generichash_blake2b_PERSONALBYTES);
	memcpy(out, label, n);
}

int crypto_init(struct err *e)
{
	if (sodium_init() < 0)
		return err_set(e, ERR_FAILED, "libsodium cannot start");
	return 0;
}

void crypto_b2(const char *label, const uint8_t *key, size_t key_len, const void *msg,
	       size_t msg_len, uint8_t *out, size_t n)
{
	uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES];

	label_pad(label, personal);
	(void)crypto_generichash_blake2b_salt_personal(out, n, msg, msg_len, key, key_len,
						       no_salt, personal);
}

void crypto_hash_init(struct crypto_hash *h, const char *label, const uint8_t *key,
		      size_t key_len, size_t n)
{
	uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES];

	label_pad(label, personal);
	h->n = n;
	(void)crypto_generichash_blake2b_init_salt_personal(hash_state(h), key, key_len, n,
							    no_salt, personal);
}

void crypto_hash_update(struct crypto_hash *h, const void *p, size_t n)
{
	(void)crypto_generichash_blake2b_update(hash_state(h), p, n);
}

void crypto_hash_final(struct crypto_hash *h, uint8_t *out)
{
	(void)crypto_generichash_blake2b_final(hash_state(h), out, h->n);
}

void crypto_seal(const uint8_t key[32], const uint8_t nonce[12], const void *ad, size_t ad_len,
		 const uint8_t *m, size_t m_len, uint8_t *out)
{
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, m, m_len, ad, ad_len, NULL,
							nonce, key);
}

bool crypto_open(const uint8_t key[32], const uint8_t nonce[12], const void *ad, size_t ad_len,
		 const uint8_t *c, size_t c_len, uint8_t *out)
{
	if (c_len < CRYPTO_TAG_LEN)
		return false;
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, c, c_len, ad, ad_len,
						      nonce, key) == 0)
		return true;
	memset(out, 0, c_len - CRYPTO_TAG_LEN);
	return false;
}

void crypto_sign_public(const uint8_t seed[32], uint8_t pk[32])
{
	uint8_t sk[crypto_sign_SECRETKEYBYTES];

	(void)crypto_sign_seed_keypair(pk, sk, seed);
	sodium_memzero(sk, sizeof(sk));
}

/* What is signed: label ‖ extra ‖ hash. */
static size_t signed_text(const char *label, const uint8_t *extra, size_t extra_len,
			  const uint8_t hash[32], uint8_t out[128])
{
	size_t n = strlen(label);

	memcpy(out, label, n);
	if (extra_len > 0)
		memcpy(out + n, extra, extra_len);
	memcpy(out + n + extra_len, hash, 32);
	return n + extra_len + 32;
}

void crypto_sign_hash(const uint8_t seed[32], const char *label, const uint8_t *extra,
		 size_t extra_len, const uint8_t hash[32], uint8_t sig[64])
{
	uint8_t pk[crypto_sign_PUBLICKEYBYTES], sk[crypto_sign_SECRETKEYBYTES], text[128];
	size_t n = signed_text(label, extra, extra_len, hash, text);

	(void)crypto_sign_seed_keypair(pk, sk, seed);
	(void)crypto_sign_detached(sig, NULL, text, n, sk);
	sodium_memzero(sk, sizeof(sk));
}

bool crypto_verify_hash(const uint8_t pk[32], const char *label, const uint8_t *extra,
		   size_t extra_len, const uint8_t hash[32], const uint8_t sig[64])
{
	uint8_t text[128];
	size_t n = signed_text(label, extra, extra_len, hash, text);

	return crypto_sign_verify_detached(sig, text, n, pk) == 0;
}

void crypto_x_public(const uint8_t sk[32], uint8_t pk[32])
{
	(void)crypto_scalarmult_base(pk, sk);
}

bool crypto_x_agree(const uint8_t sk[32], const uint8_t pk[32], uint8_t shared[32])
{
	return crypto_scalarmult(shared, sk, pk) == 0;
}

void crypto_random(void *out, size_t n) { randombytes_buf(out, n); }
void crypto_wipe(void *p, size_t n) { sodium_memzero(p, n); }
bool crypto_equal(const void *a, const void *b, size_t n) { return sodium_memcmp(a, b, n) == 0; }
bool crypto_is_zero(const void *p, size_t n) { return sodium_is_zero(p, n) == 1; }

void *crypto_lock(size_t n, struct err *e)
{
	void *p = sodium_malloc(n);

	if (!p) {
		(void)err_memory(e);
		return NULL;
	}
	memset(p, 0, n);
	return p;
}

void crypto_unlock(void *p) { sodium_free(p); }

uint64_t crypto_short(const uint8_t key[16], const void *p, size_t n)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint64_t v = 0;

	(void)crypto_shorthash(out, p, n, key);
	for (size_t i = 0; i < sizeof(out); i++)
		v |= (uint64_t)out[i] << (8 * i);
	return v;
}

void crypto_hex(const uint8_t *p, size_t n, char *out)
{
	(void)sodium_bin2hex(out, 2 * n + 1, p, n);
}

bool crypto_unhex(const char *hex, uint8_t *out, size_t n)
{
	size_t len = strlen(hex), got = 0;

	if (len != 2 * n || strspn(hex, "0123456789abcdef") != len)
		return false;
	return sodium_hex2bin(out, n, hex, len, NULL, &got, NULL) == 0 && got == n;
}
