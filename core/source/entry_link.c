/* The target's directory is opened component by component: a link in the way is an
 * attack, a missing file is only a file that was left out. */
#include "source/entry_link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/entry.h"
#include "base/err.h"
#include "base/report.h"
#include "base/scope.h"
#include "source/entry_make.h"

static int hostile(const char *path, const char *target, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "%s: link to %s, which is no file of the volume",
		       path, target);
}

static int missing(const char *path, const char *target, const struct report *r)
{
	report_note(r, NOTE_RESTORE, path, "link to %s: %s", target, strerror(errno));
	return 1;
}

/* The directory of TARGET in *fd, its last component in *base.  1: missing, reported. */
static int open_parent(int root, const char *target, const char *path, int *fd,
		       const char **base, const struct report *r, struct err *e)
{
	const char *at = target + 2, *slash;
	char name[ENTRY_PATH_MAX + 1];

	*fd = fcntl(root, F_DUPFD_CLOEXEC, 0);
	if (*fd < 0)
		return err_sys(e, "%s: link", path);
	for (; (slash = strchr(at, '/')) != NULL; at = slash + 1) {
		int up = *fd;

		(void)snprintf(name, sizeof(name), "%.*s", (int)(slash - at), at);
		*fd = openat(up, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		(void)close(up);
		if (*fd < 0 && (errno == ENOTDIR || errno == ELOOP))
			return hostile(path, target, e);
		if (*fd < 0)
			return missing(path, target, r);
	}
	*base = at;
	return 0;
}

/* An immutable or append-only file takes no second name; its flags go for the moment. */
static int link_locked(int from, const char *base, int dir, const char *name)
{
	auto_close int fd =
		openat(from, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int flags = 0, none, status, sys;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ||
	    !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL))) {
		errno = EPERM;
		return -1;
	}
	none = flags & ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	if (ioctl(fd, FS_IOC_SETFLAGS, &none) < 0)
		return -1;
	status = linkat(from, base, dir, name, 0);
	sys = errno;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		return -1;
	errno = sys;
	return status;
}

int entry_link(int root, const char *target, int dir, const char *name, const char *path,
	       const struct report *r, struct err *e)
{
	auto_close int from = -1;
	const char *base;
	struct stat st;
	int status = open_parent(root, target, path, &from, &base, r, e);

	if (status != 0)
		return status;
	if (fstatat(from, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return missing(path, target, r);
	if (S_ISDIR(st.st_mode))
		return hostile(path, target, e);
	status = linkat(from, base, dir, name, 0);
	if (status < 0 && errno == EPERM && S_ISREG(st.st_mode))
		status = link_locked(from, base, dir, name);
	return status < 0 ? entry_make_refused(path, "link", r, e) : 0;
}
