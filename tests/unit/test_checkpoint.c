/* A first snapshot that takes longer than a checkpoint ends, with each byte stored about once: by a clock that
 * the test turns. */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "archive_kit.h"
#include "archive/tally.h"
#include "base/file.h"
#include "base/report.h"
#include "dice.h"
#include "job/host.h"
#include "job/snapshot.h"
#include "plan/config.h"
#include "store/store.h"

static struct err oops;

#define SIZE ((size_t)24 << 20)

/* Each look at the clock takes a tenth of a second. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	static int64_t ms = 1700000000000;

	(void)id;
	ms += 100;
	ts->tv_sec = ms / 1000;
	ts->tv_nsec = ms % 1000 * 1000000;
	return 0;
}

static struct {
	char dir[40];
	struct config config;
	struct host host;
	uint64_t body, files; /* of all archives: bytes of content, number */
} run;

static int setup(void **state)
{
	char text[600], path[60];
	uint8_t *p = malloc(SIZE);
	int n;

	if (kit_setup(state) < 0 || !p)
		return -1;
	(void)snprintf(run.dir, sizeof(run.dir), "/tmp/test_checkpoint.XXXXXX");
	if (!mkdtemp(run.dir))
		return -1;
	n = snprintf(text, sizeof(text),
		     "[host]\nname = web\n[store]\nlocation = %s\n[keys]\ndirectory = %s/keys\n"
		     "[state]\ndirectory = %s/state\n[engine]\nkind = none\n"
		     "[bind Db]\npath = %s/vol\ncheckpoint = 2s\n",
		     kit.location, run.dir, run.dir, run.dir);
	for (const char *const *d = (const char *const[]){ "keys", "state", "vol", NULL }; *d; d++) {
		(void)snprintf(path, sizeof(path), "%s/%s", run.dir, *d);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	dice_bytes(p, SIZE);
	(void)snprintf(path, sizeof(path), "%s/vol/file", run.dir);
	must(file_save(AT_FDCWD, path, p, SIZE, 0600, true, &oops));
	free(p);
	(void)snprintf(path, sizeof(path), "%s/conf", run.dir);
	must(file_save(AT_FDCWD, path, text, (size_t)n, 0600, true, &oops));
	must(config_load(path, &run.config, &oops));
	run.host = (struct host){
		.config = &run.config, .store = kit.store, .d = kit.d, .key = kit.host
	};
	memcpy(run.host.pk, kit.stream.host_pk, 32);
	return 0;
}

static int teardown(void **state)
{
	config_free(&run.config);
	must(file_remove_tree(AT_FDCWD, run.dir, &oops));
	return kit_teardown(state);
}

static int add_archive(void *ctx, const char *name, bool is_dir, uint64_t size, struct err *e)
{
	struct tally t;
	char path[900];

	(void)size;
	(void)snprintf(path, sizeof(path), "%s/%s", (const char *)ctx, name);
	if (is_dir)
		return store_list(kit.store, path, add_archive, path, e);
	must(tally_archive(kit.store, &kit.d, path, &kit.reader_keys, &t, &oops));
	run.body += t.body.plain;
	run.files++;
	return 0;
}

/* There is nothing to note. */
static void noted(void *ctx, enum note_kind kind, const char *path, const char *text)
{
	(void)ctx;
	(void)kind;
	(void)path;
	fail_msg("%s", text);
}

static void snapshot(bool full)
{
	static const struct report report = { .note = noted };
	struct snapshot_options o = { .full = full, .report = &report };
	struct snapshot_outcome out;
	char dir[] = "s";

	(void)alarm(100);
	run.body = run.files = 0;
	if (job_snapshot(&run.host, &run.config.volumes[0], &o, &out, &oops) < 0)
		fail_msg("%s", oops.text);
	(void)alarm(0);
	assert_int_equal(out.totals.bytes, SIZE);
	must(store_list(kit.store, dir, add_archive, dir, &oops));
	assert_in_range(run.files, 3, 40);
	assert_in_range(run.body, SIZE, SIZE + run.files * 2 * 65536);
}

/* Each checkpoint has as much that is new as the first, though all that is stored is read again before it;
 * nothing is stored twice. */
static void test_progress(void **state)
{
	(void)state;
	snapshot(false);
}

/* So too with --full, which is for the first attempt alone. */
static void test_full(void **state)
{
	(void)state;
	snapshot(true);
}

#define each(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { each(test_progress), each(test_full) };

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
