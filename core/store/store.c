/* A store is a directory: its marker, opening it, reading and listing its files.
 * Writing is in store_part.c. */
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "store/store_internal.h"

#define MARKER_TEXT "volsnap store 1\n"
#define MARKER_LEN (sizeof(MARKER_TEXT) - 1 + 33)

int store_create(const char *location, struct err *e)
{
	static const char *const dirs[] = { "r", "s", "tmp" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		auto_free char *path = file_join(location, dirs[i]);

		if (!path)
			return err_memory(e);
		if (file_make_dirs(path, 0700, e) < 0) {
			e->kind = ERR_STORE;
			return err_in(e, "store %s", location);
		}
	}
	return 0;
}

int store_mark(const char *location, const uint8_t store_id[16], struct err *e)
{
	auto_free char *path = file_join(location, STORE_MARKER);
	char text[MARKER_LEN + 1];
	size_t n = sizeof(MARKER_TEXT) - 1;

	if (!path)
		return err_memory(e);
	memcpy(text, MARKER_TEXT, n);
	for (size_t i = 0; i < 16; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%02x", store_id[i]);
	text[n++] = '\n';
	switch (file_save(AT_FDCWD, path, text, n, 0644, false, e)) {
	case 0:
		return 0;
	case 1:
		return err_set(e, ERR_REFUSED, "store %s: exists already", location);
	default:
		e->kind = ERR_STORE;
		return err_in(e, "store %s", location);
	}
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool marker_parse(const struct bytes *b, uint8_t store_id[16])
{
	const uint8_t *hex = b->p + sizeof(MARKER_TEXT) - 1;

	if (b->len != MARKER_LEN || memcmp(b->p, MARKER_TEXT, sizeof(MARKER_TEXT) - 1) != 0 ||
	    b->p[MARKER_LEN - 1] != '\n')
		return false;
	for (size_t i = 0; i < 16; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		store_id[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

int store_marker(const char *location, uint8_t store_id[16], struct err *e)
{
	auto_free char *path = file_join(location, STORE_MARKER);
	auto_bytes struct bytes b = BYTES_EMPTY;
	int found;

	if (!path)
		return err_memory(e);
	found = file_load(AT_FDCWD, path, 4096, &b, e);
	if (found < 0) {
		e->kind = ERR_STORE;
		return err_in(e, "store %s", location);
	}
	if (found == 1)
		return 1;
	if (!marker_parse(&b, store_id))
		return err_set(e, ERR_STORE, "store %s: %s is not a store's marker", location,
			       STORE_MARKER);
	return 0;
}

static int store_check(const char *location, const uint8_t *want, uint8_t found[16],
		       struct err *e)
{
	struct stat st;

	if (stat(location, &st) < 0)
		return err_sys_kind(e, ERR_STORE, "store %s", location);
	switch (store_marker(location, found, e)) {
	case 0:
		break;
	case 1:
		return err_set(e, ERR_STORE,
			       "store %s: no marker %s there: is the disk mounted? "
			       "(a new store is made by: volsnap init)",
			       location, STORE_MARKER);
	default:
		return -1;
	}
	if (want && memcmp(want, found, 16) != 0)
		return err_set(e, ERR_STORE,
			       "store %s: is another store than the one this host knows "
			       "(marker id differs): is the right disk mounted?",
			       location);
	return 0;
}

int store_open(const char *location, const uint8_t *store_id, struct store **out, struct err *e)
{
	uint8_t found[16];
	struct store *s;

	if (store_check(location, store_id, found, e) < 0)
		return -1;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_memory(e);
	memcpy(s->id, found, sizeof(s->id));
	s->dirfd = open(location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->location = strdup(location);
	if (s->dirfd < 0 || !s->location) {
		(void)err_sys_kind(e, ERR_STORE, "store %s", location);
		store_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	if (s->dirfd >= 0)
		(void)close(s->dirfd);
	free(s->location);
	free(s);
}

const char *store_location(const struct store *s) { return s->location; }
const uint8_t *store_id(const struct store *s) { return s->id; }

struct store_file {
	int fd;
	uint64_t size;
	char *name;
};

int store_file_open(struct store *s, const char *name, struct store_file **out, struct err *e)
{
	auto_close int fd = openat(s->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct store_file *f;
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys_kind(e, ERR_STORE, "store %s: open %s", s->location, name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_DAMAGED, "%s: not a regular file", name);
	f = calloc(1, sizeof(*f));
	if (!f)
		return err_memory(e);
	f->name = strdup(name);
	if (!f->name) {
		free(f);
		return err_memory(e);
	}
	f->fd = take_fd(&fd);
	f->size = (uint64_t)st.st_size;
	*out = f;
	return 0;
}

uint64_t store_file_size(const struct store_file *f) { return f->size; }

int store_file_read(struct store_file *f, uint64_t at, void *buf, size_t n, struct err *e)
{
	ssize_t got;

	if (at > f->size || n > f->size - at)
		return err_set(e, ERR_DAMAGED, "%s: shorter than it says", f->name);
	got = file_pread(f->fd, buf, n, (off_t)at);
	if (got < 0)
		return err_sys_kind(e, ERR_STORE, "read %s at %llu", f->name,
				    (unsigned long long)at);
	if ((size_t)got != n)
		return err_set(e, ERR_DAMAGED, "%s: shorter than it was", f->name);
	return 0;
}

bool store_file_fault(const struct err *e)
{
	return e->kind == ERR_DAMAGED ||
	       (e->kind == ERR_STORE &&
		(e->sys == EIO || e->sys == EBADMSG || e->sys == EUCLEAN || e->sys == ENODATA ||
		 e->sys == ELOOP || e->sys == ENXIO || e->sys == EACCES));
}

void store_file_free(struct store_file *f)
{
	if (!f)
		return;
	(void)close(f->fd);
	free(f->name);
	free(f);
}

int store_get(struct store *s, const char *name, size_t max, struct bytes *out, struct err *e)
{
	int found = file_load(s->dirfd, name, max, out, e);

	if (found < 0) {
		e->kind = ERR_STORE;
		return err_in(e, "store %s", s->location);
	}
	return found;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_dots(const struct dirent *de)
{
	return strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0;
}

int store_list(struct store *s, const char *dir, store_list_fn *fn, void *ctx, struct err *e)
{
	struct dirent **names = NULL;
	int n = scandirat(s->dirfd, dir, &names, not_dots, by_name);
	int result = 0;

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return err_sys_kind(e, ERR_STORE, "store %s: list %s", s->location, dir);
	for (int i = 0; i < n; i++) {
		auto_free char *path = result ? NULL : file_join(dir, names[i]->d_name);
		struct stat st;

		if (result == 0 && !path)
			result = err_memory(e);
		else if (result == 0 && fstatat(s->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			result = fn(ctx, names[i]->d_name, S_ISDIR(st.st_mode),
				    (uint64_t)st.st_size, e);
		else if (result == 0 && errno != ENOENT)
			result = err_sys_kind(e, ERR_STORE, "store %s: stat %s", s->location,
					      path);
		free(names[i]);
	}
	free(names);
	return result;
}
