#include "source/place_root.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scope.h"
#include "source/place_parts.h"

enum { LIST_MAX = 65536, VALUE_MAX = 65536 };

int place_root_read(int fd, struct place_root *out, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat the root directory");
	out->mode = st.st_mode & 07777;
	out->uid = st.st_uid;
	out->gid = st.st_gid;
	out->sec = st.st_mtim.tv_sec;
	out->nsec = (uint32_t)st.st_mtim.tv_nsec;
	return 0;
}

/* Names of attributes, one after the other; none where they are not supported. */
static ssize_t list(int fd, char *names, struct err *e)
{
	ssize_t n = flistxattr(fd, names, LIST_MAX);

	if (n < 0 && errno == EOPNOTSUPP)
		return 0;
	return n < 0 ? err_sys(e, "list attributes of the root directory") : n;
}

static int set_all(int from, int to, const char *names, ssize_t n, char *value,
		   struct err *e)
{
	for (const char *name = names; name < names + n; name += strlen(name) + 1) {
		ssize_t len = fgetxattr(from, name, value, VALUE_MAX);

		if (len < 0 || fsetxattr(to, name, value, (size_t)len, 0) < 0)
			return err_sys(e, "attribute %s of the root directory", name);
	}
	return 0;
}

static int remove_others(int from, int to, const char *names, ssize_t n, struct err *e)
{
	for (const char *name = names; name < names + n; name += strlen(name) + 1)
		/* Labels of the security module stay; it gives them itself. */
		if (fgetxattr(from, name, NULL, 0) < 0 && errno == ENODATA &&
		    strncmp(name, "security.", 9) != 0 && fremovexattr(to, name) < 0 &&
		    errno != ENODATA)
			return err_sys(e, "attribute %s of the root directory", name);
	return 0;
}

int place_root_copy(int from, int to, const struct place_root *root, struct err *e)
{
	auto_free char *names = malloc(LIST_MAX), *value = malloc(VALUE_MAX);
	struct stat st;
	ssize_t n;

	if (!names || !value)
		return err_memory(e);
	if (fstat(to, &st) < 0)
		return err_sys(e, "stat the root directory");
	if ((st.st_uid != root->uid || st.st_gid != root->gid) &&
	    fchown(to, root->uid, root->gid) < 0)
		return err_sys(e, "owner of the root directory");
	if ((n = list(to, names, e)) < 0 || remove_others(from, to, names, n, e) < 0 ||
	    (n = list(from, names, e)) < 0 || set_all(from, to, names, n, value, e) < 0)
		return -1;
	return fchmod(to, root->mode) < 0 ? err_sys(e, "mode of the root directory") : 0;
}

int place_root_finish(int fd, const struct place_root *root, struct err *e)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT },
				 { .tv_sec = root->sec, .tv_nsec = root->nsec } };

	if (futimens(fd, t) < 0)
		return err_sys(e, "time of the root directory");
	place_move_lock(fd, ".", root->locks);
	return 0;
}
