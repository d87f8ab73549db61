/* Trees of extents: what was put in comes out, from any place; hostile nodes do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive/part.h"
#include "archive/tree.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/wire.h"

/* ---- a place for nodes ---- */

static struct {
	struct bytes nodes[40000];
	uint32_t n;
	uint32_t loads;
	int fail_at; /* storing the node of this number fails; -1: none */
	uint32_t cut; /* the id of each CUT-th node ends the node above; 0: of none */
} disk = { .fail_at = -1 };

static void disk_clear(void)
{
	while (disk.n > 0)
		bytes_free(&disk.nodes[--disk.n]);
	disk.loads = 0;
}

static int teardown(void **state)
{
	(void)state;
	disk_clear();
	return 0;
}

static int store(void *ctx, const uint8_t *plain, size_t n, struct tree_ref *ref,
		 struct err *e)
{
	(void)ctx;
	assert_in_range(n, 3, NODE_MAX);
	if ((int)disk.n == disk.fail_at)
		return err_set(e, ERR_STORE, "full");
	assert_true(disk.n < 40000);
	ref->at = (struct record_place){ .seq = 7,
					 .part = 1 + disk.n / 100,
					 .offset = disk.n * 1000u };
	memset(ref->id, 1, sizeof(ref->id));
	wire_set32(ref->id + 4, disk.n);
	if (disk.cut > 0 && disk.n % disk.cut == 0)
		ref->id[0] = 128;
	return bytes_append(&disk.nodes[disk.n++], plain, n, e);
}

static int load(void *ctx, const struct tree_ref *ref, struct bytes *out, struct err *e)
{
	uint32_t no = wire_get32(ref->id + 4);

	(void)ctx;
	assert_true(no < disk.n);
	assert_int_equal(ref->at.offset, no * 1000u);
	assert_int_equal(ref->at.part, 1 + no / 100);
	assert_int_equal(ref->at.seq, 7);
	disk.loads++;
	return bytes_append(out, disk.nodes[no].p, disk.nodes[no].len, e);
}

/* ---- random extents ---- */

static uint64_t seed = 1;

static uint32_t random32(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 32);
}

static struct extent random_extent(enum tree_stream stream, uint32_t longest)
{
	struct extent x = { .at = { .seq = random32() % 9 + 1,
				    .part = random32() % 3 + 1,
				    .offset = random32() % (1u << 28) },
			    .offset = random32() % 1000 };

	x.length = random32() % longest + 1;
	if (stream == TREE_HEAD) {
		x.entries = random32() % 40;
		x.body = random32();
	}
	wire_set64(x.check, random32());
	return x;
}

static struct extent *random_list(enum tree_stream stream, size_t n, uint32_t longest)
{
	struct extent *list = calloc(n + 1, sizeof(*list));

	assert_non_null(list);
	for (size_t i = 0; i < n; i++)
		list[i] = random_extent(stream, longest);
	return list;
}

/* A tree of LIST, whose leaves are cut behind each CUT-th extent (0: where they are full). */
static void build_cut(enum tree_stream stream, const struct extent *list, size_t n, size_t cut,
		      struct tree_ref *top)
{
	struct err e = ERR_EMPTY;
	struct tree_builder *b = tree_builder_new(stream, store, NULL, &e);

	assert_non_null(b);
	disk_clear();
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(tree_builder_add(b, &list[i], &e), 0);
		if (cut > 0 && (i + 1) % cut == 0)
			assert_int_equal(tree_builder_cut(b, &e), 0);
	}
	assert_int_equal(tree_builder_finish(b, top, &e), 0);
	tree_builder_free(b);
}

static void build(enum tree_stream stream, const struct extent *list, size_t n,
		  struct tree_ref *top)
{
	build_cut(stream, list, n, 0, top);
}

static void expect_extent(const struct extent *a, const struct extent *b)
{
	assert_int_equal(a->at.seq, b->at.seq);
	assert_int_equal(a->at.part, b->at.part);
	assert_int_equal(a->at.offset, b->at.offset);
	assert_int_equal(a->offset, b->offset);
	assert_int_equal(a->length, b->length);
	assert_int_equal(a->entries, b->entries);
	assert_int_equal(a->body, b->body);
	assert_memory_equal(a->check, b->check, 8);
}

static struct tree_walker *walker(enum tree_stream stream, const struct tree_ref *top)
{
	struct err e = ERR_EMPTY;
	struct tree_walker *w = tree_walker_new(stream, top, load, NULL, &e);

	assert_non_null(w);
	return w;
}

/* Walk all of TOP; it must be LIST. */
static void expect_list(enum tree_stream stream, const struct tree_ref *top,
			const struct extent *list, size_t n)
{
	struct tree_walker *w = walker(stream, top);
	struct err e = ERR_EMPTY;
	struct extent x;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(tree_walker_next(w, &x, &e), 0);
		expect_extent(&x, &list[i]);
	}
	assert_int_equal(tree_walker_next(w, &x, &e), 1);
	assert_int_equal(tree_walker_next(w, &x, &e), 1);
	tree_walker_free(w);
}

/* ---- what was put in comes out ---- */

static void round_trip(enum tree_stream stream, size_t n, uint32_t longest,
		       uint8_t want_level)
{
	struct extent *list = random_list(stream, n, longest);
	uint64_t length = 0, entries = 0, body = 0;
	struct tree_ref top;

	for (size_t i = 0; i < n; i++) {
		length += list[i].length;
		entries += list[i].entries;
		body += list[i].body;
	}
	build(stream, list, n, &top);
	assert_int_equal(top.level, want_level);
	assert_int_equal(top.length, length);
	assert_int_equal(top.entries, entries);
	assert_int_equal(top.body, body);
	expect_list(stream, &top, list, n);
	free(list);
}

/* Trees of no, one, few and very many extents, of both streams, give the flat list they
 * were made from, and the top has its sums.  The last ones have more leaves than a node
 * has children. */
static void test_round_trip(void **state)
{
	(void)state;
	for (int s = TREE_BODY; s <= TREE_HEAD; s++) {
		enum tree_stream stream = (enum tree_stream)s;

		round_trip(stream, 0, 1, TREE_LEVEL_NONE);
		round_trip(stream, 1, 1000, 0);
		round_trip(stream, 50, 1000, 0);
		round_trip(stream, 9000, 10, 1);
		round_trip(stream, 9000, 500000, 1);
		round_trip(stream, 80000, 500000, 2);
	}
}

/* A tree whose only child would be one node has that node as its top: no chains of single
 * children, whatever the number of leaves. */
static void test_no_single_child(void **state)
{
	struct extent x = { .at = { 1, 1, 0 }, .length = 524288 };
	struct err e = ERR_EMPTY;

	(void)state;
	for (size_t leaves = 1; leaves <= 2050; leaves += leaves < 4 ? 1 : 1023) {
		struct tree_builder *b = tree_builder_new(TREE_BODY, store, NULL, &e);
		struct tree_ref top;

		disk_clear();
		for (size_t i = 0; i < 32 * leaves; i++)
			assert_int_equal(tree_builder_add(b, &x, &e), 0);
		assert_int_equal(tree_builder_finish(b, &top, &e), 0);
		tree_builder_free(b);
		assert_int_equal(top.level, leaves == 1 ? 0 : leaves <= 1024 ? 1 : 2);
		assert_int_equal(disk.n, leaves == 1 ? 1
					 : leaves <= 1024
						 ? leaves + 1
						 : leaves + (leaves + 1023) / 1024 + 1);
	}
}

/* The same run of extents gives the same bytes of node wherever it lies: places are
 * relative. */
static void test_leaves_are_relative(void **state)
{
	struct extent *list = random_list(TREE_BODY, 16, 1000);
	struct tree_ref top;

	(void)state;
	for (size_t i = 8; i < 16; i++)
		list[i] = list[i - 8];
	build_cut(TREE_BODY, list, 16, 8, &top);
	assert_int_equal(disk.n, 3);
	assert_int_equal(disk.nodes[0].len, disk.nodes[1].len);
	assert_memory_equal(disk.nodes[0].p, disk.nodes[1].p, disk.nodes[0].len);
	free(list);
}

/* How many of EACH alike make a leaf: disk.n counts leaves while they are stored. */
static size_t in_a_leaf(const struct extent *each)
{
	struct err e = ERR_EMPTY;
	struct tree_builder *b = tree_builder_new(TREE_BODY, store, NULL, &e);
	size_t n = 0;

	assert_non_null(b);
	disk_clear();
	for (; disk.n == 0; n++)
		assert_int_equal(tree_builder_add(b, each, &e), 0);
	tree_builder_free(b);
	return n;
}

/* A leaf is closed with the item that brings it to 16 MiB of stream, or to 48 KiB; 8192 items do not
 * fit in that. */
static void test_leaf_full(void **state)
{
	struct extent x = { .at = { 1, 1, 0 }, .length = 524288 };

	(void)state;
	assert_int_equal(in_a_leaf(&x), 32);
	x.length = 524287;
	assert_int_equal(in_a_leaf(&x), 33);
	x.length = 100; /* 13 bytes an item: 5 and 8 of check */
	assert_int_equal(in_a_leaf(&x), (48 * 1024 - 4 + 12) / 13);
	assert_in_range(disk.nodes[0].len, 48 * 1024 - 4, 48 * 1024 + 13);
}

/* A cut closes the leaf that is open, and is nothing where none is; the tree has the same extents. */
static void test_cut(void **state)
{
	struct extent *list = random_list(TREE_HEAD, 100, 500000);
	struct err e = ERR_EMPTY;
	struct tree_builder *b = tree_builder_new(TREE_HEAD, store, NULL, &e);
	struct tree_ref top;

	(void)state;
	assert_non_null(b);
	disk_clear();
	assert_int_equal(tree_builder_cut(b, &e), 0);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(tree_builder_add(b, &list[i], &e), 0);
		for (size_t k = 0; i % 7 == 0 && k < 2; k++)
			assert_int_equal(tree_builder_cut(b, &e), 0);
	}
	assert_int_equal(disk.n, 15);
	assert_int_equal(tree_builder_finish(b, &top, &e), 0);
	tree_builder_free(b);
	assert_int_equal(disk.n, 17);
	assert_int_equal(top.level, 1);
	expect_list(TREE_HEAD, &top, list, 100);
	free(list);
}

/* A node above the leaves ends behind a child whose id says so, once it has 32: so that it is the same
 * node again wherever the series of its children begins. */
static void test_children_cut(void **state)
{
	struct extent *list = random_list(TREE_BODY, 1200, 1000);
	struct tree_ref top;

	(void)state;
	disk.cut = 20; /* leaves 0, 20, 40: the third is behind 32 */
	build_cut(TREE_BODY, list, 1200, 1, &top);
	disk.cut = 0;
	expect_list(TREE_BODY, &top, list, 1200);
	assert_int_equal(top.level, 2);
	assert_in_range(disk.n, 1200 + 1200 / 64, 1200 + 1200 / 32 + 1);
	assert_int_equal(disk.nodes[41].p[1], 1);
	assert_int_equal(disk.nodes[41].p[2], 41);
	free(list);
}

/* A store that fails while a node is written fails the builder, with the store's own
 * error. */
static void test_store_fails(void **state)
{
	struct extent x = { .at = { 1, 1, 0 }, .length = 524288 };
	struct err e = ERR_EMPTY;
	struct tree_builder *b = tree_builder_new(TREE_BODY, store, NULL, &e);
	int r = 0;

	(void)state;
	disk_clear();
	disk.fail_at = 3;
	for (size_t i = 0; i < 32 * 5 && r == 0; i++)
		r = tree_builder_add(b, &x, &e);
	disk.fail_at = -1;
	assert_int_equal(r, -1);
	assert_int_equal(e.kind, ERR_STORE);
	assert_int_equal(disk.n, 3);
	tree_builder_free(b);
}

/* ---- seeking ---- */

/* Each offset of a stream leads to the extent that holds it, going forward, going back,
 * and from place to place at random; and walking goes on from there. */
static void test_seek_everywhere(void **state)
{
	enum { N = 5000 };
	struct extent *list = random_list(TREE_BODY, N, 3), x;
	uint32_t *holder = calloc(3 * N, sizeof(*holder));
	uint64_t *start = calloc(N, sizeof(*start)), total = 0, skip;
	struct err e = ERR_EMPTY;
	struct tree_walker *w;
	struct tree_ref top;

	(void)state;
	assert_true(holder && start);
	for (uint32_t i = 0; i < N; i++) {
		start[i] = total;
		for (uint64_t k = 0; k < list[i].length; k++)
			holder[total++] = i;
	}
	build(TREE_BODY, list, N, &top);
	assert_int_equal(top.level, 1);
	w = walker(TREE_BODY, &top);
	for (uint64_t i = 0; i < 3 * total; i++) {
		uint64_t at = i < total	      ? i
			      : i < 2 * total ? 2 * total - 1 - i
					      : random32() % total;
		uint32_t want = holder[at];

		assert_int_equal(tree_walker_seek(w, at, &x, &skip, &e), 0);
		expect_extent(&x, &list[want]);
		assert_int_equal(skip, at - start[want]);
		if (want + 1 < N && i % 7 == 0) {
			assert_int_equal(tree_walker_next(w, &x, &e), 0);
			expect_extent(&x, &list[want + 1]);
		}
	}
	assert_int_equal(tree_walker_seek(w, total, &x, &skip, &e), 1);
	assert_int_equal(tree_walker_next(w, &x, &e), 1);
	assert_int_equal(tree_walker_seek(w, total + 1, &x, &skip, &e), -1);
	assert_int_equal(tree_walker_seek(w, 0, &x, &skip, &e), 0);
	expect_extent(&x, &list[0]);
	tree_walker_free(w);
	free(list);
	free(holder);
	free(start);
}

/* Going through a stream by seeks in order loads each node once, as walking does. */
static void test_seek_is_lazy(void **state)
{
	struct extent *list = random_list(TREE_BODY, 2000, 500000), x;
	struct err e = ERR_EMPTY;
	struct tree_walker *w;
	struct tree_ref top;
	uint64_t at = 0, skip;

	(void)state;
	build(TREE_BODY, list, 2000, &top);
	w = walker(TREE_BODY, &top);
	for (size_t i = 0; i < 2000; at += list[i++].length)
		assert_int_equal(tree_walker_seek(w, at, &x, &skip, &e), 0);
	assert_int_equal(disk.loads, disk.n);
	tree_walker_free(w);
	free(list);
}

/* The empty stream has an end and nothing before it. */
static void test_empty(void **state)
{
	struct tree_ref top = { .level = TREE_LEVEL_NONE };
	struct tree_walker *w = walker(TREE_BODY, &top);
	struct err e = ERR_EMPTY;
	struct extent x;
	uint64_t skip;

	(void)state;
	assert_int_equal(tree_walker_next(w, &x, &e), 1);
	assert_int_equal(tree_walker_seek(w, 0, &x, &skip, &e), 1);
	assert_int_equal(tree_walker_seek(w, 1, &x, &skip, &e), -1);
	tree_walker_free(w);
}

/* ---- hostile nodes ---- */

/* Walk all; 1 at a good end, -1 (ERR_DAMAGED) otherwise. */
static int walk_all(enum tree_stream stream, const struct tree_ref *top)
{
	struct err e = ERR_EMPTY;
	struct tree_walker *w = tree_walker_new(stream, top, load, NULL, &e);
	struct extent x;
	int r = w ? 0 : -1;

	while (r == 0)
		r = tree_walker_next(w, &x, &e);
	assert_true(r == 1 || e.kind == ERR_DAMAGED);
	tree_walker_free(w);
	return r;
}

/* A leaf of one extent (offset 0, given length) in the head stream, put on the disk as
 * node 0. */
static struct bytes *leaf(uint64_t n, uint64_t offset, uint64_t length, uint64_t entries,
			  uint64_t body)
{
	struct bytes *b = &disk.nodes[0];
	struct err e = ERR_EMPTY;

	disk_clear();
	disk.n = 1;
	assert_int_equal(wire_put8(b, TREE_HEAD, &e), 0);
	assert_int_equal(wire_put8(b, 0, &e), 0);
	assert_int_equal(wire_put_varint(b, n, &e), 0);
	for (uint64_t i = 0; i < (n > 9000 ? 9000 : n); i++) {
		assert_int_equal(bytes_append(b, i == 0 ? "\2\2\2" : "\0\0\0", 3, &e), 0);
		assert_int_equal(wire_put_varint(b, offset, &e), 0);
		assert_int_equal(wire_put_varint(b, length, &e), 0);
		assert_int_equal(wire_put_varint(b, entries, &e), 0);
		assert_int_equal(wire_put_varint(b, body, &e), 0);
		assert_int_equal(bytes_append(b, "checksum", 8, &e), 0);
	}
	return b;
}

static struct tree_ref ref_to(uint64_t length, uint64_t entries, uint64_t body)
{
	return (struct tree_ref){
		.at = { 7, 1, 0 }, .length = length, .entries = entries, .body = body
	};
}

/* The leaf that the cases below spoil is a good one as it is. */
static void test_leaf_good(void **state)
{
	struct tree_ref top = ref_to(100, 3, 40);

	(void)state;
	(void)leaf(1, 5, 100, 3, 40);
	assert_int_equal(walk_all(TREE_HEAD, &top), 1);
	assert_int_equal(walk_all(TREE_BODY, &top), -1);
}

/* Sums that do not fit what names the node are damage, each of the three. */
static void test_wrong_sums(void **state)
{
	(void)state;
	(void)leaf(1, 5, 100, 3, 40);
	for (uint64_t d = 0; d < 2; d++) {
		struct tree_ref a = ref_to(99 + 2 * d, 3, 40),
				b = ref_to(100, 2 + 2 * d, 40),
				c = ref_to(100, 3, 39 + 2 * d);

		assert_int_equal(walk_all(TREE_HEAD, &a), -1);
		assert_int_equal(walk_all(TREE_HEAD, &b), -1);
		assert_int_equal(walk_all(TREE_HEAD, &c), -1);
	}
}

/* A node of another level or stream, without items, with bytes after them or cut
 * anywhere, is refused. */
static void test_wrong_shape(void **state)
{
	struct tree_ref top = ref_to(100, 3, 40);
	struct bytes *b = leaf(1, 5, 100, 3, 40);
	struct err e = ERR_EMPTY;

	(void)state;
	b->p[1] = 1;
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	b->p[1] = 0;
	b->p[0] = 3;
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	b->p[0] = TREE_HEAD;
	assert_int_equal(walk_all(TREE_HEAD, &top), 1);
	while (b->len-- > 0)
		assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	b = leaf(1, 5, 100, 3, 40);
	assert_int_equal(bytes_zero(b, 1, &e), 0);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	(void)leaf(0, 0, 0, 0, 0);
	top.length = 1;
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
}

/* Tops that cannot be are refused before anything is loaded: a level over 15, a length
 * without a tree, a tree without length. */
static void test_wrong_top(void **state)
{
	struct tree_ref top = ref_to(100, 3, 40);

	(void)state;
	(void)leaf(1, 5, 100, 3, 40);
	top.level = 16;
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	top.level = TREE_LEVEL_NONE;
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	top = ref_to(0, 3, 40);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	assert_int_equal(disk.loads, 0);
}

/* Lengths of nothing, over a frame, or whose sums overflow, are refused; so are more
 * items than a node has and more bytes. */
static void test_overflows(void **state)
{
	struct tree_ref top = ref_to(0, 0, 0);
	struct bytes *b;
	struct err e = ERR_EMPTY;

	(void)state;
	top = ref_to(100, 0, 0);
	(void)leaf(2, 0, 50, UINT64_MAX / 2 + 1, 0);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	(void)leaf(2, 0, 50, 0, UINT64_MAX / 2 + 1);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	(void)leaf(2, 0, 50, 0, 0);
	assert_int_equal(walk_all(TREE_HEAD, &top), 1);
	top = ref_to(524288, 0, 0);
	(void)leaf(1, 0, 524288, 0, 0);
	assert_int_equal(walk_all(TREE_HEAD, &top), 1);
	(void)leaf(1, 1, 524288, 0, 0);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	(void)leaf(1, UINT64_MAX, 524288, 0, 0);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	top = ref_to(UINT64_MAX, 0, 0);
	(void)leaf(1, 0, UINT64_MAX, 0, 0);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	top = ref_to(100, 1, 0);
	b = leaf(1, 0, 100, 1, 0);
	b->p[2] = 2;
	assert_int_equal(bytes_append(b, "\0\0\0\0\0\0\0checksum", 15, &e), 0);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1); /* an extent of nothing */
	top = ref_to(8193, 0, 0);
	b = leaf(8193, 0, 1, 0, 0);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	top = ref_to(4096, 0, 0);
	b = leaf(4096, 0, 1, 0, 0);
	assert_true(b->len < NODE_MAX);
	assert_int_equal(walk_all(TREE_HEAD, &top), 1);
	top = ref_to(5000, 0, 0);
	b = leaf(5000, 0, 1, 0, 0);
	assert_true(b->len > NODE_MAX);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
}

/* Steps that lead a place below zero or beyond its field are refused. */
static void test_places_out_of_range(void **state)
{
	static const char *const steps[] = { "\1\2\2", "\2\1\2", "\2\2\1" };
	struct tree_ref top = ref_to(100, 3, 40);
	struct err e = ERR_EMPTY;
	struct bytes *b;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		b = leaf(1, 5, 100, 3, 40);
		memcpy(b->p + 3, steps[i], 3);
		assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	}
	b = leaf(0, 0, 0, 0, 0);
	b->p[2] = 1;
	assert_int_equal(
		bytes_append(b, "\2\200\200\200\200\40\2\5\144\3\50checksum", 19, &e), 0);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1); /* part 2^32 */
	b->p[8] = 037;
	assert_int_equal(walk_all(TREE_HEAD, &top), 1);
}

/* A node that names itself is refused by its level, so walking always ends. */
static void test_loop(void **state)
{
	struct bytes *b = leaf(0, 0, 0, 0, 0);
	struct tree_ref top = ref_to(100, 3, 40);
	struct err e = ERR_EMPTY;

	(void)state;
	b->p[1] = 1;
	b->p[2] = 1;
	top.level = 1;
	assert_int_equal(bytes_append(b, "\16\2\0\144\3\50", 6, &e), 0);
	assert_int_equal(bytes_zero(b, 16, &e), 0);
	assert_int_equal(walk_all(TREE_HEAD, &top), -1);
	assert_int_equal(disk.loads, 2);
}

/* No bit of a tree's nodes can be flipped so that walking or seeking leaves its bounds
 * (with the sanitizers); a flip that stays unseen here changes only places and checks,
 * which ids cover. */
static void test_bit_flips(void **state)
{
	struct extent *list = random_list(TREE_HEAD, 40, 500000);
	struct err e = ERR_EMPTY;
	struct tree_ref top;

	(void)state;
	build_cut(TREE_HEAD, list, 40, 10, &top);
	assert_int_equal(top.level, 1);
	for (size_t no = 0; no < disk.n; no++)
		for (size_t bit = 0; bit < 8 * disk.nodes[no].len; bit++) {
			struct tree_walker *w;
			struct extent x;
			uint64_t skip, sum = 0;
			int r = 0;

			if (no + 1 == disk.n && bit / 8 >= 3)
				break; /* the disk above wants its ids sane */
			disk.nodes[no].p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			w = walker(TREE_HEAD, &top);
			for (; (r = tree_walker_next(w, &x, &e)) == 0; sum += x.length)
				continue;
			assert_true(r == -1 || sum == top.length);
			(void)tree_walker_seek(w, bit * 1009 % top.length, &x, &skip, &e);
			tree_walker_free(w);
			disk.nodes[no].p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_no_single_child),
		cmocka_unit_test(test_leaves_are_relative),
		cmocka_unit_test(test_leaf_full),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_children_cut),
		cmocka_unit_test(test_store_fails),
		cmocka_unit_test(test_seek_everywhere),
		cmocka_unit_test(test_seek_is_lazy),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_leaf_good),
		cmocka_unit_test(test_wrong_sums),
		cmocka_unit_test(test_wrong_shape),
		cmocka_unit_test(test_wrong_top),
		cmocka_unit_test(test_overflows),
		cmocka_unit_test(test_places_out_of_range),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_bit_flips),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
