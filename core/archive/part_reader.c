/* Reading one part: find trailer and header, either copy of each, check them against the
 * descriptor, the file's name and length; then open segments as they are asked for
 * (docs/format.md sections 5-8, 13).
 *
 * Where the trailer lies, and how long the header is, is only guessed until header hash
 * and signature fit: every guess is bounded by the length of the file. */
#include "archive/part.h"

#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "base/err.h"
#include "base/wire.h"
#include "store/store.h"

#define UNIT 4096
#define HEADER_MAX 65536
#define TRAILER_MAX ((uint64_t)4 << 20)
#define TRAILER_FIXED 56
#define FOOTER_LEN 40
#define SMALLEST (4 * UNIT + SEGMENT_LEN)
#define RUN_MAX 8 /* segments read at once */
#define FIRST_LEN 2
#define PLAIN_LEN (FIRST_LEN + SEGMENT_PAYLOAD)

/* Where things lie in a file of a given length, by one copy of its trailer. */
struct layout {
	uint64_t file_len, trailer_len, header_len;
	uint64_t trailer_at, other_trailer_at; /* the copy that is tried, and the other */
	uint64_t copy_at;		       /* the header's copy */
};

/* ---- finding ---- */

/* T if a footer ends at END and says a T that the file has room for, else 0. */
static uint64_t footer_read(struct part_reader *r, uint64_t file_len, uint64_t end)
{
	struct err ignored = ERR_EMPTY;
	uint8_t raw[FOOTER_LEN];
	uint64_t t;

	if (end < FOOTER_LEN ||
	    store_file_read(r->file, end - FOOTER_LEN, raw, sizeof(raw), &ignored) < 0 ||
	    memcmp(raw + 36, "VEND", 4) != 0)
		return 0;
	t = wire_get32(raw + 32);
	if (t < UNIT || t > TRAILER_MAX || t % UNIT != 0 ||
	    2 * t + SMALLEST - 2 * UNIT > file_len)
		return 0;
	return t;
}

/* Fill the layout from the number of segments N. */
static bool layout_fits(struct layout *l, uint64_t n)
{
	uint64_t others = 2 * l->trailer_len + n * SEGMENT_LEN;

	if (n < 1 || others > l->file_len)
		return false;
	l->header_len = (l->file_len - others) / 2;
	l->copy_at = l->file_len - 2 * l->trailer_len - l->header_len;
	return others + 2 * l->header_len == l->file_len && l->header_len >= UNIT &&
	       l->header_len <= HEADER_MAX && l->header_len % UNIT == 0;
}

/* Read the header at AT, which must hash to HASH. */
static int header_load(struct part_reader *r, const struct layout *l, uint64_t at,
		       const uint8_t hash[32], struct err *e)
{
	size_t n = l->header_len;

	part_header_free(&r->header);
	r->raw_header.len = 0;
	if (bytes_reserve(&r->raw_header, n, e) < 0 ||
	    store_file_read(r->file, at, r->raw_header.p, n, e) < 0 ||
	    part_header_decode(r->raw_header.p, n, &r->header, e) < 0)
		return -1;
	r->raw_header.len = n;
	if (r->header.header_len != n || memcmp(r->header.hash, hash, 32) != 0)
		return err_set(e, ERR_DAMAGED,
			       "header: not the one that the trailer names");
	return 0;
}

static int either_header_load(struct part_reader *r, const struct layout *l,
			      const uint8_t hash[32], struct err *e)
{
	if (header_load(r, l, 0, hash, e) == 0)
		return 0;
	if (header_load(r, l, l->copy_at, hash, e) < 0)
		return err_in(e, "both copies");
	r->header_degraded = true;
	return 0;
}

/* Whether the N bytes at AT are not those of P, or cannot be read. */
static bool copy_differs(struct part_reader *r, uint64_t at, const uint8_t *p, size_t n)
{
	struct err ignored = ERR_EMPTY;
	uint8_t raw[UNIT];

	for (size_t i = 0; i < n; i += UNIT)
		if (store_file_read(r->file, at + i, raw, UNIT, &ignored) < 0 ||
		    memcmp(raw, p + i, UNIT) != 0)
			return true;
	return false;
}

/* Take the copy of the trailer that L points at, and the header that fits it. */
static int trailer_try(struct part_reader *r, struct layout *l, struct err *e)
{
	auto_bytes struct bytes raw = BYTES_EMPTY;
	uint8_t fixed[TRAILER_FIXED];

	r->header_degraded = false;
	if (store_file_read(r->file, l->trailer_at, fixed, sizeof(fixed), e) < 0)
		return -1;
	if (!layout_fits(l, wire_get32(fixed + 16)))
		return err_set(e, ERR_DAMAGED,
			       "trailer: damaged, or the file is cut or grown");
	if (either_header_load(r, l, fixed + 24, e) < 0 ||
	    bytes_reserve(&raw, l->trailer_len, e) < 0 ||
	    store_file_read(r->file, l->trailer_at, raw.p, l->trailer_len, e) < 0 ||
	    part_trailer_decode(raw.p, l->trailer_len, r->header.store_id,
				r->header.stream.host_pk, &r->trailer, e) < 0)
		return -1;
	if (layout_fits(l, r->trailer.n_segments) &&
	    memcmp(r->trailer.header_hash, r->header.hash, 32) == 0) {
		r->trailer_degraded =
			copy_differs(r, l->other_trailer_at, raw.p, l->trailer_len);
		if (!r->header_degraded)
			r->header_degraded = copy_differs(r, l->copy_at, r->raw_header.p,
							  r->raw_header.len);
		return 0;
	}
	part_trailer_free(&r->trailer); /* the file changed between two reads */
	return err_set(e, ERR_DAMAGED, "trailer: changes while it is read");
}

/* Trailer B by the footer at the end of the file. */
static int trailer_last(struct part_reader *r, uint64_t file_len, struct err *e)
{
	uint64_t t = footer_read(r, file_len, file_len);
	struct layout l = { .file_len = file_len, .trailer_len = t };

	if (t == 0)
		return err_set(e, ERR_DAMAGED, "no trailer: damaged, cut or grown");
	l.trailer_at = file_len - t;
	l.other_trailer_at = file_len - 2 * t;
	return trailer_try(r, &l, e);
}

/* Trailer A by the T that its footer says: it must end T before the end. */
static int trailer_search(struct part_reader *r, uint64_t file_len, struct err *e)
{
	for (uint64_t t = UNIT; t <= TRAILER_MAX && 2 * t < file_len; t += UNIT) {
		struct layout l = { .file_len = file_len, .trailer_len = t };

		if (footer_read(r, file_len, file_len - t) != t)
			continue;
		l.trailer_at = file_len - 2 * t;
		l.other_trailer_at = file_len - t;
		if (trailer_try(r, &l, e) == 0)
			return 0;
	}
	return -1;
}

static int part_find(struct part_reader *r, struct err *e)
{
	uint64_t file_len = store_file_size(r->file);
	struct err why = ERR_EMPTY;

	if (file_len < SMALLEST)
		return err_set(e, ERR_DAMAGED, "%llu bytes are too short for a part",
			       (unsigned long long)file_len);
	if (trailer_last(r, file_len, &why) == 0 ||
	    trailer_search(r, file_len, &why) == 0)
		return 0;
	*e = why;
	return -1;
}

/* ---- checking ---- */

/* Whether the last two components of the name are those that the header gives. */
static bool name_fits(const struct part_reader *r)
{
	const char *base = strrchr(r->name, '/');
	char want[80], id[10] = ".";

	if (!base || base - r->name < 9)
		return false;
	part_header_name(&r->header, r->trailer.final, want, sizeof(want));
	crypto_hex(r->header.stream.id, 4, id + 1);
	return strcmp(base + 1, want) == 0 && memcmp(base - 9, id, 9) == 0;
}

/* The host may write here, under this label, in this store. */
static int grant_check(const struct part_reader *r, const struct descriptor *d,
		       struct err *e)
{
	const struct part_header *h = &r->header;
	const struct grant *g = descriptor_host(d, h->stream.host_pk);

	if (memcmp(h->store_id, d->store_id, 16) != 0)
		return err_set(e, ERR_DAMAGED, "foreign: belongs to another store");
	if (!g)
		return err_set(e, ERR_DAMAGED,
			       "foreign: signed by a host without a grant");
	if (strcmp(g->label, h->stream.host) != 0)
		return err_set(e, ERR_DAMAGED,
			       "foreign: its host label is not that of the host's grant");
	return 0;
}

/* Trailer against header: what the last part says must be possible. */
static bool final_fits(const struct part_reader *r)
{
	const struct part_trailer *t = &r->trailer;
	uint64_t seq = r->header.seq;

	if (!t->final)
		return true;
	if (t->n_deps > 0 && t->deps[t->n_deps - 1].archive.seq >= seq)
		return false;
	return t->n_parts == r->header.part && (!t->has_parent || t->parent.seq < seq) &&
	       t->root_offset <= part_reader_length(r) - RECORD_HEAD_LEN;
}

static int part_check(struct part_reader *r, const struct descriptor *d, struct err *e)
{
	if (part_find(r, e) < 0 || grant_check(r, d, e) < 0)
		return -1;
	if (!name_fits(r))
		return err_set(e, ERR_DAMAGED, "its name is not what its header says");
	if (!final_fits(r))
		return err_set(e, ERR_DAMAGED, "trailer: does not fit the header");
	return 0;
}

int part_reader_open(struct store *store, const struct descriptor *d, const char *name,
		     struct part_reader **out, struct err *e)
{
	struct part_reader *r;
	int found;

	if (strlen(name) >= sizeof(r->name))
		return err_set(e, ERR_DAMAGED, "%s: not a name of a part", name);
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_memory(e);
	memcpy(r->name, name, strlen(name) + 1);
	r->segment_no = UINT64_MAX;
	found = store_file_open(store, name, &r->file, e);
	if (found == 0 && part_check(r, d, e) < 0)
		found = err_in(e, "%s", name);
	if (found != 0) {
		part_reader_free(r);
		return found;
	}
	*out = r;
	return 0;
}

void part_reader_free(struct part_reader *r)
{
	if (!r)
		return;
	if (r->segment)
		crypto_wipe(r->segment, PLAIN_LEN); /* ROOT holds keys */
	free(r->segment);
	free(r->run);
	crypto_unlock(r->payload_key);
	bytes_free(&r->raw_header);
	part_header_free(&r->header);
	part_trailer_free(&r->trailer);
	if (r->file)
		store_file_free(r->file);
	free(r);
}

/* ---- reading ---- */

uint64_t part_reader_length(const struct part_reader *r)
{
	return (uint64_t)r->trailer.n_segments * SEGMENT_PAYLOAD;
}

int part_reader_unlock(struct part_reader *r, const uint8_t fk[32], struct err *e)
{
	if (!part_header_mac_fits(r->raw_header.p, r->raw_header.len, fk))
		return err_set(e, ERR_DAMAGED,
			       "%s: header: mac does not fit the file key", r->name);
	if (!r->segment)
		r->segment = malloc(PLAIN_LEN);
	if (!r->segment)
		return err_memory(e);
	if (!r->payload_key)
		r->payload_key = crypto_lock(32, e);
	if (!r->payload_key)
		return -1;
	crypto_b2("vs1.payload", fk, 32, r->header.hash, 32, r->payload_key, 32);
	r->unlocked = true;
	return 0;
}

/* Sealed segment I in place, valid until the next call; WANT are the segments from I on
 * that the caller is going to ask for, read with it as far as there is room. */
static int run_get(struct part_reader *r, uint64_t i, uint64_t want, const uint8_t **out,
		   struct err *e)
{
	uint64_t room = r->trailer.n_segments < RUN_MAX ? r->trailer.n_segments : RUN_MAX;
	uint64_t left = r->trailer.n_segments - i;

	if (!r->run)
		r->run = malloc(room * SEGMENT_LEN);
	if (!r->run)
		return err_memory(e);
	if (i < r->run_first || i >= r->run_first + r->run_n) {
		uint64_t n = want < room ? want : room;

		n = n < left ? n : left;
		r->run_first = i;
		r->run_n = 0;
		if (store_file_read(r->file, r->header.header_len + i * SEGMENT_LEN,
				    r->run, n * SEGMENT_LEN, e) < 0)
			return err_in(e, "%s: segment %llu", r->name,
				      (unsigned long long)i);
		r->run_n = n;
	}
	*out = r->run + (i - r->run_first) * SEGMENT_LEN;
	return 0;
}

/* Open segment I into the cache. */
static int segment_open(struct part_reader *r, uint64_t i, uint64_t want, struct err *e)
{
	const uint8_t *sealed = NULL;
	uint8_t nonce[12];

	if (r->segment_no == i)
		return 0;
	if (run_get(r, i, want, &sealed, e) < 0)
		return -1;
	wire_set64(nonce, i);
	wire_set32(nonce + 8, i + 1 == r->trailer.n_segments);
	r->segment_no = UINT64_MAX;
	if (!crypto_open(r->payload_key, nonce, NULL, 0, sealed, SEGMENT_LEN, r->segment))
		return err_set(e, ERR_DAMAGED, "%s: segment %llu: does not open", r->name,
			       (unsigned long long)i);
	r->segment_no = i;
	return 0;
}

int part_reader_read(struct part_reader *r, uint64_t offset, uint8_t *out, size_t n,
		     struct err *e)
{
	uint64_t length = part_reader_length(r);

	if (!r->unlocked)
		return err_set(e, ERR_KEY, "%s: not unlocked", r->name);
	if (offset > length || n > length - offset)
		return err_set(e, ERR_DAMAGED, "%s: nothing at offset %llu", r->name,
			       (unsigned long long)offset);
	while (n > 0) {
		uint64_t i = offset / SEGMENT_PAYLOAD,
			 last = (offset + n - 1) / SEGMENT_PAYLOAD;
		size_t at = offset % SEGMENT_PAYLOAD, k = SEGMENT_PAYLOAD - at;

		if (segment_open(r, i, last - i + 1, e) < 0)
			return -1;
		k = k < n ? k : n;
		memcpy(out, r->segment + FIRST_LEN + at, k);
		out += k;
		offset += k;
		n -= k;
	}
	return 0;
}

int part_reader_check_slot(struct part_reader *r, uint32_t i, struct err *e)
{
	const uint8_t *sealed = NULL;
	uint8_t index[8], hash[16];
	struct crypto_hash h;

	if (i >= r->trailer.n_segments)
		return err_set(e, ERR_DAMAGED, "%s: no segment %lu", r->name,
			       (unsigned long)i);
	if (run_get(r, i, RUN_MAX, &sealed, e) < 0)
		return -1;
	wire_set64(index, i);
	crypto_hash_init(&h, "vs1.slot", NULL, 0, sizeof(hash));
	crypto_hash_update(&h, index, sizeof(index));
	crypto_hash_update(&h, sealed, SEGMENT_LEN);
	crypto_hash_final(&h, hash);
	if (memcmp(hash, r->trailer.slots[i], sizeof(hash)) != 0)
		return err_set(e, ERR_DAMAGED, "%s: segment %lu: damaged", r->name,
			       (unsigned long)i);
	return 0;
}
