/* T49: table.c against a plain array, in long random sequences: keys that are alike, several
 * sizes of what stays in memory.  VOLSNAP_SEED sets the seed, which is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/table.h"
#include "base/wire.h"

#define KEYS 20000

static uint64_t seed;

/* splitmix64 */
static uint64_t next(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Key I: of inodes in a row, random, or alike but for one byte, by KIND. */
static void make_key(uint8_t key[16], unsigned kind, uint64_t i)
{
	uint64_t x = i;

	memset(key, 0, 16);
	if (kind == 0) {
		wire_set64(key, i / 3);
		wire_set64(key + 8, i % 3);
	} else if (kind == 1) {
		wire_set64(key, next(&x));
		wire_set64(key + 8, next(&x));
	} else {
		/* multiples of a power of two: the same low bits */
		wire_set64(key + (i & 8), i << 40);
		key[i & 7] ^= (uint8_t)(i >> 3);
		wire_set64(key + 8 - (i & 8), i * 4096);
	}
}

struct model {
	struct table *t;
	uint64_t values[KEYS];
	bool there[KEYS];
	unsigned kind;
};

static void check(struct model *m, uint64_t i)
{
	struct err e = ERR_EMPTY;
	uint64_t value = 0;
	uint8_t key[16];
	int found;

	make_key(key, m->kind, i);
	found = table_get(m->t, key, &value, &e);
	if (found != !m->there[i] || (m->there[i] && value != m->values[i]))
		fail_msg("seed %llu kind %u: key %llu: %d, value %llu", (unsigned long long)seed,
			 m->kind, (unsigned long long)i, found, (unsigned long long)value);
}

static void sequence(unsigned kind, size_t memory, uint64_t keys, unsigned steps)
{
	static struct model m;
	struct err e = ERR_EMPTY;
	uint64_t x = seed + kind + memory * 8;
	uint8_t key[16];

	memset(&m, 0, sizeof(m));
	m.kind = kind;
	assert_int_equal(table_new("/tmp", memory, &m.t, &e), 0);
	for (unsigned s = 0; s < steps; s++) {
		uint64_t i = next(&x) % keys;

		if (next(&x) % 3 == 0) {
			check(&m, i);
			continue;
		}
		m.values[i] = next(&x) % 5 == 0 ? UINT64_MAX - 1 : next(&x) >> 1;
		m.there[i] = true;
		make_key(key, kind, i);
		assert_int_equal(table_put(m.t, key, m.values[i], &e), 0);
		check(&m, i);
	}
	for (uint64_t i = 0; i < KEYS; i++)
		check(&m, i);
	table_free(m.t);
}

/* T49 */
static void t49_model(void **state)
{
	static const size_t memory[] = { 1, 7, 64, 1000, 16384, 65536 };

	(void)state;
	for (unsigned kind = 0; kind < 3; kind++)
		for (size_t i = 0; i < sizeof(memory) / sizeof(*memory); i++) {
			sequence(kind, memory[i], 50, 2000);
			sequence(kind, memory[i], KEYS, 40000);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(t49_model) };
	const char *text = getenv("VOLSNAP_SEED");

	seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
	printf("# seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
