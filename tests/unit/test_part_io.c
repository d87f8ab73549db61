/* Parts written and read back: records, padding, sealing, and how much work reading is.
 */
#include <dlfcn.h>
#include <sodium.h>

#include "base/wire.h"
#include "part_kit.h"

static const uint8_t no_chain[32];

/* ---- counting what is opened ---- */

static unsigned opened;

int crypto_aead_chacha20poly1305_ietf_decrypt(
	unsigned char *m, unsigned long long *m_len, unsigned char *nsec,
	const unsigned char *c, unsigned long long c_len, const unsigned char *ad,
	unsigned long long ad_len, const unsigned char *nonce, const unsigned char *key)
{
	int (*real)(unsigned char *, unsigned long long *, unsigned char *,
		    const unsigned char *, unsigned long long, const unsigned char *,
		    unsigned long long, const unsigned char *, const unsigned char *);
	void *found = dlsym(RTLD_NEXT, "crypto_aead_chacha20poly1305_ietf_decrypt");

	memcpy(&real, &found, sizeof(real));
	opened++;
	return real(m, m_len, nsec, c, c_len, ad, ad_len, nonce, key);
}

/* ---- helpers ---- */

static struct part_reader *reader_of(const struct kit_part *p)
{
	struct part_reader *r = NULL;
	struct err e = ERR_EMPTY;

	if (part_reader_open(kit.store, &kit.d, p->name, &r, &e) != 0 ||
	    part_reader_unlock(r, kit.fk, &e) < 0)
		fail_msg("%s", e.text);
	return r;
}

/* What the record stream must be, in memory of its length. */
static uint8_t *model(const struct part_reader *r, const size_t *lens, size_t n)
{
	uint8_t *all = calloc(1, part_reader_length(r));
	size_t at = 0;

	assert_non_null(all);
	for (size_t i = 0; i < n; i++) {
		all[at] = RECORD_BODY;
		wire_set32(all + at + 4, (uint32_t)lens[i]);
		wire_set32(all + at + 8, (uint32_t)lens[i]);
		all[at + 16] = (uint8_t)i;
		for (size_t k = 0; k < lens[i]; k++)
			all[at + 48 + k] = kit_byte(i, k);
		at += 48 + lens[i];
	}
	return all;
}

/* Read all of R in steps of STEP and compare. */
static void read_all(struct part_reader *r, const uint8_t *want, size_t step)
{
	uint64_t length = part_reader_length(r);
	auto_free uint8_t *got = malloc(length);
	struct err e = ERR_EMPTY;

	assert_non_null(got);
	for (uint64_t at = 0; at < length; at += step) {
		size_t n = length - at < step ? (size_t)(length - at) : step;

		if (part_reader_read(r, at, got + at, n, &e) < 0)
			fail_msg("%s", e.text);
	}
	assert_memory_equal(got, want, length);
}

#define MANY 60
static size_t many[MANY];

static void many_fill(void)
{
	for (size_t i = 0; i < MANY; i++)
		many[i] = i * i * 15 % 50000;
}

/* ---- cases ---- */

/* Records of many lengths, over many segments, come out as they went in, however they are
 * asked for, and after them only zeros; the segments are padded. */
static void round_trip(void **state)
{
	static const size_t steps[] = { 1000, 16366, 16367, 100000, 1 << 30 };
	auto_part struct kit_part p;
	uint64_t offsets[MANY], at = 0;
	struct part_reader *r;
	auto_free uint8_t *want = NULL;

	(void)state;
	many_fill();
	kit_part_init(&p, 1);
	kit_part_write(&p, many, MANY, offsets, kit.host);
	r = reader_of(&p);
	want = model(r, many, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(offsets[i], at);
		at += 48 + many[i];
	}
	assert_int_equal(r->trailer.n_segments, part_padme((at + 16365) / 16366));
	assert_true(r->trailer.n_segments > (at + 16365) / 16366);
	assert_memory_equal(r->trailer.hash, p.t.hash, 32);
	assert_false(r->header_degraded || r->trailer_degraded);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		read_all(r, want, steps[i]);
	part_reader_free(r);
}

/* The file has the length that section 5 says, twice the same header and trailer. */
static void file_layout(void **state)
{
	auto_part struct kit_part p;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	size_t lens[] = { 100, 40000 };
	uint64_t offsets[2];
	struct err e = ERR_EMPTY;

	(void)state;
	kit_part_init(&p, 1);
	kit_part_write(&p, lens, 2, offsets, kit.host);
	assert_int_equal(store_get(kit.store, p.name, 1 << 20, &raw, &e), 0);
	assert_int_equal(raw.len, 2 * 4096 + 3 * 16384 + 2 * 4096);
	assert_memory_equal(raw.p, raw.p + 4096 + 3 * 16384, 4096);
	assert_memory_equal(raw.p + 2 * 4096 + 3 * 16384, raw.p + 3 * 4096 + 3 * 16384,
			    4096);
}

/* `first` of each segment points at the first record that begins in it, FFFF where none
 * does. */
static void first_field(void **state)
{
	auto_part struct kit_part p;
	uint64_t offsets[MANY];
	struct part_reader *r;
	uint8_t byte;
	struct err e = ERR_EMPTY;
	bool some = false, none = false;

	(void)state;
	many_fill();
	kit_part_init(&p, 1);
	kit_part_write(&p, many, MANY, offsets, kit.host);
	r = reader_of(&p);
	for (uint64_t s = 0; s < r->trailer.n_segments; s++) {
		uint16_t want = 0xFFFF;

		for (size_t i = MANY; i-- > 0;)
			if (offsets[i] / 16366 == s)
				want = (uint16_t)(offsets[i] % 16366);
		assert_int_equal(part_reader_read(r, s * 16366, &byte, 1, &e), 0);
		assert_int_equal(wire_get16(r->segment), want);
		some = some || (want != 0xFFFF && want > 0);
		none = none || want == 0xFFFF;
	}
	assert_true(some && none);
	part_reader_free(r);
}

/* A record that just fills the segment needs no second one; one byte more does; a record
 * after a full segment begins at 0 of the next. */
static void exact_fit(void **state)
{
	static const struct {
		size_t lens[2], n;
		uint32_t segments;
	} cases[] = { { { 16366 - 48 }, 1, 1 },
		      { { 16366 - 47 }, 1, 2 },
		      { { 16366 - 48, 0 }, 2, 2 },
		      { { 16366 - 48, 16366 - 48 }, 2, 2 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_part struct kit_part p;
		auto_free uint8_t *want = NULL;
		uint64_t offsets[2];
		struct part_reader *r;

		kit_part_init(&p, 1);
		kit_part_write(&p, cases[i].lens, cases[i].n, offsets, kit.host);
		r = reader_of(&p);
		assert_int_equal(r->trailer.n_segments, cases[i].segments);
		want = model(r, cases[i].lens, cases[i].n);
		read_all(r, want, 1 << 20);
		if (cases[i].n == 2)
			assert_int_equal(wire_get16(r->segment), 0);
		part_reader_free(r);
	}
}

/* A part without records is one segment of zeros. */
static void no_records(void **state)
{
	auto_part struct kit_part p;
	auto_free uint8_t *want = NULL;
	struct part_reader *r;

	(void)state;
	kit_part_init(&p, 1);
	kit_part_write(&p, NULL, 0, NULL, kit.host);
	r = reader_of(&p);
	assert_int_equal(part_reader_length(r), 16366);
	want = model(r, NULL, 0);
	read_all(r, want, 1 << 20);
	assert_int_equal(wire_get16(r->segment), 0xFFFF);
	part_reader_free(r);
}

/* Reading on in small steps opens each segment once, in one large step too. */
static void opens_once(void **state)
{
	static const size_t steps[] = { 100, 16366, 70000, 1 << 30 };
	auto_part struct kit_part p;
	auto_free uint8_t *want = NULL;
	uint64_t offsets[MANY];
	struct part_reader *r;

	(void)state;
	many_fill();
	kit_part_init(&p, 1);
	kit_part_write(&p, many, MANY, offsets, kit.host);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		r = reader_of(&p);
		free(want);
		want = model(r, many, MANY);
		opened = 0;
		read_all(r, want, steps[i]);
		assert_int_equal(opened, r->trailer.n_segments);
		part_reader_free(r);
	}
}

/* Reading back and forth, between the caches, gives the same bytes. */
static void random_reads(void **state)
{
	auto_part struct kit_part p;
	auto_free uint8_t *want = NULL, *got = malloc(300000);
	uint64_t offsets[MANY], seed = 9;
	struct part_reader *r;
	struct err e = ERR_EMPTY;

	(void)state;
	assert_non_null(got);
	many_fill();
	kit_part_init(&p, 1);
	kit_part_write(&p, many, MANY, offsets, kit.host);
	r = reader_of(&p);
	want = model(r, many, MANY);
	for (int i = 0; i < 500; i++) {
		uint64_t at, n;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		at = (seed >> 20) % (part_reader_length(r) + 1);
		n = (seed >> 40) % (i % 2 ? 300000 : 500);
		if (n > part_reader_length(r) - at)
			n = part_reader_length(r) - at;
		assert_int_equal(part_reader_read(r, at, got, n, &e), 0);
		assert_memory_equal(got, want + at, n);
		assert_int_equal(part_reader_check_slot(
					 r, (uint32_t)i % r->trailer.n_segments, &e),
				 0);
	}
	part_reader_free(r);
}

/* Nothing is read outside of the record stream, nor before the key is there, nor with
 * another. */
static void outside(void **state)
{
	auto_part struct kit_part p;
	struct part_reader *r = NULL;
	struct err e = ERR_EMPTY;
	uint8_t out[4], other[32] = { 0 };

	(void)state;
	kit_part_init(&p, 1);
	kit_part_write(&p, NULL, 0, NULL, kit.host);
	assert_int_equal(part_reader_open(kit.store, &kit.d, p.name, &r, &e), 0);
	assert_int_equal(part_reader_read(r, 0, out, 1, &e), -1);
	assert_int_equal(e.kind, ERR_KEY);
	assert_int_equal(part_reader_unlock(r, other, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
	assert_int_equal(part_reader_read(r, 0, out, 1, &e), -1);
	assert_int_equal(part_reader_unlock(r, kit.fk, &e), 0);
	assert_int_equal(part_reader_read(r, 16362, out, 4, &e), 0);
	assert_int_equal(part_reader_read(r, 16366, out, 0, &e), 0);
	assert_int_equal(part_reader_read(r, 16363, out, 4, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
	assert_non_null(strstr(e.text, "nothing at"));
	assert_int_equal(part_reader_read(r, 16367, out, 0, &e), -1);
	assert_int_equal(part_reader_read(r, UINT64_MAX, out, 4, &e), -1);
	assert_int_equal(part_reader_check_slot(r, 0, &e), 0);
	assert_int_equal(part_reader_check_slot(r, 1, &e), -1);
	part_reader_free(r);
}

/* The sealed segments of part NO, filled with records that make several of them equal. */
static struct bytes sealed_of(uint32_t no, uint32_t *n)
{
	auto_part struct kit_part p;
	struct bytes raw = BYTES_EMPTY;
	struct store_part *file = NULL;
	struct part_writer *w = NULL;
	struct err e = ERR_EMPTY;
	uint8_t id[32] = { 0 }, *zeros = calloc(1, 300000);
	uint64_t offset;

	assert_non_null(zeros);
	kit_part_init(&p, no);
	kit_part_name(&p);
	assert_int_equal(store_part_begin(kit.store, "kit", &file, &e), 0);
	assert_int_equal(part_writer_open(file, &p.h, kit.fk, &w, &e), 0);
	assert_int_equal(part_writer_record(w, RECORD_BODY, CODEC_RAW, id, zeros, 300000,
					    300000, &offset, &e),
			 0);
	assert_int_equal(part_writer_finish(w, &p.t, no_chain, kit.host, &e), 0);
	part_writer_free(w);
	assert_int_equal(store_part_sync(file, &e), 0);
	(void)snprintf(p.name, sizeof(p.name), "s/t30.%u", no);
	assert_int_equal(store_part_commit(file, p.name, &e), 0);
	store_part_free(file);
	assert_int_equal(store_get(kit.store, p.name, 1 << 22, &raw, &e), 0);
	*n = p.t.n_segments;
	free(zeros);
	return raw;
}

/* Equal segments of one part, and equal parts of one archive, are sealed to different
 * bytes: no key stream is used twice (T30). */
static void never_twice(void **state)
{
	auto_bytes struct bytes a = BYTES_EMPTY, b = BYTES_EMPTY;
	uint32_t n = 0, m = 0;

	(void)state;
	a = sealed_of(1, &n);
	b = sealed_of(2, &m);
	assert_true(n == m && n > 4);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < n; k++) {
			const uint8_t *x = a.p + 4096 + (size_t)i * 16384;
			const uint8_t *y = a.p + 4096 + (size_t)k * 16384;
			const uint8_t *z = b.p + 4096 + (size_t)k * 16384;

			assert_true(i == k || memcmp(x + 64, y + 64, 64) != 0);
			assert_true(memcmp(x + 64, z + 64, 64) != 0);
		}
}

/* Segments are what section 7 says: key, nonce with index and last, no associated data.
 */
static void sealing(void **state)
{
	auto_part struct kit_part p;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	size_t lens[] = { 40000 };
	uint64_t offset;
	uint8_t key[32], nonce[12], plain[16368], hash[16], msg[8 + 16384];
	struct err e = ERR_EMPTY;

	(void)state;
	kit_part_init(&p, 1);
	kit_part_write(&p, lens, 1, &offset, kit.host);
	assert_int_equal(store_get(kit.store, p.name, 1 << 20, &raw, &e), 0);
	crypto_b2("vs1.payload", kit.fk, 32, p.h.hash, 32, key, 32);
	for (uint32_t i = 0; i < 3; i++) {
		const uint8_t *s = raw.p + 4096 + (size_t)i * 16384;

		wire_set64(nonce, i);
		wire_set32(nonce + 8, i == 2);
		assert_true(crypto_open(key, nonce, NULL, 0, s, 16384, plain));
		wire_set32(nonce + 8, i != 2);
		assert_false(crypto_open(key, nonce, NULL, 0, s, 16384, plain));
		wire_set64(msg, i);
		memcpy(msg + 8, s, 16384);
		crypto_b2("vs1.slot", NULL, 0, msg, sizeof(msg), hash, 16);
		assert_memory_equal(hash, p.t.slots[i], 16);
	}
}

/* part_writer_fits says yes exactly where the padded part stays within the limit. */
static void fits(void **state)
{
	auto_part struct kit_part p;
	struct store_part *file = NULL;
	struct part_writer *w = NULL;
	struct err e = ERR_EMPTY;
	uint64_t offset;

	(void)state;
	kit_part_init(&p, 1);
	assert_int_equal(store_part_begin(kit.store, "kit", &file, &e), 0);
	assert_int_equal(part_writer_open(file, &p.h, kit.fk, &w, &e), 0);
	assert_true(part_writer_fits(w, 16366 - 48, 1));
	assert_false(part_writer_fits(w, 16366 - 47, 1));
	assert_true(part_writer_fits(w, 8 * 16366 - 48, 8));
	assert_false(part_writer_fits(w, 8 * 16366 - 47, 9)); /* 9 is padded to 10 */
	assert_true(part_writer_fits(w, 8 * 16366 - 47, 10));
	kit_record(w, 0, 16366, &offset);
	assert_true(part_writer_fits(w, 16366 - 96, 2));
	assert_false(part_writer_fits(w, 16366 - 95, 2));
	assert_true(part_writer_fits(w, (size_t)15871 * 16366 - 96, UINT32_MAX));
	assert_false(part_writer_fits(w, (size_t)15871 * 16366 - 95, UINT32_MAX));
	part_writer_free(w);
	store_part_free(file);
}

/* Records over the limits of their type, or longer packed than plain, are not written. */
static void record_limits(void **state)
{
	static const struct {
		enum record_type type;
		size_t clen, ulen;
		int result;
	} cases[] = {
		{ RECORD_BODY, 10, FRAME_MAX, 0 }, { RECORD_BODY, 10, FRAME_MAX + 1, -1 },
		{ RECORD_HEAD, 10, FRAME_MAX, 0 }, { RECORD_HEAD, 10, FRAME_MAX + 1, -1 },
		{ RECORD_NODE, 10, NODE_MAX, 0 },  { RECORD_NODE, 10, NODE_MAX + 1, -1 },
		{ RECORD_ROOT, 10, NODE_MAX, 0 },  { RECORD_ROOT, 10, NODE_MAX + 1, -1 },
		{ RECORD_BODY, 10, 9, -1 },	   { RECORD_BODY, 10, 10, 0 },
	};
	auto_part struct kit_part p;
	struct store_part *file = NULL;
	struct part_writer *w = NULL;
	struct err e = ERR_EMPTY;
	uint8_t id[32] = { 0 };
	uint64_t offset;

	(void)state;
	kit_part_init(&p, 1);
	assert_int_equal(store_part_begin(kit.store, "kit", &file, &e), 0);
	assert_int_equal(part_writer_open(file, &p.h, kit.fk, &w, &e), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(part_writer_record(w, cases[i].type, CODEC_ZSTD, id, id,
						    cases[i].clen, cases[i].ulen, &offset,
						    &e),
				 cases[i].result);
	part_writer_free(w);
	store_part_free(file);
}

/* PADMÉ as the paper has it, in steps of one: the next length with no more than S
 * significant bits after the first E-S. */
static uint64_t padme_slowly(uint64_t n)
{
	unsigned e = 0, s = 0, z;

	while (n >> (e + 1))
		e++;
	while (e >> s)
		s++;
	z = e > s ? e - s : 0;
	while (n >> z << z != n)
		n++;
	return n;
}

/* part_padme is that, for all that a part can have and more; the largest part is a fixed
 * point. */
static void padme(void **state)
{
	(void)state;
	assert_int_equal(part_padme(0), 0);
	assert_int_equal(part_padme(1), 1);
	for (uint64_t n = 2; n <= 100000; n++)
		if (part_padme(n) != padme_slowly(n))
			fail_msg("%llu gives %llu", (unsigned long long)n,
				 (unsigned long long)part_padme(n));
	assert_int_equal(part_padme(9), 10);
	assert_int_equal(part_padme(100000), 100352);
	assert_int_equal(part_padme(PART_MAX_SEGMENTS), PART_MAX_SEGMENTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),	cmocka_unit_test(file_layout),
		cmocka_unit_test(first_field),	cmocka_unit_test(exact_fit),
		cmocka_unit_test(no_records),	cmocka_unit_test(opens_once),
		cmocka_unit_test(random_reads), cmocka_unit_test(outside),
		cmocka_unit_test(never_twice),	cmocka_unit_test(sealing),
		cmocka_unit_test(fits),		cmocka_unit_test(record_limits),
		cmocka_unit_test(padme),
	};

	return cmocka_run_group_tests(tests, kit_store_setup, kit_teardown);
}
