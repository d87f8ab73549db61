/* Snapshots that go on from the one before: what did not change is neither read nor written, what did
 * is written as far as it did, and what is read back is the volume, byte for byte. */
#include "again_kit.h"
#include "dice.h"

static struct volume v;
static struct shot before = SHOT_EMPTY, now = SHOT_EMPTY;

static int setup(void **state)
{
	if (kit_setup(state) < 0)
		return -1;
	volume_fill(&v);
	again_take(&v, &(struct take){ .level = 3 }, &before);
	again_expect(&v, &before);
	return 0;
}

static int teardown(void **state)
{
	shot_forget(&before);
	shot_forget(&now);
	volume_free(&v);
	return kit_teardown(state);
}

/* The next one, of what the volume is now. */
static void next(void)
{
	again_take(&v, &(struct take){ .from = &before }, &now);
	again_expect(&v, &now);
}

static void expect_nothing_written(void)
{
	assert_int_equal(now.tally.body.n, 0);
	assert_int_equal(now.tally.head.n, 0);
	assert_int_equal(now.tally.node.n, 0);
}

/* A volume at rest: nothing is read, no frame and no node is written, whichever snapshot it is; each
 * rests on the first alone. */
static void test_idle(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		next();
		assert_int_equal(now.read, 0);
		expect_nothing_written();
		assert_int_equal(now.result.n_deps, 1);
		assert_int_equal(now.list.n_deps, 2);
		assert_int_equal(now.list.deps[0].archive.seq, 1);
		assert_int_equal(now.summary.changed_bytes, 0);
		shot_move(&before, &now);
	}
}

/* Entries that may change unseen are read again; what they hold is not written again. */
static void test_unsettled(void **state)
{
	(void)state;
	for (size_t i = 0; i < v.n; i++) {
		v.items[i].unsettled = true;
		item_touch(&v.items[i]);
	}
	next();
	assert_int_equal(now.tally.body.n, 0);
	shot_move(&before, &now);
	next();
	assert_int_equal(now.read, v.n);
	expect_nothing_written();
}

/* Options of the selection that changed: every entry is read, and found to be there. */
static void test_other_options(void **state)
{
	(void)state;
	again_take(&v, &(struct take){ .from = &before, .option = 1 }, &now);
	again_expect(&v, &now);
	assert_int_equal(now.read, v.n);
	expect_nothing_written();
	shot_move(&before, &now);
	again_take(&v, &(struct take){ .from = &before, .option = 1 }, &now);
	assert_int_equal(now.read, 0);
}

/* One entry that changed, went or came, wherever it is: one is read at most, one frame of headers and
 * one of content are written, and few nodes. */
static void test_one_entry(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 32; i++) {
		size_t at = 1 + dice_below(v.n - 1);
		struct item *x = &v.items[at];
		char path[80];

		if (x->n > 65536)
			continue;
		if (i % 4 == 0) {
			item_splice(x, 0, x->n, dice_below(3000) + 1);
		} else if (i % 4 == 1) {
			volume_remove(&v, at);
		} else if (i % 4 == 2) {
			(void)snprintf(path, sizeof(path), "./dir%zu/new%u", dice_below(6), i);
			(void)volume_add(&v, path, dice_below(3000));
		} else {
			x->stat.mode ^= 022;
		}
		next();
		assert_true(now.read == (i % 4 != 1));
		assert_in_range(now.tally.body.n, 0, 1);
		assert_in_range(now.tally.head.n, 0, 1);
		assert_in_range(now.tally.head.plain, 0, 300000);
		assert_in_range(now.tally.node.n, 0, 8);
		shot_move(&before, &now);
	}
}

/* Of a page that changed in place that page is written, of a database that grew what is new; of
 * bytes inserted, removed and appended the chunks around them. */
static void test_pieces(void **state)
{
	struct item *db = volume_item(&v, "./dir2.database"), *text = volume_item(&v, "./log");

	(void)state;
	item_splice(db, 100 * 16384 + 5, 20, 20);
	next();
	assert_int_equal(now.tally.body.n, 1);
	assert_in_range(now.tally.body.plain, 16384, 16384 + 10);
	shot_move(&before, &now);
	item_splice(db, 5, 20, 20); /* the first */
	next();
	assert_int_equal(now.tally.body.n, 1);
	assert_in_range(now.tally.body.plain, 16384, 16384 + 10);
	shot_move(&before, &now);
	item_splice(db, db->n, 0, 3 * 4096);
	next();
	assert_in_range(now.tally.body.plain, 3 * 4096, 3 * 4096 + 10);
	shot_move(&before, &now);
	for (unsigned i = 0; i < 10; i++) {
		size_t at = dice_below(text->n - 1000);

		item_splice(text, at, i % 3 == 0 ? 0 : dice_below(100),
			    i % 3 == 1 ? 0 : dice_below(1000));
		next();
		assert_in_range(now.tally.body.plain, 0, 8 * 65536);
		assert_in_range(now.tally.body.n, 0, 1);
		shot_move(&before, &now);
	}
}

/* A file that was renamed or copied is read, and nothing of its content is written. */
static void test_renamed(void **state)
{
	size_t n = volume_item(&v, "./log")->n;
	struct item *x = volume_add(&v, "./dir1/renamed", n);

	(void)state;
	memcpy(x->p, volume_item(&v, "./log")->p, n);
	volume_remove(&v, volume_find(&v, "./log"));
	next();
	assert_int_equal(now.tally.body.n, 0);
	assert_int_equal(now.read, 1);
	shot_move(&before, &now);
	x = volume_add(&v, "./yy", n);
	memcpy(x->p, volume_item(&v, "./dir1/renamed")->p, n);
	next();
	assert_int_equal(now.tally.body.n, 0);
	assert_in_range(now.result.n_deps, 1, 2);
}

/* Content that comes twice in one snapshot is written once, if the first lies behind by more than what
 * is under way. */
static void test_copied_within(void **state)
{
	size_t n = volume_item(&v, "./log")->n;
	struct item *a = volume_add(&v, "./aa", n), *z;

	(void)state;
	z = volume_add(&v, "./zzz", n);
	a = volume_item(&v, "./aa");
	memcpy(z->p, a->p, n);
	item_splice(volume_item(&v, "./dir2.database"), 0, 4 << 20, 8 << 20);
	next();
	assert_in_range(now.tally.body.plain, (8 << 20) + n, (8 << 20) + n + n / 10);
}

/* A database of which nothing is where it was goes on as a file that is cut by content; with what is
 * unchanged then, nothing is written. */
static void test_shifted_pages(void **state)
{
	struct item *db = volume_item(&v, "./dir2.database");

	(void)state;
	item_splice(db, 0, 0, 4096);
	next();
	assert_in_range(now.tally.body.plain, 4 << 20, 5 << 20);
	shot_move(&before, &now);
	item_splice(db, 0, 0, 4096); /* the first 64 pages were pages */
	next();
	assert_in_range(now.tally.body.plain, 1 << 20, 3 << 20);
	shot_move(&before, &now);
	item_splice(db, 0, 0, 4096);
	next();
	assert_in_range(now.tally.body.plain, 0, 8 * 65536);
}

/* A hole that moves leaves the other pages of a database what they were. */
static void test_holes(void **state)
{
	struct item *db = volume_item(&v, "./dir2.database");

	(void)state;
	db->hole_at = 50 * 16384 + 8192;
	db->hole = 1 << 20;
	item_touch(db);
	next();
	assert_in_range(now.tally.body.plain, 0, 3 * 16384);
	shot_move(&before, &now);
	db->hole_at = 20 * 16384;
	item_touch(db);
	next();
	assert_in_range(now.tally.body.plain, 0, 3 * 16384);
}

/* ---- archives that are emptied ---- */

static bool rests_on(const struct shot *s, uint64_t seq)
{
	for (size_t i = 0; i < s->list.n_deps; i++)
		if (s->list.deps[i].archive.seq == seq)
			return true;
	return false;
}

/* A snapshot with the first as victim has no use for it: read back with that one gone it is the volume,
 * and what is written is all that lay there. */
static void test_all_victims(void **state)
{
	static const uint64_t victims[] = { 1 };

	(void)state;
	again_take(&v, &(struct take){ .from = &before, .victims = victims, .n_victims = 1 },
		   &now);
	assert_int_equal(now.result.n_deps, 0);
	assert_false(rests_on(&now, 1));
	assert_in_range(now.summary.reemitted, before.tally.body.packed / 10 * 9,
			before.tally.body.packed);
	assert_int_equal(now.summary.changed_bytes, 0);
	kit_remove(before.name);
	again_expect(&v, &now);
	shot_move(&before, &now);
	next();
	expect_nothing_written();
}

/* ---- at random ---- */

static struct archive_id made[100];

/* One change of the volume. */
static void change(unsigned round)
{
	size_t i = 1 + dice_below(v.n - 1);
	struct item *x = &v.items[i];
	char path[80];

	switch (dice_below(8)) {
	case 0:
		(void)snprintf(path, sizeof(path), "./dir%zu/r%u-%zu", dice_below(7), round,
			       dice_below(1000000));
		(void)volume_add(&v, path,
				 dice_below(10) ? dice_below(5000)
						: 4096 * (16 + dice_below(40)));
		break;
	case 1:
		volume_remove(&v, i);
		break;
	case 2:
		item_splice(x, 0, x->n, dice_below(100000));
		break;
	case 3:
		item_splice(x, x->n, 0, dice_below(200000));
		break;
	case 4:
		if (x->n > 0) {
			size_t at = dice_below(x->n);

			item_splice(x, at, dice_below(x->n - at + 1), dice_below(20000));
		}
		break;
	case 5:
		item_touch(x);
		break;
	case 6:
		x->unsettled = !x->unsettled;
		item_touch(x);
		break;
	default:
		x->gap = !x->gap && x->n > 0;
		item_touch(x);
	}
}

/* Whether A is the one that S goes on from, one of its dependencies, or S itself (R1). */
static bool allowed(const struct shot *from, const struct archive_id *a, uint64_t own)
{
	for (size_t i = 0; i < from->list.n_deps; i++)
		if (memcmp(&from->list.deps[i].archive, a, sizeof(*a)) == 0)
			return true;
	return a->seq == own;
}

/* Whatever changes, and whichever archives are emptied and removed then, each snapshot is the volume; it
 * rests only on what its parent rested on, and on no victim. */
static void test_random(void **state)
{
	made[1] = before.result.archive;
	(void)state;
	for (unsigned round = 2; round < 32; round++) {
		struct take t = { .from = &before, .option = dice_below(10) == 0 };
		uint64_t victims[100];
		char name[600];

		for (size_t n = dice_below(12); n > 0; n--)
			change(round);
		for (size_t i = 0; i < before.list.n_deps; i++)
			if (dice_below(5) == 0)
				victims[t.n_victims++] = before.list.deps[i].archive.seq;
		t.victims = victims;
		again_take(&v, &t, &now);
		made[round] = now.result.archive;
		for (size_t i = 0; i < now.list.n_deps; i++)
			assert_true(allowed(&before, &now.list.deps[i].archive, round));
		for (size_t i = 0; i < t.n_victims; i++)
			assert_false(rests_on(&now, victims[i]));
		for (uint64_t seq = 1; seq < round; seq++)
			if (made[seq].seq > 0 && !rests_on(&now, seq)) {
				kit_name(&made[seq], 0, name);
				kit_remove(name);
				made[seq].seq = 0;
			}
		again_expect(&v, &now);
		shot_move(&before, &now);
	}
}

#define each(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_idle),	  each(test_unsettled),	   each(test_other_options),
		each(test_one_entry),	  each(test_pieces),	   each(test_renamed),
		each(test_copied_within), each(test_shifted_pages), each(test_holes),
		each(test_all_victims),	  each(test_random),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
