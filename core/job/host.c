#include "job/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "store/store.h"

void host_close(struct host *h)
{
	for (size_t i = 0; i < h->n_readers; i++)
		secret_free(h->readers[i]);
	secret_free(h->key);
	descriptor_free(&h->d);
	store_free(h->store);
	*h = (struct host)HOST_EMPTY;
}

static void wipe_bytes(struct bytes *b)
{
	if (b->p)
		crypto_wipe(b->p, b->cap);
	bytes_free(b);
}

#define auto_wiped __attribute__((cleanup(wipe_bytes)))

static int load_key_text(const char *file, struct bytes *text, struct err *e)
{
	ssize_t got;

	if (strcmp(file, "-") != 0) {
		int found = file_load(AT_FDCWD, file, 4096, text, e);

		if (found == 1)
			return err_set(e, ERR_KEY, "key file %s: no such file", file);
		if (found < 0)
			e->kind = ERR_KEY;
		return found;
	}
	if (bytes_reserve(text, 4096, e) < 0)
		return -1;
	got = file_read(STDIN_FILENO, text->p, 4096);
	if (got < 0)
		return err_sys_kind(e, ERR_KEY, "read the key from standard input");
	text->len = (size_t)got;
	return 0;
}

static int key_of_text(const struct bytes *text, struct secret **recovery,
		       struct secret **reader, struct err *e)
{
	if (text->len == KEY_FILE_LEN && memcmp(text->p, "VSKEY1", 6) == 0)
		return key_decode(text->p, KEY_READER, reader, e);
	return key_from_paper((const char *)text->p, text->len, recovery, e);
}

int host_read_key(const char *file, struct secret **recovery, struct secret **reader,
		  struct err *e)
{
	auto_wiped struct bytes text = BYTES_EMPTY;

	if (load_key_text(file, &text, e) < 0)
		return -1;
	if (key_of_text(&text, recovery, reader, e) < 0)
		return err_in(e, "key %s", strcmp(file, "-") == 0 ? "on standard input" : file);
	return 0;
}

static void add_reader(struct host *h, struct secret *x)
{
	if (h->n_readers < HOST_READERS_MAX)
		h->readers[h->n_readers++] = x;
	else
		secret_free(x);
}

/* A recovery key reads through the X25519 half that it derives. */
static int add_key(struct host *h, struct secret *recovery, struct secret *reader, struct err *e)
{
	struct secret *x = NULL;

	if (reader) {
		add_reader(h, reader);
		return 0;
	}
	if (key_recovery_reader(recovery, &x, e) < 0) {
		secret_free(recovery);
		return -1;
	}
	secret_free(recovery);
	add_reader(h, x);
	return 0;
}

static int add_key_file(struct host *h, const char *file, struct err *e)
{
	struct secret *recovery = NULL, *reader = NULL;

	if (host_read_key(file, &recovery, &reader, e) < 0)
		return -1;
	return add_key(h, recovery, reader, e);
}

/* An expected credential that is empty or damaged must not pass for none. */
static int add_credential(struct host *h, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	auto_free char *path = NULL;

	if (!dir || !*dir)
		return 0;
	path = file_join(dir, "volsnap.reader");
	if (!path)
		return err_memory(e);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	return add_key_file(h, path, e);
}

static int load_keys(struct host *h, const struct host_options *o, struct err *e)
{
	auto_close int dir = open(h->config->keys_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct secret *reader = NULL;
	int found;

	if (dir < 0)
		return err_sys_kind(e, ERR_KEY, "keys directory %s", h->config->keys_dir);
	found = key_load(dir, "host.key", KEY_HOST, &h->key, e);
	if (found < 0)
		return err_in(e, "%s", h->config->keys_dir);
	if (found == 1 && o->write)
		return err_set(e, ERR_KEY,
			       "%s/host.key: no such file: this host only reads; to take "
			       "snapshots: volsnap init --join",
			       h->config->keys_dir);
	if (h->key)
		crypto_sign_public(h->key->b, h->pk);
	if (o->key_file && add_key_file(h, o->key_file, e) < 0)
		return -1;
	if (add_credential(h, e) < 0)
		return -1;
	found = key_load(dir, "reader.key", KEY_READER, &reader, e);
	if (found < 0)
		return err_in(e, "%s", h->config->keys_dir);
	if (found == 0)
		add_reader(h, reader);
	return 0;
}

static int load_pin(struct host *h, struct err *e)
{
	auto_close int dir = open(h->config->keys_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int found = 1;

	if (dir >= 0)
		found = key_pin_load(dir, "store.pin", &h->pin, e);
	else if (errno != ENOENT)
		return err_sys_kind(e, ERR_KEY, "keys directory %s", h->config->keys_dir);
	if (found == 1)
		return err_set(e, ERR_KEY,
			       "%s: no keys here: volsnap init makes them, volsnap key import "
			       "takes a recovery key",
			       h->config->keys_dir);
	return found;
}

/* An older descriptor than the newest one seen is a rollback: remember the highest. */
static int remember_epoch(struct host *h, struct err *e)
{
	auto_close int dir = -1;

	if (h->d.epoch == h->pin.epoch)
		return 0;
	h->pin.epoch = h->d.epoch;
	dir = open(h->config->keys_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys_kind(e, ERR_KEY, "keys directory %s", h->config->keys_dir);
	if (key_pin_save(dir, "store.pin", &h->pin, e) < 0)
		return e->sys == EROFS ? 0 : -1; /* a read-only recovery system */
	return 0;
}

int host_open(const struct config *c, const struct host_options *o, struct host *out,
	      struct err *e)
{
	struct descriptor_trust trust = { .store_id = out->pin.store_id,
					  .authority = out->pin.authority,
					  .report = o->report };

	*out = (struct host)HOST_EMPTY;
	out->config = c;
	if (load_pin(out, e) < 0) {
		host_close(out);
		return -1;
	}
	trust.min_epoch = out->pin.epoch;
	if (store_open(c->store_location, out->pin.store_id, &out->store, e) < 0 ||
	    descriptor_load(out->store, &trust, &out->d, e) < 0 ||
	    remember_epoch(out, e) < 0 || load_keys(out, o, e) < 0) {
		host_close(out);
		return -1;
	}
	return 0;
}

int host_need_reader(struct host *h, const struct host_options *o, struct err *e)
{
	auto_wiped struct bytes text = BYTES_EMPTY;
	struct secret *recovery = NULL, *reader = NULL;
	int asked = 1;

	if (h->n_readers > 0)
		return 0;
	if (o->ask)
		asked = o->ask(o->ask_ctx, &text, e);
	if (asked < 0)
		return -1;
	if (asked == 1)
		return err_set(e, ERR_KEY,
			       "no reading key on this host: give the recovery key with "
			       "--key FILE, or put a reader key in %s",
			       h->config->keys_dir);
	if (key_of_text(&text, &recovery, &reader, e) < 0)
		return -1;
	return add_key(h, recovery, reader, e);
}

struct reader_keys host_reader_keys(const struct host *h)
{
	return (struct reader_keys){ .n = h->n_readers,
				     .x = (const struct secret *const *)h->readers };
}
