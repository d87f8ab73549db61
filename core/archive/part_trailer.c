/* The trailer of a part: a hash for every segment and the header, in the last part also
 * what the snapshot consists of and rests on, signed by the host (docs/format.md section
 * 8).
 *
 * Decoding checks footer, hash and signature first; only then the fields are looked at,
 * and no count is believed that does not fit the bytes there are. */
#include "archive/part.h"

#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/tlv.h"
#include "base/err.h"
#include "base/wire.h"

#define FLAG_FINAL 1u
#define FLAG_PARTIAL 2u
#define FOOTER_LEN 40
#define TRAILER_FIXED 56
#define TRAILER_UNIT 4096
#define TRAILER_MAX ((size_t)4 << 20)
#define DEPS_MAX UINT16_MAX
#define DEP_LEN 64

static const char magic[8] = { 'V', 'S', 'T', 'R', 'A', 'I', 'L', '1' };
static const char footer_end[4] = { 'V', 'E', 'N', 'D' };

void part_trailer_free(struct part_trailer *t)
{
	free(t->slots);
	free(t->parts);
	free(t->deps);
	t->slots = NULL;
	t->parts = NULL;
	t->deps = NULL;
	bytes_free(&t->tlv);
}

static void trailer_hash(const uint8_t *raw, size_t signed_len, uint8_t hash[32])
{
	crypto_b2("vs1.trailer", NULL, 0, raw, signed_len, hash, 32);
}

static size_t trailer_room(size_t len)
{
	return (len + FOOTER_LEN + TRAILER_UNIT - 1) / TRAILER_UNIT * TRAILER_UNIT;
}

/* ---- the chain ---- */

/* Hash of all that lies before the chain field. */
static void chain_body(const uint8_t *raw, size_t n, uint8_t out[32])
{
	crypto_b2("vs1.chain", NULL, 0, raw, n, out, 32);
}

static void chain_make(const uint8_t parent_chain[32], const uint8_t body[32],
		       uint8_t out[32])
{
	uint8_t msg[64];

	memcpy(msg, parent_chain, 32);
	memcpy(msg + 32, body, 32);
	crypto_b2("vs1.chain", NULL, 0, msg, sizeof(msg), out, 32);
}

bool part_trailer_chain_fits(const struct part_trailer *t, const uint8_t parent_chain[32])
{
	uint8_t want[32];

	chain_make(parent_chain, t->body_hash, want);
	return memcmp(want, t->chain, sizeof(want)) == 0;
}

/* ---- encode ---- */

static int archive_encode(const struct archive_id *a, bool there, struct bytes *out,
			  struct err *e)
{
	static const struct archive_id none;
	const struct archive_id *x = there ? a : &none;

	if (bytes_append(out, x->id, 16, e) < 0 || wire_put64(out, x->seq, e) < 0)
		return -1;
	return bytes_append(out, x->trailer_hash, 32, e);
}

static int dep_encode(const struct dependency *d, struct bytes *out, struct err *e)
{
	if (wire_put64(out, d->archive.seq, e) < 0 ||
	    bytes_append(out, d->archive.id, 16, e) < 0 ||
	    bytes_append(out, d->archive.trailer_hash, 32, e) < 0)
		return -1;
	return wire_put64(out, d->live, e);
}

static int deps_encode(const struct part_trailer *t, struct bytes *out, struct err *e)
{
	if (wire_put16(out, (uint16_t)t->n_deps, e) < 0)
		return -1;
	for (size_t i = 0; i < t->n_deps; i++)
		if (dep_encode(&t->deps[i], out, e) < 0)
			return -1;
	return 0;
}

/* L, which chain and hash cover, so that it must be there before they are made. */
static void length_set(struct bytes *out, size_t start, size_t len)
{
	wire_set32(out->p + start + 8, (uint32_t)len);
}

/* What only the last part has, up to and with the chain; the trailer began at START. */
static int final_encode(struct part_trailer *t, const uint8_t parent_chain[32],
			size_t start, struct bytes *out, struct err *e)
{
	if (wire_put32(out, t->n_parts, e) < 0 ||
	    bytes_append(out, t->parts, (size_t)32 * (t->n_parts - 1), e) < 0 ||
	    archive_encode(&t->parent, t->has_parent, out, e) < 0 ||
	    wire_put64(out, t->root_offset, e) < 0 || deps_encode(t, out, e) < 0 ||
	    bytes_append(out, t->summary, sizeof(t->summary), e) < 0 ||
	    wire_put32(out, (uint32_t)t->tlv.len, e) < 0 ||
	    bytes_append(out, t->tlv.p, t->tlv.len, e) < 0)
		return -1;
	length_set(out, start, out->len - start + sizeof(t->chain) + CRYPTO_SIG_LEN);
	chain_body(out->p + start, out->len - start, t->body_hash);
	chain_make(parent_chain, t->body_hash, t->chain);
	return bytes_append(out, t->chain, 32, e);
}

static int fixed_encode(const struct part_trailer *t, struct bytes *out, struct err *e)
{
	uint8_t p[TRAILER_FIXED] = { 0 };

	memcpy(p, magic, sizeof(magic)); /* L comes with length_set */
	wire_set32(p + 12, (t->final ? FLAG_FINAL : 0) | (t->partial ? FLAG_PARTIAL : 0));
	wire_set32(p + 16, t->n_segments);
	wire_set32(p + 20, t->n_segments);
	memcpy(p + 24, t->header_hash, 32);
	if (bytes_append(out, p, sizeof(p), e) < 0)
		return -1;
	return bytes_append(out, t->slots, (size_t)16 * t->n_segments, e);
}

/* Length, hash, signature, footer around the BODY bytes that begin at START. */
static int trailer_seal(struct part_trailer *t, const uint8_t store_id[16],
			const struct secret *host, size_t start, struct bytes *out,
			struct err *e)
{
	size_t body = out->len - start, room = trailer_room(body + CRYPTO_SIG_LEN);
	uint8_t *raw, *footer;

	if (room > TRAILER_MAX)
		return err_set(e, ERR_FAILED, "trailer: %zu bytes, over the limit of %zu",
			       room, TRAILER_MAX);
	if (bytes_zero(out, room - body, e) < 0)
		return -1;
	raw = out->p + start;
	length_set(out, start, body + CRYPTO_SIG_LEN);
	trailer_hash(raw, body, t->hash);
	crypto_sign_hash(host->b, "vs1.trailer", store_id, 16, t->hash, raw + body);
	footer = raw + room - FOOTER_LEN;
	memcpy(footer, t->hash, 32);
	wire_set32(footer + 32, (uint32_t)room);
	memcpy(footer + 36, footer_end, sizeof(footer_end));
	t->trailer_len = (uint32_t)room;
	return 0;
}

int part_trailer_encode(struct part_trailer *t, const uint8_t store_id[16],
			const uint8_t parent_chain[32], const struct secret *host,
			struct bytes *out, struct err *e)
{
	size_t start = out->len;

	if (t->n_segments < 1 || t->n_segments > TRAILER_MAX / 16 ||
	    (t->final && (t->n_parts < 1 || t->n_parts > TRAILER_MAX / 32)) ||
	    t->n_deps > DEPS_MAX || t->tlv.len > TRAILER_MAX)
		return err_set(e, ERR_FAILED, "trailer: its counts are over the limits");
	if (fixed_encode(t, out, e) < 0 ||
	    (t->final && final_encode(t, parent_chain, start, out, e) < 0))
		return -1;
	return trailer_seal(t, store_id, host, start, out, e);
}

/* ---- decode ---- */

/* N items of SIZE bytes each, copied to memory that *OUT (a pointer) gets; bad where they
 * do not fit, which is known before memory is asked for. */
static int array_decode(struct cursor *c, size_t n, size_t size, void *out, struct err *e)
{
	const uint8_t *from;
	void *p;

	if (n > c->left / size) {
		c->bad = true;
		return 0;
	}
	from = cursor_take(c, n * size);
	if (!from || n == 0)
		return 0;
	p = malloc(n * size);
	if (!p)
		return err_memory(e);
	memcpy(p, from, n * size);
	memcpy(out, &p, sizeof(p));
	return 0;
}

static void parent_decode(struct cursor *c, struct part_trailer *t)
{
	static const struct archive_id none;
	struct archive_id *a = &t->parent;

	cursor_copy(c, a->id, 16);
	a->seq = cursor_u64(c);
	cursor_copy(c, a->trailer_hash, 32);
	t->has_parent = a->seq > 0;
	if (!t->has_parent && (memcmp(a->id, none.id, 16) != 0 ||
			       memcmp(a->trailer_hash, none.trailer_hash, 32) != 0))
		c->bad = true;
}

static int deps_decode(struct cursor *c, struct part_trailer *t, struct err *e)
{
	size_t n = cursor_u16(c);
	uint64_t before = 0;

	if (!cursor_ok(c) || n > c->left / DEP_LEN) {
		c->bad = true;
		return 0;
	}
	t->deps = n ? calloc(n, sizeof(*t->deps)) : NULL;
	if (n && !t->deps)
		return err_memory(e);
	t->n_deps = n;
	for (size_t i = 0; i < n; i++) {
		struct dependency *d = &t->deps[i];

		d->archive.seq = cursor_u64(c);
		cursor_copy(c, d->archive.id, 16);
		cursor_copy(c, d->archive.trailer_hash, 32);
		d->live = cursor_u64(c);
		if (d->archive.seq <= before)
			c->bad = true; /* not in order, or twice */
		before = d->archive.seq;
	}
	return 0;
}

/* RAW is where the cursor's bytes begin. */
static int final_decode(struct cursor *c, const uint8_t *raw, struct part_trailer *t,
			struct err *e)
{
	const uint8_t *tlv;
	uint32_t tlv_len;

	t->n_parts = cursor_u32(c);
	if (t->n_parts < 1) {
		c->bad = true;
		return 0;
	}
	if (array_decode(c, t->n_parts - 1, 32, &t->parts, e) < 0)
		return -1;
	parent_decode(c, t);
	t->root_offset = cursor_u64(c);
	if (deps_decode(c, t, e) < 0)
		return -1;
	cursor_copy(c, t->summary, sizeof(t->summary));
	tlv_len = cursor_u32(c);
	tlv = cursor_take(c, tlv_len);
	if (!tlv || !tlv_fits(tlv, tlv_len)) {
		c->bad = true;
		return 0;
	}
	chain_body(raw, (size_t)(c->p - raw), t->body_hash);
	cursor_copy(c, t->chain, 32);
	return bytes_append(&t->tlv, tlv, tlv_len, e);
}

/* The N bytes that are signed, which were found authentic. */
static int body_decode(const uint8_t *p, size_t n, struct part_trailer *t, struct err *e)
{
	struct cursor c = cursor_make(p, n);
	uint32_t flags;

	(void)cursor_take(&c, 12); /* magic and length */
	flags = cursor_u32(&c);
	t->final = flags & FLAG_FINAL;
	t->partial = flags & FLAG_PARTIAL;
	t->n_segments = cursor_u32(&c);
	if ((flags & ~(FLAG_FINAL | FLAG_PARTIAL)) || t->n_segments < 1 ||
	    cursor_u32(&c) != t->n_segments)
		c.bad = true;
	cursor_copy(&c, t->header_hash, 32);
	if (array_decode(&c, t->n_segments, 16, &t->slots, e) < 0 ||
	    (t->final && final_decode(&c, p, t, e) < 0))
		return -1;
	if (!cursor_done(&c))
		return err_set(e, ERR_DAMAGED, "trailer: its fields do not fit");
	return 0;
}

/* The length L if magic, lengths, zeros, footer and hash fit, else 0; *hash is set then.
 */
static size_t frame_check(const uint8_t *p, size_t n, uint8_t hash[32])
{
	struct cursor gap;
	const uint8_t *footer;
	size_t len;

	if (n < TRAILER_UNIT || n > TRAILER_MAX || memcmp(p, magic, sizeof(magic)) != 0)
		return 0;
	len = wire_get32(p + 8);
	footer = p + n - FOOTER_LEN;
	if (len < TRAILER_FIXED + CRYPTO_SIG_LEN || len > n - FOOTER_LEN ||
	    trailer_room(len) != n || wire_get32(footer + 32) != n ||
	    memcmp(footer + 36, footer_end, sizeof(footer_end)) != 0)
		return 0;
	gap = cursor_make(p + len, n - FOOTER_LEN - len);
	cursor_zeros(&gap, gap.left);
	trailer_hash(p, len - CRYPTO_SIG_LEN, hash);
	return cursor_done(&gap) && memcmp(hash, footer, 32) == 0 ? len : 0;
}

int part_trailer_decode(const uint8_t *p, size_t n, const uint8_t store_id[16],
			const uint8_t host_pk[32], struct part_trailer *out,
			struct err *e)
{
	size_t len;

	memset(out, 0, sizeof(*out));
	len = frame_check(p, n, out->hash);
	if (len == 0)
		return err_set(e, ERR_DAMAGED, "trailer: damaged");
	if (!crypto_verify_hash(host_pk, "vs1.trailer", store_id, 16, out->hash,
				p + len - CRYPTO_SIG_LEN))
		return err_set(e, ERR_DAMAGED, "trailer: signature is not the host's");
	out->trailer_len = (uint32_t)n;
	if (body_decode(p, len - CRYPTO_SIG_LEN, out, e) == 0)
		return 0;
	part_trailer_free(out);
	return -1;
}
