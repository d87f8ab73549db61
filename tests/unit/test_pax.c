#include "source/pax.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "pax_make.h"

static uint64_t seed = 1;

static uint64_t roll(uint64_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

static struct pax pax;
static struct err err;

/* Any bytes but '/' and NUL; long ones now and then. */
static size_t random_name(char *out)
{
	size_t n = 1 + roll(roll(4) ? 12 : 250);

	for (size_t i = 0; i < n; i++) {
		out[i] = (char)(roll(8) ? 'a' + (int)roll(26) : 1 + (int)roll(255));
		if (out[i] == '/')
			out[i] = '_';
	}
	if (out[0] == '.')
		out[0] = ',';
	out[n] = '\0';
	return n;
}

static void random_path(char *out, size_t levels)
{
	size_t n = 1;

	out[0] = '.';
	for (size_t i = 0; i < levels; i++) {
		out[n++] = '/';
		n += random_name(out + n);
	}
}

static int64_t random_time(void)
{
	static const int64_t bases[] = { 0,	     -5,	 -2208988800,
					 7258118400, 1700000000, 1LL << 40 };

	return bases[roll(6)] + (int64_t)roll(1000);
}

struct want {
	uint64_t runs[64][2], size, body;
	size_t n_runs;
};

/* Runs of data in a file of WANT->size. */
static void random_map(struct archive_entry *ae, struct want *want)
{
	uint64_t at = 0;

	want->n_runs = 0;
	want->body = 0;
	archive_entry_sparse_clear(ae);
	for (size_t n = roll(20), i = 0; i < n; i++) {
		uint64_t from = at + 1 + roll(1 << 20), len = 1 + roll(1 << 16);

		if (roll(10) == 0)
			from += 1ULL << 33;
		want->runs[i][0] = from;
		want->runs[i][1] = len;
		at = from + len;
		want->body += len;
		want->n_runs = i + 1;
	}
	want->size = at + 1 + roll(1 << 20);
	archive_entry_set_size(ae, (int64_t)want->size);
	for (size_t i = 0; i < want->n_runs; i++)
		archive_entry_sparse_add_entry(ae, (int64_t)want->runs[i][0],
					       (int64_t)want->runs[i][1]);
	if (want->n_runs == 0)
		archive_entry_sparse_add_entry(ae, (int64_t)want->size, 0);
}

static void random_kind(struct archive_entry *ae, struct want *want, enum pax_type kind)
{
	static const unsigned int types[] = { AE_IFREG, AE_IFREG, AE_IFLNK, AE_IFCHR,
					      AE_IFBLK, AE_IFDIR, AE_IFIFO };
	char path[4096];

	random_path(path, 1 + roll(6));
	archive_entry_set_filetype(ae, types[kind]);
	archive_entry_set_pathname(ae, path);
	random_path(path, 1 + roll(5));
	archive_entry_set_size(ae, 0);
	if (kind == PAX_LINK)
		archive_entry_set_hardlink(ae, path);
	if (kind == PAX_SYMLINK)
		archive_entry_set_symlink(ae, path + roll(2));
	if (kind == PAX_CHAR || kind == PAX_BLOCK) {
		archive_entry_set_rdevmajor(ae, (dev_t)roll(4000));
		archive_entry_set_rdevminor(ae, (dev_t)roll(1 << 20));
	}
	if (kind != PAX_FILE)
		return;
	want->size = want->body = roll(4) ? roll(100000) : roll(1ULL << 31) << 12;
	archive_entry_set_size(ae, (int64_t)want->size);
	if (roll(3) == 0)
		random_map(ae, want);
}

static struct archive_entry *random_entry(struct want *want, enum pax_type kind)
{
	static const int64_t ids[] = {
		0, 999, 65534, 262143, 262144, 2097152, 4294967294
	};
	struct archive_entry *ae = archive_entry_new();

	memset(want, 0, sizeof(*want));
	archive_entry_set_perm(ae, (mode_t)roll(010000));
	archive_entry_set_uid(ae, ids[roll(7)]);
	archive_entry_set_gid(ae, ids[roll(7)]);
	archive_entry_set_mtime(ae, random_time(), roll(2) ? (long)roll(1000000000) : 0);
	/* With a fraction libarchive has its own way before 1970: test_header.c. */
	if (archive_entry_mtime(ae) < 0)
		archive_entry_set_mtime(ae, archive_entry_mtime(ae), 0);
	random_kind(ae, want, kind);
	if (roll(4) == 0)
		archive_entry_xattr_add_entry(ae, "user.x", "a\0=\n7 b", 7);
	if (roll(8) == 0 && kind != PAX_SYMLINK)
		archive_entry_copy_fflags_text(ae, "nodump");
	return ae;
}

static void check_runs(const struct want *want)
{
	struct pax_runs it = pax_runs(&pax);
	uint64_t offset, length;

	assert_int_equal(pax.size, want->size);
	assert_int_equal(pax.body_len, want->body);
	if (pax.sparse) {
		assert_int_equal(pax.n_runs, want->n_runs);
		for (size_t i = 0; i < want->n_runs; i++) {
			assert_true(pax_run(&it, &offset, &length));
			assert_int_equal(offset, want->runs[i][0]);
			assert_int_equal(length, want->runs[i][1]);
		}
	} else if (want->size > 0) {
		assert_true(pax_run(&it, &offset, &length));
		assert_int_equal(offset, 0);
		assert_int_equal(length, want->size);
	}
	assert_false(pax_run(&it, &offset, &length));
}

/* The path without the slash that only directories have in a header. */
static void check_path(const char *read)
{
	char path[5000];
	size_t n = strlen(read);

	memcpy(path, read, n + 1);
	if (pax.type == PAX_DIR)
		path[n - 1] = '\0';
	assert_string_equal(pax.path, path);
}

static void check_entry(struct archive_entry *ae, const struct want *want,
			enum pax_type kind)
{
	assert_int_equal(pax.type, kind);
	check_path(archive_entry_pathname(ae));
	if (kind == PAX_LINK)
		assert_string_equal(pax.target, archive_entry_hardlink(ae));
	if (kind == PAX_SYMLINK)
		assert_string_equal(pax.target, archive_entry_symlink(ae));
	assert_int_equal(pax.mode, archive_entry_mode(ae) & 07777);
	assert_int_equal(pax.uid, archive_entry_uid(ae));
	assert_int_equal(pax.gid, archive_entry_gid(ae));
	assert_int_equal(pax.mtime, archive_entry_mtime(ae));
	assert_int_equal(pax.mtime_ns, archive_entry_mtime_nsec(ae));
	if (kind == PAX_CHAR || kind == PAX_BLOCK) {
		assert_int_equal(pax.dev_major, archive_entry_rdevmajor(ae));
		assert_int_equal(pax.dev_minor, archive_entry_rdevminor(ae));
	}
	assert_int_equal(pax.has_xattr, archive_entry_xattr_count(ae) > 0);
	assert_int_equal(pax.has_flags, archive_entry_fflags_text(ae) != NULL);
	check_runs(want);
}

/* What this parser reads is what libarchive reads, for headers that libarchive wrote. */
static void reads_as_libarchive(void **state)
{
	(void)state;
	for (int i = 0; i < 4000; i++) {
		enum pax_type kind = (enum pax_type)roll(7);
		struct want want;
		struct archive_entry *ae = random_entry(&want, kind), *read;
		size_t n = pax_make(ae);
		struct archive *a = archive_read_new();

		assert_true(n > 0);
		if (pax_parse(pax_room, n, &pax, &err) < 0)
			fail_msg("entry %d: %s", i, err.text);
		(void)archive_read_support_format_tar(a);
		(void)archive_read_open_memory(a, pax_room, n);
		assert_true(archive_read_next_header(a, &read) >= ARCHIVE_WARN);
		check_entry(read, &want, kind);
		(void)archive_read_free(a);
		archive_entry_free(ae);
	}
}

/* No flipped bit makes the parser leave its bytes, or a file grow beyond what was said.
 */
static void survives_flipped_bits(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++) {
		struct want want;
		struct archive_entry *ae = random_entry(&want, (enum pax_type)(i % 7));
		size_t n = pax_make(ae);
		uint8_t *copy = malloc(n);

		memcpy(copy, pax_room, n);
		for (size_t bit = 0; bit < n * 8; bit++) {
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (pax_parse(copy, n, &pax, &err) == 0) {
				struct pax_runs it = pax_runs(&pax);
				uint64_t offset, length;

				while (pax_run(&it, &offset, &length))
					assert_true(offset + length <= pax.size);
			}
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		free(copy);
		archive_entry_free(ae);
	}
}

/* Selection goes by whole components. */
static void knows_what_is_below(void **state)
{
	(void)state;
	assert_true(pax_path_below("./a/b", "./a"));
	assert_true(pax_path_below("./a", "./a"));
	assert_true(pax_path_below("./a", "."));
	assert_true(pax_path_below(".", "."));
	assert_false(pax_path_below("./ab", "./a"));
	assert_false(pax_path_below("./a", "./a/b"));
}

/* Walk order: a directory, all that is below it, then its later siblings, bytewise. */
static void knows_the_order(void **state)
{
	static const char *const in_order[] = { ".",	   "./\x01", "./-",	"./a",
						"./a/b",   "./a/b/c", "./a/z",	"./a\x01",
						"./a-b",   "./a.b",   "./a0/x", "./ab",
						"./\x7f/a", "./\xff" };
	size_t n = sizeof(in_order) / sizeof(*in_order);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			int order = pax_path_order(in_order[i], in_order[k]);

			assert_int_equal(order < 0, i < k);
			assert_int_equal(order > 0, i > k);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_order),
		cmocka_unit_test(reads_as_libarchive),
		cmocka_unit_test(survives_flipped_bits),
		cmocka_unit_test(knows_what_is_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
