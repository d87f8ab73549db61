/* Descriptors in a store: which one is in force, and adding the next.  All of r/ is read,
 * from the lowest epoch up.  What the pinned authority did not sign is nobody's: on an
 * append-only store a thief can add such a file, and nobody but the owner take it away,
 * so it must not stop a host.  What was signed must name the one before, so a descriptor
 * cannot be slipped in, taken out of the middle, or (with the pin's epoch) rolled back.
 * Declared in descriptor.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/descriptor.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/report.h"
#include "base/scope.h"
#include "store/store.h"

#define NAME_LEN 24 /* "r/4294967295.vsr" */
#define WARNINGS_MAX 8

static void name_of(uint32_t epoch, char out[NAME_LEN])
{
	(void)snprintf(out, NAME_LEN, "r/%08" PRIu32 ".vsr", epoch);
}

struct epochs {
	uint32_t *at;
	size_t n, room;
};

static int epochs_add(struct epochs *all, uint32_t epoch, struct err *e)
{
	if (all->n == all->room) {
		size_t room = all->room ? 2 * all->room : 64;
		uint32_t *more = reallocarray(all->at, room, sizeof(*more));

		if (!more)
			return err_memory(e);
		all->at = more;
		all->room = room;
	}
	all->at[all->n++] = epoch;
	return 0;
}

/* Collect the epochs that names in r/ stand for; other names are none of ours. */
static int note_name(void *ctx, const char *name, bool is_dir, uint64_t size,
		     struct err *e)
{
	char again[NAME_LEN];
	uint32_t epoch;

	(void)size;
	if (is_dir || strspn(name, "0123456789") > 10)
		return 0;
	/* A number that does not fit is cut, and then its name below is another. */
	epoch = (uint32_t)strtoull(name, NULL, 10);
	if (epoch == 0)
		return 0;
	name_of(epoch, again);
	return strcmp(again + strlen("r/"), name) == 0 ? epochs_add(ctx, epoch, e) : 0;
}

static int by_epoch(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* What a failed store_get says of the file and not of the store: it is no regular file,
 * too large, a link, or closed to us. */
static bool unfit(const struct err *e)
{
	return e->sys == 0 || e->sys == EACCES || e->sys == ELOOP || e->sys == ENXIO;
}

/* Whom D is by, and where it belongs. */
static int check_trust(const struct descriptor *d, const struct descriptor_trust *t,
		       uint32_t epoch, struct err *e)
{
	if (memcmp(d->store_id, t->store_id, sizeof(d->store_id)) != 0)
		return err_set(
			e, ERR_STORE,
			"not the expected store: it is of a store with another id");
	if (t->authority && memcmp(d->authority, t->authority, sizeof(d->authority)) != 0)
		return err_set(e, ERR_STORE,
			       "not the expected store: another recovery key signed it");
	if (d->epoch != epoch)
		return err_set(e, ERR_DAMAGED,
			       "damaged: holds the descriptor of epoch %" PRIu32,
			       d->epoch);
	return 0;
}

/* Descriptor EPOCH, called NAME.  1: the file is none that counts, *e says why. */
static int read_one(struct store *store, const struct descriptor_trust *t, uint32_t epoch,
		    const char *name, struct descriptor *out, struct err *e)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	int got = store_get(store, name, DESCRIPTOR_LEN_MAX, &raw, e);

	if (got < 0)
		return unfit(e) ? 1 : -1;
	if (got > 0)
		return err_set(e, ERR_STORE, "%s: vanished while the store was read",
			       name);
	if (descriptor_decode(raw.p, raw.len, &d, e) < 0) {
		(void)err_in(e, "%s", name);
		/* The owner's own, that we do not understand, may not be missed. */
		return e->kind == ERR_DAMAGED &&
				       !descriptor_signed(raw.p, raw.len, t->authority)
			       ? 1
			       : -1;
	}
	if (check_trust(&d, t, epoch, e) < 0) {
		(void)err_in(e, "%s", name);
		return 1;
	}
	*out = d;
	d = (struct descriptor)DESCRIPTOR_EMPTY; /* given away */
	return 0;
}

/* Each descriptor must continue the one before it. */
static int check_next(const struct descriptor *d, const struct descriptor *before,
		      const char *name, struct err *e)
{
	if (d->epoch != before->epoch + 1)
		return err_set(e, ERR_DAMAGED, "%s: the descriptor before it is missing",
			       name);
	if (memcmp(d->previous, before->hash, sizeof(d->previous)) != 0 ||
	    memcmp(d->authority, before->authority, sizeof(d->authority)) != 0)
		return err_set(e, ERR_DAMAGED,
			       "%s: damaged: does not continue the descriptor before it",
			       name);
	return 0;
}

/* Files passed over. */
struct passed {
	size_t n;
	struct err first, last; /* why */
};

static void pass_over(struct passed *p, const struct descriptor_trust *t,
		      const struct err *why)
{
	if (p->n++ == 0)
		p->first = *why;
	p->last = *why;
	if (p->n <= WARNINGS_MAX)
		report_note(t->report, NOTE_WARNING, NULL,
			    "%s: passed over; remove it, unless you know where it is "
			    "from",
			    why->text);
	else if (p->n == WARNINGS_MAX + 1)
		report_note(t->report, NOTE_WARNING, NULL,
			    "more files in r/ that are no descriptors: passed over");
}

static int follow(struct store *store, const struct epochs *all,
		  const struct descriptor_trust *trust, struct descriptor *out,
		  struct passed *passed, struct err *e)
{
	struct descriptor_trust t = *trust;

	for (size_t i = 0; i < all->n; i++) {
		auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
		char name[NAME_LEN];
		int found;

		name_of(all->at[i], name);
		found = read_one(store, &t, all->at[i], name, &d, e);
		if (found < 0 ||
		    (found == 0 && out->epoch > 0 && check_next(&d, out, name, e) < 0))
			return -1;
		if (found > 0) {
			pass_over(passed, &t, e);
			continue;
		}
		descriptor_free(out);
		*out = d;
		d = (struct descriptor)DESCRIPTOR_EMPTY; /* given away */
		t.authority = out->authority;
	}
	return 0;
}

/* The chain ends with D: is that what may be believed? */
static int check_end(struct store *store, const struct descriptor_trust *t,
		     const struct descriptor *d, const struct passed *passed,
		     struct err *e)
{
	if (d->epoch == 0) {
		*e = passed->first;
		return -1;
	}
	if (d->epoch >= t->min_epoch)
		return 0;
	return err_set(e, ERR_DAMAGED,
		       "store %s: its newest descriptor is of epoch %" PRIu32
		       ", but this host has seen %" PRIu32
		       ": the store was set back%s%.400s",
		       store_location(store), d->epoch, t->min_epoch,
		       passed->n > 0 ? ", or it is this file: " : "",
		       passed->n > 0 ? passed->last.text : "");
}

int descriptor_load(struct store *store, const struct descriptor_trust *t,
		    struct descriptor *out, struct err *e)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	auto_free uint32_t *owner = NULL;
	struct epochs all = { .at = NULL };
	struct passed passed = { .n = 0 };
	int listed = store_list(store, "r", note_name, &all, e);

	owner = all.at;
	if (listed < 0)
		return -1;
	if (all.n == 0)
		return err_set(e, ERR_STORE,
			       "%s: has no descriptor in r/: init did not finish, "
			       "or its files are gone",
			       store_location(store));
	qsort(all.at, all.n, sizeof(*all.at), by_epoch);
	if (follow(store, &all, t, &d, &passed, e) < 0 ||
	    check_end(store, t, &d, &passed, e) < 0)
		return -1;
	*out = d;
	d = (struct descriptor)DESCRIPTOR_EMPTY; /* given away */
	return 0;
}

/* Something has the name of D already.  1: a descriptor, as D could be. */
static int look_at(struct store *store, const struct descriptor *d, const char *name,
		   struct err *e)
{
	struct descriptor_trust t = { .store_id = d->store_id,
				      .authority = d->authority };
	auto_descriptor struct descriptor there = DESCRIPTOR_EMPTY;
	struct err why = ERR_EMPTY;
	int found = read_one(store, &t, d->epoch, name, &there, &why);

	if (found == 0)
		return 1;
	if (found < 0) {
		*e = why;
		return -1;
	}
	return err_set(e, ERR_DAMAGED,
		       "store %s: %s is in the way of the next descriptor: remove it and "
		       "run this again (%.400s)",
		       store_location(store), name, why.text);
}

int descriptor_publish(struct store *store, struct descriptor *d,
		       const struct secret *authority_seed, struct err *e)
{
	auto_bytes struct bytes raw = BYTES_EMPTY;
	char name[NAME_LEN];
	int there;

	if (descriptor_encode(d, authority_seed, &raw, e) < 0)
		return -1;
	name_of(d->epoch, name);
	there = store_put(store, name, raw.p, raw.len, e);
	return there == 1 ? look_at(store, d, name, e) : there;
}
