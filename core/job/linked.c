#include "job/linked.h"

#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/reader.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/scope.h"
#include "base/table.h"

#define MEMORY_KEYS 16384 /* a diff has two such tables */

/* What is kept of a first name: in the spill file, its header behind it. */
struct first {
	uint64_t header_len, body_at, body_len;
};

struct linked {
	struct reader *reader;
	const char *scratch;
	linked_wanted_fn *wanted;
	void *ctx;
	struct table
		*needed; /* hash of a first name's path -> place in spill + 1, 0 unseen */
	bool any;	 /* needed has one */
	uint64_t left;	 /* entries that are wanted and still to come */
	int spill;
	uint64_t spill_len;
	struct bytes header; /* of a link's file */
	struct pax pax, file;
};

void linked_free(struct linked *l)
{
	if (!l)
		return;
	table_free(l->needed);
	scope_close(&l->spill);
	bytes_free(&l->header);
	free(l);
}

static void path_key(const char *path, uint8_t key[16])
{
	crypto_b2("vs1.linked", NULL, 0, path, strlen(path), key, 16);
}

static bool is_wanted(const struct linked *l)
{
	return !l->wanted || l->wanted(l->ctx, &l->pax);
}

static int next_parsed(struct linked *l, struct reader_entry *en, struct err *e)
{
	int more = reader_next(l->reader, en, e);

	if (more != 0)
		return more;
	if (interrupt_check(e) < 0)
		return -1;
	if (pax_parse(en->header, en->header_len, &l->pax, e) < 0)
		return err_in(e, "entry %llu", (unsigned long long)en->no);
	return 0;
}

/* The path of the entry before is in l->file, which nobody needs yet. */
static int check_order(struct linked *l, struct err *e)
{
	char *before = l->file.path;

	if (before[0] && pax_path_order(before, l->pax.path) >= 0)
		return err_set(e, ERR_DAMAGED, "%s: does not come behind %s as it should",
			       l->pax.path, before);
	memcpy(before, l->pax.path, strlen(l->pax.path) + 1);
	return 0;
}

static int find_needed(struct linked *l, struct err *e)
{
	struct reader_entry en;
	uint8_t key[16];
	int more;

	while ((more = next_parsed(l, &en, e)) == 0) {
		if (check_order(l, e) < 0)
			return -1;
		if (!is_wanted(l))
			continue;
		l->left++;
		if (l->pax.type != PAX_LINK)
			continue;
		if (!l->any && file_make_dirs(l->scratch, 0700, e) < 0)
			return -1;
		l->any = true;
		path_key(l->pax.target, key);
		if (table_put(l->needed, key, 0, e) < 0)
			return -1;
	}
	return more < 0 ? -1 : reader_rewind(l->reader, e);
}

int linked_new(struct reader *r, const char *scratch, linked_wanted_fn *wanted, void *ctx,
	       struct linked **out, struct err *e)
{
	struct linked *l = calloc(1, sizeof(*l));

	if (!l)
		return err_memory(e);
	l->reader = r;
	l->scratch = scratch;
	l->wanted = wanted;
	l->ctx = ctx;
	l->spill = -1;
	if (table_new(scratch, MEMORY_KEYS, &l->needed, e) < 0 ||
	    reader_rewind(r, e) < 0 || find_needed(l, e) < 0) {
		linked_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

static int spill_open(struct linked *l, struct err *e)
{
	if (l->spill < 0)
		l->spill = file_temp(l->scratch, e);
	return l->spill < 0 ? -1 : 0;
}

/* Keep the entry if a later link needs it. */
static int remember(struct linked *l, const struct reader_entry *en, struct err *e)
{
	struct first f = { .header_len = en->header_len,
			   .body_at = en->body_at,
			   .body_len = en->body_len };
	off_t at = (off_t)l->spill_len;
	uint8_t key[16];
	uint64_t value;
	int found;

	path_key(l->pax.path, key);
	found = table_get(l->needed, key, &value, e);
	if (found != 0)
		return found < 0 ? -1 : 0;
	if (spill_open(l, e) < 0)
		return -1;
	if (file_pwrite(l->spill, &f, sizeof(f), at) < 0 ||
	    file_pwrite(l->spill, en->header, en->header_len, at + (off_t)sizeof(f)) < 0)
		return err_sys(e, "temporary file");
	l->spill_len += sizeof(f) + en->header_len;
	return table_put(l->needed, key, (uint64_t)at + 1, e);
}

static int recall(struct linked *l, off_t at, void *out, size_t n, struct err *e)
{
	ssize_t got = file_pread(l->spill, out, n, at);

	if (got < 0 || (size_t)got != n)
		return err_sys(e, "temporary file");
	return 0;
}

static int resolve(struct linked *l, struct linked_entry *out, struct err *e)
{
	struct first f;
	uint8_t key[16];
	uint64_t place;
	int found;

	path_key(l->pax.target, key);
	found = table_get(l->needed, key, &place, e);
	if (found < 0)
		return -1;
	if (found == 1 || place == 0)
		return err_set(e, ERR_DAMAGED,
			       "%s: links to an entry that does not come before it",
			       l->pax.path);
	l->header.len = 0;
	if (recall(l, (off_t)place - 1, &f, sizeof(f), e) < 0 ||
	    bytes_reserve(&l->header, f.header_len, e) < 0 ||
	    recall(l, (off_t)(place - 1 + sizeof(f)), l->header.p, f.header_len, e) < 0 ||
	    pax_parse(l->header.p, f.header_len, &l->file, e) < 0)
		return -1;
	out->file = &l->file;
	out->header = l->header.p;
	out->header_len = f.header_len;
	out->body_at = f.body_at;
	out->body_len = f.body_len;
	return 0;
}

int linked_next(struct linked *l, struct linked_entry *out, struct err *e)
{
	struct reader_entry en;
	int more;

	if (l->left == 0)
		return 1;
	while ((more = next_parsed(l, &en, e)) == 0) {
		if (l->pax.body_len != en.body_len)
			return err_set(e, ERR_DAMAGED,
				       "%s: header and content differ in size",
				       l->pax.path);
		if (l->any && l->pax.type != PAX_LINK && remember(l, &en, e) < 0)
			return -1;
		if (!is_wanted(l))
			continue;
		l->left--;
		*out = (struct linked_entry){ .pax = &l->pax,
					      .file = &l->pax,
					      .header = en.header,
					      .header_len = en.header_len,
					      .body_at = en.body_at,
					      .body_len = en.body_len };
		return l->pax.type == PAX_LINK ? resolve(l, out, e) : 0;
	}
	return more;
}
