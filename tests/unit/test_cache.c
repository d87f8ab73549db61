/* The tip cache on disk: segments and lists come back as they were saved, or it is known that they do
 * not. */
#include "archive_kit.h"
#include "base/file.h"
#include "dice.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct err oops;
static uint8_t room[CACHE_SEGMENT_MAX];

static void segment_file(const struct cache_seg *s, char name[60])
{
	memcpy(name, "state/cache/", 12);
	crypto_hex(s->name, 16, name + 12);
}

static struct cache_seg save(enum cache_kind kind, const void *p, size_t n)
{
	struct cache_seg s = { .units = 1 };

	must(cache_save(&kit.cache, kind, p, n, &s, &oops));
	return s;
}

/* 0: S is the N bytes of P.  1: it cannot be loaded, and the cache is known to be broken. */
static int load(enum cache_kind kind, const struct cache_seg *s, const void *p, size_t n)
{
	size_t got = 0;
	int r;

	kit.cache.broken = false;
	r = cache_load(&kit.cache, kind, s, room, &got, &oops);
	assert_int_equal(kit.cache.broken, r < 0);
	if (r == 0) {
		assert_int_equal(got, n);
		assert_memory_equal(room, p, n);
	}
	return r < 0;
}

/* ---- segments ---- */

/* A segment of any size comes back; saved again it is the same file, not written anew; the same bytes of
 * another kind are another one. */
static void test_segment(void **state)
{
	static const size_t sizes[] = { 1, 2, 1000, CACHE_SEGMENT_MAX };
	uint8_t *p = malloc(CACHE_SEGMENT_MAX);
	struct stat a, b;

	(void)state;
	assert_non_null(p);
	dice_bytes(p, CACHE_SEGMENT_MAX);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct cache_seg s = save(CACHE_BODY, p, sizes[i]), t;
		char name[60];

		segment_file(&s, name);
		assert_int_equal(fstatat(kit.dirfd, name, &a, 0), 0);
		assert_int_equal(load(CACHE_BODY, &s, p, sizes[i]), 0);
		t = save(CACHE_BODY, p, sizes[i]);
		assert_memory_equal(s.name, t.name, 16);
		assert_int_equal(fstatat(kit.dirfd, name, &b, 0), 0);
		assert_int_equal(a.st_ino, b.st_ino);
		t = save(CACHE_HEAD, p, sizes[i]);
		assert_memory_not_equal(s.name, t.name, 16);
		assert_int_equal(load(CACHE_NODES, &s, p, sizes[i]), 1);
	}
	free(p);
}

/* A segment with any byte changed, cut, longer, gone or a link does not load, and the cache is broken;
 * saved again it is whole. */
static void test_damaged_segment(void **state)
{
	uint8_t p[300];
	struct cache_seg s;
	char name[60];

	(void)state;
	dice_bytes(p, sizeof(p));
	s = save(CACHE_ENTRIES, p, sizeof(p));
	segment_file(&s, name);
	for (size_t i = 0; i < sizeof(p) + 4; i++) {
		if (i < sizeof(p)) {
			kit_flip(name, i);
		} else if (i < sizeof(p) + 2) {
			kit_truncate(name, i == sizeof(p) ? 0 : sizeof(p) + 1);
		} else {
			kit_remove(name);
			if (i == sizeof(p) + 3)
				assert_int_equal(symlinkat("other", kit.dirfd, name), 0);
		}
		assert_int_equal(load(CACHE_ENTRIES, &s, p, sizeof(p)), 1);
		(void)save(CACHE_ENTRIES, p, sizeof(p));
		assert_int_equal(load(CACHE_ENTRIES, &s, p, sizeof(p)), 0);
	}
}

/* A segment that a power cut left short is saved anew though its name is there. */
static void test_short_segment(void **state)
{
	uint8_t p[300];
	struct cache_seg s;
	char name[60];

	(void)state;
	dice_bytes(p, sizeof(p));
	s = save(CACHE_ENTRIES, p, sizeof(p));
	segment_file(&s, name);
	for (uint64_t n = 0; n < sizeof(p); n += 100) {
		kit_truncate(name, n);
		(void)save(CACHE_ENTRIES, p, sizeof(p));
		assert_int_equal(load(CACHE_ENTRIES, &s, p, sizeof(p)), 0);
	}
}

/* What another stream saved, or another host, is nothing to this one. */
static void test_foreign_segment(void **state)
{
	uint8_t id[16] = { 9 }, p[300];
	auto_close int fd = openat(kit.dirfd, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cache_seg s;

	(void)state;
	dice_bytes(p, sizeof(p));
	for (int i = 0; i < 2; i++) {
		s = save(CACHE_BODY, p, sizeof(p));
		assert_int_equal(load(CACHE_BODY, &s, p, sizeof(p)), 0);
		cache_close(&kit.cache);
		must(cache_open(fd, i == 0 ? kit.host : kit.stranger,
				i == 0 ? id : kit.stream.id, &kit.cache, &oops));
		assert_int_equal(load(CACHE_BODY, &s, p, sizeof(p)), 1);
	}
}

/* ---- lists ---- */

static void random_list(struct cache_list *l, size_t recipients, size_t deps, size_t segs)
{
	*l = (struct cache_list)CACHE_LIST_EMPTY;
	dice_bytes(l->archive.id, 16);
	dice_bytes(l->archive.trailer_hash, 32);
	dice_bytes(l->options, 16);
	l->archive.seq = dice();
	l->n_recipients = recipients;
	l->recipients = calloc(recipients + 1, 32);
	l->n_deps = deps;
	l->deps = calloc(deps + 1, sizeof(*l->deps));
	assert_true(l->recipients && l->deps);
	dice_bytes((uint8_t *)l->recipients, recipients * 32);
	for (size_t i = 0; i < deps; i++) {
		struct cache_dep *d = &l->deps[i];

		dice_bytes(d->archive.id, 16);
		dice_bytes(d->archive.trailer_hash, 32);
		d->archive.seq = dice();
		d->live = dice();
		d->size = dice();
		d->level = (uint8_t)dice();
	}
	for (size_t k = 0; k < CACHE_KINDS; k++)
		for (size_t i = dice_below(segs + 1); i > 0; i--) {
			struct cache_seg s = { .units = (uint32_t)dice() };

			dice_bytes(s.name, 16);
			must(cache_segs_add(&l->segs[k], &s, &oops));
		}
}

static void expect_list(const struct cache_list *a, const struct cache_list *b)
{
	assert_memory_equal(&a->archive, &b->archive, sizeof(a->archive));
	assert_memory_equal(a->options, b->options, 16);
	assert_int_equal(a->n_recipients, b->n_recipients);
	assert_memory_equal(a->recipients, b->recipients, a->n_recipients * 32);
	assert_int_equal(a->n_deps, b->n_deps);
	for (size_t i = 0; i < a->n_deps; i++) {
		const struct cache_dep *x = &a->deps[i], *y = &b->deps[i];

		assert_memory_equal(&x->archive, &y->archive, sizeof(x->archive));
		assert_true(x->live == y->live && x->size == y->size && x->level == y->level);
	}
	for (size_t k = 0; k < CACHE_KINDS; k++) {
		assert_int_equal(a->segs[k].n, b->segs[k].n);
		assert_int_equal(a->segs[k].units, b->segs[k].units);
		for (size_t i = 0; i < a->segs[k].n; i++) {
			const struct cache_seg *x = &a->segs[k].list[i], *y = &b->segs[k].list[i];

			assert_memory_equal(x->name, y->name, 16);
			assert_int_equal(x->units, y->units);
		}
	}
}

static int load_list(const struct archive_id *a, const char **why)
{
	struct cache_list l;
	int r = cache_list_load(&kit.cache, a, &l, why, &oops);

	cache_list_free(&l);
	return r;
}

/* Lists of nothing, of a few and of many come back as they were. */
static void test_list(void **state)
{
	(void)state;
	for (size_t i = 0; i < 30; i++) {
		struct cache_list l, back;
		const char *why;

		random_list(&l, i % 3 ? dice_below(9) : 0, i % 4 ? dice_below(130) : 0,
			    i % 5 ? dice_below(300) : 0);
		must(cache_list_save(&kit.cache, &l, &oops));
		assert_int_equal(cache_list_load(&kit.cache, &l.archive, &back, &why, &oops), 0);
		expect_list(&l, &back);
		cache_list_free(&back);
		cache_list_free(&l);
	}
}

/* A list with any byte changed, cut or longer by any number of bytes is not one, and nothing fails. */
static void test_damaged_list(void **state)
{
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct cache_list l;
	const char *why = "";
	char name[60];

	(void)state;
	random_list(&l, 2, 3, 4);
	must(cache_list_save(&kit.cache, &l, &oops));
	memcpy(name, "state/cache/list-", 17);
	crypto_hex(l.archive.id, 16, name + 17);
	must(file_load(kit.dirfd, name, 1 << 20, &raw, &oops));
	for (size_t i = 0; i < raw.len; i++) {
		kit_flip(name, i);
		assert_int_equal(load_list(&l.archive, &why), 1);
		assert_string_equal(why, "is damaged");
		kit_flip(name, i);
	}
	for (size_t i = raw.len; i-- > 0;) {
		kit_truncate(name, i);
		assert_int_equal(load_list(&l.archive, &why), 1);
	}
	kit_put(name, raw.p, raw.len);
	assert_int_equal(load_list(&l.archive, &why), 0);
	kit_truncate(name, raw.len + 20);
	assert_int_equal(load_list(&l.archive, &why), 1);
	kit_remove(name);
	assert_int_equal(mkdirat(kit.dirfd, name, 0700), 0);
	assert_int_equal(load_list(&l.archive, &why), 1);
	cache_list_free(&l);
}

/* The list of another archive, of another number or trailer under the same id, of another stream or host
 * is not taken, and it is said why. */
static void test_foreign_list(void **state)
{
	auto_close int fd = openat(kit.dirfd, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct archive_id other;
	struct cache_list l;
	const char *why = "";
	char name[60], copy[60];

	(void)state;
	random_list(&l, 2, 3, 4);
	must(cache_list_save(&kit.cache, &l, &oops));
	other = l.archive;
	other.id[3] ^= 1;
	assert_int_equal(load_list(&other, &why), 1);
	assert_string_equal(why, "is not there");
	memcpy(name, "state/cache/list-", 17);
	memcpy(copy, name, 17);
	crypto_hex(l.archive.id, 16, name + 17);
	crypto_hex(other.id, 16, copy + 17);
	kit_copy(name, copy);
	assert_int_equal(load_list(&other, &why), 1);
	assert_string_equal(why, "is of another snapshot");
	other = l.archive;
	other.seq++;
	assert_int_equal(load_list(&other, &why), 1);
	assert_string_equal(why, "is of another snapshot");
	other = l.archive;
	other.trailer_hash[31] ^= 1;
	assert_int_equal(load_list(&other, &why), 1);
	assert_int_equal(load_list(&l.archive, &why), 0);
	cache_close(&kit.cache);
	must(cache_open(fd, kit.stranger, kit.stream.id, &kit.cache, &oops));
	assert_int_equal(load_list(&l.archive, &why), 1);
	cache_list_free(&l);
}

/* ---- sweeping ---- */

static bool keep_even(void *ctx, const char *name)
{
	++*(int *)ctx;
	return (name[2] - '0') % 2 == 0;
}

static bool is_there(const char *name)
{
	struct stat st;
	char path[80];

	(void)snprintf(path, sizeof(path), "state/cache/%s", name);
	return fstatat(kit.dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Sweeping leaves the list, its segments and the copies that are asked for, and nothing else. */
static void test_sweep(void **state)
{
	struct cache_seg kept[8], gone[8];
	struct cache_list l, older;
	uint8_t p[100];
	char name[60];
	int asked = 0;

	(void)state;
	random_list(&l, 1, 1, 0);
	random_list(&older, 1, 1, 0);
	for (size_t i = 0; i < 8; i++) {
		dice_bytes(p, sizeof(p));
		kept[i] = save((enum cache_kind)(i % CACHE_KINDS), p, sizeof(p));
		must(cache_segs_add(&l.segs[i % CACHE_KINDS], &kept[i], &oops));
		dice_bytes(p, sizeof(p));
		gone[i] = save((enum cache_kind)(i % CACHE_KINDS), p, sizeof(p));
		(void)snprintf(name, sizeof(name), "state/cache/h-%zu-1-0", i);
		kit_put(name, p, sizeof(p));
	}
	must(cache_list_save(&kit.cache, &older, &oops));
	must(cache_list_save(&kit.cache, &l, &oops));
	kit_put("state/cache/.new", p, 1);
	kit_put("state/cache/strange", p, 1);
	must(cache_sweep(&kit.cache, &l, keep_even, &asked, &oops));
	assert_int_equal(asked, 8);
	for (size_t i = 0; i < 8; i++) {
		segment_file(&kept[i], name);
		assert_true(is_there(name + 12));
		segment_file(&gone[i], name);
		assert_false(is_there(name + 12));
		(void)snprintf(name, sizeof(name), "h-%zu-1-0", i);
		assert_true(is_there(name) == (i % 2 == 0));
	}
	assert_false(is_there(".new"));
	assert_false(is_there("strange"));
	memcpy(name, "list-", 5);
	crypto_hex(older.archive.id, 16, name + 5);
	assert_false(is_there(name));
	crypto_hex(l.archive.id, 16, name + 5);
	assert_true(is_there(name));
	cache_list_free(&l);
	cache_list_free(&older);
}

#define each(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(test_segment),	  each(test_damaged_segment), each(test_foreign_segment),
		each(test_short_segment),
		each(test_list),	  each(test_damaged_list),    each(test_foreign_list),
		each(test_sweep),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
