#include "archive_kit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/wire.h"

struct kit kit;

static struct err oops;

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

void kit_root(struct root *r, uint64_t seq)
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
	kit_root(&r, seq);
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
