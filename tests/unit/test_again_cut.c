/* Snapshots that go on from one that was cut short, or whose tip cache is damaged: what is stored is not
 * stored twice, and what is read back is the volume or there is no snapshot. */
#include "again_kit.h"
#include "dice.h"

#include <dirent.h>
#include <fcntl.h>

static struct err oops;
static struct volume v;
static struct shot before = SHOT_EMPTY, now = SHOT_EMPTY;

static int setup(void **state)
{
	if (kit_setup(state) < 0)
		return -1;
	volume_fill(&v);
	return 0;
}

static int teardown(void **state)
{
	shot_forget(&before);
	shot_forget(&now);
	volume_free(&v);
	return kit_teardown(state);
}

static uint64_t sum_of(const struct volume *x)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < x->n; i++)
		sum += x->items[i].n;
	return sum;
}

/* ---- checkpoints ---- */

/* A checkpoint in the middle of any file: the snapshot behind it writes what is left and what the
 * file's last chunk takes, and it is the volume; entries that the checkpoint has are not read. */
static void test_checkpoint(void **state)
{
	uint64_t all = sum_of(&v);

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		uint64_t stop = i == 0 ? 1 : dice_below(all - 2 * 65536) + 1;
		struct take t = { .stop_after = stop };
		struct reader *r = NULL;

		again_take(&v, &t, &before);
		r = kit_open(before.name);
		assert_true(reader_trailer(r)->partial);
		reader_free(r);
		again_take(&v, &(struct take){ .from = &before }, &now);
		again_expect(&v, &now);
		assert_in_range(before.tally.body.plain + now.tally.body.plain, all,
				all + 3 * 65536);
		assert_true(now.read + before.read <= v.n + 1);
		shot_forget(&before);
		shot_move(&before, &now);
		again_take(&v, &(struct take){ .from = &before }, &now);
		assert_int_equal(now.read, 0);
		assert_int_equal(now.tally.body.n + now.tally.head.n + now.tally.node.n, 0);
		shot_forget(&now);
		shot_forget(&before);
	}
}

/* Checkpoint after checkpoint, each with a MiB more than the one before: nothing is stored twice. */
static void test_many_checkpoints(void **state)
{
	uint64_t all = sum_of(&v), stored = 0;
	struct take t = { .stop_after = 1 << 20 };
	struct reader *r;
	unsigned n = 0;
	bool partial;

	(void)state;
	do {
		again_take(&v, &t, &now);
		stored += now.tally.body.plain;
		r = kit_open(now.name);
		partial = reader_trailer(r)->partial;
		reader_free(r);
		shot_move(&before, &now);
		t.from = &before;
		n++;
		assert_true(n < 20);
	} while (partial);
	assert_true(n > 3);
	again_expect(&v, &before);
	assert_in_range(stored, all, all + n * 2 * 65536);
}

/* ---- damage ---- */

/* Names in the tip cache, sorted out of "." and "..". */
static size_t cache_names(char names[][80], size_t room)
{
	int fd = openat(kit.cache.dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	struct dirent *de;
	size_t n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		if (de->d_name[0] != '.') {
			assert_true(n < room);
			(void)snprintf(names[n++], 80, "%.79s", de->d_name);
		}
	(void)closedir(d);
	return n;
}

static void spoil(const char *name, bool remove)
{
	auto_close int fd = openat(kit.cache.dirfd, name, O_RDWR | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END), at;
	uint8_t b;

	assert_true(fd >= 0 && size > 0);
	at = (off_t)dice_below((size_t)size);
	assert_int_equal(pread(fd, &b, 1, at), 1);
	b ^= (uint8_t)(1 << dice_below(8));
	assert_int_equal(pwrite(fd, &b, 1, at), 1);
	if (remove)
		assert_int_equal(unlinkat(kit.cache.dirfd, name, 0), 0);
}

/* Some of the volume changes. */
static void change_some(void)
{
	for (unsigned i = 0; i < 20; i++) {
		struct item *x = &v.items[1 + dice_below(v.n - 1)];

		item_splice(x, dice_below(x->n + 1), 0, dice_below(2000));
	}
}

/* Go on from BEFORE; -1: the writer failed, and says that the tip cache is why. */
static int go_on(const struct take *t)
{
	struct writer *w = NULL;
	size_t read;
	int r = again_open(t, &w, &oops);

	if (r == 0)
		r = again_send(w, &v, 0, &read, &oops);
	if (r == 0)
		r = again_commit(w, t, false, &now, &oops);
	writer_free(w);
	if (r < 0)
		assert_true(kit.cache.broken);
	return r;
}

/* With any file of the tip cache damaged or gone the next snapshot is the volume all the same, or there is
 * none and the cache is known to be broken; a full one then makes it whole, and the one after that goes
 * on from it. */
static void test_damage(void **state)
{
	static char names[200][80];
	unsigned failed = 0, went_on = 0;
	size_t n;

	(void)state;
	again_take(&v, &(struct take){ .level = 0 }, &before);
	for (unsigned i = 0; i < 40; i++) {
		struct take t = { .from = &before };
		const char *name;

		n = cache_names(names, 200);
		name = names[dice_below(n)];
		if (dice_below(3) > 0)
			change_some();
		if (strncmp(name, "list-", 5) == 0) /* read before: it is the next one's */
			continue;
		spoil(name, dice_below(2));
		if (go_on(&t) < 0) {
			failed++;
			t.no_cache = true;
			if (go_on(&t) < 0)
				fail_msg("a full one: %s", oops.text);
			again_expect(&v, &now);
			shot_move(&before, &now);
			if (go_on(&(struct take){ .from = &before }) < 0)
				fail_msg("behind a full one, %s damaged: %s", name, oops.text);
			assert_int_equal(now.read, 0);
		} else {
			went_on++;
		}
		again_expect(&v, &now);
		shot_move(&before, &now);
	}
	printf("# %u failed, %u went on\n", failed, went_on);
	assert_true(failed > 5);
}

/* A volume that is at rest goes on from a full snapshot too when a segment of entries, which then has the
 * same name again, was damaged. */
static void test_damaged_entries(void **state)
{
	char name[33];

	(void)state;
	again_take(&v, &(struct take){ .level = 0 }, &before);
	crypto_hex(before.list.segs[CACHE_ENTRIES].list[0].name, 16, name);
	spoil(name, false);
	assert_int_equal(go_on(&(struct take){ .from = &before }), -1);
	assert_int_equal(go_on(&(struct take){ .from = &before, .no_cache = true }), 0);
	shot_move(&before, &now);
	if (go_on(&(struct take){ .from = &before }) < 0)
		fail_msg("%s", oops.text);
	again_expect(&v, &now);
}

/* ---- sweeping ---- */

/* What a commit sweeps leaves exactly what the next one needs: list, segments, and a copy of each frame of
 * headers in use. */
static void test_sweep(void **state)
{
	static char names[200][80];
	size_t n, lists = 0, copies = 0, segments = 0, named = 0;

	(void)state;
	again_take(&v, &(struct take){ .level = 0 }, &before);
	for (unsigned i = 0; i < 5; i++) {
		change_some();
		again_take(&v, &(struct take){ .from = &before }, &now);
		shot_move(&before, &now);
	}
	n = cache_names(names, 200);
	for (size_t i = 0; i < n; i++) {
		lists += strncmp(names[i], "list-", 5) == 0;
		copies += strncmp(names[i], "h-", 2) == 0;
		segments += strlen(names[i]) == 32;
	}
	for (size_t k = 0; k < CACHE_KINDS; k++)
		named += before.list.segs[k].n;
	assert_int_equal(lists, 1);
	assert_int_equal(segments, named);
	assert_in_range(copies, 1, 6);
	assert_int_equal(lists + copies + segments, n);
	for (size_t i = 0; i < v.n; i++)
		v.items[i].stat.mode ^= 1;
	again_take(&v, &(struct take){ .from = &before }, &now);
	n = cache_names(names, 200);
	for (size_t i = 0; i < n; i++)
		if (strncmp(names[i], "h-", 2) == 0)
			assert_int_equal(strncmp(names[i], "h-7-", 4), 0);
}

/* A snapshot that is not committed sweeps nothing away: the next one goes on from the one before. */
static void test_no_sweep(void **state)
{
	struct take t = { .from = &before };
	struct summary s = { .level = 0 };
	struct writer_result result;
	struct writer *w = NULL;
	struct root r;
	size_t read;

	(void)state;
	again_take(&v, &(struct take){ .level = 0 }, &before);
	change_some();
	for (int staged = 0; staged < 2; staged++) {
		must(again_open(&t, &w, &oops));
		must(again_send(w, &v, 0, &read, &oops));
		kit_root(&r, 2);
		if (staged)
			must(writer_stage(w, false, &r, &s, &result, &oops));
		assert_int_equal(writer_sweep(w, &oops), -1);
		writer_free(w);
		assert_int_equal(go_on(&t), 0);
		again_expect(&v, &now);
		shot_move(&before, &now);
	}
}

#define each(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_checkpoint), each(test_many_checkpoints), each(test_damage),
		each(test_damaged_entries), each(test_sweep), each(test_no_sweep),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
