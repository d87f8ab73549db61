/* What the snapshots of one stream are worth once all are known: their summaries, and
 * rule R5.
 *
 * R5: a snapshot whose successor number is taken, and which nobody names as parent, was
 * superseded: its writer lost its memory of it.  That is only said where every snapshot
 * of the successor number was read and verified, since an unreadable one may be its
 * child. */
#include <stdlib.h>
#include <string.h>

#include "archive/archive_parts.h"
#include "archive/catalog_dir.h"
#include "archive/crypto.h"
#include "archive/key.h"
#include "archive/record.h"
#include "archive/root.h"
#include "base/err.h"
#include "base/scope.h"

/* ---- the list key ---- */

static int keep_list_key(struct catalog_dir *d, const struct stream_keys *k,
			 struct err *e)
{
	d->stream.list_key = crypto_lock(sizeof(k->list), e);
	if (!d->stream.list_key)
		return -1;
	memcpy(d->stream.list_key, k->list, sizeof(k->list));
	return 0;
}

static bool is_own(const struct catalog_dir *d)
{
	uint8_t pk[32];

	if (!d->host_secret)
		return false;
	crypto_sign_public(d->host_secret->b, pk);
	return memcmp(pk, d->stream.stream.host_pk, sizeof(pk)) == 0;
}

/* Unlock the last part R with a reading key and take the keys out of its ROOT. */
static int open_root(const struct catalog_dir *d, struct part_reader *r,
		     struct stream_keys *k, struct err *e)
{
	auto_free struct root *root = malloc(sizeof(*root));
	uint8_t *fk = crypto_lock(32, e);
	int result = -1;

	if (!root)
		(void)err_memory(e);
	else if (fk && archive_parts_key(r, d->keys, fk, e) == 0 &&
		 part_reader_unlock(r, fk, e) == 0)
		result = record_root(r, root, k, e);
	crypto_unlock(fk);
	return result;
}

/* The list key out of snapshot X; where it does not come out, there is none. */
static int try_root(struct catalog_dir *d, const struct snapshot *x, struct err *e)
{
	struct stream_keys *k = NULL;
	struct part_reader *r = NULL;
	struct err ignored = ERR_EMPTY;
	int result = 0;

	if (stream_keys_new(&k, e) < 0)
		return -1;
	if (part_reader_open(d->store, d->d, x->name, &r, &ignored) == 0 &&
	    open_root(d, r, k, &ignored) == 0)
		result = keep_list_key(d, k, e);
	part_reader_free(r);
	stream_keys_free(k);
	return result;
}

static int find_list_key(struct catalog_dir *d, struct err *e)
{
	const struct snapshot *oldest = NULL, *newest = NULL;
	struct stream_keys *k = NULL;

	if (is_own(d)) {
		int result =
			stream_keys_derive(d->host_secret, d->stream.stream.id, &k, e);

		if (result == 0)
			result = keep_list_key(d, k, e);
		stream_keys_free(k);
		return result;
	}
	for (size_t i = 0; i < d->n; i++) {
		if (!d->all[i].verified)
			continue;
		newest = &d->all[i].x;
		oldest = oldest ? oldest : newest;
	}
	if (!newest || !d->keys || d->keys->n == 0)
		return 0;
	/* A key that was sealed away opens only what is older. */
	if (try_root(d, newest, e) < 0)
		return -1;
	return !d->stream.list_key && oldest != newest ? try_root(d, oldest, e) : 0;
}

static void open_summaries(struct catalog_dir *d)
{
	struct err ignored = ERR_EMPTY;

	for (size_t i = 0; d->stream.list_key && i < d->n; i++) {
		struct found *f = &d->all[i];

		f->x.has_summary =
			f->verified &&
			summary_open(f->sealed, d->stream.list_key, f->header_hash,
				     &f->x.summary, &ignored) == 0;
	}
}

/* ---- rule R5 ---- */

static void mark_named(struct catalog_dir *d, const struct archive_id *parent)
{
	for (size_t low = 0, high = d->n; low < high;) {
		size_t mid = low + (high - low) / 2;
		struct found *f = &d->all[mid];
		int side =
			f->x.archive.seq < parent->seq ? -1
			: f->x.archive.seq > parent->seq
				? 1
				: memcmp(f->x.archive.id, parent->id, sizeof(parent->id));

		if (side == 0) {
			f->named = true;
			return;
		}
		if (side < 0)
			low = mid + 1;
		else
			high = mid;
	}
}

/* Whether number SEQ, which begins at or after FROM, is taken, and all of it verified. */
static bool all_verified(const struct catalog_dir *d, size_t from, uint64_t seq)
{
	bool any = false;

	for (; from < d->n && d->all[from].x.archive.seq <= seq; from++) {
		if (d->all[from].x.archive.seq != seq)
			continue;
		if (d->all[from].x.state == SNAPSHOT_DAMAGED)
			return false;
		any = true;
	}
	return any;
}

static void apply_r5(struct catalog_dir *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->all[i].x.has_parent)
			mark_named(d, &d->all[i].x.parent);
	for (size_t i = 0; i < d->n; i++) {
		struct found *f = &d->all[i];

		if (f->x.state == SNAPSHOT_OK && !f->named &&
		    all_verified(d, i, f->x.archive.seq + 1))
			f->x.state = SNAPSHOT_ABANDONED;
	}
}

int catalog_judge(struct catalog_dir *d, struct err *e)
{
	struct catalog_stream *s = &d->stream;

	if (find_list_key(d, e) < 0)
		return -1;
	open_summaries(d);
	apply_r5(d);
	s->snapshots = calloc(d->n ? d->n : 1, sizeof(*s->snapshots));
	if (!s->snapshots)
		return err_memory(e);
	for (size_t i = 0; i < d->n; i++)
		s->snapshots[i] = d->all[i].x;
	s->n = d->n;
	d->n = 0; /* their strings are the stream's now */
	return 0;
}
