/* Descriptors in a store: which one is in force, and adding the next.  All of r/ is read,
 * from the lowest epoch up, and each must be signed by the pinned authority and name the
 * one before, so a descriptor cannot be slipped in, taken out of the middle, or (with the
 * pin's epoch) rolled back. Declared in descriptor.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/descriptor.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/scope.h"
#include "store/store.h"

#define NAME_LEN 24 /* "r/4294967295.vsr" */

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

static int read_one(struct store *store, const char *name, struct descriptor *out,
		    struct err *e)
{
	auto_bytes struct bytes raw = BYTES_EMPTY;
	int got = store_get(store, name, DESCRIPTOR_LEN_MAX, &raw, e);

	if (got < 0)
		return -1;
	if (got > 0)
		return err_set(e, ERR_STORE, "%s: vanished while the store was read",
			       name);
	return descriptor_decode(raw.p, raw.len, out, e) < 0 ? err_in(e, "%s", name) : 0;
}

/* The lowest descriptor there is must be what the caller trusts ... */
static int check_first(const struct descriptor *d, const char *name,
		       const uint8_t store_id[16], const uint8_t *authority,
		       struct err *e)
{
	if (memcmp(d->store_id, store_id, sizeof(d->store_id)) != 0)
		return err_set(
			e, ERR_STORE,
			"%s: not the expected store: it is of a store with another id",
			name);
	if (authority && memcmp(d->authority, authority, sizeof(d->authority)) != 0)
		return err_set(
			e, ERR_STORE,
			"%s: not the expected store: another recovery key signed it",
			name);
	return 0;
}

/* ... and each later one its successor. */
static int check_next(const struct descriptor *d, const struct descriptor *before,
		      const char *name, struct err *e)
{
	if (d->epoch != before->epoch + 1)
		return err_set(e, ERR_DAMAGED, "%s: the descriptor before it is missing",
			       name);
	if (memcmp(d->previous, before->hash, sizeof(d->previous)) != 0 ||
	    memcmp(d->store_id, before->store_id, sizeof(d->store_id)) != 0 ||
	    memcmp(d->authority, before->authority, sizeof(d->authority)) != 0)
		return err_set(e, ERR_DAMAGED,
			       "%s: damaged: does not continue the descriptor before it",
			       name);
	return 0;
}

static int follow(struct store *store, const struct epochs *all,
		  const uint8_t store_id[16], const uint8_t *authority,
		  struct descriptor *out, struct err *e)
{
	for (size_t i = 0; i < all->n; i++) {
		auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
		char name[NAME_LEN];

		name_of(all->at[i], name);
		if (read_one(store, name, &d, e) < 0)
			return -1;
		if (d.epoch != all->at[i])
			return err_set(
				e, ERR_DAMAGED,
				"%s: damaged: holds the descriptor of epoch %" PRIu32,
				name, d.epoch);
		if ((i == 0 ? check_first(&d, name, store_id, authority, e)
			    : check_next(&d, out, name, e)) < 0)
			return -1;
		descriptor_free(out);
		*out = d;
		d = (struct descriptor)DESCRIPTOR_EMPTY; /* given away */
	}
	return 0;
}

int descriptor_load(struct store *store, const uint8_t store_id[16],
		    const uint8_t authority[32], uint32_t min_epoch,
		    struct descriptor *out, struct err *e)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	auto_free uint32_t *owner = NULL;
	struct epochs all = { .at = NULL };
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
	if (follow(store, &all, store_id, authority, &d, e) < 0)
		return -1;
	if (d.epoch < min_epoch)
		return err_set(e, ERR_DAMAGED,
			       "store %s: its newest descriptor is of epoch %" PRIu32
			       ", but this host has seen %" PRIu32
			       ": the store was set back",
			       store_location(store), d.epoch, min_epoch);
	*out = d;
	d = (struct descriptor)DESCRIPTOR_EMPTY; /* given away */
	return 0;
}

int descriptor_publish(struct store *store, struct descriptor *d,
		       const struct secret *authority_seed, struct err *e)
{
	auto_bytes struct bytes raw = BYTES_EMPTY;
	char name[NAME_LEN];

	if (descriptor_encode(d, authority_seed, &raw, e) < 0)
		return -1;
	name_of(d->epoch, name);
	return store_put(store, name, raw.p, raw.len, e);
}
