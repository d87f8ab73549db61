/* A stack, because entries come depth first: memory is bounded by the depth, not by the
 * number of directories.  A directory is 0700 until it is left; then it gets its own
 * metadata, which its children can no longer disturb (times), nor be disturbed by (mode
 * 000, default ACLs, +i). */
#include "source/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/entry.h"
#include "base/err.h"
#include "base/report.h"
#include "base/scope.h"
#include "source/entry_make.h"
#include "source/entry_meta.h"

struct level {
	int fd;
	size_t path_len; /* of the path up to here */
	bool has_meta;
	struct entry_meta meta;
};

struct dirs {
	const struct report *report;
	size_t n; /* levels in use; level 0 is the root */
	char path[ENTRY_PATH_MAX + 1];
	struct level level[ENTRY_DEPTH_MAX + 1];
};

int dirs_new(int root, const struct report *r, struct dirs **out, struct err *e)
{
	struct dirs *d = calloc(1, sizeof(*d));

	if (!d)
		return err_memory(e);
	d->report = r;
	d->n = 1;
	d->path[0] = '.';
	d->level[0] = (struct level){ .fd = root, .path_len = 1 };
	*out = d;
	return 0;
}

static void leave_last(struct dirs *d)
{
	struct level *l = &d->level[--d->n];

	d->path[l->path_len] = '\0';
	if (l->has_meta) {
		entry_meta_apply(&l->meta, l->fd, NULL, d->path, d->report);
		entry_meta_free(&l->meta);
	}
	if (d->n > 0)
		(void)close(l->fd);
}

void dirs_leave(struct dirs *d)
{
	while (d->n > 0)
		leave_last(d);
}

void dirs_free(struct dirs *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		if (i > 0)
			(void)close(d->level[i].fd);
		if (d->level[i].has_meta)
			entry_meta_free(&d->level[i].meta);
	}
	free(d);
}

/* Leave what is not above PATH. */
static void leave_others(struct dirs *d, const char *path)
{
	while (d->n > 1) {
		size_t len = d->level[d->n - 1].path_len;

		if (strncmp(d->path, path, len) == 0 && path[len] == '/')
			return;
		leave_last(d);
	}
}

/* Go one component down: NAME ends at END of PATH. */
static int descend(struct dirs *d, const char *path, size_t end, struct err *e)
{
	const struct level *top = &d->level[d->n - 1];
	char name[ENTRY_PATH_MAX + 1];
	int fd;

	if (d->n > ENTRY_DEPTH_MAX)
		return err_set(e, ERR_DAMAGED, "%s: path too deep", path);
	(void)snprintf(name, sizeof(name), "%.*s", (int)(end - top->path_len - 1),
		       path + top->path_len + 1);
	fd = openat(top->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return err_set(e, ERR_DAMAGED,
			       "%.*s: is not a directory, but has entries", (int)end,
			       path);
	if (fd < 0)
		return err_sys(e, "%.*s: open directory", (int)end, path);
	memcpy(d->path, path, end);
	d->path[end] = '\0';
	d->level[d->n++] = (struct level){ .fd = fd, .path_len = end };
	return 0;
}

/* Make the component of PATH that ends at END; 1: refused, reported. */
static int make(struct dirs *d, const char *path, size_t end, mode_t mode, bool may_exist,
		struct err *e)
{
	const struct level *top = &d->level[d->n - 1];
	char part[ENTRY_PATH_MAX + 1];

	(void)snprintf(part, sizeof(part), "%.*s", (int)end, path);
	if (mkdirat(top->fd, part + top->path_len + 1, mode) == 0 ||
	    (may_exist && errno == EEXIST))
		return 0;
	return entry_make_refused(part, "make directory", d->report, e);
}

int dirs_enter(struct dirs *d, const char *path, const char **name, struct err *e)
{
	leave_others(d, path);
	for (;;) {
		size_t at = d->level[d->n - 1].path_len;
		size_t len = strcspn(path + at + 1, "/");
		int status;

		*name = path + at + 1;
		if (path[at + 1 + len] == '\0')
			return d->level[d->n - 1].fd;
		status = make(d, path, at + 1 + len, 0755, true, e);
		if (status != 0)
			return status < 0 ? -1 : -2;
		if (descend(d, path, at + 1 + len, e) < 0)
			return -1;
	}
}

int dirs_make(struct dirs *d, const char *path, struct entry_meta *meta, struct err *e)
{
	struct level *top;
	const char *name;

	if (path[1] == '\0') {
		while (d->n > 1)
			leave_last(d);
	} else {
		int fd = dirs_enter(d, path, &name, e);
		int status = fd < 0 ? fd : make(d, path, strlen(path), 0700, false, e);

		if (status != 0)
			return status == -1 ? -1 : 1;
		if (descend(d, path, strlen(path), e) < 0)
			return -1;
	}
	top = &d->level[d->n - 1];
	if (top->has_meta)
		return err_set(e, ERR_DAMAGED, "%s: comes twice", path);
	top->has_meta = true;
	top->meta = *meta;
	meta->attrs = NULL;
	entry_meta_early(&top->meta, top->fd);
	return 0;
}
