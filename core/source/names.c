/* Names are gathered in an arena with an array of offsets.  When either is full they are
 * sorted and written to a spill file as one run: the names back to back, each with its
 * NUL.  At the end the runs are merged, up to 64 at a time, until one is left, which is
 * then read through a small buffer.  A directory without runs becomes one block of memory
 * of the exact size, if its opener can afford it, else a spilled run as well.  A name
 * that the kernel lists twice comes out once. */
#include "source/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"

#define NAMES_MAX 32768		/* names of a run */
#define ARENA_MAX (1024 * 1024) /* bytes of a run */
#define FAN_IN 64		/* runs merged at a time */
#define BUFFER 4096		/* of a run that is read; larger than any name */
#define OUT_BUFFER 32768
#define LISTING 32768 /* of getdents64 */

struct run {
	uint64_t start, end;
};

/* A run while it is read: the current name begins at p[at]. */
struct run_reader {
	int fd;
	uint64_t next, end; /* what is not yet in p */
	size_t at, len;
	char p[BUFFER];
};

struct run_writer {
	int fd;
	uint64_t offset;
	size_t len;
	char p[OUT_BUFFER];
};

struct names {
	/* in memory: */
	size_t at, len;
	/* spilled: */
	struct run_reader *reader;
	int fd;
	bool started;
	char block[];
};

struct gather {
	const char *scratch;
	struct bytes arena, offsets, runs; /* offsets are uint32_t, runs struct run */
	struct run_writer *writer;	   /* NULL before the first spill */
};

static void gather_free(struct gather *g)
{
	bytes_free(&g->arena);
	bytes_free(&g->offsets);
	bytes_free(&g->runs);
	if (g->writer)
		scope_close(&g->writer->fd);
	free(g->writer);
}

#define auto_gather __attribute__((cleanup(gather_free)))

static struct run_writer *writer_new(const char *scratch, struct err *e)
{
	struct run_writer *w = malloc(sizeof(*w));

	if (!w) {
		(void)err_memory(e);
		return NULL;
	}
	w->offset = 0;
	w->len = 0;
	w->fd = file_temp(scratch, e);
	if (w->fd < 0) {
		free(w);
		return NULL;
	}
	return w;
}

static int writer_flush(struct run_writer *w, struct err *e)
{
	if (file_pwrite(w->fd, w->p, w->len, (off_t)w->offset) < 0)
		return err_sys(e, "write a spill file of names");
	w->offset += w->len;
	w->len = 0;
	return 0;
}

static int writer_put(struct run_writer *w, const char *name, struct err *e)
{
	size_t n = strlen(name) + 1;

	if (n > OUT_BUFFER - w->len && writer_flush(w, e) < 0)
		return -1;
	memcpy(w->p + w->len, name, n);
	w->len += n;
	return 0;
}

static int compare(const void *a, const void *b, void *arena)
{
	const char *base = arena;
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return strcmp(base + x, base + y);
}

static size_t gather_count(const struct gather *g)
{
	return g->offsets.len / sizeof(uint32_t);
}

static const char *gather_name(const struct gather *g, size_t i)
{
	uint32_t offset;

	memcpy(&offset, g->offsets.p + i * sizeof(offset), sizeof(offset));
	return (const char *)g->arena.p + offset;
}

static void gather_sort(struct gather *g)
{
	if (gather_count(g) > 1)
		qsort_r(g->offsets.p, gather_count(g), sizeof(uint32_t), compare,
			g->arena.p);
}

/* Sort what is in memory and make it a run. */
static int gather_spill(struct gather *g, struct err *e)
{
	struct run run;

	if (!g->writer && !(g->writer = writer_new(g->scratch, e)))
		return -1;
	gather_sort(g);
	run.start = g->writer->offset + g->writer->len;
	for (size_t i = 0; i < gather_count(g); i++)
		if (writer_put(g->writer, gather_name(g, i), e) < 0)
			return -1;
	run.end = g->writer->offset + g->writer->len;
	g->arena.len = 0;
	g->offsets.len = 0;
	return bytes_append(&g->runs, &run, sizeof(run), e);
}

static int gather_add(struct gather *g, const char *name, struct err *e)
{
	size_t n = strlen(name) + 1;
	uint32_t offset;

	if (n > BUFFER)
		return err_set(e, ERR_FAILED, "the file system lists a name of %zu bytes",
			       n - 1);
	if ((gather_count(g) == NAMES_MAX || n > ARENA_MAX - g->arena.len) &&
	    gather_spill(g, e) < 0)
		return -1;
	offset = (uint32_t)g->arena.len;
	if (bytes_append(&g->arena, name, n, e) < 0)
		return -1;
	return bytes_append(&g->offsets, &offset, sizeof(offset), e);
}

static int gather_all(struct gather *g, int fd, struct err *e)
{
	_Alignas(struct dirent64) char list[LISTING];
	bool first = true;

	for (;;) {
		ssize_t n = getdents64(fd, list, sizeof(list));

		if (n < 0)
			return first ? 1 : err_sys(e, "list directory");
		if (n == 0)
			return 0;
		first = false;
		for (ssize_t at = 0; at < n;) {
			struct dirent64 *d = (void *)(list + at);

			if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
			    gather_add(g, d->d_name, e) < 0)
				return -1;
			at += d->d_reclen;
		}
	}
}

static void reader_open(struct run_reader *r, int fd, const struct run *run)
{
	r->fd = fd;
	r->next = run->start;
	r->end = run->end;
	r->at = 0;
	r->len = 0;
}

/* The current name, or NULL at the end of the run; the buffer is filled when it holds no
 * whole name. */
static int reader_name(struct run_reader *r, const char **name, struct err *e)
{
	size_t left = r->len - r->at;
	size_t n;

	*name = NULL;
	if (!memchr(r->p + r->at, 0, left)) {
		memmove(r->p, r->p + r->at, left);
		n = r->end - r->next < BUFFER - left ? (size_t)(r->end - r->next)
						     : BUFFER - left;
		if (file_pread(r->fd, r->p + left, n, (off_t)r->next) != (ssize_t)n)
			return err_sys(e, "read a spill file of names");
		r->next += n;
		r->at = 0;
		r->len = left + n;
	}
	if (r->len > r->at)
		*name = r->p + r->at;
	return 0;
}

static void reader_advance(struct run_reader *r) { r->at += strlen(r->p + r->at) + 1; }

/* Merge N runs that R reads to W; a linear search for the least is good enough for
 * FAN_IN. */
static int merge(struct run_reader *r, size_t n, struct run_writer *w, struct err *e)
{
	const char *names[FAN_IN];

	for (size_t i = 0; i < n; i++)
		if (reader_name(&r[i], &names[i], e) < 0)
			return -1;
	for (;;) {
		size_t least = n;

		for (size_t i = 0; i < n; i++)
			if (names[i] &&
			    (least == n || strcmp(names[i], names[least]) < 0))
				least = i;
		if (least == n)
			return 0;
		if (writer_put(w, names[least], e) < 0)
			return -1;
		reader_advance(&r[least]);
		if (reader_name(&r[least], &names[least], e) < 0)
			return -1;
	}
}

/* One round: runs of FROM, FAN_IN at a time, become runs of TO. */
static int merge_round(const struct gather *from, struct run_reader *readers,
		       struct gather *to, struct err *e)
{
	size_t n_runs = from->runs.len / sizeof(struct run);

	for (size_t i = 0; i < n_runs; i += FAN_IN) {
		size_t n = n_runs - i < FAN_IN ? n_runs - i : FAN_IN;
		struct run run = { .start = to->writer->offset + to->writer->len };

		for (size_t k = 0; k < n; k++) {
			struct run one;

			memcpy(&one, from->runs.p + (i + k) * sizeof(one), sizeof(one));
			reader_open(&readers[k], from->writer->fd, &one);
		}
		if (merge(readers, n, to->writer, e) < 0)
			return -1;
		run.end = to->writer->offset + to->writer->len;
		if (bytes_append(&to->runs, &run, sizeof(run), e) < 0)
			return -1;
	}
	return writer_flush(to->writer, e);
}

/* Merge until one run is left. */
static int gather_merge(struct gather *g, struct err *e)
{
	auto_free struct run_reader *readers = NULL;

	if (gather_count(g) > 0 && gather_spill(g, e) < 0)
		return -1;
	bytes_free(&g->arena);
	bytes_free(&g->offsets);
	if (writer_flush(g->writer, e) < 0)
		return -1;
	while (g->runs.len > sizeof(struct run)) {
		auto_gather struct gather to = { .scratch = g->scratch };
		struct gather swap;

		if (!readers && !(readers = malloc(FAN_IN * sizeof(*readers))))
			return err_memory(e);
		if (!(to.writer = writer_new(g->scratch, e)) ||
		    merge_round(g, readers, &to, e) < 0)
			return -1;
		swap = *g;
		*g = to;
		to = swap;
	}
	return 0;
}

static int finish_spilled(struct gather *g, struct names **out, struct err *e)
{
	struct names *n;
	struct run run;

	if (gather_merge(g, e) < 0)
		return -1;
	n = calloc(1, sizeof(*n));
	if (!n)
		return err_memory(e);
	n->fd = -1;
	n->reader = malloc(sizeof(*n->reader));
	if (!n->reader) {
		names_free(n);
		return err_memory(e);
	}
	memcpy(&run, g->runs.p, sizeof(run));
	n->fd = take_fd(&g->writer->fd);
	reader_open(n->reader, n->fd, &run);
	*out = n;
	return 0;
}

static int finish_in_memory(struct gather *g, struct names **out, struct err *e)
{
	struct names *n = malloc(sizeof(*n) + g->arena.len);

	if (!n)
		return err_memory(e);
	*n = (struct names){ .fd = -1 };
	gather_sort(g);
	for (size_t i = 0; i < gather_count(g); i++) {
		const char *name = gather_name(g, i);
		size_t len = strlen(name) + 1;

		memcpy(n->block + n->len, name, len);
		n->len += len;
	}
	*out = n;
	return 0;
}

int names_read(int fd, const char *scratch, size_t keep, struct names **out,
	       struct err *e)
{
	auto_gather struct gather g = { .scratch = scratch };
	int r = gather_all(&g, fd, e);

	if (r != 0)
		return r;
	if (!g.writer && g.arena.len <= keep)
		return finish_in_memory(&g, out, e);
	return finish_spilled(&g, out, e);
}

size_t names_memory(const struct names *n)
{
	return sizeof(*n) + (n->reader ? sizeof(*n->reader) : n->len);
}

static int next_spilled(struct names *n, const char **name, struct err *e)
{
	char last[BUFFER];

	if (!n->started) {
		n->started = true;
		if (reader_name(n->reader, name, e) < 0)
			return -1;
		return *name ? 0 : 1;
	}
	if (n->reader->at == n->reader->len)
		return 1;
	(void)stpcpy(last, n->reader->p + n->reader->at);
	do {
		reader_advance(n->reader);
		if (reader_name(n->reader, name, e) < 0)
			return -1;
	} while (*name && strcmp(*name, last) == 0);
	return *name ? 0 : 1;
}

int names_next(struct names *n, const char **name, struct err *e)
{
	const char *last = NULL;

	if (n->reader)
		return next_spilled(n, name, e);
	if (n->started) {
		last = n->block + n->at;
		n->at += strlen(last) + 1;
		while (n->at < n->len && strcmp(n->block + n->at, last) == 0)
			n->at += strlen(last) + 1;
	}
	n->started = true;
	if (n->at >= n->len) {
		n->started = false;
		n->at = n->len;
		return 1;
	}
	*name = n->block + n->at;
	return 0;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	scope_close(&n->fd);
	free(n->reader);
	free(n);
}
