/* What test_descriptor.c and test_descriptor_store.c share: two recovery keys, and a
 * descriptor as init makes it. */
#ifndef TESTS_DESCRIPTOR_KIT_H
#define TESTS_DESCRIPTOR_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "archive/crypto.h"
#include "archive/descriptor.h"
#include "base/bytes.h"
#include "base/err.h"

static struct secret *seed, *other_seed;
static uint8_t authority[32], other_authority[32];
static const uint8_t id[16] = "store id 16 byte";

static inline int group_setup(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	if (crypto_init(&e) < 0)
		return -1;
	seed = secret_random(&e);
	other_seed = secret_random(&e);
	crypto_sign_public(seed->b, authority);
	crypto_sign_public(other_seed->b, other_authority);
	return 0;
}

static inline int group_teardown(void **state)
{
	(void)state;
	secret_free(seed);
	secret_free(other_seed);
	return 0;
}

static inline struct grant make_grant(enum key_role role, const char *label, uint8_t byte)
{
	struct grant g = { .role = role };

	if (role == KEY_HOST || role == KEY_PRUNE)
		memset(g.sign_pk, byte, 32);
	if (role != KEY_HOST)
		memset(g.seal_pk, byte + 1, 32);
	if (role == KEY_READER || role == KEY_PRUNE) {
		g.one_host = true;
		memset(g.scope_host, 0x11, 32);
	}
	(void)snprintf(g.label, sizeof(g.label), "%s", label);
	return g;
}

/* A descriptor as init makes it, with a label of each extreme length. */
static inline struct descriptor make_descriptor(uint32_t epoch)
{
	static const char longest[] =
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz12345678901";
	struct descriptor d = { .epoch = epoch };
	struct grant g;
	struct err e = ERR_EMPTY;

	assert_int_equal(strlen(longest), LABEL_MAX);
	memcpy(d.store_id, id, 16);
	g = make_grant(KEY_HOST, "gateway-7", 0x11);
	assert_int_equal(descriptor_add(&d, &g, &e), 0);
	g = make_grant(KEY_RECOVERY, "", 0x21);
	assert_int_equal(descriptor_add(&d, &g, &e), 0);
	g = make_grant(KEY_READER, longest, 0x31);
	assert_int_equal(descriptor_add(&d, &g, &e), 0);
	g = make_grant(KEY_PRUNE, "gateway-7", 0x41);
	assert_int_equal(descriptor_add(&d, &g, &e), 0);
	return d;
}

static inline void encode(struct descriptor *d, const struct secret *with,
			  struct bytes *out)
{
	struct err e = ERR_EMPTY;

	if (descriptor_encode(d, with, out, &e) < 0)
		fail_msg("%s", e.text);
}

#endif
