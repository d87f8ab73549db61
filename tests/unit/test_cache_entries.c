/* Entries in segments of the tip cache: they come back as they were, in order; a change in one place
 * changes the segment there; and no byte of a segment can lead its reader astray. */
#include "dice.h"
#include "entries_kit.h"

#include <sys/stat.h>

static struct err oops;

static void read_back(const struct cache_segs *segs, const struct cache_entry *list, size_t n)
{
	static struct cache_entry x;
	struct entries_reader *r = NULL;

	must(entries_reader_new(&kit.cache, segs, &r, &oops));
	for (size_t i = 0; i < n; i++) {
		must(entries_reader_next(r, &x, &oops));
		expect_entry(&x, &list[i]);
	}
	assert_int_equal(entries_reader_next(r, &x, &oops), 1);
	assert_int_equal(entries_reader_next(r, &x, &oops), 1);
	entries_reader_free(r);
}

static void round_trip(size_t n, size_t longest)
{
	struct cache_entry *list = calloc(n + 1, sizeof(*list));
	char path[ENTRY_PATH_MAX + 1];
	struct cache_segs segs;

	assert_non_null(list);
	for (size_t i = 0; i < n; i++) {
		random_path(path, longest);
		random_entry(&list[i], path);
	}
	segs = entries_write(list, n);
	assert_int_equal(segs.units, n);
	read_back(&segs, list, n);
	free(segs.list);
	free(list);
}

/* Entries with every kind of path, number, time and flag come back as they were, none, one or many of
 * them. */
static void test_round_trip(void **state)
{
	(void)state;
	round_trip(0, 10);
	round_trip(1, 10);
	round_trip(1, ENTRY_PATH_MAX);
	round_trip(5000, 20);
	round_trip(3000, 300);
	round_trip(600, ENTRY_PATH_MAX);
}

/* Segments end where they are full, be there no cut to end them at: of the longest paths, which share
 * nothing, a segment holds as many as fit. */
static void test_full(void **state)
{
	enum { N = 200 };
	struct cache_entry *list = calloc(N, sizeof(*list));
	char path[ENTRY_PATH_MAX + 1], name[60] = "state/cache/";
	struct cache_segs segs;

	(void)state;
	assert_non_null(list);
	for (size_t i = 0; i < N; i++) {
		memset(path, i % 2 ? 'a' : 'b', ENTRY_PATH_MAX);
		path[ENTRY_PATH_MAX] = '\0';
		random_entry(&list[i], path);
		list[i].group_end = false;
		list[i].stat.mtime = INT64_MIN;
		list[i].stat.ctime = INT64_MAX;
	}
	segs = entries_write(list, N);
	read_back(&segs, list, N);
	assert_in_range(segs.n, 4, 5);
	for (size_t i = 0; i < segs.n; i++) {
		crypto_hex(segs.list[i].name, 16, name + 12);
		assert_true(kit_size(name) <= CACHE_SEGMENT_MAX);
	}
	free(segs.list);
	free(list);
}

/* How many segments of B are not in A. */
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

/* A change of one entry makes one new segment; some hundred entries that went, at any place, make few more:
 * the segments behind find the same ends again. */
static void test_stable(void **state)
{
	enum { N = 20000 };
	struct cache_entry *list = calloc(N, sizeof(*list)), *now = calloc(N, sizeof(*now));
	struct cache_segs before, after;
	size_t removed = 0, sum = 0;
	char path[64];

	(void)state;
	assert_true(list && now);
	for (unsigned i = 0; i < N; i++) {
		(void)snprintf(path, sizeof(path), "./some/directory/file%05u", i);
		random_entry(&list[i], path);
	}
	before = entries_write(list, N);
	assert_in_range(before.n, 10, 80);
	for (unsigned i = 0; i < 20; i++) {
		size_t n = i % 2 ? 1 + dice_below(i % 4 == 1 ? 3 : 500) : 0, at = dice_below(N - n);

		memcpy(now, list, N * sizeof(*now));
		if (n == 0)
			now[at].stat.mtime ^= 1;
		memmove(&now[at], &now[at + n], (N - at - n) * sizeof(*now));
		after = entries_write(now, N - n);
		if (n == 0)
			assert_int_equal(count_new(&before, &after), 1);
		else
			removed += count_new(&before, &after);
		sum += n;
		free(after.list);
	}
	printf("# %zu segments; %zu entries removed in 10 places: %zu new ones\n", before.n, sum,
	       removed);
	assert_in_range(removed, 0, 30);
	free(before.list);
	free(now);
	free(list);
}

/* ---- segments that are not what they should be ---- */

/* Read all of a segment of N bytes at P that says it has UNITS entries; whether it was good. */
static bool read_odd(const uint8_t *p, size_t n, uint32_t units)
{
	static struct cache_entry x;
	struct cache_seg s = { .units = units };
	struct cache_segs segs = { .n = 0 };
	struct entries_reader *r = NULL;
	int found;

	must(cache_save(&kit.cache, CACHE_ENTRIES, p, n, &s, &oops));
	must(cache_segs_add(&segs, &s, &oops));
	must(entries_reader_new(&kit.cache, &segs, &r, &oops));
	kit.cache.broken = false;
	while ((found = entries_reader_next(r, &x, &oops)) == 0)
		assert_true(strnlen(x.path, sizeof(x.path)) <= ENTRY_PATH_MAX);
	assert_true(kit.cache.broken == (found < 0));
	entries_reader_free(r);
	free(segs.list);
	return found == 1;
}

/* A segment cut anywhere, with bytes behind it or with another number of entries is not taken; one with a
 * byte changed, be it named anew, gives entries or is not taken, and no more (with the sanitizers). */
static void test_odd_segments(void **state)
{
	enum { N = 6 };
	auto_bytes struct bytes raw = BYTES_EMPTY;
	static struct cache_entry list[N];
	char path[40], name[60] = "state/cache/";
	struct cache_segs segs;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		random_path(path, 30);
		random_entry(&list[i], path);
	}
	segs = entries_write(list, N);
	assert_int_equal(segs.n, 1);
	crypto_hex(segs.list[0].name, 16, name + 12);
	must(bytes_reserve(&raw, kit_size(name) + 1, &oops));
	must(cache_load(&kit.cache, CACHE_ENTRIES, &segs.list[0], raw.p, &raw.len, &oops));
	assert_true(read_odd(raw.p, raw.len, N));
	assert_false(read_odd(raw.p, raw.len, N - 1));
	assert_false(read_odd(raw.p, raw.len, N + 1));
	assert_false(read_odd(raw.p, raw.len, 0));
	raw.p[raw.len] = 0;
	assert_false(read_odd(raw.p, raw.len + 1, N));
	for (size_t n = 1; n < raw.len; n++)
		assert_false(read_odd(raw.p, n, N));
	for (size_t i = 0; i < raw.len; i++)
		for (unsigned k = 0; k < 4; k++) {
			uint8_t was = raw.p[i];

			raw.p[i] = (uint8_t)(k ? was ^ 1u << dice_below(8) : dice());
			(void)read_odd(raw.p, raw.len, N);
			raw.p[i] = was;
		}
	free(segs.list);
}

/* A path of more than its limit, pieced together from what two share, is not taken, nor one with a NUL, nor
 * one that shares more than the one before has. */
static void test_odd_paths(void **state)
{
	static uint8_t p[10000];
	struct bytes b = { .p = NULL };
	static const uint8_t rest[12];

	(void)state;
	memset(p, 'x', sizeof(p));
	for (size_t extra = 2; extra-- > 0;) {
		b.len = 0;
		must(bytes_append(&b, "\0\0\377\037", 4, &oops)); /* shares 0, 4095 bytes */
		must(bytes_append(&b, p, 4095, &oops));
		must(bytes_append(&b, rest, sizeof(rest), &oops));
		must(bytes_append(&b, extra ? "\0\377\037\1x" : "\0\376\037\1x", 5, &oops));
		must(bytes_append(&b, rest, sizeof(rest), &oops));
		assert_true(read_odd(b.p, b.len, 2) == (extra == 0));
	}
	b.p[100] = 0;
	assert_false(read_odd(b.p, b.len, 2));
	b.len = 0;
	must(bytes_append(&b, "\0\0\1x", 4, &oops));
	must(bytes_append(&b, rest, sizeof(rest), &oops));
	must(bytes_append(&b, "\0\1\1x", 4, &oops));
	must(bytes_append(&b, rest, sizeof(rest), &oops));
	assert_true(read_odd(b.p, b.len, 2));
	b.p[3] = 0;
	b.p[4 + sizeof(rest) + 1] = 0;
	assert_false(read_odd(b.p, b.len, 2));
	b.p[3] = 'x';
	b.p[4 + sizeof(rest) + 1] = 2; /* shares more than there is */
	assert_false(read_odd(b.p, b.len, 2));
	bytes_free(&b);
}

#define each(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_round_trip),	 each(test_full),      each(test_stable),
		each(test_odd_segments), each(test_odd_paths),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
