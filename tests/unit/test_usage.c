/* What a snapshot refers to: which archives it may (R1), how many of their bytes; its nodes, found again by
 * id; its headers, from copies. */
#include "archive/frame.h"
#include "archive/group.h"
#include "archive/heads.h"
#include "archive/nodes.h"
#include "archive/usage.h"
#include "archive_kit.h"
#include "base/wire.h"
#include "dice.h"

static struct err oops;

/* ---- usage ---- */

#define DEPS 130

static void make_deps(struct cache_dep *d)
{
	uint64_t seq = 0;

	for (size_t i = 0; i < DEPS; i++) {
		seq += 1 + dice_below(3);
		d[i] = (struct cache_dep){ .archive = { .seq = seq },
					   .live = dice(),
					   .size = 1 + dice_below(3000000),
					   .level = (uint8_t)dice_below(4) };
		dice_bytes(d[i].archive.id, 16);
	}
}

/* R1: what lies in the parent, in its dependencies or in the archive that is written may be referred to;
 * what lies in a stranger or a victim may not, and does not count. */
static void test_r1(void **state)
{
	struct cache_dep deps[DEPS], out[DEPS];
	uint64_t victims[3], own;
	struct usage u;

	(void)state;
	make_deps(deps);
	own = deps[DEPS - 1].archive.seq + 1;
	for (size_t i = 0; i < 3; i++)
		victims[i] = deps[i * 50 + 7].archive.seq;
	must(usage_open(&u, own, deps, DEPS, victims, 3, &oops));
	for (uint64_t round = 0; round < 3000; round++) {
		uint64_t seq = dice_below(own + 5);
		struct chunk c = { .in = { .at = { seq, 1, round }, .clen = 5, .content = 9 },
				   .length = 9 };
		bool may = seq == own;

		for (size_t i = 0; i < DEPS; i++)
			may |= deps[i].archive.seq == seq;
		for (size_t i = 0; i < 3; i++)
			may &= victims[i] != seq;
		assert_true(usage_allows(&u, seq) == may);
		if (dice_below(2))
			assert_true(usage_chunk(&u, &c) == may);
		else
			assert_true(usage_record(&u, &c.in.at, 5) == may);
	}
	for (size_t i = usage_deps(&u, out); i-- > 0;)
		for (size_t k = 0; k < 3; k++)
			assert_int_not_equal(out[i].archive.seq, victims[k]);
	usage_close(&u);
}

/* Live bytes are the shares of the chunks and all of the nodes; a chunk that repeats behind itself counts
 * once; what is referred to is a dependency, in order, with no more live than it has; a second pass counts
 * anew. */
static void test_live(void **state)
{
	struct cache_dep deps[DEPS], out[DEPS];
	uint64_t live[DEPS + 1], own;
	struct usage u;

	(void)state;
	make_deps(deps);
	own = deps[DEPS - 1].archive.seq + 1;
	must(usage_open(&u, own, deps, DEPS, NULL, 0, &oops));
	for (unsigned pass = 0; pass < 2; pass++) {
		size_t n = 0;

		memset(live, 0, sizeof(live));
		usage_restart(&u);
		for (uint64_t round = 0; round < 2000; round++) {
			size_t i = dice_below(DEPS / 2) * 2;
			struct chunk_place in = { .at = { deps[i].archive.seq, 1, round },
						  .clen = 1 + (uint32_t)dice_below(589824) };
			struct chunk c = { .length = 1 + (uint32_t)dice_below(524288) };

			if (dice_below(10) == 0) {
				i = DEPS;
				in.at.seq = own;
			}
			in.content = c.length + (uint32_t)dice_below(1000);
			c.in = in;
			if (round % 2) {
				assert_true(usage_record(&u, &in.at, in.clen));
				live[i] += in.clen + 1u;
				continue;
			}
			for (size_t k = dice_below(3); k < 3; k++)
				assert_true(usage_chunk(&u, &c));
			live[i] += (uint64_t)c.length * in.clen / in.content + 1;
		}
		assert_int_equal(u.own_live, live[DEPS]);
		for (size_t i = 0, k = usage_deps(&u, out); i < DEPS; i++) {
			if (live[i] == 0)
				continue;
			assert_true(n < k);
			assert_memory_equal(&out[n].archive, &deps[i].archive,
					    sizeof(out[n].archive));
			assert_int_equal(out[n].live,
					 live[i] < deps[i].size ? live[i] : deps[i].size);
			assert_int_equal(out[n].size, deps[i].size);
			assert_int_equal(out[n].level, deps[i].level);
			n++;
		}
		assert_int_equal(usage_deps(&u, out), n);
	}
	usage_close(&u);
}

/* A full snapshot may refer to itself alone; of frames of no known size something counts. */
static void test_full(void **state)
{
	struct chunk c = { .in = { .at = { 1, 1, 1 } }, .length = 9 };
	struct usage u;

	(void)state;
	must(usage_open(&u, 1, NULL, 0, NULL, 0, &oops));
	assert_true(usage_allows(&u, 1));
	assert_false(usage_allows(&u, 2));
	assert_false(usage_allows(&u, 0));
	assert_true(usage_chunk(&u, &c));
	assert_int_equal(u.own_live, 1);
	assert_int_equal(usage_deps(&u, NULL), 0);
	usage_close(&u);
}

/* ---- nodes ---- */

static void make_node(size_t i, uint8_t id[16], struct chunk_place *in)
{
	memset(id, 0, 16);
	wire_set64(id, i * 0x9e3779b97f4a7c15);
	*in = (struct chunk_place){ .at = { i % 100, (uint32_t)(i % 7), i * 1000003 },
				    .clen = (uint32_t)i + 1 };
}

static struct cache_segs write_nodes(size_t from, size_t n)
{
	struct cache_segs segs = { .n = 0 };
	struct nodes *w = NULL;
	struct chunk_place in;
	uint8_t id[16];

	must(nodes_new(kit.location, &kit.cache, NULL, &w, &oops));
	for (size_t i = from; i < from + n; i++) {
		make_node(i, id, &in);
		must(nodes_add(w, id, &in, &oops));
		assert_int_equal(nodes_find(w, id, &in, &oops), 1); /* it is not the tip's */
	}
	must(nodes_finish(w, &segs, &oops));
	nodes_free(w);
	return segs;
}

/* The tip's nodes are found with their places, in any order, few or many, and no others. */
static void test_nodes(void **state)
{
	static const size_t counts[] = { 0, 1, 2047, 2048, 2049, 20000 };

	(void)state;
	for (size_t k = 0; k < sizeof(counts) / sizeof(*counts); k++) {
		struct cache_segs segs = write_nodes(100, counts[k]);
		struct nodes *r = NULL;

		assert_int_equal(segs.units, counts[k]);
		must(nodes_new(kit.location, &kit.cache, &segs, &r, &oops));
		for (size_t round = 0; round < 5000; round++) {
			size_t i = 90 + dice_below(counts[k] + 20);
			struct chunk_place in, want;
			uint8_t id[16];
			int found;

			make_node(i, id, &want);
			found = nodes_find(r, id, &in, &oops);
			assert_int_equal(found, i < 100 || i >= 100 + counts[k]);
			if (found)
				continue;
			assert_true(chunk_same_place(&in.at, &want.at));
			assert_int_equal(in.clen, want.clen);
		}
		nodes_free(r);
		free(segs.list);
	}
}

/* Segments of nodes that are gone, too long or too short for what the list says are not taken. */
static void test_odd_nodes(void **state)
{
	struct cache_segs segs = write_nodes(0, 5000);
	struct nodes *r = NULL;
	char name[60] = "state/cache/";

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		uint32_t *units = &segs.list[i / 2].units, was = *units;

		*units = i == 4 ? UINT32_MAX : i % 2 ? was - 1 : was + 1;
		kit.cache.broken = false;
		assert_int_equal(nodes_new(kit.location, &kit.cache, &segs, &r, &oops), -1);
		assert_true(kit.cache.broken);
		*units = was;
	}
	must(nodes_new(kit.location, &kit.cache, &segs, &r, &oops));
	nodes_free(r);
	crypto_hex(segs.list[1].name, 16, name + 12);
	kit_remove(name);
	assert_int_equal(nodes_new(kit.location, &kit.cache, &segs, &r, &oops), -1);
	assert_true(kit.cache.broken);
	free(segs.list);
}

/* ---- copies of headers ---- */

#define GROUPS 20

static struct chunk groups[GROUPS];
static struct frame *frame;

/* A frame of groups, packed and saved. */
static void save_frame(struct heads *h)
{
	struct packer *p = packer_new(1, &oops);
	struct record_place at = { 3, 1, 4096 };

	frame = frame_new(&oops);
	assert_true(p && frame);
	frame_reset(frame, RECORD_HEAD, FRAME_CONTENT);
	for (size_t i = 0; i < GROUPS; i++) {
		size_t n = 1 + dice_below(3000);

		for (size_t k = 0; k < n; k++)
			frame_content(frame)[frame->used + k] = (uint8_t)(dice_below(10) + i);
		groups[i].offset = (uint32_t)frame->used;
		groups[i].length = (uint32_t)n;
		groups[i].in.at = at;
		frame->used += n;
		frame_end_chunk(frame, NULL);
	}
	must(frame_pack(frame, p, kit.keys->id, &oops));
	for (size_t i = 0; i < GROUPS; i++)
		memcpy(groups[i].fingerprint, frame->fingerprints[i], FINGERPRINT_LEN);
	must(heads_save(h, &at, frame, &oops));
	packer_free(p);
}

static void expect_broken(struct heads *h, const struct chunk *x)
{
	const uint8_t *p;

	kit.cache.broken = false;
	assert_int_equal(heads_load(h, x, &p, &oops), -1);
	assert_true(kit.cache.broken);
}

/* Each group comes back from the copy of its frame. */
static void test_heads(void **state)
{
	struct heads *h = NULL;
	const uint8_t *p;

	(void)state;
	must(heads_new(&kit.cache, kit.keys->id, &h, &oops));
	save_frame(h);
	for (unsigned round = 0; round < 100; round++) {
		const struct chunk *x = &groups[dice_below(GROUPS)];

		must(heads_load(h, x, &p, &oops));
		assert_memory_equal(p, frame_content(frame) + x->offset, x->length);
	}
	heads_free(h);
	frame_free(frame);
}

/* A group is not given from a copy where another would be expected: other place, other bounds, other
 * fingerprint; a good one is behind that. */
static void test_other_group(void **state)
{
	struct chunk x;
	struct heads *h = NULL;
	const uint8_t *p;

	(void)state;
	must(heads_new(&kit.cache, kit.keys->id, &h, &oops));
	save_frame(h);
	for (unsigned i = 0; i < 7; i++) {
		x = groups[5];
		x.in.at.seq += i == 0;
		x.in.at.part += i == 1;
		x.in.at.offset += i == 2;
		x.offset += i == 3;
		x.length += i == 4;
		x.length = i == 5 ? groups[5].length + groups[6].length : x.length;
		x.fingerprint[15] ^= i == 6;
		expect_broken(h, &x);
		must(heads_load(h, &groups[5], &p, &oops));
		assert_memory_equal(p, frame_content(frame) + groups[5].offset, groups[5].length);
	}
	heads_free(h);
	frame_free(frame);
}

/* A copy with any byte changed gives what it held or is not taken; cut anywhere, or gone, it is not taken. */
static void test_damaged_copy(void **state)
{
	char name[80] = "state/cache/";
	struct heads *h = NULL;
	const uint8_t *p;
	uint64_t size;
	unsigned ignored = 0;

	(void)state;
	must(heads_new(&kit.cache, kit.keys->id, &h, &oops));
	save_frame(h);
	heads_free(h);
	heads_name(&groups[0].in.at, name + 12, sizeof(name) - 12);
	size = kit_size(name);
	for (uint64_t i = 0; i < size; i += i < 60 ? 1 : 97) {
		must(heads_new(&kit.cache, kit.keys->id, &h, &oops));
		kit_flip(name, i);
		if (heads_load(h, &groups[3], &p, &oops) == 0) { /* a bit that zstd ignores */
			assert_true(i > 41);
			assert_memory_equal(p, frame_content(frame) + groups[3].offset,
					    groups[3].length);
			ignored++;
		} else {
			expect_broken(h, &groups[3]);
		}
		kit_flip(name, i);
		heads_free(h);
	}
	assert_in_range(ignored, 0, 2);
	must(heads_new(&kit.cache, kit.keys->id, &h, &oops));
	for (uint64_t i = size; i-- > 0; i = i > 100 ? i - 97 : i) {
		kit_truncate(name, i);
		expect_broken(h, &groups[0]);
	}
	kit_remove(name);
	expect_broken(h, &groups[0]);
	heads_free(h);
	frame_free(frame);
}

#define each(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_r1),	  each(test_live),	  each(test_full),
		each(test_nodes), each(test_odd_nodes),	  each(test_heads),
		each(test_other_group), each(test_damaged_copy),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
