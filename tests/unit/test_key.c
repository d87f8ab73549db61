/* Key files, what keys derive, and the pin. */
#include <ctype.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "archive/crypto.h"
#include "base/err.h"
#include "base/file.h"
#include "key_kit.h"

static int dir = -1;
static char dir_name[] = "/tmp/test_key.XXXXXX";

static int group_setup(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	if (crypto_init(&e) < 0 || !mkdtemp(dir_name))
		return -1;
	dir = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int group_teardown(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	(void)close(dir);
	return file_remove_tree(AT_FDCWD, dir_name, &e);
}

static void put_file(const char *name, const void *p, size_t n, mode_t mode)
{
	struct err e = ERR_EMPTY;

	assert_int_equal(file_save(dir, name, p, n, mode, true, &e), 0);
}

/* A key that was saved loads as the same key, and the file is the 64 bytes of section 2.
 */
static void test_round_trip(void **state)
{
	static const enum key_role roles[] = { KEY_HOST, KEY_READER, KEY_PRUNE };
	struct err e = ERR_EMPTY;
	struct secret *s = secret_random(&e);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct secret *back = NULL;
		uint8_t raw[KEY_FILE_LEN + 1], check[16], role = (uint8_t)roles[i];
		int fd;

		assert_int_equal(key_save(dir, "a.key", roles[i], s, true, &e), 0);
		assert_int_equal(key_load(dir, "a.key", roles[i], &back, &e), 0);
		assert_memory_equal(back->b, s->b, 32);
		secret_free(back);
		fd = openat(dir, "a.key", O_RDONLY | O_CLOEXEC);
		assert_int_equal(read(fd, raw, sizeof(raw)), KEY_FILE_LEN);
		(void)close(fd);
		crypto_b2("vs1.kc", s->b, 32, &role, 1, check, 16);
		assert_memory_equal(raw, "VSKEY1\0\0", 8);
		assert_int_equal(raw[8], role);
		assert_true(crypto_is_zero(raw + 9, 7));
		assert_memory_equal(raw + 16, s->b, 32);
		assert_memory_equal(raw + 48, check, 16);
	}
	secret_free(s);
}

/* In place of libc's openat: remembers with which modes files are created. */
int watched_openat(int at, const char *name, int flags, ...) __asm__("openat64");
static mode_t created_modes;
static int n_created;

int watched_openat(int at, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT) {
		mode = va_arg(ap, mode_t);
		created_modes |= mode;
		n_created++;
	}
	va_end(ap);
	return (int)syscall(SYS_openat, at, name, flags, mode);
}

/* A key file is 0600 from its creation under umask 0, so nobody else can open it at any
 * moment (trap T34a). */
static void test_mode(void **state)
{
	struct err e = ERR_EMPTY;
	struct secret *s = known_secret();
	mode_t before = umask(0);
	struct stat st;

	(void)state;
	created_modes = 0;
	n_created = 0;
	assert_int_equal(key_save(dir, "mode.key", KEY_HOST, s, false, &e), 0);
	(void)umask(before);
	assert_int_equal(n_created, 1);
	assert_int_equal(created_modes, 0600);
	assert_int_equal(fstatat(dir, "mode.key", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	secret_free(s);
}

/* Without `replace` a key that is there is kept, and the outcome is 1. */
static void test_keep(void **state)
{
	struct err e = ERR_EMPTY;
	struct secret *s = known_secret(), *other = secret_random(&e), *back = NULL;

	(void)state;
	assert_int_equal(key_save(dir, "keep.key", KEY_HOST, s, false, &e), 0);
	assert_int_equal(key_save(dir, "keep.key", KEY_HOST, other, false, &e), 1);
	assert_int_equal(key_load(dir, "keep.key", KEY_HOST, &back, &e), 0);
	assert_memory_equal(back->b, s->b, 32);
	secret_free(back);
	secret_free(other);
	secret_free(s);
}

/* The recovery key is never written to a file, nor read from one. */
static void test_no_recovery_file(void **state)
{
	struct err e = ERR_EMPTY;
	struct secret *s = known_secret(), *back = NULL;
	uint8_t raw[KEY_FILE_LEN] = "VSKEY1", role = KEY_RECOVERY;
	struct stat st;

	(void)state;
	assert_int_equal(key_save(dir, "s.key", KEY_RECOVERY, s, true, &e), -1);
	assert_int_equal(e.kind, ERR_KEY);
	assert_int_equal(fstatat(dir, "s.key", &st, 0), -1);
	raw[8] = role;
	memcpy(raw + 16, s->b, 32);
	crypto_b2("vs1.kc", s->b, 32, &role, 1, raw + 48, 16);
	assert_int_equal(key_decode(raw, KEY_RECOVERY, &back, &e), -1);
	assert_int_equal(e.kind, ERR_KEY);
	secret_free(s);
}

/* A missing key file is an outcome; one of another role names both roles. */
static void test_missing_and_role(void **state)
{
	struct err e = ERR_EMPTY;
	struct secret *s = known_secret(), *back = NULL;

	(void)state;
	assert_int_equal(key_load(dir, "none.key", KEY_HOST, &back, &e), 1);
	assert_int_equal(key_save(dir, "r.key", KEY_READER, s, true, &e), 0);
	assert_int_equal(key_load(dir, "r.key", KEY_HOST, &back, &e), -1);
	assert_int_equal(e.kind, ERR_KEY);
	assert_non_null(strstr(e.text, "r.key: is a reader key, not a host key"));
	assert_null(back);
	secret_free(s);
}

/* A key file that group or others may touch is refused, and the message says chmod. */
static void test_permissions(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0644, 0666 };
	struct err e = ERR_EMPTY;
	struct secret *s = known_secret(), *back = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(key_save(dir, "p.key", KEY_HOST, s, true, &e), 0);
		assert_int_equal(fchmodat(dir, "p.key", modes[i], 0), 0);
		assert_int_equal(key_load(dir, "p.key", KEY_HOST, &back, &e), -1);
		assert_int_equal(e.kind, ERR_KEY);
		assert_non_null(strstr(e.text, "chmod 600"));
	}
	assert_int_equal(fchmodat(dir, "p.key", 0400, 0), 0);
	assert_int_equal(key_load(dir, "p.key", KEY_HOST, &back, &e), 0);
	secret_free(back);
	secret_free(s);
}

/* Every single bit of a key file matters. */
static void test_bit_flips(void **state)
{
	struct err e = ERR_EMPTY;
	struct secret *s = known_secret(), *back = NULL;
	uint8_t raw[KEY_FILE_LEN] = "VSKEY1", role = KEY_HOST;

	(void)state;
	raw[8] = role;
	memcpy(raw + 16, s->b, 32);
	crypto_b2("vs1.kc", s->b, 32, &role, 1, raw + 48, 16);
	assert_int_equal(key_decode(raw, KEY_HOST, &back, &e), 0);
	secret_free(back);
	back = NULL;
	for (size_t bit = 0; bit < 8 * sizeof(raw); bit++) {
		raw[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(key_decode(raw, KEY_HOST, &back, &e), -1);
		assert_int_equal(e.kind, ERR_KEY);
		assert_null(back);
		raw[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	secret_free(s);
}

/* A good key with bytes missing or too many, and what is no regular file, is ERR_KEY by
 * name. */
static void test_lengths(void **state)
{
	uint8_t raw[KEY_FILE_LEN + 8] = "VSKEY1";
	struct err e = ERR_EMPTY;
	struct secret *back = NULL;

	(void)state;
	raw[8] = KEY_HOST;
	crypto_b2("vs1.kc", raw + 16, 32, raw + 8, 1, raw + 48, 16);
	for (size_t n = 0; n <= sizeof(raw); n++) {
		if (n == KEY_FILE_LEN)
			continue;
		put_file("len.key", raw, n, 0600);
		assert_int_equal(key_load(dir, "len.key", KEY_HOST, &back, &e), -1);
		assert_int_equal(e.kind, ERR_KEY);
		assert_non_null(strstr(e.text, "len.key"));
	}
	assert_int_equal(mkdirat(dir, "dir.key", 0700), 0);
	assert_int_equal(key_load(dir, "dir.key", KEY_HOST, &back, &e), -1);
	assert_int_equal(e.kind, ERR_KEY);
	assert_int_equal(mkfifoat(dir, "fifo.key", 0600), 0);
	assert_int_equal(key_load(dir, "fifo.key", KEY_HOST, &back, &e), -1);
	assert_int_equal(e.kind, ERR_KEY);
}

/* What the keys derive is what section 2 says, so other readers derive the same. */
static void test_derived(void **state)
{
	struct err e = ERR_EMPTY;
	struct secret *s = known_secret();
	static const struct {
		int (*fn)(const struct secret *, struct secret **, struct err *);
		const char *label;
	} cases[] = {
		{ key_recovery_reader, "vs1.seed.x" },
		{ key_recovery_authority, "vs1.seed.ed" },
		{ key_prune_x, "vs1.prune.x" },
		{ key_prune_sign, "vs1.prune.ed" },
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct secret *got = NULL;
		uint8_t want[32];

		crypto_b2(cases[i].label, s->b, 32, "", 0, want, 32);
		assert_int_equal(cases[i].fn(s, &got, &e), 0);
		assert_memory_equal(got->b, want, 32);
		secret_free(got);
	}
	secret_free(s);
}

#define PIN_HEAD                                                                         \
	"volsnap pin 1\nstore abababababababababababababababab\nauthority "              \
	"0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c\n"

/* A pin reads back, and the file is the text that key.h shows. */
static void test_pin(void **state)
{
	static const uint32_t epochs[] = { 0, 1, 4294967295U };
	struct key_pin pin = { .epoch = 0 }, back;
	struct err e = ERR_EMPTY;
	char text[200] = "";
	int fd;

	(void)state;
	memset(pin.store_id, 0xab, sizeof(pin.store_id));
	memset(pin.authority, 0x0c, sizeof(pin.authority));
	assert_int_equal(key_pin_load(dir, "none.pin", &back, &e), 1);
	for (size_t i = 0; i < 3; i++) {
		pin.epoch = epochs[i];
		assert_int_equal(key_pin_save(dir, "store.pin", &pin, &e), 0);
		assert_int_equal(key_pin_load(dir, "store.pin", &back, &e), 0);
		assert_memory_equal(&back, &pin, sizeof(pin));
	}
	fd = openat(dir, "store.pin", O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	(void)close(fd);
	assert_string_equal(text, PIN_HEAD "epoch 4294967295\n");
}

/* A pin that is not exactly what volsnap writes is refused: it decides whom to trust. */
static void test_pin_damaged(void **state)
{
	static const char good[] = PIN_HEAD "epoch 7\n";
	static const char *const tails[] = { "epoch 07\n",
					     "epoch 4294967296\n",
					     "epoch -1\n",
					     "epoch\n",
					     "epoch 7\n\n",
					     "epoch 7 \n",
					     "epoch 99999999999999999999\n" };
	struct key_pin pin = { .epoch = 5 };
	struct err e = ERR_EMPTY;
	char text[300];
	size_t head = strlen(PIN_HEAD);

	(void)state;
	put_file("bad.pin", good, sizeof(good) - 1, 0600);
	assert_int_equal(key_pin_load(dir, "bad.pin", &pin, &e), 0);
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		put_file("bad.pin", good, n, 0600);
		assert_int_equal(key_pin_load(dir, "bad.pin", &pin, &e), -1);
		assert_int_equal(e.kind, ERR_KEY);
		memcpy(text, good, sizeof(good));
		text[n] = text[n] == ' ' ? '\t' : (char)(text[n] ^ 0x20);
		put_file("bad.pin", text, sizeof(good) - 1, 0600);
		assert_int_equal(key_pin_load(dir, "bad.pin", &pin, &e), -1);
	}
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		memcpy(text, good, head);
		memcpy(text + head, tails[i], strlen(tails[i]));
		put_file("bad.pin", text, head + strlen(tails[i]), 0600);
		assert_int_equal(key_pin_load(dir, "bad.pin", &pin, &e), -1);
		assert_int_equal(e.kind, ERR_KEY);
	}
	put_file("bad.pin", good, sizeof(good), 0600); /* with its NUL */
	assert_int_equal(key_pin_load(dir, "bad.pin", &pin, &e), -1);
	assert_int_equal(pin.epoch, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_no_recovery_file),
		cmocka_unit_test(test_missing_and_role),
		cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_derived),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_pin_damaged),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
