/* Lists of chunks in segments: each chunk is found by its number, and a list in which little changed shares
 * its segments with the one before. */
#include "archive_kit.h"
#include "archive/cache_chunks.h"
#include "base/wire.h"
#include "dice.h"

static struct err oops;

/* A chunk as there may be one; HEAD: a group. */
static struct chunk random_chunk(bool head, const struct chunk_place *places, size_t n)
{
	struct chunk c = { .in = places[dice_below(n)],
			   .offset = (uint32_t)dice_below(FRAME_CONTENT),
			   .length = (uint32_t)dice_below(FRAME_CONTENT) + 1 };

	dice_bytes(c.fingerprint, FINGERPRINT_LEN);
	if (head) {
		c.entries = (uint32_t)dice();
		c.body = dice();
	}
	return c;
}

static void random_places(struct chunk_place *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (struct chunk_place){ .at = { dice(), (uint32_t)dice(), dice() },
					     .clen = (uint32_t)dice(),
					     .content = (uint32_t)dice() };
}

static void expect_chunk(const struct chunk *a, const struct chunk *b)
{
	assert_memory_equal(a->fingerprint, b->fingerprint, FINGERPRINT_LEN);
	assert_true(chunk_same_place(&a->in.at, &b->in.at));
	assert_true(a->in.clen == b->in.clen && a->in.content == b->in.content);
	assert_true(a->offset == b->offset && a->length == b->length);
	assert_true(a->entries == b->entries && a->body == b->body);
}

static struct chunks_writer *writer_new(enum cache_kind kind)
{
	struct chunks_writer *w = NULL;

	must(chunks_writer_new(&kit.cache, kind, &w, &oops));
	return w;
}

/* ---- against an array ---- */

static void read_back(enum cache_kind kind, const struct cache_segs *segs,
		      const struct chunk *model, size_t n)
{
	struct chunks_reader *r = NULL;
	struct chunk c;

	for (size_t slots = 1; slots <= 3; slots++) {
		must(chunks_reader_new(&kit.cache, kind, segs, slots, &r, &oops));
		for (size_t i = 0; i < n + 300; i++) {
			size_t k = i < n ? i : dice_below(n);

			must(chunks_reader_get(r, k, &c, &oops));
			expect_chunk(&c, &model[k]);
		}
		for (size_t i = 0; i < n; i += 37) { /* three readers at once, as it is used */
			size_t k = i % 3 == 0 ? i : i % 3 == 1 ? n - 1 - i : i / 2;

			must(chunks_reader_get(r, k, &c, &oops));
			expect_chunk(&c, &model[k]);
		}
		kit.cache.broken = false;
		assert_int_equal(chunks_reader_get(r, n, &c, &oops), -1);
		assert_true(kit.cache.broken);
		chunks_reader_free(r);
	}
}

static void against_array(enum cache_kind kind, size_t n, size_t n_places)
{
	struct chunk *model = calloc(n, sizeof(*model)), c;
	struct chunks_writer *w = writer_new(kind);
	struct cache_segs segs = { .n = 0 };
	struct chunk_place places[40];

	assert_non_null(model);
	random_places(places, n_places);
	for (size_t i = 0; i < n; i++) {
		model[i] = random_chunk(kind == CACHE_HEAD, places, n_places);
		must(chunks_writer_add(w, &model[i], &oops));
		for (size_t k = dice_below(3); k > 0; k--) {
			size_t at = dice_below(i + 1);

			must(chunks_writer_get(w, at, &c, &oops));
			expect_chunk(&c, &model[at]);
		}
	}
	must(chunks_writer_finish(w, &segs, &oops));
	chunks_writer_free(w);
	assert_int_equal(segs.units, n);
	read_back(kind, &segs, model, n);
	free(segs.list);
	free(model);
}

/* Chunks of both streams, in few frames and in many, come back by number while they are written and behind
 * that, in order and not; behind the last there is none. */
static void test_against_array(void **state)
{
	(void)state;
	for (int k = CACHE_BODY; k <= CACHE_HEAD; k++) {
		enum cache_kind kind = (enum cache_kind)k;

		against_array(kind, 1, 1);
		against_array(kind, 511, 3);
		against_array(kind, 3001, 1);
		against_array(kind, 20000, 2);
		against_array(kind, 20000, 40);
	}
}

/* A list of no chunk has no segment, and none is found. */
static void test_empty(void **state)
{
	struct chunks_writer *w = writer_new(CACHE_BODY);
	struct cache_segs segs = { .n = 0 };
	struct chunks_reader *r = NULL;
	struct chunk c;

	(void)state;
	must(chunks_writer_finish(w, &segs, &oops));
	chunks_writer_free(w);
	assert_int_equal(segs.n, 0);
	must(chunks_reader_new(&kit.cache, CACHE_BODY, &segs, 1, &r, &oops));
	assert_int_equal(chunks_reader_get(r, 0, &c, &oops), -1);
	chunks_reader_free(r);
}

/* ---- stable ---- */

#define MANY 60000

static struct cache_segs write_list(const struct chunk *list, size_t n)
{
	struct chunks_writer *w = writer_new(CACHE_BODY);
	struct cache_segs segs = { .n = 0 };

	for (size_t i = 0; i < n; i++)
		must(chunks_writer_add(w, &list[i], &oops));
	must(chunks_writer_finish(w, &segs, &oops));
	chunks_writer_free(w);
	return segs;
}

static size_t count_new(const struct cache_segs *a, const struct cache_segs *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		bool found = false;

		for (size_t k = 0; k < a->n; k++)
			found |= memcmp(a->list[k].name, b->list[i].name, 16) == 0;
		n += !found;
	}
	return n;
}

/* One chunk more, fewer or other, anywhere in sixty thousand, makes a few new segments: those up to the next
 * cut that both lists have. */
static void test_stable(void **state)
{
	struct chunk *list = calloc(MANY + 1, sizeof(*list));
	struct chunk_place places[5];
	struct cache_segs before;
	size_t sum = 0;

	(void)state;
	assert_non_null(list);
	random_places(places, 5);
	for (size_t i = 0; i < MANY; i++)
		list[i] = random_chunk(false, &places[i * 5 / MANY], 1);
	before = write_list(list, MANY);
	assert_in_range(before.n, MANY / 3000, MANY / 512);
	for (size_t i = 0; i < 30; i++) {
		size_t at = dice_below(MANY), n = MANY;
		struct chunk *now = calloc(MANY + 1, sizeof(*now));
		struct cache_segs after;

		assert_non_null(now);
		memcpy(now, list, MANY * sizeof(*now));
		if (i % 3 == 0)
			memmove(now + at + 1, now + at, (n++ - at) * sizeof(*now));
		else if (i % 3 == 1)
			memmove(now + at, now + at + 1, (--n - at) * sizeof(*now));
		if (i % 3 != 1)
			now[at] = random_chunk(false, places, 1);
		after = write_list(now, n);
		sum += count_new(&before, &after);
		free(after.list);
		free(now);
	}
	printf("# %zu segments; new ones: %zu in 30 changes\n", before.n, sum);
	assert_in_range(sum, 30, 30 * 6);
	free(before.list);
	free(list);
}

/* ---- segments that are not what they should be ---- */

/* Whether a segment of N bytes at P, which says that it has UNITS chunks, gives its first and last. */
static bool serves(const uint8_t *p, size_t n, uint32_t units)
{
	struct cache_segs segs = { .n = 0 };
	struct cache_seg s = { .units = units };
	struct chunks_reader *r = NULL;
	struct chunk c;
	bool good;

	must(cache_save(&kit.cache, CACHE_BODY, p, n, &s, &oops));
	must(cache_segs_add(&segs, &s, &oops));
	must(chunks_reader_new(&kit.cache, CACHE_BODY, &segs, 1, &r, &oops));
	kit.cache.broken = false;
	good = chunks_reader_get(r, 0, &c, &oops) == 0 &&
	       chunks_reader_get(r, units - 1, &c, &oops) == 0;
	assert_true(kit.cache.broken == !good);
	chunks_reader_free(r);
	free(segs.list);
	return good;
}

/* Counts that do not fit its length or the list, and a chunk in a place that there is not, are not taken
 * from a segment, whoever made it. */
static void test_odd_segments(void **state)
{
	uint8_t p[8 + 28 + 3 * 24 + 24] = { 1, 0, 0, 0, 3 };
	size_t n = 8 + 28 + 3 * 24;

	(void)state;
	assert_true(serves(p, n, 3));
	assert_false(serves(p, n, 2));
	assert_false(serves(p, n, 4));
	assert_false(serves(p, n - 1, 3));
	assert_false(serves(p, n + 1, 3));
	assert_false(serves(p, 7, 3));
	p[0] = 0;
	assert_false(serves(p, n - 28, 3));
	p[0] = 2;
	assert_false(serves(p, n, 3));
	p[4] = 1;
	assert_false(serves(p, 8 + 2 * 28 + 24, 1)); /* more places than chunks */
	p[4] = 3;
	p[0] = 1;
	wire_set64(p + 8 + 28 + 2 * 24 + 16, (uint64_t)1 << 39);
	assert_false(serves(p, n, 3)); /* the last one's place is number 1 */
	wire_set64(p + 8 + 28 + 2 * 24 + 16, ((uint64_t)1 << 39) - 1);
	assert_true(serves(p, n, 3));
	wire_set32(p, UINT32_MAX);
	wire_set32(p + 4, UINT32_MAX);
	assert_false(serves(p, n, 3));
}

#define each(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_against_array), each(test_empty), each(test_stable),
		each(test_odd_segments),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
