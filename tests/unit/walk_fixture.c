/* The sink keeps a body until its entry comes, then writes header, body and padding: the
 * same tar that an export makes. */
#include "walk_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/entry.h"
#include "base/file.h"
#include "base/report.h"
#include "base/scope.h"

/* What is compared: type, mode, owner, time, size, target, content, attributes, links. */
static const char list_script[] =
	"find . -printf '%y %m %U %G %T@ %n %p\\n' | sort; "
	"find . -type l -printf '%p %l\\n' | sort; "
	"find . -type f -print0 | sort -z | xargs -0r sha256sum; "
	"find . -printf '%i %p\\n' | sort -k2 | awk '{ if (!($1 in n)) n[$1] = ++k; "
	"print n[$1] }'";

static struct report report_of(struct fixture *f);
static struct report the_report;

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	(void)strcpy(f->dir, "/tmp/test_walk.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	*state = f;
	fixture_shell(f, "mkdir tree");
	f->tree = file_open_dir(AT_FDCWD, f->dir, true, &f->err);
	if (f->tree < 0)
		return -1;
	(void)close(f->tree);
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/tree", f->dir);
	f->tree = file_open_dir(AT_FDCWD, path, true, &f->err);
	the_report = report_of(f);
	f->options.report = &the_report;
	f->options.scratch = "/tmp";
	return f->tree < 0 ? -1 : 0;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_EMPTY;
	char mounted[128];
	int r;

	/* where a test that mounts something failed; the removal stays on one file system
	 */
	(void)snprintf(mounted, sizeof(mounted), "%s/tree/m", f->dir);
	(void)umount2(mounted, MNT_DETACH | UMOUNT_NOFOLLOW);
	r = file_remove_tree(AT_FDCWD, f->dir, &e);

	(void)close(f->tree);
	bytes_free(&f->body);
	bytes_free(&f->paths);
	bytes_free(&f->notes);
	free(f);
	return r;
}

void fixture_file(const struct fixture *f, const char *name, size_t n, off_t offset)
{
	auto_close int fd = openat(f->tree, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	auto_free uint8_t *p = malloc(n + 1);

	assert_true(fd >= 0 && p != NULL);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)random();
	assert_int_equal(file_pwrite(fd, p, n, offset), 0);
}

void fixture_shell(const struct fixture *f, const char *fmt, ...)
{
	char command[4096];
	size_t n = (size_t)snprintf(command, sizeof(command), "cd %s && ", f->dir);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(command + n, sizeof(command) - n, fmt, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static void append(struct bytes *b, const char *text)
{
	struct err e = ERR_EMPTY;

	assert_int_equal(bytes_append(b, text, strlen(text), &e), 0);
}

static void on_note(void *ctx, enum note_kind kind, const char *path, const char *text)
{
	static const char *const kinds[] = { "info",	"warning",  "unreadable",
					     "changed", "vanished", "skipped",
					     "restore", "damaged" };
	struct fixture *f = ctx;

	append(&f->notes, kinds[kind]);
	append(&f->notes, " ");
	append(&f->notes, path);
	append(&f->notes, " ");
	append(&f->notes, text);
	append(&f->notes, "\n");
}

static struct report report_of(struct fixture *f)
{
	return (struct report){ .ctx = f, .note = on_note };
}

static int on_begin(void *ctx, const struct entry_hint *hint, struct err *e)
{
	struct fixture *f = ctx;

	(void)e;
	assert_int_equal(f->body.len, 0);
	f->n_begun++;
	f->first_piece = true;
	f->current = hint->path;
	return 0;
}

static int on_known(void *ctx, const struct entry_hint *hint, struct err *e)
{
	struct fixture *f = ctx;

	(void)e;
	assert_non_null(hint->stat);
	return f->known && strcmp(f->known, hint->path) == 0;
}

static int on_body(void *ctx, uint64_t offset, const uint8_t *p, size_t n, struct err *e)
{
	struct fixture *f = ctx;

	assert_true(offset + n <= INT64_MAX);

	if (f->hook && f->first_piece)
		f->hook(f, f->current, true);
	f->first_piece = false;
	return bytes_append(&f->body, p, n, e);
}

static int on_entry(void *ctx, const struct entry *en, struct err *e)
{
	static const uint8_t zeros[512];
	struct fixture *f = ctx;

	if (f->fail)
		return err_set(e, ERR_STORE, "the sink fails");
	assert_int_equal(en->header_len % 512, 0);
	assert_int_equal(en->body_len, f->body.len);
	assert_int_equal(fwrite(en->header, 1, en->header_len, f->tar), en->header_len);
	if (f->body.len > 0)
		assert_int_equal(fwrite(f->body.p, 1, f->body.len, f->tar), f->body.len);
	(void)fwrite(zeros, 1, (512 - f->body.len % 512) % 512, f->tar);
	f->body.len = 0;
	f->size = en->size;
	f->body_len = en->body_len;
	f->header_len = en->header_len;
	append(&f->paths, en->path);
	append(&f->paths, "\n");
	if (f->hook)
		f->hook(f, en->path, false);
	return 0;
}

static int on_drop(void *ctx, struct err *e)
{
	struct fixture *f = ctx;

	(void)e;
	f->n_drops++;
	f->body.len = 0;
	return 0;
}

int fixture_walk(struct fixture *f, const char *single)
{
	const struct entry_sink sink = { f, on_known, on_begin, on_body, on_entry, on_drop };
	static const char end[1024];
	char path[128];
	int r;

	(void)snprintf(path, sizeof(path), "%s/tar", f->dir);
	f->tar = fopen(path, "we");
	assert_non_null(f->tar);
	f->paths.len = f->notes.len = 0;
	f->n_drops = f->n_begun = 0;
	r = walk(f->tree, single, &f->options, &sink, &f->totals, &f->err);
	(void)fwrite(end, 1, sizeof(end), f->tar);
	assert_int_equal(fclose(f->tar), 0);
	append(&f->paths, "");
	if (r == 0)
		assert_int_equal(f->body.len, 0);
	f->body.len = 0;
	return r;
}

static void compare_one(const struct fixture *f, const char *name, const char *extract)
{
	fixture_shell(f, "mkdir out && (cd out && %s) >log 2>&1 || { cat log; exit 1; }",
		      extract);
	fixture_shell(f, "(cd tree && %s) >want; (cd out && %s) >have; diff want have",
		      list_script, list_script);
	if (strcmp(name, "python") != 0) {
		fixture_shell(
			f,
			"(cd tree && getfattr -Rhd -m - . | cat) >want; "
			"(cd out && getfattr -Rhd -m - . | cat) >have; diff want have");
		fixture_shell(f,
			      "(cd tree && getfacl -Rpn . | cat) >want; "
			      "(cd out && getfacl -Rpn . | cat) >have; diff want have");
	}
	fixture_shell(f, "chmod -R u+rwx out; rm -rf out");
}

void fixture_compare(const struct fixture *f)
{
	compare_one(f, "tar",
		    "tar -xpf ../tar --same-owner --numeric-owner --xattrs "
		    "--xattrs-include='*' --acls --warning=no-unknown-keyword");
	compare_one(f, "bsdtar",
		    "bsdtar -xpf ../tar --numeric-owner && "
		    "touch -r ../tree ."); /* it leaves "." alone */
	if (f->no_python)
		return;
	compare_one(f, "python",
		    "python3 -c \"import tarfile, sys; t = tarfile.open('../tar', "
		    "errors='surrogateescape'); "
		    "t.errorlevel = 2; t.extractall(numeric_owner=True)\" && "
		    /* it has floats for times, and none for links */
		    "(cd ../tree && find . -exec touch -h -r {} ../out/{} \\;)");
}

bool fixture_noted(const struct fixture *f, const char *text)
{
	return f->notes.len > 0 &&
	       memmem(f->notes.p, f->notes.len, text, strlen(text)) != NULL;
}

bool fixture_has(const struct fixture *f, const char *path)
{
	char line[5000];
	size_t n = (size_t)snprintf(line, sizeof(line), "\n%s\n", path);

	if (f->paths.len >= n - 1 && memcmp(f->paths.p, line + 1, n - 1) == 0)
		return true;
	return f->paths.len > 0 && memmem(f->paths.p, f->paths.len, line, n) != NULL;
}
