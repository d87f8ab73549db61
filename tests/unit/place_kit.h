/* What test_place.c and test_place_cut.c share: a volume, beside which or in which a new
 * tree is made. */
#ifndef TESTS_PLACE_KIT_H
#define TESTS_PLACE_KIT_H

#include "source/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"

static struct err err;
static char scratch[64], path[128], previous[160];

__attribute__((format(printf, 1, 2))) static inline void run(const char *fmt, ...)
{
	char command[1000];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("%s", command);
}

/* One line of what is in a tree: names, types, contents; without our own names. */
static inline const char *tree(const char *root)
{
	static char out[4][4096];
	static int turn;
	char command[600], *p = out[turn = (turn + 1) % 4];
	FILE *f;
	size_t n;

	(void)snprintf(command, sizeof(command),
		       "cd %s 2>/dev/null && find . -path './.volsnap-*' -prune -o "
		       "-path ./lost+found -prune -o -printf '%%P:%%y:%%m:%%U\\n' | sed "
		       "'/^:/d' | sort | tr '\\n' ' ' "
		       "&& find . -path './.volsnap-*' -prune -o -type f -print | sort | "
		       "xargs -r cat",
		       root);
	f = popen(command, "re");
	n = fread(p, 1, 4095, f);
	p[n] = '\0';
	(void)pclose(f);
	return p;
}

static inline void make_old(void)
{
	run("mkdir -p %s/dir && echo old-a >%s/a && echo old-b >%s/dir/b && ln -s /x "
	    "%s/link",
	    path, path, path, path);
}

static inline void fill_new(struct place *p)
{
	run("cd /proc/%d/fd/%d && echo new-a >a && mkdir fresh && echo new-c >fresh/c && "
	    "chown 123:45 . && chmod 2751 . && touch -d @1000000000.123456789 .",
	    (int)getpid(), place_fd(p));
}

static const char new_tree[] = "new-a\nnew-c\n";

static inline void check_root(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 02751);
	assert_int_equal(st.st_uid, 123);
	assert_int_equal(st.st_gid, 45);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
}

static inline int set_up(void **state)
{
	(void)state;
	(void)snprintf(scratch, sizeof(scratch), "/tmp/test_place.XXXXXX");
	if (!mkdtemp(scratch))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/vol", scratch);
	(void)snprintf(previous, sizeof(previous), "%s/.volsnap-previous.vol", scratch);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	(void)umount2(path, MNT_DETACH);
	return file_remove_tree(AT_FDCWD, scratch, &err);
}

static inline int set_up_mount(void **state)
{
	if (set_up(state) < 0 || mkdir(path, 0755) < 0)
		return -1;
	(void)snprintf(previous, sizeof(previous), "%s/.volsnap-previous", path);
	return mount("none", path, "tmpfs", 0, "size=4m");
}

static inline void put_in_place(bool keep)
{
	struct place *p = NULL;

	if (place_begin(path, &p, &err) < 0)
		fail_msg("begin: %s", err.text);
	fill_new(p);
	if (place_commit(p, keep, &err) < 0)
		fail_msg("commit: %s", err.text);
	place_free(p);
}

static inline int n_own(const char *dir)
{
	char command[300];
	FILE *f;
	int n = -1;

	(void)snprintf(command, sizeof(command),
		       "ls -A %s | grep '^.volsnap-' | grep -vc previous; true", dir);
	f = popen(command, "re");
	if (fscanf(f, "%d", &n) != 1)
		n = -1;
	(void)pclose(f);
	return n;
}

static inline void check_nothing_left(void)
{
	assert_int_equal(n_own(scratch), 0);
	assert_int_equal(n_own(path), 0);
}

#endif
