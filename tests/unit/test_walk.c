/* walk.c, emit.c, body.c, holes.c, meta.c, header.c: a tree becomes entries of which
 * other tars make the same tree, whatever its writers do meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/entry.h"
#include "base/file.h"
#include "base/scope.h"
#include "walk_fixture.h"

/* GNU tar, bsdtar and Python read every kind of entry as it was. */
static void readers(void **state)
{
	struct fixture *f = *state;

	fixture_file(f, "big", 3000001, 0);
	fixture_file(f, "block", 512, 0);
	fixture_file(f, "empty", 0, 0);
	fixture_shell(
		f,
		"cd tree && mkdir -p d/e sub deep && ln big sub/second && ln big big2 && "
		"ln -s big link && ln -s /nowhere/$(printf %%0150d 0) dangling && mkfifo "
		"fifo && "
		"ln fifo sub/fifo2 && chmod 4711 block && "
		"chmod 1777 sub && touch -d '1969-12-31 23:59:58 UTC' empty && "
		"touch -h -d '2039-01-02 03:04:05.123456789 UTC' link && "
		"printf x >$(printf 'odd\\377\\344name') && printf y >$(printf "
		"'new\\nline') && "
		"printf z >$(printf '\\303\\244') && "
		"mkdir -p deep/$(printf %%0200d 0)/$(printf %%0200d 1) && "
		"printf 1 >deep/$(printf %%0200d 0)/$(printf %%0200d 1)/$(printf %%0150d "
		"2) && "
		"ln deep/$(printf %%0200d 0)/$(printf %%0200d 1)/$(printf %%0150d 2) zz "
		"&& "
		"setfattr -n user.color -v blue big && setfattr -n user.bin -v "
		"0x000aff3d sub && "
		"setfacl -m u:12345:r,g:54321:rw big && setfacl -d -m u:12345:rwx d && "
		"chmod 0 d/e");
	if (geteuid() == 0)
		fixture_shell(f, "cd tree && mknod char c 1 3 && mknod block2 b 7 300 && "
				 "chown 4000000000:3999999999 block && chmod 4711 block");
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->notes.len, 0);
	fixture_compare(f);
	assert_int_equal(f->totals.bytes, 3000001 + 512 + 0 + 4);
	assert_int_equal(f->totals.files, 7);
	assert_int_equal(f->totals.dirs, 7);
	assert_int_equal(f->totals.entries, geteuid() == 0 ? 23 : 21);
}

/* Two names of one symbolic link stay one (Python's tarfile would follow them). */
static void linked_symlinks(void **state)
{
	struct fixture *f = *state;

	fixture_shell(f, "cd tree && mkdir d && ln -s nowhere a && ln a d/b");
	assert_int_equal(fixture_walk(f, NULL), 0);
	f->no_python = true;
	fixture_compare(f);
}

/* Holes at the beginning, between and at the end, and nothing but a hole, have no body
 * and come back as they were. */
static void sparse(void **state)
{
	struct fixture *f = *state;

	fixture_file(f, "a", 5000, 1 << 20);
	fixture_file(f, "b", 4096, 0);
	fixture_file(f, "b", 10, 9 << 20);
	fixture_shell(f, "truncate -s 30M tree/a && truncate -s 5M tree/hole && "
			 "truncate -s 4096 tree/page && printf x >tree/one && truncate "
			 "-s 100000 tree/one");
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->notes.len, 0);
	fixture_shell(f, "test $(stat -c %%s tar) -lt 100000");
	fixture_compare(f);
	assert_int_equal(f->totals.bytes,
			 (30 << 20) + (9 << 20) + 10 + (5 << 20) + 4096 + 100000);
}

/* A file of 9 GiB that is all hole costs nothing and keeps its size. */
static void huge(void **state)
{
	struct fixture *f = *state;

	fixture_shell(f, "truncate -s 9G tree/hole && printf x >tree/z");
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->totals.bytes, (9LL << 30) + 1);
	fixture_shell(f, "tar -tvf tar | grep -q ' 9663676416 .*hole' && tar -xOf tar "
			 "./z | grep -q x");
}

/* Of more holes than 4096 only the largest stay holes; the header stays small and the
 * content the same. */
static void many_holes(void **state)
{
	struct fixture *f = *state;

	for (off_t i = 0; i < 5000; i++)
		fixture_file(f, "a", 4096, i * 12288 + (i % 5 == 0 ? 4096 : 0));
	fixture_shell(f, "truncate -s 64M tree/a");
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_true(f->header_len <= ENTRY_HEADER_MAX);
	/* 5001 holes, 1001 of them of 4096 bytes: 905 of these are stored */
	assert_int_equal(f->body_len, (5000 + 905) * 4096);
	fixture_compare(f);
}

/* Parents come before children, siblings in the order of bytes, the root first. */
static void order(void **state)
{
	struct fixture *f = *state;

	fixture_shell(f, "cd tree && mkdir a a.b && touch a/z a/b a-c a.b/x B");
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->paths.len,
			 strlen(".\n./B\n./a\n./a/b\n./a/z\n./a-c\n./a.b\n./a.b/x\n"));
	assert_memory_equal(f->paths.p,
			    ".\n./B\n./a\n./a/b\n./a/z\n./a-c\n./a.b\n./a.b/x\n",
			    f->paths.len);
}

static void cut_file(struct fixture *f, const char *path, bool piece)
{
	auto_close int fd = piece ? openat(f->tree, path, O_WRONLY | O_CLOEXEC) : -1;

	if (piece)
		assert_int_equal(ftruncate(fd, 300000), 0);
}

/* A file cut while it is read is stored with the size that was read, flagged, never
 * padded. */
static void shrinks(void **state)
{
	struct fixture *f = *state;

	fixture_file(f, "a", 1 << 20, 0);
	fixture_file(f, "b", 100000, 0);
	fixture_shell(f, "head -c 300000 tree/a >want");
	f->hook = cut_file;
	assert_int_equal(fixture_walk(f, "a"), 0);
	assert_int_equal(f->size, 300000);
	assert_int_equal(f->body_len, 300000);
	assert_int_equal(f->totals.changed, 1);
	assert_true(fixture_noted(f, "changed ./a "));
	fixture_shell(f, "tar -xOf tar ./a | cmp - want");
}

/* A sparse file cut within data keeps the holes before, and loses those behind. */
static void shrinks_sparse(void **state)
{
	struct fixture *f = *state;

	fixture_file(f, "a", 204800, 0);
	fixture_file(f, "a", 204800, 253952);
	fixture_shell(f, "truncate -s 10M tree/a");
	f->hook = cut_file;
	assert_int_equal(fixture_walk(f, "a"), 0);
	assert_int_equal(f->size, 300000);
	assert_int_equal(f->body_len, 300000 - (253952 - 204800));
	assert_int_equal(f->totals.changed, 1);
	fixture_shell(f, "tar -xOf tar ./a | cmp - tree/a");
}

static void grow_file(struct fixture *f, const char *path, bool piece)
{
	if (piece)
		fixture_file(f, path, 1000000, 500000);
}

/* One that grows is stored with its first size and flagged. */
static void grows(void **state)
{
	struct fixture *f = *state;

	fixture_file(f, "a", 500000, 0);
	f->hook = grow_file;
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->size, 500000);
	assert_int_equal(f->totals.changed, 1);
	fixture_shell(f, "test $(stat -c %%s tree/a) = 1500000");
	fixture_shell(f, "tar -xOf tar ./a >have && head -c 500000 tree/a | cmp - have");
}

static void overwrite_file(struct fixture *f, const char *path, bool piece)
{
	if (piece && strcmp(path, "./a") == 0)
		fixture_file(f, path, 10, 0);
}

/* One that is overwritten in place is flagged; its neighbours are not. */
static void overwritten(void **state)
{
	struct fixture *f = *state;

	fixture_file(f, "a", 5000, 0);
	fixture_file(f, "b", 5000, 0);
	fixture_shell(f, "sleep 0.05");
	f->hook = overwrite_file;
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->totals.changed, 1);
	assert_false(fixture_noted(f, "./b"));
}

static void remove_others(struct fixture *f, const char *path, bool piece)
{
	(void)piece;
	if (strcmp(path, "./a") == 0)
		fixture_shell(f, "cd tree && rm -rf b c2 d && rm e && ln -s a e");
}

/* What vanishes between listing and reading is counted, and the rest is stored; a hard
 * link group goes on without its first name. */
static void vanishes(void **state)
{
	struct fixture *f = *state;

	fixture_file(f, "a", 10, 0);
	fixture_file(f, "c2", 20, 0);
	fixture_shell(
		f,
		"cd tree && touch b && ln c2 c3 && ln c2 c4 && mkdir d && touch d/x e z");
	f->hook = remove_others;
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->totals.vanished, 3);
	assert_int_equal(f->totals.unreadable, 0);
	assert_true(fixture_noted(f, "vanished ./c2 "));
	fixture_shell(f, "touch -d '2001-01-01' tree"); /* it changed after its header */
	f->hook = NULL;
	fixture_shell(f, "tar -tvf tar | grep -q 'c4 link to ./c3'");
}

/* Sockets are skipped and counted; nobody waits for a FIFO's writer. */
static void specials(void **state)
{
	struct fixture *f = *state;

	(void)alarm(10);
	fixture_shell(f, "cd tree && mkfifo f && python3 -c \"import socket; "
			 "socket.socket(socket.AF_UNIX).bind('s')\"");
	assert_int_equal(fixture_walk(f, NULL), 0);
	(void)alarm(0);
	assert_int_equal(f->totals.skipped, 1);
	assert_true(fixture_noted(f, "skipped ./s "));
	assert_true(fixture_has(f, "./f"));
	assert_false(fixture_has(f, "./s"));
}

/* What is excluded is left out with all below it, and nothing is said about it. */
static void excluded(void **state)
{
	static const char *const patterns[] = { "cache/", "/a/*.tmp" };
	struct fixture *f = *state;

	fixture_shell(f, "cd tree && mkdir -p a/cache/x b && touch a/cache/y a/1.tmp a/1 "
			 "b/1.tmp b/cache");
	f->options.exclude = patterns;
	f->options.n_exclude = 2;
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_memory_equal(f->paths.p, ".\n./a\n./a/1\n./b\n./b/1.tmp\n./b/cache\n",
			    f->paths.len);
	assert_int_equal(f->notes.len, 0);
}

/* A mount point is stored as a directory and not looked into, if so wanted. */
static void one_file_system(void **state)
{
	struct fixture *f = *state;
	char path[128];

	fixture_shell(f, "mkdir tree/m");
	(void)snprintf(path, sizeof(path), "%s/tree/m", f->dir);
	if (mount("none", path, "tmpfs", 0, NULL) < 0)
		skip();
	fixture_file(f, "m/x", 10, 0);
	f->options.one_file_system = true;
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_true(fixture_has(f, "./m"));
	assert_false(fixture_has(f, "./m/x"));
	assert_true(fixture_noted(f, "info ./m "));
	f->options.one_file_system = false;
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_true(fixture_has(f, "./m/x"));
	assert_int_equal(umount(path), 0);
}

/* 256 components are stored, "." among them; what lies deeper, or has too long a path, is
 * reported and left out. */
static void limits(void **state)
{
	struct fixture *f = *state;

	fixture_shell(f, "cd tree && for i in $(seq 258); do mkdir d && cd -P d; done");
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->totals.entries, 256);
	assert_int_equal(f->totals.unreadable, 1);
	assert_true(fixture_noted(f, "unreadable ./d/d"));
	fixture_shell(f, "rm -r tree/d && cd tree && n=$(printf %%0250d 0) && "
			 "for i in $(seq 17); do mkdir $n && cd -P $n; done");
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->totals.entries, 17);
	assert_int_equal(f->totals.unreadable, 1);
	fixture_shell(f, "tar -tf tar >log");
}

/* An attribute that a pax record cannot say is reported; the others and the file are
 * stored. */
static void attribute_name(void **state)
{
	struct fixture *f = *state;

	fixture_file(f, "a", 10, 0);
	fixture_shell(
		f, "setfattr -n user.x=y -v 1 tree/a && setfattr -n user.z -v 2 tree/a");
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->totals.changed, 1);
	assert_true(fixture_noted(f, "changed ./a attribute user.x=y cannot be stored"));
	fixture_shell(
		f,
		"mkdir o && tar -C o --xattrs -xf tar && setfattr -x user.x=y tree/a && "
		"getfattr -d o/a >h; (cd o; getfattr -d a) >h; (cd tree; getfattr -d a) "
		"| diff - h");
}

/* Ids of ACL entries that libarchive would make root's are left out and reported, the
 * other entries stay. */
static void acl_ids(void **state)
{
	struct fixture *f = *state;

	fixture_file(f, "a", 10, 0);
	fixture_shell(f, "setfacl -m u:4000000000:rw,g:3000000000:rw,u:7:r,m::rw tree/a");
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->totals.changed, 1);
	assert_true(fixture_noted(f, "changed ./a an ACL entry"));
	fixture_shell(
		f,
		"setfacl -x u:4000000000,g:3000000000 tree/a && setfacl -m m::rw tree/a");
	f->no_python =
		true; /* without ACLs it takes the owning group's bits for the mask's */
	fixture_compare(f);
}

/* Attributes that make a header too large leave the file out, and its body belongs to
 * nothing. */
static void header_too_large(void **state)
{
	static char value[65000];
	struct fixture *f = *state;
	char path[128], name[32];

	fixture_shell(f, "mkdir tree/m");
	(void)snprintf(path, sizeof(path), "%s/tree/m", f->dir);
	if (mount("none", path, "tmpfs", 0, NULL) < 0)
		skip();
	fixture_file(f, "m/x", 10, 0);
	fixture_file(f, "m/y", 10, 0);
	(void)snprintf(path, sizeof(path), "%s/tree/m/x", f->dir);
	for (int i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof(name), "trusted.%d", i);
		assert_int_equal(setxattr(path, name, value, sizeof(value), 0), 0);
	}
	assert_int_equal(fixture_walk(f, NULL), 0);
	assert_int_equal(f->n_drops, 1);
	assert_int_equal(f->totals.unreadable, 1);
	assert_true(fixture_noted(f, "unreadable ./m/x "));
	assert_true(fixture_has(f, "./m/y"));
	fixture_shell(f, "umount tree/m");
}

/* Someone who may not read is told path and call, and the rest is stored. */
static void not_allowed(void **state)
{
	struct fixture *f = *state;
	pid_t child;
	int status;

	if (geteuid() != 0)
		skip();
	fixture_file(f, "a", 10, 0);
	fixture_shell(
		f, "cd tree && mkdir d e && touch d/x b && chmod 0 a d && chmod 644 b");
	fixture_shell(f, "chmod 777 . && chmod 755 tree && touch tar && chmod 666 tar");
	child = fork();
	if (child == 0) {
		bool ok = setegid(65534) == 0 && seteuid(65534) == 0 &&
			  fixture_walk(f, NULL) == 0 && f->totals.unreadable == 2 &&
			  f->totals.entries == 3 &&
			  fixture_noted(f, "unreadable ./a open: Permission denied") &&
			  fixture_noted(f, "unreadable ./d open: Permission denied") &&
			  fixture_has(f, "./b") && !fixture_has(f, "./d");

		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* A volume of one file has one entry; anything but a regular file, or none, fails. */
static void single(void **state)
{
	struct fixture *f = *state;

	fixture_file(f, "a", 10, 0);
	fixture_shell(f, "cd tree && ln -s a l && mkdir d");
	assert_int_equal(fixture_walk(f, "a"), 0);
	assert_memory_equal(f->paths.p, "./a\n", f->paths.len);
	assert_int_equal(f->totals.entries, 1);
	assert_int_equal(fixture_walk(f, "l"), -1);
	assert_int_equal(fixture_walk(f, "d"), -1);
	assert_int_equal(fixture_walk(f, "nothing"), -1);
}

/* A barred directory ends the walk where it comes to it. */
static void barred(void **state)
{
	struct fixture *f = *state;
	struct walk_bar bar;
	struct stat st;

	fixture_shell(f, "mkdir -p tree/d/bar && touch tree/d/bar/x tree/e");
	assert_int_equal(fstatat(f->tree, "d/bar", &st, 0), 0);
	bar = (struct walk_bar){ st.st_dev, st.st_ino, "the store /x" };
	f->options.bars = &bar;
	f->options.n_bars = 1;
	assert_int_equal(fixture_walk(f, NULL), -1);
	assert_int_equal(f->err.kind, ERR_CONFIG);
	assert_non_null(
		strstr(f->err.text, "./d/bar: is the store /x: exclude = /d/bar,"));
}

/* A root that is gone fails the walk instead of making an empty snapshot. */
static void root_gone(void **state)
{
	struct fixture *f = *state;

	fixture_shell(f, "rmdir tree");
	assert_int_equal(fixture_walk(f, NULL), -1);
	fixture_shell(f, "mkdir tree");
}

/* What the sink says when it fails is what the walk says. */
static void sink_fails(void **state)
{
	struct fixture *f = *state;

	f->fail = true;
	assert_int_equal(fixture_walk(f, NULL), -1);
	assert_int_equal(f->err.kind, ERR_STORE);
	assert_string_equal(f->err.text, "the sink fails");
}

/* Reading leaves the access times of files and directories as they were. */
static void access_times(void **state)
{
	struct fixture *f = *state;

	fixture_file(f, "a", 10, 0);
	fixture_shell(f, "mkdir tree/d && touch tree/d/x && touch -a -d 2001-01-01 "
			 "tree/a tree/d tree && "
			 "find tree -printf '%%A@\\n' >want");
	/* the shell's find has read directories: set them again */
	fixture_shell(f, "touch -a -d 2001-01-01 tree/a tree/d tree");
	assert_int_equal(fixture_walk(f, NULL), 0);
	fixture_shell(
		f, "for p in tree tree/a tree/d; do "
		   "test $(stat -c %%X $p) = $(date -d 2001-01-01 +%%s) || exit 1; done");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(readers),	      CASE(sparse),	      CASE(many_holes),
		CASE(huge),	      CASE(linked_symlinks),  CASE(order),
		CASE(shrinks),	      CASE(shrinks_sparse),   CASE(grows),
		CASE(overwritten),    CASE(vanishes),	      CASE(specials),
		CASE(excluded),	      CASE(one_file_system),  CASE(limits),
		CASE(attribute_name), CASE(header_too_large), CASE(acl_ids),
		CASE(not_allowed),    CASE(single),	      CASE(root_gone),
		CASE(sink_fails),     CASE(access_times),     CASE(barred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
