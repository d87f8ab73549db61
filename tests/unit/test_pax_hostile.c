/* Headers that no walk writes: what two readers could take in two ways, or what leads
 * outside, is refused. */
#include "source/pax.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "pax_make.h"

enum { SUM_AT = 148 };

static struct pax pax;
static struct err err;

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

/* Attributes, ACLs and flags of a header, and nothing else of it. */
static void gives_attributes(void **state)
{
	static const char *const records[] = { "mtime=1.5", "SCHILY.xattr.user.a=x=y",
					       "SCHILY.acl.access=user::rw-", "size=0",
					       "SCHILY.fflags=nodump",
					       "SCHILY.xattr.user.b=" };
	static const enum pax_attr_kind kinds[] = { PAX_ATTR_XATTR, PAX_ATTR_ACL,
						    PAX_ATTR_FLAGS, PAX_ATTR_XATTR };
	static const size_t which[] = { 1, 2, 4, 5 };
	static char room[1000];
	struct pax_attrs it;
	enum pax_attr_kind kind;
	const uint8_t *text;
	size_t n = 0, len;

	(void)state;
	for (size_t i = 0; i < 6; i++)
		n += record(room + n, records[i], strlen(records[i]));
	n = header_with(room, n);
	assert_int_equal(pax_parse(pax_room, n, &pax, &err), 0);
	it = pax_attrs(pax_room, n);
	for (size_t i = 0; i < 4; i++) {
		assert_true(pax_attr(&it, &kind, &text, &len));
		assert_int_equal(kind, kinds[i]);
		assert_int_equal(len, strlen(records[which[i]]));
		assert_memory_equal(text, records[which[i]], len);
	}
	assert_false(pax_attr(&it, &kind, &text, &len));
	it = pax_attrs(pax_room, header_of('0', "./x", ""));
	assert_false(pax_attr(&it, &kind, &text, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_attributes),
		cmocka_unit_test(refuses_bad_paths),
		cmocka_unit_test(refuses_bad_records),
		cmocka_unit_test(refuses_bad_maps),
		cmocka_unit_test(refuses_bad_structure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
