/* The line of a stream's chunks against a plain list: chunks of frames that are not written yet, of the tip
 * and of this run, in any mixture, come out as extents that join to the stream, and as the next chunk
 * list. */
#include "archive_kit.h"
#include "archive/cache_chunks.h"
#include "archive/frame.h"
#include "archive/line.h"
#include "archive/usage.h"
#include "base/wire.h"
#include "dice.h"

static struct err oops;

#define OLD 30000
#define MOST 200000
#define OWN 7

static struct chunk old[OLD], *model; /* the tip's; what the stream must become */
static size_t n_model;

/* ---- nodes in memory ---- */

static struct {
	struct bytes nodes[20000];
	uint32_t n;
	size_t leaf_ends[20000], n_leaves; /* extents up to the end of each leaf */
} disk;

static int store(void *ctx, const uint8_t *plain, size_t n, struct tree_ref *ref, struct err *e)
{
	struct cursor c = cursor_make(plain + 2, n - 2);
	size_t before = disk.n_leaves ? disk.leaf_ends[disk.n_leaves - 1] : 0;

	(void)ctx;
	assert_true(disk.n < 20000);
	if (plain[1] == 0)
		disk.leaf_ends[disk.n_leaves++] = before + (size_t)cursor_varint(&c);
	ref->at = (struct record_place){ .seq = OWN, .part = 1, .offset = disk.n };
	memset(ref->id, 1, sizeof(ref->id));
	return bytes_append(&disk.nodes[disk.n++], plain, n, e);
}

static int load(void *ctx, const struct tree_ref *ref, struct bytes *out, struct err *e)
{
	const struct bytes *b = &disk.nodes[ref->at.offset];

	(void)ctx;
	return bytes_append(out, b->p, b->len, e);
}

/* ---- a line with all that it needs ---- */

static struct {
	struct line *line;
	struct chunks_reader *reader;
	struct chunks_writer *writer;
	struct tree_builder *tree;
	struct usage usage;
	struct cache_segs segs;
} x;

/* Frames under way, oldest first. */
static struct {
	struct frame *f[5];
	struct chunk_place place[5];
	size_t n;
	uint64_t made;
} flight;

static struct chunk make_old(enum tree_stream stream, size_t i)
{
	static struct chunk_place place;
	static uint32_t offset;
	struct chunk c = { .length = (uint32_t)dice_below(3000) + 1 };

	if (i == 0 || dice_below(20) == 0 || offset + c.length > FRAME_CONTENT) {
		place = (struct chunk_place){ .at = { 1 + dice_below(5), 1, dice_below(1u << 30) },
					      .clen = 1000,
					      .content = 2000 };
		offset = 0;
	}
	c.in = place;
	c.offset = offset;
	offset += c.length + (dice_below(10) == 0);
	dice_bytes(c.fingerprint, FINGERPRINT_LEN);
	if (stream == TREE_HEAD) {
		c.entries = (uint32_t)dice_below(64);
		c.body = dice_below(100000);
	}
	return c;
}

static void line_setup(enum tree_stream stream)
{
	enum cache_kind kind = stream == TREE_HEAD ? CACHE_HEAD : CACHE_BODY;
	struct cache_dep deps[5] = { { .level = 0 } };
	struct line_options o = { .stream = stream,
				  .id_key = kit.keys->id,
				  .usage = &x.usage,
				  .cache = &kit.cache };
	struct chunks_writer *w;

	for (uint64_t i = 0; i < 5; i++)
		deps[i].archive.seq = i + 1;
	must(usage_open(&x.usage, OWN, deps, 5, NULL, 0, &oops));
	must(chunks_writer_new(&kit.cache, kind, &w, &oops));
	for (size_t i = 0; i < OLD; i++) {
		old[i] = make_old(stream, i);
		must(chunks_writer_add(w, &old[i], &oops));
	}
	must(chunks_writer_finish(w, &x.segs, &oops));
	chunks_writer_free(w);
	must(chunks_reader_new(&kit.cache, kind, &x.segs, 2, &x.reader, &oops));
	must(chunks_writer_new(&kit.cache, kind, &x.writer, &oops));
	x.tree = tree_builder_new(stream, store, NULL, &oops);
	assert_non_null(x.tree);
	o.tree = x.tree;
	o.old = x.reader;
	o.out = x.writer;
	must(line_new(&o, &x.line, &oops));
	model = calloc(MOST, sizeof(*model));
	assert_non_null(model);
	n_model = 0;
	flight.n = 0;
}

static void line_teardown(void)
{
	line_free(x.line);
	tree_builder_free(x.tree);
	chunks_reader_free(x.reader);
	chunks_writer_free(x.writer);
	usage_close(&x.usage);
	free(x.segs.list);
	memset(&x, 0, sizeof(x));
	free(model);
	while (flight.n > 0)
		frame_free(flight.f[--flight.n]);
	while (disk.n > 0)
		bytes_free(&disk.nodes[--disk.n]);
	disk.n_leaves = 0;
}

/* ---- what comes ---- */

static void write_oldest(void)
{
	must(line_written(x.line, flight.f[0], &flight.place[0], &oops));
	frame_free(flight.f[0]);
	flight.n--;
	memmove(&flight.f[0], &flight.f[1], flight.n * sizeof(flight.f[0]));
	memmove(&flight.place[0], &flight.place[1], flight.n * sizeof(flight.place[0]));
}

static void make_room(void)
{
	while (line_full(x.line))
		write_oldest();
}

static void frame_begin(void)
{
	struct frame *f;

	if (flight.n == 5)
		write_oldest();
	f = frame_new(&oops);
	assert_non_null(f);
	frame_reset(f, RECORD_BODY, FRAME_CONTENT);
	flight.place[flight.n] = (struct chunk_place){
		.at = { OWN, 1, ++flight.made * 1000 }, .clen = 500, .content = FRAME_CONTENT
	};
	flight.f[flight.n++] = f;
}

/* The next chunk of the newest frame, which it is known to be before the frame is written. */
static void from_frame(enum tree_stream stream)
{
	struct frame *f;
	struct chunk c = { .length = (uint32_t)dice_below(2000) + 1 };

	if (flight.n == 0 || flight.f[flight.n - 1]->n_chunks > 200 || dice_below(150) == 0)
		frame_begin();
	f = flight.f[flight.n - 1];
	c.in = flight.place[flight.n - 1];
	c.offset = (uint32_t)f->used;
	f->used += c.length;
	frame_end_chunk(f, NULL);
	dice_bytes(c.fingerprint, FINGERPRINT_LEN);
	memcpy(f->fingerprints[f->n_chunks - 1], c.fingerprint, FINGERPRINT_LEN);
	if (stream == TREE_HEAD) {
		c.entries = (uint32_t)dice_below(64);
		c.body = dice_below(100000);
	}
	line_frame(x.line, f, f->n_chunks - 1, c.entries, c.body);
	model[n_model++] = c;
}

static void from_list(enum chunk_source source, size_t first, size_t n)
{
	must(line_known(x.line, source, first, n, &oops));
	for (size_t i = first; i < first + n; i++)
		model[n_model++] = source == CHUNK_OLD ? old[i] : model[i];
}

static void step(enum tree_stream stream, size_t run)
{
	static size_t next_old;
	size_t n, first;

	make_room();
	switch (dice_below(5)) {
	case 0:
		n = dice_below(run);
		first = dice_below(OLD - n);
		from_list(CHUNK_OLD, first, n);
		next_old = first + n;
		break;
	case 1: /* where the run before ended */
		n = dice_below(run);
		if (next_old + n <= OLD)
			from_list(CHUNK_OLD, next_old, n);
		next_old += n;
		break;
	case 2: /* what is under way, too */
		n = n_model < run ? n_model : dice_below(run);
		from_list(CHUNK_NEW, dice_below(n_model - n + 1), n);
		break;
	default:
		for (n = dice_below(run); n > 0; n--) {
			make_room();
			from_frame(stream);
		}
	}
	assert_int_equal(line_count(x.line), n_model);
	if (dice_below(20) == 0 && flight.n > 1)
		write_oldest();
}

/* ---- what must come out ---- */

static bool is_leaf_end(size_t extents)
{
	for (size_t i = 0; i < disk.n_leaves; i++)
		if (disk.leaf_ends[i] == extents)
			return true;
	return false;
}

/* One extent, which begins with chunk AT; returns the chunk behind it. */
static size_t expect_extent(const struct extent *e, size_t at)
{
	static uint8_t prints[MOST * FINGERPRINT_LEN];
	uint64_t length = 0, entries = 0, body = 0;
	size_t n = 0;
	uint8_t check[8];

	assert_true(chunk_same_place(&e->at, &model[at].in.at));
	assert_int_equal(e->offset, model[at].offset);
	for (; length < e->length; at++, n++) {
		assert_true(at < n_model);
		assert_true(chunk_same_place(&e->at, &model[at].in.at));
		assert_int_equal(model[at].offset, e->offset + length);
		length += model[at].length;
		entries += model[at].entries;
		body += model[at].body;
		memcpy(prints + n * FINGERPRINT_LEN, model[at].fingerprint, FINGERPRINT_LEN);
	}
	assert_int_equal(e->length, length);
	assert_int_equal(e->entries, entries);
	assert_int_equal(e->body, body);
	frame_check(kit.keys->id, prints, n, check);
	assert_memory_equal(e->check, check, 8);
	return at;
}

static bool neighbours(const struct chunk *a, const struct chunk *b)
{
	return chunk_same_place(&a->in.at, &b->in.at) && a->offset + a->length == b->offset;
}

static void expect_stream(enum tree_stream stream, const struct tree_ref *top)
{
	struct tree_walker *w = tree_walker_new(stream, top, load, NULL, &oops);
	size_t at = 0, extents = 0, leaf = 0, mean = stream == TREE_HEAD ? 64 : 256;
	struct extent e;

	assert_non_null(w);
	while (at < n_model) {
		must(tree_walker_next(w, &e, &oops));
		if (at > 0 && neighbours(&model[at - 1], &model[at]))
			assert_true(is_leaf_end(extents)); /* else they are one */
		if (at > 0 && is_leaf_end(extents)) {
			assert_in_range(at - leaf, mean / 4, mean * 4);
			leaf = at;
		}
		at = expect_extent(&e, at);
		extents++;
	}
	assert_int_equal(tree_walker_next(w, &e, &oops), 1);
	tree_walker_free(w);
}

static void expect_list(void)
{
	struct chunk c;

	for (size_t i = 0; i < n_model; i++) {
		must(line_chunk(x.line, CHUNK_NEW, i, &c, &oops));
		assert_memory_equal(c.fingerprint, model[i].fingerprint, FINGERPRINT_LEN);
		assert_true(chunk_same_place(&c.in.at, &model[i].in.at));
		assert_true(c.offset == model[i].offset && c.length == model[i].length);
		assert_true(c.entries == model[i].entries && c.body == model[i].body);
	}
}

static void finish(enum tree_stream stream)
{
	struct tree_ref top;

	while (flight.n > 0)
		write_oldest();
	assert_false(line_has(x.line, n_model));
	assert_true(n_model == 0 || line_has(x.line, n_model - 1));
	must(line_finish(x.line, &oops));
	must(tree_builder_finish(x.tree, &top, &oops));
	expect_list();
	if (n_model > 0)
		expect_stream(stream, &top);
}

/* ---- cases ---- */

/* Any mixture of runs, long and short, in both streams: the extents joined are the stream, each with the
 * check of its chunks; neighbours are one unless a leaf ends between them, and leaves are neither small nor
 * large; the chunk list is the stream's. */
static void test_mixture(void **state)
{
	(void)state;
	for (int s = TREE_BODY; s <= TREE_HEAD; s++)
		for (size_t run = 2; run <= 2000; run *= 10) {
			line_setup((enum tree_stream)s);
			from_frame((enum tree_stream)s);
			for (size_t i = 0; i < 3000 && n_model < MOST - 2 * run; i++)
				step((enum tree_stream)s, run);
			finish((enum tree_stream)s);
			line_teardown();
		}
}

/* A line that is full behind one frame that is not written takes what comes next nevertheless, and gives all
 * of it away when the frame is written; a run of known chunks, however long, takes one place. */
static void test_full(void **state)
{
	size_t runs = 1;

	(void)state;
	line_setup(TREE_BODY);
	from_frame(TREE_BODY);
	from_list(CHUNK_OLD, 1, OLD - 1);
	assert_false(line_full(x.line));
	for (; !line_full(x.line); runs++)
		from_list(CHUNK_OLD, dice_below(OLD / 2) * 2, 1);
	assert_in_range(runs, 2000, 4096); /* some happen to be one with the one before */
	for (unsigned i = 0; i < 4; i++)
		from_list(CHUNK_OLD, i * 2, 1);
	assert_false(line_has(x.line, 0));
	assert_int_equal(flight.n, 1);
	finish(TREE_BODY);
	line_teardown();
}

/* A stream of nothing is an empty tree. */
static void test_empty(void **state)
{
	(void)state;
	line_setup(TREE_BODY);
	from_list(CHUNK_OLD, 5, 0);
	finish(TREE_BODY);
	assert_int_equal(disk.n, 0);
	line_teardown();
}

/* A chunk of the tip that lies in an archive that is not the tip's to refer to ends the line, and the cache
 * is known to be broken (R1). */
static void test_stranger(void **state)
{
	(void)state;
	line_setup(TREE_BODY);
	kit.cache.broken = false;
	for (size_t i = 0; i < 5; i++)
		x.usage.deps[i].archive.seq = i == 2 ? 99 : i + 1;
	assert_int_equal(line_known(x.line, CHUNK_OLD, 0, OLD, &oops), -1);
	assert_true(kit.cache.broken);
	line_teardown();
}

/* Without a tree the chunk list is made all the same. */
static void test_no_tree(void **state)
{
	struct line_options o = { .stream = TREE_BODY,
				  .id_key = kit.keys->id,
				  .usage = &x.usage,
				  .cache = &kit.cache };

	(void)state;
	line_setup(TREE_BODY);
	line_free(x.line);
	o.old = x.reader;
	o.out = x.writer;
	must(line_new(&o, &x.line, &oops));
	for (size_t i = 0; i < 300; i++)
		step(TREE_BODY, 50);
	while (flight.n > 0)
		write_oldest();
	must(line_finish(x.line, &oops));
	expect_list();
	assert_int_equal(disk.n, 0);
	line_teardown();
}

#define each(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_mixture), each(test_full),	each(test_empty),
		each(test_stranger), each(test_no_tree),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
