/* Which of the ways to put a tree in place applies; the ways are in place_beside.c and
 * place_mount.c. */
#include "source/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "source/place_parts.h"

#define auto_spot __attribute__((cleanup(place_spot_close)))

struct place {
	struct place_spot spot;
	bool file;    /* the tree is for one file */
	bool settled; /* the new tree is no more ours to remove */
	int fd;
	int lock; /* on it, not shared with whom FD is given to: ends with this process */
	char name[PLACE_NAME_MAX + 1]; /* of the new tree; empty before there is one */
};

static int recover(const struct place_spot *s, struct err *e)
{
	return s->kind == PLACE_MOUNT ? place_mount_recover(s, e)
				      : place_beside_recover(s, e);
}

static int begin(struct place *p, const char *path, struct err *e)
{
	int status = place_spot_find(path, &p->spot, e);

	if (status > 0)
		return err_set(e, ERR_FAILED, "%s: its directory is missing", path);
	if (status < 0 || recover(&p->spot, e) < 0)
		return -1;
	/* Recovery may have put something there. */
	place_spot_close(&p->spot);
	if (place_spot_find(path, &p->spot, e) != 0)
		return -1;
	if (p->spot.there && p->file != (p->spot.kind == PLACE_FILE))
		return err_set(e, ERR_REFUSED, "%s: is %sa directory", path,
			       p->file ? "" : "not ");
	if (p->spot.kind != PLACE_MOUNT)
		status = place_beside_begin(&p->spot, p->name, &p->fd, e);
	else {
		(void)snprintf(p->name, sizeof(p->name), "%s", PLACE_MOUNT_NEW);
		status = place_mount_begin(&p->spot, &p->fd, e);
	}
	if (status == 0 && place_spot_lock(p->fd, ".", &p->lock) > 0)
		return place_spot_busy(&p->spot, e);
	return status;
}

static int begin_kind(const char *path, bool file, struct place **out, struct err *e)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!p)
		return err_memory(e);
	p->file = file;
	p->fd = p->lock = -1;
	p->spot.dir = -1;
	if (begin(p, path, e) < 0) {
		place_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

int place_begin(const char *path, struct place **out, struct err *e)
{
	return begin_kind(path, false, out, e);
}

int place_begin_file(const char *path, struct place **out, struct err *e)
{
	return begin_kind(path, true, out, e);
}

int place_fd(const struct place *p) { return p->fd; }

int place_commit(struct place *p, bool keep_previous, struct err *e)
{
	int status;

	if (p->spot.kind == PLACE_MOUNT)
		return place_mount_commit(&p->spot, keep_previous, &p->settled, e);
	if (p->file)
		status = place_beside_commit_file(&p->spot, p->name, keep_previous, e);
	else
		status = place_beside_commit(&p->spot, p->name, keep_previous, e);
	/* What is left over is recovery's, which knows what it is. */
	p->settled = true;
	return status < 0 ? err_in(e, "put %s in place", p->spot.path) : 0;
}

void place_free(struct place *p)
{
	struct err ignored;

	if (!p)
		return;
	if (p->name[0] && !p->settled)
		(void)file_remove_tree(p->spot.dir, p->name, &ignored);
	scope_close(&p->fd);
	scope_close(&p->lock);
	place_spot_close(&p->spot);
	free(p);
}

int place_recover(const char *path, struct err *e)
{
	auto_spot struct place_spot s = { .dir = -1 };
	int status = place_spot_find(path, &s, e);

	return status == 0 ? recover(&s, e) : status < 0 ? -1 : 0;
}

int place_settle(const char *path, struct err *e)
{
	auto_spot struct place_spot s = { .dir = -1 };
	int status = place_spot_find(path, &s, e);

	if (status != 0)
		return status < 0 ? -1 : 0;
	return s.kind == PLACE_MOUNT ? place_mount_settle(&s, e) : 0;
}

char *place_previous(const char *path)
{
	auto_spot struct place_spot s = { .dir = -1 };
	struct err ignored;
	size_t dir_len;
	char *out;

	if (place_spot_find(path, &s, &ignored) != 0) {
		out = NULL;
		return asprintf(&out, "%s" PLACE_MOUNT_PREVIOUS, path) < 0 ? NULL : out;
	}
	dir_len = s.kind == PLACE_MOUNT ? strlen(s.path)
					: (size_t)(strrchr(s.path, '/') - s.path);
	if (asprintf(&out, "%.*s/%s", (int)dir_len, s.path, s.previous) < 0)
		return NULL;
	return out;
}

/* A directory that is not a mount point is replaced with all that is in it, so all
 * counts. */
static int dir_has_content(const char *path, struct err *e)
{
	auto_close int fd = file_open_dir(AT_FDCWD, path, true, e);

	return fd < 0 ? -1 : file_dir_has_entries(fd, NULL, e);
}

int place_has_content(const char *path, struct err *e)
{
	auto_spot struct place_spot s = { .dir = -1 };
	int status = place_spot_find(path, &s, e);

	if (status != 0)
		return status < 0 ? -1 : 0;
	if (!s.there || s.kind == PLACE_FILE)
		return s.there;
	return s.kind == PLACE_MOUNT ? place_mount_has_content(s.dir, e)
				     : dir_has_content(s.path, e);
}

/* In a mount point the root's time is the volume's, and what we kept there is not. */
static int remove_previous(const struct place_spot *s, struct err *e)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	bool known = false;
	struct stat st;

	if (s->kind == PLACE_MOUNT && fstat(s->dir, &st) == 0) {
		times[1] = st.st_mtim;
		known = true;
	}
	if (file_remove_tree(s->dir, s->previous, e) < 0)
		return -1;
	if (known)
		(void)futimens(s->dir, times);
	return 0;
}

int place_discard(const char *path, struct err *e)
{
	auto_spot struct place_spot s = { .dir = -1 };
	int status = place_spot_find(path, &s, e), has;

	if (status != 0)
		return status;
	/* What a crash left may be it, or a part of it. */
	if (recover(&s, e) < 0)
		return -1;
	has = place_spot_has(s.dir, s.previous, e);
	if (has <= 0)
		return has < 0 ? -1 : 1;
	return remove_previous(&s, e);
}
