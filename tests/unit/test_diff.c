/* Differences and histories of snapshots that are made by hand: entries with real headers, content
 * of zeros. */
#include "archive_kit.h"
#include "pax_make.h"

#include <time.h>

#include "archive/catalog.h"
#include "base/wire.h"
#include "job/diff.h"
#include "job/history.h"
#include "job/host.h"

static struct err oops;

/* "f" file, "h" hard link to TARGET, "d" directory, "l" symbolic link to TARGET. */
struct made {
	char kind;
	const char *path, *target;
	uint64_t size;
	time_t mtime;
	uint64_t hole; /* bytes at its end that are none of its body */
	const char *attr;
};

static uint8_t group[400000];

static size_t put_entry(uint8_t *p, const struct made *m, uint64_t *body)
{
	struct archive_entry *ae = archive_entry_new();
	uint64_t data = m->kind == 'f' ? m->size - m->hole : 0;
	size_t n, len;

	archive_entry_set_pathname(ae, m->path);
	archive_entry_set_filetype(ae, m->kind == 'd' ? AE_IFDIR :
				       m->kind == 'l' ? AE_IFLNK :
							AE_IFREG);
	if (m->kind == 'h')
		archive_entry_set_hardlink(ae, m->target);
	if (m->kind == 'l')
		archive_entry_set_symlink(ae, m->target);
	archive_entry_set_perm(ae, 0644);
	archive_entry_set_mtime(ae, m->mtime, 500);
	archive_entry_set_size(ae, m->kind == 'f' ? (la_int64_t)m->size : 0);
	if (m->hole > 0) {
		archive_entry_sparse_add_entry(ae, 0, (la_int64_t)data);
		archive_entry_sparse_add_entry(ae, (la_int64_t)m->size, 0);
	}
	if (m->attr)
		archive_entry_xattr_add_entry(ae, "user.x", m->attr, strlen(m->attr));
	len = pax_make(ae);
	archive_entry_free(ae);
	assert_true(len > 0);
	n = wire_varint(p, len);
	n += wire_varint(p + n, data);
	memcpy(p + n, pax_room, len);
	*body += data;
	return n + len;
}

static struct archive_id make(uint64_t seq, const struct archive_id *parent, const struct made *m,
			      size_t n)
{
	struct craft c = { .seq = seq, .parent = parent, .group = group, .entries = n };

	for (size_t i = 0; i < n; i++)
		c.group_len += put_entry(group + c.group_len, &m[i], &c.body);
	c.body_len = c.body;
	return kit_craft(&c, NULL);
}

/* ---- diff ---- */

static char said[2000]; /* one word per change: letter, path, what */

static bool say(void *ctx, const struct diff_change *x)
{
	const struct diff_what *w = &x->what;
	size_t n = strlen(said);

	(void)ctx;
	(void)snprintf(said + n, sizeof(said) - n, "%c%.60s%s%s%s%s%s%s%s ", "+-Mm"[x->kind],
		       (x->after ? x->after : x->before)->pax->path, w->type ? ":type" : "",
		       w->size ? ":size" : "", w->content ? ":content" : "",
		       w->mtime ? ":mtime" : "", w->target ? ":target" : "",
		       w->xattr ? ":xattr" : "", w->link ? ":link" : "");
	return true;
}

static struct diff_totals totals;

static int diff(const struct archive_id *a, const struct archive_id *b, bool content)
{
	struct diff_options o = { .content = content, .scratch = kit.location, .change = say };
	struct reader *x, *y;
	char name[600];
	int result;

	kit_name(a, 0, name);
	x = kit_open(name);
	kit_name(b, 0, name);
	y = kit_open(name);
	said[0] = '\0';
	result = job_diff(x, y, &o, &totals, &oops);
	reader_free(x);
	reader_free(y);
	return result;
}

static const struct made base[] = {
	{ 'd', "./", NULL, 0, 1, 0, NULL },
	{ 'f', "./a", NULL, 1000, 5, 0, NULL },
	{ 'd', "./b", NULL, 0, 1, 0, NULL },
	{ 'f', "./b/x", NULL, 70000, 5, 0, NULL },
	{ 'h', "./b/y", "./a", 0, 5, 0, NULL },
	{ 'f', "./b-c", NULL, 0, 5, 0, "one" },
	{ 'l', "./l", "to", 0, 5, 0, NULL },
};
#define N_BASE (sizeof(base) / sizeof(*base))

/* Two snapshots of the same entries do not differ, by headers nor by content. */
static void test_same(void **state)
{
	struct archive_id a = make(1, NULL, base, N_BASE), b = make(2, &a, base, N_BASE);

	(void)state;
	assert_int_equal(diff(&a, &b, false), 0);
	assert_string_equal(said, "");
	assert_int_equal(totals.same, N_BASE);
	assert_int_equal(diff(&a, &b, true), 0);
	assert_string_equal(said, "");
}

/* A file counts as modified by its time alone, unless its bytes are compared; so do all names of
 * it. */
static void test_quick_and_content(void **state)
{
	struct archive_id a = make(1, NULL, base, N_BASE), b;
	struct made m[N_BASE];

	(void)state;
	memcpy(m, base, sizeof(m));
	m[1].mtime = 6;
	m[3].hole = 69000; /* the same bytes, less of them stored */
	m[5].attr = "two";
	m[6].target = "fro";
	b = make(2, &a, m, N_BASE);
	assert_int_equal(diff(&a, &b, false), 0);
	assert_string_equal(said, "M./a:mtime M./b/y:mtime m./b-c:xattr M./l:target ");
	assert_int_equal(diff(&a, &b, true), 0);
	assert_string_equal(said, "m./a:mtime m./b/y:mtime m./b-c:xattr M./l:target ");
	assert_int_equal(totals.modified, 1);
	assert_int_equal(totals.meta, 3);
}

/* A name that leads to another file than before is told, where nothing else differs; with its
 * content where that does. */
static void test_links(void **state)
{
	static const struct made before[] = { { 'f', "./a", NULL, 10, 5, 0, NULL },
					      { 'f', "./b", NULL, 10, 5, 0, NULL },
					      { 'h', "./c", "./a", 0, 5, 0, NULL },
					      { 'h', "./d", "./a", 0, 5, 0, NULL },
					      { 'f', "./e", NULL, 10, 5, 0, NULL } };
	static const struct made after[] = { { 'f', "./a", NULL, 10, 5, 0, NULL },
					     { 'f', "./b", NULL, 11, 5, 0, NULL },
					     { 'h', "./c", "./b", 0, 5, 0, NULL },
					     { 'f', "./d", NULL, 10, 5, 0, NULL },
					     { 'h', "./e", "./a", 0, 5, 0, NULL } };
	struct archive_id a = make(1, NULL, before, 5), b = make(2, &a, after, 5);

	(void)state;
	assert_int_equal(diff(&a, &b, false), 0);
	assert_string_equal(said, "M./b:size M./c:size:link m./d:link m./e:link ");
	assert_int_equal(diff(&a, &b, true), 0);
	assert_string_equal(said, "M./b:size M./c:size:link m./d:link m./e:link ");
}

/* What is below a directory comes before its later siblings, on both sides alike; sizes add up. */
static void test_merge(void **state)
{
	static const struct made after[] = {
		{ 'd', "./", NULL, 0, 1, 0, NULL },
		{ 'd', "./a", NULL, 0, 1, 0, NULL },
		{ 'f', "./a/0", NULL, 10, 1, 0, NULL },
		{ 'f', "./a0", NULL, 11, 1, 0, NULL },
		{ 'f', "./b/", NULL, 12, 1, 0, NULL },
		{ 'f', "./zz", NULL, 13, 1, 0, NULL },
	};
	struct made m[6];
	struct archive_id a = make(1, NULL, base, N_BASE), b;

	(void)state;
	memcpy(m, after, sizeof(m));
	m[4].path = "./b";
	b = make(2, &a, m, 6);
	assert_int_equal(diff(&a, &b, false), 0);
	assert_string_equal(said, "M./a:type:mtime +./a/0 +./a0 M./b:type -./b/x -./b/y -./b-c "
				  "-./l +./zz ");
	assert_int_equal(totals.added_bytes, 10 + 11 + 13);
	assert_int_equal(totals.removed_bytes, 70000 + 1000);
	assert_int_equal(diff(&b, &a, false), 0);
	assert_int_equal(totals.added, 4);
	assert_int_equal(totals.removed, 3);
}

/* Entries out of order, or a link to what does not come before it, are damage. */
static void test_damage(void **state)
{
	static const struct made swapped[] = { { 'd', "./", NULL, 0, 1, 0, NULL },
					       { 'f', "./b", NULL, 0, 1, 0, NULL },
					       { 'f', "./a", NULL, 0, 1, 0, NULL } };
	static const struct made early[] = { { 'd', "./", NULL, 0, 1, 0, NULL },
					     { 'h', "./a", "./b", 0, 1, 0, NULL },
					     { 'f', "./b", NULL, 0, 1, 0, NULL } };
	static const struct made chained[] = { { 'f', "./a", NULL, 0, 1, 0, NULL },
					       { 'h', "./b", "./a", 0, 1, 0, NULL },
					       { 'h', "./c", "./b", 0, 1, 0, NULL } };
	struct archive_id a = make(1, NULL, base, N_BASE), b = make(2, &a, swapped, 3),
			  c = make(3, &b, early, 3), d = make(4, &c, chained, 3);

	(void)state;
	assert_int_equal(diff(&a, &b, false), -1);
	assert_int_equal(oops.kind, ERR_DAMAGED);
	assert_non_null(strstr(oops.text, "./a: does not come behind ./b"));
	assert_int_equal(diff(&c, &a, false), -1);
	assert_non_null(strstr(oops.text, "does not come before it"));
	assert_int_equal(diff(&a, &d, false), -1);
	assert_int_equal(oops.kind, ERR_DAMAGED);
}

/* ---- histories ---- */

static struct history history_of(const char *pattern, int want)
{
	static struct host h;
	struct history_options o = { .pattern = pattern, .scratch = kit.location };
	struct history out = HISTORY_EMPTY;
	struct catalog c;

	h = (struct host){ .store = kit.store, .d = kit.d, .n_readers = 1 };
	h.readers[0] = kit.reader;
	assert_int_equal(
		catalog_load(kit.store, &kit.d, NULL, kit.host, NULL, &c, NULL, &oops), 0);
	assert_int_equal(job_history(&h, &c.streams[0], &o, &out, &oops), want);
	catalog_free(&c);
	return out;
}

static void version_is(const struct history *h, size_t i, const char *path, uint64_t first,
		       uint64_t last, uint64_t size)
{
	const struct version *v = history_version(h, i);

	assert_true(i < h->n);
	assert_string_equal(history_path(h, v), path);
	assert_int_equal(v->first, first);
	assert_int_equal(v->last, last);
	assert_int_equal(v->size, size);
}

/* A version goes on from snapshot to snapshot while type, size and time stay, ends where the path
 * is missing, and a hard link has its file's. */
static void test_history(void **state)
{
	struct made m[N_BASE];
	struct archive_id a = make(1, NULL, base, N_BASE), b = make(2, &a, base, N_BASE), c, d;
	struct history h;

	(void)state;
	c = make(3, &b, base, 1);
	memcpy(m, base, sizeof(m));
	m[3].size = 7;
	d = make(4, &c, m, N_BASE);
	d = make(5, &d, m, N_BASE);
	m[3].mtime = 8; /* of a file that has its size still */
	(void)make(6, &d, m, N_BASE);
	h = history_of("/b/x", 0);
	assert_int_equal(h.n, 3);
	version_is(&h, 0, "./b/x", 6, 6, 7);
	version_is(&h, 1, "./b/x", 4, 5, 7);
	history_free(&h);
	h = history_of("/b/*", 0);
	assert_int_equal(h.n, 5);
	assert_int_equal(h.searched, 6);
	version_is(&h, 0, "./b/x", 6, 6, 7);
	version_is(&h, 2, "./b/x", 4, 5, 7);
	version_is(&h, 1, "./b/y", 4, 6, 1000);
	version_is(&h, 3, "./b/x", 1, 2, 70000);
	version_is(&h, 4, "./b/y", 1, 2, 1000);
	history_free(&h);
	h = history_of("none", 0);
	assert_int_equal(h.n, 0);
	history_free(&h);
}

/* A damaged snapshot, or one for another key, is passed over and kept in mind. */
static void test_history_passes_over(void **state)
{
	struct archive_id a = make(1, NULL, base, N_BASE), b = make(2, &a, base, N_BASE);
	struct history h;
	char name[600];

	(void)state;
	(void)make(3, &b, base, N_BASE);
	kit_name(&b, 0, name);
	kit_flip(name, 4096 + 100);
	h = history_of("a", 0);
	assert_int_equal(h.n, 1);
	version_is(&h, 0, "./a", 1, 3, 1000);
	assert_int_equal(h.searched, 2);
	assert_int_equal(h.worst, ERR_DAMAGED);
	history_free(&h);
}

/* The same list of entries, named by the same node, need not be read again. */
static void test_history_same_list(void **state)
{
	struct tree_ref tops[2];
	struct craft c = { .seq = 1, .group = group, .entries = N_BASE };
	struct archive_id a;
	struct dependency dep;
	struct craft c2 = { .seq = 2, .parent = &a, .dep = &dep, .entries = N_BASE };
	struct history h;

	(void)state;
	for (size_t i = 0; i < N_BASE; i++)
		c.group_len += put_entry(group + c.group_len, &base[i], &c.body);
	c.body_len = c.body;
	a = kit_craft(&c, tops);
	dep = (struct dependency){ .archive = a, .live = 1 };
	(void)kit_craft_on(&c2, tops);
	h = history_of("a", 0);
	assert_int_equal(h.searched, 2);
	assert_int_equal(h.n, 1);
	version_is(&h, 0, "./a", 1, 2, 1000);
	history_free(&h);
}

#define with_store(t) cmocka_unit_test_setup_teardown(t, kit_setup, kit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(test_same),	  with_store(test_quick_and_content),
		with_store(test_links),	  with_store(test_merge),
		with_store(test_damage),
		with_store(test_history), with_store(test_history_passes_over),
		with_store(test_history_same_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
