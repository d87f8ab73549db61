/* The vectors that another implementation computed from docs/format.md. */
#include <jansson.h>

#include "base/wire.h"
#include "part_kit.h"

#define VECTORS "tests/vectors/v1/primitives.json"

static json_t *all;

/* Tests run from the top of the tree; from elsewhere VOLSNAP_TOP names it. */
static int vectors_setup(void **state)
{
	const char *top = getenv("VOLSNAP_TOP");
	auto_free char *path = file_join(top ? top : ".", VECTORS);
	json_error_t why;

	if (kit_setup(state) < 0 || !path)
		return -1;
	all = json_load_file(path, 0, &why);
	if (!all)
		print_error("%s: %s\n", path, why.text);
	return all ? 0 : -1;
}

static int vectors_teardown(void **state)
{
	json_decref(all);
	return kit_teardown(state);
}

/* ---- values ---- */

static const char *text(json_t *v, const char *name)
{
	const char *s = json_string_value(json_object_get(v, name));

	if (!s)
		fail_msg("no text %s", name);
	return s;
}

static uint64_t number(json_t *v, const char *name)
{
	json_t *n = json_object_get(v, name);

	if (!json_is_integer(n))
		fail_msg("no number %s", name);
	return (uint64_t)json_integer_value(n);
}

static struct bytes hex_bytes(const char *hex)
{
	struct bytes b = BYTES_EMPTY;
	struct err e = ERR_EMPTY;
	size_t n = strlen(hex) / 2;

	assert_int_equal(bytes_zero(&b, n + 1, &e), 0); /* a NUL, for strings */
	b.len = n;
	assert_true(crypto_unhex(hex, b.p, n));
	return b;
}

static struct bytes bytes_of(json_t *v, const char *name)
{
	return hex_bytes(text(v, name));
}

/* Exactly N bytes. */
static void copy_of(json_t *v, const char *name, void *out, size_t n)
{
	auto_bytes struct bytes b = bytes_of(v, name);

	assert_int_equal(b.len, n);
	memcpy(out, b.p, n);
}

static void string_of(json_t *v, const char *name, char *out, size_t size)
{
	auto_bytes struct bytes b = bytes_of(v, name);

	assert_true(b.len < size);
	memcpy(out, b.p, b.len + 1);
}

static void same(json_t *v, const char *name, const void *got, size_t n)
{
	auto_bytes struct bytes want = bytes_of(v, name);

	assert_int_equal(want.len, n);
	assert_memory_equal(want.p, got, n);
}

/* The cases called NAME; there must be some. */
static json_t *cases(const char *name)
{
	json_t *list = json_object_get(all, name);

	if (json_array_size(list) == 0)
		fail_msg("no vectors %s", name);
	return list;
}

#define each_case(name, i, v) json_array_foreach(cases(name), i, v)

/* ---- what all else is made of ---- */

/* Hashes with label and key. */
static void hashes(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("b2", i, v)
	{
		auto_bytes struct bytes key = bytes_of(v, "key"),
					msg = bytes_of(v, "msg");
		uint8_t out[64];
		size_t n = number(v, "n");

		crypto_b2(text(v, "label"), key.p, key.len, msg.p, msg.len, out, n);
		same(v, "hex", out, n);
	}
}

/* Sealing with associated data. */
static void seals(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("aead", i, v)
	{
		auto_bytes struct bytes ad = bytes_of(v, "ad"), msg = bytes_of(v, "msg");
		auto_free uint8_t *out = malloc(msg.len + 16);
		uint8_t key[32], nonce[12];

		assert_non_null(out);
		copy_of(v, "key", key, 32);
		copy_of(v, "nonce", nonce, 12);
		crypto_seal(key, nonce, ad.p, ad.len, msg.p, msg.len, out);
		same(v, "hex", out, msg.len + 16);
	}
}

/* Stream ids and escaped names. */
static void streams(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("stream_id", i, v)
	{
		struct stream s = { .kind = (enum stream_kind)number(v, "kind") };

		copy_of(v, "host_pk", s.host_pk, 32);
		copy_of(v, "nonce", s.nonce, 16);
		string_of(v, "volume", s.name, sizeof(s.name));
		stream_identify(&s);
		same(v, "hex", s.id, 16);
	}
	each_case("name", i, v)
	{
		char label[VOLUME_NAME_MAX + 1], got[STORE_NAME_MAX];

		string_of(v, "label", label, sizeof(label));
		stream_escape(label, got);
		assert_string_equal(got, text(v, "component"));
	}
}

/* Keys of a stream. */
static void stream_keys(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("stream_keys", i, v)
	{
		struct stream_keys *k = NULL;
		struct secret host;
		struct err e = ERR_EMPTY;
		uint8_t id[16];

		copy_of(v, "H", host.b, 32);
		copy_of(v, "stream_id", id, 16);
		assert_int_equal(stream_keys_derive(&host, id, &k, &e), 0);
		same(v, "id_key", k->id, 32);
		same(v, "gear_key", k->gear, 32);
		same(v, "list_key", k->list, 32);
		stream_keys_free(k);
	}
}

/* ---- parts ---- */

/* Padding. */
static void padme(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("padme", i, v)
	{
		assert_int_equal(part_padme(number(v, "n")), number(v, "padded"));
	}
}

/* A stanza is sealed to these bytes, and the recipient's secret opens it. */
static void stanzas(void **state)
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
	json_t *list = json_object_get(v, "stanzas");
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
		assert_true(crypto_unhex(json_string_value(json_array_get(list, i)),
					 h->stanzas[i], STANZA_LEN));
}

/* A header is encoded to these bytes, with this hash; it decodes to what it is made of,
 * and the mac fits. */
static void headers(void **state)
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

/* The chain of a trailer with its parent's. */
static void chains(void **state)
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

/* Hash and signature of a trailer. */
static void signatures(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("trailer_signature", i, v)
	{
		auto_bytes struct bytes body = bytes_of(v, "trailer_bytes");
		uint8_t host[32], id[16], hash[32], sig[64];

		copy_of(v, "H", host, 32);
		copy_of(v, "store_id", id, 16);
		crypto_b2("vs1.trailer", NULL, 0, body.p, body.len, hash, 32);
		same(v, "hash", hash, 32);
		crypto_sign_hash(host, "vs1.trailer", id, 16, hash, sig);
		same(v, "signature", sig, 64);
	}
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

/* A summary is sealed under the key that the header's hash and the list key give. */
static void summary_keys(void **state)
{
	static const uint8_t zero_nonce[12];
	size_t i;
	json_t *v;

	(void)state;
	each_case("header", i, v)
	{
		struct summary s = { .grade = 1, .entries = 5 };
		uint8_t list_key[32], hh[32], sk[32];
		uint8_t sealed[SUMMARY_LEN + 16], plain[SUMMARY_LEN];

		list_key_of(list_key);
		copy_of(v, "hh", hh, 32);
		copy_of(v, "summary_key", sk, 32);
		summary_seal(&s, list_key, hh, sealed);
		assert_true(crypto_open(sk, zero_nonce, NULL, 0, sealed, sizeof(sealed),
					plain));
		assert_int_equal(wire_get64(plain + 32), 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes),     cmocka_unit_test(seals),
		cmocka_unit_test(streams),    cmocka_unit_test(stream_keys),
		cmocka_unit_test(padme),      cmocka_unit_test(stanzas),
		cmocka_unit_test(headers),    cmocka_unit_test(chains),
		cmocka_unit_test(signatures), cmocka_unit_test(summary_keys),
	};

	return cmocka_run_group_tests(tests, vectors_setup, vectors_teardown);
}
