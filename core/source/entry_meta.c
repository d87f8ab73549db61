/* Order matters: chown takes capabilities and set-id bits away, so it comes first; an ACL
 * changes the mode's group bits; anything changes times; flags may forbid all of it.
 * Every call is our own: archive_write_disk sets flags before times and hides which
 * attribute failed. */
#include "source/entry_meta.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/report.h"
#include "base/scope.h"
#include "source/entry_acl.h"

struct apply {
	const struct entry_meta *m;
	int fd;
	const char *name, *path;
	const struct report *report;
};

int entry_meta_read(const uint8_t *header, size_t n, const struct pax *pax,
		    struct entry_meta *out, struct err *e)
{
	struct archive_entry *found;
	struct archive *a;
	int status;

	*out = (struct entry_meta){ .type = pax->type,
				    .mode = pax->mode,
				    .uid = pax->uid,
				    .gid = pax->gid,
				    .mtime = pax->mtime,
				    .mtime_ns = pax->mtime_ns };
	if (!pax->has_xattr && !pax->has_acl && !pax->has_flags)
		return 0;
	a = archive_read_new();
	if (!a)
		return err_memory(e);
	status = archive_read_support_format_tar(a);
	if (status == ARCHIVE_OK)
		status = archive_read_open_memory(a, header, n);
	if (status == ARCHIVE_OK)
		status = archive_read_next_header(a, &found);
	/* A warning is about a name that is not UTF-8; names come from pax_parse. */
	if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
		(void)err_set(e, ERR_DAMAGED, "%s: header: %s", pax->path,
			      archive_error_string(a) ? archive_error_string(a)
						      : "unreadable");
	else if (!(out->attrs = archive_entry_clone(found)))
		(void)err_memory(e);
	(void)archive_read_free(a);
	return out->attrs ? 0 : -1;
}

void entry_meta_free(struct entry_meta *m)
{
	archive_entry_free(m->attrs);
	m->attrs = NULL;
}

static void refused(const struct apply *a, const char *call)
{
	report_note(a->report, NOTE_RESTORE, a->path, "%s: %s", call, strerror(errno));
}

static int look(const struct apply *a, struct stat *st)
{
	if (a->fd >= 0)
		return fstat(a->fd, st);
	return fstatat(AT_FDCWD, a->name, st, AT_SYMLINK_NOFOLLOW);
}

static void apply_owner(const struct apply *a)
{
	uid_t uid = (uid_t)a->m->uid;
	gid_t gid = (gid_t)a->m->gid;
	struct stat st;
	int status;

	/* Who may not chown can still own. */
	if (look(a, &st) == 0 && st.st_uid == uid && st.st_gid == gid)
		return;
	if (a->fd >= 0)
		status = fchown(a->fd, uid, gid);
	else
		status = fchownat(AT_FDCWD, a->name, uid, gid, AT_SYMLINK_NOFOLLOW);
	if (status < 0)
		refused(a, "set owner");
}

static int set_xattr(const struct apply *a, const char *name, const void *value, size_t n)
{
	if (a->fd >= 0)
		return fsetxattr(a->fd, name, value, n, 0);
	return lsetxattr(a->name, name, value, n, 0);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* libarchive's writer puts %XX for odd bytes of a name; its reader leaves them so. */
static bool decode_name(const char *in, char *out, size_t room)
{
	size_t n = 0;

	for (; *in && n + 1 < room; n++) {
		if (*in != '%') {
			out[n] = *in++;
			continue;
		}
		if (hex_digit(in[1]) < 0 || hex_digit(in[2]) < 0)
			return false;
		out[n] = (char)(hex_digit(in[1]) * 16 + hex_digit(in[2]));
		if (out[n] == '\0')
			return false;
		in += 3;
	}
	out[n] = '\0';
	return *in == '\0';
}

static void apply_xattr(const struct apply *a, const char *coded, const void *value,
			size_t n)
{
	char name[XATTR_NAME_MAX + 1], call[XATTR_NAME_MAX + 32];

	if (!decode_name(coded, name, sizeof(name)) || strncmp(name, "system.", 7) == 0) {
		report_note(a->report, NOTE_RESTORE, a->path, "xattr %.200s: left out",
			    coded);
		return;
	}
	if (set_xattr(a, name, value, n) == 0)
		return;
	(void)snprintf(call, sizeof(call), "set xattr %s", name);
	refused(a, call);
}

static void apply_xattrs(const struct apply *a)
{
	const char *name;
	const void *value;
	size_t n;

	if (!a->m->attrs)
		return;
	(void)archive_entry_xattr_reset(a->m->attrs);
	while (archive_entry_xattr_next(a->m->attrs, &name, &value, &n) == ARCHIVE_OK &&
	       name)
		apply_xattr(a, name, value, n);
}

/* An ACL may have come from the parent's default ACL; then it is taken away. */
static void remove_acl(const struct apply *a, const char *name)
{
	int status = a->fd >= 0 ? fremovexattr(a->fd, name) : lremovexattr(a->name, name);

	if (status < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		refused(a, name);
}

static void apply_acl(const struct apply *a, enum entry_acl_kind kind, uint32_t *mode)
{
	bool is_default = kind == ENTRY_ACL_DEFAULT;
	const char *name =
		is_default ? "system.posix_acl_default" : "system.posix_acl_access";
	auto_free void *value = NULL;
	size_t n = 0;

	if (a->m->attrs && entry_acl_encode(a->m->attrs, kind, &value, &n, mode) < 0) {
		report_note(a->report, NOTE_RESTORE, a->path, "set ACL: out of memory");
		return;
	}
	if (!value)
		remove_acl(a, name);
	else if (set_xattr(a, name, value, n) < 0)
		refused(a, is_default ? "set default ACL" : "set ACL");
}

static void apply_mode(const struct apply *a, uint32_t mode)
{
	int status =
		a->fd >= 0 ? fchmod(a->fd, mode) : fchmodat(AT_FDCWD, a->name, mode, 0);

	if (status < 0)
		refused(a, "set mode");
}

static void apply_times(const struct apply *a)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT },
				 { .tv_sec = a->m->mtime, .tv_nsec = a->m->mtime_ns } };
	int status;

	if (a->fd >= 0)
		status = futimens(a->fd, t);
	else
		status = utimensat(AT_FDCWD, a->name, t, AT_SYMLINK_NOFOLLOW);
	if (status < 0)
		refused(a, "set time");
}

static void set_flags(int fd, unsigned long set, unsigned long clear, bool *failed)
{
	int old = 0, want;

	*failed = ioctl(fd, FS_IOC_GETFLAGS, &old) < 0;
	if (*failed)
		return;
	want = (int)(((unsigned int)old & ~(unsigned int)clear) | (unsigned int)set);
	*failed = want != old && ioctl(fd, FS_IOC_SETFLAGS, &want) < 0;
}

static void apply_flags(const struct apply *a)
{
	unsigned long set, clear;
	bool failed;

	if (!a->m->attrs)
		return;
	archive_entry_fflags(a->m->attrs, &set, &clear);
	if (set == 0 && clear == 0)
		return;
	errno = EOPNOTSUPP;
	failed = a->fd < 0;
	if (a->fd >= 0)
		set_flags(a->fd, set, clear, &failed);
	if (failed)
		refused(a, "set file flags");
}

void entry_meta_early(const struct entry_meta *m, int fd)
{
	unsigned long set, clear;
	bool failed;

	if (!m->attrs)
		return;
	archive_entry_fflags(m->attrs, &set, &clear);
	if (set & FS_NOCOW_FL)
		set_flags(fd, FS_NOCOW_FL, 0, &failed);
}

/* Some refusals are silent: setgid without CAP_FSETID, dates that a file system cannot
 * hold. */
static void check(const struct apply *a, uint32_t mode)
{
	struct stat st;

	if (look(a, &st) < 0) {
		refused(a, "stat");
		return;
	}
	if (a->m->type != PAX_SYMLINK && (st.st_mode & 07777) != mode)
		report_note(a->report, NOTE_RESTORE, a->path, "mode is %04o, not %04o",
			    (unsigned int)(st.st_mode & 07777), (unsigned int)mode);
	if (st.st_mtim.tv_sec != a->m->mtime ||
	    st.st_mtim.tv_nsec != (long)a->m->mtime_ns)
		report_note(a->report, NOTE_RESTORE, a->path,
			    "time is not kept exactly by the file system");
}

void entry_meta_apply(const struct entry_meta *m, int fd, const char *name,
		      const char *path, const struct report *r)
{
	struct apply a = { .m = m, .fd = fd, .name = name, .path = path, .report = r };
	uint32_t mode = m->mode;

	apply_owner(&a);
	apply_xattrs(&a);
	if (m->type != PAX_SYMLINK) {
		apply_acl(&a, ENTRY_ACL_ACCESS, &mode);
		if (m->type == PAX_DIR)
			apply_acl(&a, ENTRY_ACL_DEFAULT, &mode);
		apply_mode(&a, mode);
	}
	apply_times(&a);
	check(&a, mode);
	apply_flags(&a);
}
