/* Files come in bytewise order, so the parts of a snapshot come just before its last one,
 * and snapshots in the order of their numbers.  Names are only trusted as far as the
 * signed header says the same; whatever else ends in .vsf is damage, and never more than
 * that. */
#include "archive/catalog_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/tlv.h"
#include "base/err.h"
#include "base/wire.h"
#include "store/store.h"

#define FINAL_EXT ".vsf"
#define PART_EXT ".vsa"
#define EXT_LEN 4
#define TLV_PREDECESSOR 1

void catalog_dir_snapshot_free(struct snapshot *x)
{
	free(x->name);
	free(x->problem);
	x->name = x->problem = NULL;
}

void catalog_dir_stream_free(struct catalog_stream *s)
{
	for (size_t i = 0; i < s->n; i++)
		catalog_dir_snapshot_free(&s->snapshots[i]);
	free(s->snapshots);
	crypto_unlock(s->list_key);
	s->snapshots = NULL;
	s->list_key = NULL;
	s->n = 0;
}

void catalog_dir_free(struct catalog_dir *d)
{
	for (size_t i = 0; i < d->n; i++)
		catalog_dir_snapshot_free(&d->all[i].x);
	free(d->all);
	free(d->pk);
	d->all = NULL;
	d->pk = NULL;
	d->n = d->room = 0;
	bytes_free(&d->stem_parts);
	catalog_dir_stream_free(&d->stream);
}

/* ---- names ---- */

static bool ends_in(const char *name, const char *ext)
{
	size_t len = strlen(name);

	return len >= EXT_LEN && strcmp(name + len - EXT_LEN, ext) == 0;
}

/* QQQQQQQQQQ-AAAA….vsf and nothing else. */
static bool name_decode(const char *name, struct archive_id *a)
{
	char want[80], *end;
	const char *dash = strchr(name, '-');
	char hex[33] = "";

	if (!dash || strlen(dash) != 1 + 32 + EXT_LEN || name[0] < '0' || name[0] > '9')
		return false;
	memcpy(hex, dash + 1, 32);
	errno = 0;
	a->seq = strtoull(name, &end, 10);
	if (errno != 0 || end != dash || a->seq == 0 || !crypto_unhex(hex, a->id, 16))
		return false;
	(void)snprintf(want, sizeof(want), "%010llu-%s" FINAL_EXT,
		       (unsigned long long)a->seq, hex);
	return strcmp(want, name) == 0;
}

/* Remember a part until its last part comes. */
static int part_listed(struct catalog_dir *d, const char *name, uint64_t size,
		       struct err *e)
{
	const char *dot = strchr(name, '.');
	size_t len = (size_t)(dot - name); /* the name ends in .vsa */
	char want[160];
	unsigned long no;

	no = strtoul(dot + 1, NULL, 10);
	if (len >= sizeof(d->stem) || no == 0 || no > UINT32_MAX)
		return 0;
	(void)snprintf(want, sizeof(want), "%.*s.%04lu" PART_EXT, (int)len, name, no);
	if (strcmp(want, name) != 0)
		return 0;
	if (strncmp(d->stem, name, len) != 0 || d->stem[len] != '\0') {
		memcpy(d->stem, name, len);
		d->stem[len] = '\0';
		d->stem_size = 0;
		d->stem_parts.len = 0;
	}
	d->stem_size += size;
	return wire_put32(&d->stem_parts, (uint32_t)no, e);
}

/* Are the parts just listed those of NAME? */
static bool stem_fits(const struct catalog_dir *d, const char *name)
{
	size_t len = strlen(name) - EXT_LEN;

	return d->stem_parts.len > 0 && strlen(d->stem) == len &&
	       memcmp(d->stem, name, len) == 0;
}

static bool part_seen(const struct catalog_dir *d, uint32_t no)
{
	/* In order, but for those above 9999. */
	if (no <= d->stem_parts.len / 4 &&
	    wire_get32(d->stem_parts.p + (size_t)4 * (no - 1)) == no)
		return true;
	for (size_t i = 0; i < d->stem_parts.len; i += 4)
		if (wire_get32(d->stem_parts.p + i) == no)
			return true;
	return false;
}

/* ---- what is found ---- */

static int by_place(const struct archive_id *a, const struct archive_id *b)
{
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	return memcmp(a->id, b->id, sizeof(a->id));
}

/* Index of the first that does not come before A. */
static size_t found_place(const struct catalog_dir *d, const struct archive_id *a)
{
	size_t low = 0, high = d->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (by_place(&d->all[mid].x.archive, a) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct found *found_get(const struct catalog_dir *d, const struct archive_id *a)
{
	size_t i = found_place(d, a);

	return i == d->n || by_place(&d->all[i].x.archive, a) != 0 ? NULL : &d->all[i];
}

/* Takes F's strings. */
static int found_add(struct catalog_dir *d, const struct found *f, struct err *e)
{
	size_t at = found_place(d, &f->x.archive);

	if (d->n == d->room) {
		size_t room = d->room ? 2 * d->room : 16;
		struct found *more = reallocarray(d->all, room, sizeof(*more));

		if (!more)
			return err_memory(e);
		d->all = more;
		d->room = room;
	}
	memmove(&d->all[at + 1], &d->all[at], (d->n - at) * sizeof(*d->all));
	d->all[at] = *f;
	d->n++;
	return 0;
}

/* Texts of errors name files of a store that may be hostile. */
static void damaged(struct found *f, const char *text)
{
	char *copy = strdup(text);

	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (copy) {
		free(f->x.problem);
		f->x.problem = copy;
	}
	f->x.state = SNAPSHOT_DAMAGED;
}

/* ---- one snapshot ---- */

static void take_predecessor(struct catalog_stream *s, const struct part_header *h)
{
	size_t len = 0;
	const uint8_t *p = tlv_find(h->tlv.p, h->tlv.len, TLV_PREDECESSOR, &len);

	if (!p || len != 32)
		return;
	s->has_predecessor = true;
	memcpy(s->predecessor.stream_id, p, 16);
	memcpy(s->predecessor.archive_id, p + 16, 16);
}

/* Its own parts must be there. */
static void check_parts(const struct catalog_dir *d, const char *base,
			const struct part_trailer *t, struct found *f)
{
	bool parts = stem_fits(d, base);
	char text[700];

	f->intact = true;
	for (uint32_t i = 1; i < t->n_parts; i++) {
		if (parts && part_seen(d, i))
			continue;
		(void)snprintf(text, sizeof(text), "%s: part %lu is missing", f->x.name,
			       (unsigned long)i);
		damaged(f, text);
		f->intact = false;
		return;
	}
}

/* And so must the snapshots on which it rests; what these rest on they need for themselves. */
static void check_rest(const struct catalog_dir *d, const struct part_trailer *t,
		       struct found *f)
{
	char text[700];

	for (size_t i = 0; i < t->n_deps; i++) {
		const struct archive_id *a = &t->deps[i].archive;
		const struct found *dep = found_get(d, a);

		if (dep && dep->intact &&
		    memcmp(dep->x.archive.trailer_hash, a->trailer_hash, 32) == 0) {
			f->x.needs_key |= dep->x.needs_key && !dep->opens;
			continue;
		}
		(void)snprintf(text, sizeof(text),
			       "%s: snapshot %llu, on which it rests, is %s", f->x.name,
			       (unsigned long long)a->seq, dep ? "damaged" : "missing");
		damaged(f, text);
		return;
	}
}

static void check_keys(const struct catalog_dir *d, const struct part_header *h,
		       struct found *f)
{
	size_t n = d->keys ? d->keys->n : 0;

	for (size_t i = 0; i < n; i++)
		f->opens |= stanza_is_for(h, d->pk[i]);
	f->x.needs_key = n > 0 && !f->opens;
}

static void take_part(struct catalog_dir *d, const char *base,
		      const struct part_reader *r, struct found *f)
{
	const struct part_header *h = &r->header;
	const struct part_trailer *t = &r->trailer;

	if (!d->known) {
		d->stream.stream = h->stream;
		d->known = true;
	}
	if (memcmp(h->stream.id, d->stream.stream.id, sizeof(h->stream.id)) != 0) {
		damaged(f, "belongs to another stream than others of its directory");
		return;
	}
	take_predecessor(&d->stream, h);
	f->verified = true;
	memcpy(f->x.archive.trailer_hash, t->hash, sizeof(t->hash));
	f->x.state = t->partial ? SNAPSHOT_PARTIAL : SNAPSHOT_OK;
	f->x.n_parts = t->n_parts;
	f->x.parent = t->parent;
	f->x.has_parent = t->has_parent;
	f->x.created_ms = h->created_ms;
	memcpy(f->header_hash, h->hash, sizeof(h->hash));
	memcpy(f->sealed, t->summary, sizeof(t->summary));
	check_keys(d, h, f);
	check_parts(d, base, t, f);
	if (f->intact)
		check_rest(d, t, f);
}

/* 1: it is gone meanwhile. */
static int snapshot_open(struct catalog_dir *d, const char *base, bool is_dir,
			 struct found *f, struct err *e)
{
	struct part_reader *r = NULL;
	struct err why = ERR_EMPTY;
	int opened;

	if (!name_decode(base, &f->x.archive)) {
		f->x.archive = (struct archive_id){ .seq = 0 };
		damaged(f, "is not the name of a snapshot");
		return 0;
	}
	if (is_dir) {
		damaged(f, "is a directory");
		return 0;
	}
	opened = part_reader_open(d->store, d->d, f->x.name, &r, &why);
	if (opened == 0)
		take_part(d, base, r, f);
	else if (opened < 0 && store_file_fault(&why))
		damaged(f, why.text);
	else if (opened < 0)
		*e = why;
	part_reader_free(r);
	return opened < 0 && !store_file_fault(&why) ? -1 : opened == 1;
}

static int final_listed(struct catalog_dir *d, const char *base, bool is_dir,
			uint64_t size, struct err *e)
{
	struct found f = { .x.state = SNAPSHOT_DAMAGED };
	int result;

	f.x.problem = strdup("");
	if (!f.x.problem || asprintf(&f.x.name, "%s/%s", d->stream.dir, base) < 0) {
		free(f.x.problem);
		return err_memory(e);
	}
	f.x.stored = is_dir ? 0 : size + (stem_fits(d, base) ? d->stem_size : 0);
	result = snapshot_open(d, base, is_dir, &f, e);
	if (result == 0)
		result = found_add(d, &f, e);
	if (result != 0)
		catalog_dir_snapshot_free(&f.x);
	return result < 0 ? -1 : 0;
}

static int file_listed(void *ctx, const char *name, bool is_dir, uint64_t size,
		       struct err *e)
{
	struct catalog_dir *d = ctx;

	if (ends_in(name, FINAL_EXT))
		return final_listed(d, name, is_dir, size, e);
	if (ends_in(name, PART_EXT) && !is_dir)
		return part_listed(d, name, size, e);
	return 0;
}

static int keys_publish(struct catalog_dir *d, struct err *e)
{
	size_t n = d->keys ? d->keys->n : 0;

	if (n == 0)
		return 0;
	d->pk = calloc(n, sizeof(*d->pk));
	if (!d->pk)
		return err_memory(e);
	for (size_t i = 0; i < n; i++)
		crypto_x_public(d->keys->x[i]->b, d->pk[i]);
	return 0;
}

int catalog_dir_read(struct catalog_dir *d, struct err *e)
{
	if (keys_publish(d, e) < 0)
		return -1;
	return store_list(d->store, d->stream.dir, file_listed, d, e);
}
