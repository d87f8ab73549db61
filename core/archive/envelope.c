/* The file key is random, and hedged with the host key: a host whose random numbers
 * repeat after a cloned image or at first boot still gets another key for each archive.
 */
#include "archive/envelope.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "archive/crypto.h"
#include "archive/writer.h"
#include "base/err.h"
#include "base/wire.h"

#define TLV_PREDECESSOR 1

/* What is secret while the stanzas are made; in locked memory. */
struct making {
	uint8_t random[32];
	uint8_t eph_sk[32];
};

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void fill_identity(const struct writer_options *o, struct part_header *h)
{
	memcpy(h->store_id, o->d->store_id, 16);
	crypto_random(h->archive_id, 16);
	h->stream = *o->stream;
	h->seq = o->seq;
	h->part = 1;
	h->epoch = o->d->epoch;
	h->created_ms = now_ms();
}

static int fill_tlv(const struct predecessor *p, struct part_header *h, struct err *e)
{
	if (!p)
		return 0;
	if (wire_put16(&h->tlv, TLV_PREDECESSOR, e) < 0 ||
	    wire_put16(&h->tlv, 32, e) < 0 ||
	    bytes_append(&h->tlv, p->stream_id, 16, e) < 0)
		return -1;
	return bytes_append(&h->tlv, p->archive_id, 16, e);
}

void envelope_file_key(const struct part_header *h, const struct secret *host,
		       const uint8_t random[32], uint8_t fk[32])
{
	uint8_t hedge[32 + 16 + 8 + 16];

	memcpy(hedge, host->b, 32);
	memcpy(hedge + 32, h->stream.id, 16);
	wire_set64(hedge + 48, h->seq);
	memcpy(hedge + 56, h->archive_id, 16);
	crypto_b2("vs1.fkey", random, 32, hedge, sizeof(hedge), fk, 32);
	crypto_wipe(hedge, sizeof(hedge));
}

static bool in_scope(const struct grant *g, const uint8_t host_pk[32])
{
	if (g->role == KEY_HOST)
		return false;
	return !g->one_host || memcmp(g->scope_host, host_pk, 32) == 0;
}

/* Whether an earlier grant in scope gives grant I's key the same: it gets one stanza. */
static bool granted_before(const struct descriptor *d, size_t i,
			   const uint8_t host_pk[32])
{
	const struct grant *g = &d->grants[i];

	for (size_t k = 0; k < i; k++) {
		const struct grant *before = &d->grants[k];

		if (in_scope(before, host_pk) &&
		    (before->role == KEY_PRUNE) == (g->role == KEY_PRUNE) &&
		    memcmp(before->seal_pk, g->seal_pk, 32) == 0)
			return true;
	}
	return false;
}

/* A stanza for each key granted in scope of this host; *n_readers counts those that get
 * the file key. */
static int make_stanzas(const struct writer_options *o, struct part_header *h,
			const struct making *m, const uint8_t fk[32], size_t *n_readers,
			struct err *e)
{
	h->stanzas = calloc(o->d->n_grants + 1, STANZA_LEN);
	if (!h->stanzas)
		return err_memory(e);
	for (size_t i = 0; i < o->d->n_grants; i++) {
		const struct grant *g = &o->d->grants[i];
		const uint8_t *payload = g->role == KEY_PRUNE ? o->keys->list : fk;

		if (!in_scope(g, h->stream.host_pk) ||
		    granted_before(o->d, i, h->stream.host_pk))
			continue;
		if (stanza_seal(h, g->role, g->seal_pk, m->eph_sk, payload,
				h->stanzas[h->n_stanzas], e) < 0)
			return err_in(e, "seal to %s", g->label);
		h->n_stanzas++;
		*n_readers += g->role != KEY_PRUNE;
	}
	return 0;
}

static int make_all(const struct writer_options *o, struct part_header *h,
		    struct making *m, uint8_t *fk, struct err *e)
{
	size_t n_readers = 0;

	fill_identity(o, h);
	if (fill_tlv(o->predecessor, h, e) < 0)
		return -1;
	crypto_random(m->random, sizeof(m->random));
	envelope_file_key(h, o->host, m->random, fk);
	crypto_random(m->eph_sk, sizeof(m->eph_sk));
	crypto_x_public(m->eph_sk, h->eph_pk);
	if (make_stanzas(o, h, m, fk, &n_readers, e) < 0)
		return -1;
	if (n_readers == 0)
		return err_set(e, ERR_KEY,
			       "the store's descriptor names no recovery or reader key: "
			       "nobody could read this snapshot");
	return 0;
}

int envelope_make(const struct writer_options *o, struct part_header *h, uint8_t **fk,
		  struct err *e)
{
	struct making *m = crypto_lock(sizeof(*m), e);
	uint8_t *key = m ? crypto_lock(32, e) : NULL;

	memset(h, 0, sizeof(*h));
	if (key && make_all(o, h, m, key, e) == 0) {
		crypto_unlock(m);
		*fk = key;
		return 0;
	}
	crypto_unlock(m);
	crypto_unlock(key);
	part_header_free(h);
	return -1;
}

size_t envelope_recipients(const struct descriptor *d, const uint8_t host_pk[32],
			   uint8_t (*out)[32], size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_grants && n < room; i++) {
		const struct grant *g = &d->grants[i];

		if (g->role != KEY_PRUNE && in_scope(g, host_pk) && !granted_before(d, i, host_pk))
			memcpy(out[n++], g->seal_pk, 32);
	}
	return n;
}
