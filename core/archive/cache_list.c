/* list-<archive id>:
 *
 *     0 "VSCACHE1"   8 archive id   24 u64 seq   32 trailer hash   64 options
 *    80 u32 recipients, dependencies; u32 segments of each kind
 *   104 recipients of 32; dependencies of 80 (id, seq, hash, live, size, level, zeros); segments of 20
 *       32 keyed hash of all before */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/cache.h"
#include "archive/crypto.h"
#include "base/err.h"
#include "base/file.h"
#include "base/wire.h"

#define LIST_MAX (64u << 20)
static const uint8_t magic[8] = { 'V', 'S', 'C', 'A', 'C', 'H', 'E', '1' };

void cache_list_free(struct cache_list *l)
{
	free(l->recipients);
	free(l->deps);
	for (size_t k = 0; k < CACHE_KINDS; k++)
		free(l->segs[k].list);
	*l = (struct cache_list)CACHE_LIST_EMPTY;
}

static void list_name(const struct archive_id *a, char out[40])
{
	memcpy(out, "list-", 5);
	crypto_hex(a->id, sizeof(a->id), out + 5);
}

static void list_mac(const struct cache *c, const uint8_t *p, size_t n, uint8_t out[32])
{
	crypto_b2("vs1.cache.list", c->key, 32, p, n, out, 32);
}

/* ---- encode ---- */

static int put_dep(struct bytes *out, const struct cache_dep *d, struct err *e)
{
	if (bytes_append(out, d->archive.id, 16, e) < 0 ||
	    wire_put64(out, d->archive.seq, e) < 0 ||
	    bytes_append(out, d->archive.trailer_hash, 32, e) < 0 ||
	    wire_put64(out, d->live, e) < 0 || wire_put64(out, d->size, e) < 0 ||
	    wire_put8(out, d->level, e) < 0)
		return -1;
	return bytes_zero(out, 7, e);
}

static int put_segs(struct bytes *out, const struct cache_segs *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++)
		if (bytes_append(out, s->list[i].name, 16, e) < 0 ||
		    wire_put32(out, s->list[i].units, e) < 0)
			return -1;
	return 0;
}

static int list_encode(const struct cache_list *l, struct bytes *out, struct err *e)
{
	if (bytes_append(out, magic, sizeof(magic), e) < 0 ||
	    bytes_append(out, l->archive.id, 16, e) < 0 ||
	    wire_put64(out, l->archive.seq, e) < 0 ||
	    bytes_append(out, l->archive.trailer_hash, 32, e) < 0 ||
	    bytes_append(out, l->options, sizeof(l->options), e) < 0 ||
	    wire_put32(out, (uint32_t)l->n_recipients, e) < 0 ||
	    wire_put32(out, (uint32_t)l->n_deps, e) < 0)
		return -1;
	for (size_t k = 0; k < CACHE_KINDS; k++)
		if (wire_put32(out, (uint32_t)l->segs[k].n, e) < 0)
			return -1;
	if (l->n_recipients > 0 &&
	    bytes_append(out, l->recipients, l->n_recipients * 32, e) < 0)
		return -1;
	for (size_t i = 0; i < l->n_deps; i++)
		if (put_dep(out, &l->deps[i], e) < 0)
			return -1;
	for (size_t k = 0; k < CACHE_KINDS; k++)
		if (put_segs(out, &l->segs[k], e) < 0)
			return -1;
	return 0;
}

int cache_list_save(struct cache *c, const struct cache_list *l, struct err *e)
{
	auto_bytes struct bytes out = BYTES_EMPTY;
	char name[40];
	uint8_t mac[32];

	if (list_encode(l, &out, e) < 0)
		return -1;
	list_mac(c, out.p, out.len, mac);
	if (bytes_append(&out, mac, sizeof(mac), e) < 0)
		return -1;
	list_name(&l->archive, name);
	/* file_save syncs the directory, and with it the names of the segments */
	return file_save(c->dirfd, name, out.p, out.len, 0600, true, e) < 0 ? -1 : 0;
}

/* ---- decode ---- */

static int take_deps(struct cursor *c, struct cache_list *l, struct err *e)
{
	l->deps = calloc(l->n_deps + 1, sizeof(*l->deps));
	if (!l->deps)
		return err_memory(e);
	for (size_t i = 0; i < l->n_deps; i++) {
		struct cache_dep *d = &l->deps[i];

		cursor_copy(c, d->archive.id, 16);
		d->archive.seq = cursor_u64(c);
		cursor_copy(c, d->archive.trailer_hash, 32);
		d->live = cursor_u64(c);
		d->size = cursor_u64(c);
		d->level = cursor_u8(c);
		cursor_zeros(c, 7);
	}
	return 0;
}

static int take_segs(struct cursor *c, struct cache_segs *s, uint32_t n, struct err *e)
{
	for (uint32_t i = 0; i < n; i++) {
		struct cache_seg one = { .units = 0 };

		cursor_copy(c, one.name, 16);
		one.units = cursor_u32(c);
		if (cache_segs_add(s, &one, e) < 0)
			return -1;
	}
	return 0;
}

/* 1: it does not fit. */
static int list_decode(const uint8_t *p, size_t n, struct cache_list *l, struct err *e)
{
	struct cursor c = cursor_make(p + sizeof(magic), n - sizeof(magic));
	uint32_t counts[CACHE_KINDS];
	uint64_t want;

	cursor_copy(&c, l->archive.id, 16);
	l->archive.seq = cursor_u64(&c);
	cursor_copy(&c, l->archive.trailer_hash, 32);
	cursor_copy(&c, l->options, sizeof(l->options));
	l->n_recipients = cursor_u32(&c);
	l->n_deps = cursor_u32(&c);
	want = l->n_recipients * (uint64_t)32 + l->n_deps * (uint64_t)80;
	for (size_t k = 0; k < CACHE_KINDS; k++) {
		counts[k] = cursor_u32(&c);
		want += counts[k] * (uint64_t)20;
	}
	if (!cursor_ok(&c) || want != c.left)
		return 1;
	l->recipients = calloc(l->n_recipients + 1, sizeof(*l->recipients));
	if (!l->recipients)
		return err_memory(e);
	cursor_copy(&c, l->recipients, l->n_recipients * 32);
	if (take_deps(&c, l, e) < 0)
		return -1;
	for (size_t k = 0; k < CACHE_KINDS; k++)
		if (take_segs(&c, &l->segs[k], counts[k], e) < 0)
			return -1;
	return cursor_done(&c) ? 0 : 1;
}

int cache_list_load(struct cache *c, const struct archive_id *a, struct cache_list *out,
		    const char **why, struct err *e)
{
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct err ignored = ERR_EMPTY;
	char name[40];
	uint8_t mac[32];
	int found;

	*out = (struct cache_list)CACHE_LIST_EMPTY;
	*why = "is damaged";
	list_name(a, name);
	found = file_load(c->dirfd, name, LIST_MAX, &raw, &ignored);
	if (found == 1)
		*why = "is not there";
	if (found != 0 || raw.len < sizeof(magic) + 32 ||
	    memcmp(raw.p, magic, sizeof(magic)) != 0)
		return 1;
	list_mac(c, raw.p, raw.len - 32, mac);
	if (!crypto_equal(mac, raw.p + raw.len - 32, sizeof(mac)))
		return 1;
	found = list_decode(raw.p, raw.len - 32, out, e);
	if (found == 0 && (memcmp(out->archive.id, a->id, 16) != 0 || out->archive.seq != a->seq ||
			   memcmp(out->archive.trailer_hash, a->trailer_hash, 32) != 0)) {
		*why = "is of another snapshot";
		found = 1;
	}
	if (found != 0)
		cache_list_free(out);
	return found;
}
