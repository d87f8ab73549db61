/* A new tree beside PATH.  Its name has its own inode's number: after an exchange the
 * name holds what was at PATH, which has another.  So a left-over tells what it is:
 *
 *     number fits, or 0:  a new tree that was never put in place: garbage
 *     number differs:     the previous tree
 *     .volsnap-old.BASE:  the previous tree on its way, where exchanging is not possible
 */
#include "source/place_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"

static int sync_dir(int dir, struct err *e)
{
	return fsync(dir) < 0 ? err_sys(e, "sync directory") : 0;
}

static void new_name(const struct place_spot *s, unsigned long long number, char *out)
{
	(void)snprintf(out, PLACE_NAME_MAX + 1, PLACE_MOUNT_NEW ".%.*s.%llu",
		       PLACE_NAME_MAX - 40, s->base, number);
}

static void old_name(const struct place_spot *s, char *out)
{
	(void)snprintf(out, PLACE_NAME_MAX + 1, ".volsnap-old.%.*s", PLACE_NAME_MAX - 40,
		       s->base);
}

/* The number in NAME, a new tree's of this PATH; false: it is something else. */
static bool read_name(const struct place_spot *s, const char *name,
		      unsigned long long *number)
{
	char start[PLACE_NAME_MAX + 1];
	size_t len;
	char *end;

	new_name(s, 0, start);
	len = strlen(start) - 1;
	if (strncmp(name, start, len) != 0 || name[len] < '0' || name[len] > '9')
		return false;
	*number = strtoull(name + len, &end, 10);
	return *end == '\0';
}

int place_beside_begin(const struct place_spot *s, char *name, int *fd, struct err *e)
{
	char first[PLACE_NAME_MAX + 1];
	struct stat st;

	new_name(s, 0, first);
	if (mkdirat(s->dir, first, 0700) < 0)
		return err_sys(e, "make %s", first);
	*fd = file_open_dir(s->dir, first, true, e);
	if (*fd < 0)
		return -1;
	if (fstat(*fd, &st) < 0)
		return err_sys(e, "stat %s", first);
	new_name(s, (unsigned long long)st.st_ino, name);
	return place_move(s->dir, first, s->dir, name, false, e);
}

/* The tree NAME was at PATH: an empty directory goes, another is the previous tree. */
static int keep_previous(const struct place_spot *s, const char *name, struct err *e)
{
	int has;

	if (unlinkat(s->dir, name, AT_REMOVEDIR) == 0)
		return sync_dir(s->dir, e);
	has = place_spot_has(s->dir, s->previous, e);
	if (has < 0)
		return -1;
	if (has)
		return err_set(e, ERR_REFUSED,
			       "%s: was replaced and lies in %s, but %s is there too: "
			       "move one of them away",
			       s->path, name, s->previous);
	return place_move(s->dir, name, s->dir, s->previous, false, e) < 0
		       ? -1
		       : sync_dir(s->dir, e);
}

/* For file systems that cannot exchange: there is a moment without PATH, which recovery
 * ends. */
static int commit_in_steps(const struct place_spot *s, const char *name, struct err *e)
{
	char old[PLACE_NAME_MAX + 1];

	old_name(s, old);
	if (place_move(s->dir, s->base, s->dir, old, false, e) < 0 ||
	    sync_dir(s->dir, e) < 0 ||
	    place_move(s->dir, name, s->dir, s->base, false, e) < 0 ||
	    sync_dir(s->dir, e) < 0)
		return -1;
	return keep_previous(s, old, e);
}

static int refuse_previous(const struct place_spot *s, struct err *e)
{
	int has = place_spot_has(s->dir, s->previous, e);

	if (has > 0)
		return err_set(e, ERR_REFUSED,
			       "%s: an earlier previous tree is still there",
			       s->previous);
	return has;
}

int place_beside_commit(const struct place_spot *s, const char *name, bool keep,
			struct err *e)
{
	int status;

	if (!keep || !s->there) {
		/* Atomic even where PATH is an empty directory; fails if it is not empty.
		 */
		if (place_move(s->dir, name, s->dir, s->base, false, e) < 0)
			return e->sys == ENOTEMPTY || e->sys == EEXIST
				       ? err_set(e, ERR_REFUSED, "%s: not empty", s->path)
				       : -1;
		return sync_dir(s->dir, e);
	}
	if (refuse_previous(s, e) < 0)
		return -1;
	status = place_move(s->dir, name, s->dir, s->base, true, e);
	if (status == 1)
		return commit_in_steps(s, name, e);
	if (status < 0 || sync_dir(s->dir, e) < 0)
		return -1;
	return keep_previous(s, name, e);
}

/* The one file of the new tree. */
static int only_file(int fd, char *out, struct err *e)
{
	DIR *d = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const struct dirent *de;
	int n = 0;

	if (!d)
		return err_sys(e, "read the new tree");
	while ((de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		(void)snprintf(out, PLACE_NAME_MAX + 1, "%s", de->d_name);
		n += de->d_type == DT_DIR ? 2 : 1;
	}
	(void)closedir(d);
	return n == 1 ? 0 : err_set(e, ERR_FAILED, "the snapshot is not a single file");
}

/* The file at PATH gets a second name first; then the new one takes its place. */
static int keep_file(const struct place_spot *s, struct err *e)
{
	uint32_t locks;
	int status;

	if (refuse_previous(s, e) < 0)
		return -1;
	locks = place_move_unlock(s->dir, s->base);
	status = linkat(s->dir, s->base, s->dir, s->previous, 0);
	place_move_lock(s->dir, s->base, locks);
	return status < 0 ? err_sys(e, "keep %s", s->path) : sync_dir(s->dir, e);
}

int place_beside_commit_file(const struct place_spot *s, const char *name, bool keep,
			     struct err *e)
{
	auto_close int fd = file_open_dir(s->dir, name, true, e);
	char file[PLACE_NAME_MAX + 1];
	int has;

	if (fd < 0 || only_file(fd, file, e) < 0)
		return -1;
	has = place_spot_has(s->dir, s->base, e);
	if (has < 0 || (has && keep && keep_file(s, e) < 0))
		return -1;
	if (has && !keep)
		return err_set(e, ERR_REFUSED, "%s: is there", s->path);
	/* The target's flags would forbid it; it has its second name. */
	if (has)
		(void)place_move_unlock(s->dir, s->base);
	if (place_move(fd, file, s->dir, s->base, false, e) < 0 ||
	    sync_dir(s->dir, e) < 0)
		return -1;
	(void)unlinkat(s->dir, name, AT_REMOVEDIR);
	return 0;
}

/* One left-over of this PATH. */
static int recover_new(const struct place_spot *s, const char *name,
		       unsigned long long number, struct err *e)
{
	auto_close int lock = -1;
	struct stat st;

	if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "stat %s", name);
	if (place_spot_lock(s->dir, name, &lock) > 0)
		return place_spot_busy(s, e);
	if (number != 0 && number != (unsigned long long)st.st_ino)
		return keep_previous(s, name, e);
	/* Number 0 is from before it was ever filled. */
	if (number == 0)
		return unlinkat(s->dir, name, AT_REMOVEDIR) < 0
			       ? err_sys(e, "remove %s", name)
			       : 0;
	return file_remove_tree(s->dir, name, e);
}

static int recover_old(const struct place_spot *s, struct err *e)
{
	char old[PLACE_NAME_MAX + 1];
	int has_old, has;

	old_name(s, old);
	has_old = place_spot_has(s->dir, old, e);
	if (has_old <= 0)
		return has_old;
	has = place_spot_has(s->dir, s->base, e);
	if (has < 0)
		return -1;
	if (has)
		return keep_previous(s, old, e);
	return place_move(s->dir, old, s->dir, s->base, false, e) < 0
		       ? -1
		       : sync_dir(s->dir, e);
}

/* A file and its previous one that are the same: it was never replaced. */
static int recover_file(const struct place_spot *s, struct err *e)
{
	struct stat now, before;

	if (fstatat(s->dir, s->base, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(s->dir, s->previous, &before, AT_SYMLINK_NOFOLLOW) < 0 ||
	    now.st_ino != before.st_ino || now.st_dev != before.st_dev ||
	    S_ISDIR(now.st_mode))
		return 0;
	return file_remove_tree(s->dir, s->previous, e);
}

int place_beside_recover(const struct place_spot *s, struct err *e)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned long long number;
	const struct dirent *de;

	if (!d)
		return err_sys(e, "read the directory of %s", s->path);
	if (recover_old(s, e) < 0 || recover_file(s, e) < 0)
		status = -1;
	while (status == 0 && (errno = 0, de = readdir(d)) != NULL)
		if (read_name(s, de->d_name, &number))
			status = recover_new(s, de->d_name, number, e);
	if (status == 0 && errno != 0)
		status = err_sys(e, "read the directory of %s", s->path);
	(void)closedir(d);
	return status;
}
