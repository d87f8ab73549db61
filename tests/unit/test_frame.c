/* Frames: packing, unpacking, ids, and what a hostile or broken one does. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive/codec.h"
#include "archive/crypto.h"
#include "archive/frame.h"
#include "base/err.h"
#include "base/wire.h"

static const uint8_t id_key[32] = { 1, 2, 3 };
static struct frame *frame;
static struct packer *packer;
static struct unpacker *unpacker;
static struct unpacked *unpacked;
static uint8_t buffer[FRAME_MAX];

/* ---- a compressor with a fault: bit flips in what it reads (a weak memory chip, say)
 * ---- */

static bool faulty;
static int n_compressed; /* calls */
size_t ZSTD_compress2(void *c, void *out, size_t room, const void *p, size_t n);

size_t ZSTD_compress2(void *c, void *out, size_t room, const void *p, size_t n)
{
	size_t (*real)(void *, void *, size_t, const void *, size_t);
	void *found = dlsym(RTLD_NEXT, "ZSTD_compress2");
	uint8_t *copy = malloc(n);
	size_t got;

	n_compressed++;
	memcpy(&real, &found, sizeof(real));
	assert_non_null(copy);
	memcpy(copy, p, n);
	copy[n / 2] ^= faulty ? 4 : 0;
	got = real(c, out, room, copy, n);
	free(copy);
	return got;
}

/* ---- helpers ---- */

static uint64_t seed = 1;

static uint32_t random32(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 32);
}

static void fill_random(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)random32();
}

static void fill_text(uint8_t *p, size_t n)
{
	static const char *const words[] = { "volume ", "store ", "frame ",
					     "key\n",	"tip ",	  "0" };

	for (size_t i = 0; i < n;) {
		const char *w = words[random32() % 6];

		for (; *w && i < n; w++)
			p[i++] = (uint8_t)*w;
	}
}

static int group_setup(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	if (crypto_init(&e) < 0)
		return -1;
	frame = frame_new(&e);
	packer = packer_new(1, &e);
	unpacker = unpacker_new(&e);
	unpacked = unpacked_new(&e);
	return frame && packer && unpacker && unpacked ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	frame_free(frame);
	packer_free(packer);
	unpacker_free(unpacker);
	unpacked_free(unpacked);
	return 0;
}

static void put_chunk(const void *p, size_t n)
{
	memcpy(frame_content(frame) + frame->used, p, n);
	frame->used += n;
	frame_end_chunk(frame, NULL);
}

/* Unpack FRAME as a reader would; what parse says. */
static int unpack(enum record_type type, struct err *e)
{
	if (unpacker_record(unpacker, frame->codec, frame->packed, frame->clen,
			    unpacked->plain, frame->ulen, e) < 0)
		return -1;
	return unpacked_parse(unpacked, type, frame->ulen, id_key, frame->id, e);
}

static void expect_same(void)
{
	struct err e = ERR_EMPTY;

	assert_int_equal(unpack(frame->type, &e), 0);
	assert_int_equal(unpacked->n_chunks, frame->n_chunks);
	assert_int_equal(unpacked->content_len, frame->used);
	assert_memory_equal(unpacked->plain + unpacked->content_at, frame_content(frame),
			    frame->used);
	assert_memory_equal(unpacked->ends, frame->ends, 4 * frame->n_chunks);
	assert_memory_equal(unpacked->fingerprints, frame->fingerprints,
			    16 * frame->n_chunks);
}

/* ---- round trips ---- */

/* What is packed comes out the same, with the same chunks and fingerprints: random
 * content, text and mixtures, of one byte up to all a frame holds, in one up to thousands
 * of chunks. */
static void test_round_trip(void **state)
{
	(void)state;
	for (int round = 0; round < 60; round++) {
		struct err e = ERR_EMPTY;
		size_t total =
			round < 3 ? (size_t)round + 1 : random32() % FRAME_CONTENT + 1;
		size_t mean = round % 3 == 0 ? 100 : 20000;

		frame_reset(frame, round % 2 ? RECORD_HEAD : RECORD_BODY, FRAME_CONTENT);
		while (frame->used < total && frame->n_chunks < FRAME_FILL) {
			size_t n = random32() % (2 * mean) + 1;

			if (n > total - frame->used)
				n = total - frame->used;
			if (random32() % 2)
				fill_random(buffer, n);
			else
				fill_text(buffer, n);
			put_chunk(buffer, n);
		}
		assert_int_equal(frame_pack(frame, packer, id_key, &e), 0);
		assert_true(frame->clen <= frame->ulen && frame->ulen <= FRAME_MAX);
		expect_same();
	}
}

/* The extremes fit: 2048 chunks of 256 bytes, and one of 524288. */
static void test_extremes(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	fill_text(buffer, FRAME_CONTENT);
	frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
	for (size_t i = 0; i < FRAME_FILL; i++)
		put_chunk(buffer + 256 * i, 256);
	assert_int_equal(frame_pack(frame, packer, id_key, &e), 0);
	assert_int_equal(frame->ulen, FRAME_CONTENT + 2 * FRAME_FILL + 2);
	expect_same();
	frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
	put_chunk(buffer, FRAME_CONTENT);
	assert_int_equal(frame_pack(frame, packer, id_key, &e), 0);
	expect_same();
}

/* Levels 0 to 9 all give frames that a reader takes; 0 never compresses, the others do.
 */
static void test_levels(void **state)
{
	(void)state;
	fill_text(buffer, FRAME_CONTENT);
	for (int level = 0; level <= 9; level++) {
		struct err e = ERR_EMPTY;
		struct packer *p = packer_new(level, &e);

		assert_non_null(p);
		frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
		put_chunk(buffer, FRAME_CONTENT);
		assert_int_equal(frame_pack(frame, p, id_key, &e), 0);
		assert_int_equal(frame->codec, level == 0 ? CODEC_RAW : CODEC_ZSTD);
		expect_same();
		packer_free(p);
	}
}

/* A codec's memory stays in its budget at each level: 16 MiB for the process is the
 * promise. */
static void test_memory(void **state)
{
	static uint8_t out[FRAME_CONTENT];

	(void)state;
	fill_text(buffer, FRAME_CONTENT);
	for (int level = 1; level <= 9; level++) {
		struct err e = ERR_EMPTY;
		struct codec *c = codec_new(level, &e);
		size_t clen;

		assert_non_null(c);
		assert_int_equal(codec_squeeze(c, buffer, FRAME_CONTENT, out, sizeof(out),
					       &clen, &e),
				 0);
		assert_in_range(codec_memory(c), 1, level == 1 ? 900u << 10 : 4u << 20);
		codec_free(c);
	}
}

/* ---- the probe ---- */

/* Random content goes to disk as it is, plus its table, and zstd never sees it; text does
 * not; a frame of which only an eighth is text, wherever it lies, is still compressed. */
static void test_probe(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	fill_random(buffer, FRAME_CONTENT);
	frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
	for (size_t at = 0; at < FRAME_CONTENT; at += 16384)
		put_chunk(buffer + at, 16384);
	n_compressed = 0;
	assert_int_equal(frame_pack(frame, packer, id_key, &e), 0);
	assert_int_equal(n_compressed, 0);
	assert_int_equal(frame->codec, CODEC_RAW);
	assert_int_equal(frame->clen, FRAME_CONTENT + 1 + 3 * 32);
	expect_same();
	for (size_t eighth = 0; eighth < 8; eighth++) {
		fill_random(buffer, FRAME_CONTENT);
		fill_text(buffer + eighth * 65536, 65536);
		frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
		put_chunk(buffer, FRAME_CONTENT);
		assert_int_equal(frame_pack(frame, packer, id_key, &e), 0);
		assert_int_equal(frame->codec, CODEC_ZSTD);
		assert_in_range(frame->clen, 400000, 490000);
	}
}

/* Compression that saves less than one part in 64 is not used: its readers would pay for
 * it. */
static void test_little_gain(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	fill_random(buffer, FRAME_CONTENT);
	memset(buffer + 16384, 'x', 4000); /* where the probe sees it; enough for zstd */
	n_compressed = 0;
	frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
	put_chunk(buffer, FRAME_CONTENT);
	assert_int_equal(frame_pack(frame, packer, id_key, &e), 0);
	assert_int_equal(n_compressed, 1);
	assert_int_equal(frame->codec, CODEC_RAW);
	memset(buffer + 16384, 'x', 12000);
	frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
	put_chunk(buffer, FRAME_CONTENT);
	assert_int_equal(frame_pack(frame, packer, id_key, &e), 0);
	assert_int_equal(frame->codec, CODEC_ZSTD);
}

/* ---- T48: a compressor that errs does not get its output into an archive ---- */

/* With a bit flipped in what zstd was given, packing fails and says what is wrong. */
static void test_compressor_fault(void **state)
{
	const uint8_t *out;
	enum record_codec codec;
	struct err e = ERR_EMPTY;
	size_t clen;
	int r, small;

	(void)state;
	fill_text(buffer, 100000);
	frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
	put_chunk(buffer, 100000);
	faulty = true;
	r = frame_pack(frame, packer, id_key, &e);
	small = packer_small(packer, buffer, 5000, &out, &clen, &codec, &e);
	faulty = false;
	assert_int_equal(r, -1);
	assert_int_equal(small, -1);
	assert_int_equal(e.kind, ERR_FAILED);
	assert_non_null(strstr(e.text, "compressor fault"));
	assert_int_equal(frame_pack(frame, packer, id_key, &e), 0);
	expect_same();
}

/* ---- small records ---- */

/* NODE and ROOT plaintexts of any size up to the limit come back as they were. */
static void test_small(void **state)
{
	static const size_t sizes[] = { 1, 40, 300, 5000, 49152, NODE_MAX };

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(*sizes); i++) {
		size_t n = sizes[i / 2], clen;
		enum record_codec codec;
		struct err e = ERR_EMPTY;
		const uint8_t *out;

		if (i % 2)
			fill_text(buffer, n);
		else
			fill_random(buffer, n);
		assert_int_equal(packer_small(packer, buffer, n, &out, &clen, &codec, &e),
				 0);
		assert_true(clen <= n);
		assert_int_equal(codec, i % 2 && n > 40 ? CODEC_ZSTD : CODEC_RAW);
		assert_int_equal(unpacker_record(unpacker, codec, out, clen,
						 unpacked->plain, n, &e),
				 0);
		assert_memory_equal(unpacked->plain, buffer, n);
	}
}

/* ---- ids ---- */

static void b2_of(const char *label, const void *p, size_t n, uint8_t out[32])
{
	crypto_b2(label, id_key, 32, p, n, out, 32);
}

/* Ids are the formulas of docs/format.md 7: of chunks by label, of the frame over type
 * and chunk ids; so the same bytes as body and as head have nothing in common. */
static void test_ids(void **state)
{
	uint8_t text[1 + 64], want[32];
	struct err e = ERR_EMPTY;

	(void)state;
	for (int head = 0; head < 2; head++) {
		const char *label = head ? "vs1.id.head" : "vs1.id.body";

		text[0] = head ? 2 : 1;
		b2_of(label, "abc", 3, text + 1);
		b2_of(label, "de", 2, text + 33);
		b2_of("vs1.id.frame", text, sizeof(text), want);
		frame_reset(frame, head ? RECORD_HEAD : RECORD_BODY, FRAME_CONTENT);
		put_chunk("abc", 3);
		put_chunk("de", 2);
		assert_int_equal(frame_pack(frame, packer, id_key, &e), 0);
		assert_memory_equal(frame->id, want, 32);
		assert_memory_equal(frame->fingerprints[1], text + 33, 16);
		assert_memory_equal(frame->packed,
				    "\2\3\2"
				    "abcde",
				    8);
		assert_int_equal(unpack(head ? RECORD_BODY : RECORD_HEAD, &e), -1);
		assert_int_equal(e.kind, ERR_DAMAGED);
	}
	frame_node_id(id_key, text, 9, text + 32);
	b2_of("vs1.id.node", text, 9, want);
	assert_memory_equal(text + 32, want, 32);
	frame_root_id(text, 9, text + 32);
	crypto_b2("vs1.id.root", NULL, 0, text, 9, want, 32);
	assert_memory_equal(text + 32, want, 32);
}

/* An extent is taken only where it covers whole chunks and its check is theirs. */
static void test_check(void **state)
{
	uint8_t check[8], full[16];
	struct err e = ERR_EMPTY;

	(void)state;
	fill_random(buffer, 1000);
	frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
	for (size_t i = 0; i < 10; i++)
		put_chunk(buffer + 100 * i, 100);
	assert_int_equal(frame_pack(frame, packer, id_key, &e), 0);
	expect_same();
	for (uint64_t from = 0; from <= 10; from++)
		for (uint64_t to = from + 1; to <= 10; to++) {
			uint64_t at = 100 * from, n = 100 * (to - from);

			frame_check(id_key, frame->fingerprints[from], to - from, check);
			crypto_b2("vs1.check", id_key, 32, frame->fingerprints[from],
				  16 * (to - from), full, 16);
			assert_memory_equal(check, full, 8);
			assert_int_equal(
				unpacked_check(unpacked, at, n, id_key, check, &e), 0);
			assert_int_equal(
				unpacked_check(unpacked, at + 1, n, id_key, check, &e),
				-1);
			assert_int_equal(
				unpacked_check(unpacked, at, n - 1, id_key, check, &e),
				-1);
			assert_int_equal(
				unpacked_check(unpacked, at, n + 1, id_key, check, &e),
				-1);
			check[7] ^= 1;
			assert_int_equal(
				unpacked_check(unpacked, at, n, id_key, check, &e), -1);
		}
	frame_check(id_key, frame->fingerprints[0], 10, check);
	assert_int_equal(unpacked_check(unpacked, 0, 0, id_key, check, &e), -1);
	assert_int_equal(unpacked_check(unpacked, 1000, 1, id_key, check, &e), -1);
	assert_int_equal(unpacked_check(unpacked, 100, UINT64_MAX, id_key, check, &e),
			 -1);
	assert_int_equal(
		unpacked_check(unpacked, 100, UINT64_MAX - 99, id_key, check, &e), -1);
	assert_int_equal(unpacked_check(unpacked, UINT64_MAX, 2, id_key, check, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
}

/* ---- hostile frames ---- */

/* Parse TABLE and CONTENT as a frame whose id is that of N chunks of LENGTHS: what is
 * refused is refused for its table. */
static int parse_as(const void *table, size_t table_len, const void *content, size_t len,
		    const size_t *lengths, size_t n)
{
	uint8_t ids[1 + 32 * 4] = { RECORD_BODY }, id[32];
	const uint8_t *p = content;
	struct err e = ERR_EMPTY;
	int r;

	for (size_t i = 0; i < n; p += lengths[i++])
		b2_of("vs1.id.body", p, lengths[i], ids + 1 + 32 * i);
	b2_of("vs1.id.frame", ids, 1 + 32 * n, id);
	memcpy(unpacked->plain, table, table_len);
	memcpy(unpacked->plain + table_len, content, len);
	r = unpacked_parse(unpacked, RECORD_BODY, table_len + len, id_key, id, &e);
	assert_true(r == 0 || e.kind == ERR_DAMAGED);
	return r;
}

static int parse_abc(const char *table, size_t n)
{
	return parse_as(table, n, "abc", 3, (size_t[]){ 3 }, 1);
}

/* A table that does not describe exactly the bytes after it is refused: no chunk, an
 * empty chunk, bytes left over, bytes missing, lengths out of range, too many, not the
 * shortest varint. */
static void test_bad_tables(void **state)
{
	(void)state;
	assert_int_equal(parse_abc("\1\3", 2), 0);
	assert_int_equal(parse_as("\1\3", 2, "abd", 3, (size_t[]){ 2 }, 1), -1);
	assert_int_equal(parse_as("", 0, "", 0, NULL, 0), -1);
	assert_int_equal(parse_as("\0", 1, "", 0, NULL, 0), -1);
	assert_int_equal(parse_as("\2\3\0", 3, "abc", 3, (size_t[]){ 3, 0 }, 2), -1);
	assert_int_equal(parse_as("\1\3", 2, "abcd", 4, (size_t[]){ 3 }, 1), -1);
	assert_int_equal(parse_abc("\1\4", 2), -1);
	assert_int_equal(parse_abc("\1\203\0", 3), -1);
	assert_int_equal(parse_abc("\2\3", 2), -1);
	assert_int_equal(parse_abc("\201\100", 2), -1);
	assert_int_equal(parse_abc("\377\377\377\377\377\377\377\377\377\1\3", 11), -1);
	assert_int_equal(parse_abc("\1\377\377\377\377\377\377\377\377\377\1", 11), -1);
}

/* Chunks of more than 524288 bytes in all are refused though the frame would hold them,
 * and so is a frame that is too long whatever it holds. */
static void test_too_much(void **state)
{
	const size_t lengths[] = { FRAME_CONTENT, 1 }, one[] = { FRAME_CONTENT + 1 };
	struct err e = ERR_EMPTY;
	uint8_t table[32] = { 1 };
	size_t n = 1 + wire_varint(table + 1, one[0]);

	(void)state;
	assert_int_equal(parse_as(table, n, buffer, one[0], one, 1), -1);
	n = 1 + wire_varint(table + 1, FRAME_CONTENT);
	assert_int_equal(parse_as(table, n, buffer, FRAME_CONTENT, lengths, 1), 0);
	table[0] = 2;
	n += wire_varint(table + n, 1);
	assert_int_equal(parse_as(table, n, buffer, FRAME_CONTENT + 1, lengths, 2), -1);
	assert_int_equal(
		unpacked_parse(unpacked, RECORD_BODY, FRAME_MAX + 1, id_key, table, &e),
		-1);
}

/* Each single flipped bit of a packed frame, and each cut, is found. */
static void test_bit_flips(void **state)
{
	static uint8_t sane[4096];
	struct err e = ERR_EMPTY;
	size_t clen;

	(void)state;
	fill_text(buffer, 3000);
	frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
	put_chunk(buffer, 2000);
	put_chunk(buffer + 2000, 1000);
	assert_int_equal(frame_pack(frame, packer, id_key, &e), 0);
	assert_int_equal(frame->codec, CODEC_ZSTD);
	clen = frame->clen;
	memcpy(sane, frame->packed, clen);
	frame->packed = sane;
	assert_int_equal(unpack(RECORD_BODY, &e), 0);
	for (size_t bit = 0; bit < 8 * clen; bit++) {
		sane[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* A bit that zstd ignores changes no content: that is no damage to it. */
		if (unpack(RECORD_BODY, &e) == 0)
			assert_memory_equal(unpacked->plain + unpacked->content_at,
					    buffer, 3000);
		else
			assert_int_equal(e.kind, ERR_DAMAGED);
		sane[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (frame->clen = 0; frame->clen < clen; frame->clen++)
		assert_int_equal(unpack(RECORD_BODY, &e), -1);
	frame->clen = clen + 1;
	sane[clen] = 0;
	assert_int_equal(unpack(RECORD_BODY, &e), -1);
	memcpy(sane + clen, sane, clen);
	frame->clen = 2 * clen;
	assert_int_equal(unpack(RECORD_BODY, &e), -1);
}

static int expand(const char *data, size_t n, size_t ulen)
{
	struct err e = ERR_EMPTY;
	int r = unpacker_record(unpacker, CODEC_ZSTD, (const uint8_t *)data, n, buffer,
				ulen, &e);

	assert_true(r == 0 || e.kind == ERR_DAMAGED);
	return r;
}

/* zstd frames that RFC 8878 allows and the format does not are refused: without content
 * size, with another one, with a dictionary, with a checksum (also the right one), with a
 * window over 1 MiB; and skippable frames. */
static void test_zstd_headers(void **state)
{
#define MAGIC "\x28\xb5\x2f\xfd"
#define ABC "\x19\0\0abc"
	(void)state;
	assert_int_equal(expand(MAGIC "\x20\3" ABC, 12, 3), 0);
	assert_memory_equal(buffer, "abc", 3);
	assert_int_equal(expand(MAGIC "\x20\3" ABC, 12, 4), -1);
	assert_int_equal(expand(MAGIC "\x20\4" ABC, 12, 4), -1);
	assert_int_equal(expand(MAGIC "\0\x48" ABC, 12, 3), -1);
	assert_int_equal(expand(MAGIC "\x21\0\3" ABC, 13, 3), -1);
	assert_int_equal(expand(MAGIC "\x24\3" ABC "\x99\x09\x77\xad", 16, 3), -1);
	assert_int_equal(expand(MAGIC "\x24\3" ABC, 12, 3), -1);
	assert_int_equal(expand(MAGIC "\x80\x50\3\0\0\0" ABC, 16, 3), 0);
	assert_int_equal(expand(MAGIC "\x80\x51\3\0\0\0" ABC, 16, 3), -1);
	assert_int_equal(expand(MAGIC "\x80\xff\3\0\0\0" ABC, 16, 3), -1);
	assert_int_equal(expand("\x50\x2a\x4d\x18\4\0\0\0abcd", 12, 0), -1);
	assert_int_equal(expand(MAGIC "\x20\3" ABC "\x50\x2a\x4d\x18\0\0\0\0", 20, 3),
			 -1);
}

/* A raw record whose two lengths differ, or of a codec not known, is refused. */
static void test_raw(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	assert_int_equal(
		unpacker_record(unpacker, CODEC_RAW, buffer, 5, unpacked->plain, 5, &e),
		0);
	assert_int_equal(
		unpacker_record(unpacker, CODEC_RAW, buffer, 5, unpacked->plain, 6, &e),
		-1);
	assert_int_equal(unpacker_record(unpacker, (enum record_codec)2, buffer, 5,
					 unpacked->plain, 5, &e),
			 -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_little_gain),
		cmocka_unit_test(test_compressor_fault),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_bad_tables),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_zstd_headers),
		cmocka_unit_test(test_raw),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
