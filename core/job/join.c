/* Hosts that come to a store that is there: join (writes), import (reads), seal (reads no more). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "archive/crypto.h"
#include "archive/descriptor.h"
#include "archive/key.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "job/init.h"
#include "job/init_keys.h"
#include "plan/config.h"
#include "store/store.h"

static int keys_dir(const struct config *c, struct err *e)
{
	if (file_make_dirs(c->keys_dir, 0700, e) < 0)
		return -1;
	return file_open_dir(AT_FDCWD, c->keys_dir, false, e);
}

static int refuse_pin(int dir, const struct config *c, struct err *e)
{
	struct key_pin pin;
	int found = key_pin_load(dir, "store.pin", &pin, e);

	if (found == 0)
		return err_set(e, ERR_REFUSED, "%s: holds keys already: they are not replaced",
			       c->keys_dir);
	return found < 0 ? -1 : 0;
}

static void fill_pin(struct key_pin *pin, const struct descriptor *d)
{
	memcpy(pin->store_id, d->store_id, sizeof(pin->store_id));
	memcpy(pin->authority, d->authority, sizeof(pin->authority));
	pin->epoch = d->epoch;
}

/* The host of this name was granted by this very directory's host key, in a run that was cut off
 * between the descriptor and the pin: nothing but the pin is missing. */
static bool granted_before(int dir, const struct descriptor *d, const char *name)
{
	const struct grant *g = descriptor_label(d, name);
	struct err ignored = ERR_EMPTY;
	struct secret *host = NULL;
	uint8_t pk[32];

	if (!g || key_load(dir, "host.key", KEY_HOST, &host, &ignored) != 0)
		return false;
	crypto_sign_public(host->b, pk);
	secret_free(host);
	return memcmp(pk, g->sign_pk, sizeof(pk)) == 0;
}

static int join_store(const struct config *c, int dir, struct store *s, struct descriptor *d,
		      const struct secret *recovery, struct err *e)
{
	struct init_keys k = { .host = NULL };
	struct key_pin pin;
	int result;

	if (granted_before(dir, d, c->host_name)) {
		fill_pin(&pin, d);
		return key_pin_save(dir, "store.pin", &pin, e);
	}
	if (descriptor_label(d, c->host_name))
		return err_set(e, ERR_REFUSED,
			       "store %s: knows a host named %s already: choose another "
			       "[host] name",
			       c->store_location, c->host_name);
	result = init_keys_make(dir, &k, e);
	if (result == 0)
		result = init_grant_host(d, &k, c->host_name, e);
	init_keys_free(&k);
	if (result < 0 || init_publish(s, d, recovery, e) < 0)
		return -1;
	fill_pin(&pin, d);
	return key_pin_save(dir, "store.pin", &pin, e);
}

int init_join(const struct config *c, const struct secret *recovery, struct err *e)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	auto_close int dir = keys_dir(c, e);
	struct store *s = NULL;
	int result;

	if (dir < 0 || refuse_pin(dir, c, e) < 0 ||
	    init_open_store(c, recovery, NULL, &s, &d, e) < 0)
		return -1;
	result = join_store(c, dir, s, &d, recovery, e);
	store_free(s);
	return result;
}

int init_import(const struct config *c, const struct secret *recovery, struct err *e)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	auto_close int dir = keys_dir(c, e);
	struct secret *x = NULL;
	struct store *s = NULL;
	struct key_pin pin;
	int result;

	result = dir < 0 ? -1 : key_pin_load(dir, "store.pin", &pin, e);
	if (result < 0 || init_open_store(c, recovery, result == 0 ? &pin : NULL, &s, &d, e) < 0)
		return -1;
	store_free(s);
	if (result == 0 && (memcmp(pin.store_id, d.store_id, 16) != 0 ||
			    memcmp(pin.authority, d.authority, 32) != 0))
		return err_set(e, ERR_REFUSED, "%s: holds keys of another store: not replaced",
			       c->keys_dir);
	if (key_recovery_reader(recovery, &x, e) < 0)
		return -1;
	result = key_save(dir, "reader.key", KEY_READER, x, false, e);
	secret_free(x);
	if (result == 1)
		result = err_set(e, ERR_REFUSED,
				 "%s/reader.key: exists already: move it away first",
				 c->keys_dir);
	if (result < 0)
		return -1;
	fill_pin(&pin, &d);
	return key_pin_save(dir, "store.pin", &pin, e);
}

static int remove_key(int dir, const char *name, struct err *e)
{
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", name);
	return file_sync_dir(dir, ".", e);
}

static int seal_store(const struct config *c, int dir, struct store *s, struct descriptor *d,
		      const struct secret *recovery, bool prune, uint32_t *epoch, struct err *e)
{
	struct secret *host = NULL;
	uint8_t pk[32];
	size_t removed;

	if (key_load(dir, "host.key", KEY_HOST, &host, e) != 0)
		return err_set(e, ERR_KEY, "%s/host.key: no such file: this host writes nothing",
			       c->keys_dir);
	crypto_sign_public(host->b, pk);
	secret_free(host);
	removed = descriptor_remove(d, KEY_READER, pk);
	if (prune)
		removed += descriptor_remove(d, KEY_PRUNE, pk);
	if (removed > 0 && init_publish(s, d, recovery, e) < 0)
		return -1;
	*epoch = d->epoch;
	/* The descriptor first: keys that are gone here but still recipients would be worse. */
	if (remove_key(dir, "reader.key", e) < 0 || (prune && remove_key(dir, "prune.key", e) < 0))
		return -1;
	return removed == 0;
}

int init_seal(const struct config *c, const struct secret *recovery, bool prune, uint32_t *epoch,
	      struct err *e)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	auto_close int dir = keys_dir(c, e);
	struct store *s = NULL;
	struct key_pin pin;
	int result = dir < 0 ? -1 : key_pin_load(dir, "store.pin", &pin, e);

	if (result < 0 || init_open_store(c, recovery, result == 0 ? &pin : NULL, &s, &d, e) < 0)
		return -1;
	result = seal_store(c, dir, s, &d, recovery, prune, epoch, e);
	store_free(s);
	return result;
}
