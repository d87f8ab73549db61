/* Snapshots in two passes: entries change, vanish and appear between them, and the snapshot is what the
 * second one saw; what did not change is read in the first alone. */
#include "again_kit.h"
#include "archive/pipeline.h"
#include "archive/writer_parts.h"
#include "dice.h"

static struct err oops;
static struct volume v, first;
static struct shot before = SHOT_EMPTY, now = SHOT_EMPTY;
static size_t read_first, read_second;

static int setup(void **state)
{
	if (kit_setup(state) < 0)
		return -1;
	volume_fill(&v);
	first.n = 0;
	return 0;
}

static int teardown(void **state)
{
	shot_forget(&before);
	shot_forget(&now);
	volume_free(&v);
	volume_free(&first);
	return kit_teardown(state);
}

/* The second pass has all frames to work with, whatever was open behind the first. */
static void has_all_frames(struct writer *w)
{
	struct frame *f[PIPELINE_FRAMES];

	for (size_t i = 0; i < PIPELINE_FRAMES; i++) {
		f[i] = pipeline_take(w->pipeline);
		assert_non_null(f[i]);
	}
	for (size_t i = 0; i < PIPELINE_FRAMES; i++)
		pipeline_release(w->pipeline, f[i]);
}

/* First FIRST is seen, then V. */
static void two_passes(const struct shot *from)
{
	struct take t = { .from = from, .another_pass = true };
	struct writer *w;

	must(again_open(&t, &w, &oops));
	if (again_send(w, &first, 0, &read_first, &oops) < 0)
		fail_msg("first pass: %s", oops.text);
	if (writer_next_pass(w, &oops) < 0)
		fail_msg("between: %s", oops.text);
	has_all_frames(w);
	if (again_send(w, &v, 0, &read_second, &oops) < 0)
		fail_msg("second pass: %s", oops.text);
	if (again_commit(w, &t, false, &now, &oops) < 0)
		fail_msg("%s", oops.text);
	writer_free(w);
	again_expect(&v, &now);
}

static void behind(void)
{
	shot_move(&before, &now);
	again_take(&v, &(struct take){ .from = &before }, &now);
	again_expect(&v, &now);
	assert_int_equal(now.read, 0);
	assert_int_equal(now.tally.body.n + now.tally.head.n + now.tally.node.n, 0);
}

/* Nothing changes between the passes: the second reads nothing and writes no frame; the snapshot, and one
 * that goes on from it, is as if there had been one. */
static void test_nothing_between(void **state)
{
	struct shot one = SHOT_EMPTY;

	(void)state;
	again_take(&v, &(struct take){ .level = 0 }, &one);
	volume_copy(&v, &first);
	two_passes(NULL);
	assert_int_equal(read_first, v.n);
	assert_int_equal(read_second, 0);
	assert_int_equal(now.tally.body.plain, one.tally.body.plain);
	assert_int_equal(now.tally.head.plain, one.tally.head.plain);
	assert_int_equal(now.tally.node.n, one.tally.node.n);
	behind();
	shot_forget(&one);
}

/* A volume at rest in two passes: no frame and no node is written, as in one. */
static void test_idle(void **state)
{
	(void)state;
	again_take(&v, &(struct take){ .level = 0 }, &before);
	volume_copy(&v, &first);
	for (unsigned i = 0; i < 3; i++) {
		two_passes(&before);
		assert_int_equal(read_first + read_second, 0);
		assert_int_equal(now.tally.body.n + now.tally.head.n, 0);
		assert_int_equal(now.tally.node.n, 0);
		shot_move(&before, &now);
	}
}

/* A page that changes between the passes is all that the second one writes of a database, an append to a
 * log the end of it. */
static void test_pieces(void **state)
{
	struct item *db = volume_item(&v, "./dir2.database"), *text = volume_item(&v, "./log");
	uint64_t all = 0;

	(void)state;
	for (size_t i = 0; i < v.n; i++)
		all += v.items[i].n;
	volume_copy(&v, &first);
	item_splice(db, 77 * 16384, 100, 100);
	item_splice(text, text->n, 0, 1000);
	two_passes(NULL);
	assert_int_equal(read_second, 2);
	assert_in_range(now.tally.body.plain, all + 16384, all + 16384 + 4 * 65536 + 1000);
	behind();
}

/* One change of the volume; the first pass may have seen it or not. */
static void change(unsigned round)
{
	size_t i = 1 + dice_below(v.n - 1);
	struct item *x = &v.items[i];
	char path[80];

	switch (dice_below(7)) {
	case 0:
		(void)snprintf(path, sizeof(path), "./dir%zu/r%u-%zu", dice_below(7), round,
			       dice_below(1000000));
		(void)volume_add(&v, path, dice_below(5) ? dice_below(5000) : 4096 * 30);
		break;
	case 1:
	case 2:
		volume_remove(&v, i);
		break;
	case 3:
		item_splice(x, dice_below(x->n + 1), 0, dice_below(100000));
		break;
	case 4:
		item_splice(x, 0, x->n / 2, 0);
		break;
	case 5:
		x->unsettled = true;
		item_touch(x);
		break;
	default:
		x->gap = !x->gap && x->n > 0;
		item_touch(x);
	}
}

/* Whatever changes before the first pass and between both: the snapshot is what the second saw, and the
 * next one goes on from that. */
static void test_random(void **state)
{
	(void)state;
	again_take(&v, &(struct take){ .level = 0 }, &before);
	for (unsigned round = 0; round < 25; round++) {
		for (size_t n = dice_below(6); n > 0; n--)
			change(round);
		volume_free(&first);
		volume_copy(&v, &first);
		for (size_t n = dice_below(12); n > 0; n--)
			change(round);
		two_passes(&before);
		shot_move(&before, &now);
	}
}

/* What the first pass saw and the second did not is dead: it is written, and no tree leads to it. */
static void test_dead(void **state)
{
	(void)state;
	volume_copy(&v, &first);
	volume_remove(&v, volume_find(&v, "./log"));
	two_passes(NULL);
	assert_int_equal(read_second, 0);
	assert_int_equal(now.list.n_deps, 1);
	assert_in_range(now.list.deps[0].live, 1, now.list.deps[0].size - (2 << 20));
	behind();
}

/* A body whose size is not known before its end, of any length, comes back whole; unchanged it is found
 * again, read or not. */
static void test_unknown_size(void **state)
{
	static const size_t sizes[] = { 0, 1, 4096, 65535, 65536, 131072, 3000000 };
	char path[40];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		(void)snprintf(path, sizeof(path), "./dump%zu", i);
		volume_add(&v, path, sizes[i])->hint = ENTRY_SIZE_UNKNOWN;
	}
	again_take(&v, &(struct take){ .level = 0 }, &before);
	again_expect(&v, &before);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		(void)snprintf(path, sizeof(path), "./dump%zu", i);
		item_touch(volume_item(&v, path));
		volume_item(&v, path)->hint = ENTRY_SIZE_UNKNOWN;
	}
	volume_copy(&v, &first);
	two_passes(&before);
	assert_int_equal(now.tally.body.n, 0);
	assert_int_equal(read_first, sizeof(sizes) / sizeof(*sizes));
	assert_int_equal(read_second, 0);
	behind();
}

/* A second pass that was not announced, a third, one in the middle of a body, and a stage before the second
 * are refused. */
static void test_order(void **state)
{
	struct take once = { .level = 0 }, twice = { .another_pass = true };
	struct entry_hint hint = { .path = "./x", .size = 9 };
	struct shot none;
	struct entry_sink s;
	struct writer *w;

	(void)state;
	must(again_open(&once, &w, &oops));
	assert_int_equal(writer_next_pass(w, &oops), -1);
	writer_free(w);
	must(again_open(&twice, &w, &oops));
	must(again_send(w, &v, 0, &read_first, &oops));
	assert_int_equal(again_commit(w, &twice, false, &none, &oops), -1);
	must(writer_next_pass(w, &oops));
	assert_int_equal(writer_next_pass(w, &oops), -1);
	writer_free(w);
	must(again_open(&twice, &w, &oops));
	s = writer_sink(w);
	must(s.begin(s.ctx, &hint, &oops));
	must(s.body(s.ctx, 0, (const uint8_t *)"xyz", 3, &oops));
	assert_int_equal(writer_next_pass(w, &oops), -1);
	writer_free(w);
}

#define each(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_nothing_between), each(test_idle), each(test_pieces),
		each(test_random),	    each(test_dead), each(test_unknown_size),
		each(test_order),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
