#include "job/export.h"

#include <stdlib.h>
#include <string.h>

#include "archive/reader.h"
#include "base/err.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/report.h"
#include "base/scope.h"
#include "job/content.h"
#include "job/select.h"

#define TAR_BLOCK 512
#define OUT_ROOM 131072

/* Output gathered into large writes. */
struct out {
	int fd;
	size_t used;
	uint64_t file_at; /* of the one file that is written, how far */
	uint8_t room[OUT_ROOM];
};

static int out_flush(struct out *o, struct err *e)
{
	if (o->used > 0 && file_write(o->fd, o->room, o->used) < 0)
		return err_sys(e, "write the export");
	o->used = 0;
	return 0;
}

static int out_put(struct out *o, const uint8_t *p, size_t n, struct err *e)
{
	while (n > 0) {
		size_t now = OUT_ROOM - o->used < n ? OUT_ROOM - o->used : n;

		if (p) {
			memcpy(o->room + o->used, p, now);
			p += now;
		} else {
			memset(o->room + o->used, 0, now);
		}
		o->used += now;
		n -= now;
		if (o->used == OUT_ROOM && (interrupt_check(e) < 0 || out_flush(o, e) < 0))
			return -1;
	}
	return 0;
}

static int put_body(void *ctx, uint64_t offset, const uint8_t *p, size_t n, struct err *e)
{
	(void)offset; /* a tar holds the runs of data back to back */
	return out_put(ctx, p, n, e);
}

static int put_zeros(struct out *o, uint64_t n, struct err *e)
{
	while (n > 0) {
		size_t now = n < OUT_ROOM ? (size_t)n : OUT_ROOM;

		if (out_put(o, NULL, now, e) < 0)
			return -1;
		n -= now;
	}
	return 0;
}

static int put_at(void *ctx, uint64_t offset, const uint8_t *p, size_t n, struct err *e)
{
	struct out *o = ctx;

	if (put_zeros(o, offset - o->file_at, e) < 0 || out_put(o, p, n, e) < 0)
		return -1;
	o->file_at = offset + n;
	return 0;
}

static int put_file(struct reader *r, const struct selected *s, struct out *o, struct err *e)
{
	if (content_send(r, &s->pax, CONTENT_IN_ORDER, put_at, o, e) < 0)
		return -1;
	return put_zeros(o, s->pax.size - o->file_at, e);
}

static int put_entry(struct reader *r, const struct selected *s, struct out *o, struct err *e)
{
	if (out_put(o, s->header, s->header_len, e) < 0 ||
	    content_send(r, &s->pax, CONTENT_IN_ORDER, put_body, o, e) < 0)
		return -1;
	return out_put(o, NULL, (size_t)((TAR_BLOCK - s->pax.body_len % TAR_BLOCK) % TAR_BLOCK),
		       e);
}

static int no_file(const struct pax *p, struct err *e)
{
	if (p->type == PAX_DIR)
		return err_set(e, ERR_USAGE, "%s: is a directory (volsnap ls lists it)", p->path);
	if (p->type == PAX_SYMLINK)
		return err_set(e, ERR_USAGE, "%s: is a symbolic link to %s", p->path, p->target);
	return err_set(e, ERR_USAGE, "%s: is not a regular file", p->path);
}

static int put_all(struct reader *r, struct select *sel, const struct export_options *x,
		   struct out *o, struct err *e)
{
	struct progress done = { .total_bytes = reader_root(r)->totals.bytes };
	struct selected s;
	int more;

	while ((more = select_next(sel, &s, e)) == 0) {
		if (x->path && done.entries == 0 && s.pax.type == PAX_FILE)
			return put_file(r, &s, o, e);
		if (x->file)
			return no_file(&s.pax, e);
		if (put_entry(r, &s, o, e) < 0)
			return -1;
		done.entries++;
		done.bytes += s.pax.size;
		report_progress(x->report, &done);
	}
	if (more < 0)
		return -1;
	if (select_unmatched(sel))
		return err_set(e, ERR_NOT_FOUND, "%s%s: nothing of that path in the snapshot",
			       x->file ? "" : "--path ", select_unmatched(sel));
	return out_put(o, NULL, 2 * TAR_BLOCK, e);
}

int job_export(struct reader *r, const struct export_options *x, struct err *e)
{
	auto_free struct out *o = calloc(1, sizeof(*o));
	struct select *sel = NULL;
	int result;

	if (!o)
		return err_memory(e);
	o->fd = x->fd;
	result = select_new(r, &x->path, x->path ? 1 : 0, x->scratch, &sel, e);
	if (result == 0)
		result = put_all(r, sel, x, o, e);
	if (result == 0)
		result = out_flush(o, e);
	select_free(sel);
	return result;
}
