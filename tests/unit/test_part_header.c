/* The header of a part: layout, limits, and that nothing in it can be changed unseen. */
#include "base/wire.h"
#include "part_kit.h"

/* Encode; the bytes are the caller's. */
static struct bytes encoded(struct part_header *h)
{
	struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;

	assert_int_equal(part_header_encode(h, kit.fk, &raw, &e), 0);
	return raw;
}

/* All fields come out as they went in, and the length is a multiple of 4096. */
static void round_trip(void **state)
{
	static const uint8_t tlv[] = { 9, 0, 1, 0, 'x' };
	auto_header struct part_header h, got;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	kit_header(&h, 2);
	kit_stanza_add(&h, KEY_RECOVERY, kit.reader_pk, kit.fk);
	assert_int_equal(bytes_append(&h.tlv, tlv, sizeof(tlv), &e), 0);
	raw = encoded(&h);
	assert_int_equal(raw.len, 4096);
	assert_int_equal(part_header_decode(raw.p, raw.len, &got, &e), 0);
	assert_int_equal(got.header_len, 4096);
	assert_memory_equal(got.store_id, h.store_id, 16);
	assert_memory_equal(got.archive_id, h.archive_id, 16);
	assert_memory_equal(got.eph_pk, h.eph_pk, 32);
	assert_memory_equal(got.stream.id, h.stream.id, 16);
	assert_memory_equal(got.stream.nonce, h.stream.nonce, 16);
	assert_memory_equal(got.stream.host_pk, h.stream.host_pk, 32);
	assert_int_equal(got.stream.kind, h.stream.kind);
	assert_string_equal(got.stream.host, "web");
	assert_string_equal(got.stream.name, "db");
	assert_int_equal(got.seq, 7);
	assert_int_equal(got.part, 2);
	assert_int_equal(got.epoch, 3);
	assert_int_equal(got.created_ms, -5);
	assert_int_equal(got.n_stanzas, 2);
	assert_memory_equal(got.stanzas, h.stanzas, 2 * STANZA_LEN);
	assert_int_equal(got.tlv.len, sizeof(tlv));
	assert_memory_equal(got.tlv.p, tlv, sizeof(tlv));
	assert_memory_equal(got.hash, h.hash, 32);
}

/* Fields lie where the format says, and the hash is over all of it. */
static void layout(void **state)
{
	auto_header struct part_header h;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	uint8_t hash[32];

	(void)state;
	kit_header(&h, 2);
	raw = encoded(&h);
	assert_memory_equal(raw.p, "\x89VSNA\r\n\x1a\1\0\0\0\0\x10\0\0", 16);
	assert_memory_equal(raw.p + 16, h.store_id, 16);
	assert_memory_equal(raw.p + 32, h.stream.id, 16);
	assert_memory_equal(raw.p + 48, h.archive_id, 16);
	assert_memory_equal(raw.p + 64,
			    "\7\0\0\0\0\0\0\0\2\0\0\0\x0e\1\1\0\3\0\0\0\1\0\0\0", 24);
	assert_memory_equal(raw.p + 88, h.stream.host_pk, 32);
	assert_true(wire_get64(raw.p + 120) == (uint64_t)-5);
	assert_memory_equal(raw.p + 128, h.eph_pk, 32);
	assert_memory_equal(raw.p + 160, h.stream.nonce, 16);
	assert_memory_equal(raw.p + 176, "\3\0\2\0\0\0\0\0", 8);
	assert_memory_equal(raw.p + 184, h.stanzas, 64);
	assert_memory_equal(raw.p + 248, "webdb", 5);
	assert_true(crypto_is_zero(raw.p + 253, 4096 - 32 - 253));
	crypto_b2("vs1.hdrhash", NULL, 0, raw.p, 4096, hash, 32);
	assert_memory_equal(hash, h.hash, 32);
}

/* The longest names and most stanzas fit and come out; more stanzas, or none, are
 * refused. */
static void limits(void **state)
{
	auto_header struct part_header h, got;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	kit_header_bare(&h, 1);
	assert_int_equal(part_header_encode(&h, kit.fk, &raw, &e), -1);
	memset(h.stream.host, 'h', LABEL_MAX);
	memset(h.stream.name, 'n', VOLUME_NAME_MAX);
	stream_identify(&h.stream);
	for (int i = 0; i < 64; i++)
		kit_stanza_add(&h, KEY_READER, kit.reader_pk, kit.fk);
	raw = encoded(&h);
	assert_int_equal(raw.len, 12288);
	assert_int_equal(part_header_decode(raw.p, raw.len, &got, &e), 0);
	assert_string_equal(got.stream.host, h.stream.host);
	assert_string_equal(got.stream.name, h.stream.name);
	assert_int_equal(got.n_stanzas, 64);
	kit_stanza_add(&h, KEY_READER, kit.reader_pk, kit.fk);
	assert_int_equal(part_header_encode(&h, kit.fk, &raw, &e), -1);
	assert_int_equal(raw.len, 12288);
}

/* A header that just fills its 4096 bytes takes no more, one byte more takes 4096 more.
 */
static void exact_fit(void **state)
{
	auto_header struct part_header h;
	auto_bytes struct bytes a = BYTES_EMPTY, b = BYTES_EMPTY;
	size_t full = 4096 - 184 - 64 - 3 - 32;

	(void)state;
	kit_header(&h, 1);
	memset(h.stream.name, 'n', full);
	stream_identify(&h.stream);
	a = encoded(&h);
	assert_int_equal(a.len, 4096);
	h.stream.name[full] = 'n';
	b = encoded(&h);
	assert_int_equal(b.len, 8192);
}

/* Encode H after setting SIZE bytes at AT, and decode that. */
static int decode_with(struct part_header *h, size_t at, size_t size, uint64_t value)
{
	auto_header struct part_header got;
	auto_bytes struct bytes raw = encoded(h);
	struct err e = ERR_EMPTY;
	int result;

	for (size_t i = 0; i < size; i++)
		raw.p[at + i] = (uint8_t)(value >> (8 * i));
	result = part_header_decode(raw.p, raw.len, &got, &e);
	if (result < 0)
		assert_int_equal(e.kind, ERR_DAMAGED);
	return result;
}

/* Every field has its range, and every zero is checked. */
static void ranges(void **state)
{
	static const struct {
		size_t at, size;
		uint64_t value;
		int result;
	} cases[] = {
		{ 72, 4, 2, 0 },	   { 0, 1, 0x88, -1 },
		{ 7, 1, 0x1b, -1 },	   { 8, 2, 0, -1 },
		{ 8, 2, 2, -1 },	   { 10, 2, 1, -1 },
		{ 10, 2, 2, -1 },	   { 10, 2, 4, -1 },
		{ 10, 2, 0x8000, -1 },	   { 12, 4, 0, -1 },
		{ 12, 4, 4095, -1 },	   { 12, 4, 8192, -1 },
		{ 12, 4, 0x10001000, -1 }, { 64, 8, 0, -1 },
		{ 72, 4, 0, -1 },	   { 76, 1, 13, -1 },
		{ 77, 1, 0, -1 },	   { 77, 1, 2, -1 },
		{ 78, 1, 0, -1 },	   { 78, 1, 2, -1 },
		{ 78, 1, 4, -1 },	   { 79, 1, 1, -1 },
		{ 84, 2, 0, -1 },	   { 84, 2, 2, -1 },
		{ 84, 2, 65, -1 },	   { 84, 2, 65535, -1 },
		{ 86, 1, 1, -1 },	   { 87, 1, 1, -1 },
		{ 176, 2, 0, -1 },	   { 176, 2, 64, -1 },
		{ 178, 2, 0, -1 },	   { 178, 2, 4096, -1 },
		{ 178, 2, 65535, -1 },	   { 180, 4, 3811, -1 },
		{ 180, 4, 3812, -1 },	   { 180, 4, UINT32_MAX, -1 },
		{ 249, 1, 0, -1 },	   { 252, 1, 0, -1 },
		{ 253, 1, 1, -1 },	   { 4063, 1, 1, -1 },
		{ 64, 8, UINT64_MAX, 0 },
	};
	auto_header struct part_header h;

	(void)state;
	kit_header(&h, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(
			decode_with(&h, cases[i].at, cases[i].size, cases[i].value),
			cases[i].result);
}

/* Decode a header that is right but for its counts, and longer than it need be. */
static int decode_counts(size_t stanzas, size_t host, size_t name)
{
	static uint8_t raw[16384];
	auto_header struct part_header h, got;
	auto_bytes struct bytes start = BYTES_EMPTY;
	struct crypto_hash id;
	struct err e = ERR_EMPTY;
	uint8_t *at = raw + 184 + 64 * stanzas;

	kit_header(&h, 1);
	start = encoded(&h);
	memset(raw, 0, sizeof(raw));
	memcpy(raw, start.p, 184);
	wire_set32(raw + 12, sizeof(raw));
	wire_set16(raw + 84, (uint16_t)stanzas);
	wire_set16(raw + 176, (uint16_t)host);
	wire_set16(raw + 178, (uint16_t)name);
	memset(at, 'h', host);
	memset(at + host, 'n', name);
	crypto_hash_init(&id, "vs1.stream", NULL, 0, 16);
	crypto_hash_update(&id, raw + 88, 32);
	crypto_hash_update(&id, raw + 78, 1);
	crypto_hash_update(&id, raw + 160, 16);
	crypto_hash_update(&id, at + host, name);
	crypto_hash_final(&id, raw + 32);
	return part_header_decode(raw, sizeof(raw), &got, &e);
}

/* Counts have their limits, even where all else fits them. */
static void counts(void **state)
{
	(void)state;
	assert_int_equal(decode_counts(1, 1, 1), 0);
	assert_int_equal(decode_counts(64, LABEL_MAX, VOLUME_NAME_MAX), 0);
	assert_int_equal(decode_counts(0, 1, 1), -1);
	assert_int_equal(decode_counts(65, 1, 1), -1);
	assert_int_equal(decode_counts(1, 0, 1), -1);
	assert_int_equal(decode_counts(1, LABEL_MAX + 1, 1), -1);
	assert_int_equal(decode_counts(1, 1, 0), -1);
	assert_int_equal(decode_counts(1, 1, VOLUME_NAME_MAX + 1), -1);
}

/* What the stream id is made of cannot be changed without it: kind, nonce, name, host
 * key. */
static void stream_id_bound(void **state)
{
	static const size_t at[] = { 32, 47, 88, 119, 160, 175, 251, 252 };
	auto_header struct part_header h;
	auto_bytes struct bytes raw = BYTES_EMPTY;

	(void)state;
	kit_header(&h, 1);
	raw = encoded(&h);
	/* changed, not set: most of these bytes are random */
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		assert_int_equal(decode_with(&h, at[i], 1, raw.p[at[i]] ^ 0x42u), -1);
	assert_int_equal(decode_with(&h, 248, 1, 'v'),
			 0); /* the host label is not in it */
}

/* TLVs: unknown ones are passed over, one that must be known is refused, as are a
 * predecessor of the wrong size and a second one of a type. */
static void tlvs(void **state)
{
	uint8_t tlv[36] = { 1, 0, 32, 0 };
	auto_header struct part_header h;
	struct err e = ERR_EMPTY;

	(void)state;
	kit_header(&h, 1);
	assert_int_equal(bytes_append(&h.tlv, tlv, sizeof(tlv), &e), 0);
	assert_int_equal(decode_with(&h, 253, 2, 1), 0);
	assert_int_equal(decode_with(&h, 253, 2, 0x7fff), 0);
	assert_int_equal(decode_with(&h, 253, 2, 0x8001), -1);
	assert_int_equal(decode_with(&h, 255, 2, 31), -1);
	assert_int_equal(decode_with(&h, 255, 2, 33), -1);
	assert_int_equal(decode_with(&h, 255, 2, 28),
			 -1); /* then 4 bytes: an empty TLV 0 */
	tlv[0] = 0;
	assert_int_equal(bytes_append(&h.tlv, tlv, sizeof(tlv), &e), 0);
	assert_int_equal(decode_with(&h, 253, 2, 1), 0);
	assert_int_equal(decode_with(&h, 253, 2, 0), -1);
}

/* Cut anywhere, it is refused, and nothing beyond the end is read. */
static void cut(void **state)
{
	auto_header struct part_header h;
	auto_bytes struct bytes raw = BYTES_EMPTY;

	(void)state;
	kit_header(&h, 1);
	raw = encoded(&h);
	for (size_t n = 0; n < raw.len; n += n < 260 ? 1 : 59) {
		auto_header struct part_header got;
		auto_free uint8_t *copy = malloc(n ? n : 1);
		struct err e = ERR_EMPTY;

		assert_non_null(copy);
		memcpy(copy, raw.p, n);
		assert_int_equal(part_header_decode(copy, n, &got, &e), -1);
	}
}

/* The mac is that of the file key over all but itself: any flipped bit and another key
 * are found. */
static void mac(void **state)
{
	auto_header struct part_header h;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	uint8_t other[32] = { 0 };

	(void)state;
	kit_header(&h, 1);
	raw = encoded(&h);
	assert_true(part_header_mac_fits(raw.p, raw.len, kit.fk));
	assert_false(part_header_mac_fits(raw.p, raw.len, other));
	for (size_t bit = 0; bit < 8 * raw.len; bit++) {
		raw.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(part_header_mac_fits(raw.p, raw.len, kit.fk));
		raw.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* File names are those of section 3. */
static void names(void **state)
{
	struct part_header h;
	char name[80];

	(void)state;
	kit_header_bare(&h, 12345);
	part_header_name(&h, true, name, sizeof(name));
	assert_string_equal(name, "0000000007-a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7.vsf");
	part_header_name(&h, false, name, sizeof(name));
	assert_string_equal(name,
			    "0000000007-a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7.12345.vsa");
	h.part = 1;
	part_header_name(&h, false, name, sizeof(name));
	assert_string_equal(name, "0000000007-a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7.0001.vsa");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(layout),
		cmocka_unit_test(limits),     cmocka_unit_test(exact_fit),
		cmocka_unit_test(ranges),     cmocka_unit_test(stream_id_bound),
		cmocka_unit_test(tlvs),	      cmocka_unit_test(cut),
		cmocka_unit_test(mac),	      cmocka_unit_test(names),
		cmocka_unit_test(counts),
	};

	return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
