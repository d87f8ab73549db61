/* Reading snapshots that say what no writer says, signed by their host; and dependencies,
 * which no writer makes yet. */
#include "archive_kit.h"

#include "archive/tree.h"
#include "base/wire.h"

static struct err oops;

static void is_damaged(const char *word)
{
	assert_int_equal(oops.kind, ERR_DAMAGED);
	if (!strstr(oops.text, word))
		fail_msg("\"%s\" does not say \"%s\"", oops.text, word);
}

/* One entry of HEADER_LEN and BODY_LEN, with HEADER bytes of header there. */
static size_t entry_of(uint8_t *p, uint64_t header_len, uint64_t body_len, size_t header)
{
	size_t n = wire_varint(p, header_len);

	n += wire_varint(p + n, body_len);
	memset(p + n, 'h', header);
	return n + header;
}

static uint64_t craft_given; /* entries that came before its end */

/* How reading it ends: 1 with all totals, or -1. */
static int read_craft(const struct craft *c)
{
	struct archive_id id = kit_craft(c, NULL);
	struct reader_entry en;
	struct reader *r = NULL;
	char name[600];
	int found;

	kit_name(&id, 0, name);
	oops.kind = ERR_FAILED;
	found = reader_open(kit.store, &kit.d, name, &kit.reader_keys, &r, &oops);
	if (found == 0)
		reader_check_all(r);
	for (craft_given = 0; found == 0; craft_given += found == 0)
		found = reader_next(r, &en, &oops);
	if (found < 0)
		assert_int_equal(oops.kind, ERR_DAMAGED);
	reader_free(r);
	return found;
}

/* A group must be entries from end to end, with headers of whole blocks within the limit.
 */
static void test_bad_groups(void **state)
{
	auto_free uint8_t *g = calloc(1, 400000);
	struct craft c = { .seq = 1, .group = g, .entries = 1 };

	(void)state;
	assert_non_null(g);
	c.group_len = entry_of(g, 512, 0, 512);
	assert_int_equal(read_craft(&c), 1);
	c.group_len = entry_of(g, 512, 0, 511);
	assert_int_equal(read_craft(&c), -1);
	c.group_len = entry_of(g, 512, 0, 513);
	assert_int_equal(read_craft(&c), -1);
	c.group_len = entry_of(g, 513, 0, 513);
	assert_int_equal(read_craft(&c), -1);
	c.group_len = entry_of(g, 262144, 0, 262144);
	assert_int_equal(read_craft(&c), 1);
	c.group_len = entry_of(g, 262656, 0, 262656);
	assert_int_equal(read_craft(&c), -1);
	c.group_len = entry_of(g, UINT64_MAX, 0, 512);
	assert_int_equal(read_craft(&c), -1);
}

/* Entries and body bytes must be as many as the extent says, no more and no fewer. */
static void test_bad_counts(void **state)
{
	uint8_t g[1100];
	struct craft c = {
		.seq = 1, .group = g, .body_len = 100, .entries = 1, .body = 100
	};
	size_t n;

	(void)state;
	n = c.group_len = entry_of(g, 512, 100, 512);
	assert_int_equal(read_craft(&c), 1);
	(void)entry_of(g, 512, 99, 512);
	assert_int_equal(read_craft(&c), -1);
	is_damaged("less than it says");
	(void)entry_of(g, 512, 101, 512);
	assert_int_equal(read_craft(&c), -1);
	assert_int_equal(craft_given, 0);
	(void)entry_of(g, 512, 100, 512);
	c.group_len = n + entry_of(g + n, 512, 0, 512);
	assert_int_equal(read_craft(&c), -1);
	assert_int_equal(craft_given, 1);
	c.entries = 3;
	assert_int_equal(read_craft(&c), -1);
	is_damaged("less than it says");
	c.entries = 2;
	assert_int_equal(read_craft(&c), 1);
	c.body_len = 101; /* a byte that no entry owns */
	assert_int_equal(read_craft(&c), -1);
}

/* A gap has bytes, or it is none. */
static void test_empty_gap(void **state)
{
	uint8_t g[600];
	struct craft c = { .seq = 1, .group = g, .entries = 0, .body_len = 1, .body = 1 };

	(void)state;
	c.group_len = entry_of(g, 0, 1, 0);
	assert_int_equal(read_craft(&c), 1);
	c.group_len = entry_of(g, 0, 1, 0);
	c.group_len += entry_of(g + c.group_len, 0, 0, 0);
	assert_int_equal(read_craft(&c), -1);
	is_damaged("gap");
}

/* An extent's check, a place in no archive of the snapshot, in no part, on no record, and
 * a stanza that does not open are damage. */
static void test_bad_places(void **state)
{
	struct record_place at = { .seq = 1, .part = 1, .offset = 0 };
	uint8_t g[600];
	struct craft c = { .seq = 1, .group = g, .entries = 1 };

	(void)state;
	c.group_len = entry_of(g, 512, 0, 512);
	c.bad_check = true;
	assert_int_equal(read_craft(&c), -1);
	is_damaged("check");
	c.bad_check = false;
	c.head = &at; /* the HEAD frame is the first record here */
	assert_int_equal(read_craft(&c), 1);
	for (uint64_t i = 0; i < 6; i++) {
		static const struct record_place bad[] = {
			{ 2, 1, 0 }, { 0, 1, 0 },     { 1, 2, 0 },
			{ 1, 0, 0 }, { 1, 1, 16366 }, { 1, 1, UINT64_MAX / 4 },
		};

		at = bad[i];
		assert_int_equal(read_craft(&c), -1);
	}
	at = (struct record_place){ .seq = 1, .part = 1, .offset = 1 };
	assert_int_equal(read_craft(&c), -1);
	is_damaged("record at 1");
	at.offset = 0;
	c.body_len = c.body = 1; /* now a BODY frame is the first */
	c.group_len = entry_of(g, 512, 1, 512);
	assert_int_equal(read_craft(&c), -1);
	is_damaged("type 1");
	c.body_len = c.body = 0;
	c.group_len = entry_of(g, 512, 0, 512);
	c.head = NULL;
	c.bad_stanza = true;
	assert_int_equal(read_craft(&c), -1);
	is_damaged("stanza");
}

/* ROOT is the last record, and of the volume that the header names. */
static void test_bad_root(void **state)
{
	uint8_t g[600];
	struct craft c = { .seq = 1, .group = g, .entries = 1 };

	(void)state;
	c.group_len = entry_of(g, 512, 0, 512);
	c.record_after_root = true;
	assert_int_equal(read_craft(&c), -1);
	is_damaged("last record");
	c.record_after_root = false;
	c.root_of_other_kind = true;
	assert_int_equal(read_craft(&c), -1);
	is_damaged("another volume");
	c.root_of_other_kind = false;
	for (size_t i = 0; i < 4; i++) {
		c.root_name = ((const char *[]){ "db", "D", "Dbb",
						 "\xc4\x90"
						 "b" })[i];
		assert_int_equal(read_craft(&c), -1);
		is_damaged("another volume");
	}
	c.root_name = "";
	assert_int_equal(read_craft(&c), -1);
	is_damaged("ROOT");
	c.root_name = "Db";
	assert_int_equal(read_craft(&c), 1);
	c.bad_root_id = true;
	assert_int_equal(read_craft(&c), -1);
	is_damaged("its id");
}

/* A snapshot whose trees lie in another archive is read through it if its trailer lists
 * it; not if it does not, if that one is gone, or is not the one that the trailer's hash
 * names. */
static void test_dependency(void **state)
{
	uint8_t g[600];
	struct craft c = {
		.seq = 1, .group = g, .entries = 1, .body_len = 50, .body = 50
	};
	struct dependency dep = { .live = 1 };
	struct archive_id id;
	struct tree_ref tops[2];
	char name[600], below[600];
	struct reader_entry en;
	struct reader *r;
	const uint8_t *p;
	size_t n;

	(void)state;
	c.group_len = entry_of(g, 512, 50, 512);
	dep.archive = kit_craft(&c, tops);
	kit_name(&dep.archive, 0, below);
	c.seq = 2;
	c.parent = &dep.archive;
	id = kit_craft_on(&c, tops);
	kit_name(&id, 0, name);
	r = kit_open(name);
	assert_int_equal(reader_next(r, &en, &oops), -1);
	is_damaged("snapshot 1");
	reader_free(r);

	c.dep = &dep;
	id = kit_craft_on(&c, tops);
	kit_name(&id, 0, name);
	r = kit_open(name);
	kit_copy(below, "r/below");
	kit_remove(below);
	assert_int_equal(reader_next(r, &en, &oops), 0);
	assert_int_equal(en.header_len, 512);
	assert_int_equal(reader_body(r, &p, &n, &oops), 0);
	assert_int_equal(n, 50);
	assert_int_equal(reader_next(r, &en, &oops), 1);
	reader_free(r);
	assert_int_equal(
		reader_open(kit.store, &kit.d, name, &kit.reader_keys, &r, &oops), -1);
	is_damaged("snapshot 1");
	kit_copy("r/below", below);
	dep.archive.trailer_hash[3] ^= 1;
	id = kit_craft_on(&c, tops);
	kit_name(&id, 0, name);
	assert_int_equal(
		reader_open(kit.store, &kit.d, name, &kit.reader_keys, &r, &oops), -1);
	is_damaged(below);
}

#define each(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_bad_groups), each(test_bad_counts), each(test_empty_gap),
		each(test_bad_places), each(test_bad_root),   each(test_dependency),
	};

	return cmocka_run_group_tests_name("reader_lies", tests, NULL, NULL);
}
