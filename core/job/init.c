#include "job/init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/crypto.h"
#include "archive/descriptor.h"
#include "archive/key.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "job/init_keys.h"
#include "plan/config.h"
#include "store/store.h"

/* 0: the interrupted init that left PIN did commit its store; 1: it did not. */
static int store_of(const struct config *c, const struct key_pin *pin, struct err *e)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	struct descriptor_trust trust = { .store_id = pin->store_id,
					  .authority = pin->authority,
					  .min_epoch = 1 };
	struct store *s = NULL;
	uint8_t id[16];
	int found = store_marker(c->store_location, id, e);

	if (found != 0)
		return found;
	if (memcmp(id, pin->store_id, 16) != 0)
		return 1;
	if (store_open(c->store_location, id, &s, e) < 0)
		return -1;
	found = descriptor_load(s, &trust, &d, e);
	store_free(s);
	return found;
}

int init_begin(const struct config *c, enum init_state *state, struct err *e)
{
	auto_close int dir = -1;
	struct key_pin pin;
	uint8_t id[16];
	int found;

	*state = INIT_FRESH;
	if (file_make_dirs(c->keys_dir, 0700, e) < 0)
		return -1;
	dir = file_open_dir(AT_FDCWD, c->keys_dir, false, e);
	if (dir < 0)
		return -1;
	found = key_pin_load(dir, "store.pin", &pin, e);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(e, ERR_REFUSED, "%s: holds keys already: they are not replaced",
			       c->keys_dir);
	found = key_pin_load(dir, "store.pin.new", &pin, e);
	if (found < 0)
		return -1;
	if (found == 0) {
		*state = INIT_AGAIN;
		found = store_of(c, &pin, e);
		if (found < 0)
			return -1;
		if (found == 0) {
			*state = INIT_RESUMED;
			return init_keys_commit(dir, e);
		}
	} else if (init_keys_any(dir, e) != 0) {
		return e->kind == ERR_REFUSED ? err_in(e, "%s", c->keys_dir) : -1;
	}
	found = store_marker(c->store_location, id, e);
	if (found == 0)
		return err_set(e, ERR_REFUSED,
			       "%s: is a store already: volsnap init --join uses it",
			       c->store_location);
	return found < 0 ? -1 : 0;
}

int init_recovery(const struct config *c, const struct secret *again, struct secret **out,
		  struct err *e)
{
	auto_close int dir = file_open_dir(AT_FDCWD, c->keys_dir, false, e);
	struct key_pin pin, had;

	if (dir < 0)
		return -1;
	if (again) {
		if (init_authority_public(again, pin.authority, e) < 0)
			return -1;
		if (key_pin_load(dir, "store.pin.new", &had, e) != 0 ||
		    memcmp(had.authority, pin.authority, 32) != 0)
			return err_set(e, ERR_REFUSED,
				       "the paper file exists and holds another key: it is not "
				       "replaced");
	}
	*out = again ? secret_new(e) : secret_random(e);
	if (!*out)
		return -1;
	if (again)
		memcpy((*out)->b, again->b, sizeof(again->b));
	pin = (struct key_pin){ .epoch = 1 };
	crypto_random(pin.store_id, sizeof(pin.store_id));
	if (init_authority_public(*out, pin.authority, e) < 0)
		return -1;
	return key_pin_save(dir, "store.pin.new", &pin, e);
}

/* A store without a marker is nobody's: what an interrupted init left of its descriptor goes. */
static int clear_unmarked(const struct config *c, struct err *e)
{
	auto_free char *path = file_join(c->store_location, "r/00000001.vsr");

	if (!path)
		return err_memory(e);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys_kind(e, ERR_STORE, "remove %s", path);
	return 0;
}

static int make_store(const struct config *c, const struct key_pin *pin,
		      const struct secret *recovery, const struct init_keys *k, struct err *e)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	auto_free char *path = file_join(c->store_location, "r/00000001.vsr");
	struct secret *authority = NULL;
	int result;

	if (!path)
		return err_memory(e);
	d.epoch = 1;
	memcpy(d.store_id, pin->store_id, 16);
	memcpy(d.authority, pin->authority, 32);
	if (store_create(c->store_location, e) < 0 || clear_unmarked(c, e) < 0 ||
	    init_grant_recovery(&d, recovery, e) < 0 ||
	    init_grant_host(&d, k, c->host_name, e) < 0 ||
	    key_recovery_authority(recovery, &authority, e) < 0)
		return -1;
	result = descriptor_encode(&d, authority, &raw, e);
	secret_free(authority);
	if (result < 0)
		return -1;
	if (file_save(AT_FDCWD, path, raw.p, raw.len, 0444, false, e) != 0) {
		e->kind = ERR_STORE;
		return -1;
	}
	return store_mark(c->store_location, pin->store_id, e);
}

int init_finish(const struct config *c, const struct secret *recovery, struct err *e)
{
	auto_close int dir = file_open_dir(AT_FDCWD, c->keys_dir, false, e);
	struct init_keys k = { .host = NULL };
	struct key_pin pin;
	int result;

	if (dir < 0)
		return -1;
	if (key_pin_load(dir, "store.pin.new", &pin, e) != 0)
		return err_set(e, ERR_FAILED, "%s/store.pin.new: is gone", c->keys_dir);
	result = init_keys_make(dir, &k, e);
	if (result == 0)
		result = make_store(c, &pin, recovery, &k, e);
	if (result == 0)
		result = init_keys_commit(dir, e);
	init_keys_free(&k);
	return result;
}
