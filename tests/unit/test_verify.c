/* What verify says of snapshots that rest on others: which files are damaged, which snapshots
 * and which paths are lost by it. */
#include "mosaic_kit.h"

#include "archive/catalog.h"
#include "base/report.h"
#include "base/wire.h"
#include "job/host.h"
#include "job/verify.h"
#include "pax_make.h"

#define FILES 40
#define FILE_PAGES 4

static struct err oops;
static struct host host;
static struct mosaic m;
static char notes[65536];
static struct verify_outcome out;
static uint64_t dead; /* in the first: of ./f02 and ./f03, which later ones have anew */

static void note(void *ctx, enum note_kind kind, const char *path, const char *text)
{
	size_t n = strlen(notes);

	(void)ctx;
	(void)snprintf(notes + n, sizeof(notes) - n, "%s%s: %s\n",
		       kind == NOTE_DAMAGED ? "" : "(info) ", path, text);
}
static const struct report report = { .note = note };

/* Forty files with headers as walk makes them. */
static void make_group(void)
{
	static uint8_t group[FILES * 2048];
	size_t n = 0;

	for (int i = 0; i < FILES; i++) {
		struct archive_entry *ae = archive_entry_new();
		char path[32];
		size_t len;

		(void)snprintf(path, sizeof(path), "./f%02d", i);
		archive_entry_set_pathname(ae, path);
		archive_entry_set_filetype(ae, AE_IFREG);
		archive_entry_set_perm(ae, 0600);
		archive_entry_set_size(ae, FILE_PAGES * MOSAIC_PAGE);
		archive_entry_set_mtime(ae, 1000000000, 1);
		len = pax_make(ae);
		assert_in_range(len, 512, 2000);
		n += wire_varint(group + n, len);
		n += wire_varint(group + n, FILE_PAGES * MOSAIC_PAGE);
		memcpy(group + n, pax_room, len);
		n += len;
		archive_entry_free(ae);
	}
	m = (struct mosaic){ .group = group,
			     .group_len = n,
			     .entries = FILES,
			     .files = FILES };
}

/* Snapshot SEQ changes file SEQ, and every one page 3 of all. */
static bool one_file(size_t page, uint64_t seq)
{
	return page / FILE_PAGES == seq || (seq == 4 && page % FILE_PAGES == 3);
}

static int set_up(void **state)
{
	if (kit_setup(state) < 0)
		return -1;
	make_group();
	mosaic_first(&m, FILES * FILE_PAGES);
	dead = (m.pages[8].at.offset + m.pages[16].at.offset) / 2;
	for (int i = 0; i < 4; i++)
		mosaic_next(&m, one_file);
	host = (struct host){ .store = kit.store, .d = kit.d, .n_readers = 1,
			      .readers = { kit.reader } };
	return 0;
}

static int tear_down(void **state)
{
	mosaic_free(&m);
	return kit_teardown(state);
}

/* Verify snapshot SEQ, or all (0). */
static void verify(uint64_t seq, enum verify_depth depth)
{
	struct reader_keys keys = host_reader_keys(&host);
	auto_catalog struct catalog c = CATALOG_EMPTY;
	const struct snapshot *x = NULL;

	notes[0] = '\0';
	memset(&out, 0, sizeof(out));
	must(catalog_load(kit.store, &kit.d, NULL, kit.host, &keys, &c, NULL, &oops));
	assert_int_equal(c.n, 1);
	for (size_t i = 0; seq > 0 && i < c.streams[0].n; i++)
		if (c.streams[0].snapshots[i].archive.seq == seq)
			x = &c.streams[0].snapshots[i];
	must(job_verify(&host, &c.streams[0], x, depth, &report, &out, &oops));
}

static void says(const char *text)
{
	if (!strstr(notes, text))
		fail_msg("no \"%s\" in:\n%s", text, notes);
}

static void says_not(const char *text)
{
	if (strstr(notes, text))
		fail_msg("\"%s\" in:\n%s", text, notes);
}

static size_t lines(void)
{
	size_t n = 0;

	for (const char *p = notes; (p = strchr(p, '\n')) != NULL; p++)
		n++;
	return n;
}

/* Nothing is wrong: nothing is said. */
static void test_whole(void **state)
{
	(void)state;
	for (int depth = VERIFY_QUICK; depth <= VERIFY_KEYED; depth++) {
		verify(0, (enum verify_depth)depth);
		assert_string_equal(notes, "");
		assert_int_equal(out.snapshots, 5);
		assert_int_equal(out.damaged + out.found, 0);
	}
}

/* One bad segment: its file and number, the paths that lie there in each snapshot that still
 * rests on it, and no others. */
static void test_paths(void **state)
{
	char name[600];

	(void)state;
	kit_name(&m.made[3], 0, name); /* pages of ./f03 */
	kit_flip(name, 4096 + 100);
	verify(0, VERIFY_KEYED);
	says(name);
	says("segment 0: damaged");
	says("Db@3: ./f03: content lost");
	says("Db@4: ./f03: content lost");
	says("Db@5: ./f03: content lost");
	says_not("Db@2");
	says_not("./f02");
	assert_int_equal(out.snapshots, 5);
	assert_int_equal(out.damaged, 3);
	verify(5, VERIFY_KEYED);
	says("Db@3: s/");
	says("Db@5: ./f03: content lost");
	says_not("Db@4");
	assert_int_equal(out.snapshots, 1);
	assert_int_equal(out.damaged, 1);
}

/* Many paths: twenty of them, and how many more. */
static void test_many_paths(void **state)
{
	char name[600];

	(void)state;
	kit_name(&m.made[1], 0, name);
	kit_remove(name);
	verify(2, VERIFY_KEYED);
	says("snapshot 1, on which it rests, is missing");
	says("Db@2: ./f19: content lost");
	says("Db@2: ./f20: content lost");
	says_not("Db@2: ./f21: content lost");
	says("and 19 paths more"); /* of 40 one is all new */
	assert_int_equal(lines(), 22);
	assert_int_equal(out.damaged, 1);
}

/* A snapshot that rests on a damaged one and has lost nothing by it is not damaged. */
static void test_nothing_lost(void **state)
{
	char name[600];

	(void)state;
	kit_name(&m.made[1], 0, name);
	kit_flip(name, 4096 + dead / SEGMENT_PAYLOAD * SEGMENT_LEN);
	verify(5, VERIFY_KEYED);
	assert_int_equal(out.damaged, 0);
	assert_true(out.found > 0);
	says("Db@1: s/");
	says("(info) Db@5: snapshot 1, on which it rests, is damaged");
	says_not("content lost");
	verify(2, VERIFY_KEYED);
	says("Db@2: ./f03: content lost");
	assert_int_equal(out.damaged, 1);
}

/* Without a key the snapshots that rest on it are named. */
static void test_keyless(void **state)
{
	char name[600];

	(void)state;
	host.n_readers = 0;
	kit_name(&m.made[3], 0, name);
	kit_flip(name, 4096 + 100);
	verify(0, VERIFY_KEYED);
	assert_int_equal(out.depth, VERIFY_BYTES);
	says("segment 0: damaged");
	says("Db@4: snapshot 3, on which it rests, is damaged");
	says("Db@5: snapshot 3, on which it rests, is damaged");
	says_not("Db@2");
	assert_int_equal(out.damaged, 3);
	verify(5, VERIFY_KEYED);
	says("Db@3: s/");
	says("Db@5: snapshot 3");
	assert_int_equal(out.damaged, 1);
	verify(0, VERIFY_QUICK);
	assert_string_equal(notes, "");
	kit_remove(name);
	verify(0, VERIFY_QUICK);
	says("Db@4: snapshot 3, on which it rests, is missing");
	assert_int_equal(out.damaged, 2);
}

/* A file of which neither copy of the trailer serves is named by all that rest on it. */
static void test_closed(void **state)
{
	char name[600];

	(void)state;
	kit_name(&m.made[3], 0, name);
	kit_truncate(name, 5000);
	verify(0, VERIFY_KEYED);
	says("Db@3: s/");
	says("Db@5: ./f03: content lost");
	says_not("Db@5: ./f02");
	assert_int_equal(out.damaged, 3);
}

#define each(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_whole),	 each(test_paths),   each(test_many_paths),
		each(test_nothing_lost), each(test_keyless), each(test_closed),
	};

	return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
