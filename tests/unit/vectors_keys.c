/* Vectors of numbers, hashes, keys and names. */
#include "vectors_kit.h"

#include <fcntl.h>
#include <unistd.h>

#include "archive/crypto.h"
#include "archive/key.h"
#include "archive/stream.h"
#include "base/file.h"
#include "base/wire.h"

/* ---- numbers ---- */

/* Numbers are written as these bytes and read from them; other bytes are no numbers. */
void vectors_varints(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("varint", i, v)
	{
		auto_bytes struct bytes raw = bytes_of(v, "hex");
		struct cursor c = cursor_make(raw.p, raw.len);
		uint64_t value = digits(v, "value");
		uint8_t out[10];

		same(v, "hex", out, wire_varint(out, value));
		assert_true(cursor_varint(&c) == value && cursor_done(&c));
	}
	each_case("varint_bad", i, v)
	{
		auto_bytes struct bytes raw = bytes_of(v, "hex");
		struct cursor c = cursor_make(raw.p, raw.len);

		(void)cursor_varint(&c);
		if (cursor_ok(&c))
			fail_msg("taken: %s", text(v, "why"));
	}
	each_case("zigzag", i, v)
	{
		auto_bytes struct bytes raw = bytes_of(v, "hex"), out = BYTES_EMPTY;
		struct cursor c = cursor_make(raw.p, raw.len);
		int64_t value = signed_digits(v, "value");
		struct err e = ERR_EMPTY;

		assert_int_equal(wire_put_zigzag(&out, value, &e), 0);
		same(v, "hex", out.p, out.len);
		assert_true(cursor_zigzag(&c) == value && cursor_done(&c));
	}
}

/* ---- what all else is made of ---- */

/* Hashes with label and key. */
void vectors_hashes(void **state)
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

/* Sealing with associated data, and opening. */
void vectors_seals(void **state)
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
		assert_true(
			crypto_open(key, nonce, ad.p, ad.len, out, msg.len + 16, out));
		same(v, "msg", out, msg.len);
	}
}

/* ---- keys ---- */

/* A recovery key is printed as these lines, and read from them. */
void vectors_paper(void **state)
{
	size_t i, k;
	json_t *v, *line;

	(void)state;
	each_case("paper", i, v)
	{
		struct secret *s = secret_of(v, "S"), *back = NULL;
		char got[KEY_PAPER_MAX], want[KEY_PAPER_MAX] = "";
		size_t n = 0;
		struct err e = ERR_EMPTY;

		key_paper(s, got);
		for (const char *p = got; *p; p++)
			if (*p != ' ')
				got[n++] = *p;
		got[n] = '\0';
		json_array_foreach(list_of(v, "lines"), k, line)
		{
			n = strlen(want);
			(void)snprintf(want + n, sizeof(want) - n, "%s\n",
				       json_string_value(line));
		}
		assert_string_equal(got, want);
		assert_int_equal(key_from_paper(want, strlen(want), &back, &e), 0);
		same(v, "S", back->b, 32);
		secret_free(s);
		secret_free(back);
	}
}

/* A key is saved as these bytes, and read from them. */
void vectors_key_files(void **state)
{
	char where[] = "/tmp/test_vectors.XXXXXX";
	auto_close int dir = -1;
	struct err e = ERR_EMPTY;
	size_t i;
	json_t *v;

	(void)state;
	assert_non_null(mkdtemp(where));
	dir = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	each_case("key_file", i, v)
	{
		struct secret *s = secret_of(v, "secret"), *back = NULL;
		enum key_role role = (enum key_role)number(v, "role");
		auto_bytes struct bytes raw = BYTES_EMPTY;

		assert_int_equal(key_save(dir, "key", role, s, true, &e), 0);
		assert_int_equal(file_load(dir, "key", 1000, &raw, &e), 0);
		same(v, "hex", raw.p, raw.len);
		assert_int_equal(key_decode(raw.p, role, &back, &e), 0);
		same(v, "secret", back->b, 32);
		secret_free(s);
		secret_free(back);
	}
	assert_int_equal(file_remove_tree(AT_FDCWD, where, &e), 0);
}

/* Make a secret out of FROM: with it, NAMED in V (NULL: not there), public keys. */
static void derives(json_t *v, const struct secret *from,
		    int (*make)(const struct secret *, struct secret **, struct err *),
		    const char *name, void (*publish)(const uint8_t *, uint8_t *),
		    const char *public)
{
	struct secret *made = NULL;
	struct err e = ERR_EMPTY;
	uint8_t pk[32];

	assert_int_equal(make(from, &made, &e), 0);
	if (name)
		same(v, name, made->b, 32);
	publish(made->b, pk);
	same(v, public, pk, 32);
	secret_free(made);
}

/* What recovery and prune keys derive. */
void vectors_derived(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("recovery", i, v)
	{
		struct secret *s = secret_of(v, "S");

		derives(v, s, key_recovery_reader, "recipient_sk", crypto_x_public,
			"recipient_pk");
		derives(v, s, key_recovery_authority, "authority_seed",
			crypto_sign_public, "authority_pk");
		secret_free(s);
	}
	each_case("prune", i, v)
	{
		struct secret *p = secret_of(v, "P");

		derives(v, p, key_prune_x, NULL, crypto_x_public, "x_pk");
		derives(v, p, key_prune_sign, NULL, crypto_sign_public, "ed_pk");
		secret_free(p);
	}
}

/* ---- streams ---- */

/* Stream ids and escaped names. */
void vectors_streams(void **state)
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
void vectors_stream_keys(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	each_case("stream_keys", i, v)
	{
		struct secret *host = secret_of(v, "H");
		struct stream_keys *k = NULL;
		struct err e = ERR_EMPTY;
		uint8_t id[16];

		copy_of(v, "stream_id", id, 16);
		assert_int_equal(stream_keys_derive(host, id, &k, &e), 0);
		same(v, "id_key", k->id, 32);
		same(v, "gear_key", k->gear, 32);
		same(v, "list_key", k->list, 32);
		stream_keys_free(k);
		secret_free(host);
	}
}
