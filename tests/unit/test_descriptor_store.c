/* Which descriptor of a store is in force, whatever else lies there. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/report.h"
#include "descriptor_kit.h"
#include "store/store.h"

struct record_place {
	char name[40];
	struct store *store;
};

static int store_setup(void **state)
{
	struct record_place *p = calloc(1, sizeof(*p));
	struct err e = ERR_EMPTY;

	if (!p)
		return -1;
	(void)snprintf(p->name, sizeof(p->name), "/tmp/test_descriptor.XXXXXX");
	*state = p;
	if (!mkdtemp(p->name) || store_create(p->name, &e) < 0 ||
	    store_mark(p->name, id, &e) < 0 || store_open(p->name, id, &p->store, &e) < 0)
		return -1;
	return 0;
}

static int store_teardown(void **state)
{
	struct record_place *p = *state;
	struct err e = ERR_EMPTY;
	int result = file_remove_tree(AT_FDCWD, p->name, &e);

	store_free(p->store);
	free(p);
	return result;
}

/* Put a file into r/ as it is, replacing what is there. */
static void put_raw(struct record_place *p, const char *name, const struct bytes *raw)
{
	struct err e = ERR_EMPTY;
	char path[80];

	(void)snprintf(path, sizeof(path), "%s/%s", p->name, name);
	if (file_save(AT_FDCWD, path, raw->p, raw->len, 0644, true, &e) != 0)
		fail_msg("%s", e.text);
}

/* Publish epochs 1..N, each naming the one before; *last is the newest. */
static void publish(struct record_place *p, uint32_t n, struct descriptor *last)
{
	struct err e = ERR_EMPTY;
	uint8_t before[32] = { 0 };

	for (uint32_t epoch = 1; epoch <= n; epoch++) {
		descriptor_free(last);
		*last = make_descriptor(epoch);
		memcpy(last->previous, before, 32);
		if (descriptor_publish(p->store, last, seed, &e) != 0)
			fail_msg("%s", e.text);
		memcpy(before, last->hash, 32);
	}
}

/* Keeps what a load warns of. */
struct noted {
	int n;
	char text[400];
};

static void note(void *ctx, enum note_kind kind, const char *path, const char *text)
{
	struct noted *noted = ctx;

	assert_int_equal(kind, NOTE_WARNING);
	assert_null(path);
	noted->n++;
	(void)snprintf(noted->text, sizeof(noted->text), "%s", text);
}

/* Load what is trusted; *noted may be NULL. */
static int load(struct record_place *p, const uint8_t *store, const uint8_t *trusted,
		uint32_t min_epoch, struct noted *noted, struct descriptor *d,
		struct err *e)
{
	struct report report = { .ctx = noted, .note = note };
	struct descriptor_trust t = { .store_id = store,
				      .authority = trusted,
				      .min_epoch = min_epoch,
				      .report = noted ? &report : NULL };

	if (noted)
		noted->n = 0;
	return descriptor_load(p->store, &t, d, e);
}

/* Epoch WANT is in force, and N files were passed over, the last of which was NAME. */
static void load_past(struct record_place *p, uint32_t want, int n, const char *name)
{
	auto_descriptor struct descriptor got = DESCRIPTOR_EMPTY;
	struct err e = ERR_EMPTY;
	struct noted noted;

	if (load(p, id, authority, want, &noted, &got, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(got.epoch, want);
	assert_int_equal(noted.n, n);
	if (n > 0 && !strstr(noted.text, name))
		fail_msg("no %s: %s", name, noted.text);
}

static void refuse_load(struct record_place *p, const uint8_t *store,
			const uint8_t *trusted, uint32_t min_epoch, enum err_kind kind,
			const char *says)
{
	struct descriptor d = DESCRIPTOR_EMPTY;
	struct err e = ERR_EMPTY;

	assert_int_equal(load(p, store, trusted, min_epoch, NULL, &d, &e), -1);
	if (e.kind != kind || !strstr(e.text, says))
		fail_msg("kind %d, not %d, or not \"%s\": %s", (int)e.kind, (int)kind,
			 says, e.text);
	assert_null(d.grants);
}

/* The newest of a chain is in force; an epoch is published once. */
static void test_load(void **state)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY, got = DESCRIPTOR_EMPTY;
	struct err e = ERR_EMPTY;
	auto_bytes struct bytes junk = BYTES_EMPTY;

	(void)state;
	refuse_load(*state, id, authority, 0, ERR_STORE, "no descriptor");
	publish(*state, 12, &d);
	assert_int_equal(bytes_append(&junk, "junk", 4, &e), 0);
	put_raw(*state, "r/.00000013.vsr.tmp-1",
		&junk); /* names that are no descriptor's */
	put_raw(*state, "r/13.vsr", &junk);
	put_raw(*state, "r/000000013.vsr", &junk);
	put_raw(*state, "r/00000013.vsr~", &junk);
	put_raw(*state, "r/00000000.vsr", &junk);
	put_raw(*state, "r/99999999999.vsr", &junk);
	assert_int_equal(load(*state, id, authority, 12, NULL, &got, &e), 0);
	assert_int_equal(got.epoch, 12);
	assert_memory_equal(got.hash, d.hash, 32);
	assert_int_equal(got.n_grants, 4);
	assert_int_equal(
		descriptor_publish(((struct record_place *)*state)->store, &d, seed, &e),
		1);
}

/* Another store, another authority, and a store set back are told apart and refused. */
static void test_trust(void **state)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY, got = DESCRIPTOR_EMPTY;
	static const uint8_t other_id[16] = "other id 16 byte";
	struct err e = ERR_EMPTY;

	(void)state;
	publish(*state, 3, &d);
	refuse_load(*state, other_id, authority, 0, ERR_STORE, "not the expected store");
	refuse_load(*state, id, other_authority, 0, ERR_STORE, "not the expected store");
	refuse_load(*state, id, authority, 4, ERR_DAMAGED, "set back");
	assert_int_equal(load(*state, id, NULL, 0, NULL, &got, &e), 0);
	assert_int_equal(got.epoch, 3);
}

/* A descriptor taken out of the middle is noticed, and one missing at the start is not
 * needed. */
static void test_gaps(void **state)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY, got = DESCRIPTOR_EMPTY;
	struct record_place *p = *state;
	struct err e = ERR_EMPTY;
	char path[80];

	publish(p, 4, &d);
	(void)snprintf(path, sizeof(path), "%s/r/00000001.vsr", p->name);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(load(p, id, authority, 4, NULL, &got, &e), 0);
	(void)snprintf(path, sizeof(path), "%s/r/00000003.vsr", p->name);
	assert_int_equal(unlink(path), 0);
	refuse_load(p, id, authority, 0, ERR_DAMAGED,
		    "00000004.vsr: the descriptor before");
}

/* Put D, signed with WITH, where epoch 3 belongs, after two good ones. */
static void third(struct record_place *p, struct descriptor *d, const struct secret *with)
{
	auto_bytes struct bytes raw = BYTES_EMPTY;

	encode(d, with, &raw);
	put_raw(p, "r/00000003.vsr", &raw);
}

/* A third descriptor signed by somebody else, of another store or of another epoch is no
 * descriptor; one that the owner signed and that does not continue the chain is damage.
 */
static void test_chain(void **state)
{
	auto_descriptor struct descriptor two = DESCRIPTOR_EMPTY;
	struct record_place *p = *state;

	publish(p, 2, &two);
	for (int i = 0; i < 5; i++) {
		auto_descriptor struct descriptor d = make_descriptor(i == 4 ? 4 : 3);

		memcpy(d.previous, two.hash, 32);
		if (i == 2)
			d.previous[31] ^= 1;
		if (i == 3)
			d.store_id[0] ^= 1;
		third(p, &d, i == 1 ? other_seed : seed);
		if (i == 2)
			refuse_load(p, id, authority, 0, ERR_DAMAGED,
				    "does not continue");
		else if (i == 0)
			load_past(p, 3, 0, "");
		else
			load_past(p, 2, 1, "r/00000003.vsr");
		if (i == 1) /* the first one says who is trusted */
			refuse_load(p, id, NULL, 3, ERR_DAMAGED, "set back");
	}
}

/* A signed descriptor that is not understood may not be passed over: it may take a key's
 * grant away. */
static void test_later_version(void **state)
{
	auto_descriptor struct descriptor two = DESCRIPTOR_EMPTY;
	struct record_place *p = *state;

	publish(p, 2, &two);
	for (int i = 0; i < 2; i++) {
		auto_descriptor struct descriptor d = make_descriptor(3);
		auto_bytes struct bytes raw = BYTES_EMPTY;
		uint8_t hash[32];
		size_t n;

		memcpy(d.previous, two.hash, 32);
		encode(&d, seed, &raw);
		n = raw.len - CRYPTO_SIG_LEN;
		raw.p[8] = 2; /* the version */
		if (i == 1) {
			crypto_b2("vs1.repo", NULL, 0, raw.p, n, hash, sizeof(hash));
			crypto_sign_hash(seed->b, "vs1.repo", NULL, 0, hash, raw.p + n);
		}
		put_raw(p, "r/00000003.vsr", &raw);
		if (i == 0)
			load_past(p, 2, 1, "r/00000003.vsr");
		else
			refuse_load(p, id, authority, 2, ERR_DAMAGED, "version");
	}
}

/* What is no file that could be a descriptor is passed over, and many are not all named.
 */
static void test_strangers(void **state)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	auto_bytes struct bytes large = BYTES_EMPTY;
	struct record_place *p = *state;
	struct err e = ERR_EMPTY;
	char path[80];

	publish(p, 2, &d);
	(void)snprintf(path, sizeof(path), "%s/r/00000003.vsr", p->name);
	assert_int_equal(symlink("00000002.vsr", path), 0);
	load_past(p, 2, 1, "r/00000003.vsr");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	load_past(p, 2, 1, "r/00000003.vsr");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(bytes_zero(&large, DESCRIPTOR_LEN_MAX + 1, &e), 0);
	put_raw(p, "r/00000003.vsr", &large);
	load_past(p, 2, 1, "r/00000003.vsr");
	large.len = 10;
	for (int i = 4; i < 20; i++) {
		char name[40];

		(void)snprintf(name, sizeof(name), "r/%08d.vsr", i);
		put_raw(p, name, &large);
	}
	load_past(p, 2, 9, "more files");
}

/* What lies in the way of the next descriptor is named; a descriptor there is another
 * owner's work. */
static void test_in_the_way(void **state)
{
	auto_descriptor struct descriptor two = DESCRIPTOR_EMPTY,
					  three = make_descriptor(3);
	auto_bytes struct bytes junk = BYTES_EMPTY;
	struct record_place *p = *state;
	struct err e = ERR_EMPTY;

	publish(p, 2, &two);
	memcpy(three.previous, two.hash, 32);
	assert_int_equal(bytes_append(&junk, "junk", 4, &e), 0);
	put_raw(p, "r/00000003.vsr", &junk);
	assert_int_equal(descriptor_publish(p->store, &three, seed, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
	assert_non_null(strstr(e.text, "r/00000003.vsr is in the way"));
	third(p, &three, seed);
	assert_int_equal(descriptor_publish(p->store, &three, seed, &e), 1);
}

/* Beyond 8 digits epochs are still followed as numbers, not as names. */
static void test_long_epochs(void **state)
{
	struct record_place *p = *state;
	auto_descriptor struct descriptor a = make_descriptor(99999999);
	auto_descriptor struct descriptor b = make_descriptor(100000000);
	auto_descriptor struct descriptor got = DESCRIPTOR_EMPTY;
	struct err e = ERR_EMPTY;

	assert_int_equal(descriptor_publish(p->store, &a, seed, &e), 0);
	memcpy(b.previous, a.hash, 32);
	assert_int_equal(descriptor_publish(p->store, &b, seed, &e), 0);
	if (load(p, id, authority, 0, NULL, &got, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(got.epoch, 100000000);
}

/* A damaged or empty file is no descriptor: the chain begins behind it, breaks at it, or
 * ends before it, which is refused where the host has seen more. */
static void test_damaged_file(void **state)
{
	auto_descriptor struct descriptor d = DESCRIPTOR_EMPTY;
	struct record_place *p = *state;

	publish(p, 3, &d);
	for (int i = 1; i <= 3; i++) {
		auto_bytes struct bytes raw = BYTES_EMPTY, bad = BYTES_EMPTY;
		struct err e = ERR_EMPTY;
		char name[40];

		(void)snprintf(name, sizeof(name), "r/%08d.vsr", i);
		assert_int_equal(store_get(p->store, name, 65536, &raw, &e), 0);
		assert_int_equal(bytes_append(&bad, raw.p, raw.len, &e), 0);
		for (int k = 0; k < 2; k++) {
			if (k == 0)
				bad.p[bad.len - 1] ^= 1;
			else
				bad.len = 0;
			put_raw(p, name, &bad);
			if (i == 2)
				refuse_load(p, id, authority, 0, ERR_DAMAGED,
					    "r/00000003.vsr: the descriptor before");
			else
				load_past(p, i == 1 ? 3 : 2, 1, name);
			if (i == 3)
				refuse_load(p, id, authority, 3, ERR_DAMAGED, name);
		}
		put_raw(p, name, &raw);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_load, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_trust, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_gaps, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_chain, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_long_epochs, store_setup,
						store_teardown),
		cmocka_unit_test_setup_teardown(test_later_version, store_setup,
						store_teardown),
		cmocka_unit_test_setup_teardown(test_strangers, store_setup,
						store_teardown),
		cmocka_unit_test_setup_teardown(test_in_the_way, store_setup,
						store_teardown),
		cmocka_unit_test_setup_teardown(test_damaged_file, store_setup,
						store_teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
