/* T25: what is left of a damaged snapshot.  With one bit changed anywhere reading ends, the
 * error names the file, and all that does not lie where the bit was is salvaged; what is
 * given is what was written, never less of it. */
#include "hand_kit.h"
#include "mosaic_kit.h"

#include <time.h>

#include "base/report.h"
#include "base/wire.h"

static struct err oops;

/* Notes of reader_open_salvage. */
static char told[2000];
static void note(void *ctx, enum note_kind kind, const char *path, const char *text)
{
	(void)ctx;
	assert_int_equal(kind, NOTE_DAMAGED);
	assert_null(path);
	(void)snprintf(told, sizeof(told), "%s", text);
}
static const struct report report = { .note = note };

static void is_named(const char *name)
{
	assert_int_equal(oops.kind, ERR_DAMAGED);
	if (!strstr(oops.text, name))
		fail_msg("\"%s\" does not name %s", oops.text, name);
}

/* What came out of a snapshot. */
struct salvaged {
	uint64_t whole, lost_bodies, lost_entries, lost_bytes, gaps;
	char why[1200]; /* the last loss */
};

static bool body_is(struct reader *r, const struct fake *f)
{
	auto_free uint8_t *want = malloc(f->body + 1);
	uint64_t at = 0, sum = 0;
	const uint8_t *p;
	size_t n;
	int found;

	assert_non_null(want);
	kit_bytes(f, 2, 0, want, f->body);
	while ((found = reader_body_any(r, &at, &p, &n, &oops)) == 0) {
		assert_true(at <= f->body && n <= f->body - at);
		assert_memory_equal(p, want + at, n);
		sum += n;
	}
	assert_true(found == 1 || reader_goes_on(r, &oops));
	assert_true(found < 0 || sum == f->body);
	return found == 1;
}

/* Entry NO among F, gaps not counted. */
static const struct fake *entry_at(const struct fake *f, uint64_t no)
{
	while (f->header == 0 || no-- > 0)
		f++;
	return f;
}

static void take_entry(struct reader *r, const struct reader_entry *en,
		       const struct fake *f, struct salvaged *out)
{
	uint8_t want[512 * 4];

	assert_true(f->header * 512 <= sizeof(want));
	kit_bytes(f, 1, 0, want, f->header * 512);
	assert_int_equal(en->header_len, f->header * 512);
	assert_memory_equal(en->header, want, en->header_len);
	assert_int_equal(en->body_len, f->body);
	if (body_is(r, f)) {
		out->whole++;
	} else {
		out->lost_bodies++;
		memcpy(out->why, oops.text, sizeof(out->why));
	}
}

/* Salvage all of it.  -1: it does not open. */
static int salvage(const char *name, const struct fake *f, bool all, struct salvaged *out)
{
	struct reader_entry en;
	struct reader *r = NULL;
	int found;

	memset(out, 0, sizeof(*out));
	told[0] = '\0';
	if (reader_open_salvage(kit.store, &kit.d, name, &kit.reader_keys, &report, &r,
				&oops) < 0)
		return -1;
	if (all)
		reader_check_all(r);
	while ((found = reader_next(r, &en, &oops)) != 1) {
		assert_true(found == 0 || found == 2);
		if (found == 0) {
			take_entry(r, &en, entry_at(f, en.no), out);
			continue;
		}
		out->lost_entries += en.lost;
		out->lost_bytes += en.body_len;
		out->gaps += en.lost == 0;
		memcpy(out->why, oops.text, sizeof(out->why));
	}
	assert_int_equal(out->whole + out->lost_bodies + out->lost_entries,
			 reader_root(r)->totals.entries);
	reader_free(r);
	return 0;
}

/* Small entries: enough for two leaves of headers; incompressible. */
static struct fake *many(size_t n)
{
	struct fake *f = calloc(n + 1, sizeof(*f));

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		f[i] = (struct fake){ .header = 1 + i % 3,
				      .body = i * 397 % 900,
				      .seed = (uint32_t)i + 1 };
	f[n / 2].body = 700000;
	f[n / 3].header = 0; /* a gap */
	f[n / 3].body = 5;
	return f;
}

static uint64_t ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One bit of part NO of W, at AT. */
static void flip_one(const struct writer_result *w, uint32_t no, uint64_t at,
		     const struct fake *f, struct salvaged *s, bool *opened)
{
	char name[600], part[600];
	uint64_t begun = ms();

	kit_name(&w->archive, 0, name);
	kit_name(&w->archive, no, part);
	kit_flip(part, at);
	*opened = salvage(name, f, true, s) == 0;
	if (!*opened || s->why[0])
		assert_non_null(strstr(*opened ? s->why : oops.text, part));
	assert_true(ms() - begun < 20000);
	kit_flip(part, at);
}

/* T25: a bit in any segment costs the entries of one frame, or of one node, and no others;
 * in the copies of header and trailer nothing. */
static void test_flip_anywhere(void **state)
{
	enum { N = 5000 };
	auto_free struct fake *f = many(N);
	struct writer_result w = kit_write(1, NULL, f, N, 100);
	uint64_t nothing = 0, bodies = 0, entries = 0, worst = 0;
	struct salvaged s;
	char name[600];
	bool opened;

	(void)state;
	kit_name(&w.archive, 1, name);
	for (uint64_t at = 100; at < kit_size(name); at += 5 * 16384 + 977) {
		flip_one(&w, 1, at, f, &s, &opened);
		assert_true(opened);
		nothing += s.whole == N - 1;
		bodies += s.lost_bodies > 0;
		entries += s.lost_entries > 0;
		worst = s.lost_entries > worst ? s.lost_entries : worst;
	}
	assert_true(bodies > 3 && entries > 3 && nothing > 0);
	assert_in_range(worst, 100, 1200);
}

/* An archive whose leaves of the head tree lie apart from all else. */
struct apart {
	struct hand x;
	size_t n;
	uint64_t leaves[16];
};

static int store_apart(void *ctx, const uint8_t *plain, size_t n, struct tree_ref *ref,
		       struct err *e)
{
	static uint8_t space[40000];
	struct apart *a = ctx;
	struct hand_frame f;

	crypto_random(space, sizeof(space));
	hand_frame(&a->x, RECORD_BODY, space, sizeof(space), sizeof(space), &f);
	if (hand_node(&a->x, plain, n, ref, e) < 0)
		return -1;
	if (plain[1] == 0)
		a->leaves[a->n++] = ref->at.offset;
	hand_frame(&a->x, RECORD_BODY, space, sizeof(space), sizeof(space), &f);
	return 0;
}

/* 20 times the same half MiB of headers, two entries each: three leaves. */
static struct archive_id make_apart(struct apart *a)
{
	struct craft c = { .seq = 1, .entries = 40 };
	auto_free uint8_t *group = malloc(524288);
	struct tree_ref tops[2] = { { .level = TREE_LEVEL_NONE },
				    { .level = TREE_LEVEL_NONE } };
	struct tree_builder *b;
	struct hand_frame f;
	struct extent x;
	size_t n = 0;

	assert_non_null(group);
	for (int i = 0; i < 2; i++) {
		n += wire_varint(group + n, 261120);
		n += wire_varint(group + n, 0);
		memset(group + n, 'h', 261120);
		n += 261120;
	}
	hand_open(&a->x, &c);
	hand_frame(&a->x, RECORD_HEAD, group, n, n, &f);
	x = hand_extent(&f, 0, 1);
	x.entries = 2;
	b = tree_builder_new(TREE_HEAD, store_apart, a, &oops);
	assert_non_null(b);
	for (int i = 0; i < 20; i++) {
		must(tree_builder_add(b, &x, &oops));
		if (i % 8 == 7)
			must(tree_builder_cut(b, &oops));
	}
	must(tree_builder_finish(b, &tops[0], &oops));
	tree_builder_free(b);
	return hand_close(&a->x, tops);
}

/* A node that is lost costs what lies below it, and what comes behind has its right number;
 * without salvaging the list ends there. */
static void test_lost_nodes(void **state)
{
	struct apart a = { .n = 0 };
	struct archive_id id = make_apart(&a);
	struct reader_entry en;
	char name[600];

	(void)state;
	kit_name(&id, 0, name);
	assert_true(a.n >= 2);
	for (size_t i = 0; i < a.n; i++) {
		uint64_t at = 4096 + a.leaves[i] / SEGMENT_PAYLOAD * SEGMENT_LEN,
			 given = 0, lost = 0;
		struct reader *r = NULL;
		int found;

		kit_flip(name, at);
		must(reader_open_salvage(kit.store, &kit.d, name, &kit.reader_keys,
					 &report, &r, &oops));
		while ((found = reader_next(r, &en, &oops)) != 1) {
			assert_true(found == 0 || found == 2);
			assert_int_equal(en.no, given + lost);
			given += found == 0;
			lost += found == 2 ? en.lost : 0;
		}
		assert_int_equal(given + lost, 40);
		assert_true(lost > 0 && lost <= 18);
		reader_free(r);
		r = kit_open(name);
		while ((found = reader_next(r, &en, &oops)) == 0)
			continue;
		assert_int_equal(found, -1);
		assert_int_equal(reader_next(r, &en, &oops), -1);
		reader_free(r);
		kit_flip(name, at);
	}
}

/* 24 bodies of half a MiB, each a frame of its own byte. */
static struct archive_id make_bodies(struct apart *a)
{
	static uint8_t group[24 * 600], room[524288];
	struct craft c = { .seq = 1, .entries = 24 };
	struct tree_builder *b = tree_builder_new(TREE_BODY, store_apart, a, &oops);
	struct tree_ref tops[2];
	struct hand_frame f;
	struct extent x;
	size_t n = 0;

	assert_non_null(b);
	hand_open(&a->x, &c);
	for (int i = 0; i < 24; i++) {
		memset(room, 'a' + i, sizeof(room));
		hand_frame(&a->x, RECORD_BODY, room, sizeof(room), sizeof(room), &f);
		x = hand_extent(&f, 0, 1);
		must(tree_builder_add(b, &x, &oops));
		if (i % 8 == 7)
			must(tree_builder_cut(b, &oops));
		n += wire_varint(group + n, 512);
		n += wire_varint(group + n, sizeof(room));
		memset(group + n, 'h', 512);
		n += 512;
	}
	must(tree_builder_finish(b, &tops[1], &oops));
	tree_builder_free(b);
	hand_frame(&a->x, RECORD_HEAD, group, n, n, &f);
	x = hand_extent(&f, 0, 1);
	x.entries = 24;
	x.body = 24 * sizeof(room);
	tops[0] = hand_tree(&a->x, TREE_HEAD, &x, 1);
	return hand_close(&a->x, tops);
}

/* A lost node of the body tree costs the bodies below it.  Those behind it are never given
 * in their place, although the tree is read ahead. */
static void test_lost_body_nodes(void **state)
{
	struct apart a = { .n = 0 };
	struct archive_id id = make_bodies(&a);
	char name[600];

	(void)state;
	kit_name(&id, 0, name);
	assert_true(a.n >= 3);
	for (size_t i = 0; i < a.n; i++) {
		uint64_t at = 4096 + a.leaves[i] / SEGMENT_PAYLOAD * SEGMENT_LEN, lost = 0;
		struct reader_entry en;
		struct reader *r = NULL;
		const uint8_t *p;
		int found, more;
		size_t n;

		kit_flip(name, at);
		must(reader_open_salvage(kit.store, &kit.d, name, &kit.reader_keys,
					 &report, &r, &oops));
		while ((more = reader_next(r, &en, &oops)) == 0) {
			while ((found = reader_body(r, &p, &n, &oops)) == 0)
				for (size_t k = 0; k < n; k += 4096)
					assert_int_equal(p[k], 'a' + en.no);
			lost += found < 0;
		}
		assert_int_equal(more, 1);
		assert_in_range(lost, 1, 9);
		reader_free(r);
		kit_flip(name, at);
	}
}

/* Without ROOT, or the top of the list, there is nothing: that is said, once. */
static void test_lost_top(void **state)
{
	static const struct fake f[] = { { 1, 300000, 1 }, { 1, 300, 2 } };
	struct writer_result w = kit_write(1, NULL, f, 2, 0);
	struct salvaged s;
	char name[600];
	uint64_t root = 0;
	struct reader *r;

	(void)state;
	kit_name(&w.archive, 0, name);
	r = kit_open(name);
	root = reader_trailer(r)->root_offset / SEGMENT_PAYLOAD;
	reader_free(r);
	kit_flip(name, 4096 + root * SEGMENT_LEN);
	assert_int_equal(salvage(name, f, true, &s), -1);
	is_named(name);
}

/* A part that is gone, cut, or another one costs what lies in it; the last part must be
 * there.  Without salvaging nothing is given. */
static void test_parts(void **state)
{
	enum { N = 3000 };
	auto_free struct fake *f = many(N);
	struct writer_result w = kit_write(1, NULL, f, N, 100);
	struct reader *r = NULL;
	struct salvaged s;
	char name[600], part[600];

	(void)state;
	kit_name(&w.archive, 0, name);
	kit_name(&w.archive, 2, part);
	kit_copy(part, "r/kept");
	kit_remove(part);
	assert_int_equal(salvage(name, f, false, &s), 0);
	assert_non_null(strstr(told, "part 2 is missing"));
	assert_true(s.whole > 500 && s.lost_bodies + s.lost_entries > 100);
	assert_int_equal(
		reader_open(kit.store, &kit.d, name, &kit.reader_keys, &r, &oops), -1);
	kit_copy("r/kept", part);
	kit_truncate(part, kit_size(part) - 1);
	assert_int_equal(salvage(name, f, false, &s), 0);
	assert_non_null(strstr(told, part));
	assert_true(s.whole > 500);
	kit_copy("r/kept", part);
	kit_name(&w.archive, 1, part);
	kit_copy("r/kept", part);
	assert_int_equal(salvage(name, f, false, &s), 0);
	assert_non_null(strstr(told, part));
	assert_true(s.whole > 500);
	kit_remove(name);
	assert_int_equal(salvage(name, f, false, &s), -1);
}

/* Damage in bytes of no entry is told of with check_all, and costs no entry. */
static void test_gap(void **state)
{
	static const struct fake f[] = {
		{ 1, 600000, 1 }, { 0, 2000000, 2 }, { 1, 600000, 3 }, { 1, 0, 4 }
	};
	struct writer_result w = kit_write(1, NULL, f, 4, 0);
	struct salvaged s;
	char name[600];

	(void)state;
	kit_name(&w.archive, 0, name);
	kit_flip(name, 4096 + 1600000);
	assert_int_equal(salvage(name, f, false, &s), 0);
	assert_int_equal(s.whole, 3);
	assert_int_equal(s.gaps, 0);
	assert_int_equal(salvage(name, f, true, &s), 0);
	assert_int_equal(s.whole, 3);
	assert_int_equal(s.gaps, 1);
}

/* ---- dependencies ---- */

#define FILES 40
#define FILE_PAGES 10

static bool tenth(size_t page, uint64_t seq) { return page % 10 == seq; }
static bool in_first_files(size_t page, uint64_t seq)
{
	return page < FILE_PAGES * 4 && tenth(page, seq);
}

/* Forty files of ten pages each. */
static void files(struct mosaic *m)
{
	static uint8_t group[FILES * 600];
	size_t n = 0;

	for (int i = 0; i < FILES; i++) {
		n += wire_varint(group + n, 512);
		n += wire_varint(group + n, FILE_PAGES * MOSAIC_PAGE);
		memset(group + n, 'h', 512);
		n += 512;
	}
	*m = (struct mosaic){ .group = group, .group_len = n, .entries = FILES };
	mosaic_first(m, FILES * FILE_PAGES);
}

/* Which files of the newest snapshot come whole; all of these must be right. */
static uint64_t whole_files(const struct mosaic *m, const struct reader_keys *keys)
{
	struct reader_entry en;
	struct reader *r = NULL;
	uint64_t at, whole = 0;
	const uint8_t *p;
	char name[600];
	int found;
	size_t n;

	kit_name(&m->made[m->seq], 0, name);
	if (reader_open_salvage(kit.store, &kit.d, name, keys, &report, &r, &oops) < 0)
		fail_msg("%s", oops.text);
	while (reader_next(r, &en, &oops) == 0) {
		while ((found = reader_body_any(r, &at, &p, &n, &oops)) == 0)
			assert_true(mosaic_equals(m, en.body_at + at, p, n));
		if (found == 1)
			whole |= (uint64_t)1 << en.no;
		else
			assert_true(reader_goes_on(r, &oops));
	}
	reader_free(r);
	return whole;
}

/* A snapshot on which it rests is missing, or damaged in one place: the files that have
 * content there are lost, the others are whole. */
static void test_dependency(void **state)
{
	const uint64_t all = ((uint64_t)1 << FILES) - 1;
	struct reader *r = NULL;
	struct mosaic m;
	char name[600], newest[600];

	(void)state;
	files(&m);
	mosaic_next(&m, in_first_files);
	mosaic_next(&m, in_first_files);
	mosaic_next(&m, tenth);
	assert_int_equal(whole_files(&m, &kit.reader_keys), all);
	kit_name(&m.made[2], 0, name);
	kit_name(&m.made[4], 0, newest);
	kit_copy(name, "r/kept");
	kit_flip(name, 4096 + 100);
	assert_int_equal(whole_files(&m, &kit.reader_keys), all & ~(uint64_t)0xf);
	kit_remove(name);
	assert_int_equal(whole_files(&m, &kit.reader_keys), all & ~(uint64_t)0xf);
	assert_non_null(strstr(told, "snapshot 2"));
	assert_int_equal(
		reader_open(kit.store, &kit.d, newest, &kit.reader_keys, &r, &oops), -1);
	kit_copy("r/kept", name);
	assert_int_equal(whole_files(&m, &kit.reader_keys), all);
	mosaic_free(&m);
}

#define each(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_flip_anywhere), each(test_lost_nodes), each(test_lost_body_nodes), each(test_lost_top), each(test_parts),
		each(test_gap),		  each(test_dependency),
	};

	return cmocka_run_group_tests_name("salvage", tests, NULL, NULL);
}
