/* Entries made with libarchive go through the child into a directory; what is there then
 * is looked at with system calls. */
#include "source/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/report.h"
#include "pax_make.h"

static char scratch[64], target[100], sentinel[100];
static struct extract *x;
static struct archive_entry *ae;
static struct err err;
static struct extract_totals totals;
static char notes[65536];
static int target_fd = -1;

static void keep_note(void *ctx, enum note_kind kind, const char *path, const char *text)
{
	size_t n = strlen(notes);

	(void)ctx;
	assert_int_equal(kind, NOTE_RESTORE);
	(void)snprintf(notes + n, sizeof(notes) - n, "%s: %s\n", path, text);
}

static const struct report report = { .note = keep_note };

static void start(bool devices)
{
	const struct extract_options o = { .devices = devices };

	notes[0] = '\0';
	if (extract_start(&report, &x, &err) < 0 ||
	    extract_target(x, target_fd, &o, &err) < 0)
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(scratch, sizeof(scratch), "/tmp/test_extract.XXXXXX");
	if (!mkdtemp(scratch))
		return -1;
	(void)snprintf(target, sizeof(target), "%s/target", scratch);
	(void)snprintf(sentinel, sizeof(sentinel), "%s/outside", scratch);
	if (mkdir(target, 0700) < 0 || mkdir(sentinel, 0700) < 0)
		return -1;
	target_fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	start(false);
	return target_fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	extract_free(x);
	x = NULL;
	archive_entry_free(ae);
	ae = NULL;
	(void)close(target_fd);
	(void)umount2(target, MNT_DETACH);
	return file_remove_tree(AT_FDCWD, scratch, &err);
}

/* A new entry; the test adds to it before send_entry. */
static void entry(const char *path, unsigned int type, mode_t mode, int64_t size)
{
	archive_entry_free(ae);
	ae = archive_entry_new();
	archive_entry_set_pathname(ae, path);
	archive_entry_set_filetype(ae, type);
	archive_entry_set_perm(ae, mode);
	archive_entry_set_size(ae, size);
	archive_entry_set_mtime(ae, 1000000000, 123456789);
}

static int send_raw(void)
{
	size_t n = pax_make(ae);

	assert_true(n > 0);
	return extract_entry(x, pax_room, n, &err);
}

static void send_entry(void)
{
	if (send_raw() < 0)
		fail_msg("%s", err.text);
}

static void data(uint64_t offset, const char *text)
{
	if (extract_data(x, offset, (const uint8_t *)text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
}

static void simple(const char *path, unsigned int type, mode_t mode)
{
	entry(path, type, mode, 0);
	send_entry();
}

static void finish(void)
{
	if (extract_finish(x, &totals, &err) < 0)
		fail_msg("%s", err.text);
}

static void expect_notes(const char *text, uint64_t problems)
{
	if (!strstr(notes, text) || totals.problems != problems)
		fail_msg("%d problems:\n%s", (int)totals.problems, notes);
}

static const char *at(const char *path)
{
	static char out[4][8192];
	static int turn;

	turn = (turn + 1) % 4;
	(void)snprintf(out[turn], sizeof(out[turn]), "%s/%s", target, path);
	return out[turn];
}

static struct stat stat_of(const char *path)
{
	struct stat st;

	if (lstat(at(path), &st) < 0)
		fail_msg("%s is missing; notes: %s", path, notes);
	return st;
}

static void check_time(const char *path)
{
	struct stat st = stat_of(path);

	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
}

static int flags_of(const char *path)
{
	int fd = open(at(path), O_RDONLY | O_CLOEXEC), flags = 0;

	assert_true(fd >= 0);
	(void)ioctl(fd, FS_IOC_GETFLAGS, &flags);
	(void)close(fd);
	return flags;
}

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

static void add_acl(int type, int group, int mask)
{
	archive_entry_acl_add_entry(ae, type, 7, ARCHIVE_ENTRY_ACL_USER_OBJ, -1, "");
	archive_entry_acl_add_entry(ae, type, 6, ARCHIVE_ENTRY_ACL_USER, 1000, "");
	archive_entry_acl_add_entry(ae, type, 5, ARCHIVE_ENTRY_ACL_USER, 77, "");
	archive_entry_acl_add_entry(ae, type, group, ARCHIVE_ENTRY_ACL_GROUP_OBJ, -1, "");
	archive_entry_acl_add_entry(ae, type, 4, ARCHIVE_ENTRY_ACL_GROUP, 88, "");
	archive_entry_acl_add_entry(ae, type, mask, ARCHIVE_ENTRY_ACL_MASK, -1, "");
	archive_entry_acl_add_entry(ae, type, 1, ARCHIVE_ENTRY_ACL_OTHER, -1, "");
}

/* An ACL as the kernel keeps it, in words; "" for none. */
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

/* The extraction must fail as damaged; nothing may have come to the sentinel. */
static void expect_refused(const char *why)
{
	int status = send_raw();

	if (status == 0)
		status = extract_finish(x, &totals, &err);
	assert_int_equal(status, -1);
	if (err.kind != ERR_DAMAGED || !strstr(err.text, why))
		fail_msg("kind %d: %s", (int)err.kind, err.text);
	assert_int_equal(file_remove_tree(AT_FDCWD, target, &err), 0);
	assert_int_equal(rmdir(sentinel), 0);
	assert_int_equal(mkdir(sentinel, 0700), 0);
	assert_int_equal(mkdir(target, 0700), 0);
	extract_free(x);
	(void)close(target_fd);
	target_fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	start(false);
}

static void link_to(const char *path, const char *to, bool hard)
{
	entry(path, hard ? AE_IFREG : AE_IFLNK, 0777, 0);
	if (hard)
		archive_entry_set_hardlink(ae, to);
	else
		archive_entry_set_symlink(ae, to);
}

/* Paths and links that lead outside are refused by the child itself (T14). */
static void refuses_to_leave(void **state)
{
	(void)state;
	entry("./../outside/x", AE_IFREG, 0600, 0);
	expect_refused("component");
	entry("/tmp/x", AE_IFREG, 0600, 0);
	expect_refused("begin with ./");
	link_to("./out", sentinel, false);
	send_entry();
	entry("./out/x", AE_IFREG, 0600, 0);
	expect_refused("./out: is not a directory");
	link_to("./out", "../outside", false);
	send_entry();
	entry("./out/x/", AE_IFDIR, 0700, 0);
	expect_refused("./out: is not a directory");
	link_to("./up", "..", false);
	send_entry();
	link_to("./hard", "./up/outside", true);
	expect_refused("no file of the volume");
	link_to("./hard", "./../outside", true);
	expect_refused("component");
	link_to("./up", "/", false);
	send_entry();
	link_to("./hard", "./up/etc/passwd", true);
	expect_refused("no file of the volume");
	simple("./dir", AE_IFDIR, 0700);
	link_to("./hard", "./dir", true);
	expect_refused("no file of the volume");
}

/* An ACL or attribute for a link's name never reaches what the link points to (T14). */
static void sets_nothing_through_links(void **state)
{
	(void)state;
	assert_int_equal(chmod(sentinel, 0700), 0);
	link_to("./out", sentinel, false);
	add_acl(ARCHIVE_ENTRY_ACL_TYPE_ACCESS, 7, 7);
	archive_entry_xattr_add_entry(ae, "trusted.t", "x", 1);
	archive_entry_copy_fflags_text(ae, "nodump");
	archive_entry_set_uid(ae, 5);
	send_entry();
	finish();
	assert_int_equal(getxattr(sentinel, "trusted.t", notes, 9), -1);
	assert_int_equal(getxattr(sentinel, "system.posix_acl_access", notes, 99), -1);
	assert_int_equal(stat_of("../outside").st_uid, 0);
	assert_int_equal(stat_of("../outside").st_mode & 07777, 0700);
}

/* A name that comes twice is refused, whatever the two are (T24). */
static void refuses_names_twice(void **state)
{
	static const unsigned int types[] = { AE_IFREG, AE_IFDIR, AE_IFLNK, AE_IFIFO };

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < 4; j++) {
			entry("./a", types[i], 0700, 0);
			if (types[i] == AE_IFLNK)
				archive_entry_set_symlink(ae, sentinel);
			send_entry();
			entry("./a", types[j], 0700, 0);
			if (types[j] == AE_IFLNK)
				archive_entry_set_symlink(ae, "y");
			expect_refused("comes twice");
		}
	simple("./", AE_IFDIR, 0700);
	entry("./", AE_IFDIR, 0755, 0);
	expect_refused("comes twice");
	simple("./file", AE_IFREG, 0600);
	entry("./file/x", AE_IFREG, 0600, 0);
	expect_refused("is not a directory");
}

/* Content beyond the end, more than was said, or for no file is refused. */
static void refuses_bombs(void **state)
{
	uint8_t one = 1;

	(void)state;
	for (int i = 0; i < 3; i++) {
		int status = 0;

		if (i < 2) {
			entry("./f", AE_IFREG, 0600, 4);
			send_entry();
		}
		if (i == 1)
			data(0, "1234");
		status = extract_data(x, i == 0 ? 4 : 0, &one, 1, &err);
		if (status == 0)
			status = extract_finish(x, &totals, &err);
		assert_int_equal(status, -1);
		assert_int_equal(err.kind, ERR_DAMAGED);
		extract_free(x);
		(void)unlink(at("f"));
		start(false);
	}
}

/* Content that did not come in full is named. */
static void reports_missing_content(void **state)
{
	(void)state;
	entry("./f", AE_IFREG, 0600, 10);
	send_entry();
	data(0, "12345");
	finish();
	expect_notes("./f: content is incomplete: 5 of 10 bytes", 1);
}

/* A second name whose first was left out is named, and the rest goes on (T21). */
static void reports_links_to_nothing(void **state)
{
	(void)state;
	link_to("./a", "./gone/file", true);
	send_entry();
	simple("./b", AE_IFREG, 0600);
	finish();
	expect_notes("./a: link to ./gone/file: No such file or directory", 1);
	(void)stat_of("b");
}

/* What the file system refuses is named with path, call and reason, once counted (T23,
 * T54). */
static void reports_refusals(void **state)
{
	(void)state;
	entry("./f", AE_IFREG, 0600, 0);
	archive_entry_xattr_add_entry(ae, "nonsense.x", "y", 1);
	archive_entry_xattr_add_entry(ae, "system.posix_acl_access", "y", 1);
	send_entry();
	entry("./p", AE_IFIFO, 0600, 0);
	archive_entry_copy_fflags_text(ae, "nodump");
	send_entry();
	finish();
	expect_notes("./f: set xattr nonsense.x: Operation not supported", 2);
	expect_notes("./f: xattr system.posix_acl_access: left out", 2);
	expect_notes("./p: set file flags: Operation not supported", 2);
}

/* A full disk ends it, with the file and the reason. */
static void fails_on_a_full_disk(void **state)
{
	static uint8_t block[1 << 20];
	int status = 0;

	(void)state;
	assert_int_equal(mount("none", target, "tmpfs", 0, "size=1m,nr_inodes=20"), 0);
	extract_free(x);
	(void)close(target_fd);
	target_fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	start(false);
	entry("./big", AE_IFREG, 0600, sizeof(block) * 3);
	send_entry();
	for (uint64_t i = 0; i < 3 && status == 0; i++)
		status = extract_data(x, i * sizeof(block), block, sizeof(block), &err);
	if (status == 0)
		status = extract_finish(x, &totals, &err);
	assert_int_equal(status, -1);
	assert_int_equal(err.kind, ERR_FAILED);
	assert_int_equal(err.sys, ENOSPC);
	assert_string_equal(err.text, "./big: write: No space left on device");
	extract_free(x);
	(void)unlink(at("big"));
	start(false);
	for (int i = 0; i < 30 && status != 0; i++) {
		char name[20];

		(void)snprintf(name, sizeof(name), "./d%d", i);
		entry(name, AE_IFDIR, 0700, 0);
		status = send_raw() < 0 ? 0 : -1;
	}
	if (status != 0)
		status = extract_finish(x, &totals, &err) < 0 ? 0 : -1;
	assert_int_equal(status, 0);
	assert_non_null(strstr(err.text, "make directory: No space left on device"));
}

static pid_t child_of_this(void)
{
	char name[64];
	int pid = 0;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(name, "re");
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	(void)fclose(f);
	return pid;
}

/* A child that dies is an error that says how, and every later call says so again. */
static void says_how_the_child_died(void **state)
{
	int status = 0;

	(void)state;
	assert_int_equal(kill(child_of_this(), SIGKILL), 0);
	entry("./f", AE_IFREG, 0600, 0);
	for (int i = 0; i < 100000 && status == 0; i++)
		status = send_raw();
	assert_int_equal(status, -1);
	assert_string_equal(err.text, "extracting child: killed by signal 9 (Killed)");
	err.text[0] = '\0';
	assert_int_equal(extract_finish(x, &totals, &err), -1);
	assert_non_null(strstr(err.text, "signal 9"));
}

/* Entries with dozens of notes each, sent as fast as they are taken: neither side waits
 * for the other for ever. */
static void does_not_lock_up(void **state)
{
	char name[40];

	(void)state;
	(void)alarm(60);
	for (int i = 0; i < 500; i++) {
		(void)snprintf(name, sizeof(name), "./f%d", i);
		entry(name, AE_IFREG, 0600, 0);
		for (int j = 0; j < 50; j++) {
			(void)snprintf(name, sizeof(name), "nonsense.%d", j);
			archive_entry_xattr_add_entry(ae, name, "y", 1);
		}
		send_entry();
		notes[0] = '\0';
	}
	finish();
	(void)alarm(0);
	assert_int_equal(totals.problems, 500);
}

/* The child has no descriptor but its socket and the target, no other root, no more
 * privileges. */
static void confines_the_child(void **state)
{
	char command[700];

	(void)state;
	simple("./f", AE_IFREG, 0600);
	/* Something must have been handled: the target is entered by then. */
	while (access(at("f"), F_OK) < 0)
		(void)usleep(1000);
	(void)snprintf(
		command, sizeof(command),
		"p=/proc/%d; [ $(readlink $p/root) = %s ] && grep -q 'NoNewPrivs:.1' "
		"$p/status && [ $(ls $p/fd | wc -l) -le 6 ] && "
		"for i in 0 1 2; do [ $(readlink $p/fd/$i) = /dev/null ] || exit 1; done",
		(int)child_of_this(), target);
	assert_int_equal(system(command), 0);
	finish();
}

/* A header that libarchive alone would take is refused by our parser in the child. */
static void refuses_bad_headers(void **state)
{
	(void)state;
	entry("./f", AE_IFREG, 0600, 0);
	archive_entry_set_uname(ae, "root");
	expect_refused("names of owners");
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
		CASE(makes_entries),
		CASE(leaves_the_target_alone),
		CASE(makes_missing_parents),
		CASE(keeps_links_verbatim),
		CASE(keeps_holes),
		CASE(sets_flags_last),
		CASE(keeps_capabilities),
		CASE(keeps_acls),
		CASE(inherits_nothing),
		CASE(keeps_far_dates),
		CASE(leaves_devices_out),
		CASE(refuses_to_leave),
		CASE(sets_nothing_through_links),
		CASE(refuses_names_twice),
		CASE(refuses_bombs),
		CASE(reports_missing_content),
		CASE(reports_links_to_nothing),
		CASE(reports_refusals),
		CASE(fails_on_a_full_disk),
		CASE(says_how_the_child_died),
		CASE(does_not_lock_up),
		CASE(confines_the_child),
		CASE(refuses_bad_headers),
		CASE(goes_deep),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
