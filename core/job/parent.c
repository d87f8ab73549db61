/* The states that a run may find, in order:
 *
 *   next there, its archive in the store      the run before died after its commit: next is the tip
 *   next there, its archive not in the store  it died before: the id is abandoned
 *   tip there and the newest in the store     go on
 *   tip there, store behind or ahead of it    a cloned or restored host: new stream, full
 *   no tip, streams of this key in the store  state lost: go on behind the newest verified snapshot
 *   nothing anywhere                          a new stream
 *
 * Nothing is concluded from the absence of a local file alone: the store is asked. */
#include "job/parent.h"

#include <stdio.h>
#include <string.h>

#include "archive/catalog.h"
#include "archive/crypto.h"
#include "base/err.h"
#include "base/report.h"
#include "job/host.h"
#include "store/store.h"

void parent_final_name(const struct stream *s, const struct archive_id *a, char *out, size_t size)
{
	char dir[512], id[33];

	stream_dir(s, dir, sizeof(dir));
	crypto_hex(a->id, sizeof(a->id), id);
	(void)snprintf(out, size, "%s/%010llu-%s.vsf", dir, (unsigned long long)a->seq, id);
}

/* 0: archive A is in the store, whole and as named; 1: it is not there. */
static int archive_there(const struct host *h, const struct stream *s,
			 const struct archive_id *a, struct err *e)
{
	struct part_reader *r = NULL;
	char name[600];
	int found, same;

	parent_final_name(s, a, name, sizeof(name));
	found = part_reader_open(h->store, &h->d, name, &r, e);
	if (found != 0)
		return found;
	same = memcmp(r->trailer.hash, a->trailer_hash, sizeof(a->trailer_hash)) == 0;
	part_reader_free(r);
	return same ? 0 :
		      err_set(e, ERR_DAMAGED, "%s: is not the snapshot that this host took",
			      name);
}

struct newest {
	const struct tip *tip;
	uint64_t seq;
};

/* The highest sequence number in a stream's directory, by names alone. */
static int newest_name(void *ctx, const char *name, bool is_dir, uint64_t size, struct err *e)
{
	struct newest *n = ctx;
	unsigned long long seq;
	uint8_t id[16];
	char hex[33];

	(void)size;
	(void)e;
	if (is_dir || strlen(name) != 10 + 1 + 32 + 4 || strcmp(name + 43, ".vsf") != 0 ||
	    sscanf(name, "%10llu-%32[0-9a-f]", &seq, hex) != 2 || !crypto_unhex(hex, id, 16))
		return 0;
	if (!tip_is_abandoned(n->tip, id) && seq > n->seq)
		n->seq = seq;
	return 0;
}

static int store_newest(const struct host *h, const struct stream *s, const struct tip *t,
			uint64_t *seq, struct err *e)
{
	struct newest n = { .tip = t, .seq = 0 };
	char dir[512];

	stream_dir(s, dir, sizeof(dir));
	if (store_list(h->store, dir, newest_name, &n, e) < 0)
		return -1;
	*seq = n.seq;
	return 0;
}

static void stream_of_tip(struct parent *p, const struct tip *t)
{
	memcpy(p->stream.nonce, t->nonce, sizeof(t->nonce));
	stream_identify(&p->stream);
}

/* Settle `next`: afterwards there is none. */
static int settle_next(const struct host *h, struct parent *p, int state_fd, bool *have_tip,
		       struct err *e)
{
	const char *why = NULL;
	struct tip next;
	int there;

	if (tip_load(state_fd, "next", h->key, &next, &why, e) == 1)
		return why ? tip_drop_next(state_fd, e) : 0;
	stream_of_tip(p, &next);
	there = archive_there(h, &p->stream, &next.archive, e);
	if (there < 0)
		return -1;
	if (there == 0) {
		p->tip = next;
		*have_tip = true;
		return tip_promote(state_fd, e);
	}
	if (*have_tip) {
		tip_abandon(&p->tip, next.archive.id);
		if (tip_save(state_fd, "tip", h->key, &p->tip, e) < 0)
			return -1;
	}
	return tip_drop_next(state_fd, e);
}

static void new_stream(struct parent *p)
{
	memset(&p->tip, 0, sizeof(p->tip));
	crypto_random(p->stream.nonce, sizeof(p->stream.nonce));
	stream_identify(&p->stream);
	memcpy(p->tip.stream_id, p->stream.id, sizeof(p->tip.stream_id));
	memcpy(p->tip.nonce, p->stream.nonce, sizeof(p->tip.nonce));
}

/* A stream that goes on elsewhere, or somewhere else than here: begin a new one, naming it. */
static void fork_stream(struct parent *p, const struct report *report, const char *why)
{
	p->has_predecessor = true;
	memcpy(p->predecessor.stream_id, p->stream.id, sizeof(p->stream.id));
	memcpy(p->predecessor.archive_id, p->tip.archive.id, sizeof(p->tip.archive.id));
	report_note(report, NOTE_WARNING, NULL,
		    "%s: %s: this host begins a new stream with a full snapshot",
		    p->stream.name, why);
	new_stream(p);
}

static int check_tip(const struct host *h, struct parent *p, const struct report *report,
		     struct err *e)
{
	uint64_t newest;
	int there;

	stream_of_tip(p, &p->tip);
	if (p->tip.archive.seq == 0)
		return 0;
	if (store_newest(h, &p->stream, &p->tip, &newest, e) < 0)
		return -1;
	there = archive_there(h, &p->stream, &p->tip.archive, e);
	if (there < 0)
		return -1;
	if (there == 1)
		fork_stream(p, report, "the store does not hold this host's newest snapshot");
	else if (newest > p->tip.archive.seq)
		fork_stream(p, report,
			    "the store holds newer snapshots than this host took "
			    "(cloned or restored host)");
	return 0;
}

static const struct snapshot *newest_verified(const struct catalog_stream *s)
{
	for (size_t i = s->n; i > 0; i--)
		if (s->snapshots[i - 1].state == SNAPSHOT_OK ||
		    s->snapshots[i - 1].state == SNAPSHOT_PARTIAL)
			return &s->snapshots[i - 1];
	return NULL;
}

static uint64_t max_seq(const struct catalog_stream *s)
{
	return s->n > 0 ? s->snapshots[s->n - 1].archive.seq : 0;
}

static int tip_of_newest(const struct host *h, const struct catalog_stream *s, struct tip *t,
			 struct err *e)
{
	const struct snapshot *newest = newest_verified(s);
	struct part_reader *r = NULL;

	if (!newest)
		return err_set(e, ERR_DAMAGED, "%s: holds no whole snapshot", s->dir);
	if (part_reader_open(h->store, &h->d, newest->name, &r, e) != 0)
		return err_in(e, "open the newest snapshot");
	memcpy(t->chain, r->trailer.chain, sizeof(t->chain));
	part_reader_free(r);
	t->archive = newest->archive;
	t->partial = newest->state == SNAPSHOT_PARTIAL;
	if (newest->has_summary)
		t->entries = newest->summary.entries;
	for (size_t i = s->n; i > 0 && !t->has_complete; i--) {
		const struct snapshot *x = &s->snapshots[i - 1];

		if (x->state != SNAPSHOT_OK || !x->has_summary || x->summary.unreadable ||
		    x->summary.changed_entries)
			continue;
		t->has_complete = true;
		t->complete_day = x->summary.day;
	}
	return 0;
}

/* Of this key's streams for this volume the one that nobody names as predecessor. */
static const struct catalog_stream *own_stream(const struct host *h, const struct catalog *c,
					       enum stream_kind kind)
{
	const struct catalog_stream *found = NULL;

	for (size_t i = 0; i < c->n; i++) {
		const struct catalog_stream *s = &c->streams[i];
		bool succeeded = false;

		if (memcmp(s->stream.host_pk, h->pk, 32) != 0 || s->stream.kind != kind)
			continue;
		for (size_t k = 0; k < c->n; k++)
			succeeded |= c->streams[k].has_predecessor &&
				     memcmp(c->streams[k].predecessor.stream_id, s->stream.id,
					    16) == 0;
		if (!succeeded && newest_verified(s))
			found = s;
	}
	return found;
}

/* No tip here: look for this key's stream in the store, or for another host key's of the same
 * label (a re-installed host), which the new stream then names as its predecessor. */
static int find_in_store(const struct host *h, struct parent *p, const struct report *report,
			 const char *why, struct err *e)
{
	struct catalog_filter f = { .host = p->stream.host, .name = p->stream.name };
	auto_catalog struct catalog c = CATALOG_EMPTY;
	const struct catalog_stream *own;

	if (catalog_load(h->store, &h->d, &f, h->key, NULL, &c, NULL, e) < 0)
		return -1;
	own = own_stream(h, &c, p->stream.kind);
	if (!own) {
		/* Remembered before anything is written under its id: so that the next run
		 * finds, and removes, what this one leaves behind if it dies. */
		new_stream(p);
		return tip_save(p->state_fd, "tip", h->key, &p->tip, e);
	}
	p->stream = own->stream;
	memset(&p->tip, 0, sizeof(p->tip));
	memcpy(p->tip.stream_id, own->stream.id, sizeof(p->tip.stream_id));
	memcpy(p->tip.nonce, own->stream.nonce, sizeof(p->tip.nonce));
	if (tip_of_newest(h, own, &p->tip, e) < 0)
		return -1;
	p->next_seq = max_seq(own) + 1;
	report_note(report, NOTE_WARNING, NULL,
		    "%s: the state directory %s: going on behind snapshot %llu of the store",
		    p->stream.name, why ? why : "has no record of this volume",
		    (unsigned long long)p->tip.archive.seq);
	return 0;
}

int parent_find(const struct host *h, const struct config_volume *v, enum stream_kind kind,
		int state_fd, const struct report *report, struct parent *out, struct err *e)
{
	const struct grant *self = descriptor_host(&h->d, h->pk);
	const char *why = NULL;
	bool have_tip;
	int found;

	memset(out, 0, sizeof(*out));
	out->state_fd = state_fd;
	if (!self)
		return err_set(e, ERR_KEY,
			       "this host's key is not in the store's descriptor (epoch %u): "
			       "volsnap init --join",
			       h->d.epoch);
	memcpy(out->stream.host_pk, h->pk, sizeof(h->pk));
	out->stream.kind = kind;
	(void)snprintf(out->stream.host, sizeof(out->stream.host), "%s", self->label);
	(void)snprintf(out->stream.name, sizeof(out->stream.name), "%s", v->name);
	found = tip_load(state_fd, "tip", h->key, &out->tip, &why, e);
	if (found < 0)
		return -1;
	have_tip = found == 0;
	if (have_tip) {
		/* A record that another volume's directory was given is as good as lost. */
		stream_of_tip(out, &out->tip);
		have_tip = memcmp(out->stream.id, out->tip.stream_id, 16) == 0;
		why = have_tip ? NULL : "holds another volume's record";
	}
	if (settle_next(h, out, state_fd, &have_tip, e) < 0)
		return -1;
	if ((have_tip ? check_tip(h, out, report, e) : find_in_store(h, out, report, why, e)) < 0)
		return -1;
	if (out->next_seq == 0)
		out->next_seq = out->tip.archive.seq + 1;
	return 0;
}
