/* Who uses a volume, as far as processes may be looked at. */
#include "source/place.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"

static struct err err;
static char scratch[64], path[128];

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(scratch, sizeof(scratch), "/tmp/test_in_use.XXXXXX");
	if (!mkdtemp(scratch))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/vol", scratch);
	return mkdir(path, 0755);
}

static int set_up_mount(void **state)
{
	return set_up(state) < 0 ? -1 : mount("none", path, "tmpfs", 0, "size=4m");
}

static int tear_down(void **state)
{
	(void)state;
	(void)umount2(path, MNT_DETACH);
	return file_remove_tree(AT_FDCWD, scratch, &err);
}

static void make_dir(const char *name)
{
	char whole[200];

	(void)snprintf(whole, sizeof(whole), "%s%s", scratch, name);
	assert_int_equal(mkdir(whole, 0755), 0);
}

/* Fork a process in its own mount namespace that does SETUP and waits; its pid. */
static pid_t other_namespace(const char *setup)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || unshare(CLONE_NEWNS) < 0 ||
		    system(setup) != 0)
			_exit(1);
		(void)!write(ready[1], "x", 1);
		(void)pause();
		_exit(0);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* A bind of the volume, or of a part of it, in another namespace is a use; a namespace
 * without one, or with one of a neighbour, is not. */
static void sees_users(void **state)
{
	char setup[500];
	pid_t pid, found = 0;
	bool partial;

	(void)state;
	make_dir("/vol/dir");
	make_dir("/vol2");
	make_dir("/at");
	assert_int_equal(place_in_use(path, &found, &partial, &err), 0);
	(void)snprintf(setup, sizeof(setup), "mount --bind %s2 %s/at", path, scratch);
	pid = other_namespace(setup);
	assert_int_equal(place_in_use(path, &found, &partial, &err), 0);
	end(pid);
	(void)snprintf(setup, sizeof(setup), "mount --bind %s/dir %s/at", path, scratch);
	pid = other_namespace(setup);
	assert_int_equal(place_in_use(path, &found, &partial, &err), 1);
	assert_int_equal(found, pid);
	end(pid);
	(void)snprintf(setup, sizeof(setup), "mount --bind %s %s/at", path, scratch);
	pid = other_namespace(setup);
	assert_int_equal(place_in_use(path, &found, &partial, &err), 1);
	assert_int_equal(found, pid);
	end(pid);
	assert_int_equal(place_in_use(path, &found, &partial, &err), 0);
	assert_false(partial);
	assert_int_equal(place_in_use("/nonexistent/x", &found, &partial, &err), 0);
}

/* Who may not look at other processes says so instead of calling the volume unused. */
static void says_what_it_cannot_see(void **state)
{
	static const char *const how[] = { "hidepid=1", "hidepid=2", "hidepid=0" };

	(void)state;
	for (size_t i = 0; i < sizeof(how) / sizeof(*how); i++) {
		bool partial = false;
		pid_t found, child = fork();
		int status;

		if (child == 0) {
			if (unshare(CLONE_NEWNS) < 0 ||
			    mount("proc", "/proc", "proc", 0, how[i]) < 0)
				_exit(77);
			if (chmod(scratch, 0755) < 0 || setgroups(0, NULL) < 0 ||
			    setgid(65534) < 0 || setuid(65534) < 0 ||
			    place_in_use(scratch, &found, &partial, &err) != 0)
				_exit(1);
			_exit(partial == (i < 2) ? 0 : 2);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(status, 0);
	}
}

/* The copy of a mounted volume in a sandboxed service is no use; at another place it is.
 */
static void knows_copies(void **state)
{
	char setup[500];
	pid_t pid, found = 0;
	bool partial;

	(void)state;
	make_dir("/at");
	pid = other_namespace("true");
	assert_int_equal(place_in_use(path, &found, &partial, &err), 0);
	end(pid);
	(void)snprintf(setup, sizeof(setup), "mount --bind %s %s/at", path, scratch);
	pid = other_namespace(setup);
	assert_int_equal(place_in_use(path, &found, &partial, &err), 1);
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sees_users, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_what_it_cannot_see, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(knows_copies, set_up_mount, tear_down),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
