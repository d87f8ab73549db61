/* header.c: what a header says is what POSIX means by it, where libarchive says it its
 * own way. */
#include "source/header.h"

#include <archive_entry.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "source/pax.h"

static char scratch[64];
static struct pax pax;

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(scratch, sizeof(scratch), "/tmp/test_header.XXXXXX");
	return mkdtemp(scratch) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	return file_remove_tree(AT_FDCWD, scratch, &e);
}

__attribute__((format(printf, 1, 2))) static void run(const char *fmt, ...)
{
	char command[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("%s", command);
}

struct when {
	int64_t sec;
	uint32_t nsec;
	const char *text; /* what the header must say */
};

static const struct when times[] = {
	{ -2, 500000000, "=-1.5\n" },
	{ -1, 500000000, "=-0.5\n" },
	{ -1, 999999999, "=-0.000000001\n" },
	{ -1, 1, "=-0.999999999\n" },
	{ -10, 250000000, "=-9.75\n" },
	{ -2, 0, "=-2\n" },
	{ -315619200, 250000000, "=-315619199.75\n" },
	{ 1, 500000000, "=1.5\n" },
	{ 0, 1, "=0.000000001\n" },
};

enum { N_TIMES = sizeof(times) / sizeof(*times) };

static void name_of(size_t i, char out[32]) { (void)snprintf(out, 32, "./%zu", i); }

/* The header of entry I, which is a FIFO, or a sparse file with a map. */
static void make_entry(struct archive_entry *ae, size_t i, bool sparse)
{
	char name[32];

	name_of(i, name);
	(void)archive_entry_clear(ae);
	archive_entry_set_pathname(ae, name);
	archive_entry_set_mode(ae, (sparse ? S_IFREG : S_IFIFO) | 0644);
	archive_entry_set_size(ae, sparse ? 1 << 20 : 0);
	archive_entry_set_mtime(ae, (time_t)times[i].sec, (long)times[i].nsec);
	if (sparse)
		archive_entry_sparse_add_entry(ae, 4096, 512);
}

static void make_tar(bool sparse)
{
	static const char zeros[1024];
	struct archive_entry *ae = archive_entry_new();
	struct err e = ERR_EMPTY;
	struct header *h = NULL;
	const uint8_t *p;
	const char *why;
	char name[100];
	FILE *f;
	size_t n;

	assert_non_null(ae);
	(void)snprintf(name, sizeof(name), "%s/tar", scratch);
	f = fopen(name, "we");
	assert_non_null(f);
	assert_int_equal(header_new(&h, &e), 0);
	for (size_t i = 0; i < N_TIMES; i++) {
		make_entry(ae, i, sparse);
		assert_int_equal(header_make(h, ae, &p, &n, &why, &e), 0);
		assert_int_equal(n % 512, 0);
		if (!memmem(p, n, times[i].text, strlen(times[i].text)))
			fail_msg("no mtime%s", times[i].text);
		if (pax_parse(p, n, &pax, &e) < 0)
			fail_msg("%s", e.text);
		name_of(i, name);
		assert_string_equal(pax.path, name);
		assert_int_equal(pax.mtime, times[i].sec);
		assert_int_equal(pax.mtime_ns, times[i].nsec);
		assert_int_equal(pax.size, sparse ? 1 << 20 : 0);
		assert_int_equal(fwrite(p, 1, n, f), n);
		if (sparse)
			assert_int_equal(fwrite(zeros, 1, 512, f), 512);
	}
	assert_int_equal(fwrite(zeros, 1, 1024, f), 1024);
	assert_int_equal(fclose(f), 0);
	header_free(h);
	archive_entry_free(ae);
}

/* What lies in DIR now has the times; FLOATS: as well as Python's numbers have them. */
static void check_times(const char *dir, bool floats)
{
	for (size_t i = 0; i < N_TIMES; i++) {
		char name[120];
		struct stat st;
		long off;

		(void)snprintf(name, sizeof(name), "%s/%s/%zu", scratch, dir, i);
		assert_int_equal(lstat(name, &st), 0);
		off = (st.st_mtim.tv_sec - times[i].sec) * 1000000000 +
		      st.st_mtim.tv_nsec - (long)times[i].nsec;
		if (off < (floats ? -200 : 0) || off > (floats ? 200 : 0))
			fail_msg("%s: mtime%s is %ld.%09ld", dir, times[i].text,
				 (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	}
}

static void extract(void)
{
	run("cd %s && rm -rf gnu py && mkdir gnu py && tar -C gnu -xpf tar 2>/dev/null",
	    scratch);
	check_times("gnu", false);
	run("cd %s && python3 -c 'import tarfile; "
	    "tarfile.open(\"tar\").extractall(\"py\")' 2>/dev/null",
	    scratch);
	check_times("py", true);
}

/* Times before 1970 with a fraction: the sign is the whole number's, and GNU tar and
 * Python take them so. */
static void times_before_1970(void **state)
{
	(void)state;
	make_tar(false);
	extract();
}

/* The map that follows such a header stays as it is. */
static void sparse_files_too(void **state)
{
	(void)state;
	make_tar(true);
	extract();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(times_before_1970, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sparse_files_too, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
