/* Vectors of records: frames, nodes, ROOT. */
#include "vectors_kit.h"

#include "archive/crypto.h"
#include "archive/frame.h"
#include "archive/root.h"
#include "archive/tree.h"

static struct err e; /* the last error; its text is not looked at */

/* ---- frames ---- */

static void frame_fill(json_t *v, struct frame *f)
{
	json_t *chunks = list_of(v, "chunks"), *chunk;
	size_t i;

	frame_reset(f, (enum record_type)number(v, "type"), FRAME_CONTENT);
	json_array_foreach(chunks, i, chunk)
	{
		auto_bytes struct bytes b = hex_bytes(json_string_value(chunk));

		memcpy(frame_content(f) + f->used, b.p, b.len);
		f->used += b.len;
		frame_end_chunk(f, NULL);
	}
}

/* The checks of extents are made so, and are what a reader wants. */
static void extents_fit(json_t *v, const struct frame *f, const struct unpacked *u,
			const uint8_t id_key[32])
{
	json_t *list = list_of(v, "extent_checks"), *x;
	size_t i;

	assert_true(json_array_size(list) > 0);
	json_array_foreach(list, i, x)
	{
		size_t first = number(x, "first"), count = number(x, "count");
		uint8_t check[8];

		assert_true(first + count <= f->n_chunks);
		frame_check(id_key, f->fingerprints[first], count, check);
		same(x, "check", check, sizeof(check));
		assert_int_equal(unpacked_check(u, number(x, "offset"),
						number(x, "length"), id_key, check, &e),
				 0);
		check[0] ^= 1;
		assert_int_equal(unpacked_check(u, number(x, "offset"),
						number(x, "length"), id_key, check, &e),
				 -1);
	}
}

static void frame_fits(json_t *v, struct frame *f, struct packer *p, struct unpacked *u)
{
	json_t *ids = list_of(v, "chunk_ids");
	uint8_t id_key[32], id[32];

	copy_of(v, "id_key", id_key, 32);
	frame_fill(v, f);
	assert_int_equal(frame_pack(f, p, id_key, &e), 0);
	assert_int_equal(f->codec, CODEC_RAW);
	same(v, "plaintext", f->packed, f->clen);
	same(v, "frame_id", f->id, 32);
	memcpy(u->plain, f->packed, f->ulen);
	assert_int_equal(unpacked_parse(u, f->type, f->ulen, id_key, f->id, &e), 0);
	assert_int_equal(u->n_chunks, json_array_size(ids));
	for (size_t i = 0; i < u->n_chunks; i++) {
		copy_item(ids, i, id, 32);
		assert_memory_equal(f->ids[i], id, 32);
		assert_memory_equal(u->fingerprints[i], id, FINGERPRINT_LEN);
	}
	extents_fit(v, f, u, id_key);
}

/* A frame is packed to these bytes and ids, and unpacked from them. */
void vectors_frames(void **state)
{
	struct frame *f = frame_new(&e);
	struct packer *p = packer_new(0, &e);
	struct unpacked *u = unpacked_new(&e);
	size_t i;
	json_t *v;

	(void)state;
	assert_true(f && p && u);
	each_case("frame", i, v) { frame_fits(v, f, p, u); }
	frame_free(f);
	packer_free(p);
	unpacked_free(u);
}

/* ---- nodes ---- */

static uint64_t optional(json_t *v, const char *name)
{
	return json_object_get(v, name) ? number(v, name) : 0;
}

static struct record_place place_of(json_t *item)
{
	return (struct record_place){ .seq = number(item, "seq"),
				      .part = (uint32_t)number(item, "part"),
				      .offset = number(item, "record_offset") };
}

static struct extent extent_of(json_t *item)
{
	struct extent x = { .at = place_of(item),
			    .offset = number(item, "offset"),
			    .length = number(item, "length"),
			    .entries = optional(item, "entries"),
			    .body = optional(item, "body") };

	copy_of(item, "check", x.check, sizeof(x.check));
	return x;
}

static void same_place(const struct record_place *a, const struct record_place *b)
{
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->part, b->part);
	assert_int_equal(a->offset, b->offset);
}

/* A reference to the node of V: what its items sum to. */
static struct tree_ref ref_of(json_t *v)
{
	struct tree_ref ref = { .level = (uint8_t)number(v, "level") };
	size_t i;
	json_t *item;

	json_array_foreach(list_of(v, "items"), i, item)
	{
		ref.length += number(item, "length");
		ref.entries += optional(item, "entries");
		ref.body += optional(item, "body");
	}
	return ref;
}

/* What the tree's callbacks know: the node, and the children asked for or given so far.
 */
struct node_case {
	json_t *v;
	size_t at;
	struct bytes stored; /* the last node */
};

/* Gives the node itself; of a child, compares what is asked for with item AT, and has
 * none. */
static int load(void *ctx, const struct tree_ref *ref, struct bytes *out, struct err *why)
{
	struct node_case *c = ctx;
	auto_bytes struct bytes plain = bytes_of(c->v, "plaintext");
	json_t *item = json_array_get(list_of(c->v, "items"), c->at);
	struct record_place at;

	if (ref->level == number(c->v, "level"))
		return bytes_append(out, plain.p, plain.len, why);
	at = place_of(item);
	same_place(&ref->at, &at);
	assert_int_equal(ref->length, number(item, "length"));
	assert_int_equal(ref->entries, optional(item, "entries"));
	assert_int_equal(ref->body, optional(item, "body"));
	same(item, "node_id", ref->id, sizeof(ref->id));
	return err_set(why, ERR_STORE, "no child");
}

/* Each item is found where it begins, and is what the vector says. */
static void node_reads(json_t *v)
{
	struct node_case c = { .v = v };
	struct tree_ref top = ref_of(v);
	struct tree_walker *w = tree_walker_new((enum tree_stream)number(v, "stream"),
						&top, load, &c, &e);
	uint64_t at = 0, skip;
	json_t *item;

	assert_non_null(w);
	json_array_foreach(list_of(v, "items"), c.at, item)
	{
		struct extent x, want;
		int r = tree_walker_seek(w, at, &x, &skip, &e);

		at += number(item, "length");
		if (top.level > 0) {
			assert_true(r < 0 && e.kind == ERR_STORE);
			continue;
		}
		want = extent_of(item);
		assert_int_equal(r, 0);
		assert_int_equal(skip, 0);
		same_place(&x.at, &want.at);
		assert_int_equal(x.offset, want.offset);
		assert_int_equal(x.length, want.length);
		assert_int_equal(x.entries, want.entries);
		assert_int_equal(x.body, want.body);
		assert_memory_equal(x.check, want.check, sizeof(x.check));
	}
	tree_walker_free(w);
}

/* Keeps the node; a leaf of a level 1 vector lies where its item AT says. */
static int store(void *ctx, const uint8_t *plain, size_t n, struct tree_ref *ref,
		 struct err *why)
{
	struct node_case *c = ctx;
	json_t *item;

	if (ref->level < number(c->v, "level")) {
		item = json_array_get(list_of(c->v, "items"), c->at++);
		ref->at = place_of(item);
		copy_of(item, "node_id", ref->id, sizeof(ref->id));
	}
	c->stored.len = 0;
	return bytes_append(&c->stored, plain, n, why);
}

/* Whether the builder can be brought to write such a node: a leaf, or one above leaves. */
static bool is_written(json_t *v) { return number(v, "level") <= 1; }

/* The builder makes these bytes. */
static void node_builds(json_t *v)
{
	struct node_case c = { .v = v };
	struct tree_builder *b =
		tree_builder_new((enum tree_stream)number(v, "stream"), store, &c, &e);
	struct tree_ref top;
	size_t i;
	json_t *item;

	assert_non_null(b);
	json_array_foreach(list_of(v, "items"), i, item)
	{
		struct extent x = { .length = number(item, "length"),
				    .entries = optional(item, "entries"),
				    .body = optional(item, "body") };

		if (number(v, "level") == 0)
			x = extent_of(item);
		assert_int_equal(tree_builder_add(b, &x, &e), 0);
		if (number(v, "level") == 1 && i + 1 < json_array_size(list_of(v, "items")))
			assert_int_equal(tree_builder_cut(b, &e), 0);
	}
	assert_int_equal(tree_builder_finish(b, &top, &e), 0);
	assert_int_equal(top.level, number(v, "level"));
	assert_int_equal(top.length, ref_of(v).length);
	same(v, "plaintext", c.stored.p, c.stored.len);
	bytes_free(&c.stored);
	tree_builder_free(b);
}

/* Nodes are read from these bytes, have these ids, and those that volsnap writes itself
 * are written as these bytes, on both levels. */
void vectors_nodes(void **state)
{
	size_t i, built[2] = { 0 };
	json_t *v;

	(void)state;
	each_case("node", i, v)
	{
		auto_bytes struct bytes plain = bytes_of(v, "plaintext");
		uint8_t id_key[32], id[32];

		copy_of(v, "id_key", id_key, 32);
		frame_node_id(id_key, plain.p, plain.len, id);
		same(v, "id", id, 32);
		node_reads(v);
		if (!is_written(v))
			continue;
		node_builds(v);
		built[number(v, "level")]++;
	}
	assert_true(built[0] > 0 && built[1] > 0);
}

/* ---- ROOT ---- */

static struct tree_ref top_of(json_t *v)
{
	struct tree_ref top = { .level = (uint8_t)number(v, "level"), .at = place_of(v) };

	copy_of(v, "node_id", top.id, sizeof(top.id));
	return top;
}

static void root_fill(json_t *v, struct root *r, struct stream_keys *k)
{
	copy_of(v, "id_key", k->id, 32);
	copy_of(v, "gear_key", k->gear, 32);
	copy_of(v, "list_key", k->list, 32);
	*r = (struct root){ .totals = { .entries = number(v, "entries"),
					.files = number(v, "files"),
					.dirs = number(v, "dirs"),
					.bytes = number(v, "bytes"),
					.body_len = number(v, "body_len"),
					.head_len = number(v, "head_len"),
					.vanished = number(v, "vanished"),
					.skipped = number(v, "skipped"),
					.unreadable = (uint32_t)number(v, "unreadable"),
					.changed = (uint32_t)number(v, "changed") },
			    .begun_ms = (int64_t)number(v, "begun"),
			    .begun_boot_ms = number(v, "begun_boot"),
			    .grade = (enum grade)number(v, "grade"),
			    .level = (uint8_t)number(v, "level"),
			    .kind = (enum stream_kind)number(v, "kind"),
			    .head = top_of(json_object_get(v, "head")),
			    .body = top_of(json_object_get(v, "body")) };
	copy_of(v, "boot_id", r->boot_id, sizeof(r->boot_id));
	string_of(v, "volume", r->name, sizeof(r->name));
	string_of(v, "source", r->source, sizeof(r->source));
}

static void same_root(const struct root *a, const struct root *b)
{
	assert_memory_equal(&a->totals, &b->totals, sizeof(a->totals));
	assert_int_equal(a->begun_ms, b->begun_ms);
	assert_int_equal(a->begun_boot_ms, b->begun_boot_ms);
	assert_memory_equal(a->boot_id, b->boot_id, sizeof(a->boot_id));
	assert_int_equal(a->grade, b->grade);
	assert_int_equal(a->level, b->level);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->head.level, b->head.level);
	assert_int_equal(a->body.level, b->body.level);
	same_place(&a->head.at, &b->head.at);
	same_place(&a->body.at, &b->body.at);
	assert_memory_equal(a->head.id, b->head.id, sizeof(a->head.id));
	assert_memory_equal(a->body.id, b->body.id, sizeof(a->body.id));
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->source, b->source);
}

/* ROOT decodes to these fields and has this id; with a source, as volsnap always writes
 * it, the fields are encoded to these bytes. */
void vectors_roots(void **state)
{
	size_t i, encoded = 0;
	json_t *v;

	(void)state;
	each_case("root", i, v)
	{
		auto_bytes struct bytes plain = bytes_of(v, "plaintext"),
					out = BYTES_EMPTY;
		static struct root want, got;
		struct stream_keys k, got_k;
		uint8_t id[32];

		frame_root_id(plain.p, plain.len, id);
		same(v, "id", id, 32);
		root_fill(v, &want, &k);
		assert_int_equal(root_decode(plain.p, plain.len, &got, &got_k, &e), 0);
		same_root(&got, &want);
		assert_memory_equal(&got_k, &k, sizeof(k));
		if (!want.source[0])
			continue;
		assert_int_equal(root_encode(&want, &k, &out, &e), 0);
		same(v, "plaintext", out.p, out.len);
		encoded++;
	}
	assert_true(encoded > 0);
}
