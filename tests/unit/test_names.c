/* names.c: sorted listings, in memory and spilled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "source/names.h"

#define KEEP (1024 * 1024)

static char dir[] = "/dev/shm/test_names.XXXXXX"; /* tmpfs: many files in little time */
static int dir_fd = -1;
static int next_fd; /* what the next descriptor will be, if none leaks */

static int setup(void **state)
{
	(void)state;
	(void)strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	next_fd = dup(dir_fd);
	(void)close(next_fd);
	return dir_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct err e = ERR_EMPTY;
	int fd = dup(dir_fd);

	(void)state;
	(void)close(fd);
	(void)close(dir_fd);
	if (file_remove_tree(AT_FDCWD, dir, &e) < 0)
		return -1;
	return fd == next_fd ? 0 : -1; /* a descriptor leaked */
}

static void touch(const char *name)
{
	assert_int_equal(mknodat(dir_fd, name, S_IFREG | 0600, 0), 0);
}

/* A name of LEN bytes with I in it; the order of the names is not that of the numbers. */
static void number_name(char *out, size_t len, unsigned i)
{
	char digits[16];

	memset(out, 'n', len);
	(void)snprintf(digits, sizeof(digits), "%07u", (i * 7919U) % 10000000U);
	memcpy(out, digits, 7);
	out[len] = '\0';
}

/* Read all names: ascending, each once, N of them, every one made by number_name. */
static void expect_numbers(size_t keep, size_t n)
{
	struct err e = ERR_EMPTY;
	char last[256] = "";
	struct names *names;
	const char *name;
	size_t count = 0;
	int r;

	assert_int_equal(names_read(dir_fd, "/tmp", keep, &names, &e), 0);
	assert_true(names_memory(names) <= keep + 8192);
	while ((r = names_next(names, &name, &e)) == 0) {
		if (strcmp(last, name) >= 0)
			fail_msg("%s after %s", name, last);
		(void)snprintf(last, sizeof(last), "%s", name);
		assert_int_equal(faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW), 0);
		count++;
	}
	assert_int_equal(r, 1);
	assert_int_equal(names_next(names, &name, &e), 1);
	assert_int_equal(count, n);
	names_free(names);
}

static void make_numbers(unsigned n, size_t len)
{
	char name[256];

	for (unsigned i = 0; i < n; i++) {
		number_name(name, len, i);
		touch(name);
	}
}

/* An empty directory has no names, not even its dots. */
static void empty(void **state)
{
	(void)state;
	expect_numbers(KEEP, 0);
	expect_numbers(0, 0);
}

/* The order is that of bytes: above 127 comes last, a dot before a letter, a prefix
 * first. */
static void order(void **state)
{
	static const char *const right[] = { "\001", "\n",   "-",    "...", ".a",
					     "A",    "a",    "a b",  "a-",  "aa",
					     "b",    "\x7f", "\x80", "\xff" };
	size_t n = sizeof(right) / sizeof(*right);
	struct err e = ERR_EMPTY;

	(void)state;
	for (size_t i = n; i-- > 0;)
		touch(right[i]);
	for (size_t keep = 0; keep <= KEEP; keep += KEEP) {
		struct names *names;
		const char *name;

		assert_int_equal(names_read(dir_fd, "/tmp", keep, &names, &e), 0);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(names_next(names, &name, &e), 0);
			assert_string_equal(name, right[i]);
		}
		assert_int_equal(names_next(names, &name, &e), 1);
		names_free(names);
		assert_int_equal(lseek(dir_fd, 0, SEEK_SET), 0);
	}
}

/* The same names come whether the list stays in memory, or is spilled for want of a
 * budget. */
static void budget(void **state)
{
	(void)state;
	make_numbers(3000, 40);
	expect_numbers(KEEP, 3000);
	assert_int_equal(lseek(dir_fd, 0, SEEK_SET), 0);
	expect_numbers(100, 3000);
}

/* One name more than a run has makes two runs, and nothing is lost at the seam. */
static void two_runs(void **state)
{
	(void)state;
	make_numbers(32768, 7);
	expect_numbers(KEEP, 32768);
	touch("zzz");
	assert_int_equal(lseek(dir_fd, 0, SEEK_SET), 0);
	expect_numbers(KEEP, 32769);
}

/* Long names fill a run by bytes; more runs than are merged at a time are merged in
 * rounds. */
static void rounds(void **state)
{
	(void)state;
	make_numbers(290000, 255); /* 70 runs of 4112 names */
	expect_numbers(KEEP, 290000);
}

/* What is not a directory cannot be listed at all: outcome 1 and errno. */
static void not_listed(void **state)
{
	auto_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct err e = ERR_EMPTY;
	struct names *names;

	(void)state;
	assert_int_equal(names_read(fd, "/tmp", KEEP, &names, &e), 1);
	assert_int_equal(errno, ENOTDIR);
}

/* Without a scratch directory a list that fits is read, and one that does not is an
 * error. */
static void no_scratch(void **state)
{
	struct err e = ERR_EMPTY;
	struct names *names;

	(void)state;
	make_numbers(10, 7);
	assert_int_equal(names_read(dir_fd, "/nonexistent", KEEP, &names, &e), 0);
	names_free(names);
	assert_int_equal(lseek(dir_fd, 0, SEEK_SET), 0);
	assert_int_equal(names_read(dir_fd, "/nonexistent", 0, &names, &e), -1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(empty),  CASE(order),	CASE(budget),	  CASE(two_runs),
		CASE(rounds), CASE(not_listed), CASE(no_scratch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
