/* The trailer of a part: layout, signature, and what a hostile signer could say in it. */
#include "base/wire.h"
#include "part_kit.h"

static const uint8_t no_chain[32];

/* A trailer of N segments with all that a final one can have. */
static void trailer_fill(struct part_trailer *t, uint32_t n, bool final)
{
	static const uint8_t tlv[] = { 9, 0, 1, 0, 'x' };
	struct err e = ERR_EMPTY;

	*t = (struct part_trailer){ .final = final, .n_segments = n };
	memset(t->header_hash, 0x68, 32);
	t->slots = calloc(n, 16);
	assert_non_null(t->slots);
	for (uint32_t i = 0; i < n; i++)
		wire_set32(t->slots[i], i + 1);
	if (!final)
		return;
	t->n_parts = 3;
	t->parts = calloc(2, 32);
	t->n_deps = 2;
	t->deps = calloc(2, sizeof(*t->deps));
	assert_true(t->parts && t->deps);
	memset(t->parts, 0x70, 64);
	t->has_parent = true;
	t->parent = (struct archive_id){ .id = { 1 }, .seq = 6, .trailer_hash = { 2 } };
	t->root_offset = 77;
	t->deps[0] = (struct dependency){ .archive = { { 3 }, 4, { 5 } }, .live = 6 };
	t->deps[1] = (struct dependency){ .archive = { { 7 }, 8, { 9 } }, .live = 10 };
	memset(t->summary, 0x73, sizeof(t->summary));
	assert_int_equal(bytes_append(&t->tlv, tlv, sizeof(tlv), &e), 0);
}

static struct bytes encoded(struct part_trailer *t)
{
	struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;

	assert_int_equal(
		part_trailer_encode(t, kit.store_id, no_chain, kit.host, &raw, &e), 0);
	return raw;
}

/* Decode from memory of exactly this size, so that a sanitizer sees every step outside.
 */
static int decoded(const uint8_t *p, size_t n, struct part_trailer *got, struct err *e)
{
	auto_free uint8_t *copy = malloc(n);

	assert_non_null(copy);
	memcpy(copy, p, n);
	return part_trailer_decode(copy, n, kit.store_id, kit.grant.sign_pk, got, e);
}

/* All fields of a final trailer come out as they went in. */
static void round_trip_final(void **state)
{
	auto_trailer struct part_trailer t, got;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	trailer_fill(&t, 5, true);
	t.partial = true;
	raw = encoded(&t);
	assert_int_equal(decoded(raw.p, raw.len, &got, &e), 0);
	assert_true(got.final && got.partial && got.has_parent);
	assert_int_equal(got.trailer_len, 4096);
	assert_int_equal(got.n_segments, 5);
	assert_memory_equal(got.header_hash, t.header_hash, 32);
	assert_memory_equal(got.slots, t.slots, 5 * 16);
	assert_int_equal(got.n_parts, 3);
	assert_memory_equal(got.parts, t.parts, 64);
	assert_int_equal(got.parent.seq, 6);
	assert_memory_equal(got.parent.id, t.parent.id, 16);
	assert_memory_equal(got.parent.trailer_hash, t.parent.trailer_hash, 32);
	assert_int_equal(got.root_offset, 77);
	assert_int_equal(got.n_deps, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(got.deps[i].archive.seq, t.deps[i].archive.seq);
		assert_memory_equal(got.deps[i].archive.id, t.deps[i].archive.id, 16);
		assert_memory_equal(got.deps[i].archive.trailer_hash,
				    t.deps[i].archive.trailer_hash, 32);
		assert_int_equal(got.deps[i].live, t.deps[i].live);
	}
	assert_memory_equal(got.summary, t.summary, sizeof(t.summary));
	assert_int_equal(got.tlv.len, 5);
	assert_memory_equal(got.tlv.p, t.tlv.p, 5);
	assert_memory_equal(got.chain, t.chain, 32);
	assert_memory_equal(got.body_hash, t.body_hash, 32);
	assert_memory_equal(got.hash, t.hash, 32);
}

/* A trailer that is not final has segments and nothing else. */
static void round_trip_plain(void **state)
{
	auto_trailer struct part_trailer t, got;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	trailer_fill(&t, 3, false);
	raw = encoded(&t);
	assert_int_equal(wire_get32(raw.p + 8), 56 + 3 * 16 + 64);
	assert_int_equal(decoded(raw.p, raw.len, &got, &e), 0);
	assert_false(got.final || got.partial || got.has_parent);
	assert_int_equal(got.n_segments, 3);
	assert_memory_equal(got.slots, t.slots, 48);
	assert_memory_equal(got.hash, t.hash, 32);
	assert_int_equal(got.n_parts, 0);
	assert_int_equal(got.n_deps, 0);
}

/* Fields lie where the format says; hash, signature, chain and footer are those of
 * section 8. */
static void layout(void **state)
{
	auto_trailer struct part_trailer t;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	uint8_t hash[32], joined[64] = { 0 };
	size_t tail = 56 + 16, chain_at, end;

	(void)state;
	trailer_fill(&t, 1, true);
	raw = encoded(&t);
	chain_at = tail + 4 + 64 + 56 + 8 + 2 + 128 + 272 + 4 + 5;
	end = chain_at + 32;
	assert_int_equal(raw.len, 4096);
	assert_memory_equal(raw.p, "VSTRAIL1", 8);
	assert_int_equal(wire_get32(raw.p + 8), end + 64);
	assert_memory_equal(raw.p + 12, "\1\0\0\0\1\0\0\0\1\0\0\0hhhh", 16);
	assert_memory_equal(raw.p + tail, "\3\0\0\0pppp", 8);
	assert_memory_equal(raw.p + tail + 68, "\1\0\0\0", 4);
	assert_int_equal(wire_get64(raw.p + tail + 68 + 16), 6);
	assert_int_equal(raw.p[tail + 68 + 24], 2);
	assert_int_equal(wire_get64(raw.p + tail + 124), 77);
	assert_memory_equal(raw.p + tail + 132, "\2\0\4\0\0\0\0\0\0\0\3", 11);
	assert_int_equal(wire_get64(raw.p + tail + 134 + 56), 6);
	assert_int_equal(wire_get64(raw.p + tail + 134 + 64), 8);
	assert_int_equal(raw.p[tail + 134 + 128], 0x73);
	assert_memory_equal(raw.p + tail + 134 + 128 + 272, "\5\0\0\0\x09\0\1\0x", 9);
	crypto_b2("vs1.chain", NULL, 0, raw.p, chain_at, joined + 32, 32);
	crypto_b2("vs1.chain", NULL, 0, joined, 64, hash, 32);
	assert_memory_equal(raw.p + chain_at, hash, 32);
	crypto_b2("vs1.trailer", NULL, 0, raw.p, end, hash, 32);
	assert_true(crypto_verify_hash(kit.grant.sign_pk, "vs1.trailer", kit.store_id, 16,
				       hash, raw.p + end));
	assert_true(crypto_is_zero(raw.p + end + 64, 4096 - 40 - end - 64));
	assert_memory_equal(raw.p + 4056, hash, 32);
	assert_memory_equal(raw.p + 4088, "\0\x10\0\0VEND", 8);
}

/* Any flipped bit of the whole trailer is refused. */
static void flips(void **state)
{
	auto_trailer struct part_trailer t;
	auto_bytes struct bytes raw = BYTES_EMPTY;

	(void)state;
	trailer_fill(&t, 2, true);
	raw = encoded(&t);
	for (size_t bit = 0; bit < 8 * raw.len; bit++) {
		struct part_trailer got;
		struct err e = ERR_EMPTY;

		raw.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (part_trailer_decode(raw.p, raw.len, kit.store_id, kit.grant.sign_pk,
					&got, &e) != -1)
			fail_msg("bit %zu is not noticed", bit);
		assert_int_equal(e.kind, ERR_DAMAGED);
		raw.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* The signature is one host's for one store. */
static void signer(void **state)
{
	auto_trailer struct part_trailer t;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	uint8_t other_pk[32], other_id[16] = { 0 };
	struct part_trailer got;
	struct err e = ERR_EMPTY;

	(void)state;
	trailer_fill(&t, 2, false);
	raw = encoded(&t);
	crypto_sign_public(kit.reader->b, other_pk);
	assert_int_equal(
		part_trailer_decode(raw.p, raw.len, kit.store_id, other_pk, &got, &e),
		-1);
	assert_int_equal(part_trailer_decode(raw.p, raw.len, other_id, kit.grant.sign_pk,
					     &got, &e),
			 -1);
}

/* Make hash, signature and footer fit what was changed in between. */
static void resign(uint8_t *p, size_t n)
{
	size_t end = wire_get32(p + 8) - 64;
	uint8_t hash[32];

	crypto_b2("vs1.trailer", NULL, 0, p, end, hash, 32);
	crypto_sign_hash(kit.host->b, "vs1.trailer", kit.store_id, 16, hash, p + end);
	memcpy(p + n - 40, hash, 32);
}

/* Decode the sample after a change that its host signed. */
static int decode_with(size_t at, size_t size, uint64_t value)
{
	auto_trailer struct part_trailer t, got;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;
	int result;

	trailer_fill(&t, 1, true);
	raw = encoded(&t);
	for (size_t i = 0; i < size; i++)
		raw.p[at + i] = (uint8_t)(value >> (8 * i));
	resign(raw.p, raw.len);
	result = decoded(raw.p, raw.len, &got, &e);
	if (result < 0)
		assert_int_equal(e.kind, ERR_DAMAGED);
	return result;
}

/* Even what is signed well is refused where counts, order or flags are impossible. */
static void ranges(void **state)
{
	static const struct {
		size_t at, size;
		uint64_t value;
		int result;
	} cases[] = {
		{ 196, 1, 1, 0 }, /* root_offset */
		{ 12, 4, 3, 0 },  /* flags */
		{ 12, 4, 5, -1 },
		{ 12, 4, 0x80000001, -1 },
		{ 12, 4, 0, -1 }, /* not final, but with all that */
		{ 16, 8, 0, -1 }, /* segments */
		{ 16, 4, 2, -1 },
		{ 20, 4, 2, -1 },
		{ 16, 8, 0x0000000200000002, -1 },
		{ 16, 8, UINT64_MAX, -1 },
		{ 16, 8, 0x1000000010000000, -1 },
		{ 72, 4, 0, -1 }, /* parts */
		{ 72, 4, 2, -1 },
		{ 72, 4, 0x08000003, -1 },
		{ 72, 4, UINT32_MAX, -1 },
		{ 156, 8, 0, -1 }, /* parent: an id without a number */
		{ 156, 8, 5, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (decode_with(cases[i].at, cases[i].size, cases[i].value) !=
		    cases[i].result)
			fail_msg("case %zu", i);
}

/* Dependencies must be there, in order, and each once. */
static void dependencies(void **state)
{
	(void)state;
	assert_int_equal(decode_with(204, 2, 1), -1);
	assert_int_equal(decode_with(204, 2, 3), -1);
	assert_int_equal(decode_with(204, 2, 65535), -1);
	assert_int_equal(decode_with(206, 8, 7), 0);
	assert_int_equal(decode_with(206, 8, 8), -1);
	assert_int_equal(decode_with(206, 8, 9), -1);
	assert_int_equal(decode_with(206, 8, 0), -1);
}

/* The TLV area must have its length, and no type that must be known. */
static void tlvs(void **state)
{
	(void)state;
	assert_int_equal(decode_with(606, 4, 4), -1);
	assert_int_equal(decode_with(606, 4, 6), -1);
	assert_int_equal(decode_with(606, 4, UINT32_MAX), -1);
	assert_int_equal(decode_with(610, 2, 0x8009), -1);
	assert_int_equal(decode_with(610, 2, 0x7009), 0);
}

/* The length field decides T, and T is what the footer says. */
static void lengths(void **state)
{
	(void)state;
	assert_int_equal(decode_with(8, 4, 615 + 32 + 64), 0);
	assert_int_equal(decode_with(8, 4, 615 + 32 + 64 + 1), -1);
	assert_int_equal(decode_with(8, 4, 615 + 32 + 64 - 1), -1);
	assert_int_equal(decode_with(8, 4, 120), -1);
	assert_int_equal(decode_with(4088, 4, 8192), -1);
}

/* A T larger than L asks for is refused, even where the footer says it. */
static void longer_than_needed(void **state)
{
	auto_trailer struct part_trailer t, got;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	trailer_fill(&t, 1, true);
	raw = encoded(&t);
	assert_int_equal(bytes_zero(&raw, 4096, &e), 0);
	memcpy(raw.p + 8192 - 40, raw.p + 4096 - 40, 40);
	memset(raw.p + 4096 - 40, 0, 40);
	wire_set32(raw.p + 8192 - 8, 8192);
	assert_int_equal(decoded(raw.p, raw.len, &got, &e), -1);
}

/* A trailer of no segments is refused, even where nothing else is wrong with it. */
static void no_segments(void **state)
{
	auto_trailer struct part_trailer t, got;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	trailer_fill(&t, 1, false);
	raw = encoded(&t);
	memset(raw.p + 56, 0, 4096 - 56 - 8);
	memset(raw.p + 16, 0, 8);
	wire_set32(raw.p + 8, 120);
	resign(raw.p, raw.len);
	assert_int_equal(decoded(raw.p, raw.len, &got, &e), -1);
	assert_non_null(strstr(e.text, "fields"));
}

/* T is L + 40, rounded up: full at 246 segments, one more takes another 4096. */
static void rounding(void **state)
{
	(void)state;
	for (uint32_t n = 246; n <= 247; n++) {
		auto_trailer struct part_trailer t, got;
		auto_bytes struct bytes raw = BYTES_EMPTY;
		struct err e = ERR_EMPTY;

		trailer_fill(&t, n, false);
		raw = encoded(&t);
		assert_int_equal(raw.len, n == 246 ? 4096 : 8192);
		assert_int_equal(t.trailer_len, raw.len);
		assert_int_equal(decoded(raw.p, raw.len, &got, &e), 0);
	}
}

/* Over 4 MiB, and without segments or parts, nothing is encoded; one of 4 MiB decodes. */
static void limits(void **state)
{
	struct part_trailer t, got;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err e = ERR_EMPTY;
	uint32_t most = ((4 << 20) - 40 - 64 - 56) / 16;

	(void)state;
	trailer_fill(&t, most + 1, false);
	assert_int_equal(
		part_trailer_encode(&t, kit.store_id, no_chain, kit.host, &raw, &e), -1);
	t.n_segments = 0;
	raw.len = 0;
	assert_int_equal(
		part_trailer_encode(&t, kit.store_id, no_chain, kit.host, &raw, &e), -1);
	t.n_segments = 1;
	t.final = true;
	assert_int_equal(
		part_trailer_encode(&t, kit.store_id, no_chain, kit.host, &raw, &e), -1);
	t.final = false;
	t.n_segments = most;
	assert_int_equal(
		part_trailer_encode(&t, kit.store_id, no_chain, kit.host, &raw, &e), 0);
	assert_int_equal(raw.len, 4 << 20);
	assert_int_equal(decoded(raw.p, raw.len, &got, &e), 0);
	part_trailer_free(&t);
	part_trailer_free(&got);
}

/* The chain fits its parent's and no other, and covers what lies before it. */
static void chain(void **state)
{
	auto_trailer struct part_trailer t;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	uint8_t parent[32] = { 1, 2, 3 };
	struct err e = ERR_EMPTY;

	(void)state;
	trailer_fill(&t, 1, true);
	assert_int_equal(
		part_trailer_encode(&t, kit.store_id, parent, kit.host, &raw, &e), 0);
	assert_true(part_trailer_chain_fits(&t, parent));
	assert_false(part_trailer_chain_fits(&t, no_chain));
	t.body_hash[0] ^= 1;
	assert_false(part_trailer_chain_fits(&t, parent));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip_final), cmocka_unit_test(round_trip_plain),
		cmocka_unit_test(layout),	    cmocka_unit_test(flips),
		cmocka_unit_test(signer),	    cmocka_unit_test(ranges),
		cmocka_unit_test(dependencies),	    cmocka_unit_test(tlvs),
		cmocka_unit_test(lengths),	    cmocka_unit_test(rounding),
		cmocka_unit_test(limits),	    cmocka_unit_test(chain),
		cmocka_unit_test(no_segments),	    cmocka_unit_test(longer_than_needed),
	};

	return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
