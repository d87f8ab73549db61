/* The header of a part: who wrote it, for whom, of what (docs/format.md section 6).
 *
 * Decoding checks all that can be checked without a key; the stream id binds names and
 * host key, the hash hh is what the signed trailer names, so a header is only trusted
 * with its trailer. */
#include "archive/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/tlv.h"
#include "base/err.h"
#include "base/wire.h"

#define HEADER_FIXED 184
#define HEADER_UNIT 4096
#define HEADER_MAX 65536
#define MAC_LEN 32
#define SEGMENT_BITS 14
#define MAX_STANZAS 64
#define TLV_PREDECESSOR 1

static const uint8_t magic[8] = { 0x89, 'V', 'S', 'N', 'A', 0x0d, 0x0a, 0x1a };

void part_header_free(struct part_header *h)
{
	free(h->stanzas);
	h->stanzas = NULL;
	h->n_stanzas = 0;
	bytes_free(&h->tlv);
}

/* ---- encode ---- */

static void fixed_encode(const struct part_header *h, uint8_t p[HEADER_FIXED])
{
	memset(p, 0, HEADER_FIXED);
	memcpy(p, magic, sizeof(magic));
	wire_set16(p + 8, 1);
	wire_set32(p + 12, h->header_len);
	memcpy(p + 16, h->store_id, 16);
	memcpy(p + 32, h->stream.id, 16);
	memcpy(p + 48, h->archive_id, 16);
	wire_set64(p + 64, h->seq);
	wire_set32(p + 72, h->part);
	p[76] = SEGMENT_BITS;
	p[77] = 1;
	p[78] = (uint8_t)h->stream.kind;
	wire_set32(p + 80, h->epoch);
	wire_set16(p + 84, (uint16_t)h->n_stanzas);
	memcpy(p + 88, h->stream.host_pk, 32);
	wire_set64(p + 120, (uint64_t)h->created_ms);
	memcpy(p + 128, h->eph_pk, 32);
	memcpy(p + 160, h->stream.nonce, 16);
	wire_set16(p + 176, (uint16_t)strlen(h->stream.host));
	wire_set16(p + 178, (uint16_t)strlen(h->stream.name));
	wire_set32(p + 180, (uint32_t)h->tlv.len);
}

/* H for what h holds, or 0 if that is over the limits. */
static size_t header_room(const struct part_header *h)
{
	size_t host = strlen(h->stream.host), name = strlen(h->stream.name), n;

	if (h->n_stanzas < 1 || h->n_stanzas > MAX_STANZAS || host < 1 || name < 1 ||
	    h->tlv.len > HEADER_MAX)
		return 0;
	n = HEADER_FIXED + STANZA_LEN * h->n_stanzas + host + name + h->tlv.len + MAC_LEN;
	n = (n + HEADER_UNIT - 1) / HEADER_UNIT * HEADER_UNIT;
	return n > HEADER_MAX ? 0 : n;
}

static void header_hash(const uint8_t *raw, size_t n, uint8_t hash[32])
{
	crypto_b2("vs1.hdrhash", NULL, 0, raw, n, hash, 32);
}

int part_header_encode(struct part_header *h, const uint8_t fk[32], struct bytes *out,
		       struct err *e)
{
	uint8_t fixed[HEADER_FIXED];
	size_t start = out->len, room = header_room(h);
	uint8_t *raw;

	if (room == 0)
		return err_set(
			e, ERR_FAILED,
			"header: does not fit in %d bytes (%zu recipients, at most %d)",
			HEADER_MAX, h->n_stanzas, MAX_STANZAS);
	h->header_len = (uint32_t)room;
	fixed_encode(h, fixed);
	if (bytes_reserve(out, room, e) < 0 ||
	    bytes_append(out, fixed, sizeof(fixed), e) < 0 ||
	    bytes_append(out, h->stanzas, STANZA_LEN * h->n_stanzas, e) < 0 ||
	    bytes_append(out, h->stream.host, strlen(h->stream.host), e) < 0 ||
	    bytes_append(out, h->stream.name, strlen(h->stream.name), e) < 0 ||
	    bytes_append(out, h->tlv.p, h->tlv.len, e) < 0 ||
	    bytes_zero(out, room - (out->len - start), e) < 0)
		return -1;
	raw = out->p + start;
	crypto_b2("vs1.hdrmac", fk, 32, raw, room - MAC_LEN, raw + room - MAC_LEN,
		  MAC_LEN);
	header_hash(raw, room, h->hash);
	return 0;
}

/* ---- decode ---- */

/* Lengths that the fixed fields announce. */
struct lengths {
	size_t stanzas, host, name, tlv;
};

/* The fixed fields; false where one has a value that no header has. */
static bool fixed_decode(struct cursor *c, struct part_header *h, struct lengths *n)
{
	const uint8_t *got = cursor_take(c, sizeof(magic));
	bool known = got && memcmp(got, magic, sizeof(magic)) == 0;
	uint8_t kind;

	known = known && cursor_u16(c) == 1; /* version */
	known = known && cursor_u16(c) == 0; /* flags, all reserved */
	h->header_len = cursor_u32(c);
	cursor_copy(c, h->store_id, 16);
	cursor_copy(c, h->stream.id, 16);
	cursor_copy(c, h->archive_id, 16);
	h->seq = cursor_u64(c);
	h->part = cursor_u32(c);
	known = known && cursor_u8(c) == SEGMENT_BITS;
	known = known && cursor_u8(c) == 1; /* suite */
	kind = cursor_u8(c);
	h->stream.kind = (enum stream_kind)kind;
	cursor_zeros(c, 1);
	h->epoch = cursor_u32(c);
	n->stanzas = cursor_u16(c);
	cursor_zeros(c, 2);
	cursor_copy(c, h->stream.host_pk, 32);
	h->created_ms = (int64_t)cursor_u64(c);
	cursor_copy(c, h->eph_pk, 32);
	cursor_copy(c, h->stream.nonce, 16);
	n->host = cursor_u16(c);
	n->name = cursor_u16(c);
	n->tlv = cursor_u32(c);
	return known && kind >= STREAM_VOLUME && kind <= STREAM_FILE && cursor_ok(c);
}

static bool lengths_fit(const struct part_header *h, const struct lengths *n,
			size_t avail)
{
	return h->header_len >= HEADER_UNIT && h->header_len <= HEADER_MAX &&
	       h->header_len % HEADER_UNIT == 0 && h->header_len <= avail &&
	       h->seq >= 1 && h->part >= 1 && n->stanzas >= 1 &&
	       n->stanzas <= MAX_STANZAS && n->host >= 1 && n->host <= LABEL_MAX &&
	       n->name >= 1 && n->name <= VOLUME_NAME_MAX;
}

/* A string of N bytes into OUT, which has room and gets a NUL; a NUL among them is bad.
 */
static void string_decode(struct cursor *c, char *out, size_t n)
{
	cursor_copy(c, out, n);
	out[n] = '\0';
	if (strlen(out) != n)
		c->bad = true;
}

/* Stanzas, strings, TLVs, zeros: all that lies between the fixed fields and the mac. */
static int rest_decode(struct cursor *c, struct part_header *h, const struct lengths *n,
		       struct err *e)
{
	const uint8_t *tlv, *value;
	size_t len = 0;

	h->stanzas = calloc(n->stanzas, STANZA_LEN);
	if (!h->stanzas)
		return err_memory(e);
	h->n_stanzas = n->stanzas;
	cursor_copy(c, h->stanzas, STANZA_LEN * n->stanzas);
	string_decode(c, h->stream.host, n->host);
	string_decode(c, h->stream.name, n->name);
	tlv = cursor_take(c, n->tlv);
	cursor_zeros(c, c->left);
	if (!cursor_ok(c) || !tlv || !tlv_fits(tlv, n->tlv))
		return err_set(e, ERR_DAMAGED, "header: its fields do not fit");
	value = tlv_find(tlv, n->tlv, TLV_PREDECESSOR, &len);
	if (value && len != 32)
		return err_set(e, ERR_DAMAGED, "header: predecessor of %zu bytes", len);
	return bytes_append(&h->tlv, tlv, n->tlv, e);
}

static int header_decode(const uint8_t *p, size_t n, struct part_header *out,
			 struct err *e)
{
	struct cursor c = cursor_make(p, n < HEADER_FIXED ? 0 : HEADER_FIXED);
	struct lengths len;
	uint8_t id[16];

	if (!fixed_decode(&c, out, &len) || !lengths_fit(out, &len, n))
		return err_set(
			e, ERR_DAMAGED,
			"header: damaged, or of a version that this one cannot read");
	c = cursor_make(p + HEADER_FIXED, out->header_len - HEADER_FIXED - MAC_LEN);
	if (rest_decode(&c, out, &len, e) < 0)
		return -1;
	memcpy(id, out->stream.id, sizeof(id));
	stream_identify(&out->stream);
	if (memcmp(id, out->stream.id, sizeof(id)) != 0)
		return err_set(e, ERR_DAMAGED,
			       "header: stream id is not that of its volume");
	header_hash(p, out->header_len, out->hash);
	return 0;
}

int part_header_decode(const uint8_t *p, size_t n, struct part_header *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (header_decode(p, n, out, e) == 0)
		return 0;
	part_header_free(out);
	return -1;
}

bool part_header_mac_fits(const uint8_t *raw, size_t header_len, const uint8_t fk[32])
{
	uint8_t mac[MAC_LEN];

	if (header_len < HEADER_FIXED + MAC_LEN)
		return false;
	crypto_b2("vs1.hdrmac", fk, 32, raw, header_len - MAC_LEN, mac, sizeof(mac));
	return crypto_equal(mac, raw + header_len - MAC_LEN, sizeof(mac));
}

void part_header_name(const struct part_header *h, bool final, char *out, size_t size)
{
	char id[33];

	crypto_hex(h->archive_id, sizeof(h->archive_id), id);
	if (final)
		(void)snprintf(out, size, "%010llu-%s.vsf", (unsigned long long)h->seq,
			       id);
	else
		(void)snprintf(out, size, "%010llu-%s.%04lu.vsa",
			       (unsigned long long)h->seq, id, (unsigned long)h->part);
}
