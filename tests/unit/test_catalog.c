/* What a store holds, from names and signed headers. */
#include "archive_kit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "archive/catalog.h"

static struct err oops;

static const struct fake few[] = { { 1, 0, 1 }, { 2, 3000, 2 } };

/* Empty entry lists: the smallest snapshots. */
static struct archive_id small(uint64_t seq, const struct archive_id *parent)
{
	struct craft c = { .seq = seq, .parent = parent };

	return kit_craft(&c, NULL);
}

static struct catalog load(const struct catalog_filter *f, const struct secret *host,
			   const struct reader_keys *keys)
{
	struct catalog c;

	assert_int_equal(catalog_load(kit.store, &kit.d, f, host, keys, &c, NULL, &oops),
			 0);
	return c;
}

/* The states of the one stream there is, in order, as letters. */
static void states_are(const char *want)
{
	static const char letters[] = "OPDA";
	struct catalog c = load(NULL, kit.host, NULL);
	char got[32] = "";

	assert_int_equal(c.n, 1);
	for (size_t i = 0; i < c.streams[0].n && i < 31; i++)
		got[i] = letters[c.streams[0].snapshots[i].state];
	assert_string_equal(got, want);
	catalog_free(&c);
}

/* ---- loading ---- */

/* An empty store has no stream. */
static void test_nothing(void **state)
{
	struct catalog c = load(NULL, NULL, NULL);

	(void)state;
	assert_int_equal(c.n, 0);
	catalog_free(&c);
}

/* A stream is known by its header, its snapshots are in order of their numbers, and what
 * is said of each comes from its trailer; `stored` counts all its parts. */
static void test_load(void **state)
{
	static const struct fake large[] = { { 1, 1200000, 3 } };
	struct writer_result a, b;
	const struct snapshot *x;
	struct catalog c;
	char name[600];

	(void)state;
	a = kit_write(1, NULL, few, 2, 0);
	b = kit_write(2, &a.archive, large, 1, 36);
	c = load(NULL, NULL, NULL);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.streams[0].stream.name, "Db");
	assert_string_equal(c.streams[0].stream.host, "web");
	assert_memory_equal(c.streams[0].stream.id, kit.stream.id, 16);
	assert_null(c.streams[0].list_key);
	assert_false(c.streams[0].has_predecessor);
	assert_int_equal(c.streams[0].n, 2);
	x = c.streams[0].snapshots;
	kit_name(&a.archive, 0, name);
	assert_string_equal(x[0].name, name);
	assert_int_equal(x[0].state, SNAPSHOT_OK);
	assert_string_equal(x[0].problem, "");
	assert_memory_equal(&x[0].archive, &a.archive, sizeof(a.archive));
	assert_int_equal(x[0].stored, a.stored);
	assert_int_equal(x[0].n_parts, 1);
	assert_false(x[0].has_parent);
	assert_false(x[0].has_summary);
	assert_true(b.stored > 1200000);
	assert_int_equal(x[1].stored, b.stored);
	assert_true(x[1].n_parts > 1);
	assert_true(x[1].has_parent);
	assert_memory_equal(&x[1].parent, &a.archive, sizeof(a.archive));
	catalog_free(&c);
}

/* Summaries open with the host's own secret, or with a reading key by way of a ROOT; with
 * the secret of another host, or a key that opens nothing, there are none. */
static void test_summaries(void **state)
{
	const struct secret *wrong[1] = { kit.stranger };
	struct reader_keys stranger = { .n = 1, .x = wrong };
	struct catalog c;

	(void)state;
	(void)kit_write(1, NULL, few, 2, 0);
	for (int i = 0; i < 2; i++) {
		c = i == 0 ? load(NULL, kit.host, NULL)
			   : load(NULL, NULL, &kit.reader_keys);
		assert_non_null(c.streams[0].list_key);
		assert_memory_equal(c.streams[0].list_key, kit.keys->list, 32);
		assert_true(c.streams[0].snapshots[0].has_summary);
		assert_int_equal(c.streams[0].snapshots[0].summary.entries, 2);
		assert_int_equal(catalog_time(&c.streams[0].snapshots[0]),
				 KIT_TIME + 3600000);
		catalog_free(&c);
	}
	c = load(NULL, kit.stranger, &stranger);
	assert_null(c.streams[0].list_key);
	assert_false(c.streams[0].snapshots[0].has_summary);
	assert_int_equal(catalog_time(&c.streams[0].snapshots[0]),
			 c.streams[0].snapshots[0].created_ms);
	catalog_free(&c);
}

/* A key to which only older snapshots are sealed still opens the stream's summaries. */
static void test_older_key(void **state)
{
	struct archive_id first = small(1, NULL);
	struct catalog c;

	(void)state;
	crypto_x_public(kit.stranger->b, kit.d.grants[1].seal_pk);
	(void)kit_write(2, &first, few, 2, 0);
	c = load(NULL, NULL, &kit.reader_keys);
	assert_true(c.streams[0].snapshots[0].has_summary);
	assert_true(c.streams[0].snapshots[1].has_summary);
	catalog_free(&c);
}

/* A ROOT that is of another volume than its header gives no list key. */
static void test_root_of_other_volume(void **state)
{
	static const char *const names[] = { "Db", "other" };

	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		struct craft craft = { .seq = 1, .root_name = names[i] };
		struct archive_id id = kit_craft(&craft, NULL);
		struct catalog c = load(NULL, NULL, &kit.reader_keys);
		char name[600];

		assert_int_equal(c.streams[0].list_key != NULL, i == 0);
		catalog_free(&c);
		kit_name(&id, 0, name);
		kit_remove(name);
	}
}

/* A filter takes the streams of that host and name, by the header. */
static void test_filter(void **state)
{
	static const struct {
		const char *host, *name;
		size_t n;
	} cases[] = {
		{ NULL, NULL, 1 },   { "web", NULL, 1 }, { NULL, "Db", 1 },
		{ "web", "Db", 1 },  { "we", NULL, 0 },	 { NULL, "db", 0 },
		{ NULL, "%44b", 0 }, { "Web", "Db", 0 }, { NULL, "D", 0 },
	};

	(void)state;
	(void)small(1, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct catalog_filter f = { .host = cases[i].host,
					    .name = cases[i].name };
		struct catalog c = load(&f, NULL, NULL);

		assert_int_equal(c.n, cases[i].n);
		catalog_free(&c);
	}
}

/* The predecessor of a stream is the one that its headers name. */
static void test_predecessor(void **state)
{
	struct predecessor p = { .stream_id = "stream", .archive_id = "archive" };
	struct craft craft = { .seq = 1, .predecessor = &p };
	struct catalog c;

	(void)state;
	(void)kit_craft(&craft, NULL);
	c = load(NULL, NULL, NULL);
	assert_true(c.streams[0].has_predecessor);
	assert_memory_equal(&c.streams[0].predecessor, &p, sizeof(p));
	catalog_free(&c);
}

/* A damaged file is a damaged snapshot that says why; the others are what they were. */
static void test_damaged(void **state)
{
	struct archive_id a = small(1, NULL), b = small(2, &a);
	struct catalog c;
	char name[600];

	(void)state;
	(void)small(3, &b);
	kit_name(&b, 0, name);
	kit_truncate(name, kit_size(name) - 1);
	states_are("ODO");
	c = load(NULL, kit.host, NULL);
	assert_int_equal(c.streams[0].snapshots[1].archive.seq, 2);
	assert_memory_equal(c.streams[0].snapshots[1].archive.id, b.id, 16);
	assert_non_null(strstr(c.streams[0].snapshots[1].problem, name));
	catalog_free(&c);
}

/* A missing part is damage, named by its number. */
static void test_missing_part(void **state)
{
	static const struct fake large[] = { { 1, 1200000, 3 } };
	struct writer_result w = kit_write(1, NULL, large, 1, 36);
	struct catalog c;
	char name[600];

	(void)state;
	kit_name(&w.archive, 2, name);
	kit_remove(name);
	c = load(NULL, NULL, NULL);
	assert_int_equal(c.streams[0].snapshots[0].state, SNAPSHOT_DAMAGED);
	assert_non_null(strstr(c.streams[0].snapshots[0].problem, "part 2 is missing"));
	catalog_free(&c);
}

/* A snapshot rests on others: with one of these damaged or gone it is damaged as well. */
static void test_missing_dependency(void **state)
{
	struct archive_id a = small(1, NULL), b = small(2, &a);
	struct dependency dep = { .archive = a, .live = 1 };
	struct craft c = { .seq = 3, .parent = &b, .dep = &dep };
	char name[600];

	(void)state;
	(void)kit_craft(&c, NULL);
	states_are("OOO");
	kit_name(&a, 0, name);
	kit_truncate(name, 100);
	states_are("DOD");
	kit_remove(name);
	states_are("OD");
}

/* So it is where the one it rests on lacks a part. */
static void test_incomplete_dependency(void **state)
{
	static const struct fake large[] = { { 1, 1200000, 3 } };
	struct writer_result w = kit_write(1, NULL, large, 1, 36);
	struct dependency dep = { .archive = w.archive, .live = 1 };
	struct craft c = { .seq = 2, .parent = &w.archive, .dep = &dep };
	char name[600];

	(void)state;
	(void)kit_craft(&c, NULL);
	states_are("OO");
	kit_name(&w.archive, 1, name);
	kit_remove(name);
	states_are("DD");
}

/* What is wrong with the one it rests on is said, by its number.  What that one rests on is
 * its own affair: the list names all that is reached. */
static void test_dependency_named(void **state)
{
	struct archive_id a = small(1, NULL), b;
	struct dependency dep = { .archive = a, .live = 1 };
	struct craft c = { .seq = 2, .parent = &a, .dep = &dep };
	struct catalog all;
	char name[600];

	(void)state;
	b = kit_craft(&c, NULL);
	dep.archive = b;
	c = (struct craft){ .seq = 3, .parent = &b, .dep = &dep };
	(void)kit_craft(&c, NULL);
	kit_name(&a, 0, name);
	kit_truncate(name, 100);
	states_are("DDO");
	all = load(NULL, NULL, NULL);
	assert_non_null(strstr(all.streams[0].snapshots[1].problem,
			       "snapshot 1, on which it rests, is damaged"));
	catalog_free(&all);
	kit_remove(name);
	states_are("DO");
	all = load(NULL, NULL, NULL);
	assert_non_null(strstr(all.streams[0].snapshots[0].problem,
			       "snapshot 1, on which it rests, is missing"));
	catalog_free(&all);
}

/* With a key at hand, what it does not open is known, and what rests on such; without one
 * nothing is said. */
static void test_needs_key(void **state)
{
	struct craft sealed = { .seq = 1, .reader = kit.stranger };
	struct archive_id a = kit_craft(&sealed, NULL), b = small(2, &a);
	struct dependency dep = { .archive = a, .live = 1 };
	struct craft c = { .seq = 3, .parent = &b, .dep = &dep };
	struct catalog all;

	(void)state;
	(void)kit_craft(&c, NULL);
	states_are("OOO");
	for (int keyed = 0; keyed < 2; keyed++) {
		all = load(NULL, kit.host, keyed ? &kit.reader_keys : NULL);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(all.streams[0].snapshots[i].needs_key,
					 keyed && i != 1);
		catalog_free(&all);
	}
}

/* A stream's directory copied to another name is not a second stream, and is spoken of.
 */
static void test_copied_directory(void **state)
{
	struct archive_id a = small(1, NULL);
	struct bytes problems = BYTES_EMPTY;
	char name[600], copy[700], id[9];
	struct catalog c;

	(void)state;
	kit_name(&a, 0, name);
	crypto_hex(kit.stream.id, 4, id);
	(void)snprintf(copy, sizeof(copy), "s/web/\x1b[1mx.%s", id);
	assert_int_equal(mkdirat(kit.dirfd, copy, 0700), 0);
	(void)snprintf(copy, sizeof(copy), "s/web/\x1b[1mx.%s/%s", id,
		       strrchr(name, '/') + 1);
	kit_copy(name, copy);
	assert_int_equal(
		catalog_load(kit.store, &kit.d, NULL, NULL, NULL, &c, &problems, &oops),
		0);
	assert_int_equal(c.n, 1);
	assert_non_null(memmem(problems.p, problems.len, "?[1mx", 5));
	assert_null(memchr(problems.p, 0x1b, problems.len));
	bytes_free(&problems);
	catalog_free(&c);
}

/* Parts without their last one are no snapshot, nor damage. */
static void test_unfinished(void **state)
{
	static const struct fake large[] = { { 1, 1200000, 3 } };
	struct writer_result w = kit_write(2, NULL, large, 1, 36);
	struct bytes problems = BYTES_EMPTY;
	struct catalog c;
	char name[600];

	(void)state;
	kit_name(&w.archive, 0, name);
	kit_remove(name);
	assert_int_equal(
		catalog_load(kit.store, &kit.d, NULL, NULL, NULL, &c, &problems, &oops),
		0);
	assert_int_equal(c.n, 0);
	assert_int_equal(problems.len, 0);
	catalog_free(&c);
	(void)small(1, NULL);
	states_are("O");
}

/* A checkpoint is PARTIAL. */
static void test_partial(void **state)
{
	struct craft c = { .seq = 1, .partial = true };
	struct archive_id a = kit_craft(&c, NULL);

	(void)state;
	(void)small(2, &a);
	states_are("PO");
}

/* Rule R5: what nobody names as parent is abandoned once its successor number is taken,
 * but only if every file of that number verifies. */
static void test_abandoned(void **state)
{
	struct archive_id a = small(1, NULL), b, x, y;
	char name[600];

	(void)state;
	b = small(2, &a);
	(void)small(2, &a);
	states_are("OOO"); /* either may be the parent of what comes */
	x = small(3, &b);
	{
		struct catalog c = load(NULL, kit.host, NULL);
		const struct snapshot *s = c.streams[0].snapshots;
		bool first = memcmp(s[1].archive.id, b.id, 16) == 0;

		assert_int_equal(s[first ? 1 : 2].state, SNAPSHOT_OK);
		assert_int_equal(s[first ? 2 : 1].state, SNAPSHOT_ABANDONED);
		catalog_free(&c);
	}
	y = small(3, &b); /* of the same number, but not to be read: */
	kit_name(&y, 0, name);
	kit_truncate(name, 5000);
	{
		struct catalog c = load(NULL, kit.host, NULL);

		assert_int_equal(c.streams[0].snapshots[1].state, SNAPSHOT_OK);
		assert_int_equal(c.streams[0].snapshots[2].state, SNAPSHOT_OK);
		catalog_free(&c);
	}
	(void)x;
}

/* A child further on than the next number keeps its parent from being abandoned. */
static void test_far_child(void **state)
{
	struct archive_id a = small(1, NULL);

	(void)state;
	(void)small(2, NULL);
	states_are("AO");
	(void)small(3, &a);
	states_are("OAO");
}

/* Whatever a hostile store puts there, it is damage with a sentence free of control
 * characters, or nothing at all. */
static void test_hostile(void **state)
{
	static const char *const names[] = {
		".vsf",
		"x.vsf",
		"0000000001.vsf",
		"0000000000-00112233445566778899aabbccddeeff.vsf",
		"1-00112233445566778899aabbccddeeff.vsf",
		"00000000001-00112233445566778899aabbccddeeff.vsf",
		"99999999999999999999999-00112233445566778899aabbccddeeff.vsf",
		"0000000001-00112233445566778899aabbccddeefg.vsf",
		"0000000001-00112233445566778899AABBCCDDEEFF.vsf",
		"a\n\x1b[31m.vsf",
		"0000000004-00112233445566778899aabbccddeeff.vsf",
		"18446744073709551615-00112233445566778899aabbccddeeff.vsf",
	};
	struct bytes problems = BYTES_EMPTY;
	struct archive_id a = small(1, NULL);
	char dir[512], name[1024];
	struct catalog c;
	size_t n = sizeof(names) / sizeof(*names), named = 0;

	(void)state;
	stream_dir(&kit.stream, dir, sizeof(dir));
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		kit_put(name, names[i], strlen(names[i]));
	}
	(void)snprintf(name, sizeof(name), "%s/0000000001-%032d.0001.vsa", dir, 0);
	kit_put(name, "", 0);
	(void)snprintf(name, sizeof(name), "%s/.vsa", dir);
	kit_put(name, "", 0);
	(void)snprintf(name, sizeof(name), "%s/0000000005-%032d.vsf", dir, 0);
	assert_int_equal(mkdirat(kit.dirfd, name, 0700), 0);
	(void)snprintf(name, sizeof(name), "%s/0000000006-%032d.vsf", dir, 0);
	assert_int_equal(symlinkat("/dev/zero", kit.dirfd, name), 0);
	(void)snprintf(name, sizeof(name), "%s/0000000007-%032d.vsf", dir, 0);
	assert_int_equal(mkfifoat(kit.dirfd, name, 0600), 0);
	(void)snprintf(name, sizeof(name), "s/%0250d", 0);
	assert_int_equal(mkdirat(kit.dirfd, name, 0700), 0);
	(void)snprintf(name, sizeof(name), "s/web/%0250d", 0);
	assert_int_equal(mkdirat(kit.dirfd, name, 0700), 0);
	kit_put("s/file", "", 0);

	assert_int_equal(catalog_load(kit.store, &kit.d, NULL, kit.host, NULL, &c,
				      &problems, &oops),
			 0);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.streams[0].n, 1 + n + 3);
	for (size_t i = 0; i < c.streams[0].n; i++) {
		const struct snapshot *x = &c.streams[0].snapshots[i];

		named += x->archive.seq > 0;
		if (memcmp(x->archive.id, a.id, 16) == 0) {
			assert_int_equal(x->state, SNAPSHOT_OK);
			continue;
		}
		assert_int_equal(x->state, SNAPSHOT_DAMAGED);
		assert_true(strlen(x->problem) > 0);
		for (const char *p = x->problem; *p; p++)
			assert_true((unsigned char)*p >= ' ');
	}
	assert_int_equal(named,
			 1 + 2 + 3); /* the rest have no number that one could believe */
	assert_non_null(memmem(problems.p, problems.len, "name of a host", 14));
	assert_non_null(memmem(problems.p, problems.len, "name of a stream", 16));
	bytes_free(&problems);
	catalog_free(&c);
}

/* A directory of which nothing verifies is left out, and is spoken of. */
static void test_foreign(void **state)
{
	struct bytes problems = BYTES_EMPTY;
	struct catalog c;

	(void)state;
	(void)small(1, NULL);
	(void)snprintf(kit.d.grants[0].label, sizeof(kit.d.grants[0].label), "other");
	assert_int_equal(
		catalog_load(kit.store, &kit.d, NULL, NULL, NULL, &c, &problems, &oops),
		0);
	assert_int_equal(c.n, 0);
	assert_true(problems.len > 0);
	assert_int_equal(problems.p[problems.len - 1], '\n');
	bytes_free(&problems);
	catalog_free(&c);
}

#define each(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_nothing),
		each(test_load),
		each(test_summaries),
		each(test_older_key),
		each(test_root_of_other_volume),
		each(test_filter),
		each(test_predecessor),
		each(test_damaged),
		each(test_missing_part),
		each(test_missing_dependency),
		each(test_incomplete_dependency),
		each(test_dependency_named),
		each(test_needs_key),
		each(test_copied_directory),
		each(test_unfinished),
		each(test_partial),
		each(test_abandoned),
		each(test_far_child),
		each(test_hostile),
		each(test_foreign),
	};

	return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
