/* Damaged, cut and grown parts: what still serves and what is refused. */
#include "base/wire.h"
#include "part_kit.h"

#define H 4096
#define T 4096
#define N_SEGMENTS 2
#define FILE_LEN (2 * H + N_SEGMENTS * SEGMENT_LEN + 2 * T)
#define COPY_AT (H + N_SEGMENTS * SEGMENT_LEN)
#define TRAILER_A (COPY_AT + H)
#define TRAILER_B (TRAILER_A + T)

static const size_t small[] = { 1000, 20000 };

/* ---- helpers ---- */

static void small_part(struct kit_part *p)
{
	uint64_t offsets[2];

	kit_part_init(p, 1);
	kit_part_write(p, small, 2, offsets, kit.host);
	assert_int_equal(p->t.n_segments, N_SEGMENTS);
}

static void get(int fd, uint8_t *p, size_t n, size_t at)
{
	assert_int_equal(file_pread(fd, p, n, (off_t)at), n);
}

static void put(int fd, const uint8_t *p, size_t n, size_t at)
{
	assert_int_equal(file_pwrite(fd, p, n, (off_t)at), 0);
}

static void flip(int fd, size_t bit)
{
	uint8_t byte;

	get(fd, &byte, 1, bit / 8);
	byte ^= (uint8_t)(1 << bit % 8);
	put(fd, &byte, 1, bit / 8);
}

/* The part opens, with these flags, and all of it can be read. */
static void serves(const struct kit_part *p, bool header_degraded, bool trailer_degraded)
{
	struct part_reader *r = NULL;
	struct err e = ERR_EMPTY;
	uint8_t out[20000];

	assert_int_equal(kit_open(p, &r), 0);
	assert_int_equal(r->header_degraded, header_degraded);
	assert_int_equal(r->trailer_degraded, trailer_degraded);
	assert_int_equal(part_reader_unlock(r, kit.fk, &e), 0);
	assert_int_equal(part_reader_read(r, 48 + 1000 + 48, out, sizeof(out), &e), 0);
	for (size_t i = 0; i < sizeof(out); i++)
		assert_true(out[i] == kit_byte(1, i));
	part_reader_free(r);
}

/* ---- header and trailer ---- */

/* Any bit flipped in both headers, at different places, is refused. */
static void header_both(void **state)
{
	auto_part struct kit_part p;
	auto_close int fd = -1;

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	for (size_t bit = 0; bit < 8 * H; bit++) {
		size_t other = 8 * COPY_AT + (bit + 12345) % (8 * H);

		flip(fd, bit);
		flip(fd, other);
		if (kit_opens(&p) != -1)
			fail_msg("bit %zu is not noticed", bit);
		flip(fd, bit);
		flip(fd, other);
	}
	serves(&p, false, false);
}

/* A byte of either header damaged: degraded, and the part can be read. */
static void header_one(void **state)
{
	auto_part struct kit_part p;
	auto_close int fd = -1;

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	for (size_t at = 0; at < H; at += at < 300 ? 1 : 37) {
		flip(fd, 8 * at + at % 8);
		serves(&p, true, false);
		flip(fd, 8 * at + at % 8);
		flip(fd, 8 * (COPY_AT + at) + at % 8);
		serves(&p, true, false);
		flip(fd, 8 * (COPY_AT + at) + at % 8);
	}
	serves(&p, false, false);
}

/* Any bit flipped in both trailers, at different places, is refused. */
static void trailer_both(void **state)
{
	auto_part struct kit_part p;
	auto_close int fd = -1;

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	for (size_t bit = 0; bit < 8 * T; bit++) {
		size_t other = 8 * TRAILER_B + (bit + 4321) % (8 * T);

		flip(fd, 8 * TRAILER_A + bit);
		flip(fd, other);
		if (kit_opens(&p) != -1)
			fail_msg("bit %zu is not noticed", bit);
		flip(fd, 8 * TRAILER_A + bit);
		flip(fd, other);
	}
	serves(&p, false, false);
}

/* Any bit of one trailer flipped, the last one or the one before it: degraded, and the
 * part can be read. */
static void trailer_one(void **state)
{
	auto_part struct kit_part p;
	auto_close int fd = -1;

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	for (size_t bit = 0; bit < 8 * T;
	     bit += bit < 800 || bit > 8 * (T - 44) ? 1 : 41) {
		flip(fd, 8 * TRAILER_B + bit);
		serves(&p, false, true);
		flip(fd, 8 * TRAILER_B + bit);
		flip(fd, 8 * TRAILER_A + bit);
		serves(&p, false, true);
		flip(fd, 8 * TRAILER_A + bit);
	}
	serves(&p, false, false);
}

/* The first header and the last trailer gone, all zeros: the other two serve; and
 * crosswise. */
static void one_of_each(void **state)
{
	static const size_t headers[] = { 0, COPY_AT },
			    trailers[] = { TRAILER_A, TRAILER_B };
	static const uint8_t zeros[4096];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		auto_part struct kit_part p;
		auto_close int fd = -1;

		small_part(&p);
		fd = kit_part_fd(&p);
		put(fd, zeros, H, headers[i / 2]);
		put(fd, zeros, T, trailers[i % 2]);
		serves(&p, true, true);
	}
}

/* A larger header and a trailer of several units are found with either copy lost. */
static void large(void **state)
{
	static const uint8_t zeros[65536];
	static size_t lens[30];
	uint64_t offsets[30];
	size_t header_len, trailer_len, len;
	auto_part struct kit_part p;
	struct part_reader *r = NULL;
	auto_close int fd = -1;

	(void)state;
	for (size_t i = 0; i < 30; i++)
		lens[i] = 500000;
	kit_part_init(&p, 1);
	for (int i = 0; i < 63; i++)
		kit_stanza_add(&p.h, KEY_READER, kit.reader_pk, kit.fk);
	kit_part_write(&p, lens, 30, offsets, kit.host);
	header_len = p.h.header_len;
	trailer_len = p.t.trailer_len;
	len = 2 * header_len + (size_t)p.t.n_segments * SEGMENT_LEN + 2 * trailer_len;
	assert_true(header_len > 4096 && trailer_len > 8192);
	fd = kit_part_fd(&p);
	assert_int_equal(lseek(fd, 0, SEEK_END), len);
	put(fd, zeros, header_len, 0);
	put(fd, zeros, trailer_len, len - trailer_len);
	assert_int_equal(kit_open(&p, &r), 0);
	assert_true(r->header_degraded && r->trailer_degraded);
	part_reader_free(r);
}

/* ---- segments ---- */

/* Forget what was read before. */
static void forget(struct part_reader *r)
{
	r->run_n = 0;
	r->segment_no = UINT64_MAX;
}

/* Any byte of a segment changed is found without a key by its slot, and with the key when
 * it is read; the other segment still can be read. */
static void segment_bytes(void **state)
{
	auto_part struct kit_part p;
	auto_close int fd = -1;
	struct part_reader *r = NULL;
	struct err e = ERR_EMPTY;

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	assert_int_equal(kit_open(&p, &r), 0);
	assert_int_equal(part_reader_unlock(r, kit.fk, &e), 0);
	for (size_t at = 0; at < N_SEGMENTS * SEGMENT_LEN; at++) {
		uint32_t i = (uint32_t)(at / SEGMENT_LEN);
		uint64_t offset = (uint64_t)i * SEGMENT_PAYLOAD;
		uint8_t out;

		flip(fd, 8 * (H + at) + at % 8);
		forget(r);
		if (part_reader_check_slot(r, i, &e) != -1 || e.kind != ERR_DAMAGED)
			fail_msg("byte %zu is not noticed by the slot", at);
		if (part_reader_read(r, offset, &out, 1, &e) != -1 ||
		    e.kind != ERR_DAMAGED)
			fail_msg("byte %zu is not noticed by the seal", at);
		flip(fd, 8 * (H + at) + at % 8);
	}
	flip(fd, 8 * H);
	forget(r);
	assert_int_equal(part_reader_check_slot(r, 1, &e), 0);
	assert_int_equal(part_reader_read(r, SEGMENT_PAYLOAD, (uint8_t[1]){ 0 }, 1, &e),
			 0);
	assert_int_equal(
		part_reader_read(r, SEGMENT_PAYLOAD - 1, (uint8_t[2]){ 0 }, 2, &e), -1);
	part_reader_free(r);
}

/* After a segment that did not open, what it left is not taken for the segment before. */
static void cache_after_failure(void **state)
{
	auto_part struct kit_part p;
	auto_close int fd = -1;
	struct part_reader *r = NULL;
	struct err e = ERR_EMPTY;
	uint8_t out[8];

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	flip(fd, 8 * (H + SEGMENT_LEN));
	assert_int_equal(kit_open(&p, &r), 0);
	assert_int_equal(part_reader_unlock(r, kit.fk, &e), 0);
	assert_int_equal(part_reader_read(r, 48, out, 8, &e), 0);
	assert_int_equal(part_reader_read(r, SEGMENT_PAYLOAD, out, 8, &e), -1);
	assert_non_null(strstr(e.text, "segment 1"));
	assert_int_equal(part_reader_read(r, 48, out, 8, &e), 0);
	assert_int_equal(out[0], kit_byte(0, 0));
	part_reader_free(r);
}

/* Two segments exchanged are both found, by slot and by seal. */
static void segments_swapped(void **state)
{
	static uint8_t a[SEGMENT_LEN], b[SEGMENT_LEN];
	auto_part struct kit_part p;
	auto_close int fd = -1;
	struct part_reader *r = NULL;
	struct err e = ERR_EMPTY;

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	get(fd, a, sizeof(a), H);
	get(fd, b, sizeof(b), H + SEGMENT_LEN);
	put(fd, b, sizeof(b), H);
	put(fd, a, sizeof(a), H + SEGMENT_LEN);
	assert_int_equal(kit_open(&p, &r), 0);
	assert_int_equal(part_reader_unlock(r, kit.fk, &e), 0);
	for (uint32_t i = 0; i < 2; i++) {
		uint8_t out;

		assert_int_equal(part_reader_check_slot(r, i, &e), -1);
		assert_int_equal(
			part_reader_read(r, (uint64_t)i * SEGMENT_PAYLOAD, &out, 1, &e),
			-1);
	}
	part_reader_free(r);
}

/* ---- length (T32) ---- */

/* The file cut to any shorter length is refused. */
static void cut(void **state)
{
	auto_part struct kit_part p;
	auto_close int fd = -1;

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	for (off_t len = FILE_LEN - 1; len >= 0;
	     len -= len % 4096 < 2 || len % 512 == 511 ? 1 : 7) {
		assert_int_equal(ftruncate(fd, len), 0);
		if (kit_opens(&p) != -1)
			fail_msg("cut to %lld is not noticed", (long long)len);
	}
}

/* The file grown by any number of zeros, or by a piece of itself of any number of pages,
 * is refused. */
static void grown(void **state)
{
	static uint8_t raw[FILE_LEN];
	auto_part struct kit_part p;
	auto_close int fd = -1;

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	get(fd, raw, FILE_LEN, 0);
	for (off_t more = 1; more <= 40000;
	     more += more % 4096 < 2 || more % 4096 == 4095 ? 1 : 13) {
		assert_int_equal(ftruncate(fd, FILE_LEN + more), 0);
		if (kit_opens(&p) != -1)
			fail_msg("%lld zeros are not noticed", (long long)more);
	}
	for (size_t n = 4096; n <= FILE_LEN; n += 4096) {
		assert_int_equal(ftruncate(fd, FILE_LEN), 0);
		put(fd, raw + FILE_LEN - n, n, FILE_LEN);
		if (kit_opens(&p) != -1)
			fail_msg("%zu more are not noticed", n);
	}
	assert_int_equal(ftruncate(fd, FILE_LEN), 0);
	serves(&p, false, false);
}

/* A segment taken out, or put in twice, with all else in place, is refused. */
static void segment_count(void **state)
{
	static uint8_t raw[FILE_LEN];
	auto_part struct kit_part p;
	auto_close int fd = -1;

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	get(fd, raw, FILE_LEN, 0);
	put(fd, raw + H + SEGMENT_LEN, FILE_LEN - H - SEGMENT_LEN, H);
	assert_int_equal(ftruncate(fd, FILE_LEN - SEGMENT_LEN), 0);
	assert_int_equal(kit_opens(&p), -1);
	put(fd, raw, H + SEGMENT_LEN, 0);
	put(fd, raw + H, FILE_LEN - H, H + SEGMENT_LEN);
	assert_int_equal(kit_opens(&p), -1);
}

/* ---- lies about lengths ---- */

/* A byte put in between two of the parts of the file, with all else whole, is refused. */
static void one_more_byte(void **state)
{
	static const size_t places[] = { 0, H, COPY_AT, TRAILER_A, TRAILER_B };
	static uint8_t raw[FILE_LEN];
	auto_part struct kit_part p;
	auto_close int fd = -1;

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	get(fd, raw, FILE_LEN, 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		put(fd, raw, places[i], 0);
		put(fd, raw, 1, places[i]);
		put(fd, raw + places[i], FILE_LEN - places[i], places[i] + 1);
		assert_int_equal(kit_opens(&p), -1);
	}
}

/* Neither an empty file, nor one of zeros, nor a footer that says anything makes a part,
 * and no footer makes the reader ask for more than the file has. */
static void rubbish(void **state)
{
	static const uint32_t said[] = { 0,	  1,	      4095,	  4096,
					 8192,	  12288,      1 << 20,	  4 << 20,
					 8 << 20, 0x80000000, 0xfffff000, UINT32_MAX };
	auto_part struct kit_part p;
	auto_close int fd = -1;
	uint8_t footer[40] = { 0 };

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(kit_opens(&p), -1);
	for (off_t len = 4096; len <= 20 * 4096; len += 4096)
		for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
			assert_int_equal(ftruncate(fd, 0), 0);
			assert_int_equal(ftruncate(fd, len), 0);
			assert_int_equal(kit_opens(&p), -1);
			wire_set32(footer + 32, said[i]);
			memcpy(footer + 36, "VEND", 4);
			put(fd, footer, 40, (size_t)len - 40);
			assert_int_equal(kit_opens(&p), -1);
		}
}

/* Both trailers say another number of segments than the file has: refused, whatever it
 * is, and nothing is allocated for it. */
static void count_lies(void **state)
{
	auto_part struct kit_part p;
	auto_close int fd = -1;
	static const uint32_t said[] = { 0, 1, 3, 4, 1 << 20, UINT32_MAX };

	(void)state;
	small_part(&p);
	fd = kit_part_fd(&p);
	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
		uint8_t n[4];

		wire_set32(n, said[i]);
		put(fd, n, 4, TRAILER_A + 16);
		put(fd, n, 4, TRAILER_B + 16);
		assert_int_equal(kit_opens(&p), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_both),
		cmocka_unit_test(header_one),
		cmocka_unit_test(trailer_both),
		cmocka_unit_test(trailer_one),
		cmocka_unit_test(one_of_each),
		cmocka_unit_test(large),
		cmocka_unit_test(segment_bytes),
		cmocka_unit_test(cache_after_failure),
		cmocka_unit_test(segments_swapped),
		cmocka_unit_test(cut),
		cmocka_unit_test(grown),
		cmocka_unit_test(segment_count),
		cmocka_unit_test(rubbish),
		cmocka_unit_test(count_lies),
		cmocka_unit_test(one_more_byte),
	};

	return cmocka_run_group_tests(tests, kit_store_setup, kit_teardown);
}
