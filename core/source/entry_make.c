/* An entry is made in its directory by its own name alone, and only where nothing is: so
 * no link is followed and nothing is overwritten.  A file gets its size first: what is
 * not written then is a hole. */
#include "source/entry_make.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/report.h"
#include "source/pax.h"

int entry_make_refused(const char *path, const char *call, const struct report *r,
		       struct err *e)
{
	int sys = errno;

	switch (sys) {
	case EEXIST:
		return err_set(e, ERR_DAMAGED, "%s: comes twice", path);
	case ENOSPC:
	case EDQUOT:
	case EIO:
	case EROFS:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case ENOTCONN:
	case ESTALE:
		return err_sys(e, "%s: %s", path, call);
	default:
		report_note(r, NOTE_RESTORE, path, "%s: %s", call, strerror(sys));
		return 1;
	}
}

void entry_make_skip(const struct pax *pax, struct entry_file *file)
{
	file->open = pax->type == PAX_FILE;
	file->fd = -1;
	file->size = pax->size;
	file->want = pax->body_len;
	file->got = 0;
	memcpy(file->path, pax->path, strlen(pax->path) + 1);
}

static int make_file(int dir, const char *name, const struct pax *pax,
		     struct entry_file *file, const struct report *r, struct err *e)
{
	entry_make_skip(pax, file);
	file->fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			  0600);
	if (file->fd < 0)
		return entry_make_refused(file->path, "create", r, e);
	entry_meta_early(&file->meta, file->fd);
	if (pax->size > 0 && ftruncate(file->fd, (off_t)pax->size) < 0)
		return err_sys(e, "%s: set size", file->path);
	return 0;
}

static int make_node(int dir, const char *name, const char *path, const struct pax *pax,
		     const struct report *r, struct err *e)
{
	mode_t kind = pax->type == PAX_CHAR    ? S_IFCHR
		      : pax->type == PAX_BLOCK ? S_IFBLK
					       : S_IFIFO;
	dev_t dev = makedev(pax->dev_major, pax->dev_minor);
	int status;

	if (pax->type == PAX_SYMLINK)
		status = symlinkat(pax->target, dir, name);
	else
		status = mknodat(dir, name, kind | 0600, kind == S_IFIFO ? 0 : dev);
	return status < 0 ? entry_make_refused(path, "create", r, e) : 0;
}

int entry_make(int dir, const char *name, const char *path, const struct pax *pax,
	       struct entry_meta *meta, struct entry_file *file, const struct report *r,
	       struct err *e)
{
	int status;

	if (pax->type == PAX_FILE) {
		file->meta = *meta;
		meta->attrs = NULL;
		return make_file(dir, name, pax, file, r, e);
	}
	status = make_node(dir, name, path, pax, r, e);
	/* The calls that do not follow links by path want one without directories. */
	if (status == 0 && fchdir(dir) < 0)
		status = err_sys(e, "%s: change directory", path);
	if (status == 0)
		entry_meta_apply(meta, -1, name, path, r);
	return status;
}

int entry_make_data(struct entry_file *file, uint64_t offset, const uint8_t *p, size_t n,
		    struct err *e)
{
	if (!file->open)
		return err_set(e, ERR_DAMAGED, "content without a file");
	if (offset > file->size || n > file->size - offset || n > file->want - file->got)
		return err_set(e, ERR_DAMAGED, "%s: content beyond the file's end",
			       file->path);
	file->got += n;
	if (file->fd >= 0 && file_pwrite(file->fd, p, n, (off_t)offset) < 0)
		return err_sys(e, "%s: write", file->path);
	return 0;
}

int entry_make_drop(struct entry_file *file, int dir, const char *name, struct err *e)
{
	int fd = file->fd;

	if (!file->open)
		return err_set(e, ERR_DAMAGED, "no file to be dropped");
	file->open = false;
	file->fd = -1;
	entry_meta_free(&file->meta);
	if (fd < 0)
		return 0;
	(void)close(fd);
	return unlinkat(dir, name, 0) < 0 ? err_sys(e, "%s: remove", file->path) : 0;
}

int entry_make_close(struct entry_file *file, const struct report *r, struct err *e)
{
	int fd = file->fd;

	if (!file->open)
		return 0;
	file->open = false;
	file->fd = -1;
	if (fd >= 0 && file->got != file->want)
		report_note(r, NOTE_RESTORE, file->path,
			    "content is incomplete: %llu of %llu bytes",
			    (unsigned long long)file->got,
			    (unsigned long long)file->want);
	if (fd >= 0)
		entry_meta_apply(&file->meta, fd, NULL, file->path, r);
	entry_meta_free(&file->meta);
	/* Network file systems say only now that they are full. */
	if (fd >= 0 && close(fd) < 0)
		return err_sys(e, "%s: close", file->path);
	return 0;
}
