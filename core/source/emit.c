/* An entry's header is made last, so that it says what was read.  A second name of a file
 * becomes a hard link to the first one that reached the sink. */
#include "source/emit.h"

#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/table.h"
#include "base/wire.h"
#include "source/body.h"
#include "source/header.h"
#include "source/meta.h"
#include "source/texts.h"
#include "source/trust.h"
#include "source/walk.h"

#define LINKS_IN_MEMORY 65536

int emit_open(struct emit *em, struct err *e)
{
	em->body = malloc(sizeof(*em->body));
	if (!em->body)
		return err_memory(e);
	em->body->fd = -1;
	if (meta_new(&em->meta, e) < 0 || header_new(&em->header, e) < 0 ||
	    table_new(em->o->scratch, LINKS_IN_MEMORY, &em->links, e) < 0 ||
	    texts_new(em->o->scratch, &em->texts, e) < 0)
		return -1;
	return 0;
}

void emit_close(struct emit *em)
{
	if (em->body)
		body_close(em->body);
	free(em->body);
	meta_free(em->meta);
	header_free(em->header);
	table_free(em->links);
	texts_free(em->texts);
}

static int unreadable(struct emit *em, const char *why)
{
	em->totals->unreadable++;
	report_note(em->o->report, NOTE_UNREADABLE, em->path, "%s", why);
	return 1;
}

int emit_failed(struct emit *em, const char *call, int sys, struct err *e)
{
	char why[256];

	errno = sys;
	switch (sys) {
	case ENOENT:
	case ESTALE:
	case ELOOP:   /* a symbolic link is in its place */
	case ENOTDIR: /* or something else, of a directory */
		em->totals->vanished++;
		report_note(em->o->report, NOTE_VANISHED, em->path, "vanished");
		return 1;
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
		return err_sys(e, "%s: %s", em->path, call);
	default:
		(void)snprintf(why, sizeof(why), "%s: %s", call, strerror(sys));
		return unreadable(em, why);
	}
}

static void changed(struct emit *em, const char *how)
{
	em->totals->changed++;
	report_note(em->o->report, NOTE_CHANGED, em->path, "%s", how);
}

/* ---- what the sink remembers ---- */

/* 1: the sink has the current entry as it was. */
static int ask_known(struct emit *em, const struct stat *st, const char *link, struct err *e)
{
	struct entry_stat stat;
	struct entry_hint hint = { .path = em->path, .stat = &stat, .link = link };

	trust_stat(st, em->root_device, &stat);
	return em->sink->known(em->sink->ctx, &hint, e);
}

/* Whether an entry that was read from READ_AT on will be the same as long as its stat is. */
static bool is_settled(const struct emit *em, const struct stat *st, int64_t read_at)
{
	return em->trusted && st->st_dev == em->device &&
	       trust_times(st, read_at, em->o->racy_window_ms);
}

static void count_entry(struct emit *em)
{
	em->totals->entries++;
	em->progress.entries++;
	report_progress(em->o->report, &em->progress);
}

static void count_known(struct emit *em, const struct stat *st, bool first_name)
{
	if (S_ISDIR(st->st_mode))
		em->totals->dirs++;
	if (S_ISREG(st->st_mode) && first_name) {
		em->totals->files++;
		em->totals->bytes += (uint64_t)st->st_size;
		em->progress.bytes += (uint64_t)st->st_size;
	}
	count_entry(em);
}

/* ---- entries ---- */

/* Set the path as the header says it; a directory's ends in a slash. */
static void set_path(struct archive_entry *entry, const char *path, const struct stat *st)
{
	char text[ENTRY_PATH_MAX + 2];

	(void)snprintf(text, sizeof(text), "%s%s", path, S_ISDIR(st->st_mode) ? "/" : "");
	archive_entry_set_pathname(entry, text);
}

/* Make the header of ENTRY and hand EN over. */
static int hand_over(struct emit *em, struct archive_entry *entry, const struct stat *st,
		     struct entry *en, struct err *e)
{
	const char *why = "";
	int r;

	set_path(entry, em->path, st);
	r = header_make(em->header, entry, &en->header, &en->header_len, &why, e);
	if (r < 0)
		return err_in(e, "%s", em->path);
	if (r > 0)
		return unreadable(em, why);
	en->path = em->path;
	if (em->sink->entry(em->sink->ctx, en, e) < 0)
		return -1;
	count_entry(em);
	return 0;
}

/* Read the metadata of an entry without content and hand it over. */
static int emit_meta(struct emit *em, const struct meta_file *file, int64_t read_at,
		     struct err *e)
{
	char problem[META_PROBLEM];
	struct archive_entry *entry;
	struct entry_stat stat;
	struct entry en = { .stat = &stat };
	int r = meta_read(em->meta, file, &entry, problem, e);

	if (r < 0)
		return err_in(e, "%s", em->path);
	if (r > 0)
		return emit_failed(em, "read attributes", errno, e);
	trust_stat(file->st, em->root_device, &stat);
	en.settled = !problem[0] && is_settled(em, file->st, read_at);
	r = hand_over(em, entry, file->st, &en, e);
	if (r == 0 && problem[0])
		changed(em, problem);
	return r;
}

int emit_dir(struct emit *em, int fd, const struct stat *st, int64_t read_at, struct err *e)
{
	struct meta_file file = { .fd = fd, .dirfd = -1, .name = NULL, .st = st };
	int r = ask_known(em, st, NULL, e);

	if (r < 0)
		return -1;
	if (r == 1) {
		count_known(em, st, true);
		return 0;
	}
	r = emit_meta(em, &file, read_at, e);
	if (r == 0)
		em->totals->dirs++;
	return r;
}

int emit_mount_point(struct emit *em, const struct stat *st, struct err *e)
{
	struct entry en = { .size = 0 };
	int r = hand_over(em, meta_plain(em->meta, st), st, &en, e);

	if (r != 0)
		return r;
	em->totals->dirs++;
	report_note(em->o->report, NOTE_INFO, em->path,
		    "another file system; what is in it is left out");
	return 0;
}

/* Sparse map of what was read, as libarchive wants it: all data runs, or an empty one. */
static void set_runs(struct archive_entry *entry, const struct body *b)
{
	uint64_t at = 0;
	uint64_t length;
	size_t hole = 0;
	bool any = false;

	archive_entry_set_size(entry, b->st.st_size);
	if (b->sent == (uint64_t)b->st.st_size)
		return;
	while (body_run(b, &hole, &at, &length)) {
		archive_entry_sparse_add_entry(entry, (la_int64_t)at, (la_int64_t)length);
		at += length;
		any = true;
	}
	if (!any)
		archive_entry_sparse_add_entry(entry, 0, 0);
}

/* The body B is with the sink: make its header.  1: left out. */
static int file_finish(struct emit *em, struct body *b, const struct stat *before,
		       int64_t read_at, struct err *e)
{
	struct meta_file file = { .fd = b->fd, .dirfd = -1, .name = NULL, .st = &b->st };
	struct entry_stat stat;
	struct entry en = { .size = (uint64_t)b->st.st_size,
			    .body_len = b->sent,
			    .stat = &stat };
	char problem[META_PROBLEM];
	struct archive_entry *entry;
	int r = meta_read(em->meta, &file, &entry, problem, e);

	if (r < 0)
		return err_in(e, "%s", em->path);
	if (r > 0)
		return emit_failed(em, "read attributes", errno, e);
	set_runs(entry, b);
	trust_stat(before, em->root_device, &stat);
	en.settled = !problem[0] && !b->changed && is_settled(em, before, read_at);
	r = hand_over(em, entry, &b->st, &en, e);
	if (r != 0)
		return r;
	em->totals->files++;
	em->totals->bytes += en.size;
	if (problem[0] || b->changed)
		changed(em, problem[0] ? problem : "changed while it was read");
	return 0;
}

static int file_read(struct emit *em, struct body *b, int64_t read_at, struct err *e)
{
	struct entry_hint hint = { .path = em->path, .size = (uint64_t)b->st.st_size };
	struct stat before = b->st;
	int r;

	if (hint.size > 0 && em->sink->begin(em->sink->ctx, &hint, e) < 0)
		return -1;
	r = body_read(b, em->sink, em->o->report, &em->progress, e);
	if (r > 0)
		r = emit_failed(em, b->call, b->sys, e);
	if (r == 0)
		r = file_finish(em, b, &before, read_at, e);
	if (r > 0 && hint.size > 0 && em->sink->drop(em->sink->ctx, e) < 0)
		return -1;
	return r;
}

static int emit_file(struct emit *em, int dirfd, const char *name, const struct stat *st,
		     struct err *e)
{
	int64_t read_at = trust_now();
	struct body *b = em->body;
	int r = body_open(b, dirfd, name, st);

	r = r > 0 ? emit_failed(em, b->call, b->sys, e) : file_read(em, b, read_at, e);
	body_close(b);
	return r;
}

/* What makes a file the same file as long as a walk lasts: device and inode, and the time
 * of its birth, since an inode number may be given to another file meanwhile. */
static void link_key(int dirfd, const char *name, const struct stat *st, uint8_t key[16])
{
	struct statx x = { .stx_mask = 0 };
	uint64_t birth = 0;

	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BTIME, &x) ==
		    0 &&
	    (x.stx_mask & STATX_BTIME) != 0)
		birth = (uint64_t)x.stx_btime.tv_sec * 1000000000U + x.stx_btime.tv_nsec;
	wire_set64(key, st->st_ino);
	wire_set64(key + 8, birth * 0x9e3779b97f4a7c15U ^ st->st_dev);
}

/* A second name of the file whose first path lies at PLACE. */
static int emit_link(struct emit *em, uint64_t place, const struct stat *st,
		     struct err *e)
{
	struct archive_entry *entry = meta_plain(em->meta, st);
	struct entry_stat stat;
	char first[ENTRY_PATH_MAX + 1];
	struct entry en = { .stat = &stat, .link = first };
	int r;

	if (texts_get(em->texts, place, first, e) < 0)
		return -1;
	r = ask_known(em, st, first, e);
	if (r < 0)
		return -1;
	if (r == 1) {
		count_known(em, st, false);
		return 0;
	}
	trust_stat(st, em->root_device, &stat);
	en.settled = is_settled(em, st, trust_now());
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_size(entry, 0);
	archive_entry_set_hardlink(entry, first);
	return hand_over(em, entry, st, &en, e);
}

static int emit_first(struct emit *em, int dirfd, const char *name, const struct stat *st,
		      struct err *e)
{
	struct meta_file file = { .fd = -1, .dirfd = dirfd, .name = name, .st = st };
	int r = ask_known(em, st, NULL, e);

	if (r < 0)
		return -1;
	if (r == 1) {
		count_known(em, st, true);
		return 0;
	}
	return S_ISREG(st->st_mode) ? emit_file(em, dirfd, name, st, e)
				    : emit_meta(em, &file, trust_now(), e);
}

int emit_other(struct emit *em, int dirfd, const char *name, const struct stat *st,
	       struct err *e)
{
	uint8_t key[16];
	uint64_t place;
	int r;

	if (S_ISSOCK(st->st_mode)) {
		em->totals->skipped++;
		report_note(em->o->report, NOTE_SKIPPED, em->path, "a socket");
		return 1;
	}
	if (st->st_nlink < 2)
		return emit_first(em, dirfd, name, st, e);
	link_key(dirfd, name, st, key);
	r = table_get(em->links, key, &place, e);
	if (r <= 0)
		return r < 0 ? -1 : emit_link(em, place, st, e);
	r = emit_first(em, dirfd, name, st, e);
	if (r != 0)
		return r;
	if (texts_put(em->texts, em->path, &place, e) < 0)
		return -1;
	return table_put(em->links, key, place, e);
}
