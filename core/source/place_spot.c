/* Finds out what PATH is, before anything is done to it. */
#include "source/place_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

bool place_spot_own(const char *name)
{
	/* What file_save leaves of a journal when it is cut. */
	static const char cut[] = "." PLACE_MOUNT_JOURNAL ".tmp-";

	return strncmp(name, ".volsnap-", 9) == 0 ||
	       strncmp(name, cut, sizeof(cut) - 1) == 0;
}

void place_spot_close(struct place_spot *s)
{
	if (s->dir >= 0)
		(void)close(s->dir);
	s->dir = -1;
}

int place_spot_has(int dir, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : err_sys(e, "stat %s", name);
}

int place_spot_lock(int dir, const char *name, int *fd)
{
	*fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Where locks cannot be had at all, it goes as it went without them. */
	if (*fd < 0 || flock(*fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return 0;
	(void)close(*fd);
	*fd = -1;
	return 1;
}

int place_spot_busy(const struct place_spot *s, struct err *e)
{
	return err_set(e, ERR_REFUSED,
		       "%s: another restore into it is running: wait for its end",
		       s->path);
}

/* PATH without links; of one that is not there, its parent without links.  1: no parent.
 */
static int resolve(const char *path, char *out, struct err *e)
{
	char copy[PATH_MAX], base[PATH_MAX], parent[PATH_MAX];
	struct stat st;

	if (strlen(path) >= sizeof(copy))
		return err_set(e, ERR_FAILED, "%s: path too long", path);
	if (realpath(path, out))
		return 0;
	if (errno != ENOENT || lstat(path, &st) == 0)
		return err_sys(e, "%s", path);
	(void)snprintf(copy, sizeof(copy), "%s", path);
	(void)snprintf(base, sizeof(base), "%s", basename(copy));
	(void)snprintf(copy, sizeof(copy), "%s", path);
	if (!realpath(dirname(copy), parent))
		return errno == ENOENT ? 1 : err_sys(e, "%s", path);
	if (snprintf(out, PATH_MAX, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent,
		     base) >= PATH_MAX)
		return err_set(e, ERR_FAILED, "%s: path too long", path);
	return 0;
}

static int find_kind(struct place_spot *s, struct err *e)
{
	struct statx st;

	s->kind = PLACE_SIBLING;
	s->there = statx(AT_FDCWD, s->path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) == 0;
	if (!s->there)
		return errno == ENOENT ? 0 : err_sys(e, "stat %s", s->path);
	if (!S_ISDIR(st.stx_mode))
		s->kind = PLACE_FILE;
	else if ((st.stx_attributes & STATX_ATTR_MOUNT_ROOT) || strcmp(s->path, "/") == 0)
		s->kind = PLACE_MOUNT;
	return 0;
}

static int open_dir(struct place_spot *s, struct err *e)
{
	char copy[PATH_MAX];
	const char *slash = strrchr(s->path, '/'), *base = slash ? slash + 1 : s->path;

	if (s->kind == PLACE_MOUNT) {
		(void)snprintf(s->base, sizeof(s->base), ".");
		(void)snprintf(s->previous, sizeof(s->previous), "%s",
			       PLACE_MOUNT_PREVIOUS);
		s->dir = file_open_dir(AT_FDCWD, s->path, true, e);
		return s->dir < 0 ? -1 : 0;
	}
	/* ".volsnap-previous." and ".volsnap-new.", a dot and a number must fit, too. */
	if (strlen(base) > PLACE_NAME_MAX - 40)
		return err_set(e, ERR_FAILED, "%s: name too long", s->path);
	memcpy(s->base, base, strlen(base) + 1);
	if (s->kind == PLACE_SIBLING && strcmp(base, "_data") == 0)
		(void)snprintf(s->previous, sizeof(s->previous), "%s",
			       PLACE_MOUNT_PREVIOUS);
	else
		(void)snprintf(s->previous, sizeof(s->previous), "%s.%.*s",
			       PLACE_MOUNT_PREVIOUS, PLACE_NAME_MAX - 40, base);
	(void)snprintf(copy, sizeof(copy), "%.*s", (int)(base - s->path), s->path);
	s->dir = file_open_dir(AT_FDCWD, copy, false, e);
	return s->dir < 0 ? -1 : 0;
}

int place_spot_find(const char *path, struct place_spot *out, struct err *e)
{
	int status;

	out->dir = -1;
	status = resolve(path, out->path, e);
	if (status != 0)
		return status;
	return find_kind(out, e) < 0 ? -1 : open_dir(out, e);
}
