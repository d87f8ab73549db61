#include "archive_kit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/frame.h"
#include "archive/tree.h"
#include "base/file.h"
#include "base/wire.h"

struct kit kit;

static struct err oops;

/* 0, or the test fails with the sentence. */
#define must(expr)                                                                       \
	do {                                                                             \
		if ((expr) != 0)                                                         \
			fail_msg("%s: %s", #expr, oops.text);                            \
	} while (0)

static void add_grant(enum key_role role, const struct secret *s)
{
	struct grant g = { .role = role };

	if (role == KEY_HOST)
		crypto_sign_public(s->b, g.sign_pk);
	else
		crypto_x_public(s->b, g.seal_pk);
	(void)snprintf(g.label, sizeof(g.label), "%s", role == KEY_HOST ? "web" : "");
	must(descriptor_add(&kit.d, &g, &oops));
}

int kit_setup(void **state)
{
	auto_close int state_fd = -1;
	uint8_t id[16];

	(void)state;
	memset(&kit, 0, sizeof(kit));
	if (crypto_init(&oops) < 0)
		return -1;
	crypto_random(id, sizeof(id));
	(void)snprintf(kit.location, sizeof(kit.location), "/tmp/test_archive.XXXXXX");
	if (!mkdtemp(kit.location))
		return -1;
	must(store_create(kit.location, &oops));
	must(store_mark(kit.location, id, &oops));
	must(store_open(kit.location, id, &kit.store, &oops));
	kit.dirfd = open(kit.location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	kit.host = secret_random(&oops);
	kit.reader = secret_random(&oops);
	kit.stranger = secret_random(&oops);
	kit.d = (struct descriptor){ .epoch = 1 };
	memcpy(kit.d.store_id, id, sizeof(id));
	add_grant(KEY_HOST, kit.host);
	add_grant(KEY_READER, kit.reader);
	kit.stream.kind = STREAM_VOLUME;
	(void)snprintf(kit.stream.host, sizeof(kit.stream.host), "web");
	(void)snprintf(kit.stream.name, sizeof(kit.stream.name), "Db");
	crypto_sign_public(kit.host->b, kit.stream.host_pk);
	stream_identify(&kit.stream);
	must(stream_keys_derive(kit.host, kit.stream.id, &kit.keys, &oops));
	assert_int_equal(mkdirat(kit.dirfd, "state", 0700), 0);
	state_fd = openat(kit.dirfd, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(cache_open(state_fd, kit.host, kit.stream.id, &kit.cache, &oops));
	kit.x[0] = kit.reader;
	kit.reader_keys = (struct reader_keys){ .n = 1, .x = kit.x };
	return 0;
}

int kit_teardown(void **state)
{

	(void)state;
	store_free(kit.store);
	cache_close(&kit.cache);
	(void)close(kit.dirfd);
	secret_free(kit.host);
	secret_free(kit.reader);
	secret_free(kit.stranger);
	stream_keys_free(kit.keys);
	descriptor_free(&kit.d);
	return file_remove_tree(AT_FDCWD, kit.location, &oops);
}

/* ---- snapshots as the writer makes them ---- */

void kit_bytes(const struct fake *f, uint32_t salt, uint64_t at, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v =
			(at + i + 1) * 0x9e3779b97f4a7c15u + f->seed * 0x632be59bu + salt;

		v ^= v >> 29;
		v *= 0xbf58476d1ce4e5b9u;
		out[i] = f->seed ? (uint8_t)(v >> 56) : 0;
	}
}

static void send_body(const struct entry_sink *s, const struct fake *f, const char *path)
{
	struct entry_hint hint = { .path = path, .size = f->body };
	uint8_t room[5000];

	if (f->body > 0)
		must(s->begin(s->ctx, &hint, &oops));
	for (size_t at = 0; at < f->body; at += sizeof(room)) {
		size_t n = f->body - at < sizeof(room) ? f->body - at : sizeof(room);

		kit_bytes(f, 2, at, room, n);
		must(s->body(s->ctx, at, room, n, &oops));
	}
}

static void send_entry(const struct entry_sink *s, const struct fake *f, size_t i)
{
	auto_free uint8_t *header = malloc(f->header * 512 + 1);
	struct entry en = { .header = header,
			    .header_len = f->header * 512,
			    .size = f->body,
			    .body_len = f->body };
	char path[32];

	(void)snprintf(path, sizeof(path), "./file%zu", i);
	send_body(s, f, path);
	if (f->header == 0) {
		must(s->drop(s->ctx, &oops));
		return;
	}
	assert_non_null(header);
	kit_bytes(f, 1, 0, header, f->header * 512);
	en.path = path;
	must(s->entry(s->ctx, &en, &oops));
}

static void fill_root(struct root *r, uint64_t seq)
{
	*r = (struct root){ .begun_ms = KIT_TIME + (int64_t)seq * 3600000,
			    .grade = GRADE_FUZZY,
			    .kind = STREAM_VOLUME };
	(void)snprintf(r->name, sizeof(r->name), "Db");
}

struct writer_result kit_write(uint64_t seq, const struct archive_id *parent,
			       const struct fake *f, size_t n, uint32_t max_segments)
{
	static const uint8_t chain[32];
	struct writer_options o = { .store = kit.store,
				    .d = &kit.d,
				    .host = kit.host,
				    .stream = &kit.stream,
				    .keys = kit.keys,
				    .seq = seq,
				    .parent = parent,
				    .parent_chain = parent ? chain : NULL,
				    .compression = 1,
				    .max_segments = max_segments,
				    .cache = &kit.cache,
				    .scratch = kit.location };
	struct summary s = { .time_ms = KIT_TIME + (int64_t)seq * 3600000,
			     .changed_bytes = 7 };
	struct writer_result out;
	struct writer *w = NULL;
	struct entry_sink sink;
	struct root r;

	must(writer_open(&o, &w, &oops));
	sink = writer_sink(w);
	for (size_t i = 0; i < n; i++)
		send_entry(&sink, &f[i], i);
	fill_root(&r, seq);
	must(writer_stage(w, false, &r, &s, &out, &oops));
	must(writer_commit(w, &oops));
	writer_free(w);
	return out;
}

void kit_name(const struct archive_id *a, uint32_t no, char out[600])
{
	char dir[512], id[33];

	stream_dir(&kit.stream, dir, sizeof(dir));
	crypto_hex(a->id, 16, id);
	if (no == 0)
		(void)snprintf(out, 600, "%s/%010llu-%s.vsf", dir,
			       (unsigned long long)a->seq, id);
	else
		(void)snprintf(out, 600, "%s/%010llu-%s.%04lu.vsa", dir,
			       (unsigned long long)a->seq, id, (unsigned long)no);
}

struct reader *kit_open(const char *name)
{
	struct reader *r = NULL;

	must(reader_open(kit.store, &kit.d, name, &kit.reader_keys, &r, &oops));
	return r;
}

/* ---- snapshots made by hand ---- */

struct hand {
	const struct craft *c;
	struct part_header h;
	struct part_writer *w;
	struct packer *packer;
	struct store_part *file;
	uint8_t fk[32];
};

static void hand_header(struct hand *x)
{
	uint8_t eph[32];

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
	must(stanza_seal(&x->h, KEY_READER, kit.d.grants[1].seal_pk, eph, x->fk,
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

/* One frame of one chunk, and the extent that covers it. */
static struct extent hand_frame(struct hand *x, enum record_type type, const uint8_t *p,
				size_t n)
{
	struct extent out = { .length = n };
	struct frame *f = frame_new(&oops);

	assert_non_null(f);
	frame_reset(f, type, FRAME_CONTENT);
	if (p)
		memcpy(frame_content(f), p, n);
	else
		memset(frame_content(f), 0, n);
	f->used = n;
	frame_end_chunk(f, NULL);
	assert_int_equal(frame_pack(f, x->packer, kit.keys->id, &oops), 0);
	frame_check(kit.keys->id, f->fingerprints[0], 1, out.check);
	out.at = hand_record(x, type, f->codec, f->id, f->packed, f->clen, f->ulen);
	frame_free(f);
	return out;
}

static int hand_node(void *ctx, const uint8_t *plain, size_t n, struct tree_ref *ref,
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

static struct tree_ref hand_tree(struct hand *x, enum tree_stream stream,
				 const struct extent *xt)
{
	struct tree_builder *b = tree_builder_new(stream, hand_node, x, &oops);
	struct tree_ref top = { .level = TREE_LEVEL_NONE };

	assert_non_null(b);
	if (xt->length > 0)
		must(tree_builder_add(b, xt, &oops));
	must(tree_builder_finish(b, &top, &oops));
	tree_builder_free(b);
	return top;
}

static void hand_trees(struct hand *x, struct tree_ref tops[2])
{
	struct extent body = { .length = 0 }, head = { .length = 0 };

	if (x->c->body_len > 0)
		body = hand_frame(x, RECORD_BODY, NULL, x->c->body_len);
	if (x->c->group_len > 0)
		head = hand_frame(x, RECORD_HEAD, x->c->group, x->c->group_len);
	head.entries = x->c->entries;
	head.body = x->c->body;
	head.check[0] ^= x->c->bad_check;
	if (x->c->head)
		head.at = *x->c->head;
	tops[0] = hand_tree(x, TREE_HEAD, &head);
	tops[1] = hand_tree(x, TREE_BODY, &body);
}

static uint64_t hand_root(struct hand *x, const struct tree_ref tops[2])
{
	auto_bytes struct bytes plain = BYTES_EMPTY;
	struct record_place at;
	uint8_t id[32];
	struct root r;

	fill_root(&r, x->c->seq);
	if (x->c->root_of_other_kind)
		r.kind = STREAM_BIND;
	r.head = tops[0];
	r.body = tops[1];
	r.totals.entries = x->c->entries;
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
	static const uint8_t chain[32];
	struct summary s = { .time_ms = x->h.created_ms, .grade = GRADE_FUZZY };
	struct part_trailer t = { .final = true,
				  .partial = x->c->partial,
				  .n_parts = 1,
				  .root_offset = root_offset };
	struct dependency dep;
	char dir[512], base[80], name[600];

	if (x->c->parent) {
		t.parent = *x->c->parent;
		t.has_parent = true;
	}
	if (x->c->dep) {
		dep = *x->c->dep;
		t.deps = &dep;
		t.n_deps = 1;
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
	t.deps = NULL;
	part_trailer_free(&t);
}

static struct archive_id craft(const struct craft *c, struct tree_ref tops[2], bool own)
{
	struct hand x = { .c = c };
	struct archive_id out = { .seq = 0 };

	x.packer = packer_new(1, &oops);
	assert_non_null(x.packer);
	hand_header(&x);
	must(store_part_begin(kit.store, "craft", &x.file, &oops));
	must(part_writer_open(x.file, &x.h, x.fk, &x.w, &oops));
	if (own)
		hand_trees(&x, tops);
	hand_finish(&x, hand_root(&x, tops), &out);
	part_writer_free(x.w);
	store_part_free(x.file);
	part_header_free(&x.h);
	packer_free(x.packer);
	return out;
}

struct archive_id kit_craft(const struct craft *c, struct tree_ref tops[2])
{
	struct tree_ref mine[2];
	struct archive_id out = craft(c, mine, true);

	if (tops)
		memcpy(tops, mine, sizeof(mine));
	return out;
}

struct archive_id kit_craft_on(const struct craft *c, const struct tree_ref tops[2])
{
	struct tree_ref copy[2] = { tops[0], tops[1] };

	return craft(c, copy, false);
}

/* ---- files ---- */

void kit_resign(const struct archive_id *a, uint32_t no)
{
	auto_bytes struct bytes raw = BYTES_EMPTY, trailer = BYTES_EMPTY;
	static const uint8_t chain[32], index[8];
	struct part_trailer t;
	struct crypto_hash h;
	char name[600];
	size_t at;

	kit_name(a, no, name);
	must(file_load(kit.dirfd, name, (size_t)1 << 30, &raw, &oops));
	at = raw.len - wire_get32(raw.p + raw.len - 8);
	must(part_trailer_decode(raw.p + at, raw.len - at, kit.d.store_id,
				 kit.stream.host_pk, &t, &oops));
	raw.p[4096 + 100] ^= 1;
	crypto_hash_init(&h, "vs1.slot", NULL, 0, 16);
	crypto_hash_update(&h, index, sizeof(index));
	crypto_hash_update(&h, raw.p + 4096, SEGMENT_LEN);
	crypto_hash_final(&h, t.slots[0]);
	must(part_trailer_encode(&t, kit.d.store_id, chain, kit.host, &trailer, &oops));
	assert_int_equal(trailer.len, raw.len - at);
	memcpy(raw.p + at, trailer.p, trailer.len);
	memcpy(raw.p + at - trailer.len, trailer.p, trailer.len);
	kit_put(name, raw.p, raw.len);
	part_trailer_free(&t);
}

static int open_file(const char *name, int flags)
{
	int fd = openat(kit.dirfd, name, flags | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

void kit_flip(const char *name, uint64_t at)
{
	auto_close int fd = open_file(name, O_RDWR);
	uint8_t b;

	assert_int_equal(file_pread(fd, &b, 1, (off_t)at), 1);
	b ^= 0x10;
	assert_int_equal(file_pwrite(fd, &b, 1, (off_t)at), 0);
}

uint64_t kit_size(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(kit.dirfd, name, &st, 0), 0);
	return (uint64_t)st.st_size;
}

void kit_truncate(const char *name, uint64_t size)
{
	auto_close int fd = open_file(name, O_RDWR);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
}

void kit_put(const char *name, const void *p, size_t n)
{
	auto_close int fd = open_file(name, O_WRONLY | O_CREAT | O_TRUNC);

	assert_int_equal(file_write(fd, p, n), 0);
}

void kit_copy(const char *from, const char *to)
{
	auto_bytes struct bytes b = BYTES_EMPTY;

	must(file_load(kit.dirfd, from, (size_t)1 << 30, &b, &oops));
	kit_put(to, b.p, b.len);
}

void kit_remove(const char *name) { assert_int_equal(unlinkat(kit.dirfd, name, 0), 0); }
