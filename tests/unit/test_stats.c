/* What snapshots cost: sums over dependencies, heads of records, and the ratios. */
#include "archive_kit.h"

#include "archive/catalog.h"
#include "job/stats.h"

static struct err oops;

static struct catalog load(const struct secret *host)
{
	struct catalog c;

	assert_int_equal(catalog_load(kit.store, &kit.d, NULL, host, NULL, &c, NULL, &oops), 0);
	assert_int_equal(c.n, 1);
	return c;
}

static struct stats stats_of(const struct catalog *c, size_t i, const struct reader_keys *keys)
{
	const struct catalog_stream *s = &c->streams[0];
	struct stats out;

	assert_int_equal(job_stats(kit.store, &kit.d, keys, s, &s->snapshots[i], &out, &oops), 0);
	return out;
}

/* A snapshot that rests on nothing has no share; what its records come to is what its summary and
 * its entries say. */
static void test_alone(void **state)
{
	static const struct fake f[] = { { 1, 0, 1 }, { 2, 300000, 0 }, { 1, 200000, 3 } };
	struct writer_result w = kit_write(1, NULL, f, 3, 0);
	struct catalog c = load(kit.host);
	struct stats s = stats_of(&c, 0, &kit.reader_keys);
	const struct tally *t = &s.tally;

	(void)state;
	assert_int_equal(s.n_deps, 0);
	assert_true(stats_live(&s) < 0);
	assert_true(s.has_tally);
	assert_int_equal(t->body.packed + t->head.packed + t->node.packed + t->root.packed,
			 w.new_bytes);
	assert_int_equal(t->totals.body_len, 500000);
	assert_true(t->body.plain >= 200000 && t->body.plain < 501000);
	assert_int_equal(t->root.n, 1);
	assert_true(stats_compression(&s) > 2);
	assert_true(stats_dedup(&s) > 0.99);
	stats_free(&s);
	catalog_free(&c);
}

/* Records are counted over all parts. */
static void test_parts(void **state)
{
	struct fake f[40];
	struct writer_result w;
	struct catalog c;
	struct stats s;

	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		f[i] = (struct fake){ 1, 60000, i + 1 };
	w = kit_write(1, NULL, f, 40, 64);
	c = load(kit.host);
	assert_true(c.streams[0].snapshots[0].n_parts > 1);
	s = stats_of(&c, 0, &kit.reader_keys);
	assert_int_equal(s.tally.body.packed + s.tally.head.packed + s.tally.node.packed +
				 s.tally.root.packed,
			 w.new_bytes);
	assert_int_equal(s.tally.totals.body_len, 40 * 60000);
	stats_free(&s);
	catalog_free(&c);
}

/* The share is live bytes over the bytes that the dependencies brought; without their summaries it
 * is not known. */
static void test_live(void **state)
{
	static const struct fake f[] = { { 1, 100000, 1 } };
	struct writer_result w = kit_write(1, NULL, f, 1, 0);
	struct dependency dep = { .archive = w.archive, .live = w.new_bytes / 4 };
	struct craft c2 = { .seq = 2, .parent = &w.archive, .dep = &dep };
	struct catalog c;
	struct stats s;

	(void)state;
	(void)kit_craft(&c2, NULL);
	c = load(kit.host);
	s = stats_of(&c, 1, NULL);
	assert_int_equal(s.n_deps, 1);
	assert_int_equal(s.deps[0].seq, 1);
	assert_memory_equal(s.deps[0].id, w.archive.id, 16);
	assert_true(s.deps[0].known);
	assert_int_equal(s.deps[0].new_bytes, w.new_bytes);
	assert_int_equal(s.live, w.new_bytes / 4);
	assert_true(stats_live(&s) > 0.24 && stats_live(&s) <= 0.25);
	assert_false(s.has_tally);
	assert_true(stats_dedup(&s) == 0 && stats_compression(&s) == 0);
	stats_free(&s);
	catalog_free(&c);
	c = load(NULL);
	s = stats_of(&c, 1, NULL);
	assert_false(s.deps[0].known);
	assert_true(stats_live(&s) < 0);
	assert_int_equal(s.live, w.new_bytes / 4);
	stats_free(&s);
	catalog_free(&c);
}

/* A key that does not open it is as none; damage is damage. */
static void test_keys_and_damage(void **state)
{
	static const struct fake f[] = { { 1, 400000, 1 } };
	struct writer_result w = kit_write(1, NULL, f, 1, 0);
	const struct secret *x[] = { kit.stranger };
	struct reader_keys other = { .n = 1, .x = x };
	struct catalog c = load(kit.host);
	struct stats s = stats_of(&c, 0, &other);
	char name[600];

	(void)state;
	assert_false(s.has_tally);
	stats_free(&s);
	kit_name(&w.archive, 0, name);
	kit_flip(name, 4096 + 100);
	assert_int_equal(job_stats(kit.store, &kit.d, &kit.reader_keys, &c.streams[0],
				   &c.streams[0].snapshots[0], &s, &oops),
			 -1);
	assert_int_equal(oops.kind, ERR_DAMAGED);
	stats_free(&s);
	kit_remove(name);
	assert_int_equal(job_stats(kit.store, &kit.d, NULL, &c.streams[0],
				   &c.streams[0].snapshots[0], &s, &oops),
			 -1);
	assert_int_equal(oops.kind, ERR_STORE);
	stats_free(&s);
	catalog_free(&c);
}

/* Ratios of nothing are not known, not infinite. */
static void test_ratios(void **state)
{
	struct stats s = { .has_tally = true, .has_live = true };

	(void)state;
	assert_true(stats_dedup(&s) == 0 && stats_compression(&s) == 0);
	assert_true(stats_live(&s) < 0);
	s.tally.totals.body_len = 1000;
	s.tally.body = (struct tally_sum){ 1, 100, 250 };
	s.tally.head = (struct tally_sum){ 1, 50, 50 };
	s.live = 30;
	s.live_of = 40;
	assert_true(stats_dedup(&s) == 4);
	assert_true(stats_compression(&s) == 2);
	assert_true(stats_live(&s) == 0.75);
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(test_alone),		  with_store(test_parts),
		with_store(test_live),		  with_store(test_keys_and_damage),
		cmocka_unit_test(test_ratios),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
