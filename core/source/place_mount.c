/* A mount point cannot be renamed, so its children are.  First the journal is written,
 * which has the root's own metadata (moving children changes times); then the old
 * children go down, if they are kept; then the new ones come up; then the root gets its
 * metadata and the journal goes.  Each step can be repeated: whoever finds a journal goes
 * on from there. */
#include "source/place_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "source/place_root.h"

/* A child's name is passed; 1: stop. */
typedef int child_fn(void *ctx, int dir, const char *name, struct err *e);

/* CALL for each child that was there at the beginning; renaming while reading may hide
 * some, so callers that do go round until nothing was left to do. */
static int each_child(int dir, child_fn *call, void *ctx, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;

	if (!d)
		return err_sys(e, "read directory");
	while (status == 0 && (errno = 0, de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			status = call(ctx, dir, de->d_name, e);
	if (status == 0 && errno != 0)
		status = err_sys(e, "read directory");
	(void)closedir(d);
	return status;
}

/* Not ours, nor an empty lost+found, which belongs to the file system. */
static int is_content(void *ctx, int dir, const char *name, struct err *e)
{
	auto_close int fd = -1;

	(void)ctx;
	if (place_spot_own(name))
		return 0;
	if (strcmp(name, "lost+found") != 0)
		return 1;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? 1 : file_dir_has_entries(fd, NULL, e);
}

int place_mount_has_content(int dir, struct err *e)
{
	return each_child(dir, is_content, NULL, e);
}

int place_mount_begin(const struct place_spot *s, int *fd, struct err *e)
{
	if (mkdirat(s->dir, PLACE_MOUNT_NEW, 0700) < 0)
		return err_sys(e, "%s: make " PLACE_MOUNT_NEW, s->path);
	*fd = file_open_dir(s->dir, PLACE_MOUNT_NEW, true, e);
	return *fd < 0 ? -1 : 0;
}

struct moving {
	int to;
	bool down; /* else up */
	bool moved;
};

static int move_child(void *ctx, int dir, const char *name, struct err *e)
{
	struct moving *m = ctx;
	int content = m->down ? is_content(NULL, dir, name, e) : 1;

	if (content != 1)
		return content;
	m->moved = true;
	return place_move(dir, name, m->to, name, false, e);
}

static int move_children(int from, int to, bool down, struct err *e)
{
	struct moving m = { .to = to, .down = down, .moved = true };

	while (m.moved) {
		m.moved = false;
		if (each_child(from, move_child, &m, e) < 0)
			return -1;
	}
	return fsync(to) < 0 || fsync(from) < 0 ? err_sys(e, "sync directory") : 0;
}

static int write_journal(const struct place_spot *s, bool down,
			 const struct place_root *root, struct err *e)
{
	char text[200];
	int n = snprintf(text, sizeof(text),
			 "%s %" PRIo32 " %" PRIu32 " %" PRIu32 " %" PRId64 " %" PRIu32
			 " %" PRIu32 "\n",
			 down ? "down" : "up", root->mode, root->uid, root->gid,
			 root->sec, root->nsec, root->locks);

	return file_save(s->dir, PLACE_MOUNT_JOURNAL, text, (size_t)n, 0600, true, e) < 0
		       ? -1
		       : 0;
}

/* 1: there is none. */
static int read_journal(const struct place_spot *s, bool *down, struct place_root *root,
			struct err *e)
{
	struct bytes b __attribute__((cleanup(bytes_free))) = BYTES_EMPTY;
	int status = file_load(s->dir, PLACE_MOUNT_JOURNAL, 200, &b, e);
	char word[8];

	if (status != 0)
		return status;
	if (bytes_zero(&b, 1, e) < 0)
		return -1;
	if (sscanf((const char *)b.p,
		   "%7s %" SCNo32 " %" SCNu32 " %" SCNu32 " %" SCNd64 " %" SCNu32
		   " %" SCNu32,
		   word, &root->mode, &root->uid, &root->gid, &root->sec, &root->nsec,
		   &root->locks) != 7)
		return err_set(e, ERR_FAILED,
			       "%s/" PLACE_MOUNT_JOURNAL ": not understood", s->path);
	*down = strcmp(word, "down") == 0;
	return 0;
}

/* The directory for the previous children; there already where the work goes on. */
static int open_previous(const struct place_spot *s, struct err *e)
{
	struct place_root root;
	struct err ignored;
	int fd;

	if (mkdirat(s->dir, PLACE_MOUNT_PREVIOUS, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "%s: make " PLACE_MOUNT_PREVIOUS, s->path);
	fd = file_open_dir(s->dir, PLACE_MOUNT_PREVIOUS, true, e);
	/* Nice to have; nothing to stop halfway for. */
	if (fd >= 0 && place_root_read(s->dir, &root, &ignored) == 0)
		(void)place_root_copy(s->dir, fd, &root, &ignored);
	return fd;
}

static int go_down(const struct place_spot *s, struct err *e)
{
	auto_close int to = open_previous(s, e);

	return to < 0 ? -1 : move_children(s->dir, to, true, e);
}

static int go_up(const struct place_spot *s, struct place_root *root, struct err *e)
{
	auto_close int from = file_open_dir(s->dir, PLACE_MOUNT_NEW, true, e);

	if (from < 0)
		return e->sys == ENOENT ? 0 : -1;
	if (move_children(from, s->dir, false, e) < 0 ||
	    place_root_copy(from, s->dir, root, e) < 0)
		return -1;
	if (unlinkat(s->dir, PLACE_MOUNT_NEW, AT_REMOVEDIR) < 0)
		return err_sys(e, "%s: remove " PLACE_MOUNT_NEW, s->path);
	return 0;
}

/* From where the journal stands to the end. */
static int carry_on(const struct place_spot *s, bool down, struct place_root *root,
		    struct err *e)
{
	if (down && (go_down(s, e) < 0 || write_journal(s, false, root, e) < 0))
		return -1;
	if (go_up(s, root, e) < 0 || fsync(s->dir) < 0)
		return err_in(e, "%s", s->path);
	if (unlinkat(s->dir, PLACE_MOUNT_JOURNAL, 0) < 0)
		return err_sys(e, "%s: remove " PLACE_MOUNT_JOURNAL, s->path);
	/* Removing our names changed the time that the root has from the snapshot. */
	if (place_root_finish(s->dir, root, e) < 0)
		return -1;
	return fsync(s->dir) < 0 ? err_sys(e, "sync %s", s->path) : 0;
}

/* A name of ours in the volume would end up on top of our own files. */
static int refuse_own(void *ctx, int dir, const char *name, struct err *e)
{
	(void)ctx;
	(void)dir;
	if (place_spot_own(name))
		return err_set(e, ERR_REFUSED,
			       "the snapshot has %s, which is a name of ours", name);
	return 0;
}

static int refuse_mount(void *ctx, int dir, const char *name, struct err *e)
{
	struct statx st;

	(void)ctx;
	if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &st) == 0 &&
	    (st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return err_set(e, ERR_REFUSED, "%s: is a mount point, cannot be moved",
			       name);
	return 0;
}

/* All that could stop the work halfway. */
static int check_before(const struct place_spot *s, int from, bool keep, struct err *e)
{
	int content = place_mount_has_content(s->dir, e), has;

	if (content < 0 || each_child(from, refuse_own, NULL, e) < 0 ||
	    each_child(s->dir, refuse_mount, NULL, e) < 0)
		return -1;
	if (content == 1 && !keep)
		return err_set(e, ERR_REFUSED, "%s: not empty", s->path);
	has = content == 1 ? place_spot_has(s->dir, PLACE_MOUNT_PREVIOUS, e) : 0;
	if (has > 0)
		return err_set(e, ERR_REFUSED,
			       "%s/" PLACE_MOUNT_PREVIOUS
			       ": an earlier previous tree is still there",
			       s->path);
	return has < 0 ? -1 : content;
}

int place_mount_commit(const struct place_spot *s, bool keep, bool *begun, struct err *e)
{
	auto_close int from = file_open_dir(s->dir, PLACE_MOUNT_NEW, true, e);
	struct place_root root;
	int content;

	if (from < 0)
		return -1;
	content = check_before(s, from, keep, e);
	if (content < 0)
		return -1;
	root.locks = place_move_unlock(s->dir, PLACE_MOUNT_NEW);
	/* The old root's own flags end here: the new tree says what comes. */
	(void)place_move_unlock(s->dir, ".");
	if (place_root_read(from, &root, e) < 0 ||
	    write_journal(s, content == 1, &root, e) < 0)
		return -1;
	*begun = true;
	return carry_on(s, content == 1, &root, e);
}

static int remove_cut_journal(void *ctx, int dir, const char *name, struct err *e)
{
	(void)ctx;
	if (name[1] != '.' || !place_spot_own(name))
		return 0;
	return unlinkat(dir, name, 0) < 0 && errno != ENOENT
		       ? err_sys(e, "remove %s", name)
		       : 0;
}

int place_mount_settle(const struct place_spot *s, struct err *e)
{
	auto_close int lock = -1;
	int has;

	if (place_spot_lock(s->dir, PLACE_MOUNT_NEW, &lock) > 0)
		return place_spot_busy(s, e);
	scope_close(&lock);
	lock = -1;
	has = place_spot_has(s->dir, PLACE_MOUNT_JOURNAL, e);
	return has > 0 ? place_mount_recover(s, e) : has;
}

int place_mount_recover(const struct place_spot *s, struct err *e)
{
	struct place_root root = { .mode = 0 };
	auto_close int lock = -1;
	bool down = false;
	int none;

	if (place_spot_lock(s->dir, PLACE_MOUNT_NEW, &lock) > 0)
		return place_spot_busy(s, e);
	none = read_journal(s, &down, &root, e);
	if (none < 0 || each_child(s->dir, remove_cut_journal, NULL, e) < 0)
		return -1;
	if (none == 0)
		return carry_on(s, down, &root, e);
	return file_remove_tree(s->dir, PLACE_MOUNT_NEW, e);
}
