/* Headers that want out, a file system that does not want them, and a child that dies. */
#include "extract_kit.h"

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

/* A file whose content is lost is not there, even in part: neither by its name nor by a
 * later one, and what comes next is right. */
static void drops_lost_content(void **state)
{
	(void)state;
	simple("./d", AE_IFDIR, 0755);
	entry("./d/lost", AE_IFREG, 0600, 10);
	send_entry();
	data(0, "12345");
	assert_int_equal(extract_drop(x, &err), 0);
	entry("./d/whole", AE_IFREG, 0600, 5);
	send_entry();
	data(0, "12345");
	link_to("./d/second", "./d/lost", true);
	send_entry();
	finish();
	expect_notes("./d/second: link to ./d/lost: No such file", 2);
	assert_int_equal(totals.entries, 3);
	assert_int_equal(totals.files, 1);
	assert_int_equal(totals.bytes, 5);
	assert_int_equal(access(at("d/lost"), F_OK), -1);
	assert_int_equal(access(at("d/second"), F_OK), -1);
	assert_int_equal(stat_of("d/whole").st_size, 5);
}

/* There must be a file to drop. */
static void refuses_to_drop_nothing(void **state)
{
	(void)state;
	simple("./d", AE_IFDIR, 0755);
	assert_true(extract_drop(x, &err) < 0 || extract_finish(x, &totals, &err) < 0);
	assert_int_equal(err.kind, ERR_DAMAGED);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(drops_lost_content), CASE(refuses_to_drop_nothing),
		CASE(refuses_to_leave),	       CASE(sets_nothing_through_links),
		CASE(refuses_names_twice),     CASE(refuses_bombs),
		CASE(reports_missing_content), CASE(reports_links_to_nothing),
		CASE(reports_refusals),	       CASE(fails_on_a_full_disk),
		CASE(says_how_the_child_died), CASE(does_not_lock_up),
		CASE(confines_the_child),      CASE(refuses_bad_headers),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
