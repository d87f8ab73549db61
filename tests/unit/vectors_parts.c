/* Vectors of parts: header, stanzas, segments, trailer; and of the descriptor. */
#include "vectors_kit.h"

#include "archive/envelope.h"
#include "base/wire.h"
#include "part_kit.h"

/* Padding. */
void vectors_padme(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("padme", i, v)
	{
		assert_int_equal(part_padme(number(v, "n")), number(v, "padded"));
	}
}

/* ---- headers ---- */

/* File keys. */
void vectors_file_keys(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("file_key", i, v)
	{
		struct part_header h = { .seq = number(v, "seq") };
		struct secret *host = secret_of(v, "H");
		uint8_t random[32], fk[32];

		copy_of(v, "random", random, 32);
		copy_of(v, "stream_id", h.stream.id, 16);
		copy_of(v, "archive_id", h.archive_id, 16);
		envelope_file_key(&h, host, random, fk);
		same(v, "hex", fk, 32);
		secret_free(host);
	}
}

/* A stanza is sealed to these bytes, and the recipient's secret opens it. */
void vectors_stanzas(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("stanza", i, v)
	{
		struct part_header h = { .seq = number(v, "seq") };
		enum key_role role = (enum key_role)number(v, "role");
		uint8_t pk[32], sk[32], eph[32], m[32], got[32], out[1][STANZA_LEN];
		struct err e = ERR_EMPTY;

		copy_of(v, "store_id", h.store_id, 16);
		copy_of(v, "stream_id", h.stream.id, 16);
		copy_of(v, "archive_id", h.archive_id, 16);
		copy_of(v, "host_pk", h.stream.host_pk, 32);
		copy_of(v, "eph_pk", h.eph_pk, 32);
		copy_of(v, "eph_sk", eph, 32);
		copy_of(v, "recipient_pk", pk, 32);
		copy_of(v, "recipient_sk", sk, 32);
		copy_of(v, "m", m, 32);
		assert_int_equal(stanza_seal(&h, role, pk, eph, m, out[0], &e), 0);
		same(v, "hex", out[0], STANZA_LEN);
		h.n_stanzas = 1;
		h.stanzas = out;
		assert_int_equal(stanza_open(&h, role, sk, got, &e), 0);
		assert_memory_equal(got, m, 32);
	}
}

static void header_fill(json_t *v, struct part_header *h)
{
	json_t *list = list_of(v, "stanzas");
	struct err e = ERR_EMPTY;
	auto_bytes struct bytes tlv = bytes_of(v, "tlvs");

	*h = (struct part_header){ .seq = number(v, "seq"),
				   .part = (uint32_t)number(v, "part"),
				   .epoch = (uint32_t)number(v, "epoch"),
				   .created_ms = (int64_t)number(v, "created") };
	h->stream.kind = (enum stream_kind)number(v, "kind");
	copy_of(v, "store_id", h->store_id, 16);
	copy_of(v, "stream_id", h->stream.id, 16);
	copy_of(v, "archive_id", h->archive_id, 16);
	copy_of(v, "host_pk", h->stream.host_pk, 32);
	copy_of(v, "eph_pk", h->eph_pk, 32);
	copy_of(v, "nonce", h->stream.nonce, 16);
	string_of(v, "host", h->stream.host, sizeof(h->stream.host));
	string_of(v, "volume", h->stream.name, sizeof(h->stream.name));
	assert_int_equal(bytes_append(&h->tlv, tlv.p, tlv.len, &e), 0);
	h->n_stanzas = json_array_size(list);
	h->stanzas = calloc(h->n_stanzas, STANZA_LEN);
	assert_non_null(h->stanzas);
	for (size_t i = 0; i < h->n_stanzas; i++)
		copy_item(list, i, h->stanzas[i], STANZA_LEN);
}

/* A header is encoded to these bytes, with this hash; it decodes to what it is made of,
 * and the mac fits. */
void vectors_headers(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("header", i, v)
	{
		auto_header struct part_header h, got;
		auto_bytes struct bytes raw = BYTES_EMPTY;
		struct err e = ERR_EMPTY;
		uint8_t fk[32];

		header_fill(v, &h);
		copy_of(v, "fk", fk, 32);
		assert_int_equal(part_header_encode(&h, fk, &raw, &e), 0);
		assert_int_equal(raw.len, number(v, "H"));
		same(v, "hex", raw.p, raw.len);
		same(v, "hh", h.hash, 32);
		assert_int_equal(part_header_decode(raw.p, raw.len, &got, &e), 0);
		same(v, "hh", got.hash, 32);
		same(v, "tlvs", got.tlv.p, got.tlv.len);
		assert_int_equal(got.created_ms, h.created_ms);
		assert_true(part_header_mac_fits(raw.p, raw.len, fk));
		same(v, "mac", raw.p + raw.len - 32, 32);
	}
}

/* ---- segments ---- */

/* Write a part of one record with the header of V; its bytes. */
static struct bytes part_of(json_t *v, const struct secret *host)
{
	struct bytes raw = BYTES_EMPTY;
	auto_part struct kit_part p = { .t = { .final = false } };
	struct err e = ERR_EMPTY;
	size_t len = 77;
	uint64_t offset;
	char path[600];

	header_fill(v, &p.h);
	copy_of(v, "fk", kit.fk, 32);
	kit_part_write(&p, &len, 1, &offset, host);
	(void)snprintf(path, sizeof(path), "%s/%s", kit.location, p.name);
	assert_int_equal(file_load(AT_FDCWD, path, 1 << 20, &raw, &e), 0);
	return raw;
}

/* The first segment of a part with such a header, which is also its last, is sealed under
 * this payload key. */
void vectors_segments(void **state)
{
	static const uint8_t nonce[12] = { [8] = 1 };
	size_t i;
	json_t *v;

	assert_int_equal(kit_store_setup(state), 0);
	each_case("header", i, v)
	{
		struct secret *host = secret_of(v, "host_seed");
		auto_bytes struct bytes raw = part_of(v, host);
		static uint8_t plain[2 + SEGMENT_PAYLOAD];
		uint8_t key[32], pk[32];

		crypto_sign_public(host->b, pk);
		same(v, "host_pk", pk, 32);
		same(v, "hex", raw.p, number(v, "H"));
		copy_of(v, "payload_key", key, 32);
		assert_true(crypto_open(key, nonce, NULL, 0, raw.p + number(v, "H"),
					SEGMENT_LEN, plain));
		assert_int_equal(wire_get16(plain), 0);
		assert_int_equal(plain[2], RECORD_BODY);
		assert_int_equal(wire_get32(plain + 2 + 4), 77);
		assert_int_equal(plain[2 + RECORD_HEAD_LEN + 76], kit_byte(0, 76));
		secret_free(host);
	}
	assert_int_equal(kit_teardown(state), 0);
}

/* ---- trailers ---- */

static struct summary summary_of(json_t *v)
{
	return (struct summary){
		.time_ms = (int64_t)number(v, "time"),
		.day = (int64_t)number(v, "day"),
		.level = (uint8_t)number(v, "level"),
		.grade = (uint8_t)number(v, "grade"),
		.unreadable = (uint32_t)number(v, "unreadable"),
		.changed_entries = (uint32_t)number(v, "changed_entries"),
		.entries = number(v, "entries"),
		.bytes = number(v, "bytes"),
		.new_bytes = number(v, "new_bytes"),
		.reemitted = number(v, "reemitted"),
		.changed_bytes = digits(v, "changed_bytes"),
	};
}

/* The list key of the vectors' stream: what their stanza for a pruner holds. */
static void list_key_of(uint8_t out[32])
{
	size_t i;
	json_t *v;

	each_case("stanza", i, v)
	{
		if (number(v, "role") == KEY_PRUNE) {
			copy_of(v, "m", out, 32);
			return;
		}
	}
	fail_msg("no stanza for a pruner");
}

/* A summary is sealed to these bytes, and what they open to is sealed to them again; the
 * key is the one that a header's hash and the list key give. */
void vectors_summaries(void **state)
{
	static const uint8_t zero_nonce[12];
	uint8_t list_key[32], hh[32], sk[32], sealed[SUMMARY_LEN + 16];
	uint8_t plain[SUMMARY_LEN];
	struct err e = ERR_EMPTY;
	struct summary s, got;
	size_t i;
	json_t *v;

	(void)state;
	each_case("summary", i, v)
	{
		s = summary_of(v);
		copy_of(v, "list_key", list_key, 32);
		copy_of(v, "hh", hh, 32);
		summary_seal(&s, list_key, hh, sealed);
		same(v, "hex", sealed, sizeof(sealed));
		assert_int_equal(summary_open(sealed, list_key, hh, &got, &e), 0);
		summary_seal(&got, list_key, hh, sealed);
		same(v, "hex", sealed, sizeof(sealed));
	}
	each_case("header", i, v)
	{
		list_key_of(list_key);
		copy_of(v, "hh", hh, 32);
		copy_of(v, "summary_key", sk, 32);
		summary_seal(&s, list_key, hh, sealed);
		assert_true(crypto_open(sk, zero_nonce, NULL, 0, sealed, sizeof(sealed),
					plain));
	}
}

/* The chain of a trailer with its parent's. */
void vectors_chains(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("chain", i, v)
	{
		auto_bytes struct bytes body = bytes_of(v, "trailer_bytes");
		struct part_trailer t = { .final = true };
		uint8_t parent[32];

		copy_of(v, "parent_chain", parent, 32);
		copy_of(v, "chain", t.chain, 32);
		crypto_b2("vs1.chain", NULL, 0, body.p, body.len, t.body_hash, 32);
		assert_true(part_trailer_chain_fits(&t, parent));
		parent[0] ^= 1;
		assert_false(part_trailer_chain_fits(&t, parent));
	}
}

/* Hash and signature, of a trailer and of a descriptor. */
void vectors_signatures(void **state)
{
	uint8_t seed[32], pk[32], id[16], hash[32], sig[64];
	size_t i;
	json_t *v;

	(void)state;
	each_case("trailer_signature", i, v)
	{
		auto_bytes struct bytes body = bytes_of(v, "trailer_bytes");

		copy_of(v, "H", seed, 32);
		copy_of(v, "store_id", id, 16);
		crypto_b2("vs1.trailer", NULL, 0, body.p, body.len, hash, 32);
		same(v, "hash", hash, 32);
		crypto_sign_hash(seed, "vs1.trailer", id, 16, hash, sig);
		same(v, "signature", sig, 64);
		crypto_sign_public(seed, pk);
		assert_true(crypto_verify_hash(pk, "vs1.trailer", id, 16, hash, sig));
	}
	each_case("descriptor_signature", i, v)
	{
		auto_bytes struct bytes body = bytes_of(v, "descriptor_bytes");

		copy_of(v, "authority_seed", seed, 32);
		crypto_b2("vs1.repo", NULL, 0, body.p, body.len, hash, 32);
		same(v, "hash", hash, 32);
		crypto_sign_hash(seed, "vs1.repo", NULL, 0, hash, sig);
		same(v, "signature", sig, 64);
		crypto_sign_public(seed, pk);
		assert_true(crypto_verify_hash(pk, "vs1.repo", NULL, 0, hash, sig));
	}
}

static void archive_fill(json_t *v, struct archive_id *a)
{
	copy_of(v, "archive_id", a->id, 16);
	a->seq = number(v, "seq");
	copy_of(v, "trailer_hash", a->trailer_hash, 32);
}

static void final_fill(json_t *v, struct part_trailer *t)
{
	json_t *parts = list_of(v, "parts"), *deps = list_of(v, "dependencies");
	auto_bytes struct bytes tlv = bytes_of(v, "tlvs");
	struct err e = ERR_EMPTY;

	t->n_parts = (uint32_t)json_array_size(parts) + 1;
	t->parts = calloc(t->n_parts, 32);
	t->n_deps = json_array_size(deps);
	t->deps = calloc(t->n_deps + 1, sizeof(*t->deps));
	assert_true(t->parts && t->deps);
	for (size_t i = 0; i + 1 < t->n_parts; i++)
		copy_item(parts, i, t->parts[i], 32);
	for (size_t i = 0; i < t->n_deps; i++) {
		archive_fill(json_array_get(deps, i), &t->deps[i].archive);
		t->deps[i].live = number(json_array_get(deps, i), "live");
	}
	archive_fill(json_object_get(v, "parent"), &t->parent);
	t->has_parent = t->parent.seq > 0;
	t->root_offset = number(v, "root_offset");
	copy_of(v, "summary", t->summary, sizeof(t->summary));
	assert_int_equal(bytes_append(&t->tlv, tlv.p, tlv.len, &e), 0);
}

static void trailer_fill(json_t *v, struct part_trailer *t)
{
	json_t *slots = list_of(v, "slots");

	*t = (struct part_trailer){ .final = number(v, "final"),
				    .partial = number(v, "partial") };
	copy_of(v, "hh", t->header_hash, 32);
	t->n_segments = (uint32_t)json_array_size(slots);
	t->slots = calloc(t->n_segments, 16);
	assert_non_null(t->slots);
	for (size_t i = 0; i < t->n_segments; i++)
		copy_item(slots, i, t->slots[i], 16);
	if (t->final)
		final_fill(v, t);
}

/* A trailer is encoded to these bytes, and what they decode to is encoded to them again.
 */
void vectors_trailers(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("trailer", i, v)
	{
		auto_trailer struct part_trailer t, got;
		auto_bytes struct bytes raw = BYTES_EMPTY, again = BYTES_EMPTY;
		struct secret *host = secret_of(v, "host_seed");
		uint8_t parent_chain[32] = { 0 }, id[16], pk[32];
		struct err e = ERR_EMPTY;

		trailer_fill(v, &t);
		if (t.final)
			copy_of(v, "parent_chain", parent_chain, 32);
		copy_of(v, "store_id", id, 16);
		crypto_sign_public(host->b, pk);
		assert_int_equal(
			part_trailer_encode(&t, id, parent_chain, host, &raw, &e), 0);
		assert_int_equal(raw.len, number(v, "T"));
		same(v, "hex", raw.p, raw.len);
		same(v, "hash", t.hash, 32);
		if (t.final)
			same(v, "chain", t.chain, 32);
		assert_int_equal(part_trailer_decode(raw.p, raw.len, id, pk, &got, &e),
				 0);
		assert_true(!t.final || part_trailer_chain_fits(&got, parent_chain));
		assert_int_equal(
			part_trailer_encode(&got, id, parent_chain, host, &again, &e), 0);
		same(v, "hex", again.p, again.len);
		secret_free(host);
	}
}

/* ---- the descriptor ---- */

static void grant_add(json_t *v, struct descriptor *d)
{
	struct grant g = { .role = (enum key_role)number(v, "role"),
			   .one_host = number(v, "scope") };
	struct err e = ERR_EMPTY;

	string_of(v, "label", g.label, sizeof(g.label));
	copy_of(v, "sign_pk", g.sign_pk, 32);
	copy_of(v, "seal_pk", g.seal_pk, 32);
	copy_of(v, "host", g.scope_host, 32);
	assert_int_equal(descriptor_add(d, &g, &e), 0);
}

/* A descriptor is encoded to these bytes, and what they decode to is encoded to them
 * again. */
void vectors_descriptors(void **state)
{
	size_t i, k;
	json_t *v, *grant;

	(void)state;
	each_case("descriptor", i, v)
	{
		auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY,
						  got = DESCRIPTOR_EMPTY;
		auto_bytes struct bytes raw = BYTES_EMPTY, again = BYTES_EMPTY;
		struct secret *seed = secret_of(v, "authority_seed");
		struct err e = ERR_EMPTY;

		d.epoch = (uint32_t)number(v, "epoch");
		copy_of(v, "store_id", d.store_id, 16);
		copy_of(v, "previous", d.previous, 32);
		json_array_foreach(list_of(v, "grants"), k, grant) grant_add(grant, &d);
		assert_int_equal(descriptor_encode(&d, seed, &raw, &e), 0);
		same(v, "hex", raw.p, raw.len);
		same(v, "hash", d.hash, 32);
		assert_int_equal(descriptor_decode(raw.p, raw.len, &got, &e), 0);
		same(v, "hash", got.hash, 32);
		assert_int_equal(descriptor_encode(&got, seed, &again, &e), 0);
		same(v, "hex", again.p, again.len);
		secret_free(seed);
	}
}
