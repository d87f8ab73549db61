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
#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/report.h"
#include "base/scope.h"
#include "job/host.h"
#include "job/parent.h"
#include "plan/level.h"
#include "source/walk.h"
#include "store/store.h"

/* One run. */
struct run {
	const struct host *h;
	const struct config_volume *v;
	const struct snapshot_options *o;
	char *source;	  /* directory to walk */
	char *single;	  /* the one file in it, or NULL */
	int source_fd, state_fd, lock_fd;
	struct parent parent;
	struct stream_keys *keys;
	struct writer *writer;
	struct root root;
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
	stream_keys_free(r->keys);
	scope_close(&r->source_fd);
	scope_close(&r->state_fd);
	scope_close(&r->lock_fd);
	free(r->source);
	free(r->single);
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

static int open_writer(struct run *r, struct err *e)
{
	struct parent *p = &r->parent;
	struct writer_options o = {
		.store = r->h->store,
		.d = &r->h->d,
		.host = r->h->key,
		.stream = &p->stream,
		.seq = p->next_seq,
		.parent = p->tip.archive.seq ? &p->tip.archive : NULL,
		.parent_chain = p->tip.archive.seq ? p->tip.chain : NULL,
		.predecessor = p->has_predecessor ? &p->predecessor : NULL,
		.compression = r->v->compression,
	};
	char prefix[33];

	if (stream_keys_derive(r->h->key, p->stream.id, &r->keys, e) < 0)
		return -1;
	o.keys = r->keys;
	crypto_hex(p->stream.id, sizeof(p->stream.id), prefix);
	if (store_clean_tmp(r->h->store, prefix, e) < 0)
		return -1;
	return writer_open(&o, &r->writer, e);
}

/* The writer's sink, with a look at signals in between. */
static int sink_begin(void *ctx, const struct entry_hint *hint, struct err *e)
{
	struct run *r = ctx;

	return r->inner.begin(r->inner.ctx, hint, e);
}

static int sink_body(void *ctx, const uint8_t *p, size_t n, struct err *e)
{
	struct run *r = ctx;

	return interrupt_check(e) < 0 ? -1 : r->inner.body(r->inner.ctx, p, n, e);
}

static int sink_entry(void *ctx, const struct entry *en, struct err *e)
{
	struct run *r = ctx;

	return interrupt_check(e) < 0 ? -1 : r->inner.entry(r->inner.ctx, en, e);
}

static int sink_drop(void *ctx, struct err *e)
{
	struct run *r = ctx;

	return r->inner.drop(r->inner.ctx, e);
}

static int run_walk(struct run *r, struct walk_totals *t, struct err *e)
{
	struct entry_sink sink = { .ctx = r,
				   .begin = sink_begin,
				   .body = sink_body,
				   .entry = sink_entry,
				   .drop = sink_drop };
	auto_free const char **exclude = calloc(r->v->n_exclude + 1, sizeof(*exclude));
	struct walk_options o = { .exclude = exclude,
				  .n_exclude = r->v->n_exclude + 1,
				  .one_file_system = r->v->one_file_system,
				  .scratch = r->h->config->state_dir,
				  .report = r->o->report };

	if (!exclude)
		return err_memory(e);
	for (size_t i = 0; i < r->v->n_exclude; i++)
		exclude[i] = r->v->exclude[i];
	/* What a restore into a mount point keeps there is not the volume's. */
	exclude[r->v->n_exclude] = "/.volsnap-*";
	r->inner = writer_sink(r->writer);
	if (walk(r->source_fd, r->single, &o, &sink, t, e) < 0)
		return err_in(e, "%s", r->v->name);
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

/* Stage, remember what is staged, commit, forget that it was staged. */
static int run_commit(struct run *r, struct snapshot_outcome *out, struct err *e)
{
	struct tip *t = &r->parent.tip;
	struct summary s = { .time_ms = r->root.begun_ms,
			     .day = level_day(r->root.begun_ms),
			     .grade = (uint8_t)r->root.grade,
			     .changed_bytes = UINT64_MAX };
	struct writer_result result;
	bool complete = r->root.totals.unreadable == 0 && r->root.totals.changed == 0;

	s.level = r->root.level = level_of(s.day, t->has_complete, t->complete_day);
	s.unreadable = r->root.totals.unreadable;
	s.changed_entries = r->root.totals.changed;
	s.bytes = r->root.totals.bytes;
	if (writer_stage(r->writer, &r->root, &s, &result, e) < 0)
		return -1;
	t->archive = result.archive;
	memcpy(t->chain, result.chain, sizeof(t->chain));
	t->entries = r->root.totals.entries;
	if (complete) {
		t->has_complete = true;
		t->complete_day = s.day;
	}
	if (tip_save(r->state_fd, "next", r->h->key, t, e) < 0 || interrupt_check(e) < 0 ||
	    writer_commit(r->writer, e) < 0)
		return -1;
	out->archive = result.archive;
	out->new_bytes = result.new_bytes;
	out->stored = result.stored;
	out->totals = r->root.totals;
	out->grade = r->root.grade;
	out->level = s.level;
	/* It is committed whatever happens here: the next run finds `next` and settles it. */
	if (tip_promote(r->state_fd, e) < 0)
		report_note(r->o->report, NOTE_WARNING, NULL, "%s: %s", r->v->name, e->text);
	return 0;
}

static int run_snapshot(struct run *r, struct snapshot_outcome *out, struct err *e)
{
	enum stream_kind kind = STREAM_VOLUME;
	struct walk_totals t = { .entries = 0 };

	if (open_source(r, &kind, e) < 0 || open_state(r, kind, e) < 0)
		return -1;
	if (parent_find(r->h, r->v, kind, r->state_fd, r->o->report, &r->parent, e) < 0)
		return err_in(e, "%s", r->v->name);
	if (open_writer(r, e) < 0 || run_walk(r, &t, e) < 0 || refuse_empty(r, &t, e) < 0)
		return -1;
	fill_root(r, &t);
	return run_commit(r, out, e);
}

int job_snapshot(const struct host *h, const struct config_volume *v,
		 const struct snapshot_options *o, struct snapshot_outcome *out, struct err *e)
{
	int64_t begun = clock_ms(CLOCK_MONOTONIC);
	struct run r;
	int result;

	memset(&r, 0, sizeof(r));
	r.h = h;
	r.v = v;
	r.o = o;
	r.source_fd = r.state_fd = r.lock_fd = -1;
	r.root.begun_ms = clock_ms(CLOCK_REALTIME);
	r.root.begun_boot_ms = (uint64_t)clock_ms(CLOCK_BOOTTIME);
	read_boot_id(r.root.boot_id);
	memset(out, 0, sizeof(*out));
	result = run_snapshot(&r, out, e);
	run_close(&r);
	out->elapsed_ms = (uint64_t)(clock_ms(CLOCK_MONOTONIC) - begun);
	return result;
}
