/* What the tip knew, beside a walk: order of paths, which entries are the same, where their chunks and
 * groups lie; and the probe, which stops at the first that is not. */
#include "dice.h"
#include "entries_kit.h"

#include "archive/known.h"
#include "archive/probe.h"

static struct err oops;
static struct known known;

/* ---- order ---- */

/* By components, as a walk goes: siblings bytewise, a directory before what lies in it. */
static int by_components(const char *a, const char *b)
{
	for (;;) {
		size_t n = strcspn(a, "/"), m = strcspn(b, "/");
		int r = memcmp(a, b, n < m ? n : m);

		if (r != 0 || n != m)
			return r ? r : n < m ? -1 : 1;
		if (!a[n] || !b[m])
			return (a[n] != 0) - (b[m] != 0);
		a += n + 1;
		b += m + 1;
	}
}

static int sign(int x) { return (x > 0) - (x < 0); }

/* Paths compare as their components do, whatever bytes they have. */
static void test_order(void **state)
{
	static const char *const in_order[] = { ".",	    "./a",    "./a/b", "./a/b/c", "./a/b\1",
						"./a\1",    "./a-",   "./a-/x", "./a.b",  "./aa",
						"./a\x7f",  "./a\x80", "./a\xff", "./b" };
	size_t n = sizeof(in_order) / sizeof(*in_order);
	char a[16], b[16];

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			assert_int_equal(sign(entry_path_compare(in_order[i], in_order[k])),
					 (i > k) - (i < k));
	for (unsigned i = 0; i < 200000; i++) {
		random_path(a, 3 + dice_below(10));
		random_path(b, 3 + dice_below(10));
		if (sign(entry_path_compare(a, b)) != sign(by_components(a, b)))
			fail_msg("%s, %s", a, b);
	}
}

/* ---- merging ---- */

enum { N = 3000 };

static struct cache_entry *list;
static struct cache_segs segs;
static char (*paths)[256];

static int setup(void **state)
{
	if (kit_setup(state) < 0)
		return -1;
	paths = random_paths(N, 12);
	list = calloc(N, sizeof(*list));
	assert_non_null(list);
	return 0;
}

static int teardown(void **state)
{
	free(list);
	free(paths);
	free(segs.list);
	segs = (struct cache_segs){ .n = 0 };
	return kit_teardown(state);
}

/* The tip has about one in PART of the paths; *have says which; returns how many. */
static size_t fill_tip(bool *have, size_t part)
{
	size_t n = 0;

	for (size_t i = 0; i < N; i++) {
		have[i] = part == 1 || dice_below(part) != 0;
		if (!have[i])
			continue;
		random_entry(&list[n], paths[i]);
		list[n].chunks = dice_below(1000);
		n++;
	}
	segs = entries_write(list, n);
	return n;
}

/* Whatever entries came, went and stayed: a seek tells whether the tip has the path, and the numbers of its
 * first chunk, its group and its place there are what counting gives. */
static void test_merge(void **state)
{
	static bool have[N];
	uint64_t body = 0, group = 0;
	uint32_t in_group = 0;
	size_t at = 0, found = 0, n = fill_tip(have, 3);

	(void)state;
	must(known_open(&known, &kit.cache, &segs, &oops));
	for (size_t i = 0; i < N; i++) {
		if (have[i]) {
			assert_string_equal(list[at].path, paths[i]);
			if (dice_below(3) > 0) { /* else the walk does not see it */
				found++;
				for (unsigned twice = 0; twice < 2; twice++)
					must(known_seek(&known, paths[i], &oops));
				expect_entry(&known.now, &list[at]);
				assert_int_equal(known.body, body);
				assert_int_equal(known.group, group);
				assert_int_equal(known.in_group, in_group);
				if (dice_below(2))
					must(known_pass(&known, &oops));
			}
			body += list[at].chunks;
			in_group++;
			if (list[at].group_end) {
				group++;
				in_group = 0;
			}
			at++;
		} else {
			assert_int_equal(known_seek(&known, paths[i], &oops), 1);
		}
	}
	assert_int_equal(at, n);
	assert_true(found > 100);
	assert_int_equal(known_seek(&known, "./\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
				    &oops), 1);
	assert_false(known.have);
	assert_int_equal(known.body, body);
	known_close(&known);
}

/* Without a tip nothing is known. */
static void test_no_tip(void **state)
{
	(void)state;
	must(known_open(&known, &kit.cache, NULL, &oops));
	assert_int_equal(known_seek(&known, ".", &oops), 1);
	assert_false(known.have);
	known_close(&known);
}

/* ---- the same or not ---- */

/* An entry is the same where all that is remembered of it is, it could not have changed unseen, and it was
 * read to its end; any field that differs makes it another. */
static void test_same(void **state)
{
	static const uint8_t key[32] = { 1 }, other_key[32] = { 2 };
	struct entry_stat s = random_stat(), x;
	struct cache_entry *now = &known.now;

	(void)state;
	known = (struct known){ .have = true };
	random_entry(now, "./x");
	now->stat = s;
	now->settled = true;
	now->gap = now->link = false;
	assert_true(known_same(&known, &s, NULL, key));
#define DIFFERS(field)                                                                             \
	do {                                                                                       \
		x = s;                                                                             \
		x.field = !x.field;                                                                \
		assert_false(known_same(&known, &x, NULL, key));                                   \
	} while (0)
	DIFFERS(ino);
	DIFFERS(size);
	DIFFERS(rdev);
	DIFFERS(mode);
	DIFFERS(uid);
	DIFFERS(gid);
	DIFFERS(mtime);
	DIFFERS(ctime);
	DIFFERS(mtime_ns);
	DIFFERS(ctime_ns);
	DIFFERS(root_device);
	assert_false(known_same(&known, &s, "./a", key));
	now->link = true;
	now->link_hash = known_link_hash("./a", key);
	assert_true(known_same(&known, &s, "./a", key));
	assert_false(known_same(&known, &s, "./b", key));
	assert_false(known_same(&known, &s, "./a", other_key));
	assert_false(known_same(&known, &s, NULL, key));
	now->settled = false;
	assert_false(known_same(&known, &s, "./a", key));
	now->settled = true;
	now->gap = true;
	assert_false(known_same(&known, &s, "./a", key));
	now->gap = false;
	known.have = false;
	assert_false(known_same(&known, &s, "./a", key));
}

/* ---- the probe ---- */

/* Walk entries [0, N) of LIST but SKIP, with CHANGED of other times; whether the probe says changed. */
static bool probe(size_t n, size_t skip, size_t changed, bool *stopped)
{
	const struct cache_list tip = { .segs = { [CACHE_ENTRIES] = segs } };
	struct probe *p = NULL;
	struct entry_sink s;
	bool result;
	int r = 1;

	must(probe_open(&kit.cache, &tip, kit.keys, &p, &oops));
	s = probe_sink(p);
	for (size_t i = 0; i < n && r == 1; i++) {
		struct entry_stat stat = list[i].stat;
		struct entry_hint hint = { .path = list[i].path, .stat = &stat };

		stat.ctime_ns += i == changed;
		if (i != skip)
			r = s.known(s.ctx, &hint, &oops);
		assert_true(r == 1 || probe_changed(p));
	}
	*stopped = r != 1;
	if (r == 1)
		probe_finish(p);
	result = probe_changed(p);
	probe_free(p);
	return result;
}

/* A volume as the tip has it is not changed; with an entry other, gone or new, at any place, it is, and the
 * walk is stopped there, or at its end. */
static void test_probe(void **state)
{
	static bool have[N];
	size_t n = fill_tip(have, 1);
	bool stopped;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		list[i].stat = list[0].stat;
		list[i].settled = true;
		list[i].gap = list[i].link = false;
	}
	free(segs.list);
	segs = entries_write(list, n);
	assert_false(probe(n, n, n, &stopped));
	assert_false(stopped);
	for (unsigned i = 0; i < 50; i++) {
		size_t at = dice_below(n - 1);

		assert_true(probe(n, at, n, &stopped));
		assert_true(stopped);
		assert_true(probe(n, n, at, &stopped));
		assert_true(stopped);
		assert_true(probe(at, n, n, &stopped));
		assert_false(stopped);
	}
	segs.n--; /* the walk has more than the tip */
	assert_true(probe(n, n, n, &stopped));
	assert_true(stopped);
	segs.n++;
}

/* Whatever but a known entry comes to a probe is a change, and is refused. */
static void test_probe_takes_nothing(void **state)
{
	const struct cache_list tip = CACHE_LIST_EMPTY;
	struct entry_hint hint = { .path = "." };
	struct entry en = { .path = "." };
	struct entry_sink s;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct probe *p = NULL;

		must(probe_open(&kit.cache, &tip, kit.keys, &p, &oops));
		s = probe_sink(p);
		assert_false(probe_changed(p));
		assert_int_equal(i == 0	  ? s.begin(s.ctx, &hint, &oops)
				 : i == 1 ? s.body(s.ctx, 0, (const uint8_t *)"x", 1, &oops)
				 : i == 2 ? s.entry(s.ctx, &en, &oops)
					  : s.drop(s.ctx, &oops),
				 -1);
		assert_true(probe_changed(p));
		probe_free(p);
	}
}

#define each(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_order), each(test_merge), each(test_no_tip),
		each(test_same),  each(test_probe), each(test_probe_takes_nothing),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
