/* Renames.  What is immutable or append-only cannot be renamed, and a volume may hold
 * such. */
#include "source/place_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scope.h"

enum { LOCKS = FS_IMMUTABLE_FL | FS_APPEND_FL };

static int open_for_flags(int dir, const char *name)
{
	struct stat st;

	/* Others have no flags, and opening them may do things. */
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return -1;
	return openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

uint32_t place_move_unlock(int dir, const char *name)
{
	auto_close int fd = open_for_flags(dir, name);
	int flags = 0, none;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & LOCKS))
		return 0;
	none = flags & ~LOCKS;
	return ioctl(fd, FS_IOC_SETFLAGS, &none) < 0 ? 0 : (uint32_t)(flags & LOCKS);
}

void place_move_lock(int dir, const char *name, uint32_t locks)
{
	auto_close int fd = locks ? open_for_flags(dir, name) : -1;
	int flags = 0;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return;
	flags |= (int)locks;
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

int place_move(int from, const char *name, int to, const char *as, bool exchange,
	       struct err *e)
{
	unsigned int how = exchange ? RENAME_EXCHANGE : 0;
	uint32_t source = 0, target = 0;
	int status = renameat2(from, name, to, as, how), sys;

	if (status < 0 && errno == EPERM) {
		source = place_move_unlock(from, name);
		target = exchange ? place_move_unlock(to, as) : 0;
		status = renameat2(from, name, to, as, how);
		sys = errno;
		place_move_lock(status == 0 ? to : from, status == 0 ? as : name, source);
		place_move_lock(status == 0 ? from : to, status == 0 ? name : as, target);
		errno = sys;
	}
	if (status < 0 && exchange && (errno == EINVAL || errno == ENOSYS))
		return 1;
	return status < 0 ? err_sys(e, "rename %s to %s", name, as) : 0;
}
