/* Bodies whose extents lie all over older archives: they come back whole in any order, and
 * each frame is decoded once. */
#include "hand_kit.h"
#include "mosaic_kit.h"

#include <sched.h>

#include "archive/archive_parts.h"
#include "archive/body_source.h"
#include "archive/body_window.h"
#include "archive/frame_source.h"
#include "base/report.h"
#include "base/wire.h"

static struct err oops;

static bool every_third(size_t page, uint64_t seq) { return page % 3 == seq % 3; }
static bool scattered(size_t page, uint64_t seq)
{
	return (page * 2654435761u + seq * 40503u) % 97 < 9;
}
static bool none(size_t page, uint64_t seq)
{
	(void)page;
	(void)seq;
	return false;
}

/* The newest snapshot's parts and frames, as a reader has them. */
struct opened {
	struct archive_parts parts;
	struct frame_source frames;
	struct body_source body;
	struct body_window window;
};

/* Body tree's top: by way of ROOT. */
static void open_body(struct opened *o, const struct mosaic *m)
{
	char name[600];
	struct reader *r;

	memset(o, 0, sizeof(*o));
	kit_name(&m->made[m->seq], 0, name);
	r = kit_open(name);
	must(archive_parts_open(&o->parts, kit.store, &kit.d, name, &kit.reader_keys,
				NULL, &oops));
	must(frame_source_open(&o->frames, &o->parts, kit.keys->id, &oops));
	must(body_source_open(&o->body, &o->frames, &reader_root(r)->body, &oops));
	reader_free(r);
}

static void close_body(struct opened *o)
{
	body_window_free(&o->window);
	body_source_close(&o->body);
	frame_source_close(&o->frames);
	archive_parts_close(&o->parts);
}

/* Read LEN bytes from AT on through the window: each byte once, each what was written. */
static void read_window(struct opened *o, const struct mosaic *m, uint64_t at, uint64_t len)
{
	auto_free uint8_t *seen = calloc(len + 1, 1);
	const uint8_t *p;
	uint64_t where, sum = 0;
	size_t n;
	int found;

	assert_non_null(seen);
	body_window_begin(&o->window, &o->body, at, len);
	while ((found = body_window_next(&o->window, &where, &p, &n, &oops)) == 0) {
		assert_true(n > 0 && where >= at && where - at <= len - n);
		assert_true(mosaic_equals(m, where, p, n));
		for (size_t i = 0; i < n; i++)
			assert_int_equal(seen[where - at + i]++, 0);
		sum += n;
	}
	if (found < 0)
		fail_msg("%s", oops.text);
	assert_int_equal(sum, len);
}

static uint64_t frames_of(const struct mosaic *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		bool first = true;

		for (size_t k = 0; first && k < i; k++)
			first = m->pages[k].at.seq != m->pages[i].at.seq ||
				m->pages[k].at.offset != m->pages[i].at.offset;
		n += first;
	}
	return n;
}

/* However scattered: every frame is decoded once, but for those before the first step back. */
static void test_each_frame_once(void **state)
{
	struct mosaic m = { .n = 0 };
	struct opened o;

	(void)state;
	mosaic_first(&m, 600);
	for (int i = 0; i < 12; i++)
		mosaic_next(&m, i % 2 ? every_third : scattered);
	assert_true(m.n_extents > 400);
	open_body(&o, &m);
	read_window(&o, &m, 0, 600 * MOSAIC_PAGE);
	assert_in_range(o.frames.decoded, frames_of(&m), frames_of(&m) + 8);
	close_body(&o);
	mosaic_free(&m);
}

/* What lies in one piece is given as it comes, and nothing is collected. */
static void test_in_order(void **state)
{
	struct mosaic m = { .n = 0 };
	struct opened o;

	(void)state;
	mosaic_first(&m, 100);
	mosaic_next(&m, none);
	open_body(&o, &m);
	read_window(&o, &m, 0, 100 * MOSAIC_PAGE);
	assert_null(o.window.items);
	assert_int_equal(o.frames.decoded, 13);
	close_body(&o);
	mosaic_free(&m);
}

/* A body may begin and end within an extent, and have any length. */
static void test_cuts(void **state)
{
	struct mosaic m = { .n = 0 };
	struct opened o;

	(void)state;
	mosaic_first(&m, 60);
	for (int i = 0; i < 5; i++)
		mosaic_next(&m, scattered);
	open_body(&o, &m);
	for (uint64_t at = 0; at < 200000; at += 7919 + at / 3)
		for (uint64_t len = 0; len < 700000; len = len * 3 + 1)
			read_window(&o, &m, at, len);
	read_window(&o, &m, 59 * MOSAIC_PAGE + 1, MOSAIC_PAGE - 1);
	close_body(&o);
	mosaic_free(&m);
}

/* A damaged frame fails the body that it belongs to, again and again, and no other. */
static void test_damage(void **state)
{
	struct mosaic m = { .n = 0 };
	struct opened o;
	const uint8_t *p;
	uint64_t at;
	char name[600];
	int found;
	size_t n;

	(void)state;
	mosaic_first(&m, 400);
	for (int i = 0; i < 4; i++)
		mosaic_next(&m, every_third);
	kit_name(&m.made[5], 0, name);
	kit_flip(name, 4096 + 8 * 16384);
	open_body(&o, &m);
	body_window_begin(&o.window, &o.body, 0, 400 * MOSAIC_PAGE);
	while ((found = body_window_next(&o.window, &at, &p, &n, &oops)) == 0)
		assert_true(mosaic_equals(&m, at, p, n));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(found, -1);
		assert_non_null(strstr(oops.text, "segment 8"));
		found = body_window_next(&o.window, &at, &p, &n, &oops);
	}
	read_window(&o, &m, 0, MOSAIC_PAGE);
	read_window(&o, &m, 390 * MOSAIC_PAGE, 10 * MOSAIC_PAGE);
	close_body(&o);
	mosaic_free(&m);
}

/* The reader gives the same bytes in order and in any order, with and without check_all. */
static void test_reader(void **state)
{
	struct mosaic m = { .n = 0 };
	struct reader_entry en;
	const uint8_t *p;
	uint64_t at, sum;
	char name[600];
	struct reader *r;
	size_t n;

	(void)state;
	mosaic_first(&m, 200);
	for (int i = 0; i < 9; i++)
		mosaic_next(&m, scattered);
	kit_name(&m.made[10], 0, name);
	r = kit_open(name);
	for (int turn = 0; turn < 4; turn++) {
		assert_int_equal(reader_rewind(r, &oops), 0);
		if (turn == 2)
			reader_check_all(r);
		assert_int_equal(reader_next(r, &en, &oops), 0);
		assert_int_equal(en.body_len, 200 * MOSAIC_PAGE);
		for (at = sum = 0; (turn % 2 ? reader_body_any(r, &at, &p, &n, &oops)
					     : reader_body(r, &p, &n, &oops)) == 0;
		     sum += n) {
			at = turn % 2 ? at : sum;
			assert_true(mosaic_equals(&m, at, p, n));
		}
		assert_int_equal(sum, en.body_len);
		assert_int_equal(reader_next(r, &en, &oops), 1);
	}
	reader_free(r);
	mosaic_free(&m);
}

/* In order, the frames used last are at hand: a file of which every third page changed is
 * not decoded once for each of its pages. */
static void test_in_turns(void **state)
{
	struct mosaic m = { .n = 0 };
	struct opened o;
	const uint8_t *p;
	size_t n;

	(void)state;
	mosaic_first(&m, 300);
	mosaic_next(&m, every_third);
	mosaic_next(&m, every_third);
	open_body(&o, &m);
	for (uint64_t at = 0; at < 300 * MOSAIC_PAGE; at += n) {
		must(body_source_get(&o.body, at, &p, &n, &oops));
		assert_true(mosaic_equals(&m, at, p, n));
	}
	assert_int_equal(o.frames.decoded, frames_of(&m));
	close_body(&o);
	mosaic_free(&m);
}

/* Three bodies of four frames; the sixth frame is not what its id says. */
static struct archive_id make_lying(void)
{
	static uint8_t group[3 * 600], room[65536];
	struct craft c = { .seq = 1, .entries = 3 };
	struct extent xs[12], head;
	struct hand_frame f;
	struct tree_ref tops[2];
	struct hand x;
	size_t n = 0;

	hand_open(&x, &c);
	for (int i = 0; i < 12; i++) {
		memset(room, 'a' + i, sizeof(room));
		x.bad_id = i == 5;
		hand_frame(&x, RECORD_BODY, room, sizeof(room), 16384, &f);
		xs[i] = hand_extent(&f, 0, 4);
	}
	for (int i = 0; i < 3; i++) {
		n += wire_varint(group + n, 512);
		n += wire_varint(group + n, 4 * sizeof(room));
		memset(group + n, 'h', 512);
		n += 512;
	}
	hand_frame(&x, RECORD_HEAD, group, n, n, &f);
	head = hand_extent(&f, 0, 1);
	head.entries = 3;
	head.body = 12 * sizeof(room);
	tops[0] = hand_tree(&x, TREE_HEAD, &head, 1);
	tops[1] = hand_tree(&x, TREE_BODY, xs, 12);
	return hand_close(&x, tops);
}

/* A frame that was begun ahead and does not unpack fails when its turn comes, not before,
 * with its name; the body behind it is right. */
static void test_lie_ahead(void **state)
{
	static const struct report nobody = { .note = NULL };
	struct archive_id id = make_lying();
	struct reader_entry en;
	struct reader *r = NULL;
	const uint8_t *p;
	uint64_t at, sum;
	char name[600];
	size_t n;
	int found;

	(void)state;
	kit_name(&id, 0, name);
	must(reader_open_salvage(kit.store, &kit.d, name, &kit.reader_keys, &nobody, &r,
				 &oops));
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(reader_next(r, &en, &oops), 0);
		for (sum = 0; (found = reader_body_any(r, &at, &p, &n, &oops)) == 0; sum += n)
			for (size_t k = 0; k < n; k += 4096)
				assert_int_equal(p[k], 'a' + (en.body_at + at) / 65536);
		assert_int_equal(found, i == 1 ? -1 : 1);
		assert_int_equal(sum, i == 1 ? 65536 : 4 * 65536);
		if (i != 1)
			continue;
		assert_non_null(strstr(oops.text, "not what its id says"));
		assert_non_null(strstr(oops.text, name));
	}
	assert_int_equal(reader_next(r, &en, &oops), 1);
	reader_free(r);
}

/* With one CPU nothing is done ahead, and all comes back the same. */
static void test_one_cpu(void **state)
{
	struct mosaic m = { .n = 0 };
	cpu_set_t before, one;
	struct opened o;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &before))
			CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	mosaic_first(&m, 100);
	mosaic_next(&m, every_third);
	open_body(&o, &m);
	read_window(&o, &m, 0, 100 * MOSAIC_PAGE);
	assert_null(o.frames.worker);
	close_body(&o);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	open_body(&o, &m);
	read_window(&o, &m, 0, 100 * MOSAIC_PAGE);
	assert_true(o.frames.worker || CPU_COUNT(&before) == 1);
	close_body(&o);
	mosaic_free(&m);
}

/* Readers that are left in the middle, with frames begun, close. */
static void test_left(void **state)
{
	struct mosaic m = { .n = 0 };
	const uint8_t *p;
	uint64_t at;
	size_t n;

	(void)state;
	mosaic_first(&m, 200);
	mosaic_next(&m, every_third);
	for (int steps = 0; steps < 40; steps++) {
		struct opened o;

		open_body(&o, &m);
		body_window_begin(&o.window, &o.body, 0, 200 * MOSAIC_PAGE);
		for (int i = 0; i < steps; i++)
			assert_int_equal(body_window_next(&o.window, &at, &p, &n, &oops), 0);
		body_window_begin(&o.window, &o.body, 150 * MOSAIC_PAGE, MOSAIC_PAGE);
		assert_int_equal(body_window_next(&o.window, &at, &p, &n, &oops), 0);
		assert_true(mosaic_equals(&m, at, p, n));
		close_body(&o);
	}
	mosaic_free(&m);
}

#define each(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_each_frame_once), each(test_in_order), each(test_cuts),
		each(test_damage),	    each(test_reader),	 each(test_in_turns),
		each(test_lie_ahead),	    each(test_one_cpu),	 each(test_left),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
