#include "job/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/reader.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/table.h"
#include "source/pax_rewrite.h"
#include "source/texts.h"

/* What is kept of a first name outside the selection: in the spill file, its header behind it. */
struct outside {
	uint64_t header_len;
	uint64_t body_at, body_len;
	uint64_t made_as; /* text of the name it was made under; UINT64_MAX: not yet */
};

struct select {
	struct reader *reader;
	size_t n_paths;
	char (*paths)[ENTRY_PATH_MAX + 3];
	bool *matched;
	struct table *needed; /* hash of a first name's path -> place in spill + 1, 0 unseen */
	struct texts *names;
	int spill;
	uint64_t spill_len;
	struct bytes rewritten;
	uint64_t lost; /* entries, so far */
	struct selected current;
};

void select_free(struct select *s)
{
	if (!s)
		return;
	table_free(s->needed);
	texts_free(s->names);
	scope_close(&s->spill);
	bytes_free(&s->rewritten);
	free(s->paths);
	free(s->matched);
	free(s);
}

int select_path(const char *in, char out[ENTRY_PATH_MAX + 3], struct err *e)
{
	size_t n = 1;

	out[0] = '.';
	while (*in) {
		size_t len = strcspn(in, "/");

		if (len == 2 && memcmp(in, "..", 2) == 0)
			return err_set(e, ERR_USAGE,
				       "\"..\" is not allowed in a path of a snapshot");
		if (len > 0 && !(len == 1 && *in == '.')) {
			if (n + 1 + len >= ENTRY_PATH_MAX + 3)
				return err_set(e, ERR_USAGE, "the path is too long");
			out[n++] = '/';
			memcpy(out + n, in, len);
			n += len;
		}
		in += len + (in[len] == '/');
	}
	out[n] = '\0';
	return 0;
}

static void path_key(const char *path, uint8_t key[16])
{
	crypto_b2("vs1.select", NULL, 0, path, strlen(path), key, 16);
}

static bool is_selected(struct select *s, const char *path)
{
	bool found = s->n_paths == 0;

	for (size_t i = 0; i < s->n_paths; i++)
		if (pax_path_below(path, s->paths[i]))
			found = s->matched[i] = true;
	return found;
}

/* First pass: which first names outside the selection do selected links need? */
static int find_needed(struct select *s, struct err *e)
{
	struct reader_entry en;
	struct pax *p = &s->current.pax;
	uint8_t key[16];
	int more;

	while ((more = reader_next(s->reader, &en, e)) != 1) {
		if (more < 0)
			return -1;
		if (more == 2)
			continue; /* is told of when it is to be restored */
		if (pax_parse(en.header, en.header_len, p, e) < 0)
			return -1;
		if (p->type != PAX_LINK || !is_selected(s, p->path) ||
		    is_selected(s, p->target))
			continue;
		path_key(p->target, key);
		if (table_put(s->needed, key, 0, e) < 0)
			return -1;
	}
	return reader_rewind(s->reader, e);
}

int select_new(struct reader *r, const char *const *paths, size_t n, const char *scratch,
	       struct select **out, struct err *e)
{
	struct select *s = calloc(1, sizeof(*s));

	if (!s)
		return err_memory(e);
	*out = s;
	s->reader = r;
	s->n_paths = n;
	s->spill = -1;
	if (n == 0)
		return 0;
	s->paths = calloc(n, sizeof(*s->paths));
	s->matched = calloc(n, sizeof(*s->matched));
	if (!s->paths || !s->matched)
		return err_memory(e);
	for (size_t i = 0; i < n; i++)
		if (select_path(paths[i], s->paths[i], e) < 0)
			return -1;
	s->spill = file_temp(scratch, e);
	if (s->spill < 0 || table_new(scratch, 65536, &s->needed, e) < 0 ||
	    texts_new(scratch, &s->names, e) < 0)
		return -1;
	return find_needed(s, e);
}

/* An unselected entry that a later link needs: keep its header and where its body lies. */
static int remember(struct select *s, const struct reader_entry *en, struct err *e)
{
	struct outside o = { .header_len = en->header_len,
			     .body_at = en->body_at,
			     .body_len = en->body_len,
			     .made_as = UINT64_MAX };
	off_t at = (off_t)s->spill_len;
	uint8_t key[16];
	uint64_t value;
	int found;

	path_key(s->current.pax.path, key);
	found = table_get(s->needed, key, &value, e);
	if (found != 0)
		return found < 0 ? -1 : 0;
	if (file_pwrite(s->spill, &o, sizeof(o), at) < 0 ||
	    file_pwrite(s->spill, en->header, en->header_len, at + (off_t)sizeof(o)) < 0)
		return err_sys(e, "temporary file");
	s->spill_len += sizeof(o) + en->header_len;
	return table_put(s->needed, key, (uint64_t)at + 1, e);
}

static int recall(struct select *s, off_t at, void *out, size_t n, struct err *e)
{
	ssize_t got = file_pread(s->spill, out, n, at);

	if (got < 0 || (size_t)got != n)
		return err_sys(e, "temporary file");
	return 0;
}

static int rewrite(struct select *s, const uint8_t *header, size_t n, const char *path,
		   const char *target, struct err *e)
{
	struct pax_change change = { .path = path, .target = target };

	s->rewritten.len = 0;
	if (pax_rewrite(header, n, &change, &s->rewritten, e) < 0)
		return -1;
	s->current.header = s->rewritten.p;
	s->current.header_len = s->rewritten.len;
	return pax_parse(s->current.header, s->current.header_len, &s->current.pax, e);
}

/* The file itself, under the first selected name of it. */
static int make_first(struct select *s, struct outside *o, off_t at, struct err *e)
{
	auto_bytes struct bytes header = BYTES_EMPTY;
	char name[ENTRY_PATH_MAX + 3];

	if (texts_put(s->names, s->current.pax.path, &o->made_as, e) < 0)
		return -1;
	if (file_pwrite(s->spill, o, sizeof(*o), at) < 0)
		return err_sys(e, "temporary file");
	if (bytes_reserve(&header, o->header_len, e) < 0 ||
	    recall(s, at + (off_t)sizeof(*o), header.p, o->header_len, e) < 0)
		return -1;
	(void)snprintf(name, sizeof(name), "%s", s->current.pax.path);
	if (rewrite(s, header.p, o->header_len, name, NULL, e) < 0)
		return -1;
	return reader_body_from(s->reader, o->body_at, o->body_len, e);
}

/* A selected link: to a selected name as it is; else the first such name becomes the file.  2: that
 * may be lost. */
static int resolve_link(struct select *s, struct err *e)
{
	char name[ENTRY_PATH_MAX + 3];
	struct outside o;
	uint8_t key[16];
	uint64_t place;
	int found;

	path_key(s->current.pax.target, key);
	found = table_get(s->needed, key, &place, e);
	if (found != 0)
		return found < 0 ? -1 : 0;
	if (place == 0) {
		(void)err_set(e, ERR_DAMAGED, "%s: links to an entry that does not come before it",
			      s->current.pax.path);
		return s->lost > 0 ? 2 : -1;
	}
	if (recall(s, (off_t)place - 1, &o, sizeof(o), e) < 0)
		return -1;
	if (o.made_as == UINT64_MAX)
		return make_first(s, &o, (off_t)place - 1, e);
	if (texts_get(s->names, o.made_as, name, e) < 0)
		return -1;
	return rewrite(s, s->current.header, s->current.header_len, NULL, name, e);
}

int select_next(struct select *s, struct selected *out, struct err *e)
{
	struct reader_entry en;
	struct pax *p = &s->current.pax;
	int more;

	while ((more = reader_next(s->reader, &en, e)) != 1) {
		if (more < 0)
			return -1;
		if (more == 2 && en.lost == 0)
			continue; /* bytes of no entry */
		if (more == 2) {
			s->lost += en.lost;
			out->lost = en.lost;
			return 2;
		}
		if (pax_parse(en.header, en.header_len, p, e) < 0)
			return err_in(e, "entry %llu", (unsigned long long)en.no);
		if (p->body_len != en.body_len)
			return err_set(e, ERR_DAMAGED, "%s: header and content differ in size",
				       p->path);
		s->current.header = en.header;
		s->current.header_len = en.header_len;
		if (!is_selected(s, p->path)) {
			if (remember(s, &en, e) < 0)
				return -1;
			continue;
		}
		more = s->n_paths > 0 && p->type == PAX_LINK ? resolve_link(s, e) : 0;
		if (more < 0)
			return -1;
		*out = s->current;
		return more;
	}
	return 1;
}

const char *select_unmatched(const struct select *s)
{
	for (size_t i = 0; i < s->n_paths; i++)
		if (!s->matched[i])
			return s->paths[i];
	return NULL;
}
