#include "source/pax.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "pax_make.h"

enum { SUM_AT = 148 };

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

static void set_sum(uint8_t *b)
{
	unsigned int sum = 0;

	memset(b + SUM_AT, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += b[i];
	for (int i = 5; i >= 0; i--, sum >>= 3)
		b[SUM_AT + i] = (uint8_t)('0' + (sum & 7));
	b[SUM_AT + 6] = 0;
}

static const char *hostile;

static void refuse(size_t n, const char *text)
{
	if (pax_parse(pax_room, n, &pax, &err) == 0)
		fail_msg("accepted: %s", hostile);
	assert_int_equal(err.kind, ERR_DAMAGED);
	if (!strstr(err.text, text))
		fail_msg("%s: %s, not %s", hostile, err.text, text);
}

/* A plain header whose PATH is written by hand: as libarchive would not. */
static size_t header_of(char type, const char *path, const char *target)
{
	struct archive_entry *ae = archive_entry_new();
	size_t n;

	archive_entry_set_pathname(ae, "./x");
	archive_entry_set_filetype(ae, AE_IFREG);
	archive_entry_set_size(ae, 0);
	n = pax_make(ae);
	archive_entry_free(ae);
	assert_int_equal(n, 512);
	memset(pax_room, 0, 100);
	memcpy(pax_room, path, strlen(path));
	memcpy(pax_room + 157, target, strlen(target));
	pax_room[156] = (uint8_t)type;
	set_sum(pax_room);
	return n;
}

/* Paths that lead outside, or that two programs could read in two ways, are refused (T14,
 * T53). */
static void refuses_bad_paths(void **state)
{
	static const char *const bad[] = { "",	      "/etc/x", "x",	  "./",
					   "./..",    "./../x", "./a/..", "./a//b",
					   "./a/./b", "../x",	".x",	  "./a/",
					   "./.",     ".//a",	"..",	  "./a/../../x" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		hostile = bad[i];
		refuse(header_of('0', bad[i], ""), "entry header: ");
		if (strcmp(bad[i], "./a/") != 0 && bad[i][0])
			refuse(header_of('1', "./a", bad[i]), "entry header: ");
	}
	hostile = "link without target";
	refuse(header_of('1', "./a", ""), "link without a target");
	hostile = "link to the root";
	refuse(header_of('1', "./a", "."), "link to the root");
	hostile = "file with a target";
	refuse(header_of('0', "./a", "b"), "target without a link");
	hostile = "directory without slash";
	refuse(header_of('5', "./a", ""), "bad directory name");
	assert_int_equal(pax_parse(pax_room, header_of('5', "./", ""), &pax, &err), 0);
	assert_string_equal(pax.path, ".");
	assert_int_equal(
		pax_parse(pax_room, header_of('2', "./a", "/etc/../x"), &pax, &err), 0);
}

/* An extended header with RECORDS (N bytes), then a plain one. */
static size_t header_with(const void *records, size_t n)
{
	size_t padded = (n + 511) / 512 * 512;
	static uint8_t plain[512];
	char size[13];

	(void)header_of('0', "./x", "");
	memcpy(plain, pax_room, 512);
	memset(pax_room, 0, 1024 + padded);
	memcpy(pax_room, plain, 512);
	pax_room[156] = 'x';
	(void)snprintf(size, sizeof(size), "%011zo", n);
	memcpy(pax_room + 124, size, 12);
	set_sum(pax_room);
	memcpy(pax_room + 512, records, n);
	memcpy(pax_room + 512 + padded, plain, 512);
	return 1024 + padded;
}

/* "KEY=VALUE" as a record at OUT; its length. */
static size_t record(char *out, const char *text, size_t n)
{
	size_t len = n + 3;
	char digits[24];

	while (n + 2 + (size_t)snprintf(digits, sizeof(digits), "%zu", len) != len)
		len++;
	n = (size_t)sprintf(out, "%s ", digits);
	memcpy(out + n, text, len - n - 1);
	out[len - 1] = '\n';
	return len;
}

static void refuse_record(const char *text, size_t n, const char *why)
{
	static char room[600000];

	hostile = text;
	refuse(header_with(room, record(room, text, n)), why);
}

/* Records with bad numbers, NULs, unknown or double keys are refused; so are long, deep
 * paths. */
static void refuses_bad_records(void **state)
{
	static const char *const bad[] = { "size=-1",
					   "size=99999999999999999999",
					   "size=",
					   "uid=4294967295",
					   "uid=-1",
					   "gid=1x",
					   "mtime=1.2.3",
					   "mtime=99999999999999999999",
					   "mtime=x",
					   "hdrcharset=KOI8",
					   "GNU.sparse.major=0",
					   "GNU.sparse.map=1,2",
					   "uname=root",
					   "comment=x",
					   "VENDOR.x=y",
					   "SCHILY.realsize=3",
					   "SCHILY.xattr.=x",
					   "size=9223372036854775808" };
	static char deep[1200] = "path=.", twice[100], longer[5000];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refuse_record(bad[i], strlen(bad[i]), "");
	refuse_record("path=./a\0b", 10, "bad, double or unknown path");
	refuse_record("linkpath=./a\0b", 14, "bad, double or unknown linkpath");
	for (int i = 0; i < 257; i++)
		strcat(deep, "/d");
	refuse_record(deep, strlen(deep), "too deep");
	assert_int_equal(
		pax_parse(pax_room,
			  header_with(longer, record(longer, deep, strlen(deep) - 2)),
			  &pax, &err),
		0);
	(void)snprintf(longer, sizeof(longer), "path=./%04094d", 7);
	refuse_record(longer, strlen(longer), "too long");
	hostile = "double key";
	n = record(twice, "size=0", 6);
	n += record(twice + n, "size=0", 6);
	refuse(header_with(twice, n), "double");
	hostile = "length 0";
	refuse(header_with("0 size=1\n", 9), "record length");
	hostile = "length short";
	refuse(header_with("2 size=1\n", 9), "record length");
	hostile = "length long";
	refuse(header_with("11 size=1\n", 10), "record length");
	hostile = "no =";
	refuse(header_with("7 size\n", 7), "without =");
}

static void refuse_map(const char *map, uint64_t real, uint64_t stored, const char *why)
{
	char records[300], text[64], size[13];
	size_t n = record(records, "GNU.sparse.major=1", 18);

	n += record(records + n, "GNU.sparse.minor=0", 18);
	n += record(records + n, "GNU.sparse.name=./x", 19);
	(void)snprintf(text, sizeof(text), "GNU.sparse.realsize=%llu",
		       (unsigned long long)real);
	n += record(records + n, text, strlen(text));
	n = header_with(records, n);
	(void)snprintf(size, sizeof(size), "%011llo", (unsigned long long)stored + 512);
	memcpy(pax_room + n - 512 + 124, size, 12);
	set_sum(pax_room + n - 512);
	memset(pax_room + n, 0, 512);
	memcpy(pax_room + n, map, strlen(map));
	hostile = map;
	if (why)
		refuse(n + 512, why);
	else if (pax_parse(pax_room, n + 512, &pax, &err) < 0)
		fail_msg("%s: %s", map, err.text);
}

/* Maps whose runs overlap, descend, overflow or leave the file are refused, as are sizes
 * that do not fit the map. */
static void refuses_bad_maps(void **state)
{
	(void)state;
	refuse_map("2\n10\n5\n20\n5\n", 100, 10, NULL);
	assert_int_equal(pax.n_runs, 2);
	refuse_map("1\n100\n0\n", 100, 0, NULL);
	assert_int_equal(pax.n_runs, 0);
	refuse_map("2\n10\n5\n14\n5\n", 100, 10, "overlap");
	refuse_map("2\n20\n5\n10\n5\n", 100, 10, "overlap");
	refuse_map("1\n96\n5\n", 100, 5, "leave the file");
	refuse_map("1\n18446744073709551615\n2\n", 100, 2, "leave the file");
	refuse_map("1\n18446744073709551616\n2\n", 100, 2, "not a number");
	refuse_map("1\n-1\n2\n", 100, 2, "not a number");
	refuse_map("3\n10\n5\n20\n5\n", 100, 10, "not a number");
	refuse_map("99999999999\n10\n5\n", 100, 5, "not a number");
	refuse_map("1\n10\n5\njunk", 100, 5, "bad padding");
	refuse_map("1\n10\n5\n", 100, 6, "not that of the map");
	refuse_map("1\n10\n5\n", 9223372036854775808ULL, 5, "1.0");
}

/* Structure: lengths, types, bytes left over, another extended header. */
static void refuses_bad_structure(void **state)
{
	size_t n = header_of('0', "./x", "");

	(void)state;
	hostile = "structure";
	refuse(0, "bad length");
	refuse(511, "bad length");
	refuse(1024, "left over");
	pax_room[0] ^= 1;
	refuse(n, "checksum");
	for (const char *t = "789gLKSVx\n"; *t; t++)
		refuse(header_of(*t, "./x", ""), "");
	n = header_of('0', "./x", "");
	memcpy(pax_room + 265, "root", 4);
	set_sum(pax_room);
	refuse(n, "names of owners");
	n = header_of('5', "./x/", "");
	memcpy(pax_room + 124, "00000000001", 11);
	set_sum(pax_room);
	refuse(n, "bad size");
	n = header_of('0', "./x", "");
	memset(pax_room + 124, 0xff, 12);
	set_sum(pax_room);
	refuse(n, "bad size");
	n = header_of('0', "./x", "");
	memset(pax_room + 136, 0xff, 12);
	memcpy(pax_room + 136, "\x80\0\0\0", 4);
	set_sum(pax_room);
	refuse(n, "bad time");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_as_libarchive),
		cmocka_unit_test(survives_flipped_bits),
		cmocka_unit_test(refuses_bad_paths),
		cmocka_unit_test(refuses_bad_records),
		cmocka_unit_test(refuses_bad_maps),
		cmocka_unit_test(refuses_bad_structure),
		cmocka_unit_test(knows_what_is_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
