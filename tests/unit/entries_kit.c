#include "entries_kit.h"

#include "dice.h"

static struct err oops;

void random_path(char *out, size_t most)
{
	static const char bytes[] = "aab.-/\x01\xff ";
	size_t n = 2, want = 3 + dice_below(most - 2);

	memcpy(out, "./", 2);
	while (n < want) {
		char c = bytes[dice_below(sizeof(bytes) - 1)];

		if (c == '/' && (out[n - 1] == '/' || n + 1 == want))
			c = 'a';
		out[n++] = c;
	}
	out[n] = '\0';
}

static uint64_t any64(void)
{
	switch (dice_below(4)) {
	case 0:
		return dice_below(3);
	case 1:
		return UINT64_MAX - dice_below(3);
	case 2:
		return (uint64_t)INT64_MAX + dice_below(3);
	default:
		return dice() >> dice_below(64);
	}
}

struct entry_stat random_stat(void)
{
	return (struct entry_stat){ .ino = any64(),
				    .size = any64(),
				    .rdev = any64(),
				    .mode = (uint32_t)any64(),
				    .uid = (uint32_t)any64(),
				    .gid = (uint32_t)any64(),
				    .mtime = (int64_t)any64(),
				    .ctime = (int64_t)any64(),
				    .mtime_ns = (uint32_t)dice_below(1000000000),
				    .ctime_ns = (uint32_t)dice_below(1000000000),
				    .root_device = dice_below(2) };
}

void random_entry(struct cache_entry *x, const char *path)
{
	memset(x, 0, sizeof(*x));
	(void)snprintf(x->path, sizeof(x->path), "%s", path);
	x->stat = random_stat();
	x->settled = dice_below(2);
	x->group_end = dice_below(20) == 0;
	x->gap = dice_below(10) == 0;
	x->link = dice_below(5) == 0;
	x->link_hash = x->link ? any64() : 0;
	x->mode = (enum chunk_mode)dice_below(3);
	x->chunks = any64();
	x->body = any64();
}

static int compare(const void *a, const void *b) { return entry_path_compare(a, b); }

char (*random_paths(size_t n, size_t most))[256]
{
	char(*p)[256] = calloc(n + 1, sizeof(*p));
	size_t i = 0;

	assert_non_null(p);
	assert_true(most < 256);
	while (i < n) {
		size_t k = 1;

		for (; i < n; i++)
			random_path(p[i], most);
		qsort(p, n, sizeof(*p), compare);
		for (size_t j = 1; j < n; j++)
			if (strcmp(p[j], p[k - 1]) != 0)
				memmove(p[k++], p[j], sizeof(*p));
		i = k; /* the others once more */
	}
	return p;
}

struct cache_segs entries_write(const struct cache_entry *list, size_t n)
{
	struct cache_segs segs = { .n = 0 };
	struct entries_writer *w = NULL;

	must(entries_writer_new(&kit.cache, &w, &oops));
	for (size_t i = 0; i < n; i++)
		must(entries_writer_add(w, &list[i], list[i].group_end, &oops));
	must(entries_writer_finish(w, &segs, &oops));
	entries_writer_free(w);
	return segs;
}

void expect_entry(const struct cache_entry *a, const struct cache_entry *b)
{
	const struct entry_stat *x = &a->stat, *y = &b->stat;

	assert_string_equal(a->path, b->path);
	assert_true(x->ino == y->ino && x->size == y->size && x->rdev == y->rdev);
	assert_true(x->mode == y->mode && x->uid == y->uid && x->gid == y->gid);
	assert_true(x->mtime == y->mtime && x->ctime == y->ctime);
	assert_true(x->mtime_ns == y->mtime_ns && x->ctime_ns == y->ctime_ns);
	assert_true(x->root_device == y->root_device && a->settled == b->settled);
	assert_true(a->group_end == b->group_end && a->gap == b->gap);
	assert_true(a->link == b->link && a->link_hash == b->link_hash);
	assert_true(a->mode == b->mode && a->chunks == b->chunks && a->body == b->body);
}
