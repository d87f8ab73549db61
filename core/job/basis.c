#include "job/basis.h"

#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/envelope.h"
#include "base/err.h"
#include "base/report.h"
#include "base/scope.h"
#include "job/host.h"
#include "job/parent.h"
#include "plan/level.h"
#include "store/store.h"

void basis_close(struct basis *b)
{
	cache_close(&b->cache);
	cache_list_free(&b->tip);
	free(b->victims);
	b->victims = NULL;
}

/* What decides which entries a snapshot has, and what their headers say. */
static void hash_options(const struct config_volume *v, uint8_t out[16])
{
	struct crypto_hash h;
	uint8_t word = v->one_file_system;

	crypto_hash_init(&h, "vs1.cache.opt", NULL, 0, 16);
	crypto_hash_update(&h, &word, 1);
	for (size_t i = 0; i < v->n_exclude; i++)
		crypto_hash_update(&h, v->exclude[i], strlen(v->exclude[i]) + 1);
	crypto_hash_final(&h, out);
}

/* Every dependency must be there: what is referred to must be in the store.  1: one is not. */
static int check_deps(const struct host *h, const struct parent *p, const struct cache_list *l,
		      const struct report *report, struct err *e)
{
	for (size_t i = 0; i < l->n_deps; i++) {
		const struct archive_id *a = &l->deps[i].archive;
		struct store_file *f = NULL;
		char name[600];
		int found;

		parent_final_name(&p->stream, a, name, sizeof(name));
		found = store_file_open(h->store, name, &f, e);
		store_file_free(f);
		if (found < 0)
			return -1;
		if (found == 0)
			continue;
		report_note(report, NOTE_WARNING, NULL,
			    "%s: snapshot %llu, on which the newest one rests, is missing from the "
			    "store: this snapshot is a full one",
			    p->stream.name, (unsigned long long)a->seq);
		return 1;
	}
	return 0;
}

/* Who reads the new snapshot must be able to read what it rests on.  1: somebody could not. */
static int check_recipients(const struct host *h, const struct parent *p,
			    const struct cache_list *l, const struct report *report)
{
	uint8_t now[CACHE_RECIPIENTS][32];
	size_t n = envelope_recipients(&h->d, p->stream.host_pk, now, CACHE_RECIPIENTS);

	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < l->n_recipients; k++)
			found |= memcmp(now[i], l->recipients[k], 32) == 0;
		if (found)
			continue;
		report_note(report, NOTE_INFO, NULL,
			    "%s: a key was added that the snapshots before are not sealed to: this "
			    "snapshot is a full one",
			    p->stream.name);
		return 1;
	}
	return 0;
}

static int load_tip(const struct host *h, const struct parent *p, const struct report *report,
		    struct basis *b, struct err *e)
{
	const char *why;
	int r = cache_list_load(&b->cache, &p->tip.archive, &b->tip, &why, e);

	if (r < 0)
		return -1;
	if (r == 1)
		report_note(report, NOTE_WARNING, NULL,
			    "%s: the tip cache %s: this snapshot is a full one", p->stream.name,
			    why);
	if (r == 0)
		r = check_deps(h, p, &b->tip, report, e);
	if (r == 0)
		r = check_recipients(h, p, &b->tip, report);
	b->known = r == 0;
	return r < 0 ? -1 : 0;
}

int basis_open(const struct host *h, const struct config_volume *v, const struct parent *p,
	       bool full, const struct report *report, struct basis *out, struct err *e)
{
	*out = (struct basis)BASIS_EMPTY;
	hash_options(v, out->options);
	if (cache_open(p->state_fd, h->key, p->stream.id, &out->cache, e) < 0)
		return -1;
	if (full || p->tip.archive.seq == 0)
		return 0;
	return load_tip(h, p, report, out, e);
}

int basis_choose_victims(struct basis *b, uint8_t level, struct err *e)
{
	size_t room = b->tip.n_deps + 1, n = 0;
	auto_free struct level_archive *all = calloc(room, sizeof(*all));

	free(b->victims);
	b->victims = calloc(room, sizeof(*b->victims));
	if (!all || !b->victims)
		return err_memory(e);
	for (size_t i = 0; i < b->tip.n_deps; i++) {
		const struct cache_dep *d = &b->tip.deps[i];

		if (d->live > 0) /* the tip itself, where nothing had changed: there is nothing to move */
			all[n++] = (struct level_archive){ .seq = d->archive.seq,
							   .level = d->level,
							   .live = d->live,
							   .size = d->size };
	}
	b->n_victims = level_victims(level, all, n, b->victims);
	return 0;
}
