/* libarchive's disk reader fills the entry.  It wants a descriptor or a path; the path is
 * /proc/self/fd/N or below it, so that nothing is resolved twice.  A file without
 * attributes has no ACL either: one listing saves four calls for most files. */
#include "source/meta.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"

struct meta {
	struct archive *disk;
	struct archive_entry *entry, *spare;
	char path[64 + 256 + 1]; /* /proc/self/fd/N/NAME */
};

int meta_new(struct meta **out, struct err *e)
{
	struct meta *m;

	if (access("/proc/self/fd", X_OK) < 0) /* without it links would seem to vanish */
		return err_sys(e, "/proc/self/fd");
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_memory(e);
	m->disk = archive_read_disk_new();
	m->entry = archive_entry_new();
	m->spare = archive_entry_new();
	if (!m->disk || !m->entry || !m->spare) {
		meta_free(m);
		return err_memory(e);
	}
	(void)archive_read_disk_set_symlink_physical(m->disk);
	*out = m;
	return 0;
}

void meta_free(struct meta *m)
{
	if (!m)
		return;
	archive_entry_free(m->entry);
	archive_entry_free(m->spare);
	(void)archive_read_free(m->disk);
	free(m);
}

static void cut_times(struct archive_entry *entry)
{
	archive_entry_unset_atime(entry);
	archive_entry_unset_ctime(entry);
	archive_entry_unset_birthtime(entry);
}

struct archive_entry *meta_plain(struct meta *m, const struct stat *st)
{
	(void)archive_entry_clear(m->entry);
	archive_entry_copy_stat(m->entry, st);
	cut_times(m->entry);
	return m->entry;
}

static void set_path(struct meta *m, const struct meta_file *f)
{
	if (f->fd >= 0)
		(void)snprintf(m->path, sizeof(m->path), "/proc/self/fd/%d", f->fd);
	else
		(void)snprintf(m->path, sizeof(m->path), "/proc/self/fd/%d/%s", f->dirfd,
			       f->name);
}

/* How many bytes of attribute names there are. */
static ssize_t list_attributes(const struct meta *m, const struct meta_file *f)
{
	ssize_t n =
		f->fd >= 0 ? flistxattr(f->fd, NULL, 0) : llistxattr(m->path, NULL, 0);

	return n < 0 && errno == ENOTSUP ? 0 : n;
}

/* Take attributes out of *ENTRY whose names a pax record cannot say. */
static void drop_unsayable(struct meta *m, char problem[META_PROBLEM])
{
	const char *name;
	const void *value;
	size_t n;
	bool any = false;

	(void)archive_entry_xattr_reset(m->entry);
	while (!any &&
	       archive_entry_xattr_next(m->entry, &name, &value, &n) == ARCHIVE_OK)
		any = strchr(name, '=') != NULL;
	if (!any)
		return;
	(void)archive_entry_clear(m->spare);
	(void)archive_entry_xattr_reset(m->entry);
	while (archive_entry_xattr_next(m->entry, &name, &value, &n) == ARCHIVE_OK)
		if (strchr(name, '='))
			(void)snprintf(problem, META_PROBLEM,
				       "attribute %s cannot be stored", name);
		else
			archive_entry_xattr_add_entry(m->spare, name, value, n);
	archive_entry_xattr_clear(m->entry);
	(void)archive_entry_xattr_reset(m->spare);
	while (archive_entry_xattr_next(m->spare, &name, &value, &n) == ARCHIVE_OK)
		archive_entry_xattr_add_entry(m->entry, name, value, n);
	(void)archive_entry_clear(m->spare);
}

/* libarchive has ids of ACL entries as int, and would write 0 for one over INT_MAX: give
 * that entry to root.  Take such out instead. */
static void drop_large_ids(struct meta *m, char problem[META_PROBLEM])
{
	int type, permset, tag, id;
	const char *name;
	int n = archive_entry_acl_reset(m->entry, ARCHIVE_ENTRY_ACL_TYPE_POSIX1E);
	bool any = false;

	if (n == 0)
		return;
	(void)archive_entry_clear(m->spare);
	while (archive_entry_acl_next(m->entry, ARCHIVE_ENTRY_ACL_TYPE_POSIX1E, &type,
				      &permset, &tag, &id, &name) == ARCHIVE_OK) {
		bool named =
			tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;

		any = any || (named && id < 0);
		if (!named || id >= 0)
			(void)archive_entry_acl_add_entry(m->spare, type, permset, tag,
							  id, NULL);
	}
	if (!any)
		return;
	(void)snprintf(problem, META_PROBLEM,
		       "an ACL entry for an id over 2147483647 cannot be stored");
	archive_entry_acl_clear(m->entry);
	(void)archive_entry_acl_reset(m->spare, ARCHIVE_ENTRY_ACL_TYPE_POSIX1E);
	while (archive_entry_acl_next(m->spare, ARCHIVE_ENTRY_ACL_TYPE_POSIX1E, &type,
				      &permset, &tag, &id, &name) == ARCHIVE_OK)
		(void)archive_entry_acl_add_entry(m->entry, type, permset, tag, id, NULL);
}

int meta_read(struct meta *m, const struct meta_file *f, struct archive_entry **out,
	      char problem[META_PROBLEM], struct err *e)
{
	int behaviour = ARCHIVE_READDISK_NO_SPARSE;
	ssize_t n_attributes;
	int r;

	problem[0] = '\0';
	set_path(m, f);
	n_attributes = list_attributes(m, f);
	if (n_attributes < 0 && (errno == ENOENT || errno == ESTALE))
		return 1;
	if (n_attributes < 0)
		(void)snprintf(problem, META_PROBLEM, "list attributes: %s",
			       strerror(errno));
	if (n_attributes <= 0)
		behaviour |= ARCHIVE_READDISK_NO_XATTR | ARCHIVE_READDISK_NO_ACL;
	if (f->fd < 0) /* asking for flags would open it */
		behaviour |= ARCHIVE_READDISK_NO_FFLAGS;
	(void)archive_read_disk_set_behavior(m->disk, behaviour);
	(void)archive_entry_clear(m->entry);
	archive_entry_copy_sourcepath(m->entry, m->path);
	r = archive_read_disk_entry_from_file(m->disk, m->entry, f->fd, f->st);
	if (r == ARCHIVE_FATAL)
		return err_set(e, ERR_FAILED, "%s", archive_error_string(m->disk));
	if (r == ARCHIVE_FAILED) { /* no link target */
		errno = archive_errno(m->disk);
		return 1;
	}
	if (r != ARCHIVE_OK)
		(void)snprintf(problem, META_PROBLEM, "%s",
			       archive_error_string(m->disk));
	cut_times(m->entry);
	drop_unsayable(m, problem);
	drop_large_ids(m, problem);
	*out = m->entry;
	return 0;
}
