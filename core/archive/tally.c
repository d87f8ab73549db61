#include "archive/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive_parts.h"
#include "archive/crypto.h"
#include "archive/reader.h"
#include "archive/record.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "base/scope.h"

static struct tally_sum *sum_of(struct tally *t, enum record_type type)
{
	switch (type) {
	case RECORD_BODY:
		return &t->body;
	case RECORD_HEAD:
		return &t->head;
	case RECORD_NODE:
		return &t->node;
	case RECORD_ROOT:
		break;
	}
	return &t->root;
}

static int count_part(struct part_reader *r, struct tally *t, struct err *e)
{
	uint64_t at = 0, next;
	struct record rec;
	int more;

	while ((more = record_peek(r, at, &rec, &next, e)) == 0) {
		struct tally_sum *s = sum_of(t, rec.type);

		if (interrupt_check(e) < 0)
			return -1;
		s->n++;
		s->packed += rec.clen;
		s->plain += rec.ulen;
		at = next;
	}
	return more < 0 ? -1 : 0;
}

static int take_root(struct part_reader *final, struct tally *t, struct err *e)
{
	auto_free struct root *root = malloc(sizeof(*root));
	struct stream_keys *k = NULL;
	int result = -1;

	if (!root)
		return err_memory(e);
	if (stream_keys_new(&k, e) == 0)
		result = record_root(final, root, k, e);
	if (result == 0)
		t->totals = root->totals;
	stream_keys_free(k);
	return result;
}

/* Part NO of the archive that FINAL ends. */
static int other_part(struct store *store, const struct descriptor *d,
		      const struct part_reader *final, uint32_t no, const uint8_t *fk,
		      struct tally *t, struct err *e)
{
	int stem = (int)(strlen(final->name) - strlen(".vsf")), result = -1;
	struct part_reader *r = NULL;
	char name[sizeof(final->name) + 16];

	(void)snprintf(name, sizeof(name), "%.*s.%04lu.vsa", stem, final->name,
		       (unsigned long)no);
	result = part_reader_open(store, d, name, &r, e);
	if (result == 1)
		result = err_set(e, ERR_DAMAGED, "%s: is missing", name);
	else if (result == 0 &&
		 memcmp(r->trailer.hash, final->trailer.parts[no - 1], 32) != 0)
		result = err_set(e, ERR_DAMAGED, "%s: is not the part %lu that %s names",
				 name, (unsigned long)no, final->name);
	else if (result == 0)
		result = part_reader_unlock(r, fk, e) < 0 ? -1 : count_part(r, t, e);
	part_reader_free(r);
	return result;
}

static int count_all(struct store *store, const struct descriptor *d,
		     struct part_reader *final, const struct reader_keys *keys,
		     struct tally *t, struct err *e)
{
	uint8_t *fk = crypto_lock(32, e);
	int result = -1;

	if (fk && archive_parts_key(final, keys, fk, e) == 0 &&
	    part_reader_unlock(final, fk, e) == 0 && take_root(final, t, e) == 0)
		result = count_part(final, t, e);
	for (uint32_t no = 1; result == 0 && no < final->trailer.n_parts; no++)
		result = other_part(store, d, final, no, fk, t, e);
	crypto_unlock(fk);
	return result;
}

int tally_archive(struct store *store, const struct descriptor *d, const char *name,
		  const struct reader_keys *keys, struct tally *out, struct err *e)
{
	struct part_reader *final = NULL;
	int result = part_reader_open(store, d, name, &final, e);

	memset(out, 0, sizeof(*out));
	if (result == 1)
		result = err_set(e, ERR_STORE,
				 "%s: is not there: pruned while reading: run again",
				 name);
	else if (result == 0 && !final->trailer.final)
		result = err_set(e, ERR_DAMAGED, "%s: is not the last part of a snapshot",
				 name);
	else if (result == 0)
		result = count_all(store, d, final, keys, out, e);
	part_reader_free(final);
	return result;
}
