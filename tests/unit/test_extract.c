/* What goes in comes out. */
#include "extract_kit.h"

/* Files, directories and links of all kinds come back with owner, mode and time;
 * directories and the root get theirs after their children (T18, T19). */
static void makes_entries(void **state)
{
	struct stat st;

	(void)state;
	entry("./", AE_IFDIR, 0750, 0);
	archive_entry_set_uid(ae, 999);
	archive_entry_set_gid(ae, 4000000000);
	archive_entry_xattr_add_entry(ae, "user.root", "yes", 3);
	send_entry();
	simple("./none", AE_IFDIR, 0);
	entry("./none/file", AE_IFREG, 0444, 10);
	archive_entry_xattr_add_entry(ae, "user.x\377 %=", "a\0b", 3);
	archive_entry_xattr_add_entry(ae, "user.empty", "", 0);
	send_entry();
	data(0, "01234");
	data(5, "56789");
	simple("./none/sub", AE_IFDIR, 02775);
	entry("./none/sub/suid", AE_IFREG, 06755, 0);
	archive_entry_set_uid(ae, 999);
	archive_entry_set_gid(ae, 998);
	send_entry();
	simple("./pipe", AE_IFIFO, 0604);
	entry("./z", AE_IFREG, 0600, 0);
	archive_entry_set_hardlink(ae, "./none/file");
	send_entry();
	finish();
	assert_string_equal(notes, "");
	assert_int_equal(totals.entries, 7);
	assert_int_equal(totals.files, 3 - 1);
	assert_int_equal(totals.dirs, 3);
	assert_int_equal(totals.bytes, 10);
	st = stat_of(".");
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(st.st_uid, 999);
	assert_int_equal(st.st_gid, 4000000000);
	assert_int_equal(getxattr(target, "user.root", notes, 10), 3);
	assert_int_equal(stat_of("none").st_mode & 07777, 0);
	assert_int_equal(stat_of("none/sub").st_mode & 07777, 02775);
	assert_int_equal(stat_of("none/sub/suid").st_mode & 07777, 06755);
	assert_int_equal(stat_of("none/sub/suid").st_gid, 998);
	assert_true(S_ISFIFO(stat_of("pipe").st_mode));
	assert_int_equal(stat_of("pipe").st_mode & 07777, 0604);
	assert_int_equal(stat_of("none/file").st_nlink, 2);
	assert_int_equal(stat_of("z").st_ino, stat_of("none/file").st_ino);
	assert_int_equal(getxattr(at("z"), "user.x\377 %=", notes, 10), 3);
	assert_memory_equal(notes, "a\0b", 3);
	assert_int_equal(getxattr(at("z"), "user.empty", notes, 10), 0);
	for (const char *const *p = (const char *const[]){ ".", "none", "none/sub",
							   "none/file", "pipe", NULL };
	     *p; p++)
		check_time(*p);
}

/* Without an entry for the root the target keeps its own metadata: a single file. */
static void leaves_the_target_alone(void **state)
{
	(void)state;
	assert_int_equal(chmod(target, 0711), 0);
	simple("./only", AE_IFREG, 0640);
	finish();
	assert_int_equal(stat_of(".").st_mode & 07777, 0711);
	assert_int_equal(stat_of("only").st_mode & 07777, 0640);
}

/* A directory that is missing because it was not selected is made 0755. */
static void makes_missing_parents(void **state)
{
	(void)state;
	simple("./a/b/c", AE_IFREG, 0600);
	simple("./a/d", AE_IFREG, 0600);
	finish();
	assert_string_equal(notes, "");
	assert_int_equal(stat_of("a/b").st_mode & 07777, 0755);
	(void)stat_of("a/b/c");
	(void)stat_of("a/d");
}

/* Links are restored as they are, wherever they point; their times and owners, too (T15).
 */
static void keeps_links_verbatim(void **state)
{
	static const char *const to[] = { "/etc/passwd", "../../x", "no/where\377", "." };
	char got[200], name[20];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "./link%zu", i);
		entry(name, AE_IFLNK, 0777, 0);
		archive_entry_set_symlink(ae, to[i]);
		archive_entry_set_uid(ae, 33);
		archive_entry_xattr_add_entry(ae, "trusted.x", "y", 1);
		send_entry();
	}
	finish();
	assert_string_equal(notes, "");
	for (size_t i = 0; i < 4; i++) {
		ssize_t n;

		(void)snprintf(name, sizeof(name), "link%zu", i);
		n = readlink(at(name), got, sizeof(got) - 1);
		assert_true(n > 0);
		got[n] = '\0';
		assert_string_equal(got, to[i]);
		assert_int_equal(stat_of(name).st_uid, 33);
		assert_int_equal(lgetxattr(at(name), "trusted.x", got, 9), 1);
		check_time(name);
	}
}

/* Holes stay holes, at the end too; a file without content is one hole (T22). */
static void keeps_holes(void **state)
{
	char got[8];
	int fd;

	(void)state;
	entry("./holes", AE_IFREG, 0600, 100LL << 30);
	archive_entry_sparse_add_entry(ae, 50LL << 30, 4);
	send_entry();
	data(50ULL << 30, "data");
	entry("./hole", AE_IFREG, 0600, 1 << 30);
	archive_entry_sparse_add_entry(ae, 1 << 30, 0);
	send_entry();
	finish();
	assert_string_equal(notes, "");
	assert_int_equal(stat_of("holes").st_size, 100LL << 30);
	assert_true(stat_of("holes").st_blocks <= 64);
	assert_int_equal(stat_of("hole").st_size, 1 << 30);
	assert_int_equal(stat_of("hole").st_blocks, 0);
	fd = open(at("holes"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, got, 4, 50LL << 30), 4);
	assert_memory_equal(got, "data", 4);
	(void)close(fd);
}

/* Immutable and append-only files and directories, with children and second names (T19).
 */
static void sets_flags_last(void **state)
{
	(void)state;
	entry("./fixed", AE_IFDIR, 0755, 0);
	archive_entry_copy_fflags_text(ae, "schg");
	send_entry();
	entry("./fixed/file", AE_IFREG, 0444, 1);
	archive_entry_copy_fflags_text(ae, "schg,nodump");
	send_entry();
	data(0, "x");
	entry("./log", AE_IFREG, 0644, 1);
	archive_entry_copy_fflags_text(ae, "sappnd");
	send_entry();
	data(0, "x");
	entry("./second", AE_IFREG, 0444, 0);
	archive_entry_set_hardlink(ae, "./fixed/file");
	send_entry();
	finish();
	assert_string_equal(notes, "");
	assert_true(flags_of("fixed") & FS_IMMUTABLE_FL);
	assert_true(flags_of("second") & FS_IMMUTABLE_FL);
	assert_true(flags_of("second") & FS_NODUMP_FL);
	assert_true(flags_of("log") & FS_APPEND_FL);
	assert_int_equal(stat_of("second").st_ino, stat_of("fixed/file").st_ino);
	check_time("fixed");
	check_time("log");
	check_time("second");
}

/* A capability survives the change of owner, which would take it away (T19). */
static void keeps_capabilities(void **state)
{
	static const uint8_t cap[20] = { 1, 0, 0, 2, 0, 4 };
	uint8_t got[20];

	(void)state;
	entry("./ping", AE_IFREG, 0755, 1);
	archive_entry_set_uid(ae, 999);
	archive_entry_set_gid(ae, 999);
	archive_entry_xattr_add_entry(ae, "security.capability", cap, sizeof(cap));
	send_entry();
	data(0, "x");
	finish();
	assert_string_equal(notes, "");
	assert_int_equal(getxattr(at("ping"), "security.capability", got, sizeof(got)),
			 20);
	assert_memory_equal(got, cap, sizeof(cap));
}

static const char *acl_of(const char *path, const char *attribute)
{
	static const struct {
		uint16_t tag;
		const char *word;
	} tags[] = { { 1, "u:" }, { 2, "u" },	{ 4, "g:" },
		     { 8, "g" },  { 16, "m:" }, { 32, "o:" } };
	static char out[400];
	uint8_t raw[400];
	ssize_t n = getxattr(at(path), attribute, raw, sizeof(raw));
	size_t len = 0;

	out[0] = '\0';
	for (ssize_t i = 4; i < n; i += 8)
		for (size_t t = 0; t < 6; t++)
			if (raw[i] == tags[t].tag && raw[i + 4] == 0xff)
				len += (size_t)sprintf(out + len, "%s%d ", tags[t].word,
						       raw[i + 2]);
			else if (raw[i] == tags[t].tag)
				len += (size_t)sprintf(
					out + len, "%s%d:%d ", tags[t].word,
					raw[i + 4] + raw[i + 5] * 256, raw[i + 2]);
	return out;
}

static void expect_acl(const char *path, const char *access, const char *inherited)
{
	assert_string_equal(acl_of(path, "system.posix_acl_access"), access);
	assert_string_equal(acl_of(path, "system.posix_acl_default"), inherited);
}

/* Access and default ACLs come back exactly, with the mask that the mode shows; children
 * do not inherit what they did not have. */
static void keeps_acls(void **state)
{
	static const char *const want = "u:7 u77:5 u1000:6 g:5 g88:4 m:7 o:1 ";

	(void)state;
	entry("./dir", AE_IFDIR, 0751, 0);
	add_acl(ARCHIVE_ENTRY_ACL_TYPE_ACCESS, 5, 7);
	add_acl(ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, 5, 7);
	send_entry();
	simple("./dir/plain", AE_IFREG, 0640);
	simple("./dir/sub", AE_IFDIR, 0755);
	entry("./dir/with", AE_IFREG, 0751, 0);
	add_acl(ARCHIVE_ENTRY_ACL_TYPE_ACCESS, 5, 7);
	send_entry();
	finish();
	assert_string_equal(notes, "");
	expect_acl("dir", want, want);
	expect_acl("dir/with", want, "");
	expect_acl("dir/plain", "", "");
	expect_acl("dir/sub", "", "");
	assert_int_equal(stat_of("dir/plain").st_mode & 07777, 0640);
	assert_int_equal(stat_of("dir/with").st_mode & 07777, 0771);
}

/* A default ACL of the target itself is not inherited by what is restored. */
static void inherits_nothing(void **state)
{
	static const uint8_t acl[44] = { 2,   0,   0,	0, 1,	0,   7,	  0,   255,
					 255, 255, 255, 2, 0,	7,   0,	  5,   0,
					 0,   0,   4,	0, 7,	0,   255, 255, 255,
					 255, 16,  0,	7, 0,	255, 255, 255, 255,
					 32,  0,   7,	0, 255, 255, 255, 255 };

	(void)state;
	assert_int_equal(
		setxattr(target, "system.posix_acl_default", acl, sizeof(acl), 0), 0);
	simple("./dir", AE_IFDIR, 0755);
	simple("./dir/file", AE_IFREG, 0640);
	finish();
	assert_string_equal(notes, "");
	expect_acl("dir", "", "");
	expect_acl("dir/file", "", "");
	assert_int_equal(stat_of("dir/file").st_mode & 07777, 0640);
}

/* Dates before 1970 and after 2038 are kept; one that the file system cannot hold is
 * named. */
static void keeps_far_dates(void **state)
{
	static const int64_t dates[] = { -2000000000, -1, 0, 4102444800 };
	char name[20];

	(void)state;
	for (int i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "./t%d", i);
		entry(name, AE_IFREG, 0600, 0);
		/* fractions before 1970: test_header.c */
		archive_entry_set_mtime(ae, dates[i], dates[i] < 0 ? 0 : 5);
		send_entry();
	}
	entry("./far", AE_IFREG, 0600, 0);
	archive_entry_set_mtime(ae, 1LL << 50, 0);
	send_entry();
	finish();
	expect_notes("./far: time is not kept exactly", 1);
	for (int i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "t%d", i);
		assert_int_equal(stat_of(name).st_mtim.tv_sec, dates[i]);
		assert_int_equal(stat_of(name).st_mtim.tv_nsec, dates[i] < 0 ? 0 : 5);
	}
}

/* Device nodes are left out, and named, unless asked for. */
static void leaves_devices_out(void **state)
{
	(void)state;
	entry("./null", AE_IFCHR, 0666, 0);
	archive_entry_set_rdevmajor(ae, 1);
	archive_entry_set_rdevminor(ae, 3);
	send_entry();
	finish();
	expect_notes("./null: device left out: use --devices", 1);
	assert_int_equal(access(at("null"), F_OK), -1);
	extract_free(x);
	start(true);
	send_entry();
	finish();
	assert_string_equal(notes, "");
	assert_true(S_ISCHR(stat_of("null").st_mode));
	assert_int_equal(stat_of("null").st_rdev, makedev(1, 3));
}

/* 200 directories deep, with long names: paths beyond what one system call takes. */
static void goes_deep(void **state)
{
	char path[5000] = ".";
	size_t n = 1;

	(void)state;
	for (int i = 0; i < 200; i++) {
		n += (size_t)sprintf(path + n, "/%019d", i);
		simple(path, AE_IFDIR, 0700);
	}
	(void)sprintf(path + n, "/f");
	simple(path, AE_IFREG, 0600);
	finish();
	assert_string_equal(notes, "");
	assert_int_equal(totals.dirs, 200);
	assert_int_equal(totals.files, 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(makes_entries),	     CASE(leaves_the_target_alone),
		CASE(makes_missing_parents), CASE(keeps_links_verbatim),
		CASE(keeps_holes),	     CASE(sets_flags_last),
		CASE(keeps_capabilities),    CASE(keeps_acls),
		CASE(inherits_nothing),	     CASE(keeps_far_dates),
		CASE(leaves_devices_out),    CASE(goes_deep),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		(void)fputs("must be root, may mount, and / must be a mount point\n",
			    stderr);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
