#include "job/diff.h"

#include <string.h>

#include "archive/crypto.h"
#include "archive/reader.h"
#include "base/err.h"
#include "base/report.h"
#include "base/wire.h"
#include "job/spans.h"

struct side {
	struct reader *reader;
	struct linked *linked;
	struct linked_entry en;
	bool more;
};

struct diff {
	const struct diff_options *o;
	struct side before, after;
	struct diff_totals *totals;
	bool ended; /* nobody wants the rest */
};

static int side_next(struct side *s, struct err *e)
{
	int more = linked_next(s->linked, &s->en, e);

	s->more = more == 0;
	return more < 0 ? -1 : 0;
}

/* Sums over the attributes of one kind: the order in which they come is a file system's
 * whim. */
struct attr_sums {
	uint64_t of[3][2];
};

static void attr_sums(const struct linked_entry *en, struct attr_sums *out)
{
	struct pax_attrs it = pax_attrs(en->header, en->header_len);
	enum pax_attr_kind kind;
	const uint8_t *text;
	uint8_t hash[16];
	size_t n;

	memset(out, 0, sizeof(*out));
	while (pax_attr(&it, &kind, &text, &n)) {
		crypto_b2("vs1.diff", NULL, 0, text, n, hash, sizeof(hash));
		out->of[kind][0] += wire_get64(hash);
		out->of[kind][1] += wire_get64(hash + 8);
	}
}

static void compare_attrs(const struct linked_entry *a, const struct linked_entry *b,
			  struct diff_what *what)
{
	struct attr_sums x, y;

	attr_sums(a, &x);
	attr_sums(b, &y);
	what->xattr = memcmp(x.of[PAX_ATTR_XATTR], y.of[PAX_ATTR_XATTR], 16) != 0;
	what->acl = memcmp(x.of[PAX_ATTR_ACL], y.of[PAX_ATTR_ACL], 16) != 0;
	what->flags = memcmp(x.of[PAX_ATTR_FLAGS], y.of[PAX_ATTR_FLAGS], 16) != 0;
}

static bool same_header(const struct linked_entry *a, const struct linked_entry *b)
{
	return a->header_len == b->header_len &&
	       memcmp(a->header, b->header, a->header_len) == 0;
}

/* Whether the name leads to another file than before, as far as names tell. */
static bool same_link(const struct pax *a, const struct pax *b)
{
	if (a->type != PAX_LINK && b->type != PAX_LINK)
		return true;
	return a->type == b->type && strcmp(a->target, b->target) == 0;
}

static void compare_headers(const struct linked_entry *a, const struct linked_entry *b,
			    struct diff_what *what)
{
	const struct pax *x = a->file, *y = b->file;

	what->link = !same_link(a->pax, b->pax);
	if (same_header(a, b))
		return;
	what->type = x->type != y->type;
	what->mode = x->mode != y->mode;
	what->owner = x->uid != y->uid || x->gid != y->gid;
	what->mtime = x->mtime != y->mtime || x->mtime_ns != y->mtime_ns;
	compare_attrs(a, b, what);
	if (what->type)
		return;
	what->size = x->size != y->size;
	what->target = x->type == PAX_SYMLINK && strcmp(x->target, y->target) != 0;
	what->device = x->dev_major != y->dev_major || x->dev_minor != y->dev_minor;
}

static int compare_content(struct diff *d, struct diff_what *what, struct err *e)
{
	struct spans a, b;
	int differ;

	if (spans_begin(&a, d->before.reader, &d->before.en, e) < 0 ||
	    spans_begin(&b, d->after.reader, &d->after.en, e) < 0)
		return -1;
	differ = spans_compare(&a, &b, e);
	what->content = differ == 1;
	return differ < 0 ? err_in(e, "%s", d->after.en.pax->path) : 0;
}

static void give(struct diff *d, const struct diff_change *x)
{
	if (d->o->change && !d->o->change(d->o->ctx, x))
		d->ended = true;
}

static int compare_both(struct diff *d, struct err *e)
{
	struct diff_change x = { .before = &d->before.en, .after = &d->after.en };
	struct diff_what *w = &x.what;
	bool file, content;

	compare_headers(x.before, x.after, w);
	file = !w->type && x.after->file->type == PAX_FILE;
	if (d->o->content && file && !w->size && compare_content(d, w, e) < 0)
		return -1;
	content = w->size || w->content || (file && w->mtime && !d->o->content);
	if (w->type || content || w->target || w->device) {
		x.kind = DIFF_MODIFIED;
		d->totals->modified++;
	} else if (w->mtime || w->mode || w->owner || w->xattr || w->acl || w->flags ||
		   w->link) {
		x.kind = DIFF_META;
		d->totals->meta++;
	} else {
		d->totals->same++;
		return 0;
	}
	give(d, &x);
	return 0;
}

static uint64_t size_of(const struct linked_entry *en)
{
	return en->file->type == PAX_FILE ? en->file->size : 0;
}

static void one_side(struct diff *d, bool added)
{
	struct diff_change x = { .kind = added ? DIFF_ADDED : DIFF_REMOVED };

	if (added) {
		x.after = &d->after.en;
		d->totals->added++;
		d->totals->added_bytes += size_of(x.after);
	} else {
		x.before = &d->before.en;
		d->totals->removed++;
		d->totals->removed_bytes += size_of(x.before);
	}
	give(d, &x);
}

/* Which comes first of what both sides have: less than 0 the one before, 0 both at one
 * path. */
static int first_of(const struct diff *d)
{
	if (!d->before.more || !d->after.more)
		return d->before.more ? -1 : 1;
	return pax_path_order(d->before.en.pax->path, d->after.en.pax->path);
}

static int merge(struct diff *d, struct err *e)
{
	struct progress p = { .total_bytes = reader_root(d->after.reader)->totals.bytes };

	if (side_next(&d->before, e) < 0 || side_next(&d->after, e) < 0)
		return -1;
	while (!d->ended && (d->before.more || d->after.more)) {
		int first = first_of(d);

		if (first != 0)
			one_side(d, first > 0);
		else if (compare_both(d, e) < 0)
			return -1;
		p.entries++;
		p.bytes += first >= 0 ? size_of(&d->after.en) : 0;
		report_progress(d->o->report, &p);
		if ((first <= 0 && side_next(&d->before, e) < 0) ||
		    (first >= 0 && side_next(&d->after, e) < 0))
			return -1;
	}
	return 0;
}

int job_diff(struct reader *before, struct reader *after, const struct diff_options *o,
	     struct diff_totals *out, struct err *e)
{
	struct diff d = { .o = o,
			  .before = { .reader = before },
			  .after = { .reader = after },
			  .totals = out };
	int result = -1;

	*out = (struct diff_totals){ .same = 0 };
	if (linked_new(before, o->scratch, NULL, NULL, &d.before.linked, e) == 0 &&
	    linked_new(after, o->scratch, NULL, NULL, &d.after.linked, e) == 0)
		result = merge(&d, e);
	linked_free(d.before.linked);
	linked_free(d.after.linked);
	return result;
}
