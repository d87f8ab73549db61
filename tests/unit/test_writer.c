/* Whole archives: what a source sends is what the reader gives back, in one part or many;
 * nothing is a snapshot before its commit, and nothing becomes one whose parts are not
 * all there. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "archive/crypto.h"
#include "archive/reader.h"
#include "archive/writer.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/wire.h"
#include "store/store.h"

/* ---- a store with one host, its keys, and a stream for each test ---- */

enum { HOST, RECOVERY, READER, PRUNE, STRANGER, N_GRANTS };

static struct {
	char location[32];
	int location_fd;
	struct store *store;
	struct secret *secrets[N_GRANTS];
	struct grant grants[N_GRANTS];
	struct descriptor d;
	struct stream stream;
	struct stream_keys *keys;
	char dir[512];	 /* of the stream */
	char final[600]; /* last .vsf */
	struct cache cache;
} kit;

static const struct {
	enum key_role role;
	bool one_host;
	const char *label;
} grant_plan[N_GRANTS] = {
	[HOST] = { KEY_HOST, false, "web" },
	[RECOVERY] = { KEY_RECOVERY, false, "paper" },
	[READER] = { KEY_READER, true, "web" },
	[PRUNE] = { KEY_PRUNE, true, "web" },
	[STRANGER] = { KEY_READER, true, "other" },
};

static int group_setup(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	if (crypto_init(&e) < 0)
		return -1;
	for (size_t i = 0; i < N_GRANTS; i++) {
		struct grant *g = &kit.grants[i];

		kit.secrets[i] = secret_random(&e);
		g->role = grant_plan[i].role;
		g->one_host = grant_plan[i].one_host;
		(void)snprintf(g->label, sizeof(g->label), "%s", grant_plan[i].label);
		if (g->role == KEY_HOST || g->role == KEY_PRUNE)
			crypto_sign_public(kit.secrets[i]->b, g->sign_pk);
		if (g->role != KEY_HOST)
			crypto_x_public(kit.secrets[i]->b, g->seal_pk);
		if (g->one_host && i != STRANGER)
			memcpy(g->scope_host, kit.grants[HOST].sign_pk, 32);
		else if (g->one_host)
			memset(g->scope_host, 0x99, 32);
	}
	crypto_random(kit.d.store_id, 16);
	kit.d.epoch = 1;
	kit.d.n_grants = N_GRANTS;
	kit.d.grants = kit.grants;
	(void)snprintf(kit.location, sizeof(kit.location), "/tmp/test_writer.XXXXXX");
	if (!mkdtemp(kit.location) || store_create(kit.location, &e) < 0 ||
	    store_mark(kit.location, kit.d.store_id, &e) < 0)
		return -1;
	kit.location_fd = open(kit.location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return store_open(kit.location, kit.d.store_id, &kit.store, &e);
}

static int group_teardown(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	for (size_t i = 0; i < N_GRANTS; i++)
		secret_free(kit.secrets[i]);
	store_free(kit.store);
	(void)close(kit.location_fd);
	return file_remove_tree(AT_FDCWD, kit.location, &e);
}

static int setup(void **state)
{
	struct stream *s = &kit.stream;
	struct err e = ERR_EMPTY;

	(void)state;
	memset(s, 0, sizeof(*s));
	crypto_random(s->nonce, sizeof(s->nonce));
	memcpy(s->host_pk, kit.grants[HOST].sign_pk, 32);
	s->kind = STREAM_VOLUME;
	strcpy(s->host, "web");
	strcpy(s->name, "db");
	stream_identify(s);
	stream_dir(s, kit.dir, sizeof(kit.dir));
	if (cache_open(kit.location_fd, kit.secrets[HOST], s->id, &kit.cache, &e) < 0)
		return -1;
	return stream_keys_derive(kit.secrets[HOST], s->id, &kit.keys, &e);
}

static int teardown(void **state)
{
	(void)state;
	stream_keys_free(kit.keys);
	cache_close(&kit.cache);
	kit.keys = NULL;
	return 0;
}

static struct writer_options options(void)
{
	return (struct writer_options){ .store = kit.store,
					.d = &kit.d,
					.host = kit.secrets[HOST],
					.stream = &kit.stream,
					.keys = kit.keys,
					.seq = 1,
					.compression = 1,
					.cache = &kit.cache,
					.scratch = kit.location };
}

/* How many files in DIR (of the store) end in SUFFIX. */
static size_t count_files(const char *dir, const char *suffix)
{
	char path[700];
	size_t n = 0, k = strlen(suffix);
	struct dirent *de;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/%s", kit.location, dir);
	d = opendir(path);
	if (!d)
		return 0;
	while ((de = readdir(d))) {
		size_t len = strlen(de->d_name);

		n += len > k && strcmp(de->d_name + len - k, suffix) == 0;
	}
	(void)closedir(d);
	return n;
}

/* ---- a source that is not one ---- */

enum content { TEXT, RANDOM };

struct fake {
	char path[64];
	uint64_t
		hint; /* size announced; no body is begun where this and body_len are 0 */
	uint64_t body_len;
	size_t header_len;
	enum content content;
	bool gap;
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Byte AT of the body of entry NO. */
static uint8_t body_byte(const struct fake *f, size_t no, uint64_t at)
{
	uint64_t x = mix((uint64_t)no << 40 | at / 8);

	if (f->content == RANDOM)
		return (uint8_t)(x >> at % 8 * 8);
	return (uint8_t)(at % 8 < 4 ? 'a' + (x & 15) : (at >> 6) & 0x7f);
}

static void make_body(const struct fake *f, size_t no, uint64_t at, uint8_t *out,
		      size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = body_byte(f, no, at + i);
}

static uint8_t header_byte(size_t no, size_t at) { return (uint8_t)(no * 5 + at / 7); }

static int send_body(const struct entry_sink *sink, const struct fake *f, size_t no,
		     struct err *e)
{
	static uint8_t piece[70000];

	for (uint64_t at = 0; at < f->body_len;) {
		size_t n = (size_t)(mix(at + no) % sizeof(piece)) + 1;

		if (n > f->body_len - at)
			n = (size_t)(f->body_len - at);
		make_body(f, no, at, piece, n);
		if (sink->body(sink->ctx, at, piece, n, e) < 0)
			return -1;
		at += n;
	}
	return 0;
}

static int send_one(const struct entry_sink *sink, const struct fake *f, size_t no,
		    struct err *e)
{
	struct entry_hint hint = { .path = f->path, .size = f->hint };
	struct entry en = { .path = f->path,
			    .header_len = f->header_len,
			    .body_len = f->body_len };
	auto_free uint8_t *header = malloc(f->header_len + 1);

	assert_non_null(header);
	for (size_t i = 0; i < f->header_len; i++)
		header[i] = header_byte(no, i);
	en.header = header;
	if ((f->hint > 0 || f->body_len > 0) && sink->begin(sink->ctx, &hint, e) < 0)
		return -1;
	if (send_body(sink, f, no, e) < 0)
		return -1;
	return f->gap ? sink->drop(sink->ctx, e) : sink->entry(sink->ctx, &en, e);
}

static int send_all(struct writer *w, const struct fake *list, size_t n, struct err *e)
{
	struct entry_sink sink = writer_sink(w);

	for (size_t i = 0; i < n; i++)
		if (send_one(&sink, &list[i], i, e) < 0)
			return -1;
	return 0;
}

static struct fake fake(uint64_t size, enum content content)
{
	static unsigned no;
	struct fake f = {
		.hint = size, .body_len = size, .header_len = 512, .content = content
	};

	(void)snprintf(f.path, sizeof(f.path), "./dir/%u-%llu", ++no,
		       (unsigned long long)size);
	return f;
}

/* ---- writing ---- */

static void fill_root(struct root *r)
{
	memset(r, 0, sizeof(*r));
	r->totals.files = 11;
	r->totals.dirs = 3;
	r->totals.bytes = 12345;
	r->totals.changed = 2;
	r->begun_ms = 1700000000000;
	r->grade = GRADE_FUZZY;
	r->level = 1;
	r->kind = STREAM_VOLUME;
	strcpy(r->name, "db");
	strcpy(r->source, "/v/db");
}

struct written {
	struct root root;
	struct summary summary;
	struct writer_result result;
};

static int stage(struct writer *w, struct written *out, struct err *e)
{
	fill_root(&out->root);
	out->summary = (struct summary){ .time_ms = 1700000000000, .day = 19675 };
	return writer_stage(w, false, &out->root, &out->summary, &out->result, e);
}

/* Write and commit LIST; kit.final is its .vsf. */
static void write_all(const struct writer_options *o, const struct fake *list, size_t n,
		      struct written *out)
{
	struct err e = ERR_EMPTY;
	struct writer *w = NULL;
	char id[33];
	int r = writer_open(o, &w, &e);

	if (r == 0)
		r = send_all(w, list, n, &e);
	if (r == 0)
		r = stage(w, out, &e);
	if (r == 0)
		r = writer_commit(w, &e);
	if (r < 0)
		fail_msg("%s", e.text);
	writer_free(w);
	crypto_hex(out->result.archive.id, 16, id);
	(void)snprintf(kit.final, sizeof(kit.final), "%s/%010llu-%s.vsf", kit.dir,
		       (unsigned long long)o->seq, id);
}

/* ---- reading back ---- */

static struct reader *open_reader(int who)
{
	const struct secret *x[] = { kit.secrets[who] };
	struct reader_keys keys = { .n = 1, .x = x };
	struct reader *r = NULL;
	struct err e = ERR_EMPTY;

	if (reader_open(kit.store, &kit.d, kit.final, &keys, &r, &e) != 0)
		fail_msg("%s", e.text);
	return r;
}

static void expect_body(struct reader *r, const struct fake *f, size_t no)
{
	auto_free uint8_t *want = malloc(1 << 20);
	struct err e = ERR_EMPTY;
	const uint8_t *p;
	uint64_t at = 0;
	size_t n;
	int got;

	assert_non_null(want);
	while ((got = reader_body(r, &p, &n, &e)) == 0) {
		assert_in_range(n, 1, 1 << 20);
		make_body(f, no, at, want, n);
		assert_memory_equal(p, want, n);
		at += n;
	}
	if (got < 0)
		fail_msg("%s", e.text);
	assert_int_equal(at, f->body_len);
}

static void expect_entry(struct reader *r, const struct fake *f, size_t no)
{
	struct reader_entry en;
	struct err e = ERR_EMPTY;

	if (reader_next(r, &en, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(en.header_len, f->header_len);
	assert_int_equal(en.body_len, f->body_len);
	for (size_t i = 0; i < en.header_len; i++)
		assert_int_equal(en.header[i], header_byte(no, i));
	expect_body(r, f, no);
}

/* The snapshot in kit.final is LIST without its gaps, gaps checked too. */
static void expect_all(const struct fake *list, size_t n)
{
	struct reader *r = open_reader(READER);
	struct reader_entry en;
	struct err e = ERR_EMPTY;
	uint64_t entries = 0, body = 0;

	reader_check_all(r);
	for (size_t i = 0; i < n; i++) {
		body += list[i].body_len;
		if (list[i].gap)
			continue;
		expect_entry(r, &list[i], i);
		entries++;
	}
	if (reader_next(r, &en, &e) != 1)
		fail_msg("no end: %s", e.text);
	assert_int_equal(reader_root(r)->totals.entries, entries);
	assert_int_equal(reader_root(r)->totals.body_len, body);
	reader_free(r);
}

/* A bit of everything: files of all ways of cutting, gaps, entries without body, a file
 * that grew and one that shrank while it was read. */
static size_t everything(struct fake *list)
{
	size_t n = 0;

	list[n++] = fake(0, TEXT);
	for (uint64_t i = 0; i < 300; i++)
		list[n++] = fake(i * 97, i % 5 ? TEXT : RANDOM);
	list[n++] = fake(5 << 20, TEXT);
	list[n++] = fake((5 << 20) + 1, RANDOM);
	list[n] = fake(3000, TEXT);
	list[n++].gap = true;
	for (uint64_t i = 0; i < 20; i++)
		list[n++] = fake(65536 + i * 2048, TEXT);
	list[n] = fake(1 << 20, RANDOM);
	list[n++].gap = true;
	list[n] = fake(100, TEXT); /* grew */
	list[n++].body_len = 700000;
	list[n] = fake(200000, TEXT); /* shrank */
	list[n++].body_len = 10;
	list[n] = fake(1 << 20, TEXT); /* shrank to nothing; or all of it a hole */
	list[n++].body_len = 0;
	list[n++] = fake(65535, TEXT);
	list[n] = fake(77, TEXT);
	list[n++].gap = true;
	list[n++] = fake(0, TEXT);
	return n;
}

/* ---- what is written is what is read ---- */

/* All kinds of entries come back as they were sent; all that was asked for lies in one
 * file, and totals and summary say what the source said and what the writer counted. */
static void test_round_trip(void **state)
{
	static struct fake list[400];
	size_t n = everything(list);
	struct writer_options o = options();
	struct written w;
	struct summary s;
	struct err e = ERR_EMPTY;
	struct reader *r;

	(void)state;
	write_all(&o, list, n, &w);
	assert_int_equal(count_files(kit.dir, ".vsf"), 1);
	assert_int_equal(count_files(kit.dir, ".vsa"), 0);
	assert_int_equal(count_files("tmp", ".part"), 0);
	expect_all(list, n);
	r = open_reader(RECOVERY);
	assert_int_equal(reader_root(r)->totals.files, 11);
	assert_int_equal(reader_root(r)->totals.changed, 2);
	assert_string_equal(reader_root(r)->source, "/v/db");
	assert_int_equal(summary_open(reader_trailer(r)->summary, kit.keys->list,
				      reader_trailer(r)->header_hash, &s, &e),
			 0);
	assert_int_equal(s.entries, n - 3);
	assert_int_equal(s.bytes, 12345);
	assert_int_equal(s.new_bytes, w.result.new_bytes);
	assert_int_equal(s.changed_entries, 2);
	assert_int_equal(s.level, 1);
	assert_in_range(w.result.stored, w.result.new_bytes,
			w.result.new_bytes * 11 / 10);
	reader_free(r);
}

/* With parts of 1 MiB the same lies in many files, each within its limit, none crossed by
 * a record; the last one names the others by hash. */
static void test_many_parts(void **state)
{
	static struct fake list[400];
	size_t n = everything(list);
	struct writer_options o = options();
	struct written w;
	struct reader *r;
	uint64_t stored = 0;

	(void)state;
	o.max_segments = 64;
	write_all(&o, list, n, &w);
	expect_all(list, n);
	r = open_reader(READER);
	assert_int_equal(reader_trailer(r)->n_parts, count_files(kit.dir, ".vsa") + 1);
	assert_in_range(reader_trailer(r)->n_parts, 8, 30);
	for (uint32_t i = 1; i <= reader_trailer(r)->n_parts; i++) {
		struct err e = ERR_EMPTY;
		struct part_reader *p = NULL;
		char name[700];

		(void)snprintf(name, sizeof(name), "%.*s.%04u.vsa",
			       (int)strlen(kit.final) - 4, kit.final, i);
		assert_int_equal(part_reader_open(kit.store, &kit.d,
						  i < reader_trailer(r)->n_parts
							  ? name
							  : kit.final,
						  &p, &e),
				 0);
		assert_int_equal(p->header.part, i);
		assert_in_range(p->trailer.n_segments, 1, 64);
		stored += store_file_size(p->file);
		if (i < reader_trailer(r)->n_parts)
			assert_memory_equal(p->trailer.hash,
					    reader_trailer(r)->parts[i - 1], 32);
		else
			assert_memory_equal(p->trailer.hash,
					    w.result.archive.trailer_hash, 32);
		part_reader_free(p);
	}
	assert_int_equal(stored, w.result.stored);
	reader_free(r);
}

/* A volume with nothing in it has its root entry and no body stream. */
static void test_empty_volume(void **state)
{
	struct fake root = fake(0, TEXT);
	struct writer_options o = options();
	struct written w;
	struct reader *r;

	(void)state;
	write_all(&o, &root, 1, &w);
	expect_all(&root, 1);
	r = open_reader(READER);
	assert_int_equal(reader_root(r)->body.level, TREE_LEVEL_NONE);
	assert_int_equal(reader_root(r)->head.level, 0);
	reader_free(r);
	assert_in_range(w.result.stored, 1, 65536);
}

/* Headers of the largest size allowed, so that groups outgrow their frames again and
 * again. */
static void test_large_headers(void **state)
{
	static struct fake list[40];
	struct writer_options o = options();
	struct written w;

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		list[i] = fake(i * 10, TEXT);
		list[i].header_len = i % 3 == 0 ? ENTRY_HEADER_MAX : 512 * (i + 1);
	}
	write_all(&o, list, 40, &w);
	expect_all(list, 40);
}

/* Thousands of entries: leaves and frames of the head stream in number, and no body at
 * all. */
static void test_many_entries(void **state)
{
	struct fake *list = calloc(20000, sizeof(*list));
	struct writer_options o = options();
	struct written w;

	(void)state;
	assert_non_null(list);
	for (size_t i = 0; i < 20000; i++)
		list[i] = fake(0, TEXT);
	write_all(&o, list, 20000, &w);
	expect_all(list, 20000);
	assert_in_range(w.root.head.level, 0, 1);
	free(list);
}

/* Without compression everything comes back too. */
static void test_no_compression(void **state)
{
	static struct fake list[400];
	size_t n = everything(list);
	struct writer_options o = options();
	struct written w;

	(void)state;
	o.compression = 0;
	write_all(&o, list, n, &w);
	expect_all(list, n);
	assert_true(w.result.new_bytes > w.root.totals.body_len + w.root.totals.head_len);
}

/* The lengths of the BODY records in kit.final, uncompressed, as a text. */
static const char *body_frames(void)
{
	static char text[1000];
	struct part_reader *p = NULL;
	uint8_t fk[32], head[RECORD_HEAD_LEN];
	struct err e = ERR_EMPTY;
	size_t n = 0;

	assert_int_equal(part_reader_open(kit.store, &kit.d, kit.final, &p, &e), 0);
	assert_int_equal(
		stanza_open(&p->header, KEY_READER, kit.secrets[READER]->b, fk, &e), 0);
	assert_int_equal(part_reader_unlock(p, fk, &e), 0);
	for (uint64_t at = 0; at < p->trailer.root_offset;) {
		assert_int_equal(part_reader_read(p, at, head, sizeof(head), &e), 0);
		if (head[0] == RECORD_BODY)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%u ",
					      wire_get32(head + 8));
		at += RECORD_HEAD_LEN + wire_get32(head + 4);
	}
	part_reader_free(p);
	return text;
}

/* Paged files have frames of their own kind, of 128 KiB, which they share with each other; what comes
 * before and after does not get in, and shares frames of 512 KiB.  (A table has a byte for n and 1 to 3
 * for each length; where a file of 65537 bytes is cut is the key's business.) */
static void test_frames(void **state)
{
	struct fake list[] = { fake(100, TEXT),	  fake(262144, TEXT), fake(200, TEXT),
			       fake(300, TEXT),	  fake(65536, TEXT),  fake(69632, TEXT),
			       fake(65537, TEXT), fake(400, TEXT) };
	static const char before[] = "102 131097 131097 505 131097 4099 ";
	struct writer_options o = options();
	struct written w;
	const char *text;
	unsigned long last;
	char *end;

	(void)state;
	o.compression = 0;
	write_all(&o, list, 8, &w);
	expect_all(list, 8);
	text = body_frames();
	assert_int_equal(strncmp(text, before, strlen(before)), 0);
	last = strtoul(text + strlen(before), &end, 10);
	assert_in_range(last, 65937 + 1 + 2 + 2 * 1, 65937 + 1 + 2 + 9 * 3);
	assert_string_equal(end, " ");
}

static size_t count_threads(void)
{
	struct dirent *de;
	DIR *d = opendir("/proc/self/task");
	size_t n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += de->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

/* With one CPU there are no threads, with more there are two besides, and the archive has
 * the same records either way (sizes are equal; ids are by content). */
static void test_one_cpu(void **state)
{
	static struct fake list[400];
	size_t n = everything(list), before = count_threads();
	struct writer_options o = options();
	struct written one, many;
	struct err e = ERR_EMPTY;
	struct writer *w = NULL;
	cpu_set_t all, single;
	size_t cpu = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&single);
	CPU_SET(cpu, &single);
	write_all(&o, list, n, &many);
	assert_int_equal(sched_setaffinity(0, sizeof(single), &single), 0);
	assert_int_equal(writer_open(&o, &w, &e), 0);
	assert_int_equal(count_threads(), before);
	writer_free(w);
	write_all(&o, list, n, &one);
	expect_all(list, n);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	assert_int_equal(one.result.new_bytes, many.result.new_bytes);
	assert_int_equal(one.result.stored, many.result.stored);
	if (CPU_COUNT(&all) == 1)
		return;
	assert_int_equal(writer_open(&o, &w, &e), 0);
	assert_int_equal(count_threads(), before + 2);
	writer_free(w);
	assert_int_equal(count_threads(), before);
}

/* ---- for whom ---- */

/* The recovery key and this host's reader key find one and the same file key, the prune
 * key the list key and nothing else, another host's reader nothing. */
static void test_recipients(void **state)
{
	struct fake root = fake(0, TEXT);
	struct writer_options o = options();
	struct part_reader *p = NULL;
	uint8_t a[32], b[32], c[32];
	struct err e = ERR_EMPTY;
	struct written w;

	(void)state;
	write_all(&o, &root, 1, &w);
	assert_int_equal(part_reader_open(kit.store, &kit.d, kit.final, &p, &e), 0);
	assert_int_equal(p->header.n_stanzas, 3);
	assert_int_equal(
		stanza_open(&p->header, KEY_RECOVERY, kit.secrets[RECOVERY]->b, a, &e),
		0);
	assert_int_equal(
		stanza_open(&p->header, KEY_READER, kit.secrets[READER]->b, b, &e), 0);
	assert_int_equal(stanza_open(&p->header, KEY_PRUNE, kit.secrets[PRUNE]->b, c, &e),
			 0);
	assert_memory_equal(a, b, 32);
	assert_memory_equal(c, kit.keys->list, 32);
	assert_memory_not_equal(a, c, 32);
	assert_int_equal(
		stanza_open(&p->header, KEY_READER, kit.secrets[PRUNE]->b, c, &e), 1);
	assert_int_equal(
		stanza_open(&p->header, KEY_READER, kit.secrets[STRANGER]->b, c, &e), 1);
	part_reader_free(p);
}

/* A key that is granted twice, for all hosts and for this one, has one stanza. */
static void test_granted_twice(void **state)
{
	struct grant grants[N_GRANTS + 1];
	struct descriptor d = kit.d;
	struct fake root = fake(0, TEXT);
	struct writer_options o = options();
	struct part_reader *p = NULL;
	struct err e = ERR_EMPTY;
	struct written w;

	(void)state;
	memcpy(grants, kit.grants, sizeof(kit.grants));
	grants[N_GRANTS] = kit.grants[READER];
	grants[N_GRANTS].one_host = false;
	memset(grants[N_GRANTS].scope_host, 0, 32);
	d.n_grants = N_GRANTS + 1;
	d.grants = grants;
	o.d = &d;
	write_all(&o, &root, 1, &w);
	assert_int_equal(part_reader_open(kit.store, &kit.d, kit.final, &p, &e), 0);
	assert_int_equal(p->header.n_stanzas, 3);
	part_reader_free(p);
}

/* Where nobody could read it, nothing is written. */
static void test_no_recipient(void **state)
{
	static const int left[] = { HOST, PRUNE, STRANGER };
	struct grant grants[3];
	struct descriptor d = kit.d;
	struct writer_options o = options();
	struct err e = ERR_EMPTY;
	struct writer *w = NULL;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		grants[i] = kit.grants[left[i]];
	d.n_grants = 3;
	d.grants = grants;
	o.d = &d;
	assert_int_equal(writer_open(&o, &w, &e), -1);
	assert_int_equal(e.kind, ERR_KEY);
	assert_int_equal(count_files("tmp", ".part"), 0);
}

/* Two archives of one stream share neither id nor file key nor ephemeral key. */
static void test_fresh_keys(void **state)
{
	struct fake root = fake(0, TEXT);
	struct writer_options o = options();
	struct part_reader *p[2] = { NULL, NULL };
	uint8_t fk[2][32];
	struct written w;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct err e = ERR_EMPTY;

		write_all(&o, &root, 1, &w);
		assert_int_equal(
			part_reader_open(kit.store, &kit.d, kit.final, &p[i], &e), 0);
		assert_int_equal(stanza_open(&p[i]->header, KEY_READER,
					     kit.secrets[READER]->b, fk[i], &e),
				 0);
	}
	assert_memory_not_equal(fk[0], fk[1], 32);
	assert_memory_not_equal(p[0]->header.archive_id, p[1]->header.archive_id, 16);
	assert_memory_not_equal(p[0]->header.eph_pk, p[1]->header.eph_pk, 32);
	part_reader_free(p[0]);
	part_reader_free(p[1]);
}

/* Parent, its chain and the stream's predecessor stand where a verifier looks for them.
 */
static void test_lineage(void **state)
{
	struct predecessor before;
	struct fake root = fake(0, TEXT);
	struct writer_options o = options();
	struct part_reader *p = NULL;
	struct err e = ERR_EMPTY;
	struct written first, w;

	(void)state;
	memset(&before, 0xab, sizeof(before));
	write_all(&o, &root, 1, &first);
	o.seq = 2;
	o.parent = &first.result.archive;
	o.parent_chain = first.result.chain;
	o.predecessor = &before;
	write_all(&o, &root, 1, &w);
	assert_int_equal(part_reader_open(kit.store, &kit.d, kit.final, &p, &e), 0);
	assert_true(p->trailer.has_parent);
	assert_int_equal(p->trailer.parent.seq, 1);
	assert_memory_equal(p->trailer.parent.id, first.result.archive.id, 16);
	assert_memory_equal(p->trailer.parent.trailer_hash,
			    first.result.archive.trailer_hash, 32);
	assert_true(part_trailer_chain_fits(&p->trailer, first.result.chain));
	assert_memory_equal(p->trailer.chain, w.result.chain, 32);
	assert_int_equal(p->header.seq, 2);
	assert_int_equal(p->header.tlv.len, 36);
	assert_memory_equal(p->header.tlv.p, "\1\0\40\0", 4);
	assert_memory_equal(p->header.tlv.p + 4, &before, 32);
	part_reader_free(p);
	expect_all(&root, 1);
}

/* ---- commit ---- */

/* Up to the commit there is no .vsf, with all parts written and the last one staged;
 * freeing the writer then leaves nothing in tmp/. */
static void test_no_commit(void **state)
{
	static struct fake list[400];
	size_t n = everything(list);
	struct writer_options o = options();
	struct err e = ERR_EMPTY;
	struct writer *w = NULL;
	struct written out;

	(void)state;
	o.max_segments = 64;
	assert_int_equal(writer_open(&o, &w, &e), 0);
	assert_int_equal(send_all(w, list, n, &e), 0);
	assert_int_equal(count_files(kit.dir, ".vsf"), 0);
	assert_int_equal(stage(w, &out, &e), 0);
	assert_int_equal(count_files(kit.dir, ".vsf"), 0);
	assert_true(count_files(kit.dir, ".vsa") > 5);
	assert_int_equal(count_files("tmp", ".part"), 1);
	writer_free(w);
	assert_int_equal(count_files(kit.dir, ".vsf"), 0);
	assert_int_equal(count_files("tmp", ".part"), 0);
}

/* A commit before it is staged, a second one, and a stage with body bytes that nobody
 * claimed are refused. */
static void test_order(void **state)
{
	struct fake root = fake(0, TEXT);
	struct writer_options o = options();
	struct err e = ERR_EMPTY;
	struct writer *w = NULL;
	struct entry_sink sink;
	struct written out;

	(void)state;
	assert_int_equal(writer_open(&o, &w, &e), 0);
	assert_int_equal(send_all(w, &root, 1, &e), 0);
	assert_int_equal(writer_commit(w, &e), -1);
	assert_int_equal(stage(w, &out, &e), 0);
	assert_int_equal(stage(w, &out, &e), -1);
	assert_int_equal(writer_commit(w, &e), 0);
	assert_int_equal(writer_commit(w, &e), -1);
	assert_int_equal(count_files(kit.dir, ".vsf"), 1);
	writer_free(w);
	assert_int_equal(writer_open(&o, &w, &e), 0);
	sink = writer_sink(w);
	assert_int_equal(sink.body(sink.ctx, 0, (const uint8_t *)"x", 1, &e), 0);
	assert_int_equal(stage(w, &out, &e), -1);
	assert_int_equal(e.kind, ERR_FAILED);
	assert_int_equal(writer_commit(w, &e), -1);
	writer_free(w);
	assert_int_equal(count_files(kit.dir, ".vsf"), 1);
}

/* Spoil part 2 (HOW: 0 removed, 1 cut) between stage and commit. */
static void commit_spoiled(int how)
{
	static struct fake list[400];
	size_t n = everything(list);
	struct writer_options o = options();
	struct err e = ERR_EMPTY;
	struct writer *w = NULL;
	struct written out;
	char path[800], id[33];

	o.max_segments = 64;
	o.seq = 10 + (uint64_t)how;
	assert_int_equal(writer_open(&o, &w, &e), 0);
	assert_int_equal(send_all(w, list, n, &e), 0);
	assert_int_equal(stage(w, &out, &e), 0);
	crypto_hex(out.result.archive.id, 16, id);
	(void)snprintf(path, sizeof(path), "%s/%s/%010d-%s.0002.vsa", kit.location,
		       kit.dir, 10 + how, id);
	if (how == 0)
		assert_int_equal(unlink(path), 0);
	else
		assert_int_equal(truncate(path, 4096), 0);
	assert_int_equal(writer_commit(w, &e), -1);
	assert_int_equal(e.kind, ERR_STORE);
	assert_non_null(strstr(e.text, ".0002.vsa"));
	writer_free(w);
	assert_int_equal(count_files(kit.dir, ".vsf"), 0);
}

/* What lost a part between its writing and the commit is not committed (T: prune by a
 * confused host, a disk that dropped writes). */
static void test_part_lost(void **state)
{
	(void)state;
	commit_spoiled(0);
	commit_spoiled(1);
}

/* ---- what goes wrong ---- */

/* A source that does not keep to the contract fails, and what it began cannot be staged:
 * lengths that do not agree, headers of no, odd and excessive length. */
static void test_bad_source(void **state)
{
	static const uint8_t header[ENTRY_HEADER_MAX + 512];
	static const struct {
		size_t header_len;
		uint64_t body_len;
	} cases[] = { { 512, 2 },
		      { 512, 0 },
		      { 0, 1 },
		      { 513, 1 },
		      { ENTRY_HEADER_MAX + 512, 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct entry en = { .path = "./x",
				    .header = header,
				    .header_len = cases[i].header_len,
				    .body_len = cases[i].body_len };
		struct writer_options o = options();
		struct err e = ERR_EMPTY;
		struct writer *w = NULL;
		struct entry_sink sink;
		struct written out;

		assert_int_equal(writer_open(&o, &w, &e), 0);
		sink = writer_sink(w);
		assert_int_equal(sink.body(sink.ctx, 0, (const uint8_t *)"x", 1, &e), 0);
		assert_int_equal(sink.entry(sink.ctx, &en, &e), -1);
		assert_int_equal(e.kind, ERR_FAILED);
		assert_int_equal(sink.drop(sink.ctx, &e), 0);
		assert_int_equal(stage(w, &out, &e), -1);
		writer_free(w);
	}
}

/* A store that takes no more bytes is ERR_STORE, wherever it happens, and leaves no .vsf
 * and nothing in tmp/. */
static void test_store_full(void **state)
{
	static struct fake list[400];
	size_t n = everything(list);
	struct rlimit before, small;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	for (rlim_t limit = 1000; limit < 6000000; limit = limit * 7 + 4096) {
		struct writer_options o = options();
		struct err e = ERR_EMPTY;
		struct writer *w = NULL;
		struct written out;
		int r;

		small = before;
		small.rlim_cur = limit;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		r = writer_open(&o, &w, &e);
		if (r == 0)
			r = send_all(w, list, n, &e);
		if (r == 0)
			r = stage(w, &out, &e);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		assert_int_equal(r, -1);
		assert_int_equal(e.kind, ERR_STORE);
		writer_free(w);
		assert_int_equal(count_files(kit.dir, ".vsf"), 0);
		assert_int_equal(count_files("tmp", ".part"), 0);
	}
	(void)signal(SIGXFSZ, SIG_DFL);
}

/* A part too small for a frame is an error and not an endless row of parts. */
static void test_part_too_small(void **state)
{
	struct fake big = fake(1 << 20, RANDOM);
	struct writer_options o = options();
	struct err e = ERR_EMPTY;
	struct writer *w = NULL;
	struct written out;
	int r;

	(void)state;
	o.max_segments = 4;
	assert_int_equal(writer_open(&o, &w, &e), 0);
	r = send_all(w, &big, 1, &e);
	if (r == 0)
		r = stage(w, &out, &e);
	assert_int_equal(r, -1);
	assert_int_equal(e.kind, ERR_FAILED);
	writer_free(w);
	assert_in_range(count_files(kit.dir, ".vsa"), 0, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_round_trip),	   CASE(test_many_parts),
		CASE(test_empty_volume),   CASE(test_large_headers),
		CASE(test_many_entries),   CASE(test_no_compression),
		CASE(test_one_cpu),	   CASE(test_recipients),
		CASE(test_granted_twice),  CASE(test_no_recipient),
		CASE(test_fresh_keys),	   CASE(test_lineage),
		CASE(test_no_commit),	   CASE(test_order),
		CASE(test_part_lost),	   CASE(test_bad_source),
		CASE(test_frames),	   CASE(test_store_full),
		CASE(test_part_too_small),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
