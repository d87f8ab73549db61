/* Whole parts of the wrong host, store, name or place: forged, foreign, renamed,
 * impossible. */
#include "part_kit.h"

static const size_t small[] = { 1000, 20000 }; /* two segments */

/* Signed by another key than the header's host key: refused (T31). */
static void other_signer(void **state)
{
	auto_part struct kit_part p;
	uint64_t offsets[2];

	(void)state;
	kit_part_init(&p, 1);
	kit_part_write(&p, small, 2, offsets, kit.reader);
	kit_refused(&p, "signature");
}

/* Header and signature by a host key that has no grant: refused (T31), until it has one.
 */
static void no_grant(void **state)
{
	auto_part struct kit_part p;
	uint64_t offsets[2];

	(void)state;
	kit_part_init(&p, 1);
	crypto_sign_public(kit.reader->b, p.h.stream.host_pk);
	stream_identify(&p.h.stream);
	kit_part_write(&p, small, 2, offsets, kit.reader);
	kit_refused(&p, "without a grant");
	crypto_sign_public(kit.reader->b, kit.grant.sign_pk);
	assert_int_equal(kit_opens(&p), 0);
	crypto_sign_public(kit.host->b, kit.grant.sign_pk);
}

/* A host that calls itself as another host is foreign; so is a part of another store. */
static void foreign(void **state)
{
	auto_part struct kit_part p, q;
	uint64_t offsets[2];

	(void)state;
	kit_part_init(&p, 1);
	(void)snprintf(p.h.stream.host, sizeof(p.h.stream.host), "mail");
	kit_part_write(&p, small, 2, offsets, kit.host);
	kit_refused(&p, "label");
	kit_part_init(&q, 1);
	q.h.store_id[3] ^= 1;
	kit_part_write(&q, small, 2, offsets, kit.host);
	kit_refused(&q, "another store");
}

/* Write P under a name that is that of its header with NEW in place of OLD. */
static void write_renamed(struct kit_part *p, const char *old, const char *new)
{
	uint64_t offsets[2];
	char right[sizeof(p->name)], *at;

	kit_part_name(p);
	memcpy(right, p->name, sizeof(right));
	at = strstr(right, old);
	assert_non_null(at);
	(void)snprintf(p->name, sizeof(p->name), "%.*s%s%s", (int)(at - right), right,
		       new, at + strlen(old));
	kit_part_write(p, small, 2, offsets, kit.host);
}

/* Sequence number, archive id, part number, stream id, and what kind of part it is must
 * be those of the name; host and volume in it are hints. */
static void names(void **state)
{
	static const struct {
		const char *old, *new;
		bool final;
		int result;
	} cases[] = {
		{ "0000000007-", "0000000008-", true, -1 },
		{ "0000000007-", "7-", true, -1 },
		{ "-a7", "-a8", true, -1 },
		{ ".vsf", ".0001.vsa", true, -1 },
		{ ".vsf", ".vsg", true, -1 },
		{ ".0002.vsa", ".vsf", false, -1 },
		{ ".0002.vsa", ".0001.vsa", false, -1 },
		{ ".0002.vsa", ".2.vsa", false, -1 },
		{ ".0002.vsa", ".0002.vsa", false, 0 },
		{ ".vsf", ".vsf", true, 0 },
		{ "/web/db.", "/other/thing.", true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_part struct kit_part p;

		kit_part_init(&p, 2);
		p.t.final = cases[i].final;
		write_renamed(&p, cases[i].old, cases[i].new);
		if (kit_opens(&p) != cases[i].result)
			fail_msg("case %zu", i);
	}
}

/* A part in another stream's directory is refused, or in none; a missing one is 1. */
static void places(void **state)
{
	auto_part struct kit_part p, q;
	char base[80], dir[10];
	struct part_reader *r = NULL;
	struct err e = ERR_EMPTY;
	uint64_t offsets[2];

	(void)state;
	kit_part_init(&p, 1);
	crypto_hex(p.h.stream.id, 4, dir);
	write_renamed(&p, dir, "00000000");
	assert_int_equal(kit_opens(&p), -1);
	kit_part_init(&q, 1);
	part_header_name(&q.h, true, base, sizeof(base));
	(void)snprintf(q.name, sizeof(q.name), "s/%s", base);
	kit_part_write(&q, small, 2, offsets, kit.host);
	assert_int_equal(kit_opens(&q), -1);
	assert_int_equal(part_reader_open(kit.store, &kit.d, "s/web/x/none.vsf", &r, &e),
			 1);
	assert_null(r);
}

/* What a last part says of itself must be possible: its number, its parent, its
 * dependencies, its ROOT. */
static void impossible(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		auto_part struct kit_part p;
		uint64_t offsets[2];

		kit_part_init(&p, 1);
		p.t.n_deps = 1;
		p.t.deps = calloc(1, sizeof(*p.t.deps));
		assert_non_null(p.t.deps);
		p.t.deps[0].archive.seq = i == 1 ? 7 : 6;
		p.t.has_parent = true;
		p.t.parent.seq = i == 2 ? 7 : 6;
		p.t.root_offset = 2 * SEGMENT_PAYLOAD - 48;
		if (i == 3)
			p.t.root_offset++;
		if (i == 4)
			p.t.root_offset = UINT64_MAX;
		if (i == 5) {
			free(p.t.parts);
			p.t.parts = calloc(2, 32);
			p.t.n_parts = 2;
		}
		kit_part_write(&p, small, 2, offsets, kit.host);
		assert_int_equal(kit_opens(&p), i >= 1 && i <= 5 ? -1 : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_signer), cmocka_unit_test(no_grant),
		cmocka_unit_test(foreign),	cmocka_unit_test(names),
		cmocka_unit_test(places),	cmocka_unit_test(impossible),
	};

	return cmocka_run_group_tests(tests, kit_store_setup, kit_teardown);
}
