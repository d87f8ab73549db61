/* What is left when putting in place is cut short at any step. */
#include "place_kit.h"

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

static int begin_uncut(void **state)
{
	calls_left = NOT_CUT;
	can_exchange = true;
	return set_up(state);
}

static int begin_uncut_mount(void **state)
{
	calls_left = NOT_CUT;
	can_exchange = true;
	return set_up_mount(state);
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

#define BESIDE(f) cmocka_unit_test_setup_teardown(f, begin_uncut, tear_down)
#define MOUNTED(f) cmocka_unit_test_setup_teardown(f, begin_uncut_mount, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BESIDE(replaces_a_file),
		BESIDE(survives_cuts),
		BESIDE(survives_cuts_without_exchange),
		BESIDE(removes_garbage),
		MOUNTED(survives_cuts),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
