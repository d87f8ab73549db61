#include "job/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "archive/crypto.h"
#include "archive/probe.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/report.h"
#include "base/scope.h"
#include "job/apart.h"
#include "job/basis.h"
#include "job/host.h"
#include "job/parent.h"
#include "plan/level.h"
#include "source/place.h"
#include "source/walk.h"
#include "store/store.h"

/* Why a walk ended early, though nothing went wrong. */
enum stop { STOP_NOT, STOP_CHECKPOINT, STOP_SIGNAL };

/* One run. */
struct run {
	const struct host *h;
	const struct config_volume *v;
	const struct snapshot_options *o;
	char *source;	  /* directory to walk */
	char *single;	  /* the one file in it, or NULL */
	int source_fd, state_fd, lock_fd;
	struct parent parent;
	struct basis basis;
	struct stream_keys *keys;
	struct writer *writer;
	struct root root;
	uint8_t level;
	int64_t day;
	bool full;		 /* as if there were no tip */
	bool first;		 /* of its stream: what is done of it can be kept */
	int64_t checkpoint_at;	 /* monotonic ms; 0: nothing new yet */
	enum stop stop;
	const char **exclude;
	struct walk_options walk;
	struct apart apart;
	struct entry_sink inner; /* the writer's */
};

static int64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void run_close(struct run *r)
{
	writer_free(r->writer);
	basis_close(&r->basis);
	stream_keys_free(r->keys);
	scope_close(&r->source_fd);
	scope_close(&r->state_fd);
	scope_close(&r->lock_fd);
	free(r->source);
	free(r->single);
	free(r->exclude);
}

/* Split PATH of a single file into its directory and base name. */
static int split_file(struct run *r, struct err *e)
{
	char *slash = strrchr(r->source, '/');

	r->single = strdup(slash ? slash + 1 : r->source);
	if (!r->single)
		return err_memory(e);
	if (slash)
		slash[slash == r->source] = '\0';
	return 0;
}

/* Open the source; a missing one must never become an empty snapshot (T5). */
static int open_source(struct run *r, enum stream_kind *kind, struct err *e)
{
	struct stat st;

	r->source = config_source(r->h->config, r->v);
	if (!r->source)
		return err_memory(e);
	if (stat(r->source, &st) < 0)
		return err_sys(e, "%s: source %s", r->v->name, r->source);
	*kind = r->v->kind == VOLUME_BIND ? STREAM_BIND : STREAM_VOLUME;
	(void)snprintf(r->root.source, sizeof(r->root.source), "%s", r->source);
	if (S_ISREG(st.st_mode) && *kind == STREAM_BIND) {
		*kind = STREAM_FILE;
		if (split_file(r, e) < 0)
			return -1;
	} else if (!S_ISDIR(st.st_mode)) {
		return err_set(e, ERR_FAILED, "%s: source %s is not a directory", r->v->name,
			       r->source);
	}
	r->source_fd = file_open_dir(AT_FDCWD, r->source, false, e);
	return r->source_fd < 0 ? err_in(e, "%s", r->v->name) : 0;
}

static int open_state(struct run *r, enum stream_kind kind, struct err *e)
{
	r->state_fd = tip_dir(r->h->config->state_dir, kind, r->v->name, e);
	if (r->state_fd < 0)
		return -1;
	r->lock_fd = tip_lock(r->state_fd, r->o->wait_s, e);
	return r->lock_fd < 0 ? err_in(e, "%s", r->v->name) : 0;
}

static int open_basis(struct run *r, struct err *e)
{
	struct parent *p = &r->parent;

	r->day = level_day(r->root.begun_ms);
	r->level = level_of(r->day, p->tip.has_complete, p->tip.complete_day);
	r->first = p->tip.archive.seq == 0 || p->tip.partial;
	if (stream_keys_derive(r->h->key, p->stream.id, &r->keys, e) < 0)
		return -1;
	return basis_open(r->h, r->v, p, r->full, r->o->report, &r->basis, e);
}

/* What the walk leaves out, and where it must not come. */
static int set_walk(struct run *r, struct err *e)
{
	const struct config *c = r->h->config;

	r->exclude = calloc(r->v->n_exclude + 1, sizeof(*r->exclude));
	if (!r->exclude)
		return err_memory(e);
	for (size_t i = 0; i < r->v->n_exclude; i++)
		r->exclude[i] = r->v->exclude[i];
	/* What a restore into a mount point keeps there is not the volume's. */
	r->exclude[r->v->n_exclude] = "/.volsnap-*";
	r->walk = (struct walk_options){ .exclude = r->exclude,
					 .n_exclude = r->v->n_exclude + 1,
					 .one_file_system = r->v->one_file_system,
					 .racy_window_ms = r->v->racy_window_ms,
					 .scratch = c->state_dir,
					 .report = r->o->report };
	if (apart_from_source(c, r->v, r->root.source, &r->apart, &r->walk, e) == 0)
		return 0;
	return e->kind == ERR_CONFIG ? config_mistake(c, r->v, e) : -1;
}

static int open_writer(struct run *r, struct err *e)
{
	struct parent *p = &r->parent;
	struct basis *b = &r->basis;
	struct writer_options o = {
		.store = r->h->store,
		.d = &r->h->d,
		.host = r->h->key,
		.stream = &p->stream,
		.keys = r->keys,
		.seq = p->next_seq,
		.parent = p->tip.archive.seq ? &p->tip.archive : NULL,
		.parent_chain = p->tip.archive.seq ? p->tip.chain : NULL,
		.predecessor = p->has_predecessor ? &p->predecessor : NULL,
		.compression = r->v->compression,
		.cache = &b->cache,
		.scratch = r->h->config->state_dir,
		.tip = b->known ? &b->tip : NULL,
		.victims = b->victims,
		.n_victims = b->n_victims,
	};
	char prefix[33];

	memcpy(o.options, b->options, sizeof(o.options));
	crypto_hex(p->stream.id, sizeof(p->stream.id), prefix);
	if (store_clean_tmp(r->h->store, prefix, e) < 0)
		return -1;
	return writer_open(&o, &r->writer, e);
}

/* ---- walking ---- */

/* Asked between steps: a first snapshot that is told to stop keeps what it has. */
static int look_up(struct run *r, struct err *e)
{
	if (interrupt_check(e) == 0)
		return 0;
	r->stop = r->first ? STOP_SIGNAL : STOP_NOT;
	return -1;
}

/* Asked when content was taken.  The time counts from the first that is new, so that each checkpoint has as
 * much more than the one before, however long it takes to read that again. */
static int look_at_clock(struct run *r, struct err *e)
{
	int64_t now;

	if (!r->first || r->v->checkpoint_ms == 0 || writer_new_content(r->writer) == 0)
		return 0;
	now = clock_ms(CLOCK_MONOTONIC_COARSE);
	if (r->checkpoint_at == 0)
		r->checkpoint_at = now + (int64_t)r->v->checkpoint_ms;
	if (now < r->checkpoint_at)
		return 0;
	r->stop = STOP_CHECKPOINT;
	return err_set(e, ERR_FAILED, "time for a checkpoint");
}

static int sink_known(void *ctx, const struct entry_hint *hint, struct err *e)
{
	struct run *r = ctx;

	return look_up(r, e) < 0 ? -1 : r->inner.known(r->inner.ctx, hint, e);
}

static int sink_begin(void *ctx, const struct entry_hint *hint, struct err *e)
{
	struct run *r = ctx;

	return r->inner.begin(r->inner.ctx, hint, e);
}

static int sink_body(void *ctx, uint64_t offset, const uint8_t *p, size_t n, struct err *e)
{
	struct run *r = ctx;

	if (look_up(r, e) < 0 || r->inner.body(r->inner.ctx, offset, p, n, e) < 0)
		return -1;
	return look_at_clock(r, e);
}

static int sink_entry(void *ctx, const struct entry *en, struct err *e)
{
	struct run *r = ctx;

	return r->inner.entry(r->inner.ctx, en, e);
}

static int sink_drop(void *ctx, struct err *e)
{
	struct run *r = ctx;

	return r->inner.drop(r->inner.ctx, e);
}

/* Walk the volume into INNER. */
static int walk_volume(struct run *r, struct entry_sink inner, const struct report *report,
		       struct walk_totals *t, struct err *e)
{
	struct entry_sink sink = { .ctx = r,
				   .known = sink_known,
				   .begin = sink_begin,
				   .body = sink_body,
				   .entry = sink_entry,
				   .drop = sink_drop };
	struct walk_options o = r->walk;

	o.report = report;
	r->inner = inner;
	return walk(r->source_fd, r->single, &o, &sink, t, e);
}

/* Archives are written anew only where anything changed: a volume at rest costs nothing. */
static int choose_victims(struct run *r, struct err *e)
{
	struct walk_totals t;
	struct probe *p = NULL;
	int result;

	if (!r->basis.known || basis_choose_victims(&r->basis, r->level, e) < 0)
		return r->basis.known ? -1 : 0;
	if (r->basis.n_victims == 0)
		return 0;
	if (probe_open(&r->basis.cache, &r->basis.tip, r->keys, &p, e) < 0)
		return -1;
	result = walk_volume(r, probe_sink(p), NULL, &t, e);
	if (result == 0)
		probe_finish(p);
	if (result == 0 && !probe_changed(p))
		r->basis.n_victims = 0;
	if (result < 0 && probe_changed(p))
		result = 0;
	probe_free(p);
	return result;
}

static int run_walk(struct run *r, struct walk_totals *t, struct err *e)
{
	if (walk_volume(r, writer_sink(r->writer), r->o->report, t, e) < 0) {
		if (r->stop != STOP_NOT)
			return -1;
		(void)err_in(e, "%s", r->v->name);
		return e->kind == ERR_CONFIG ? config_mistake(r->h->config, r->v, e) : -1;
	}
	if (r->single && t->entries == 0)
		return err_set(e, ERR_FAILED, "%s: %s could not be read", r->v->name, r->single);
	return 0;
}

/* An empty tree where there was content is an unmounted disk or a wiped volume (T6). */
static int refuse_empty(const struct run *r, const struct walk_totals *t, struct err *e)
{
	if (r->single || t->entries > 1 || r->parent.tip.entries <= 1 || r->o->allow_empty)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "%s: %s is empty, but snapshot %llu had %llu entries: is it mounted? "
		       "(if it is meant to be empty: --allow-empty)",
		       r->v->name, r->source, (unsigned long long)r->parent.tip.archive.seq,
		       (unsigned long long)r->parent.tip.entries - 1);
}

static void read_boot_id(uint8_t out[16])
{
	auto_bytes struct bytes b = BYTES_EMPTY;
	struct err ignored = ERR_EMPTY;
	char hex[33];
	size_t n = 0;

	if (file_load(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &b, &ignored) != 0)
		return; /* a label only: zeros say unknown */
	for (size_t i = 0; i < b.len && n < 32; i++)
		if (b.p[i] != '-')
			hex[n++] = (char)b.p[i];
	hex[n] = '\0';
	if (!crypto_unhex(hex, out, 16))
		memset(out, 0, 16);
}

static void fill_root(struct run *r, const struct walk_totals *t)
{
	struct totals *x = &r->root.totals;

	x->files = t->files;
	x->dirs = t->dirs;
	x->bytes = t->bytes;
	x->vanished = t->vanished;
	x->skipped = t->skipped;
	x->unreadable = t->unreadable;
	x->changed = t->changed;
	r->root.kind = r->parent.stream.kind;
	r->root.grade = GRADE_FUZZY; /* nothing held the writers */
	(void)snprintf(r->root.name, sizeof(r->root.name), "%s", r->parent.stream.name);
}

static void fill_tip(struct run *r, const struct writer_result *result, bool partial)
{
	struct tip *t = &r->parent.tip;

	t->archive = result->archive;
	memcpy(t->chain, result->chain, sizeof(t->chain));
	t->entries = r->root.totals.entries;
	t->partial = partial;
	if (!partial && r->root.totals.unreadable == 0 && r->root.totals.changed == 0) {
		t->has_complete = true;
		t->complete_day = r->day;
	}
}

/* It is committed whatever happens here: the next run finds `next` and settles it. */
static void settle(struct run *r)
{
	struct err e = ERR_EMPTY;

	if (tip_promote(r->state_fd, &e) < 0 || writer_sweep(r->writer, &e) < 0)
		report_note(r->o->report, NOTE_WARNING, NULL, "%s: %s", r->v->name, e.text);
}

/* Stage, remember what is staged, commit, forget that it was staged. */
static int run_commit(struct run *r, bool partial, struct snapshot_outcome *out, struct err *e)
{
	struct summary s = { .time_ms = r->root.begun_ms, .day = r->day };
	struct writer_result result;

	r->root.level = r->level;
	if (writer_stage(r->writer, partial, &r->root, &s, &result, e) < 0)
		return -1;
	fill_tip(r, &result, partial);
	if (tip_save(r->state_fd, "next", r->h->key, &r->parent.tip, e) < 0 ||
	    (!partial && interrupt_check(e) < 0) || writer_commit(r->writer, e) < 0)
		return -1;
	out->archive = result.archive;
	out->new_bytes = result.new_bytes;
	out->stored = result.stored;
	out->n_deps = result.n_deps;
	out->totals = r->root.totals;
	out->grade = r->root.grade;
	out->level = r->level;
	settle(r);
	return 0;
}

/* The first snapshot of a stream was stopped: keep what is done.  1: go on behind it. */
static int run_checkpoint(struct run *r, const struct walk_totals *t, struct err *e)
{
	struct snapshot_outcome ignored;
	struct err why = *e;

	if (writer_new_content(r->writer) == 0) /* there is nothing to lose */
		return err_in(e, "%s", r->v->name);
	if (r->inner.drop(r->inner.ctx, e) < 0)
		return -1;
	fill_root(r, t);
	if (run_commit(r, true, &ignored, e) < 0)
		return -1;
	if (r->stop == STOP_CHECKPOINT)
		return 1;
	*e = why;
	return err_in(e, "%s: what is stored so far is kept, the next snapshot goes on from it",
		      r->v->name);
}

/* 1: a checkpoint was taken, go on. */
static int run_snapshot(struct run *r, struct snapshot_outcome *out, struct err *e)
{
	enum stream_kind kind = STREAM_VOLUME;
	struct walk_totals t = { .entries = 0 };

	if (open_source(r, &kind, e) < 0 || open_state(r, kind, e) < 0 || set_walk(r, e) < 0)
		return -1;
	/* Half of one tree and half of another is nobody's volume. */
	if (!r->single && place_settle(r->source, e) < 0)
		return err_in(e, "%s", r->v->name);
	if (parent_find(r->h, r->v, kind, r->state_fd, r->o->report, &r->parent, e) < 0)
		return err_in(e, "%s", r->v->name);
	if (open_basis(r, e) < 0 || choose_victims(r, e) < 0 || open_writer(r, e) < 0)
		return -1;
	if (run_walk(r, &t, e) < 0)
		return r->stop != STOP_NOT ? run_checkpoint(r, &t, e) : -1;
	if (refuse_empty(r, &t, e) < 0)
		return -1;
	fill_root(r, &t);
	return run_commit(r, false, out, e);
}

/* One attempt, from opening the volume to the commit.  1: another one is needed, a FULL one because the tip
 * cache does not fit, or one that goes on from a checkpoint. */
static int run_once(const struct host *h, const struct config_volume *v,
		    const struct snapshot_options *o, bool *full,
		    struct snapshot_outcome *out, struct err *e)
{
	struct run *r = calloc(1, sizeof(*r));
	int result;

	if (!r)
		return err_memory(e);
	r->h = h;
	r->v = v;
	r->o = o;
	r->full = *full;
	r->source_fd = r->state_fd = r->lock_fd = -1;
	r->basis.cache.dirfd = -1;
	r->root.begun_ms = clock_ms(CLOCK_REALTIME);
	r->root.begun_boot_ms = (uint64_t)clock_ms(CLOCK_BOOTTIME);
	read_boot_id(r->root.boot_id);
	result = run_snapshot(r, out, e);
	if (result == 1)
		*full = false;
	if (result < 0 && r->basis.cache.broken && r->basis.known) {
		report_note(o->report, NOTE_WARNING, NULL, "%s: %s: this snapshot is a full one",
			    v->name, e->text);
		*full = true;
		result = 1;
	}
	run_close(r);
	free(r);
	return result;
}

int job_snapshot(const struct host *h, const struct config_volume *v,
		 const struct snapshot_options *o, struct snapshot_outcome *out, struct err *e)
{
	int64_t begun = clock_ms(CLOCK_MONOTONIC);
	bool full = o->full;
	int result;

	memset(out, 0, sizeof(*out));
	do
		result = run_once(h, v, o, &full, out, e);
	while (result == 1);
	out->elapsed_ms = (uint64_t)(clock_ms(CLOCK_MONOTONIC) - begun);
	return result;
}
