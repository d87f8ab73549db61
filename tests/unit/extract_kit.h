/* What test_extract.c and test_extract_hostile.c share: entries made with libarchive go
 * through the child into a directory, and what is there then is looked at with system
 * calls. */
#ifndef TESTS_EXTRACT_KIT_H
#define TESTS_EXTRACT_KIT_H

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

static inline void keep_note(void *ctx, enum note_kind kind, const char *path,
			     const char *text)
{
	size_t n = strlen(notes);

	(void)ctx;
	assert_int_equal(kind, NOTE_RESTORE);
	(void)snprintf(notes + n, sizeof(notes) - n, "%s: %s\n", path, text);
}

static const struct report report = { .note = keep_note };

static inline void start(bool devices)
{
	const struct extract_options o = { .devices = devices };

	notes[0] = '\0';
	if (extract_start(&report, &x, &err) < 0 ||
	    extract_target(x, target_fd, &o, &err) < 0)
		fail_msg("%s", err.text);
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
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
static inline void entry(const char *path, unsigned int type, mode_t mode, int64_t size)
{
	archive_entry_free(ae);
	ae = archive_entry_new();
	archive_entry_set_pathname(ae, path);
	archive_entry_set_filetype(ae, type);
	archive_entry_set_perm(ae, mode);
	archive_entry_set_size(ae, size);
	archive_entry_set_mtime(ae, 1000000000, 123456789);
}

static inline int send_raw(void)
{
	size_t n = pax_make(ae);

	assert_true(n > 0);
	return extract_entry(x, pax_room, n, &err);
}

static inline void send_entry(void)
{
	if (send_raw() < 0)
		fail_msg("%s", err.text);
}

static inline void data(uint64_t offset, const char *text)
{
	if (extract_data(x, offset, (const uint8_t *)text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
}

static inline void simple(const char *path, unsigned int type, mode_t mode)
{
	entry(path, type, mode, 0);
	send_entry();
}

static inline void finish(void)
{
	if (extract_finish(x, &totals, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void expect_notes(const char *text, uint64_t problems)
{
	if (!strstr(notes, text) || totals.problems != problems)
		fail_msg("%d problems:\n%s", (int)totals.problems, notes);
}

static inline const char *at(const char *path)
{
	static char out[4][8192];
	static int turn;

	turn = (turn + 1) % 4;
	(void)snprintf(out[turn], sizeof(out[turn]), "%s/%s", target, path);
	return out[turn];
}

static inline struct stat stat_of(const char *path)
{
	struct stat st;

	if (lstat(at(path), &st) < 0)
		fail_msg("%s is missing; notes: %s", path, notes);
	return st;
}

static inline void check_time(const char *path)
{
	struct stat st = stat_of(path);

	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
}

static inline int flags_of(const char *path)
{
	int fd = open(at(path), O_RDONLY | O_CLOEXEC), flags = 0;

	assert_true(fd >= 0);
	(void)ioctl(fd, FS_IOC_GETFLAGS, &flags);
	(void)close(fd);
	return flags;
}

static inline void add_acl(int type, int group, int mask)
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

#endif
