#include "again_kit.h"

#include "dice.h"

static struct err oops;

/* ---- the volume ---- */

size_t volume_find(const struct volume *v, const char *path)
{
	size_t i = 0;

	while (i < v->n && entry_path_compare(v->items[i].path, path) < 0)
		i++;
	return i;
}

void item_touch(struct item *x)
{
	x->stat.mtime++;
	x->stat.mtime_ns = (uint32_t)dice_below(1000000000);
	x->stat.ctime = x->stat.mtime;
	x->stat.ctime_ns = x->stat.mtime_ns;
	x->stat.size = x->n + x->hole;
	x->hint = x->stat.size;
}

struct item *volume_add(struct volume *v, const char *path, size_t n)
{
	static uint64_t ino;
	size_t i = volume_find(v, path);
	struct item *x = &v->items[i];

	assert_true(v->n < AGAIN_ITEMS);
	assert_true(i == v->n || strcmp(x->path, path) != 0);
	memmove(x + 1, x, (v->n - i) * sizeof(*x));
	v->n++;
	*x = (struct item){ .n = n,
			    .blocks = 1 + dice_below(3),
			    .stat = { .ino = ++ino, .mode = 0100644, .root_device = true } };
	(void)snprintf(x->path, sizeof(x->path), "%s", path);
	x->p = malloc(n + 1);
	assert_non_null(x->p);
	dice_bytes(x->p, n);
	item_touch(x);
	return x;
}

void volume_remove(struct volume *v, size_t i)
{
	free(v->items[i].p);
	v->n--;
	memmove(&v->items[i], &v->items[i + 1], (v->n - i) * sizeof(v->items[0]));
}

void item_splice(struct item *x, size_t at, size_t cut, size_t n)
{
	uint8_t *p = malloc(x->n - cut + n + 1);

	assert_non_null(p);
	assert_true(at <= x->n && cut <= x->n - at);
	memcpy(p, x->p, at);
	dice_bytes(p + at, n);
	memcpy(p + at + n, x->p + at + cut, x->n - at - cut);
	free(x->p);
	x->p = p;
	x->n = x->n - cut + n;
	item_touch(x);
}

void volume_copy(const struct volume *v, struct volume *out)
{
	*out = *v;
	for (size_t i = 0; i < v->n; i++) {
		out->items[i].p = malloc(v->items[i].n + 1);
		assert_non_null(out->items[i].p);
		memcpy(out->items[i].p, v->items[i].p, v->items[i].n);
	}
}

void volume_free(struct volume *v)
{
	while (v->n > 0)
		volume_remove(v, v->n - 1);
}

void volume_fill(struct volume *v)
{
	char path[64];

	v->n = 0;
	(void)volume_add(v, ".", 0);
	for (unsigned i = 0; i < 300; i++) {
		if (i % 50 == 0) {
			(void)snprintf(path, sizeof(path), "./dir%u", i / 50);
			volume_add(v, path, 0)->stat.mode = 040755;
		}
		(void)snprintf(path, sizeof(path), "./dir%u/file%u", i / 50, i);
		(void)volume_add(v, path, dice_below(4) ? dice_below(3000) : 0);
	}
	volume_add(v, "./dir3/link", 0)->link = "./dir1/file51";
	(void)volume_add(v, "./dir2.database", 4 << 20);
	(void)volume_add(v, "./log", (2 << 20) + 77);
	(void)volume_add(v, "./zz", 70001);
}

struct item *volume_item(struct volume *v, const char *path)
{
	size_t i = volume_find(v, path);

	assert_true(i < v->n);
	assert_string_equal(v->items[i].path, path);
	return &v->items[i];
}

/* ---- what a walk sends ---- */

/* A header says all that a stat says, and more. */
static size_t make_header(const struct item *x, uint8_t *out)
{
	uint64_t h = x->stat.ino * 31 + (uint64_t)x->stat.mtime * 7 + x->stat.mtime_ns + x->n +
		     x->stat.mode * 3;
	size_t n = x->blocks * 512;

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(h + i / 8);
	(void)snprintf((char *)out, n, "%s", x->path);
	return n;
}

/* 1: STOP_AFTER new bytes came, of all. */
static int send_body(const struct entry_sink *s, const struct item *x, uint64_t stop_after,
		     struct err *e)
{
	for (size_t at = 0; at < x->n;) {
		size_t n = dice_below(70000) + 1;

		if (n > x->n - at)
			n = x->n - at;
		if (x->hole > 0 && at < x->hole_at && n > x->hole_at - at)
			n = x->hole_at - at;
		if (s->body(s->ctx, at + (at >= x->hole_at ? x->hole : 0), x->p + at, n, e) < 0)
			return -1;
		at += n;
		if (stop_after > 0 && writer_new_content(s->ctx) >= stop_after)
			return 1;
	}
	return 0;
}

static int send_item(const struct entry_sink *s, const struct item *x, uint64_t stop_after,
		     struct err *e)
{
	static uint8_t header[8 * 512];
	struct entry_hint hint = {
		.path = x->path, .size = x->hint, .stat = &x->stat, .link = x->link
	};
	struct entry en = { .path = x->path,
			    .header = header,
			    .header_len = make_header(x, header),
			    .size = x->n + x->hole,
			    .body_len = x->n,
			    .stat = &x->stat,
			    .link = x->link,
			    .settled = !x->unsettled };
	int r;

	if ((x->n > 0 || x->hint > 0) && s->begin(s->ctx, &hint, e) < 0)
		return -1;
	r = send_body(s, x, stop_after, e);
	if (r < 0)
		return -1;
	if (r == 1 || x->gap)
		return s->drop(s->ctx, e) < 0 ? -1 : r;
	return s->entry(s->ctx, &en, e);
}

int again_send(struct writer *w, const struct volume *v, uint64_t stop_after, size_t *read,
	       struct err *e)
{
	struct entry_sink s = writer_sink(w);

	*read = 0;
	for (size_t i = 0; i < v->n; i++) {
		const struct item *x = &v->items[i];
		struct entry_hint hint = {
			.path = x->path, .size = x->hint, .stat = &x->stat, .link = x->link
		};
		int r = x->gap ? 0 : s.known(s.ctx, &hint, e);

		if (r == 0) {
			(*read)++;
			r = send_item(&s, x, stop_after, e);
			if (r != 0)
				return r;
		}
		if (r < 0)
			return -1;
	}
	return 0;
}

/* ---- snapshots ---- */

int again_open(const struct take *t, struct writer **w, struct err *e)
{
	struct writer_options o = { .store = kit.store,
				    .d = &kit.d,
				    .host = kit.host,
				    .stream = &kit.stream,
				    .keys = kit.keys,
				    .seq = t->from ? t->from->seq + 1 : 1,
				    .parent = t->from ? &t->from->result.archive : NULL,
				    .parent_chain = t->from ? t->from->result.chain : NULL,
				    .compression = 1,
				    .cache = &kit.cache,
				    .scratch = kit.location,
				    .tip = t->from && !t->no_cache ? &t->from->list : NULL,
				    .options = { t->option },
				    .victims = t->victims,
				    .n_victims = t->n_victims,
				    .another_pass = t->another_pass };

	kit.cache.broken = false;
	*w = NULL;
	return writer_open(&o, w, e);
}

int again_commit(struct writer *w, const struct take *t, bool partial, struct shot *out,
		 struct err *e)
{
	const char *why = "";
	struct root r;

	*out = (struct shot)SHOT_EMPTY;
	out->seq = t->from ? t->from->seq + 1 : 1;
	kit_root(&r, out->seq);
	r.level = t->level;
	if (writer_stage(w, partial, &r, &out->summary, &out->result, e) < 0)
		return -1;
	must(writer_commit(w, &oops));
	must(writer_sweep(w, &oops));
	kit_name(&out->result.archive, 0, out->name);
	if (cache_list_load(&kit.cache, &out->result.archive, &out->list, &why, &oops) != 0)
		fail_msg("the list %s", why);
	must(tally_archive(kit.store, &kit.d, out->name, &kit.reader_keys, &out->tally, &oops));
	return 0;
}

void again_take(const struct volume *v, const struct take *t, struct shot *out)
{
	struct writer *w;
	size_t read;
	int r;

	must(again_open(t, &w, &oops));
	r = again_send(w, v, t->stop_after, &read, &oops);
	if (r < 0)
		fail_msg("%s", oops.text);
	must(again_commit(w, t, r == 1, out, &oops));
	out->read = read;
	writer_free(w);
}

void shot_forget(struct shot *s) { cache_list_free(&s->list); }

void shot_move(struct shot *out, struct shot *s)
{
	shot_forget(out);
	*out = *s;
	*s = (struct shot)SHOT_EMPTY;
}

/* ---- reading back ---- */

static void expect_item(struct reader *r, const struct item *x)
{
	static uint8_t header[8 * 512];
	struct reader_entry en;
	const uint8_t *p;
	size_t n, at = 0;
	int got;

	if (reader_next(r, &en, &oops) != 0)
		fail_msg("%s: %s", x->path, oops.text);
	if (en.header_len != make_header(x, header) ||
	    memcmp(en.header, header, en.header_len) != 0)
		fail_msg("%s: its header is that of %s", x->path, (const char *)en.header);
	assert_int_equal(en.body_len, x->n);
	while ((got = reader_body(r, &p, &n, &oops)) == 0) {
		if (n > x->n - at || memcmp(p, x->p + at, n) != 0)
			fail_msg("%s: other bytes from %zu on", x->path, at);
		at += n;
	}
	if (got < 0)
		fail_msg("%s: %s", x->path, oops.text);
	assert_int_equal(at, x->n);
}

void again_expect(const struct volume *v, const struct shot *s)
{
	struct reader *r = kit_open(s->name);
	struct reader_entry en;
	uint64_t entries = 0;

	reader_check_all(r);
	for (size_t i = 0; i < v->n; i++)
		if (!v->items[i].gap) {
			expect_item(r, &v->items[i]);
			entries++;
		}
	if (reader_next(r, &en, &oops) != 1)
		fail_msg("no end: %s", oops.text);
	assert_int_equal(reader_root(r)->totals.entries, entries);
	reader_free(r);
}
