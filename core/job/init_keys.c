#include "job/init_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/crypto.h"
#include "base/err.h"
#include "base/file.h"
#include "plan/config.h"
#include "store/store.h"

static const char *const key_files[] = { "host.key", "reader.key", "prune.key" };

int init_keys_make(int dirfd, struct init_keys *out, struct err *e)
{
	out->host = secret_random(e);
	out->reader = secret_random(e);
	out->prune = secret_random(e);
	if (!out->host || !out->reader || !out->prune)
		return -1;
	if (key_save(dirfd, "host.key", KEY_HOST, out->host, true, e) < 0 ||
	    key_save(dirfd, "reader.key", KEY_READER, out->reader, true, e) < 0)
		return -1;
	return key_save(dirfd, "prune.key", KEY_PRUNE, out->prune, true, e);
}

void init_keys_free(struct init_keys *k)
{
	secret_free(k->host);
	secret_free(k->reader);
	secret_free(k->prune);
}

int init_keys_any(int dirfd, struct err *e)
{
	struct stat st;

	for (size_t i = 0; i < sizeof(key_files) / sizeof(*key_files); i++) {
		if (fstatat(dirfd, key_files[i], &st, AT_SYMLINK_NOFOLLOW) == 0) {
			(void)err_set(e, ERR_REFUSED, "%s exists already: keys are not replaced",
				      key_files[i]);
			return 1;
		}
		if (errno != ENOENT)
			return err_sys(e, "stat %s", key_files[i]);
	}
	return 0;
}

int init_keys_commit(int dirfd, struct err *e)
{
	if (renameat(dirfd, "store.pin.new", dirfd, "store.pin") < 0)
		return err_sys(e, "rename store.pin.new to store.pin");
	return file_sync_dir(dirfd, ".", e);
}

int init_authority_public(const struct secret *recovery, uint8_t pk[32], struct err *e)
{
	struct secret *seed = NULL;

	if (key_recovery_authority(recovery, &seed, e) < 0)
		return -1;
	crypto_sign_public(seed->b, pk);
	secret_free(seed);
	return 0;
}

int init_grant_recovery(struct descriptor *d, const struct secret *recovery, struct err *e)
{
	struct grant g = { .role = KEY_RECOVERY };
	struct secret *x = NULL;

	if (key_recovery_reader(recovery, &x, e) < 0)
		return -1;
	crypto_x_public(x->b, g.seal_pk);
	secret_free(x);
	(void)snprintf(g.label, sizeof(g.label), "recovery");
	return descriptor_add(d, &g, e);
}

static int grant_prune(struct descriptor *d, struct grant *g, const struct secret *prune,
		       struct err *e)
{
	struct secret *x = NULL, *ed = NULL;
	int result = -1;

	if (key_prune_x(prune, &x, e) == 0 && key_prune_sign(prune, &ed, e) == 0) {
		g->role = KEY_PRUNE;
		crypto_x_public(x->b, g->seal_pk);
		crypto_sign_public(ed->b, g->sign_pk);
		result = descriptor_add(d, g, e);
	}
	secret_free(x);
	secret_free(ed);
	return result;
}

int init_grant_host(struct descriptor *d, const struct init_keys *k, const char *name,
		    struct err *e)
{
	struct grant host = { .role = KEY_HOST }, own = { .role = KEY_READER, .one_host = true };

	crypto_sign_public(k->host->b, host.sign_pk);
	(void)snprintf(host.label, sizeof(host.label), "%s", name);
	if (descriptor_add(d, &host, e) < 0)
		return -1;
	memcpy(own.scope_host, host.sign_pk, 32);
	crypto_x_public(k->reader->b, own.seal_pk);
	(void)snprintf(own.label, sizeof(own.label), "%s", name);
	if (descriptor_add(d, &own, e) < 0)
		return -1;
	return grant_prune(d, &own, k->prune, e);
}

int init_open_store(const struct config *c, const struct secret *recovery,
		    const struct key_pin *pin, struct store **s, struct descriptor *d,
		    struct err *e)
{
	uint8_t authority[32];
	struct descriptor_trust trust = { .authority = authority, .min_epoch = 1 };

	if (init_authority_public(recovery, authority, e) < 0 ||
	    store_open(c->store_location, NULL, s, e) < 0)
		return -1;
	trust.store_id = store_id(*s);
	/* Another store's pin says nothing; the caller refuses it. */
	if (pin && memcmp(pin->store_id, trust.store_id, 16) == 0 &&
	    memcmp(pin->authority, authority, 32) == 0)
		trust.min_epoch = pin->epoch;
	if (descriptor_load(*s, &trust, d, e) == 0)
		return 0;
	store_free(*s);
	*s = NULL;
	if (e->kind == ERR_STORE)
		return err_set(e, ERR_KEY,
			       "store %s: is not signed by this recovery key: is it the right "
			       "key, and the right store?",
			       c->store_location);
	return -1;
}

int init_publish(struct store *s, struct descriptor *d, const struct secret *recovery,
		 struct err *e)
{
	struct secret *authority = NULL;
	int result;

	memcpy(d->previous, d->hash, sizeof(d->previous));
	d->epoch++;
	if (key_recovery_authority(recovery, &authority, e) < 0)
		return -1;
	result = descriptor_publish(s, d, authority, e);
	secret_free(authority);
	if (result == 1)
		return err_set(e, ERR_REFUSED,
			       "store %s: another host changed its descriptor just now: run "
			       "this again",
			       store_location(s));
	return result;
}
