/* The descriptor as a value and as bytes (docs/format.md section 3).  Decoding first
 * checks the frame and the signature, and only then looks at what was signed.  Whom to
 * trust is decided in descriptor_store.c. */
#include "archive/descriptor.h"

#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/tlv.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/wire.h"

#define MAGIC "VSREPO1" /* and its NUL */
#define VERSION 1
#define SUITE 1
#define HEAD_LEN 112
#define AUTHORITY_AT 72
#define GRANT_LEN 168
#define LABEL_LEN 64
#define GRANTS_MAX                                                                       \
	((DESCRIPTOR_LEN_MAX - HEAD_LEN - 4 - CRYPTO_SIG_LEN) /                          \
	 GRANT_LEN) /* without TLVs */

void descriptor_free(struct descriptor *d)
{
	free(d->grants);
	*d = (struct descriptor)DESCRIPTOR_EMPTY;
}

static bool role_signs(unsigned role) { return role == KEY_HOST || role == KEY_PRUNE; }
static bool role_seals(unsigned role) { return role != KEY_HOST; }

/* A key is there exactly where its role needs one. */
static bool key_fits(const uint8_t pk[32], bool needed)
{
	return crypto_is_zero(pk, 32) != needed;
}

static bool grant_fits(const struct grant *g)
{
	return g->role >= KEY_HOST && g->role <= KEY_PRUNE &&
	       key_fits(g->sign_pk, role_signs(g->role)) &&
	       key_fits(g->seal_pk, role_seals(g->role)) &&
	       (g->one_host || crypto_is_zero(g->scope_host, 32)) &&
	       strnlen(g->label, sizeof(g->label)) <= LABEL_MAX;
}

int descriptor_add(struct descriptor *d, const struct grant *g, struct err *e)
{
	struct grant *more;

	if (!grant_fits(g))
		return err_set(e, ERR_FAILED,
			       "descriptor: keys, scope and role of the grant "
			       "do not fit each other");
	if (d->n_grants >= GRANTS_MAX)
		return err_set(e, ERR_REFUSED,
			       "descriptor: full, it has room for %d grants", GRANTS_MAX);
	more = reallocarray(d->grants, d->n_grants + 1, sizeof(*more));
	if (!more)
		return err_memory(e);
	d->grants = more;
	d->grants[d->n_grants++] = *g;
	return 0;
}

size_t descriptor_remove(struct descriptor *d, enum key_role role, const uint8_t host[32])
{
	size_t kept = 0, before = d->n_grants;

	for (size_t i = 0; i < before; i++) {
		const struct grant *g = &d->grants[i];

		if (g->role != role || !g->one_host ||
		    memcmp(g->scope_host, host, 32) != 0)
			d->grants[kept++] = *g;
	}
	d->n_grants = kept;
	return before - kept;
}

const struct grant *descriptor_host(const struct descriptor *d, const uint8_t host_pk[32])
{
	for (size_t i = 0; i < d->n_grants; i++)
		if (d->grants[i].role == KEY_HOST &&
		    memcmp(d->grants[i].sign_pk, host_pk, 32) == 0)
			return &d->grants[i];
	return NULL;
}

const struct grant *descriptor_label(const struct descriptor *d, const char *label)
{
	for (size_t i = 0; i < d->n_grants; i++)
		if (d->grants[i].role == KEY_HOST &&
		    strcmp(d->grants[i].label, label) == 0)
			return &d->grants[i];
	return NULL;
}

/* ---- encoding ---- */

static int put_head(const struct descriptor *d, size_t len, struct bytes *out,
		    struct err *e)
{
	uint8_t head[HEAD_LEN] = MAGIC;

	wire_set16(head + 8, VERSION);
	head[10] = SUITE;
	wire_set32(head + 12, (uint32_t)len);
	wire_set32(head + 16, d->epoch);
	memcpy(head + 24, d->store_id, sizeof(d->store_id));
	memcpy(head + 40, d->previous, sizeof(d->previous));
	memcpy(head + 72, d->authority, sizeof(d->authority));
	wire_set16(head + 104, (uint16_t)d->n_grants);
	return bytes_append(out, head, sizeof(head), e);
}

static int put_grant(const struct grant *g, struct bytes *out, struct err *e)
{
	uint8_t raw[GRANT_LEN] = { (uint8_t)g->role, g->one_host };
	size_t len = strnlen(g->label, LABEL_MAX);

	raw[2] = (uint8_t)len;
	memcpy(raw + 8, g->sign_pk, 32);
	memcpy(raw + 40, g->seal_pk, 32);
	memcpy(raw + 72, g->scope_host, 32);
	memcpy(raw + 104, g->label, len);
	return bytes_append(out, raw, sizeof(raw), e);
}

/* The caller names no authority, or the one whose seed this is. */
static int settle_authority(struct descriptor *d, const struct secret *seed,
			    struct err *e)
{
	uint8_t pk[32];

	crypto_sign_public(seed->b, pk);
	if (!crypto_is_zero(d->authority, 32) && memcmp(d->authority, pk, 32) != 0)
		return err_set(e, ERR_KEY, "this is not the recovery key of this store");
	memcpy(d->authority, pk, 32);
	return 0;
}

static int check_content(const struct descriptor *d, struct err *e)
{
	bool fits = d->epoch >= 1 && (d->epoch > 1 || crypto_is_zero(d->previous, 32)) &&
		    d->n_grants <= GRANTS_MAX;

	for (size_t i = 0; fits && i < d->n_grants; i++)
		fits = grant_fits(&d->grants[i]);
	return fits ? 0
		    : err_set(e, ERR_FAILED, "descriptor: cannot be written as it is");
}

int descriptor_encode(struct descriptor *d, const struct secret *authority_seed,
		      struct bytes *out, struct err *e)
{
	uint8_t sig[CRYPTO_SIG_LEN];
	size_t start = out->len;
	size_t signed_len = HEAD_LEN + d->n_grants * GRANT_LEN + 4;

	if (check_content(d, e) < 0 || settle_authority(d, authority_seed, e) < 0 ||
	    put_head(d, signed_len + CRYPTO_SIG_LEN, out, e) < 0)
		return -1;
	for (size_t i = 0; i < d->n_grants; i++)
		if (put_grant(&d->grants[i], out, e) < 0)
			return -1;
	if (wire_put32(out, 0, e) < 0) /* no TLVs */
		return -1;
	crypto_b2("vs1.repo", NULL, 0, out->p + start, signed_len, d->hash,
		  sizeof(d->hash));
	crypto_sign_hash(authority_seed->b, "vs1.repo", NULL, 0, d->hash, sig);
	return bytes_append(out, sig, sizeof(sig), e);
}

/* ---- decoding ---- */

static int damaged(const char *what, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "damaged descriptor: %s", what);
}

/* The fixed head; what lies after it is left to the cursor. */
static int get_head(struct cursor *c, size_t n, struct descriptor *d, size_t *n_grants,
		    struct err *e)
{
	uint8_t magic[8];
	uint32_t len;

	cursor_copy(c, magic, sizeof(magic));
	if (memcmp(magic, MAGIC, sizeof(magic)) != 0)
		return damaged("not a descriptor", e);
	if (cursor_u16(c) != VERSION || cursor_u8(c) != SUITE)
		return err_set(e, ERR_DAMAGED,
			       "descriptor of a version that this volsnap does "
			       "not know");
	cursor_zeros(c, 1);
	len = cursor_u32(c);
	d->epoch = cursor_u32(c);
	cursor_zeros(c, 4);
	cursor_copy(c, d->store_id, sizeof(d->store_id));
	cursor_copy(c, d->previous, sizeof(d->previous));
	cursor_copy(c, d->authority, sizeof(d->authority));
	*n_grants = cursor_u16(c);
	cursor_zeros(c, 6);
	if (!cursor_ok(c) || len != n)
		return damaged("head or length", e);
	if (d->epoch == 0 || (d->epoch == 1 && !crypto_is_zero(d->previous, 32)))
		return damaged("epoch", e);
	return 0;
}

static bool get_grant(struct cursor *c, struct grant *g)
{
	char label[LABEL_LEN];
	unsigned role = cursor_u8(c), scope = cursor_u8(c);
	size_t len = cursor_u8(c);

	cursor_zeros(c, 5);
	cursor_copy(c, g->sign_pk, 32);
	cursor_copy(c, g->seal_pk, 32);
	cursor_copy(c, g->scope_host, 32);
	cursor_copy(c, label, sizeof(label));
	if (!cursor_ok(c) || scope > 1 || strnlen(label, sizeof(label)) != len ||
	    !crypto_is_zero(label + len, sizeof(label) - len))
		return false;
	g->role = (enum key_role)role;
	g->one_host = scope == 1;
	memcpy(g->label, label, sizeof(g->label));
	return grant_fits(g);
}

static int get_grants(struct cursor *c, size_t n, struct descriptor *d, struct err *e)
{
	if (n > c->left / GRANT_LEN)
		return damaged("number of grants", e);
	d->grants = calloc(n ? n : 1, sizeof(*d->grants));
	if (!d->grants)
		return err_memory(e);
	for (; d->n_grants < n; d->n_grants++)
		if (!get_grant(c, &d->grants[d->n_grants]))
			return damaged("a grant", e);
	return 0;
}

static int get_tlvs(struct cursor *c, struct err *e)
{
	size_t len = cursor_u32(c);
	const uint8_t *p = cursor_take(c, len);

	if (!p || !cursor_done(c))
		return damaged("lengths do not add up", e);
	return tlv_fits(p, len) ? 0 : damaged("an extension this volsnap must know", e);
}

bool descriptor_signed(const uint8_t *p, size_t n, const uint8_t authority[32])
{
	uint8_t hash[32];

	if (n < HEAD_LEN + CRYPTO_SIG_LEN || n > DESCRIPTOR_LEN_MAX ||
	    memcmp(p, MAGIC, sizeof(MAGIC)) != 0 || p[10] != SUITE ||
	    (authority && memcmp(p + AUTHORITY_AT, authority, 32) != 0))
		return false;
	crypto_b2("vs1.repo", NULL, 0, p, n - CRYPTO_SIG_LEN, hash, sizeof(hash));
	return crypto_verify_hash(p + AUTHORITY_AT, "vs1.repo", NULL, 0, hash,
				  p + n - CRYPTO_SIG_LEN);
}

int descriptor_decode(const uint8_t *p, size_t n, struct descriptor *out, struct err *e)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	struct cursor c;
	size_t n_grants = 0;

	if (n < HEAD_LEN + 4 + CRYPTO_SIG_LEN || n > DESCRIPTOR_LEN_MAX)
		return damaged("length", e);
	c = cursor_make(p, n - CRYPTO_SIG_LEN);
	if (get_head(&c, n, &d, &n_grants, e) < 0)
		return -1;
	crypto_b2("vs1.repo", NULL, 0, p, n - CRYPTO_SIG_LEN, d.hash, sizeof(d.hash));
	if (!crypto_verify_hash(d.authority, "vs1.repo", NULL, 0, d.hash,
				p + n - CRYPTO_SIG_LEN))
		return damaged("its signature does not fit", e);
	if (get_grants(&c, n_grants, &d, e) < 0 || get_tlvs(&c, e) < 0)
		return -1;
	*out = d;
	d = (struct descriptor)DESCRIPTOR_EMPTY; /* given away */
	return 0;
}
