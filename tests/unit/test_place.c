/* Trees that are put in place, and what is left when that is cut short at any step. */
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

enum { CUT = 99, NOT_CUT = -1 };

/* The process ends before the nth call that changes a directory. */
static int calls_left = NOT_CUT;
static bool can_exchange = true;

static void count_call(void)
{
	if (calls_left >= 0 && calls_left-- == 0)
		_exit(CUT);
}

int renameat2(int from, const char *name, int to, const char *as, unsigned int how)
{
	count_call();
	if (!can_exchange && (how & RENAME_EXCHANGE)) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from, name, to, as, how);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	count_call();
	return (int)syscall(SYS_mkdirat, dir, name, mode);
}

int unlinkat(int dir, const char *name, int how)
{
	count_call();
	return (int)syscall(SYS_unlinkat, dir, name, how);
}

int linkat(int from, const char *name, int to, const char *as, int how)
{
	count_call();
	return (int)syscall(SYS_linkat, from, name, to, as, how);
}

static struct err err;
static char scratch[64], path[128], previous[160];

__attribute__((format(printf, 1, 2))) static void run(const char *fmt, ...)
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
static const char *tree(const char *root)
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

static void make_old(void)
{
	run("mkdir -p %s/dir && echo old-a >%s/a && echo old-b >%s/dir/b && ln -s /x "
	    "%s/link",
	    path, path, path, path);
}

static void fill_new(struct place *p)
{
	run("cd /proc/%d/fd/%d && echo new-a >a && mkdir fresh && echo new-c >fresh/c && "
	    "chown 123:45 . && chmod 2751 . && touch -d @1000000000.123456789 .",
	    (int)getpid(), place_fd(p));
}

static const char new_tree[] = "new-a\nnew-c\n";

static void check_root(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 02751);
	assert_int_equal(st.st_uid, 123);
	assert_int_equal(st.st_gid, 45);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(scratch, sizeof(scratch), "/tmp/test_place.XXXXXX");
	if (!mkdtemp(scratch))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/vol", scratch);
	(void)snprintf(previous, sizeof(previous), "%s/.volsnap-previous.vol", scratch);
	calls_left = NOT_CUT;
	can_exchange = true;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)umount2(path, MNT_DETACH);
	return file_remove_tree(AT_FDCWD, scratch, &err);
}

static int set_up_mount(void **state)
{
	if (set_up(state) < 0 || mkdir(path, 0755) < 0)
		return -1;
	(void)snprintf(previous, sizeof(previous), "%s/.volsnap-previous", path);
	return mount("none", path, "tmpfs", 0, "size=4m");
}

static void put_in_place(bool keep)
{
	struct place *p = NULL;

	if (place_begin(path, &p, &err) < 0)
		fail_msg("begin: %s", err.text);
	fill_new(p);
	if (place_commit(p, keep, &err) < 0)
		fail_msg("commit: %s", err.text);
	place_free(p);
}

static int n_own(const char *dir)
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

static void check_nothing_left(void)
{
	assert_int_equal(n_own(scratch), 0);
	assert_int_equal(n_own(path), 0);
}

/* An absent or empty directory becomes the new tree, with the root's own metadata. */
static void fills_what_is_empty(void **state)
{
	(void)state;
	assert_int_equal(place_has_content(path, &err), 0);
	put_in_place(false);
	assert_non_null(strstr(tree(path), new_tree));
	check_root();
	check_nothing_left();
	assert_int_equal(place_has_content(path, &err), 1);
	assert_int_equal(place_discard(path, &err), 1);
}

/* What was there is kept whole, under the name that place_previous says, until it is
 * discarded. */
static void keeps_previous(void **state)
{
	char *name, before[4096];

	(void)state;
	make_old();
	(void)snprintf(before, sizeof(before), "%s", tree(path));
	put_in_place(true);
	assert_non_null(strstr(tree(path), new_tree));
	assert_null(strstr(tree(path), "old"));
	assert_string_equal(tree(previous), before);
	check_root();
	check_nothing_left();
	name = place_previous(path);
	assert_string_equal(name, previous);
	free(name);
	assert_int_equal(place_discard(path, &err), 0);
	assert_int_not_equal(access(previous, F_OK), 0);
	assert_non_null(strstr(tree(path), new_tree));
}

/* Content is never replaced unasked, nor a previous tree by another; nothing is left
 * behind. */
static void refuses_what_is_full(void **state)
{
	struct place *p = NULL;
	char before[4096];

	(void)state;
	make_old();
	(void)snprintf(before, sizeof(before), "%s", tree(path));
	assert_int_equal(place_begin(path, &p, &err), 0);
	fill_new(p);
	assert_int_equal(place_commit(p, false, &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	place_free(p);
	run("mkdir %s && touch %s/kept", previous, previous);
	assert_int_equal(place_begin(path, &p, &err), 0);
	assert_int_equal(place_commit(p, true, &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	place_free(p);
	assert_int_equal(place_recover(path, &err), 0);
	assert_string_equal(tree(path), before);
	assert_non_null(strstr(tree(previous), "kept"));
	check_nothing_left();
}

/* A new tree that is given up is removed. */
static void removes_what_was_given_up(void **state)
{
	struct place *p = NULL;

	(void)state;
	make_old();
	assert_int_equal(place_begin(path, &p, &err), 0);
	fill_new(p);
	place_free(p);
	check_nothing_left();
	assert_non_null(strstr(tree(path), "old-a\nold-b\n"));
}

/* The child that is cut before its nth call; its exit status. */
static int cut_at(int n, bool keep)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct place *p = NULL;

		if (place_begin(path, &p, &err) < 0)
			_exit(1);
		fill_new(p);
		calls_left = n;
		_exit(place_commit(p, keep, &err) < 0 ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

/* Whether recovery was cut before its nth call. */
static bool recover_cut(int n)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		calls_left = n;
		_exit(place_recover(path, &err) < 0 ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_not_equal(WEXITSTATUS(status), 2);
	return WEXITSTATUS(status) == CUT;
}

/* After recovery PATH is old or new, whole; where it is new, the old one is the previous.
 */
static bool check_recovered(const char *before)
{
	bool is_new;

	if (place_recover(path, &err) < 0)
		fail_msg("recover: %s", err.text);
	is_new = strstr(tree(path), new_tree) != NULL;
	check_nothing_left();
	assert_string_equal(tree(is_new ? previous : path), before);
	if (!is_new)
		assert_int_not_equal(access(previous, F_OK), 0);
	return is_new;
}

static void reset_old(void)
{
	run("find %s -mindepth 1 -delete; rm -rf %s", path, previous);
	make_old();
	run("chmod 0750 %s && chown 0:0 %s", path, path);
}

/* Cut at each call, then recovered; and recovery itself cut at each of its calls. */
static void cut_everywhere(void)
{
	int n_old = 0, n_new = 0, status = CUT;
	char before[4096];

	for (int n = 0; status == CUT; n++) {
		bool cut = true;

		for (int again = 0; cut; again++) {
			reset_old();
			(void)snprintf(before, sizeof(before), "%s", tree(path));
			status = cut_at(n, true);
			if (status != CUT)
				break;
			cut = recover_cut(again);
			if (check_recovered(before))
				n_new++;
			else
				n_old++;
		}
	}
	assert_int_equal(status, 0);
	assert_true(n_new > 0 && n_old > 0);
}

/* Whatever step a crash cuts, recovery leaves the old or the new tree whole, and never
 * removes what is the only copy of the old one. */
static void survives_cuts(void **state)
{
	(void)state;
	cut_everywhere();
}

/* The same on a file system that cannot exchange two names. */
static void survives_cuts_without_exchange(void **state)
{
	(void)state;
	can_exchange = false;
	cut_everywhere();
}

/* A restore that crashed while it was filling left garbage, and the volume as it was. */
static void removes_garbage(void **state)
{
	char before[4096];
	pid_t pid;

	(void)state;
	make_old();
	(void)snprintf(before, sizeof(before), "%s", tree(path));
	for (int n = 0; n < 3; n++) {
		pid = fork();
		if (pid == 0) {
			struct place *p = NULL;

			calls_left = n;
			if (place_begin(path, &p, &err) == 0) {
				calls_left = NOT_CUT;
				fill_new(p);
			}
			_exit(0);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_false(check_recovered(before));
	}
}

/* Another volume in the same directory is not touched, even if its name begins like ours.
 */
static void leaves_others_alone(void **state)
{
	struct place *p = NULL, *other = NULL;
	char name[256];

	(void)state;
	make_old();
	(void)snprintf(name, sizeof(name), "%s.5", path);
	assert_int_equal(place_begin(name, &other, &err), 0);
	fill_new(other);
	assert_int_equal(place_begin(path, &p, &err), 0);
	fill_new(p);
	assert_int_equal(place_commit(p, true, &err), 0);
	place_free(p);
	assert_int_equal(place_commit(other, false, &err), 0);
	place_free(other);
	assert_non_null(strstr(tree(name), new_tree));
	assert_non_null(strstr(tree(path), new_tree));
}

static void set_immutable(const char *name, bool on)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC), flags = 0;

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, FS_IOC_GETFLAGS, &flags), 0);
	flags = on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	assert_int_equal(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	(void)close(fd);
}

static bool is_immutable(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC), flags = 0;

	(void)ioctl(fd, FS_IOC_GETFLAGS, &flags);
	(void)close(fd);
	return flags & FS_IMMUTABLE_FL;
}

/* Immutable roots change places like others, and stay immutable. */
static void moves_immutable_roots(void **state)
{
	struct place *p = NULL;
	char name[64];

	(void)state;
	make_old();
	set_immutable(path, true);
	assert_int_equal(place_begin(path, &p, &err), 0);
	fill_new(p);
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", place_fd(p));
	set_immutable(name, true);
	if (place_commit(p, true, &err) < 0)
		fail_msg("%s", err.text);
	place_free(p);
	assert_true(is_immutable(path));
	assert_true(is_immutable(previous));
	assert_non_null(strstr(tree(path), new_tree));
}

/* `_data` of a named volume: the previous tree has the short name. */
static void names_previous_of_data(void **state)
{
	char name[200], *got;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/_data", scratch);
	(void)snprintf(name, sizeof(name), "%s/.volsnap-previous", scratch);
	got = place_previous(path);
	assert_string_equal(got, name);
	free(got);
	make_old();
	put_in_place(true);
	assert_non_null(strstr(tree(name), "old-a"));
}

/* A symbolic link at PATH stays, and its target is replaced. */
static void follows_a_link_at_path(void **state)
{
	struct stat st;

	(void)state;
	run("mkdir %s/real && echo old >%s/real/a && ln -s real %s", scratch, scratch,
	    path);
	put_in_place(true);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_non_null(strstr(tree(path), new_tree));
}

/* A single file: replaced by one rename, the previous one kept; cut anywhere, one is
 * there. */
static void replaces_a_file(void **state)
{
	struct place *p = NULL;
	int status = CUT;

	(void)state;
	for (int n = 0; status == CUT; n++) {
		pid_t pid;

		run("rm -rf %s %s; echo old >%s", path, previous, path);
		pid = fork();
		if (pid == 0) {
			if (place_begin_file(path, &p, &err) < 0)
				_exit(1);
			run("echo new >/proc/%d/fd/%d/f", (int)getpid(), place_fd(p));
			calls_left = n;
			_exit(place_commit(p, true, &err) < 0 ? 2 : 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		status = WEXITSTATUS(status);
		assert_int_equal(place_recover(path, &err), 0);
		assert_int_equal(n_own(scratch), 0);
		run("case $(cat %s) in new) grep -q old %s;; old) test ! -e %s;; *) exit "
		    "1;; esac",
		    path, previous, previous);
	}
	assert_int_equal(status, 0);
	run("grep -q new %s && grep -q old %s", path, previous);
	assert_int_equal(place_has_content(path, &err), 1);
	assert_int_equal(place_discard(path, &err), 0);
	assert_int_equal(place_begin(path, &p, &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
}

/* In a mount point lost+found is nobody's content, and an attribute of the new root
 * arrives. */
static void fills_a_mount(void **state)
{
	struct place *p = NULL;
	char value[8];

	(void)state;
	run("mkdir %s/lost+found", path);
	assert_int_equal(setxattr(path, "trusted.old", "x", 1, 0), 0);
	assert_int_equal(place_has_content(path, &err), 0);
	assert_int_equal(place_begin(path, &p, &err), 0);
	fill_new(p);
	assert_int_equal(fsetxattr(place_fd(p), "trusted.t", "new", 3, 0), 0);
	run("touch -d @1000000000.123456789 /proc/%d/fd/%d/", (int)getpid(), place_fd(p));
	if (place_commit(p, false, &err) < 0)
		fail_msg("%s", err.text);
	place_free(p);
	assert_non_null(strstr(tree(path), new_tree));
	assert_int_equal(getxattr(path, "trusted.t", value, sizeof(value)), 3);
	assert_int_equal(getxattr(path, "trusted.old", value, sizeof(value)), -1);
	check_root();
	check_nothing_left();
}

/* A volume with names of ours, or with a mount in it, is refused before anything moves.
 */
static void refuses_what_would_stop_halfway(void **state)
{
	struct place *p = NULL;
	char name[200];

	(void)state;
	make_old();
	assert_int_equal(place_begin(path, &p, &err), 0);
	fill_new(p);
	run("touch /proc/%d/fd/%d/.volsnap-previous", (int)getpid(), place_fd(p));
	assert_int_equal(place_commit(p, true, &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	place_free(p);
	(void)snprintf(name, sizeof(name), "%s/dir", path);
	assert_int_equal(mount("none", name, "tmpfs", 0, NULL), 0);
	assert_int_equal(place_begin(path, &p, &err), 0);
	fill_new(p);
	assert_int_equal(place_commit(p, true, &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	place_free(p);
	assert_int_equal(umount(name), 0);
	assert_non_null(strstr(tree(path), "old-a\nold-b\n"));
	check_nothing_left();
}

#define BESIDE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define MOUNTED(f) cmocka_unit_test_setup_teardown(f, set_up_mount, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BESIDE(fills_what_is_empty),
		BESIDE(keeps_previous),
		BESIDE(refuses_what_is_full),
		BESIDE(removes_what_was_given_up),
		BESIDE(survives_cuts),
		BESIDE(survives_cuts_without_exchange),
		BESIDE(removes_garbage),
		BESIDE(leaves_others_alone),
		BESIDE(moves_immutable_roots),
		BESIDE(names_previous_of_data),
		BESIDE(follows_a_link_at_path),
		BESIDE(replaces_a_file),
		MOUNTED(keeps_previous),
		MOUNTED(fills_what_is_empty),
		MOUNTED(fills_a_mount),
		MOUNTED(refuses_what_is_full),
		MOUNTED(removes_what_was_given_up),
		MOUNTED(refuses_what_would_stop_halfway),
		MOUNTED(survives_cuts),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
