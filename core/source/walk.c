/* Depth first by recursion, one open directory a level.  A directory is listed before it
 * is handed over, so that one that cannot be listed is left out with all below it.  The
 * lists of open levels share a budget; what does not fit is read from a spill file. */
#include "source/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "source/emit.h"
#include "source/match.h"
#include "source/names.h"
#include "source/trust.h"

#define LISTS_MAX (1024 * 1024) /* bytes of name lists in memory, all levels together */

struct walker {
	struct emit em;
	const struct walk_options *o;
	dev_t device;	 /* of the root */
	size_t path_len; /* of em.path */
	size_t depth;	 /* components of em.path, "." included */
	size_t lists;	 /* bytes of name lists in memory */
};

/* Append "/NAME" to the path.  1: too long or too deep, reported. */
static int path_push(struct walker *w, const char *name, const struct stat *st)
{
	size_t n = strlen(name);
	size_t slash = S_ISDIR(st->st_mode) ? 1 : 0;

	if (w->path_len + 1 + n + slash > ENTRY_PATH_MAX ||
	    w->depth + 1 > ENTRY_DEPTH_MAX) {
		w->em.totals->unreadable++;
		report_note(w->o->report, NOTE_UNREADABLE, w->em.path,
			    "its entry %s has too long a path, or lies too deep", name);
		return 1;
	}
	w->em.path[w->path_len] = '/';
	memcpy(w->em.path + w->path_len + 1, name, n + 1);
	w->path_len += 1 + n;
	w->depth++;
	return 0;
}

static void path_pop(struct walker *w, size_t len)
{
	w->path_len = len;
	w->em.path[len] = '\0';
	w->depth--;
}

static bool is_excluded(const struct walker *w, bool is_dir)
{
	for (size_t i = 0; i < w->o->n_exclude; i++)
		if (match_path(w->o->exclude[i], w->em.path + 2, is_dir))
			return true;
	return false;
}

static int visit(struct walker *w, int dirfd, const char *name, struct err *e);

/* The walk goes on in the directory FD. */
static void enter_device(struct walker *w, int fd, dev_t device)
{
	if (device == w->em.device)
		return;
	w->em.device = device;
	w->em.trusted = trust_file_system(fd);
}

/* The entries of the open directory FD, from its list. */
static int visit_children(struct walker *w, int fd, dev_t device, struct names *list,
			  struct err *e)
{
	const char *name;
	int r;

	while ((r = names_next(list, &name, e)) == 0) {
		if (visit(w, fd, name, e) < 0)
			return -1;
		enter_device(w, fd, device); /* back from a mount point */
	}
	return r < 0 ? -1 : 0;
}

/* The open directory FD.  1: it was left out. */
static int visit_open_dir(struct walker *w, int fd, const struct stat *st, struct err *e)
{
	int64_t read_at = trust_now();
	size_t keep = w->lists < LISTS_MAX ? LISTS_MAX - w->lists : 0;
	struct names *list = NULL;
	size_t taken;
	int r = names_read(fd, w->o->scratch, keep, &list, e);

	if (r > 0)
		return emit_failed(&w->em, "list directory", errno, e);
	if (r < 0)
		return err_in(e, "%s", w->em.path);
	taken = names_memory(list);
	w->lists += taken;
	enter_device(w, fd, st->st_dev);
	r = emit_dir(&w->em, fd, st, read_at, e);
	if (r == 0)
		r = visit_children(w, fd, st->st_dev, list, e);
	w->lists -= taken;
	names_free(list);
	return r;
}

static int open_dir(int dirfd, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dirfd, name, flags | O_NOATIME);

	return fd < 0 && errno == EPERM ? openat(dirfd, name, flags) : fd;
}

static int check_bars(const struct walker *w, const struct stat *st, struct err *e)
{
	for (size_t i = 0; i < w->o->n_bars; i++) {
		const struct walk_bar *bar = &w->o->bars[i];

		if (bar->dev == st->st_dev && bar->ino == st->st_ino)
			return err_set(
				e, ERR_CONFIG,
				"%s: is %s: exclude = %s, or choose another place for it",
				w->em.path, bar->what, w->em.path + 1);
	}
	return 0;
}

static int visit_dir(struct walker *w, int dirfd, const char *name,
		     const struct stat *seen, struct err *e)
{
	auto_close int fd = -1;
	struct stat st;

	if (w->o->one_file_system && seen->st_dev != w->device)
		return emit_mount_point(&w->em, seen, e);
	fd = open_dir(dirfd, name);
	if (fd < 0)
		return emit_failed(&w->em, "open", errno, e);
	if (fstat(fd, &st) < 0)
		return emit_failed(&w->em, "fstat", errno, e);
	if (st.st_ino != seen->st_ino || st.st_dev != seen->st_dev)
		return emit_failed(&w->em, "open", ENOENT, e);
	if (check_bars(w, &st, e) < 0)
		return -1;
	return visit_open_dir(w, fd, &st, e);
}

/* NAME under DIRFD, a child of the current path: -1, or 0 whatever became of it. */
static int visit(struct walker *w, int dirfd, const char *name, struct err *e)
{
	size_t len = w->path_len;
	struct stat st = { .st_mode = 0 };
	int sys = fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0
			  ? errno
			  : 0;
	int r = 0;

	if (path_push(w, name, &st) > 0)
		return 0;
	if (is_excluded(w, S_ISDIR(st.st_mode)))
		r = 0;
	else if (sys != 0)
		r = emit_failed(&w->em, "lstat", sys, e);
	else if (S_ISDIR(st.st_mode))
		r = visit_dir(w, dirfd, name, &st, e);
	else
		r = emit_other(&w->em, dirfd, name, &st, e);
	path_pop(w, len);
	return r < 0 ? -1 : 0;
}

static int walk_tree(struct walker *w, int root, struct err *e)
{
	/* opened anew: the caller's descriptor keeps its place, and this one its access
	 * time */
	auto_close int fd = open_dir(root, ".");
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open the volume");
	w->device = w->em.root_device = st.st_dev;
	w->em.device = st.st_dev;
	w->em.trusted = trust_file_system(fd);
	if (check_bars(w, &st, e) < 0)
		return -1;
	r = visit_open_dir(w, fd, &st, e);
	if (r > 0) /* the report says why */
		return err_set(e, ERR_FAILED,
			       "the volume's root directory cannot be read");
	return r;
}

static int walk_single(struct walker *w, int root, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "%s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_FAILED, "%s: not a regular file", name);
	w->em.root_device = w->em.device = st.st_dev;
	w->em.trusted = trust_file_system(root);
	return visit(w, root, name, e);
}

int walk(int root, const char *single, const struct walk_options *o,
	 const struct entry_sink *sink, struct walk_totals *out, struct err *e)
{
	struct walker *w = calloc(1, sizeof(*w));
	int r = -1;

	if (!w)
		return err_memory(e);
	*out = (struct walk_totals){ .entries = 0 };
	w->o = w->em.o = o;
	w->em.sink = sink;
	w->em.totals = out;
	w->em.path[0] = '.';
	w->path_len = 1;
	w->depth = 1;
	/* Two a level, and room for others: more than some shells allow at first. */
	(void)file_raise_limit();
	if (emit_open(&w->em, e) == 0)
		r = single ? walk_single(w, root, single, e) : walk_tree(w, root, e);
	emit_close(&w->em);
	free(w);
	return r;
}
