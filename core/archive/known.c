#include "archive/known.h"

#include <string.h>

#include "archive/crypto.h"
#include "base/err.h"

int known_open(struct known *k, struct cache *c, const struct cache_segs *segs, struct err *e)
{
	int r;

	k->reader = NULL;
	k->have = false;
	k->body = k->group = 0;
	k->in_group = 0;
	if (!segs)
		return 0;
	if (entries_reader_new(c, segs, &k->reader, e) < 0)
		return -1;
	r = entries_reader_next(k->reader, &k->now, e);
	k->have = r == 0;
	return r < 0 ? -1 : 0;
}

void known_close(struct known *k)
{
	entries_reader_free(k->reader);
	k->reader = NULL;
	k->have = false;
}

int known_pass(struct known *k, struct err *e)
{
	int r;

	k->body += k->now.chunks;
	k->in_group++;
	if (k->now.group_end) {
		k->group++;
		k->in_group = 0;
	}
	r = entries_reader_next(k->reader, &k->now, e);
	k->have = r == 0;
	return r < 0 ? -1 : 0;
}

int known_seek(struct known *k, const char *path, struct err *e)
{
	while (k->have) {
		int order = entry_path_compare(k->now.path, path);

		if (order >= 0)
			return order > 0;
		if (known_pass(k, e) < 0)
			return -1;
	}
	return 1;
}

uint64_t known_link_hash(const char *link, const uint8_t gear_key[32])
{
	return crypto_short(gear_key, link, strlen(link));
}

static bool same_stat(const struct entry_stat *a, const struct entry_stat *b)
{
	return a->ino == b->ino && a->size == b->size && a->rdev == b->rdev &&
	       a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->mtime == b->mtime && a->mtime_ns == b->mtime_ns && a->ctime == b->ctime &&
	       a->ctime_ns == b->ctime_ns && a->root_device == b->root_device;
}

bool known_same(const struct known *k, const struct entry_stat *stat, const char *link,
		const uint8_t gear_key[32])
{
	const struct cache_entry *x = &k->now;

	return k->have && x->settled && !x->gap && x->link == (link != NULL) &&
	       (!link || x->link_hash == known_link_hash(link, gear_key)) &&
	       same_stat(&x->stat, stat);
}
