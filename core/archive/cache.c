/* Segments are written beside and renamed; writing them back begins at once, and the sync of the
 * list and of the directory at the end is all that waits for the disk.  A segment that a power cut
 * took all the same is found by its name, which is a keyed hash: that costs one full snapshot. */
#include "archive/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/crypto.h"
#include "archive/key.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"

#define BESIDE ".new"

int cache_open(int state_fd, const struct secret *host, const uint8_t stream_id[16],
	       struct cache *out, struct err *e)
{
	*out = (struct cache){ .dirfd = -1 };
	if (mkdirat(state_fd, "cache", 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make the tip cache");
	out->dirfd = file_open_dir(state_fd, "cache", true, e);
	if (out->dirfd < 0)
		return -1;
	out->key = crypto_lock(32, e);
	if (!out->key)
		return -1;
	crypto_b2("vs1.key.cache", host->b, 32, stream_id, 16, out->key, 32);
	return 0;
}

void cache_close(struct cache *c)
{
	if (c->key) /* else it was never opened */
		scope_close(&c->dirfd);
	crypto_unlock(c->key);
	*c = (struct cache){ .dirfd = -1 };
}

int cache_broken(struct cache *c, const char *why, struct err *e)
{
	c->broken = true;
	return err_set(e, ERR_FAILED, "the tip cache: %s", why);
}

static void segment_name(const struct cache *c, enum cache_kind kind, const uint8_t *p,
			 size_t n, uint8_t name[16])
{
	uint8_t hash[32], word = (uint8_t)kind;
	struct crypto_hash h;

	crypto_hash_init(&h, "vs1.cache.seg", c->key, 32, sizeof(hash));
	crypto_hash_update(&h, &word, 1);
	crypto_hash_update(&h, p, n);
	crypto_hash_final(&h, hash);
	memcpy(name, hash, 16);
}

static int write_beside(struct cache *c, const uint8_t *p, size_t n, struct err *e)
{
	auto_close int fd = openat(c->dirfd, BESIDE,
				   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || file_write(fd, p, n) < 0)
		return err_sys(e, "write the tip cache");
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

int cache_save(struct cache *c, enum cache_kind kind, const uint8_t *p, size_t n,
	       struct cache_seg *out, struct err *e)
{
	char name[33];
	struct stat st;

	segment_name(c, kind, p, n, out->name);
	crypto_hex(out->name, sizeof(out->name), name);
	if (fstatat(c->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == n)
		return 0;
	if (write_beside(c, p, n, e) < 0)
		return -1;
	if (renameat(c->dirfd, BESIDE, c->dirfd, name) < 0)
		return err_sys(e, "write the tip cache");
	return 0;
}

/* What is damaged must not stay: a segment saved later with the same bytes has the same name, and would be
 * taken for it. */
static int segment_bad(struct cache *c, const char *name, const char *why, struct err *e)
{
	(void)unlinkat(c->dirfd, name, 0);
	return cache_broken(c, why, e);
}

int cache_load(struct cache *c, enum cache_kind kind, const struct cache_seg *s, uint8_t *p,
	       size_t *n, struct err *e)
{
	auto_close int fd = -1;
	uint8_t found[16];
	char name[33];
	ssize_t got;

	crypto_hex(s->name, sizeof(s->name), name);
	fd = openat(c->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		return err_sys(e, "read the tip cache");
	if (fd < 0)
		return cache_broken(c, "a segment is missing", e);
	got = file_read(fd, p, CACHE_SEGMENT_MAX);
	if (got <= 0)
		return segment_bad(c, name, "a segment cannot be read", e);
	segment_name(c, kind, p, (size_t)got, found);
	if (!crypto_equal(found, s->name, sizeof(found)))
		return segment_bad(c, name, "a segment is damaged", e);
	*n = (size_t)got;
	return 0;
}

int cache_segs_add(struct cache_segs *s, const struct cache_seg *one, struct err *e)
{
	if (s->n == s->room) {
		size_t room = s->room ? s->room * 2 : 16;
		struct cache_seg *p = reallocarray(s->list, room, sizeof(*p));

		if (!p)
			return err_memory(e);
		s->list = p;
		s->room = room;
	}
	s->list[s->n++] = *one;
	s->units += one->units;
	return 0;
}

/* ---- what is not needed any more ---- */

static int compare_names(const void *a, const void *b) { return memcmp(a, b, 16); }

/* The names of all segments of L, sorted; malloc'ed. */
static uint8_t (*all_names(const struct cache_list *l, size_t *n))[16]
{
	uint8_t(*names)[16];

	*n = 0;
	for (size_t k = 0; k < CACHE_KINDS; k++)
		*n += l->segs[k].n;
	names = calloc(*n + 1, sizeof(*names));
	if (!names)
		return NULL;
	*n = 0;
	for (size_t k = 0; k < CACHE_KINDS; k++)
		for (size_t i = 0; i < l->segs[k].n; i++)
			memcpy(names[(*n)++], l->segs[k].list[i].name, 16);
	qsort(names, *n, sizeof(*names), compare_names);
	return names;
}

static bool is_named(const char *file, uint8_t (*names)[16], size_t n)
{
	uint8_t raw[16];

	return crypto_unhex(file, raw, sizeof(raw)) &&
	       bsearch(raw, names, n, sizeof(*names), compare_names);
}

/* The directory, to be listed; NULL with *e filled. */
static DIR *open_listing(struct cache *c, struct err *e)
{
	auto_close int fd = file_open_dir(c->dirfd, ".", true, e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)take_fd(&fd); /* closedir closes it */
	else if (fd >= 0)
		(void)err_sys(e, "list the tip cache");
	return dir;
}

int cache_sweep(struct cache *c, const struct cache_list *l,
		bool (*keep_head)(void *ctx, const char *name), void *ctx, struct err *e)
{
	size_t n;
	auto_free uint8_t(*names)[16] = all_names(l, &n);
	char list[40] = "list-";
	struct dirent *d;
	DIR *dir;

	if (!names)
		return err_memory(e);
	dir = open_listing(c, e);
	if (!dir)
		return -1;
	crypto_hex(l->archive.id, sizeof(l->archive.id), list + 5);
	while ((d = readdir(dir)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
		    strcmp(d->d_name, list) != 0 && !is_named(d->d_name, names, n) &&
		    !(strncmp(d->d_name, "h-", 2) == 0 && keep_head(ctx, d->d_name)))
			(void)unlinkat(c->dirfd, d->d_name, 0);
	(void)closedir(dir);
	return 0;
}
