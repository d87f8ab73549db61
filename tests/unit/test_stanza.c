/* Stanzas: who can open them, and that nothing around them can be exchanged. */
#include "part_kit.h"

struct pair {
	uint8_t sk[32], pk[32];
};

static struct pair pair_make(void)
{
	struct pair p;

	crypto_random(p.sk, 32);
	crypto_x_public(p.sk, p.pk);
	return p;
}

/* Each role's stanza gives its payload to its key, and 1 to another key. */
static void roles(void **state)
{
	static const enum key_role all[] = { KEY_RECOVERY, KEY_READER, KEY_PRUNE };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		auto_header struct part_header h;
		struct pair mine = pair_make(), other = pair_make();
		struct err e = ERR_EMPTY;
		uint8_t got[32];

		kit_header_bare(&h, 1);
		kit_stanza_add(&h, all[i], mine.pk, kit.fk);
		assert_int_equal(stanza_open(&h, all[i], mine.sk, got, &e), 0);
		assert_memory_equal(got, kit.fk, 32);
		assert_int_equal(stanza_open(&h, all[i], other.sk, got, &e), 1);
	}
}

/* Two recipients and a pruner each find their own, the pruner the list key. */
static void several(void **state)
{
	auto_header struct part_header h;
	struct pair a = pair_make(), b = pair_make(), p = pair_make();
	struct err e = ERR_EMPTY;
	uint8_t got[32];

	(void)state;
	kit_header_bare(&h, 1);
	kit_stanza_add(&h, KEY_RECOVERY, a.pk, kit.fk);
	kit_stanza_add(&h, KEY_PRUNE, p.pk, kit.list_key);
	kit_stanza_add(&h, KEY_READER, b.pk, kit.fk);
	assert_int_equal(stanza_open(&h, KEY_READER, a.sk, got, &e), 0);
	assert_memory_equal(got, kit.fk, 32);
	assert_int_equal(stanza_open(&h, KEY_RECOVERY, b.sk, got, &e), 0);
	assert_memory_equal(got, kit.fk, 32);
	assert_int_equal(stanza_open(&h, KEY_PRUNE, p.sk, got, &e), 0);
	assert_memory_equal(got, kit.list_key, 32);
}

/* A pruner's stanza is not one of a reader's, nor the other way round, even for the same
 * key. */
static void prune_apart(void **state)
{
	auto_header struct part_header h;
	struct pair p = pair_make();
	struct err e = ERR_EMPTY;
	uint8_t got[32];

	(void)state;
	kit_header_bare(&h, 1);
	kit_stanza_add(&h, KEY_PRUNE, p.pk, kit.list_key);
	assert_int_equal(stanza_open(&h, KEY_READER, p.sk, got, &e), 1);
	h.stanzas[0][0] = KEY_READER;
	assert_int_equal(stanza_open(&h, KEY_READER, p.sk, got, &e), -1);
	assert_int_equal(stanza_open(&h, KEY_PRUNE, p.sk, got, &e), 1);
}

/* Any bit of a stanza flipped: not found any more (role, kid), or found and refused
 * (sealed). */
static void tampered(void **state)
{
	static const uint8_t nothing[32];
	auto_header struct part_header h;

	(void)state;
	kit_header(&h, 1);
	for (size_t bit = 0; bit < 8 * STANZA_LEN; bit++) {
		struct err e = ERR_EMPTY;
		uint8_t got[32];
		int found;

		h.stanzas[0][bit / 8] ^= (uint8_t)(1 << bit % 8);
		found = stanza_open(&h, KEY_READER, kit.reader->b, got, &e);
		h.stanzas[0][bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (bit == 0) { /* reader (3) read as recovery (2): the two are alike */
			assert_int_equal(found, 0);
			continue;
		}
		assert_int_equal(found, bit < 8 * 16 ? 1 : -1);
		if (found < 0) {
			assert_int_equal(e.kind, ERR_DAMAGED);
			assert_memory_equal(got, nothing, 32);
		}
	}
}

/* A stanza opens only in a header of the same store, stream, archive, number, host and
 * ephemeral key; it is the same in every part. */
static void bound(void **state)
{
	struct part_header h;
	uint8_t *fields[] = { h.store_id,	 h.stream.id,	   h.archive_id,
			      (uint8_t *)&h.seq, h.stream.host_pk, h.eph_pk };
	struct err e = ERR_EMPTY;
	uint8_t got[32];

	(void)state;
	kit_header(&h, 1);
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		fields[i][0] ^= 1;
		assert_int_equal(stanza_open(&h, KEY_READER, kit.reader->b, got, &e), -1);
		fields[i][0] ^= 1;
	}
	h.part = 12;
	assert_int_equal(stanza_open(&h, KEY_READER, kit.reader->b, got, &e), 0);
	part_header_free(&h);
}

/* A recipient whose public key gives an all-zero agreement is refused, not sealed to. */
static void low_order(void **state)
{
	static const uint8_t zero[32];
	struct part_header h;
	struct err e = ERR_EMPTY;
	uint8_t out[STANZA_LEN];

	(void)state;
	kit_header_bare(&h, 1);
	assert_int_equal(stanza_seal(&h, KEY_READER, zero, kit.eph->b, kit.fk, out, &e),
			 -1);
	assert_int_equal(e.kind, ERR_KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles),       cmocka_unit_test(several),
		cmocka_unit_test(prune_apart), cmocka_unit_test(tampered),
		cmocka_unit_test(bound),       cmocka_unit_test(low_order),
	};

	return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
