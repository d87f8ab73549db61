#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/scope.h"

ssize_t file_read(int fd, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(fd, (uint8_t *)buf + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

ssize_t file_pread(int fd, void *buf, size_t n, off_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, (uint8_t *)buf + done, n - done, at + (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

int file_write(int fd, const void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t put = write(fd, (const uint8_t *)buf + done, n - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		done += (size_t)put;
	}
	return 0;
}

int file_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t put = pwrite(fd, (const uint8_t *)buf + done, n - done,
				     at + (off_t)done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		done += (size_t)put;
	}
	return 0;
}

int file_load(int dirfd, const char *name, size_t max, struct bytes *out, struct err *e)
{
	auto_close int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t got;

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_FAILED, "%s: not a regular file", name);
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return err_set(e, ERR_FAILED, "%s: larger than %zu bytes", name, max);
	if (bytes_reserve(out, (size_t)st.st_size + 1, e) < 0)
		return -1;
	got = file_read(fd, out->p + out->len, (size_t)st.st_size + 1);
	if (got < 0)
		return err_sys(e, "read %s", name);
	if (got > st.st_size)
		return err_set(e, ERR_FAILED, "%s: grew while it was read", name);
	out->len += (size_t)got;
	return 0;
}

/* The directory part of NAME, for the fsync after a rename; "." where there is none. */
static void parent_of(const char *name, char *out, size_t size)
{
	const char *slash = strrchr(name, '/');
	size_t len = slash ? (size_t)(slash - name) : 0;

	if (!slash)
		(void)snprintf(out, size, ".");
	else if (len == 0)
		(void)snprintf(out, size, "/");
	else
		(void)snprintf(out, size, "%.*s", (int)len, name);
}

int file_sync_dir(int dirfd, const char *name, struct err *e)
{
	auto_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, "sync directory %s", name);
	return 0;
}

static int save_beside(int dirfd, const char *tmp, const void *p, size_t n, mode_t mode,
		       struct err *e)
{
	auto_close int fd =
		openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int given;

	if (fd < 0)
		return err_sys(e, "create %s", tmp);
	if (fchmod(fd, mode) < 0 || file_write(fd, p, n) < 0 || fsync(fd) < 0)
		return err_sys(e, "write %s", tmp);
	given = take_fd(&fd);
	if (close(given) < 0)
		return err_sys(e, "close %s", tmp);
	return 0;
}

int file_save(int dirfd, const char *name, const void *p, size_t n, mode_t mode, bool replace,
	      struct err *e)
{
	char dir[4096], tmp[4200];
	const char *base = strrchr(name, '/');
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_sys(e, "random bytes");
	parent_of(name, dir, sizeof(dir));
	(void)snprintf(tmp, sizeof(tmp), "%s/.%s.tmp-%016llx", dir, base ? base + 1 : name,
		       (unsigned long long)random);
	if (save_beside(dirfd, tmp, p, n, mode, e) < 0) {
		(void)unlinkat(dirfd, tmp, 0);
		return -1;
	}
	if (renameat2(dirfd, tmp, dirfd, name, replace ? 0 : RENAME_NOREPLACE) < 0) {
		int sys = errno;

		(void)unlinkat(dirfd, tmp, 0);
		if (sys == EEXIST)
			return 1;
		errno = sys;
		return err_sys(e, "rename to %s", name);
	}
	return file_sync_dir(dirfd, dir, e);
}

int file_open_dir(int dirfd, const char *name, bool nofollow, struct err *e)
{
	int fd = openat(dirfd, name,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | (nofollow ? O_NOFOLLOW : 0));

	if (fd < 0)
		return err_sys(e, "open directory %s", name);
	return fd;
}

static int make_dir(const char *path, mode_t mode, struct err *e)
{
	char parent[4096];

	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? 0 : err_sys(e, "make directory %s", path);
	parent_of(path, parent, sizeof(parent));
	return file_sync_dir(AT_FDCWD, parent, e);
}

int file_make_dirs(const char *path, mode_t mode, struct err *e)
{
	char part[4096];
	struct stat st;

	if (strlen(path) >= sizeof(part))
		return err_set(e, ERR_FAILED, "%s: path too long", path);
	for (size_t i = 1; path[i]; i++) {
		if (path[i] != '/')
			continue;
		(void)snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (make_dir(part, mode, e) < 0)
			return -1;
	}
	if (make_dir(path, mode, e) < 0)
		return -1;
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ERR_FAILED, "%s: not a directory", path);
	return 0;
}

/* Immutable and append-only entries cannot be unlinked, nor can entries of such directories. */
static void clear_flags(int fd)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
	    (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL))) {
		flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
}

static int remove_file(int dirfd, const char *name, struct err *e)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno == EPERM) {
		auto_close int fd =
			openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

		if (fd >= 0)
			clear_flags(fd);
		if (unlinkat(dirfd, name, 0) == 0)
			return 0;
	}
	return err_sys(e, "remove %s", name);
}

static int remove_children(int fd, dev_t dev, struct err *e);

static int remove_dir(int dirfd, const char *name, dev_t dev, struct err *e)
{
	auto_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", name);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat %s", name);
	if (dev != 0 && st.st_dev != dev)
		return err_set(e, ERR_REFUSED, "%s: is another file system, not removed", name);
	clear_flags(fd);
	if (remove_children(fd, st.st_dev, e) < 0)
		return err_in(e, "%s", name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", name);
	return 0;
}

static int remove_entry(int fd, const char *name, dev_t dev, struct err *e)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "stat %s", name);
	return S_ISDIR(st.st_mode) ? remove_dir(fd, name, dev, e) : remove_file(fd, name, e);
}

static int remove_children(int fd, dev_t dev, struct err *e)
{
	DIR *d = fdopendir(dup(fd));
	struct dirent *de;
	int result = 0;

	if (!d)
		return err_sys(e, "read directory");
	while (result == 0 && (errno = 0, de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			result = remove_entry(fd, de->d_name, dev, e);
	if (result == 0 && errno != 0)
		result = err_sys(e, "read directory");
	(void)closedir(d);
	return result;
}

int file_remove_tree(int dirfd, const char *name, struct err *e)
{
	return remove_entry(dirfd, name, 0, e);
}

int file_dir_has_entries(int dirfd, const char *except, struct err *e)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	int found = 0;

	if (!d)
		return err_sys(e, "read directory");
	while (!found && (errno = 0, de = readdir(d)) != NULL)
		found = strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0 &&
			(!except || strcmp(de->d_name, except) != 0);
	if (!found && errno != 0)
		found = err_sys(e, "read directory");
	(void)closedir(d);
	return found;
}

char *file_join(const char *a, const char *b)
{
	char *out = NULL;

	return asprintf(&out, "%s/%s", a, b) < 0 ? NULL : out;
}

uint64_t file_raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 0;
	if (l.rlim_cur < l.rlim_max) {
		struct rlimit raised = { .rlim_cur = l.rlim_max, .rlim_max = l.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			l = raised;
	}
	return l.rlim_cur;
}

int file_temp(const char *dir, struct err *e)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char name[4096];

	if (fd >= 0)
		return fd;
	(void)snprintf(name, sizeof(name), "%s/.spill-XXXXXX", dir);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "temporary file in %s", dir);
	(void)unlink(name);
	return fd;
}
