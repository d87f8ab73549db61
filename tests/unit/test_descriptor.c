/* The descriptor as a value and as bytes, and its signature. */
#include <stdlib.h>

#include "base/wire.h"
#include "descriptor_kit.h"

/* P is refused as damaged, and nothing comes out. */
static void refuse(const uint8_t *p, size_t n)
{
	struct descriptor d = DESCRIPTOR_EMPTY;
	struct err e = ERR_EMPTY;
	/* a copy of exactly N bytes, so that ASan sees any read beyond */
	uint8_t *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, p, n);
	assert_int_equal(descriptor_decode(copy, n, &d, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
	assert_null(d.grants);
	free(copy);
}

/* What was encoded decodes to the same, and bytes may stand before it in the buffer. */
static void test_round_trip(void **state)
{
	auto_descriptor struct descriptor d = make_descriptor(3), back = DESCRIPTOR_EMPTY;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	memset(d.previous, 0x77, 32);
	assert_int_equal(bytes_append(&raw, "xyz", 3, &e), 0);
	encode(&d, seed, &raw);
	assert_memory_equal(d.authority, authority, 32);
	assert_int_equal(descriptor_decode(raw.p + 3, raw.len - 3, &back, &e), 0);
	assert_int_equal(back.epoch, 3);
	assert_memory_equal(back.store_id, id, 16);
	assert_memory_equal(back.previous, d.previous, 32);
	assert_memory_equal(back.authority, authority, 32);
	assert_memory_equal(back.hash, d.hash, 32);
	assert_int_equal(back.n_grants, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct grant *a = &d.grants[i], *b = &back.grants[i];

		assert_int_equal(a->role, b->role);
		assert_int_equal(a->one_host, b->one_host);
		assert_memory_equal(a->sign_pk, b->sign_pk, 32);
		assert_memory_equal(a->seal_pk, b->seal_pk, 32);
		assert_memory_equal(a->scope_host, b->scope_host, 32);
		assert_string_equal(a->label, b->label);
	}
}

/* The bytes lie where docs/format.md section 3 puts them. */
static void test_layout(void **state)
{
	auto_descriptor struct descriptor d = make_descriptor(1);
	auto_bytes struct bytes raw = BYTES_EMPTY;
	uint8_t hash[32], zeros[40] = { 0 };
	const uint8_t *g;

	(void)state;
	encode(&d, seed, &raw);
	assert_int_equal(raw.len, 112 + 4 * 168 + 4 + 64);
	assert_memory_equal(raw.p, "VSREPO1\0\1\0\1\0", 12);
	assert_int_equal(wire_get32(raw.p + 12), raw.len);
	assert_int_equal(wire_get32(raw.p + 16), 1);
	assert_memory_equal(raw.p + 24, id, 16);
	assert_memory_equal(raw.p + 40, zeros, 32);
	assert_memory_equal(raw.p + 72, authority, 32);
	assert_int_equal(wire_get16(raw.p + 104), 4);
	g = raw.p + 112 + 3 * 168; /* the prune key's */
	assert_memory_equal(g, "\4\1\11\0\0\0\0\0", 8);
	assert_memory_equal(g + 8, d.grants[3].sign_pk, 32);
	assert_memory_equal(g + 40, d.grants[3].seal_pk, 32);
	assert_memory_equal(g + 72, d.grants[3].scope_host, 32);
	assert_memory_equal(g + 104, "gateway-7\0", 10);
	crypto_b2("vs1.repo", NULL, 0, raw.p, raw.len - 64, hash, 32);
	assert_memory_equal(d.hash, hash, 32);
	assert_true(crypto_verify_hash(authority, "vs1.repo", NULL, 0, hash,
				       raw.p + raw.len - 64));
}

/* Every single bit of an encoded descriptor matters. */
static void test_bit_flips(void **state)
{
	auto_descriptor struct descriptor d = make_descriptor(1);
	auto_bytes struct bytes raw = BYTES_EMPTY;

	(void)state;
	encode(&d, seed, &raw);
	for (size_t bit = 0; bit < 8 * raw.len; bit++) {
		raw.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
		refuse(raw.p, raw.len);
		raw.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
}

/* A descriptor cut anywhere, or with bytes after it, is refused. */
static void test_lengths(void **state)
{
	auto_descriptor struct descriptor d = make_descriptor(1);
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	encode(&d, seed, &raw);
	for (size_t n = 0; n < raw.len; n++)
		refuse(raw.p, n);
	assert_int_equal(bytes_zero(&raw, DESCRIPTOR_LEN_MAX, &e), 0);
	refuse(raw.p, raw.len - DESCRIPTOR_LEN_MAX + 1);
	refuse(raw.p, raw.len);
}

/* The signature made fit again: what is left to catch is the structure itself. */
static void sign_again(struct bytes *raw)
{
	uint8_t hash[32];

	crypto_b2("vs1.repo", NULL, 0, raw->p, raw->len - 64, hash, 32);
	crypto_sign_hash(seed->b, "vs1.repo", NULL, 0, hash, raw->p + raw->len - 64);
}

static int decode_signed(struct bytes *raw)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	struct err e = ERR_EMPTY;
	int got;

	sign_again(raw);
	got = descriptor_decode(raw->p, raw->len, &d, &e);
	if (got < 0)
		assert_int_equal(e.kind, ERR_DAMAGED);
	return got;
}

/* Pads, roles, scopes, labels, counts and lengths that the format forbids are refused
 * even where the authority signed them. */
static void test_structure(void **state)
{
	enum { HOST = 112, RECOVERY = HOST + 168, READER = RECOVERY + 168 };
	enum { TLV = 112 + 4 * 168 };
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {
		{ 0, 'W' },	   { 7, 1 },
		{ 8, 2 },	   { 9, 1 },
		{ 10, 2 },	   { 11, 1 },
		{ 12, 1 },	   { 15, 1 },
		{ 16, 0 },	   { 20, 1 },
		{ 23, 1 },	   { 40, 1 },
		{ 104, 3 },	   { 104, 5 },
		{ 105, 255 },	   { 106, 1 },
		{ 111, 1 },	   { HOST, 0 },
		{ HOST, 5 },	   { HOST, 2 },
		{ HOST + 1, 2 },   { HOST + 2, 8 },
		{ HOST + 2, 10 },  { HOST + 2, 64 },
		{ HOST + 2, 255 }, { HOST + 3, 1 },
		{ HOST + 7, 1 },   { HOST + 40, 1 },
		{ HOST + 71, 1 },  { HOST + 72, 1 },
		{ HOST + 106, 0 }, { HOST + 114, 1 },
		{ HOST + 167, 1 }, { RECOVERY + 8, 1 },
		{ RECOVERY, 1 },   { RECOVERY, 4 },
		{ RECOVERY, 0 },   { RECOVERY, 5 },
		{ RECOVERY, 255 }, { READER + 8, 1 },
		{ READER + 1, 0 }, { TLV, 1 },
		{ TLV + 3, 255 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_descriptor struct descriptor d = make_descriptor(1);
		auto_bytes struct bytes raw = BYTES_EMPTY;

		encode(&d, seed, &raw);
		assert_int_equal(decode_signed(&raw), 0);
		assert_int_not_equal(raw.p[bad[i].at], bad[i].value);
		raw.p[bad[i].at] = bad[i].value;
		if (decode_signed(&raw) == 0)
			fail_msg("byte %zu = %u was taken", bad[i].at, bad[i].value);
	}
}

/* A grant whose key is missing is refused. */
static void test_missing_keys(void **state)
{
	static const size_t keys[] = { 112 + 8, 112 + 168 + 40, 112 + 2 * 168 + 40,
				       112 + 3 * 168 + 8, 112 + 3 * 168 + 40 };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		auto_descriptor struct descriptor d = make_descriptor(1);
		auto_bytes struct bytes raw = BYTES_EMPTY;

		encode(&d, seed, &raw);
		memset(raw.p + keys[i], 0, 32);
		assert_int_equal(decode_signed(&raw), -1);
	}
}

enum { TLV_AT = 112 + 4 * 168 };

/* Put N bytes of TLVs into an encoded descriptor, and its lengths right. */
static void add_area(struct bytes *raw, const void *area, size_t n)
{
	struct err e = ERR_EMPTY;

	raw->len -= 64;
	wire_set32(raw->p + TLV_AT, (uint32_t)n);
	assert_int_equal(bytes_append(raw, area, n, &e), 0);
	assert_int_equal(bytes_zero(raw, 64, &e), 0);
	wire_set32(raw->p + 12, (uint32_t)raw->len);
}

/* TLVs: unknown ones are passed over, unless their high bit is set, they leave their area
 * or one of their type is there already. */
static void test_tlvs(void **state)
{
	static const struct {
		const char *tlv;
		size_t n;
		uint32_t says; /* the area's length field */
		int result;
	} cases[] = {
		{ "\x05\x00\x03\x00\x61\x62\x63", 7, 7, 0 },
		{ "\x05\x80\x00\x00", 4, 4, -1 },
		{ "\x05\x00\x04\x00\x61\x62\x63", 7, 7, -1 },
		{ "\x05\x00\x00", 3, 3, -1 },
		{ "\x05\x00\x00\x00\x05\x00\x00\x00", 8, 4, -1 },
		{ "\x05\x00\x00\x00\x06\x00\x00\x00", 8, 8, 0 },
		{ "\x05\x00\x00\x00\x05\x00\x00\x00", 8, 8, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_descriptor struct descriptor d = make_descriptor(1);
		auto_bytes struct bytes raw = BYTES_EMPTY;

		encode(&d, seed, &raw);
		add_area(&raw, cases[i].tlv, cases[i].n);
		wire_set32(raw.p + TLV_AT, cases[i].says);
		assert_int_equal(decode_signed(&raw), cases[i].result);
	}
}

/* A descriptor of 65536 bytes is taken, one of 65537 is not, though all in it fits. */
static void test_too_long(void **state)
{
	enum { ROOM = DESCRIPTOR_LEN_MAX - TLV_AT - 4 - 64 };
	static uint8_t area[ROOM + 1] = { 5 };

	(void)state;
	for (size_t n = ROOM; n <= ROOM + 1; n++) {
		auto_descriptor struct descriptor d = make_descriptor(1);
		auto_bytes struct bytes raw = BYTES_EMPTY;

		encode(&d, seed, &raw);
		wire_set16(area + 2, (uint16_t)(n - 4));
		add_area(&raw, area, n);
		assert_int_equal(raw.len, n == ROOM ? 65536 : 65537);
		assert_int_equal(decode_signed(&raw), n == ROOM ? 0 : -1);
	}
}

/* A descriptor grows to its limit, what is beyond is refused, and the largest still
 * decodes. */
static void test_full(void **state)
{
	auto_descriptor struct descriptor d = { .epoch = 1 }, back = DESCRIPTOR_EMPTY;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct grant g = make_grant(KEY_HOST, "h", 9);
	struct err e = ERR_EMPTY;

	(void)state;
	while (descriptor_add(&d, &g, &e) == 0)
		assert_true(d.n_grants < 1000);
	assert_int_equal(e.kind, ERR_REFUSED);
	encode(&d, seed, &raw);
	assert_true(raw.len <= 65536 && raw.len + 168 > 65536);
	assert_int_equal(descriptor_decode(raw.p, raw.len, &back, &e), 0);
	assert_int_equal(back.n_grants, d.n_grants);
}

/* Another recovery key cannot sign for this store's authority by mistake. */
static void test_wrong_recovery_key(void **state)
{
	auto_descriptor struct descriptor d = make_descriptor(1);
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	memcpy(d.authority, authority, 32);
	assert_int_equal(descriptor_encode(&d, other_seed, &raw, &e), -1);
	assert_int_equal(e.kind, ERR_KEY);
	assert_int_equal(raw.len, 0);
}

/* Grants that do not fit themselves are not added; an epoch of 0 or a first one with a
 * predecessor is not written. */
static void test_bad_values(void **state)
{
	auto_descriptor struct descriptor d = make_descriptor(1);
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct grant g = make_grant(KEY_HOST, "x", 1);
	struct err e = ERR_EMPTY;

	(void)state;
	g.seal_pk[3] = 1;
	assert_int_equal(descriptor_add(&d, &g, &e), -1);
	g = make_grant(KEY_HOST, "x", 0);
	assert_int_equal(descriptor_add(&d, &g, &e), -1);
	g = make_grant(KEY_READER, "x", 1);
	g.one_host = false;
	assert_int_equal(descriptor_add(&d, &g, &e), -1);
	g = make_grant(KEY_HOST, "x", 1);
	memset(g.label, 'x', sizeof(g.label));
	assert_int_equal(descriptor_add(&d, &g, &e), -1);
	assert_int_equal(d.n_grants, 4);
	d.epoch = 0;
	assert_int_equal(descriptor_encode(&d, seed, &raw, &e), -1);
	d.epoch = 1;
	d.previous[0] = 1;
	assert_int_equal(descriptor_encode(&d, seed, &raw, &e), -1);
}

/* Hosts are found by key and by label; removing takes the grants of one role and one host
 * only. */
static void test_find_and_remove(void **state)
{
	auto_descriptor struct descriptor d = make_descriptor(1);
	struct grant g = make_grant(KEY_READER, "nas", 0x51);
	uint8_t host[32], none[32] = { 9 };
	struct err e = ERR_EMPTY;

	(void)state;
	memset(host, 0x11, 32);
	g.one_host = false;
	memset(g.scope_host, 0, 32);
	assert_int_equal(descriptor_add(&d, &g, &e), 0);
	assert_ptr_equal(descriptor_host(&d, host), &d.grants[0]);
	assert_null(
		descriptor_host(&d, d.grants[3].sign_pk)); /* a prune key is no host */
	assert_null(descriptor_host(&d, none));
	assert_ptr_equal(descriptor_label(&d, "gateway-7"), &d.grants[0]);
	assert_null(descriptor_label(&d, "nas"));
	assert_null(descriptor_label(&d, "gateway-"));
	assert_int_equal(descriptor_remove(&d, KEY_READER, none), 0);
	assert_int_equal(descriptor_remove(&d, KEY_READER, (uint8_t[32]){ 0 }), 0);
	assert_int_equal(descriptor_remove(&d, KEY_READER, host), 1);
	assert_int_equal(d.n_grants, 4);
	assert_string_equal(d.grants[3].label, "nas");
	assert_int_equal(descriptor_remove(&d, KEY_READER, host), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_missing_keys),
		cmocka_unit_test(test_tlvs),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_wrong_recovery_key),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_find_and_remove),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
