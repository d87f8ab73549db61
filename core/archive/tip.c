/* One fixed record, with a keyed hash under a key that only this host has:
 *
 *     0 "VSTIP1\0\0"   8 stream id   24 nonce   40 archive id   56 u64 seq   64 trailer
 * hash 96 chain   128 u64 entries   136 i64 day   144 u8 has day   145 u8 next place in
 * the ring 146 u8 partial 147 5 zero   152 8 x 16 abandoned archive ids   280 32 hash of all before
 *
 * It is written beside and renamed, so what is there is whole, or was written by nobody
 * of us. */
#include "archive/tip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "archive/crypto.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/scope.h"
#include "base/wire.h"

#define TIP_MAGIC "VSTIP1" /* and two NULs */
#define MAC_AT 280
#define RECORD_LEN (MAC_AT + 32)
#define POLL_MS 100

/* ---- directory ---- */

static char *tip_path(const char *state, enum stream_kind kind, const char *name)
{
	const char *word = kind == STREAM_VOLUME ? "volume"
			   : kind == STREAM_BIND ? "bind"
						 : "file";
	char escaped[STORE_NAME_MAX];
	char *path = NULL;

	stream_escape(name, escaped);
	return asprintf(&path, "%s/%s-%s", state, word, escaped) < 0 ? NULL : path;
}

int tip_dir(const char *state, enum stream_kind kind, const char *name, struct err *e)
{
	auto_free char *path = tip_path(state, kind, name);

	if (!path)
		return err_memory(e);
	if (file_make_dirs(path, 0700, e) < 0)
		return -1;
	return file_open_dir(AT_FDCWD, path, true, e);
}

int tip_find(const char *state, enum stream_kind kind, const char *name)
{
	auto_free char *path = tip_path(state, kind, name);
	struct err ignored = ERR_EMPTY;

	return path ? file_open_dir(AT_FDCWD, path, true, &ignored) : -1;
}

/* ---- lock ---- */

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int busy(int fd, struct err *e)
{
	char text[24] = "";
	ssize_t n = file_pread(fd, text, sizeof(text) - 1, 0);
	unsigned long pid = n > 0 ? strtoul(text, NULL, 10) : 0;

	if (pid == 0)
		return err_set(e, ERR_FAILED, "busy: another volsnap works on it");
	return err_set(e, ERR_FAILED, "busy: another volsnap (pid %lu) works on it", pid);
}

static int lock_wait(int fd, unsigned wait_s, struct err *e)
{
	const struct timespec step = { .tv_nsec = POLL_MS * 1000000L };
	int64_t until = now_ms() + (int64_t)wait_s * 1000;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, "lock");
		if (now_ms() >= until)
			return busy(fd, e);
		if (interrupt_check(e) < 0)
			return -1;
		(void)nanosleep(&step, NULL);
	}
	return 0;
}

int tip_lock(int dirfd, unsigned wait_s, struct err *e)
{
	auto_close int fd =
		openat(dirfd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	char text[24];
	int n;

	if (fd < 0)
		return err_sys(e, "open lock");
	if (lock_wait(fd, wait_s, e) < 0)
		return -1;
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || file_pwrite(fd, text, (size_t)n, 0) < 0)
		return err_sys(e, "write lock");
	return take_fd(&fd);
}

/* ---- records ---- */

static void record_mac(const struct secret *host, const uint8_t *raw, uint8_t out[32])
{
	uint8_t key[32];

	crypto_b2("vs1.key.tip", host->b, 32, "", 0, key, sizeof(key));
	crypto_b2("vs1.tip", key, sizeof(key), raw, MAC_AT, out, 32);
	crypto_wipe(key, sizeof(key));
}

static void record_encode(const struct tip *t, const struct secret *host,
			  uint8_t p[RECORD_LEN])
{
	memset(p, 0, RECORD_LEN);
	memcpy(p, TIP_MAGIC, sizeof(TIP_MAGIC));
	memcpy(p + 8, t->stream_id, 16);
	memcpy(p + 24, t->nonce, 16);
	memcpy(p + 40, t->archive.id, 16);
	wire_set64(p + 56, t->archive.seq);
	memcpy(p + 64, t->archive.trailer_hash, 32);
	memcpy(p + 96, t->chain, 32);
	wire_set64(p + 128, t->entries);
	wire_set64(p + 136, (uint64_t)t->complete_day);
	p[144] = t->has_complete;
	p[145] = t->abandoned_at;
	p[146] = t->partial;
	memcpy(p + 152, t->abandoned, sizeof(t->abandoned));
	record_mac(host, p, p + MAC_AT);
}

static bool fields_decode(const uint8_t *p, struct tip *t)
{
	struct cursor c = cursor_make(p + 8, MAC_AT - 8);
	uint8_t has_complete, partial;

	cursor_copy(&c, t->stream_id, 16);
	cursor_copy(&c, t->nonce, 16);
	cursor_copy(&c, t->archive.id, 16);
	t->archive.seq = cursor_u64(&c);
	cursor_copy(&c, t->archive.trailer_hash, 32);
	cursor_copy(&c, t->chain, 32);
	t->entries = cursor_u64(&c);
	t->complete_day = (int64_t)cursor_u64(&c);
	has_complete = cursor_u8(&c);
	t->has_complete = has_complete;
	t->abandoned_at = cursor_u8(&c);
	partial = cursor_u8(&c);
	t->partial = partial;
	cursor_zeros(&c, 5);
	cursor_copy(&c, t->abandoned, sizeof(t->abandoned));
	return cursor_done(&c) && has_complete <= 1 && partial <= 1 && t->abandoned_at < TIP_ABANDONED;
}

/* NULL, or why it is as good as lost. */
static const char *record_decode(const struct bytes *raw, const struct secret *host,
				 struct tip *out)
{
	static const uint8_t magic[8] = TIP_MAGIC;
	uint8_t mac[32];

	if (raw->len != RECORD_LEN || memcmp(raw->p, magic, sizeof(magic)) != 0)
		return "has a damaged record of this volume";
	record_mac(host, raw->p, mac);
	if (!crypto_equal(mac, raw->p + MAC_AT, sizeof(mac)))
		return "has a record of this volume that is damaged or was not written "
		       "with this "
		       "host's key";
	return fields_decode(raw->p, out) ? NULL : "has a damaged record of this volume";
}

int tip_load(int dirfd, const char *name, const struct secret *host, struct tip *out,
	     const char **why, struct err *e)
{
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err ignored = ERR_EMPTY;
	int found = bytes_reserve(&raw, RECORD_LEN + 1, e);

	*why = NULL;
	if (found < 0)
		return -1;
	found = file_load(dirfd, name, RECORD_LEN, &raw, &ignored);
	if (found == 1)
		return 1;
	*why = found < 0 ? "has an unreadable record of this volume"
			 : record_decode(&raw, host, out);
	return *why != NULL;
}

int tip_save(int dirfd, const char *name, const struct secret *host, const struct tip *t,
	     struct err *e)
{
	uint8_t raw[RECORD_LEN];

	record_encode(t, host, raw);
	return file_save(dirfd, name, raw, sizeof(raw), 0600, true, e);
}

int tip_promote(int dirfd, struct err *e)
{
	if (renameat(dirfd, "next", dirfd, "tip") < 0)
		return err_sys(e, "rename next to tip");
	return file_sync_dir(dirfd, ".", e);
}

int tip_drop_next(int dirfd, struct err *e)
{
	if (unlinkat(dirfd, "next", 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove next");
	return file_sync_dir(dirfd, ".", e);
}

/* ---- runs that did not commit ---- */

bool tip_is_abandoned(const struct tip *t, const uint8_t archive_id[16])
{
	if (crypto_is_zero(archive_id, 16)) /* an empty place of the ring */
		return false;
	for (size_t i = 0; i < TIP_ABANDONED; i++)
		if (memcmp(t->abandoned[i], archive_id, 16) == 0)
			return true;
	return false;
}

void tip_abandon(struct tip *t, const uint8_t archive_id[16])
{
	if (tip_is_abandoned(t, archive_id))
		return;
	memcpy(t->abandoned[t->abandoned_at % TIP_ABANDONED], archive_id, 16);
	t->abandoned_at = (uint8_t)((t->abandoned_at + 1) % TIP_ABANDONED);
}
