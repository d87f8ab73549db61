/* The snapshot is read as a salvaging restore reads it, so that one bad segment does not hide the
 * next, and each path that is lost gets its name. */
#include "job/verify_entries.h"

#include <stdio.h>
#include <stdlib.h>

#include "archive/reader.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "base/report.h"
#include "base/scope.h"
#include "job/host.h"
#include "job/verify.h"
#include "source/pax.h"

struct entries {
	const char *what;
	const struct report *report;
	bool files_told;
	uint64_t lost, n_paths;
	struct totals got;
	struct pax pax;
	char where[VOLUME_NAME_MAX + 32 + ENTRY_PATH_MAX + 8];
};

static void damage(struct entries *v, const char *text)
{
	v->lost++;
	report_note(v->report, NOTE_DAMAGED, v->what, "%s", text);
}

/* Parts and dependencies that do not open. */
static void note_files(void *ctx, enum note_kind kind, const char *path, const char *text)
{
	struct entries *v = ctx;

	(void)kind;
	(void)path;
	if (!v->files_told)
		damage(v, text);
}

static void note_path(struct entries *v, const struct err *why)
{
	v->lost++;
	if (v->n_paths++ >= VERIFY_PATHS)
		return;
	(void)snprintf(v->where, sizeof(v->where), "%s: %s", v->what, v->pax.path);
	report_note(v->report, NOTE_DAMAGED, v->where, "content lost: %s", why->text);
}

/* Entries without a name, or bytes of none. */
static void note_stretch(struct entries *v, const struct reader_entry *en, const struct err *why)
{
	v->lost++;
	if (en->lost > 0)
		report_note(v->report, NOTE_DAMAGED, v->what,
			    "%llu entries are lost with their names: %s",
			    (unsigned long long)en->lost, why->text);
	else
		report_note(v->report, NOTE_DAMAGED, v->what, "bytes of no entry: %s", why->text);
}

static void count_entry(const struct pax *p, struct totals *t)
{
	t->entries++;
	t->files += p->type == PAX_FILE;
	t->dirs += p->type == PAX_DIR;
	t->bytes += p->type == PAX_FILE ? p->size : 0;
}

static int check_body(struct entries *v, struct reader *r, struct err *e)
{
	const uint8_t *p;
	uint64_t at;
	size_t n;
	int found;

	while ((found = reader_body_any(r, &at, &p, &n, e)) == 0)
		if (interrupt_check(e) < 0)
			return -1;
	if (found < 0 && !reader_goes_on(r, e))
		return -1;
	if (found < 0)
		note_path(v, e);
	return 0;
}

static int check_entry(struct entries *v, struct reader *r, const struct reader_entry *en,
		       struct err *e)
{
	struct progress at = { .entries = v->got.entries, .bytes = v->got.bytes,
			       .total_bytes = reader_root(r)->totals.bytes };

	if (pax_parse(en->header, en->header_len, &v->pax, e) < 0)
		return err_in(e, "entry %llu", (unsigned long long)en->no);
	if (v->pax.body_len != en->body_len)
		return err_set(e, ERR_DAMAGED, "%s: header and content differ in size",
			       v->pax.path);
	count_entry(&v->pax, &v->got);
	report_progress(v->report, &at);
	return check_body(v, r, e);
}

static int check_all(struct entries *v, struct reader *r, struct err *e)
{
	const struct totals *want = &reader_root(r)->totals;
	struct reader_entry en;
	int more;

	reader_check_all(r);
	while ((more = reader_next(r, &en, e)) != 1) {
		if (more < 0 || interrupt_check(e) < 0)
			return -1;
		if (more == 2)
			note_stretch(v, &en, e);
		else if (check_entry(v, r, &en, e) < 0)
			return -1;
	}
	if (v->lost == 0 && (v->got.files != want->files || v->got.dirs != want->dirs ||
			     v->got.bytes != want->bytes))
		return err_set(e, ERR_DAMAGED, "its entries do not add up to its totals");
	return 0;
}

int verify_entries(const struct host *h, const struct snapshot *x, const struct reader_keys *keys,
		   const char *what, bool files_told, const struct report *report,
		   uint64_t *lost, struct err *e)
{
	auto_free struct entries *v = calloc(1, sizeof(*v));
	struct reader *r = NULL;
	struct report files;
	int result;

	if (!v)
		return err_memory(e);
	v->what = what;
	v->report = report;
	v->files_told = files_told;
	files = (struct report){ .ctx = v, .note = note_files };
	result = reader_open_salvage(h->store, &h->d, x->name, keys, &files, &r, e);
	if (result == 0)
		result = check_all(v, r, e);
	reader_free(r);
	if (v->n_paths > VERIFY_PATHS)
		report_note(report, NOTE_DAMAGED, what, "content lost: and %llu paths more",
			    (unsigned long long)(v->n_paths - VERIFY_PATHS));
	*lost = v->lost;
	return result;
}
