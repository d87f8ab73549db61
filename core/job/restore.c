#include "job/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "archive/reader.h"
#include "base/err.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/report.h"
#include "base/scope.h"
#include "job/apart.h"
#include "job/content.h"
#include "job/host.h"
#include "job/select.h"
#include "plan/config.h"
#include "source/place.h"

struct run {
	const struct config *c;
	const struct restore_options *o;
	struct restore_outcome *out;
	char *target;
	struct extract *extract; /* forked before any key is read */
	struct host host;
	struct catalog catalog;
	const struct catalog_stream *stream;
	const struct snapshot *snapshot;
	struct reader *reader;
	struct select *select;
	struct place *place;
};

static void run_close(struct run *r)
{
	select_free(r->select);
	reader_free(r->reader);
	extract_free(r->extract);
	place_free(r->place);
	catalog_free(&r->catalog);
	host_close(&r->host);
	free(r->target);
}

char *restore_target(const struct config *c, const char *name)
{
	const struct config_volume *v = config_find(c, name);
	char *out = NULL;

	if (v)
		return config_source(c, v);
	return asprintf(&out, "%s/%s/_data", c->volumes_dir, name) < 0 ? NULL : out;
}

int restore_discard(const struct config *c, const char *name, struct err *e)
{
	auto_free char *target = restore_target(c, name);

	return target ? place_discard(target, e) : err_memory(e);
}

/* A volume that is not configured has a place of its own; a bind's path is known by configuration
 * only. */
static int choose_target(struct run *r, struct err *e)
{
	const struct restore_options *o = r->o;
	const char *name = o->as ? o->as : o->spec.name;

	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(e, ERR_USAGE, "\"%s\" cannot be the name of a volume", name);
	r->target = o->to ? strdup(o->to) : restore_target(r->c, name);
	if (!r->target)
		return err_memory(e);
	(void)snprintf(r->out->target, sizeof(r->out->target), "%s", r->target);
	return 0;
}

static int open_snapshot(struct run *r, struct err *e)
{
	struct reader_keys keys;
	int found;

	if (host_open(r->c, r->o->keys, &r->host, e) < 0)
		return -1;
	found = find_snapshot(&r->host, &r->o->spec, &r->catalog, &r->stream, &r->snapshot, e);
	/* A first installation, unless this host remembers that there was a snapshot. */
	if (found == 1 && r->o->if_empty && !find_known(&r->host, r->o->spec.name))
		return 1;
	if (found != 0)
		return -1;
	if (host_need_reader(&r->host, r->o->keys, e) < 0)
		return -1;
	keys = host_reader_keys(&r->host);
	if (r->o->salvage)
		return reader_open_salvage(r->host.store, &r->host.d, r->snapshot->name, &keys,
					   r->o->report, &r->reader, e);
	return reader_open(r->host.store, &r->host.d, r->snapshot->name, &keys, &r->reader, e);
}

static int check_unused(const struct run *r, struct err *e)
{
	bool partial = false;
	pid_t pid = 0;
	int used = place_in_use(r->target, &pid, &partial, e);

	if (used < 0)
		return -1;
	if (used == 1)
		return err_set(e, ERR_REFUSED,
			       "%s: in use by a container (process %d): stop it first", r->target,
			       (int)pid);
	if (partial && !r->place) /* once, before the work */
		report_note(r->o->report, NOTE_WARNING, NULL,
			    "%s: not every process may be looked at: a container that uses it "
			    "would not be noticed (root sees them all)",
			    r->target);
	return 0;
}

/* What protects the data that is there. */
static int check_target(const struct run *r, struct err *e)
{
	auto_free char *previous = NULL;
	int content = place_has_content(r->target, e);

	if (content < 0)
		return -1;
	if (content == 1 && !r->o->replace)
		return err_set(e, ERR_REFUSED,
			       "%s: not empty: --replace puts the snapshot in its place and "
			       "keeps what is there",
			       r->target);
	previous = place_previous(r->target);
	if (!previous)
		return err_memory(e);
	if (content == 1 && access(previous, F_OK) == 0)
		return err_set(e, ERR_REFUSED,
			       "%s: still holds what an earlier --replace kept: delete it with "
			       "restore %s --discard-previous, or move it away",
			       previous, r->o->spec.name);
	if (content == 1 && apart_from_target(r->c, r->target, e) < 0)
		return -1;
	return check_unused(r, e);
}

/* A named volume that was never there: its directory, as engines make it. */
static int make_volume_dir(const struct run *r, struct err *e)
{
	auto_free char *parent = strdup(r->target);
	char *slash = parent ? strrchr(parent, '/') : NULL;

	if (!parent)
		return err_memory(e);
	if (!slash || slash == parent)
		return 0;
	*slash = '\0';
	if (access(parent, F_OK) == 0)
		return 0;
	return file_make_dirs(parent, r->o->to ? 0755 : 0701, e);
}

static int send_data(void *ctx, uint64_t offset, const uint8_t *p, size_t n, struct err *e)
{
	return interrupt_check(e) < 0 ? -1 : extract_data(ctx, offset, p, n, e);
}

/* Entries that cannot be read: WHY, and how many; a link that stands alone has a name. */
static void note_lost(struct run *r, const struct selected *s, const struct err *why)
{
	uint64_t n = s->lost > 0 ? s->lost : 1;

	if (s->lost > 0)
		report_note(r->o->report, NOTE_RESTORE, NULL,
			    "%llu entries cannot be read, nor their names: %s",
			    (unsigned long long)n, why->text);
	else
		report_note(r->o->report, NOTE_RESTORE, s->pax.path, "lost: %s", why->text);
	r->out->lost += n;
}

/* The entry, or, where part of its content is lost, nothing under its name. */
static int send_entry(struct run *r, const struct selected *s, struct err *e)
{
	int sent;

	if (extract_entry(r->extract, s->header, s->header_len, e) < 0)
		return -1;
	sent = content_send(r->reader, &s->pax, CONTENT_ANY_ORDER, send_data, r->extract, e);
	if (sent != 2)
		return sent;
	report_note(r->o->report, NOTE_RESTORE, s->pax.path, "content lost: %s", e->text);
	r->out->lost++;
	return extract_drop(r->extract, e);
}

static int send_entries(struct run *r, struct err *e)
{
	struct progress done = { .total_bytes = r->out->snapshot.bytes };
	struct selected s;
	int more;

	while ((more = select_next(r->select, &s, e)) != 1) {
		if (more < 0 || interrupt_check(e) < 0)
			return -1;
		if (more == 2) {
			note_lost(r, &s, e);
			continue;
		}
		if (send_entry(r, &s, e) < 0)
			return -1;
		done.entries++;
		done.bytes += s.pax.size;
		report_progress(r->o->report, &done);
	}
	if (select_unmatched(r->select) && r->out->lost > 0)
		return err_set(e, ERR_DAMAGED, "--path %s: lost, or never in the snapshot",
			       select_unmatched(r->select));
	if (select_unmatched(r->select))
		return err_set(e, ERR_NOT_FOUND, "--path %s: nothing of that path in the snapshot",
			       select_unmatched(r->select));
	return 0;
}

/* A whole restore has made, or named, every entry; one of nothing is none. */
static int compare_totals(const struct run *r, struct err *e)
{
	const struct extract_totals *x = &r->out->restored;

	if (r->out->lost > 0 && x->entries == 0)
		return err_set(e, ERR_DAMAGED, "nothing of it can be read");
	if (r->o->n_paths > 0 || x->entries + r->out->lost == r->out->snapshot.entries)
		return 0;
	return err_set(e, ERR_DAMAGED, "%llu of %llu entries were restored",
		       (unsigned long long)(x->entries + r->out->lost),
		       (unsigned long long)r->out->snapshot.entries);
}

static int fill_and_place(struct run *r, struct err *e)
{
	struct extract_options x = { .devices = r->o->devices };
	/* A single file goes to its own path, into a directory only where one is named. */
	bool single = reader_root(r->reader)->kind == STREAM_FILE && !r->o->to;
	int content = place_has_content(r->target, e);

	if (content < 0 || make_volume_dir(r, e) < 0)
		return -1;
	if ((single ? place_begin_file : place_begin)(r->target, &r->place, e) < 0)
		return -1;
	if (extract_target(r->extract, place_fd(r->place), &x, e) < 0 || send_entries(r, e) < 0 ||
	    extract_finish(r->extract, &r->out->restored, e) < 0 || compare_totals(r, e) < 0)
		return -1;
	if (interrupt_check(e) < 0 || check_target(r, e) < 0 ||
	    place_commit(r->place, content == 1, e) < 0)
		return -1;
	r->out->kept_previous = content == 1;
	r->out->end = RESTORE_DONE;
	return 0;
}

static int run_restore(struct run *r, struct err *e)
{
	int found, content;

	if (choose_target(r, e) < 0 || extract_start(r->o->report, &r->extract, e) < 0 ||
	    place_recover(r->target, e) < 0)
		return -1;
	content = place_has_content(r->target, e);
	if (content < 0)
		return -1;
	if (content == 1 && r->o->if_empty) {
		r->out->end = RESTORE_NOT_EMPTY;
		return 0;
	}
	found = open_snapshot(r, e);
	if (found == 1)
		r->out->end = RESTORE_FIRST;
	if (found != 0)
		return found < 0 ? -1 : 0;
	r->out->archive = r->snapshot->archive;
	r->out->snapshot = reader_root(r->reader)->totals;
	r->out->incomplete = r->out->snapshot.unreadable || r->out->snapshot.changed;
	if (check_target(r, e) < 0)
		return -1;
	if (r->o->dry_run) {
		r->out->end = RESTORE_DRY;
		return 0;
	}
	/* Spill files: of a partial restore's hard links. */
	if (file_make_dirs(r->c->state_dir, 0700, e) < 0)
		return -1;
	if (select_new(r->reader, r->o->paths, r->o->n_paths, r->c->state_dir, &r->select, e) < 0)
		return -1;
	return fill_and_place(r, e);
}

int job_restore(const struct config *c, const struct restore_options *o,
		struct restore_outcome *out, struct err *e)
{
	struct timespec a, b;
	struct run r;
	int result;

	memset(&r, 0, sizeof(r));
	memset(out, 0, sizeof(*out));
	r.c = c;
	r.o = o;
	r.out = out;
	r.host = (struct host)HOST_EMPTY;
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	result = run_restore(&r, e);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	out->elapsed_ms = (uint64_t)((b.tv_sec - a.tv_sec) * 1000 +
				     (b.tv_nsec - a.tv_nsec) / 1000000);
	run_close(&r);
	return result;
}
