/* Trees that are put in place. */
#include "place_kit.h"

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
		BESIDE(leaves_others_alone),
		BESIDE(moves_immutable_roots),
		BESIDE(names_previous_of_data),
		BESIDE(follows_a_link_at_path),
		MOUNTED(keeps_previous),
		MOUNTED(fills_what_is_empty),
		MOUNTED(fills_a_mount),
		MOUNTED(refuses_what_is_full),
		MOUNTED(removes_what_was_given_up),
		MOUNTED(refuses_what_would_stop_halfway),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		(void)fputs("must be root, may mount, and / must be a mount point\n",
			    stderr);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
