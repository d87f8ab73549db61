#include "hand_kit.h"

#include "archive/frame.h"
#include "base/wire.h"

static struct err oops;

static void hand_header(struct hand *x)
{
	uint8_t eph[32], pk[32];

	crypto_x_public(x->c->reader ? x->c->reader->b : kit.reader->b, pk);
	x->h.stream = kit.stream;
	x->h.seq = x->c->seq;
	x->h.part = 1;
	x->h.epoch = 1;
	x->h.created_ms = KIT_TIME + (int64_t)x->c->seq * 3600000;
	memcpy(x->h.store_id, kit.d.store_id, 16);
	crypto_random(x->h.archive_id, 16);
	crypto_random(x->fk, 32);
	crypto_random(eph, 32);
	crypto_x_public(eph, x->h.eph_pk);
	x->h.stanzas = calloc(1, STANZA_LEN);
	assert_non_null(x->h.stanzas);
	x->h.n_stanzas = 1;
	must(stanza_seal(&x->h, KEY_READER, pk, eph, x->fk,
			 x->h.stanzas[0], &oops));
	x->h.stanzas[0][40] ^= x->c->bad_stanza;
	if (x->c->predecessor) {
		must(wire_put16(&x->h.tlv, 1, &oops));
		must(wire_put16(&x->h.tlv, 32, &oops));
		must(bytes_append(&x->h.tlv, x->c->predecessor->stream_id, 16, &oops));
		must(bytes_append(&x->h.tlv, x->c->predecessor->archive_id, 16, &oops));
	}
}

static struct record_place hand_record(struct hand *x, enum record_type type,
				       enum record_codec codec, const uint8_t id[32],
				       const uint8_t *p, size_t clen, size_t ulen)
{
	struct record_place at = { .seq = x->c->seq, .part = 1 };

	must(part_writer_record(x->w, type, codec, id, p, clen, ulen, &at.offset, &oops));
	return at;
}

void hand_frame(struct hand *x, enum record_type type, const uint8_t *p, size_t n,
		size_t chunk, struct hand_frame *out)
{
	struct frame *f = frame_new(&oops);

	assert_non_null(f);
	frame_reset(f, type, FRAME_CONTENT);
	for (size_t at = 0; at < n; at += chunk) {
		size_t now = n - at < chunk ? n - at : chunk;

		if (p)
			memcpy(frame_content(f) + at, p + at, now);
		else
			memset(frame_content(f) + at, 0, now);
		f->used += now;
		frame_end_chunk(f, NULL);
	}
	assert_int_equal(frame_pack(f, x->packer, kit.keys->id, &oops), 0);
	assert_true(f->n_chunks <= HAND_CHUNKS);
	*out = (struct hand_frame){ .n = f->n_chunks, .chunk = chunk, .len = n };
	memcpy(out->fingerprints, f->fingerprints, f->n_chunks * sizeof(*f->fingerprints));
	f->id[0] ^= x->bad_id;
	out->at = hand_record(x, type, f->codec, f->id, f->packed, f->clen, f->ulen);
	frame_free(f);
}

struct extent hand_extent(const struct hand_frame *f, uint32_t first, uint32_t n)
{
	uint64_t end = (uint64_t)(first + n) * f->chunk;
	struct extent out = { .at = f->at, .offset = first * f->chunk };

	out.length = (end < f->len ? end : f->len) - out.offset;
	frame_check(kit.keys->id, f->fingerprints[first], n, out.check);
	return out;
}

/* One frame of one chunk, and the extent that covers it. */
static struct extent hand_chunk(struct hand *x, enum record_type type, const uint8_t *p,
				size_t n)
{
	struct hand_frame f;

	hand_frame(x, type, p, n, n, &f);
	return hand_extent(&f, 0, 1);
}

int hand_node(void *ctx, const uint8_t *plain, size_t n, struct tree_ref *ref,
	      struct err *e)
{
	struct hand *x = ctx;
	const uint8_t *packed;
	enum record_codec codec;
	uint8_t id[32];
	size_t clen;

	frame_node_id(kit.keys->id, plain, n, id);
	memcpy(ref->id, id, 16);
	if (packer_small(x->packer, plain, n, &packed, &clen, &codec, e) < 0)
		return -1;
	ref->at = hand_record(x, RECORD_NODE, codec, id, packed, clen, n);
	return 0;
}

struct tree_ref hand_tree(struct hand *x, enum tree_stream stream,
			  const struct extent *xt, size_t n)
{
	struct tree_builder *b = tree_builder_new(stream, hand_node, x, &oops);
	struct tree_ref top = { .level = TREE_LEVEL_NONE };

	assert_non_null(b);
	for (size_t i = 0; i < n; i++)
		must(tree_builder_add(b, &xt[i], &oops));
	must(tree_builder_finish(b, &top, &oops));
	tree_builder_free(b);
	return top;
}

static void hand_trees(struct hand *x, struct tree_ref tops[2])
{
	struct extent body = { .length = 0 }, head = { .length = 0 };

	if (x->c->body_len > 0)
		body = hand_chunk(x, RECORD_BODY, NULL, x->c->body_len);
	if (x->c->group_len > 0)
		head = hand_chunk(x, RECORD_HEAD, x->c->group, x->c->group_len);
	head.entries = x->c->entries;
	head.body = x->c->body;
	head.check[0] ^= x->c->bad_check;
	if (x->c->head)
		head.at = *x->c->head;
	tops[0] = hand_tree(x, TREE_HEAD, &head, head.length > 0);
	tops[1] = hand_tree(x, TREE_BODY, &body, body.length > 0);
}

static uint64_t hand_root(struct hand *x, const struct tree_ref tops[2])
{
	auto_bytes struct bytes plain = BYTES_EMPTY;
	struct record_place at;
	uint8_t id[32];
	struct root r;

	kit_root(&r, x->c->seq);
	if (x->c->root_of_other_kind)
		r.kind = STREAM_BIND;
	if (x->c->root_name)
		(void)snprintf(r.name, sizeof(r.name), "%s", x->c->root_name);
	r.head = tops[0];
	r.body = tops[1];
	r.totals.entries = x->c->entries;
	r.totals.files = x->c->files;
	r.totals.bytes = x->c->bytes;
	r.totals.head_len = tops[0].length;
	r.totals.body_len = tops[1].length;
	must(root_encode(&r, kit.keys, &plain, &oops));
	frame_root_id(plain.p, plain.len, id);
	id[0] ^= x->c->bad_root_id;
	at = hand_record(x, RECORD_ROOT, CODEC_RAW, id, plain.p, plain.len, plain.len);
	if (x->c->record_after_root)
		(void)hand_record(x, RECORD_ROOT, CODEC_RAW, id, plain.p, plain.len,
				  plain.len);
	return at.offset;
}

static void hand_finish(struct hand *x, uint64_t root_offset, struct archive_id *out)
{
	static const uint8_t none[32];
	const uint8_t *chain = x->c->parent_chain ? x->c->parent_chain : none;
	struct summary s = { .time_ms = x->h.created_ms, .grade = GRADE_FUZZY };
	struct part_trailer t = { .final = true,
				  .partial = x->c->partial,
				  .n_parts = 1,
				  .root_offset = root_offset };
	struct dependency *deps = NULL;
	char dir[512], base[80], name[600];

	if (x->c->parent) {
		t.parent = *x->c->parent;
		t.has_parent = true;
	}
	if (x->c->dep) {
		t.n_deps = x->c->n_deps ? x->c->n_deps : 1;
		deps = calloc(t.n_deps, sizeof(*deps));
		assert_non_null(deps);
		memcpy(deps, x->c->dep, t.n_deps * sizeof(*deps));
		t.deps = deps;
	}
	summary_seal(&s, kit.keys->list, x->h.hash, t.summary);
	must(part_writer_finish(x->w, &t, chain, kit.host, &oops));
	must(store_part_sync(x->file, &oops));
	stream_dir(&kit.stream, dir, sizeof(dir));
	part_header_name(&x->h, true, base, sizeof(base));
	(void)snprintf(name, sizeof(name), "%s/%s", dir, base);
	must(store_part_commit(x->file, name, &oops));
	memcpy(out->id, x->h.archive_id, 16);
	out->seq = x->h.seq;
	memcpy(out->trailer_hash, t.hash, 32);
	memcpy(x->chain, t.chain, 32);
	part_trailer_free(&t);
}

void hand_open(struct hand *x, const struct craft *c)
{
	*x = (struct hand){ .c = c };
	x->packer = packer_new(1, &oops);
	assert_non_null(x->packer);
	hand_header(x);
	must(store_part_begin(kit.store, "craft", &x->file, &oops));
	must(part_writer_open(x->file, &x->h, x->fk, &x->w, &oops));
}

struct archive_id hand_close(struct hand *x, const struct tree_ref tops[2])
{
	struct archive_id out = { .seq = 0 };

	hand_finish(x, hand_root(x, tops), &out);
	part_writer_free(x->w);
	store_part_free(x->file);
	part_header_free(&x->h);
	packer_free(x->packer);
	return out;
}

struct archive_id kit_craft(const struct craft *c, struct tree_ref tops[2])
{
	struct tree_ref mine[2];
	struct hand x;

	hand_open(&x, c);
	hand_trees(&x, mine);
	if (tops)
		memcpy(tops, mine, sizeof(mine));
	return hand_close(&x, mine);
}

struct archive_id kit_craft_on(const struct craft *c, const struct tree_ref tops[2])
{
	struct hand x;

	hand_open(&x, c);
	return hand_close(&x, tops);
}
