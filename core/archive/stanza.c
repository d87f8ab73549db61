/* Stanzas: the file key (for pruners the list key), sealed once to each recipient's
 * X25519 key under an agreed key that depends on archive and stream (docs/format.md
 * section 6).
 *
 * The nonce is zero: a wrapping key comes from an ephemeral key and a recipient, and
 * seals one message. */
#include "archive/part.h"

#include <string.h>

#include "archive/crypto.h"
#include "base/err.h"
#include "base/wire.h"

#define KID_LEN 15
#define SEALED_AT (1 + KID_LEN)
#define AD_LEN (16 + 16 + 16 + 8 + 32) /* header[16..72) ‖ host_pk */

static const uint8_t zero_nonce[12];

_Static_assert(SEALED_AT + 32 + CRYPTO_TAG_LEN == STANZA_LEN, "a stanza's parts");

/* What tells whose stanza it is: role and a hash of the public key. */
static void stanza_head(enum key_role role, const uint8_t pk[32], uint8_t out[SEALED_AT])
{
	out[0] = (uint8_t)role;
	crypto_b2("vs1.kid", NULL, 0, pk, 32, out + 1, KID_LEN);
}

static void stanza_ad(const struct part_header *h, uint8_t ad[AD_LEN])
{
	memcpy(ad, h->store_id, 16);
	memcpy(ad + 16, h->stream.id, 16);
	memcpy(ad + 32, h->archive_id, 16);
	wire_set64(ad + 48, h->seq);
	memcpy(ad + 56, h->stream.host_pk, 32);
}

/* WK of section 6; false where the agreement gives zero. */
static bool wrap_key(const struct part_header *h, enum key_role role,
		     const uint8_t pk[32], const uint8_t sk[32], const uint8_t peer[32],
		     uint8_t wk[32])
{
	uint8_t shared[32], msg[32 + 32 + 16 + 16];
	bool ok = crypto_x_agree(sk, peer, shared);

	memcpy(msg, h->eph_pk, 32);
	memcpy(msg + 32, pk, 32);
	memcpy(msg + 64, h->archive_id, 16);
	memcpy(msg + 80, h->stream.id, 16);
	crypto_b2(role == KEY_PRUNE ? "vs1.wrap.list" : "vs1.wrap", shared, 32, msg,
		  sizeof(msg), wk, 32);
	crypto_wipe(shared, sizeof(shared));
	return ok;
}

int stanza_seal(const struct part_header *h, enum key_role role, const uint8_t pk[32],
		const uint8_t eph_sk[32], const uint8_t payload[32],
		uint8_t out[STANZA_LEN], struct err *e)
{
	uint8_t wk[32], ad[AD_LEN];

	if (!wrap_key(h, role, pk, eph_sk, pk, wk)) {
		crypto_wipe(wk, sizeof(wk));
		return err_set(e, ERR_KEY,
			       "recipient key: not a usable X25519 public key");
	}
	stanza_head(role, pk, out);
	stanza_ad(h, ad);
	crypto_seal(wk, zero_nonce, ad, sizeof(ad), payload, 32, out + SEALED_AT);
	crypto_wipe(wk, sizeof(wk));
	return 0;
}

static bool same_kind(enum key_role asked, uint8_t role)
{
	if (asked == KEY_RECOVERY || asked == KEY_READER)
		return role == KEY_RECOVERY || role == KEY_READER;
	return role == (uint8_t)asked;
}

/* The first stanza of this role and key, or NULL. */
static const uint8_t *stanza_find(const struct part_header *h, enum key_role role,
				  const uint8_t pk[32])
{
	uint8_t head[SEALED_AT];

	stanza_head(role, pk, head);
	for (size_t i = 0; i < h->n_stanzas; i++)
		if (same_kind(role, h->stanzas[i][0]) &&
		    memcmp(h->stanzas[i] + 1, head + 1, KID_LEN) == 0)
			return h->stanzas[i];
	return NULL;
}

bool stanza_is_for(const struct part_header *h, const uint8_t pk[32])
{
	return stanza_find(h, KEY_READER, pk) != NULL;
}

int stanza_open(const struct part_header *h, enum key_role role, const uint8_t sk[32],
		uint8_t payload[32], struct err *e)
{
	uint8_t pk[32], wk[32], ad[AD_LEN];
	const uint8_t *s;
	bool ok;

	crypto_x_public(sk, pk);
	s = stanza_find(h, role, pk);
	if (!s)
		return 1;
	stanza_ad(h, ad);
	ok = wrap_key(h, role, pk, sk, h->eph_pk, wk) &&
	     crypto_open(wk, zero_nonce, ad, sizeof(ad), s + SEALED_AT,
			 STANZA_LEN - SEALED_AT, payload);
	crypto_wipe(wk, sizeof(wk));
	if (!ok)
		return err_set(e, ERR_DAMAGED, "stanza of this key does not open");
	return 0;
}
