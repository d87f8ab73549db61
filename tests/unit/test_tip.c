/* A host's memory of a stream: records, lock, ring. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "archive/crypto.h"
#include "archive/key.h"
#include "archive/tip.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"

static struct err oops;
static char state_dir[64];
static struct secret *host;
static int dir = -1;

static int setup(void **state)
{
	(void)state;
	if (crypto_init(&oops) < 0)
		return -1;
	(void)snprintf(state_dir, sizeof(state_dir), "/tmp/test_tip.XXXXXX");
	if (!mkdtemp(state_dir))
		return -1;
	host = secret_random(&oops);
	dir = tip_dir(state_dir, STREAM_VOLUME, "db", &oops);
	return dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)close(dir);
	secret_free(host);
	return file_remove_tree(AT_FDCWD, state_dir, &oops);
}

/* A record in which every field has a value of its own. */
static struct tip known_tip(void)
{
	struct tip t;

	memset(&t, 0, sizeof(t));
	crypto_random(t.stream_id, sizeof(t.stream_id));
	crypto_random(t.nonce, sizeof(t.nonce));
	crypto_random(t.archive.id, sizeof(t.archive.id));
	crypto_random(t.archive.trailer_hash, sizeof(t.archive.trailer_hash));
	crypto_random(t.chain, sizeof(t.chain));
	crypto_random(t.abandoned, sizeof(t.abandoned));
	t.archive.seq = 42;
	t.entries = UINT64_MAX - 1;
	t.complete_day = -3;
	t.has_complete = true;
	t.abandoned_at = TIP_ABANDONED - 1;
	return t;
}

static int load(const char *name, struct tip *t, const char **why)
{
	memset(t, 0, sizeof(*t));
	return tip_load(dir, name, host, t, why, &oops);
}

static void save(const char *name, const struct tip *t)
{
	assert_int_equal(tip_save(dir, name, host, t, &oops), 0);
}

/* The directory is made, for its owner only, one for each kind and name; tip_find finds
 * it and makes none. */
static void test_directory(void **state)
{
	static const enum stream_kind kinds[] = { STREAM_VOLUME, STREAM_BIND,
						  STREAM_FILE };
	ino_t seen[4];
	struct stat st;

	(void)state;
	assert_int_equal(tip_find(state_dir, STREAM_BIND, "a/b"), -1);
	for (size_t i = 0; i < 4; i++) {
		int fd = i < 3 ? tip_dir(state_dir, kinds[i], "a/b", &oops)
			       : tip_dir(state_dir, STREAM_BIND, "a/c", &oops);
		int found = i < 3 ? tip_find(state_dir, kinds[i], "a/b")
				  : tip_find(state_dir, STREAM_BIND, "a/c");

		assert_true(fd >= 0 && found >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
		seen[i] = st.st_ino;
		assert_int_equal(fstat(found, &st), 0);
		assert_int_equal(st.st_ino, seen[i]);
		for (size_t k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
		(void)close(fd);
		(void)close(found);
	}
}

/* What was saved is loaded, every field of it. */
static void test_round_trip(void **state)
{
	struct tip t = known_tip(), back;
	const char *why = "";

	(void)state;
	assert_int_equal(load("tip", &back, &why), 1);
	assert_null(why);
	save("tip", &t);
	assert_int_equal(load("tip", &back, &why), 0);
	assert_memory_equal(&back, &t, sizeof(t));
	t.has_complete = false;
	t.archive.seq = 0;
	save("tip", &t);
	assert_int_equal(load("tip", &back, &why), 0);
	assert_memory_equal(&back, &t, sizeof(t));
	assert_int_equal(load("next", &back, &why), 1);
}

/* Any change of the record, a cut, a byte more, another host's key: it is as good as
 * lost, which is said. */
static void test_damaged(void **state)
{
	struct bytes raw = BYTES_EMPTY;
	struct tip t = known_tip(), back;
	struct secret *other;
	const char *why;

	(void)state;
	save("tip", &t);
	assert_int_equal(file_load(dir, "tip", 4096, &raw, &oops), 0);
	for (size_t i = 0; i < raw.len; i++) {
		raw.p[i] ^= 1;
		assert_int_equal(
			file_save(dir, "next", raw.p, raw.len, 0600, true, &oops), 0);
		assert_int_equal(load("next", &back, &why), 1);
		assert_non_null(why);
		raw.p[i] ^= 1;
	}
	assert_int_equal(bytes_zero(&raw, 1, &oops), 0);
	for (size_t n = 0; n <= raw.len; n += n + 2 < raw.len ? 7 : 1) {
		assert_int_equal(file_save(dir, "next", raw.p, n, 0600, true, &oops), 0);
		assert_int_equal(load("next", &back, &why), n == raw.len - 1 ? 0 : 1);
	}
	other = secret_random(&oops);
	assert_int_equal(tip_load(dir, "tip", other, &back, &why, &oops), 1);
	assert_non_null(why);
	secret_free(other);
	bytes_free(&raw);
	assert_int_equal(unlinkat(dir, "tip", 0), 0);
	assert_int_equal(mkdirat(dir, "tip", 0700), 0);
	assert_int_equal(load("tip", &back, &why), 1);
	assert_non_null(why);
}

/* next becomes tip; dropping next leaves tip, and is no error where there is none. */
static void test_promote(void **state)
{
	struct tip a = known_tip(), b = known_tip(), back;
	const char *why;

	(void)state;
	save("tip", &a);
	save("next", &b);
	assert_int_equal(tip_promote(dir, &oops), 0);
	assert_int_equal(load("tip", &back, &why), 0);
	assert_memory_equal(&back, &b, sizeof(b));
	assert_int_equal(load("next", &back, &why), 1);
	assert_int_equal(tip_promote(dir, &oops), -1);
	save("next", &a);
	assert_int_equal(tip_drop_next(dir, &oops), 0);
	assert_int_equal(load("next", &back, &why), 1);
	assert_int_equal(tip_drop_next(dir, &oops), 0);
	assert_int_equal(load("tip", &back, &why), 0);
	assert_memory_equal(&back, &b, sizeof(b));
}

/* The ring holds the last eight ids, each once; an empty place is no id. */
static void test_ring(void **state)
{
	static const uint8_t zero[16];
	struct tip t;
	uint8_t id[12][16];

	(void)state;
	memset(&t, 0, sizeof(t));
	assert_false(tip_is_abandoned(&t, zero));
	for (size_t i = 0; i < 12; i++) {
		crypto_random(id[i], 16);
		assert_false(tip_is_abandoned(&t, id[i]));
		tip_abandon(&t, id[i]);
		tip_abandon(&t, id[i]);
		for (size_t k = 0; k <= i; k++)
			assert_int_equal(tip_is_abandoned(&t, id[k]),
					 i - k < TIP_ABANDONED);
	}
	assert_int_equal(t.abandoned_at, 12 % TIP_ABANDONED);
}

static double seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* While one holds the lock another is refused at once without waiting, and after the time
 * it was told; the sentence names the holder. Closing the descriptor frees it. */
static void test_lock(void **state)
{
	int fd = tip_lock(dir, 0, &oops);
	char pid[40];
	double from;

	(void)state;
	assert_true(fd >= 0);
	(void)snprintf(pid, sizeof(pid), "(pid %ld)", (long)getpid());
	from = seconds();
	assert_int_equal(tip_lock(dir, 0, &oops), -1);
	assert_int_equal(oops.kind, ERR_FAILED);
	assert_non_null(strstr(oops.text, pid));
	assert_true(seconds() - from < 0.5);
	from = seconds();
	assert_int_equal(tip_lock(dir, 1, &oops), -1);
	assert_true(seconds() - from >= 0.9);
	(void)close(fd);
	fd = tip_lock(dir, 0, &oops);
	assert_true(fd >= 0);
	(void)close(fd);
}

/* Who waits gets the lock soon after its holder lets go, even one that dies; the text
 * left by a longer pid does not stay. */
static void test_lock_wait(void **state)
{
	struct bytes text = BYTES_EMPTY;
	char want[32];
	pid_t child;
	int fd, ready[2];
	char c;

	(void)state;
	assert_int_equal(file_save(dir, "lock", "999999999999", 12, 0600, true, &oops),
			 0);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)tip_lock(dir, 0, &oops);
		(void)!write(ready[1], "x", 1);
		(void)usleep(300000);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(tip_lock(dir, 0, &oops), -1);
	fd = tip_lock(dir, 10, &oops);
	assert_true(fd >= 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(file_load(dir, "lock", 100, &text, &oops), 0);
	(void)snprintf(want, sizeof(want), "%ld\n", (long)getpid());
	assert_int_equal(text.len, strlen(want));
	assert_memory_equal(text.p, want, text.len);
	bytes_free(&text);
	(void)close(fd);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

#define each(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_directory), each(test_round_trip), each(test_damaged),
		each(test_promote),   each(test_ring),	     each(test_lock),
		each(test_lock_wait),
	};

	return cmocka_run_group_tests_name("tip", tests, NULL, NULL);
}
