/* How a changed, renamed or copied file finds its chunks: in the window around the place where they were,
 * and by its first chunk among all files. */
#include "archive/alike.h"
#include "archive/cache_chunks.h"
#include "archive/line.h"
#include "archive/usage.h"
#include "archive/window.h"
#include "dice.h"
#include "entries_kit.h"

static struct err oops;

#define N 30000

static struct chunk list[N]; /* the tip's */
static struct cache_segs segs;
static struct chunks_reader *reader;
static struct chunks_writer *writer;
static struct usage usage;
static struct line *line;
static struct window *window;

static int setup(void **state)
{
	struct line_options o = { .stream = TREE_BODY, .usage = &usage, .cache = &kit.cache };
	const struct cache_dep dep = { .archive = { .seq = 1 } };
	struct chunks_writer *w = NULL;

	if (kit_setup(state) < 0)
		return -1;
	must(chunks_writer_new(&kit.cache, CACHE_BODY, &w, &oops));
	for (uint32_t i = 0; i < N; i++) {
		list[i] = (struct chunk){ .in = { .at = { 1, 1, i / 30 }, .clen = 1, .content = 1 },
					  .offset = i % 30 * 10,
					  .length = 10 };
		dice_bytes(list[i].fingerprint, FINGERPRINT_LEN);
		must(chunks_writer_add(w, &list[i], &oops));
	}
	must(chunks_writer_finish(w, &segs, &oops));
	chunks_writer_free(w);
	must(usage_open(&usage, 2, &dep, 1, NULL, 0, &oops));
	must(chunks_reader_new(&kit.cache, CACHE_BODY, &segs, 3, &reader, &oops));
	must(chunks_writer_new(&kit.cache, CACHE_BODY, &writer, &oops));
	o.id_key = kit.keys->id;
	o.old = reader;
	o.out = writer;
	must(line_new(&o, &line, &oops));
	must(window_new(line, &window, &oops));
	return 0;
}

static int teardown(void **state)
{
	window_free(window);
	line_free(line);
	chunks_reader_free(reader);
	chunks_writer_free(writer);
	usage_close(&usage);
	free(segs.list);
	segs = (struct cache_segs){ .n = 0 };
	return kit_teardown(state);
}

/* ---- the window ---- */

/* Whether chunk I is found; if so as itself. */
static bool find(size_t i)
{
	struct chunk c;
	uint64_t number;
	int r = window_find(window, list[i].fingerprint, list[i].length, &number, &c, &oops);

	assert_true(r >= 0);
	if (r == 0) {
		assert_int_equal(number, i);
		assert_memory_equal(c.fingerprint, list[i].fingerprint, FINGERPRINT_LEN);
		assert_int_equal(c.offset, list[i].offset);
	}
	return r == 0;
}

/* A chunk that is nowhere. */
static void miss(void)
{
	uint8_t none[FINGERPRINT_LEN];
	struct chunk c;
	uint64_t number;

	dice_bytes(none, sizeof(none));
	assert_int_equal(window_find(window, none, 10, &number, &c, &oops), 1);
}

/* Chunks that are where they were are found, all of them, also where others between them changed in
 * place. */
static void test_same_place(void **state)
{
	(void)state;
	for (size_t part = 0; part < 4; part++) {
		window_open(window, CHUNK_OLD, 100, N - 200);
		for (size_t i = 100; i < N - 100; i++) {
			if (part > 0 && dice_below(4) < part)
				miss();
			else
				assert_true(find(i));
		}
		miss();
	}
}

/* However many chunks are inserted, and up to two thousand removed, at any place: all others are found. */
static void test_inserted(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 40; round++) {
		size_t at = dice_below(N), n = dice_below(round % 2 ? 2048 : 20000);

		window_open(window, CHUNK_OLD, 0, N);
		for (size_t i = 0; i < at; i += 1 + dice_below(10) / 9 * 200)
			assert_true(find(i));
		if (at > 0)
			assert_true(find(at - 1));
		if (round % 2 == 0)
			for (size_t k = 0; k < n; k++)
				miss();
		for (size_t i = round % 2 ? at + n : at; i < N; i++)
			assert_true(find(i));
	}
}

/* What lies up to 512 chunks before the place and 2048 behind it is found from anywhere; what lies beyond
 * 4096 is not looked for. */
static void test_reach(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		size_t from = dice_below(N), to;

		window_open(window, CHUNK_OLD, 0, N);
		while (!find(from)) /* walks there by chunks that changed in place */
			continue;
		for (size_t jump = dice_below(8); jump > 0; jump--, from = to) {
			to = (from > 511 ? from - 511 : 0) +
			     (dice_below(2) ? dice_below(511) : dice_below(511 + 2048));
			to = to < N ? to : N - 1;
			assert_true(find(to));
		}
		to = dice_below(N);
		if (to > from ? to - from > 4096 : from - to > 4096)
			assert_false(find(to));
	}
}

/* The list is what was opened: its neighbours are not found, a list of this run is found as one. */
static void test_bounds(void **state)
{
	struct chunk c;
	uint64_t number;

	(void)state;
	window_open(window, CHUNK_OLD, 1000, 50);
	assert_false(find(999));
	assert_false(find(1050));
	assert_true(find(1000));
	assert_true(find(1049));
	assert_int_equal(window_find(window, list[1010].fingerprint, 11, &number, &c, &oops), 1);
	assert_true(find(1010));
	for (size_t first = 0; first <= 6000; first += 6000) { /* what was loaded is forgotten */
		window_open(window, CHUNK_OLD, first, 3000);
		miss();
		assert_true(find(first + 77));
	}
	must(line_known(line, CHUNK_OLD, 5000, 300, &oops));
	window_open(window, CHUNK_NEW, 100, 200);
	assert_int_equal(window_source(window), CHUNK_NEW);
	must(window_find(window, list[5150].fingerprint, 10, &number, &c, &oops));
	assert_int_equal(number, 150);
	assert_int_equal(window_find(window, list[5050].fingerprint, 10, &number, &c, &oops), 1);
}

/* Of chunks that are alike those that follow each other are found so: the run stays one extent. */
static void test_duplicates(void **state)
{
	struct chunks_writer *w = NULL;
	struct line_options o = { .stream = TREE_BODY, .usage = &usage, .cache = &kit.cache };
	struct cache_segs alike = { .n = 0 };
	struct chunks_reader *r = NULL;
	struct window *win = NULL;
	struct line *l = NULL;
	struct chunk c;
	uint64_t number;

	(void)state;
	must(chunks_writer_new(&kit.cache, CACHE_BODY, &w, &oops));
	for (size_t i = 0; i < 9000; i++) {
		c = list[i];
		memcpy(c.fingerprint, list[i % 3 ? 0 : i].fingerprint, FINGERPRINT_LEN);
		must(chunks_writer_add(w, &c, &oops));
	}
	must(chunks_writer_finish(w, &alike, &oops));
	chunks_writer_free(w);
	must(chunks_reader_new(&kit.cache, CACHE_BODY, &alike, 2, &r, &oops));
	o.old = r;
	o.out = writer;
	o.id_key = kit.keys->id;
	must(line_new(&o, &l, &oops));
	must(window_new(l, &win, &oops));
	window_open(win, CHUNK_OLD, 0, 9000);
	for (size_t i = 0; i < 9000; i++) {
		must(window_find(win, list[i % 3 ? 0 : i].fingerprint, 10, &number, &c, &oops));
		assert_int_equal(number, i);
	}
	must(window_find(win, list[0].fingerprint, 10, &number, &c, &oops));
	assert_memory_equal(c.fingerprint, list[0].fingerprint, FINGERPRINT_LEN);
	window_free(win);
	line_free(l);
	chunks_reader_free(r);
	free(alike.list);
}

/* ---- files by their first chunk ---- */

#define FILES 2000

/* Every file of the tip is found by its first chunk with the list of its chunks, files of this run by
 * theirs, the last one put of those that begin alike; what nothing begins with is not found. */
static void test_first_chunk(void **state)
{
	static struct cache_entry files[FILES];
	struct alike_list got, model[FILES];
	struct cache_segs entries;
	struct alike *a = NULL;
	size_t first = 0;
	char path[40];

	(void)state;
	for (unsigned i = 0; i < FILES; i++) {
		(void)snprintf(path, sizeof(path), "./%06u", i);
		random_entry(&files[i], path);
		files[i].chunks = dice_below(20);
		model[i] = (struct alike_list){ CHUNK_OLD, first, files[i].chunks };
		first += files[i].chunks;
	}
	assert_true(first < N);
	entries = entries_write(files, FILES);
	must(alike_new(kit.location, &kit.cache, &entries, line, &a, &oops));
	for (unsigned round = 0; round < 3 * FILES; round++) {
		size_t i = dice_below(FILES);
		const uint8_t *print = list[model[i].source == CHUNK_OLD ? model[i].first
									 : N - 1 - i].fingerprint;

		if (model[i].n == 0 || dice_below(3) == 0) {
			model[i] = (struct alike_list){ CHUNK_NEW, dice() >> 24, 1 + dice_below(90) };
			print = list[N - 1 - i].fingerprint;
			must(alike_put(a, print, model[i].first, model[i].n, &oops));
		}
		must(alike_get(a, print, &got, &oops));
		assert_int_equal(got.source, model[i].source);
		assert_int_equal(got.first, model[i].first);
		assert_int_equal(got.n, model[i].n);
	}
	assert_int_equal(alike_get(a, list[first].fingerprint, &got, &oops), 1);
	alike_free(a);
	free(entries.list);
}

/* The tip's files are loaded when one is asked for and not before; where that fails the cache is known to
 * be broken.  Without a tip, and with lists too long or too far for its table, nothing is made up. */
static void test_lazy(void **state)
{
	static struct cache_entry one;
	struct cache_segs entries;
	struct alike *a = NULL;
	struct alike_list got;
	char name[60] = "state/cache/";

	(void)state;
	random_entry(&one, "./x");
	one.chunks = 1;
	entries = entries_write(&one, 1);
	crypto_hex(entries.list[0].name, 16, name + 12);
	kit_remove(name);
	must(alike_new(kit.location, &kit.cache, &entries, line, &a, &oops));
	must(alike_put(a, list[1].fingerprint, 1, 1, &oops));
	kit.cache.broken = false;
	assert_int_equal(alike_get(a, list[1].fingerprint, &got, &oops), -1);
	assert_true(kit.cache.broken);
	alike_free(a);
	must(alike_new(kit.location, &kit.cache, NULL, line, &a, &oops));
	assert_int_equal(alike_get(a, list[0].fingerprint, &got, &oops), 1);
	must(alike_put(a, list[0].fingerprint, (uint64_t)1 << 40, 5, &oops));
	assert_int_equal(alike_get(a, list[0].fingerprint, &got, &oops), 1);
	must(alike_put(a, list[0].fingerprint, 3, 0, &oops));
	assert_int_equal(alike_get(a, list[0].fingerprint, &got, &oops), 1);
	must(alike_put(a, list[0].fingerprint, ((uint64_t)1 << 40) - 1, (uint64_t)1 << 33, &oops));
	assert_int_equal(alike_get(a, list[0].fingerprint, &got, &oops), 1);
	must(alike_put(a, list[0].fingerprint, ((uint64_t)1 << 40) - 2, (uint64_t)1 << 33, &oops));
	must(alike_get(a, list[0].fingerprint, &got, &oops));
	assert_int_equal(got.first, ((uint64_t)1 << 40) - 2);
	assert_int_equal(got.n, (1u << 23) - 1);
	alike_free(a);
	free(entries.list);
}

#define each(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_same_place), each(test_inserted),    each(test_reach), each(test_bounds),
		each(test_duplicates), each(test_first_chunk), each(test_lazy),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
