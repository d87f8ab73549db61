/* Cuts of bodies into chunks, and of entries into groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive/chunker.h"
#include "archive/crypto.h"
#include "archive/frame.h"
#include "archive/group.h"
#include "base/entry.h"
#include "base/err.h"

static const uint8_t gear[32] = { 5 };
static struct chunker chunker;
static struct frame *frame;
static uint8_t data[2 << 20];

static int group_setup(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 509);
	if (crypto_init(&e) < 0)
		return -1;
	chunker_key(&chunker, gear);
	frame = frame_new(&e);
	return frame ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	frame_free(frame);
	return 0;
}

/* ---- bodies ---- */

/* What a file of SIZE announced and LEN sent becomes, in MODE: the lengths of its chunks and the ends
 * of its frames, in a text such as "16384 16384 | 100".  The frame begins with USED bytes of others;
 * bytes come in pieces of PIECE, and behind HOLE_AT there is a hole of 20480 bytes. */
static const char *cut_at(enum chunk_mode mode, uint64_t size, size_t len, size_t used, size_t piece,
			  size_t hole_at)
{
	static char text[1 << 20];
	size_t n = 0, at = 0;
	uint32_t first = used > 0;

	chunker_begin(&chunker, mode, size);
	frame_reset(frame, RECORD_BODY, chunker.limit);
	if (used > 0) {
		frame->used = used;
		frame_end_chunk(frame, NULL);
	}
	while (at < len || frame->used > frame->chunk_start) {
		size_t want = piece < len - at ? piece : len - at, got;
		bool end = at == len;

		if (hole_at > at && want > hole_at - at)
			want = hole_at - at;
		got = end ? 0
			  : chunker_put(&chunker, frame, at + (at >= hole_at ? 20480 : 0), data + at,
					want, &end);
		assert_memory_equal(frame_content(frame) + frame->used - got, data + at, got);
		at += got;
		if (end) {
			frame_end_chunk(frame, NULL);
			continue;
		}
		if (got == want)
			continue;
		assert_int_equal(frame->chunk_start, frame->used);
		for (uint32_t i = first; i < frame->n_chunks; i++)
			n += (size_t)sprintf(text + n, "%u ",
					     frame->ends[i] - (i ? frame->ends[i - 1] : 0));
		n += (size_t)sprintf(text + n, "| ");
		first = 0;
		frame_reset(frame, RECORD_BODY, chunker.limit);
	}
	for (uint32_t i = first; i < frame->n_chunks; i++)
		n += (size_t)sprintf(text + n, "%u ",
				     frame->ends[i] - (i ? frame->ends[i - 1] : 0));
	text[n ? n - 1 : 0] = '\0';
	return text;
}

static const char *cut(uint64_t size, size_t len, size_t used, size_t piece)
{
	return cut_at(chunker_mode(size), size, len, used, piece, SIZE_MAX);
}

/* A small file is one chunk, whatever pieces it comes in; it begins a new frame only
 * where it does not fit whole. */
static void test_small(void **state)
{
	(void)state;
	assert_string_equal(cut(100, 100, 0, 1000), "100");
	assert_string_equal(cut(100, 100, 0, 7), "100");
	assert_string_equal(cut(65535, 65535, 0, 4096), "65535");
	assert_string_equal(cut(100, 100, FRAME_CONTENT - 100, 7), "100");
	assert_string_equal(cut(100, 100, FRAME_CONTENT - 99, 7), "| 100");
}

/* Multiples of 4096 from 64 KiB on: pages of 16 KiB, the last may be short, in frames of 128 KiB. */
static void test_pages(void **state)
{
	(void)state;
	assert_int_equal(chunker_mode(65535), CHUNK_WHOLE);
	assert_int_equal(chunker_mode(61440), CHUNK_WHOLE);
	assert_int_equal(chunker_mode(65536), CHUNK_PAGES);
	assert_int_equal(chunker_mode(65537), CHUNK_CDC);
	assert_int_equal(chunker_mode(ENTRY_SIZE_UNKNOWN), CHUNK_CDC);
	assert_string_equal(cut(65536, 65536, 0, 1000), "16384 16384 16384 16384");
	assert_string_equal(cut(131072 + 4096, 131072 + 4096, 0, 1000),
			    "16384 16384 16384 16384 16384 16384 16384 16384 | 4096");
}

/* Pages lie at multiples of 16 KiB of the file, not of what was sent of it: behind a hole they
 * are where they would be without it. */
static void test_pages_behind_holes(void **state)
{
	(void)state;
	assert_string_equal(cut_at(CHUNK_PAGES, 98304, 73728, 0, 5000, 20480),
			    "16384 4096 8192 16384 16384 12288");
}

/* Cuts depend on the content alone: whatever pieces the bytes come in and however full the frame is;
 * chunks have 8 to 64 KiB, about 24 on average. */
static void test_content_defined(void **state)
{
	static uint8_t noise[sizeof(data)];
	static char one[1 << 20];
	uint64_t v = 1;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++) {
		v = v * 6364136223846793005u + 1442695040888963407u;
		noise[i] = (uint8_t)(v >> 56);
	}
	memcpy(data, noise, sizeof(data));
	(void)snprintf(one, sizeof(one), "%s", cut(sizeof(data) + 1, sizeof(data), 0, 131072));
	assert_string_equal(cut(sizeof(data) + 1, sizeof(data), 0, 777), one);
	for (char *p = strtok(one, " |"); p; p = strtok(NULL, " |")) {
		size_t length = strtoul(p, NULL, 10);

		n++;
		assert_in_range(length, 1, 65536);
	}
	assert_in_range(n, sizeof(data) / 32768, sizeof(data) / 18000);
}

/* A byte more near the beginning moves the cuts behind it with the content, and none elsewhere. */
static void test_insertion(void **state)
{
	static char before[1 << 20], after[1 << 20];

	(void)state;
	(void)snprintf(before, sizeof(before), "%s",
		       cut(sizeof(data), sizeof(data) - 1, 0, 131072));
	memmove(data + 1001, data + 1000, sizeof(data) - 1001);
	(void)snprintf(after, sizeof(after), "%s", cut(sizeof(data), sizeof(data), 0, 131072));
	/* the last 40 cuts of both are the same ones */
	for (int k = 0; k < 40; k++) {
		char *x = strrchr(before, ' '), *y = strrchr(after, ' ');

		assert_true(x && y);
		if (k > 0)
			assert_string_equal(x, y);
		*x = *y = '\0';
	}
}

/* Another key cuts elsewhere. */
static void test_keyed(void **state)
{
	static const uint8_t other[32] = { 9 };
	static char one[1 << 20];

	(void)state;
	(void)snprintf(one, sizeof(one), "%s", cut(sizeof(data) + 1, sizeof(data), 0, 131072));
	chunker_key(&chunker, other);
	assert_string_not_equal(cut(sizeof(data) + 1, sizeof(data), 0, 131072), one);
	chunker_key(&chunker, gear);
}

/* A file that is not as long as announced is cut all the same: longer ones go on in
 * chunks of the largest size, across frames where a chunk turned out too long for its
 * own. */
static void test_not_as_announced(void **state)
{
	(void)state;
	assert_string_equal(cut(100, 200000, 0, 1000), "65536 65536 65536 3392");
	assert_string_equal(cut(100, 1000, FRAME_CONTENT - 500, 77), "500 | 500");
	assert_string_equal(cut(70001, 10, 0, 10), "10");
	assert_string_equal(cut(70001, 0, 0, 10), "");
	assert_string_equal(cut(0, 70000, 0, 1000), "65536 4464");
}

/* The 2049th chunk goes to another frame, however much room there is. */
static void test_many_chunks(void **state)
{
	bool end;

	(void)state;
	frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
	for (size_t i = 0; i < FRAME_FILL; i++) {
		chunker_begin(&chunker, CHUNK_WHOLE, 1);
		assert_int_equal(chunker_put(&chunker, frame, 0, data, 1, &end), 1);
		frame_end_chunk(frame, NULL);
	}
	chunker_begin(&chunker, CHUNK_WHOLE, 1);
	assert_int_equal(chunker_put(&chunker, frame, 0, data, 1, &end), 0);
	assert_false(end);
}

/* ---- groups ---- */

/* A path whose hash ends a group, or does not. */
static const char *path_that(bool ends)
{
	static char path[32];
	struct group g = { .n = 1 };

	for (unsigned i = 0;; i++) {
		(void)snprintf(path, sizeof(path), "./f%u", i);
		if (group_ends(&g, frame, gear, path) == ends)
			return path;
	}
}

/* An entry is its two lengths and its header; a gap is a length of nothing and one of
 * bytes. */
static void test_group_bytes(void **state)
{
	struct group g = { .n = 0 };

	(void)state;
	frame_reset(frame, RECORD_HEAD, FRAME_CONTENT);
	assert_true(group_put(&g, frame, data, 512, 300));
	assert_true(group_put(&g, frame, NULL, 0, 5));
	assert_int_equal(frame->used, 2 + 2 + 512 + 2);
	assert_memory_equal(frame_content(frame), "\200\4\254\2", 4);
	assert_memory_equal(frame_content(frame) + 4, data, 512);
	assert_memory_equal(frame_content(frame) + 516, "\0\5", 2);
	group_close(&g, frame, NULL);
	assert_int_equal(frame->n_chunks, 1);
	group_close(&g, frame, NULL);
	assert_int_equal(frame->n_chunks, 1);
	assert_true(group_put(&g, frame, data, 512, 1));
	group_close(&g, frame, NULL);
}

/* A group ends by the path's keyed hash, about one in 32; or with 64 entries; or with 64
 * KiB; not by the hash of a gap, which has no path. */
static void test_group_ends(void **state)
{
	struct group g = { .n = 1 };
	unsigned n = 0, other = 0;
	uint8_t gear2[32] = { 6 };

	(void)state;
	frame_reset(frame, RECORD_HEAD, FRAME_CONTENT);
	for (unsigned i = 0; i < 32000; i++) {
		char path[32];
		bool a;

		(void)snprintf(path, sizeof(path), "./dir/%u", i);
		a = group_ends(&g, frame, gear, path);
		n += a;
		other += a && group_ends(&g, frame, gear2, path);
	}
	assert_in_range(n, 800, 1200);
	assert_in_range(other, 0, 80);
	assert_false(group_ends(&g, frame, gear, NULL));
	g.n = 63;
	assert_false(group_ends(&g, frame, gear, path_that(false)));
	g.n = 64;
	assert_true(group_ends(&g, frame, gear, "./a"));
	assert_true(group_ends(&g, frame, gear, NULL));
	g.n = 1;
	frame->used = 65535;
	assert_false(group_ends(&g, frame, gear, path_that(false)));
	frame->used = 65536;
	assert_true(group_ends(&g, frame, gear, NULL));
}

/* An entry fits with its two lengths to the last byte, or not at all. */
static void test_group_room(void **state)
{
	(void)state;
	for (size_t limit = 511; limit <= 515; limit++) {
		struct group g = { .n = 0 };

		frame_reset(frame, RECORD_HEAD, limit);
		assert_int_equal(group_put(&g, frame, data, 512, 1), limit == 515);
		assert_int_equal(frame->used, limit == 515 ? 515 : 0);
	}
}

/* A group that its frame has no room for goes on whole in another: the old frame ends
 * with the group before. */
static void test_group_move(void **state)
{
	struct group g = { .n = 0 };
	struct err e = ERR_EMPTY;
	struct frame *to = frame_new(&e);

	(void)state;
	assert_non_null(to);
	frame_reset(to, RECORD_HEAD, FRAME_CONTENT);
	frame_reset(frame, RECORD_HEAD, 4096);
	assert_true(group_put(&g, frame, data, 2048, 1));
	group_close(&g, frame, NULL);
	assert_true(group_put(&g, frame, data, 1024, 2));
	assert_false(group_put(&g, frame, data, 1024, 3));
	assert_int_equal(g.n, 1);
	group_move(frame, to);
	assert_int_equal(frame->used, frame->ends[0]);
	assert_true(group_put(&g, to, data, 1024, 3));
	group_close(&g, to, NULL);
	assert_int_equal(to->used, 2 * (3 + 1024));
	assert_memory_equal(frame_content(to), "\200\10\2", 3);
	assert_memory_equal(frame_content(to) + 3, data, 1024);
	frame_free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_pages_behind_holes),
		cmocka_unit_test(test_content_defined),
		cmocka_unit_test(test_insertion),
		cmocka_unit_test(test_keyed),
		cmocka_unit_test(test_not_as_announced),
		cmocka_unit_test(test_many_chunks),
		cmocka_unit_test(test_group_bytes),
		cmocka_unit_test(test_group_ends),
		cmocka_unit_test(test_group_room),
		cmocka_unit_test(test_group_move),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
