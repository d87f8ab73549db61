/* Reading snapshots: what was written comes back, and nothing else ever does. */
#include "archive_kit.h"

static struct err oops;

/* Some small entries, a gap, a large body, an entry without one. */
static const struct fake few[] = {
	{ 1, 0, 1 }, { 3, 17, 2 },    { 1, 100000, 3 }, { 0, 4000, 4 },
	{ 2, 1, 5 }, { 512, 700, 6 }, { 1, 0, 7 },	{ 0, 1, 8 },
};
#define N_FEW (sizeof(few) / sizeof(*few))

static size_t count_entries(const struct fake *f, size_t n)
{
	size_t entries = 0;

	for (size_t i = 0; i < n; i++)
		entries += f[i].header > 0;
	return entries;
}

/* -1 where reading fails; fails the test where it gives bytes that were not written. */
static int body_equals(struct reader *r, const struct fake *f, uint64_t limit)
{
	auto_free uint8_t *want = malloc(f->body + 1);
	uint64_t at = 0;

	assert_non_null(want);
	kit_bytes(f, 2, 0, want, f->body);
	while (at < limit) {
		const uint8_t *p = NULL;
		size_t n = 0;
		int found = reader_body(r, &p, &n, &oops);

		if (found < 0)
			return -1;
		if (found == 1)
			break;
		assert_true(n > 0 && n <= f->body - at);
		assert_memory_equal(p, want + at, n);
		at += n;
	}
	assert_true(at >= limit || at == f->body);
	return 0;
}

static void header_equals(const struct reader_entry *en, const struct fake *f)
{
	auto_free uint8_t *want = malloc(f->header * 512);

	assert_non_null(want);
	kit_bytes(f, 1, 0, want, f->header * 512);
	assert_int_equal(en->header_len, f->header * 512);
	assert_memory_equal(en->header, want, en->header_len);
}

/* Read all entries, of each body the first LIMIT bytes; -1 where it fails. */
static int read_all(struct reader *r, const struct fake *f, size_t n, uint64_t limit)
{
	struct reader_entry en;
	uint64_t no = 0, body = 0;

	for (size_t i = 0; i < n; body += f[i++].body) {
		if (f[i].header == 0)
			continue;
		if (reader_next(r, &en, &oops) != 0)
			return -1;
		assert_int_equal(en.no, no++);
		assert_int_equal(en.body_at, body);
		assert_int_equal(en.body_len, f[i].body);
		header_equals(&en, &f[i]);
		if (body_equals(r, &f[i], limit) < 0)
			return -1;
	}
	return reader_next(r, &en, &oops) == 1 ? 0 : -1;
}

/* Open, read all, compare; -1 where any of it fails. */
static int read_snapshot(const char *name, const struct fake *f, size_t n, bool all)
{
	struct reader *r = NULL;
	int result = reader_open(kit.store, &kit.d, name, &kit.reader_keys, &r, &oops);

	if (result == 0 && all)
		reader_check_all(r);
	if (result == 0)
		result = read_all(r, f, n, all ? 0 : UINT64_MAX);
	reader_free(r);
	return result;
}

/* Incompressible bodies over several parts. */
static struct fake *many(size_t n)
{
	struct fake *f = calloc(n, sizeof(*f));

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		f[i] = (struct fake){ .header = 1 + i % 3,
				      .body = i * 397 % 9000,
				      .seed = (uint32_t)i };
	f[n / 2].body = 700000;
	f[n / 3].header = 0; /* a gap */
	return f;
}

static void is_damaged(const char *word)
{
	assert_int_equal(oops.kind, ERR_DAMAGED);
	if (!strstr(oops.text, word))
		fail_msg("\"%s\" does not say \"%s\"", oops.text, word);
}

/* What was written in one part comes back: headers, bodies, numbers, totals; a gap is
 * passed over and counts in the body stream only. */
static void test_read_back(void **state)
{
	struct writer_result w = kit_write(1, NULL, few, N_FEW, 0);
	char name[600];
	struct reader *r;

	(void)state;
	kit_name(&w.archive, 0, name);
	r = kit_open(name);
	assert_int_equal(read_all(r, few, N_FEW, UINT64_MAX), 0);
	assert_int_equal(reader_root(r)->totals.entries, count_entries(few, N_FEW));
	assert_int_equal(reader_root(r)->totals.body_len,
			 17 + 100000 + 4000 + 1 + 700 + 1);
	assert_memory_equal(reader_list_key(r), kit.keys->list, 32);
	assert_memory_equal(reader_trailer(r)->hash, w.archive.trailer_hash, 32);
	reader_free(r);
}

/* A snapshot without entries is read to its end at once. */
static void test_empty(void **state)
{
	struct writer_result w = kit_write(1, NULL, NULL, 0, 0);
	struct reader_entry en;
	char name[600];
	struct reader *r;

	(void)state;
	kit_name(&w.archive, 0, name);
	r = kit_open(name);
	assert_int_equal(reader_next(r, &en, &oops), 1);
	assert_int_equal(reader_next(r, &en, &oops), 1);
	reader_free(r);
}

/* The same over many parts, of which only two have buffers at a time. */
static void test_parts(void **state)
{
	auto_free struct fake *f = many(500);
	struct writer_result w = kit_write(1, NULL, f, 500, 36);
	char name[600];

	(void)state;
	kit_name(&w.archive, 5, name);
	assert_true(kit_size(name) > 0); /* there are five and more */
	kit_name(&w.archive, 0, name);
	assert_int_equal(read_snapshot(name, f, 500, false), 0);
	assert_int_equal(read_snapshot(name, f, 500, true), 0);
}

/* A body may be left after some bytes, at once, or in its middle; the next entry is
 * right. */
static void test_partial_bodies(void **state)
{
	auto_free struct fake *f = many(100);
	struct writer_result w = kit_write(1, NULL, f, 100, 0);
	char name[600];
	struct reader *r;

	(void)state;
	kit_name(&w.archive, 0, name);
	r = kit_open(name);
	for (uint64_t limit = 0; limit < 20000; limit = limit * 3 + 1) {
		assert_int_equal(read_all(r, f, 100, limit), 0);
		assert_int_equal(reader_rewind(r, &oops), 0);
	}
	reader_free(r);
}

/* After rewinding from anywhere everything is read as the first time. */
static void test_rewind(void **state)
{
	struct writer_result w = kit_write(1, NULL, few, N_FEW, 0);
	struct reader_entry en;
	char name[600];
	struct reader *r;

	(void)state;
	kit_name(&w.archive, 0, name);
	r = kit_open(name);
	for (size_t steps = 0; steps < 8; steps++) {
		for (size_t i = 0; i < steps; i++)
			(void)reader_next(r, &en, &oops);
		assert_int_equal(reader_rewind(r, &oops), 0);
		assert_int_equal(read_all(r, few, N_FEW, UINT64_MAX), 0);
		assert_int_equal(reader_rewind(r, &oops), 0);
	}
	reader_free(r);
}

/* reader_body_from gives another entry's content, and the reading goes on behind the
 * current one; what lies beyond the stream is refused. */
static void test_body_from(void **state)
{
	struct writer_result w = kit_write(1, NULL, few, N_FEW, 0);
	uint64_t total = 17 + 100000 + 4000 + 1 + 700 + 1;
	struct reader_entry en;
	const uint8_t *p;
	char name[600];
	struct reader *r;
	size_t n;

	(void)state;
	kit_name(&w.archive, 0, name);
	r = kit_open(name);
	assert_int_equal(reader_next(r, &en, &oops), 0);
	assert_int_equal(reader_body(r, &p, &n, &oops), 1);
	assert_int_equal(reader_body_from(r, 17, 100000, &oops), 0);
	assert_int_equal(body_equals(r, &few[2], UINT64_MAX), 0);
	assert_int_equal(reader_next(r, &en, &oops), 0);
	header_equals(&en, &few[1]);
	assert_int_equal(body_equals(r, &few[1], UINT64_MAX), 0);
	assert_int_equal(reader_body_from(r, total, 0, &oops), 0);
	assert_int_equal(reader_body(r, &p, &n, &oops), 1);
	assert_int_equal(reader_body_from(r, total, 1, &oops), -1);
	assert_int_equal(reader_body_from(r, total + 1, 0, &oops), -1);
	assert_int_equal(reader_body_from(r, 1, UINT64_MAX, &oops), -1);
	reader_free(r);
}

/* All files are opened first: one that is unlinked meanwhile stays readable. */
static void test_unlinked(void **state)
{
	auto_free struct fake *f = many(200);
	struct writer_result w = kit_write(1, NULL, f, 200, 36);
	char name[600];
	struct reader *r;

	(void)state;
	kit_name(&w.archive, 0, name);
	r = kit_open(name);
	kit_remove(name);
	kit_name(&w.archive, 2, name);
	kit_remove(name);
	assert_int_equal(read_all(r, f, 200, UINT64_MAX), 0);
	reader_free(r);
}

/* Whatever byte of an archive is changed: in a segment it is damage; in a copy of header
 * or trailer the other copy serves, and what is read is what was written. */
static void test_every_byte(void **state)
{
	struct writer_result w = kit_write(1, NULL, few, 2, 0);
	const char *all = getenv("TEST_EVERY_BYTE");
	uint64_t size, first = 4096, after;
	char name[600];

	(void)state;
	kit_name(&w.archive, 0, name);
	size = kit_size(name);
	after = size - 3 * 4096;
	assert_int_equal(after - first, SEGMENT_LEN);
	for (uint64_t at = 0; at < size; at += all ? 1 : 1 + at % 13) {
		kit_flip(name, at);
		if (read_snapshot(name, few, 2, false) < 0) {
			assert_true(at >= first && at < after);
			is_damaged(name);
		} else {
			assert_false(at >= first && at < after);
		}
		kit_flip(name, at);
	}
	assert_int_equal(read_snapshot(name, few, 2, false), 0);
}

/* With both copies of header or trailer changed nothing is read. */
static void test_both_copies(void **state)
{
	struct writer_result w = kit_write(1, NULL, few, 2, 0);
	uint64_t size;
	char name[600];

	(void)state;
	kit_name(&w.archive, 0, name);
	size = kit_size(name);
	for (uint64_t at = 0; at < 4096; at += 97) {
		kit_flip(name, at);
		kit_flip(name, size - 3 * 4096 + at);
		assert_int_equal(read_snapshot(name, few, 2, false), -1);
		assert_int_equal(oops.kind, ERR_DAMAGED);
		kit_flip(name, at);
		kit_flip(name, size - 3 * 4096 + at);
		kit_flip(name, size - 4096 + at);
		kit_flip(name, size - 2 * 4096 + at);
		assert_int_equal(read_snapshot(name, few, 2, false), -1);
		assert_int_equal(oops.kind, ERR_DAMAGED);
		kit_flip(name, size - 4096 + at);
		kit_flip(name, size - 2 * 4096 + at);
	}
}

/* A file cut anywhere is damage, be it the last part or another. */
static void test_truncated(void **state)
{
	auto_free struct fake *f = many(100);
	struct writer_result w = kit_write(1, NULL, f, 100, 36);
	char name[600], part[600];

	(void)state;
	kit_name(&w.archive, 0, name);
	kit_name(&w.archive, 1, part);
	kit_truncate(part, kit_size(part) - 1);
	assert_int_equal(read_snapshot(name, f, 100, false), -1);
	is_damaged(part);
	for (uint64_t size = kit_size(name); size > 0;) {
		size -= size < 5000 ? size : 5000;
		kit_truncate(name, size);
		assert_int_equal(read_snapshot(name, f, 100, false), -1);
		is_damaged(name);
	}
}

/* A part that is missing is named by its number; one that is another part, or another
 * archive's, is not taken for it. */
static void test_other_parts(void **state)
{
	auto_free struct fake *f = many(200);
	struct writer_result w = kit_write(1, NULL, f, 200, 36);
	struct writer_result other = kit_write(2, NULL, f, 200, 36);
	char name[600], first[600], second[600];

	(void)state;
	kit_name(&w.archive, 0, name);
	kit_name(&w.archive, 1, first);
	kit_name(&w.archive, 2, second);
	kit_remove(second);
	assert_int_equal(read_snapshot(name, f, 200, false), -1);
	is_damaged("part 2 is missing");
	kit_copy(first, second);
	assert_int_equal(read_snapshot(name, f, 200, false), -1);
	is_damaged(second);
	kit_name(&other.archive, 2, first);
	kit_copy(first, second);
	assert_int_equal(read_snapshot(name, f, 200, false), -1);
	is_damaged(second);
	kit_name(&other.archive, 0, name);
	kit_resign(&other.archive, 1);
	assert_int_equal(read_snapshot(name, f, 200, false), -1);
	is_damaged("is not the part 1");
}

/* Only two parts have buffers: one that lost its own and comes back does not take what
 * another part left in them for its own. */
static void test_taking_turns(void **state)
{
	static const struct fake f[] = {
		{ 1, 131072, 0 },  { 1, 1000000, 2 }, { 1, 131072, 0 },
		{ 1, 1000000, 4 }, { 1, 131072, 0 },  { 1, 1000000, 6 },
	};
	struct writer_result w = kit_write(1, NULL, f, 6, 36);
	char name[600];
	struct reader *r;

	(void)state;
	kit_name(&w.archive, 3, name);
	assert_true(kit_size(name) > 0);
	kit_name(&w.archive, 0, name);
	r = kit_open(name);
	for (uint64_t i = 0; i < 9; i++) {
		assert_int_equal(
			reader_body_from(r, i % 3 * (131072 + 1000000), 131072, &oops),
			0);
		if (body_equals(r, &f[0], UINT64_MAX) < 0)
			fail_msg("%s", oops.text);
	}
	reader_free(r);
}

/* Without a key, or with another one, it is ERR_KEY; the key that fits may be any of
 * several. A snapshot that is gone is not damage. */
static void test_keys(void **state)
{
	struct writer_result w = kit_write(1, NULL, few, N_FEW, 0);
	const struct secret *x[2] = { kit.stranger, kit.reader };
	struct reader_keys keys = { .n = 1, .x = x };
	struct reader *r = NULL;
	char name[600];

	(void)state;
	kit_name(&w.archive, 0, name);
	assert_int_equal(reader_open(kit.store, &kit.d, name, &keys, &r, &oops), -1);
	assert_int_equal(oops.kind, ERR_KEY);
	keys.n = 0;
	assert_int_equal(reader_open(kit.store, &kit.d, name, &keys, &r, &oops), -1);
	assert_int_equal(oops.kind, ERR_KEY);
	keys.n = 2;
	assert_int_equal(reader_open(kit.store, &kit.d, name, &keys, &r, &oops), 0);
	reader_free(r);
	kit_remove(name);
	assert_int_equal(reader_open(kit.store, &kit.d, name, &keys, &r, &oops), -1);
	assert_int_equal(oops.kind, ERR_STORE);
}

/* Damage in a body that nobody reads is found with reader_check_all only, in an entry's
 * body as in a gap; without it the other entries can still be read. */
static void test_check_all(void **state)
{
	static const struct fake f[] = {
		{ 1, 300000, 1 }, { 0, 300000, 2 }, { 1, 200, 3 }, { 1, 409600, 4 }
	};
	static const uint64_t at[] = { 100000, 450000, 950000 };
	struct writer_result w = kit_write(1, NULL, f, 4, 0);
	char name[600];
	struct reader *r;

	(void)state;
	kit_name(&w.archive, 0, name);
	for (size_t i = 0; i < 3; i++) {
		kit_flip(name, 4096 + at[i]);
		r = kit_open(name);
		assert_int_equal(read_all(r, f, 4, 0), 0);
		assert_int_equal(reader_rewind(r, &oops), 0);
		reader_check_all(r);
		assert_int_equal(read_all(r, f, 4, 0), -1);
		is_damaged("segment");
		is_damaged(i < 2 ? "entry 0" : "entry 2");
		reader_free(r);
		kit_flip(name, 4096 + at[i]);
	}
	assert_int_equal(read_snapshot(name, f, 4, true), 0);
}

/* What was read out of turn does not count as checked where something before it was not.
 */
static void test_check_out_of_turn(void **state)
{
	static const struct fake f[] = { { 1, 600000, 1 }, { 1, 200, 3 } };
	struct writer_result w = kit_write(1, NULL, f, 2, 0);
	struct reader_entry en;
	char name[600];
	struct reader *r;

	(void)state;
	kit_name(&w.archive, 0, name);
	kit_flip(name, 4096 + 100000);
	r = kit_open(name);
	reader_check_all(r);
	assert_int_equal(reader_next(r, &en, &oops), 0);
	assert_int_equal(reader_body_from(r, 600000, 200, &oops), 0);
	assert_int_equal(body_equals(r, &f[1], UINT64_MAX), 0);
	assert_int_equal(reader_next(r, &en, &oops), -1);
	is_damaged("entry 0");
	reader_free(r);
}

/* A body whose middle is damaged fails there, and again when asked again: what follows
 * never comes in its place. */
static void test_body_again(void **state)
{
	static const struct fake f[] = { { 1, 4096 * 100, 1 } };
	struct writer_result w = kit_write(1, NULL, f, 1, 0);
	struct reader_entry en;
	const uint8_t *p;
	char name[600];
	struct reader *r;
	size_t n;

	(void)state;
	kit_name(&w.archive, 0, name);
	kit_flip(name, 4096 + 200000);
	r = kit_open(name);
	assert_int_equal(reader_next(r, &en, &oops), 0);
	assert_int_equal(body_equals(r, &f[0], 131072), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(reader_body(r, &p, &n, &oops), -1);
	assert_int_equal(reader_next(r, &en, &oops), 1);
	reader_free(r);
}

/* A list of entries that broke off is not read on, until it is read anew from its
 * beginning. */
static void test_broken_list(void **state)
{
	auto_free struct fake *f = calloc(3000, sizeof(*f));
	struct reader_entry en;
	struct writer_result w;
	char name[600];
	struct reader *r;
	int found;

	(void)state;
	assert_non_null(f);
	for (size_t i = 0; i < 3000; i++)
		f[i] = (struct fake){ .header = 1, .seed = (uint32_t)i };
	w = kit_write(1, NULL, f, 3000, 0);
	kit_name(&w.archive, 0, name);
	kit_flip(name, 4096 + 900000);
	r = kit_open(name);
	while ((found = reader_next(r, &en, &oops)) == 0)
		continue;
	assert_int_equal(found, -1);
	is_damaged("segment");
	assert_int_equal(reader_next(r, &en, &oops), -1);
	kit_flip(name, 4096 + 900000);
	assert_int_equal(reader_next(r, &en, &oops), -1);
	assert_int_equal(reader_rewind(r, &oops), 0);
	assert_int_equal(read_all(r, f, 3000, 0), 0);
	reader_free(r);
}

#define each(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_read_back),
		each(test_empty),
		each(test_parts),
		each(test_partial_bodies),
		each(test_rewind),
		each(test_body_from),
		each(test_unlinked),
		each(test_every_byte),
		each(test_both_copies),
		each(test_truncated),
		each(test_other_parts),
		each(test_taking_turns),
		each(test_keys),
		each(test_check_all),
		each(test_check_out_of_turn),
		each(test_body_again),
		each(test_broken_list),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
