/* Keys at rest: the 64 bytes of a key file, what the recovery and prune keys derive, the
 * pin. Raw key bytes only ever lie in locked memory.  The paper text is in paper.c; see
 * key.h. */
#include "archive/key.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/crypto.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"

/* Key file: magic, u8 role, 7 zero, 32 secret, 16 check. */
#define MAGIC "VSKEY1\0"
#define AT_ROLE 8
#define AT_SECRET 16
#define AT_CHECK 48
#define CHECK_LEN 16
_Static_assert(sizeof(MAGIC) == AT_ROLE, "the literal's own NUL is the eighth byte");
_Static_assert(AT_CHECK + CHECK_LEN == KEY_FILE_LEN, "key file layout");

/* One key file's bytes, in locked memory. */
struct raw_key {
	uint8_t b[KEY_FILE_LEN];
};

static void raw_drop(struct raw_key **raw) { crypto_unlock(*raw); }
#define auto_raw __attribute__((cleanup(raw_drop)))

struct secret *secret_new(struct err *e) { return crypto_lock(sizeof(struct secret), e); }

struct secret *secret_random(struct err *e)
{
	struct secret *s = secret_new(e);

	if (s)
		crypto_random(s->b, sizeof(s->b));
	return s;
}

void secret_free(struct secret *s) { crypto_unlock(s); }

static const char *role_word(unsigned role)
{
	static const char *const words[] = { "unknown", "host", "recovery", "reader",
					     "prune" };

	return role < sizeof(words) / sizeof(words[0]) ? words[role] : words[0];
}

/* The recovery key is never written to a file (DESIGN 4.8). */
static bool role_has_file(enum key_role role)
{
	return role == KEY_HOST || role == KEY_READER || role == KEY_PRUNE;
}

static void check_of(const uint8_t secret[32], uint8_t role, uint8_t out[CHECK_LEN])
{
	crypto_b2("vs1.kc", secret, 32, &role, 1, out, CHECK_LEN);
}

int key_save(int dirfd, const char *name, enum key_role role, const struct secret *s,
	     bool replace, struct err *e)
{
	auto_raw struct raw_key *raw = NULL;

	if (!role_has_file(role))
		return err_set(e, ERR_KEY, "%s: a %s key is never written to a file",
			       name, role_word(role));
	raw = crypto_lock(sizeof(*raw), e);
	if (!raw)
		return -1;
	memcpy(raw->b, MAGIC, sizeof(MAGIC));
	raw->b[AT_ROLE] = (uint8_t)role;
	memcpy(raw->b + AT_SECRET, s->b, sizeof(s->b));
	check_of(s->b, (uint8_t)role, raw->b + AT_CHECK);
	return file_save(dirfd, name, raw->b, sizeof(raw->b), 0600, replace, e);
}

int key_decode(const uint8_t raw[KEY_FILE_LEN], enum key_role role, struct secret **out,
	       struct err *e)
{
	uint8_t check[CHECK_LEN];
	uint8_t found = raw[AT_ROLE];

	if (memcmp(raw, MAGIC, sizeof(MAGIC)) != 0)
		return err_set(e, ERR_KEY, "not a key file of volsnap");
	check_of(raw + AT_SECRET, found, check);
	if (!crypto_is_zero(raw + AT_ROLE + 1, AT_SECRET - AT_ROLE - 1) ||
	    !crypto_equal(check, raw + AT_CHECK, CHECK_LEN))
		return err_set(e, ERR_KEY, "key file is damaged");
	if (found != (uint8_t)role || !role_has_file(role))
		return err_set(e, ERR_KEY, "is a %s key, not a %s key", role_word(found),
			       role_word(role));
	*out = secret_new(e);
	if (!*out)
		return -1;
	memcpy((*out)->b, raw + AT_SECRET, sizeof((*out)->b));
	return 0;
}

/* What can be said of a key file before it is read. */
static int check_file(const char *name, const struct stat *st, struct err *e)
{
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_KEY, "%s: not a regular file", name);
	if (st->st_mode & 077)
		return err_set(e, ERR_KEY,
			       "%s: open to others (mode %04o): chmod 600 it, and "
			       "replace the key if others could read it",
			       name, (unsigned)st->st_mode & 07777U);
	if (st->st_size != KEY_FILE_LEN)
		return err_set(e, ERR_KEY,
			       "%s: not a key file of volsnap (%jd bytes, not %d)", name,
			       (intmax_t)st->st_size, KEY_FILE_LEN);
	return 0;
}

static int load_error(const char *verb, const char *name, struct err *e)
{
	return err_sys_kind(e, ERR_KEY, "%s %s", verb, name);
}

int key_load(int dirfd, const char *name, enum key_role role, struct secret **out,
	     struct err *e)
{
	auto_close int fd =
		openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	auto_raw struct raw_key *raw = NULL;
	struct stat st;
	ssize_t got;

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return load_error("open", name, e);
	if (check_file(name, &st, e) < 0)
		return -1;
	raw = crypto_lock(sizeof(*raw), e);
	if (!raw)
		return -1;
	got = file_read(fd, raw->b, sizeof(raw->b));
	if (got < 0)
		return load_error("read", name, e);
	if (got != KEY_FILE_LEN)
		return err_set(e, ERR_KEY, "%s: changed while it was read", name);
	return key_decode(raw->b, role, out, e) < 0 ? err_in(e, "%s", name) : 0;
}

/* B2(label, from, "", 32) in memory of its own. */
static int derive(const char *label, const struct secret *from, struct secret **out,
		  struct err *e)
{
	*out = secret_new(e);
	if (!*out)
		return -1;
	crypto_b2(label, from->b, sizeof(from->b), "", 0, (*out)->b, sizeof((*out)->b));
	return 0;
}

int key_recovery_reader(const struct secret *recovery, struct secret **x_secret,
			struct err *e)
{
	return derive("vs1.seed.x", recovery, x_secret, e);
}

int key_recovery_authority(const struct secret *recovery, struct secret **seed,
			   struct err *e)
{
	return derive("vs1.seed.ed", recovery, seed, e);
}

int key_prune_x(const struct secret *prune, struct secret **x_secret, struct err *e)
{
	return derive("vs1.prune.x", prune, x_secret, e);
}

int key_prune_sign(const struct secret *prune, struct secret **seed, struct err *e)
{
	return derive("vs1.prune.ed", prune, seed, e);
}

/* ---- the pin ---- */

#define PIN_MAX 160

static size_t pin_text(const struct key_pin *pin, char out[PIN_MAX])
{
	char id[2 * sizeof(pin->store_id) + 1], authority[2 * sizeof(pin->authority) + 1];

	crypto_hex(pin->store_id, sizeof(pin->store_id), id);
	crypto_hex(pin->authority, sizeof(pin->authority), authority);
	return (size_t)snprintf(out, PIN_MAX,
				"volsnap pin 1\nstore %s\nauthority %s\nepoch %" PRIu32
				"\n",
				id, authority, pin->epoch);
}

int key_pin_save(int dirfd, const char *name, const struct key_pin *pin, struct err *e)
{
	char text[PIN_MAX];
	size_t n = pin_text(pin, text);

	return file_save(dirfd, name, text, n, 0600, true, e);
}

/* Read loosely, then demand that the same values written again are the same bytes. */
static bool pin_parse(const char *text, size_t n, struct key_pin *pin)
{
	char id[2 * sizeof(pin->store_id) + 1], authority[2 * sizeof(pin->authority) + 1];
	char again[PIN_MAX];
	unsigned long long epoch;

	if (sscanf(text,
		   "volsnap pin 1\nstore %32[0-9a-f]\nauthority %64[0-9a-f]\nepoch "
		   "%10llu",
		   id, authority, &epoch) != 3 ||
	    epoch > UINT32_MAX ||
	    !crypto_unhex(id, pin->store_id, sizeof(pin->store_id)) ||
	    !crypto_unhex(authority, pin->authority, sizeof(pin->authority)))
		return false;
	pin->epoch = (uint32_t)epoch;
	return pin_text(pin, again) == n && memcmp(again, text, n) == 0;
}

int key_pin_load(int dirfd, const char *name, struct key_pin *pin, struct err *e)
{
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct key_pin read = { .epoch = 0 };
	char text[PIN_MAX] = "";
	int got = file_load(dirfd, name, sizeof(text) - 1, &raw, e);

	if (got < 0)
		e->kind = ERR_KEY;
	if (got != 0)
		return got;
	if (raw.len > 0)
		memcpy(text, raw.p, raw.len);
	if (!pin_parse(text, raw.len, &read))
		return err_set(e, ERR_KEY, "%s: damaged: it is not what volsnap wrote",
			       name);
	*pin = read;
	return 0;
}
