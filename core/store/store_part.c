/* Writing to a store: beside in tmp/, synced, renamed without replacing, directories synced. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "store/store.h"
#include "store/store_internal.h"

struct store_part {
	struct store *store;
	int fd;
	uint64_t size;
	bool committed;
	char tmp[128];
};

/* Dirty pages are pushed out in steps of this size, so that the final fsync is short. */
#define PUSH_EVERY (8u << 20)

static int part_error(const struct store *s, const char *what, const char *name, struct err *e)
{
	const char *hint = errno == ENOSPC || errno == EDQUOT ?
				   " (free space there, or give the store a larger disk)" :
				   "";

	return err_sys_kind(e, ERR_STORE, "store %s: %s %s%s", s->location, what, name, hint);
}

int store_put(struct store *s, const char *name, const void *p, size_t n, struct err *e)
{
	int found = file_save(s->dirfd, name, p, n, 0444, false, e);

	if (found < 0) {
		e->kind = ERR_STORE;
		return err_in(e, "store %s", s->location);
	}
	return found;
}

int store_part_begin(struct store *s, const char *prefix, struct store_part **out, struct err *e)
{
	struct store_part *p = calloc(1, sizeof(*p));
	uint64_t random;

	if (!p)
		return err_memory(e);
	if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
		free(p);
		return err_sys(e, "random bytes");
	}
	p->store = s;
	(void)snprintf(p->tmp, sizeof(p->tmp), "tmp/%s-%016llx.part", prefix,
		       (unsigned long long)random);
	p->fd = openat(s->dirfd, p->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (p->fd < 0) {
		(void)part_error(s, "create", p->tmp, e);
		free(p);
		return -1;
	}
	*out = p;
	return 0;
}

int store_part_write(struct store_part *p, const void *buf, size_t n, struct err *e)
{
	uint64_t before = p->size;

	if (file_write(p->fd, buf, n) < 0)
		return part_error(p->store, "write", p->tmp, e);
	p->size += n;
	if (p->size / PUSH_EVERY != before / PUSH_EVERY)
		(void)sync_file_range(p->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

int store_part_sync(struct store_part *p, struct err *e)
{
	int fd;

	if (fchmod(p->fd, 0440) < 0 || fsync(p->fd) < 0)
		return part_error(p->store, "sync", p->tmp, e);
	fd = take_fd(&p->fd);
	if (close(fd) < 0)
		return part_error(p->store, "close", p->tmp, e);
	return 0;
}

/* Make the directories that NAME lies in; what is made is synced into its parent. */
static int make_parents(struct store *s, const char *name, struct err *e)
{
	char dir[1024], parent[1024] = ".";

	for (size_t i = 0; name[i]; i++) {
		if (name[i] != '/')
			continue;
		(void)snprintf(dir, sizeof(dir), "%.*s", (int)i, name);
		if (mkdirat(s->dirfd, dir, 0700) < 0 && errno != EEXIST)
			return part_error(s, "make directory", dir, e);
		/* Also where it existed: a crash may have left it unsynced. */
		if (file_sync_dir(s->dirfd, parent, e) < 0) {
			e->kind = ERR_STORE;
			return -1;
		}
		memcpy(parent, dir, sizeof(parent));
	}
	return 0;
}

int store_part_commit(struct store_part *p, const char *name, struct err *e)
{
	struct store *s = p->store;
	char dir[1024];
	const char *slash = strrchr(name, '/');

	(void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - name) : 1,
		       slash ? name : ".");
	if (make_parents(s, name, e) < 0)
		return -1;
	if (renameat2(s->dirfd, p->tmp, s->dirfd, name, RENAME_NOREPLACE) < 0)
		return part_error(s, "rename to", name, e);
	p->committed = true;
	if (file_sync_dir(s->dirfd, dir, e) < 0 || file_sync_dir(s->dirfd, "tmp", e) < 0) {
		e->kind = ERR_STORE;
		return -1;
	}
	return 0;
}

uint64_t store_part_size(const struct store_part *p) { return p->size; }

void store_part_free(struct store_part *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		(void)close(p->fd);
	if (!p->committed)
		(void)unlinkat(p->store->dirfd, p->tmp, 0);
	free(p);
}

struct clean {
	struct store *store;
	const char *prefix;
};

static int clean_one(void *ctx, const char *name, bool is_dir, uint64_t size, struct err *e)
{
	struct clean *c = ctx;
	size_t n = strlen(c->prefix), len = strlen(name);
	char path[1024];

	(void)size;
	if (is_dir || len < n + 6 || strncmp(name, c->prefix, n) != 0 || name[n] != '-' ||
	    strcmp(name + len - 5, ".part") != 0)
		return 0;
	(void)snprintf(path, sizeof(path), "tmp/%s", name);
	if (unlinkat(c->store->dirfd, path, 0) < 0 && errno != ENOENT)
		return part_error(c->store, "remove", path, e);
	return 0;
}

int store_clean_tmp(struct store *s, const char *prefix, struct err *e)
{
	struct clean c = { .store = s, .prefix = prefix };

	return store_list(s, "tmp", clean_one, &c, e);
}
