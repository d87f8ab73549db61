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
#include "base/err.h"

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

/* What a file of SIZE announced and LEN sent becomes: the lengths of its chunks and the
 * ends of its frames, in a text such as "16384 16384 | 100". The frame begins with USED
 * bytes of others. */
static const char *cut(uint64_t size, size_t len, size_t used, size_t piece)
{
	static char text[1 << 20];
	struct chunker c;
	size_t n = 0, at = 0;

	chunker_begin(&c, size);
	frame_reset(frame, RECORD_BODY, c.limit);
	if (used > 0) {
		frame->used = used;
		frame_end_chunk(frame, NULL);
	}
	while (at < len) {
		size_t want = piece < len - at ? piece : len - at;
		size_t got = chunker_put(&c, frame, data + at, want);

		assert_memory_equal(frame_content(frame) + frame->used - got, data + at,
				    got);
		at += got;
		if (got == want)
			continue;
		assert_int_equal(frame->chunk_start, frame->used);
		for (uint32_t i = used > 0; i < frame->n_chunks; i++)
			n += (size_t)sprintf(text + n, "%u ",
					     frame->ends[i] -
						     (i ? frame->ends[i - 1] : 0));
		n += (size_t)sprintf(text + n, "| ");
		used = 0;
		frame_reset(frame, RECORD_BODY, c.limit);
	}
	chunker_end(&c, frame);
	for (uint32_t i = used > 0; i < frame->n_chunks; i++)
		n += (size_t)sprintf(text + n, "%u ",
				     frame->ends[i] - (i ? frame->ends[i - 1] : 0));
	text[n ? n - 1 : 0] = '\0';
	return text;
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

/* From 64 KiB on, pieces of 16 KiB on file offset, whatever lies in the frame before: a
 * frame with 20000 bytes left takes one of them and not one and a bit. */
static void test_pieces(void **state)
{
	(void)state;
	assert_string_equal(cut(65537, 65537, 0, 1000), "16384 16384 16384 16384 1");
	assert_string_equal(cut(70001, 70001, FRAME_CONTENT - 20000, 333),
			    "16384 | 16384 16384 16384 4465");
	assert_string_equal(cut(70001, 70001, FRAME_CONTENT - 4 * 16384 - 4465, 333),
			    "16384 16384 16384 16384 4465");
}

/* Multiples of 4096: pages of 16 KiB, the last may be short, and frames of 128 KiB of
 * that file alone. */
static void test_pages(void **state)
{
	struct chunker c;

	(void)state;
	assert_string_equal(cut(65536, 65536, 0, 1000), "16384 16384 16384 16384");
	assert_string_equal(cut(131072 + 4096, 131072 + 4096, 0, 1000),
			    "16384 16384 16384 16384 16384 16384 16384 16384 | 4096");
	chunker_begin(&c, 65536);
	assert_true(c.alone);
	chunker_begin(&c, 65537);
	assert_false(c.alone);
	chunker_begin(&c, 61440);
	assert_false(c.alone);
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

/* The 8193rd chunk goes to another frame, however much room there is. */
static void test_many_chunks(void **state)
{
	struct chunker c;

	(void)state;
	frame_reset(frame, RECORD_BODY, FRAME_CONTENT);
	for (size_t i = 0; i < FRAME_CHUNKS; i++) {
		chunker_begin(&c, 1);
		assert_int_equal(chunker_put(&c, frame, data, 1), 1);
		chunker_end(&c, frame);
	}
	chunker_begin(&c, 1);
	assert_int_equal(chunker_put(&c, frame, data, 1), 0);
}

/* ---- groups ---- */

static const uint8_t gear[32] = { 5 };

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
 * bytes.  The frame counts entries and bytes of body once the group is closed. */
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
	assert_int_equal(frame->entries, 0);
	group_close(&g, frame);
	assert_int_equal(frame->n_chunks, 1);
	assert_int_equal(frame->entries, 1);
	assert_int_equal(frame->body, 305);
	group_close(&g, frame);
	assert_int_equal(frame->n_chunks, 1);
	assert_true(group_put(&g, frame, data, 512, 1));
	group_close(&g, frame);
	assert_int_equal(frame->entries, 2);
	assert_int_equal(frame->body, 306);
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
	group_close(&g, frame);
	assert_true(group_put(&g, frame, data, 1024, 2));
	assert_false(group_put(&g, frame, data, 1024, 3));
	assert_int_equal(g.n, 1);
	group_move(frame, to);
	assert_int_equal(frame->used, frame->ends[0]);
	assert_true(group_put(&g, to, data, 1024, 3));
	group_close(&g, to);
	assert_int_equal(to->used, 2 * (3 + 1024));
	assert_memory_equal(frame_content(to), "\200\10\2", 3);
	assert_memory_equal(frame_content(to) + 3, data, 1024);
	assert_int_equal(to->entries, 2);
	assert_int_equal(to->body, 5);
	assert_int_equal(frame->entries, 1);
	assert_int_equal(frame->body, 1);
	frame_free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_not_as_announced),
		cmocka_unit_test(test_many_chunks),
		cmocka_unit_test(test_group_bytes),
		cmocka_unit_test(test_group_ends),
		cmocka_unit_test(test_group_room),
		cmocka_unit_test(test_group_move),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
