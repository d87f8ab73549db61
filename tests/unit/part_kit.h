/* What the tests of parts share: keys, a filled header, a store with one host in it. */
#ifndef TESTS_PART_KIT_H
#define TESTS_PART_KIT_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "archive/crypto.h"
#include "archive/part.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "store/store.h"

struct kit {
	char location[32];
	struct store *store;
	struct secret *host, *reader, *eph;
	uint8_t reader_pk[32], fk[32], list_key[32], store_id[16];
	struct grant grant;
	struct descriptor d;
};

static struct kit kit;

static inline int kit_setup(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	if (crypto_init(&e) < 0)
		return -1;
	kit.host = secret_random(&e);
	kit.reader = secret_random(&e);
	kit.eph = secret_random(&e);
	crypto_x_public(kit.reader->b, kit.reader_pk);
	crypto_random(kit.fk, sizeof(kit.fk));
	crypto_random(kit.list_key, sizeof(kit.list_key));
	crypto_random(kit.store_id, sizeof(kit.store_id));
	kit.grant.role = KEY_HOST;
	crypto_sign_public(kit.host->b, kit.grant.sign_pk);
	(void)snprintf(kit.grant.label, sizeof(kit.grant.label), "web");
	kit.d = (struct descriptor){ .epoch = 1, .n_grants = 1, .grants = &kit.grant };
	memcpy(kit.d.store_id, kit.store_id, 16);
	return 0;
}

static inline int kit_store_setup(void **state)
{
	struct err e = ERR_EMPTY;

	if (kit_setup(state) < 0)
		return -1;
	(void)snprintf(kit.location, sizeof(kit.location), "/tmp/test_part.XXXXXX");
	if (!mkdtemp(kit.location) || store_create(kit.location, &e) < 0 ||
	    store_mark(kit.location, kit.store_id, &e) < 0)
		return -1;
	return store_open(kit.location, kit.store_id, &kit.store, &e);
}

static inline int kit_teardown(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	secret_free(kit.host);
	secret_free(kit.reader);
	secret_free(kit.eph);
	store_free(kit.store);
	return kit.store ? file_remove_tree(AT_FDCWD, kit.location, &e) : 0;
}

/* A header with everything but stanzas. */
static inline void kit_header_bare(struct part_header *h, uint32_t part)
{
	*h = (struct part_header){ .seq = 7, .part = part, .epoch = 3, .created_ms = -5 };
	memcpy(h->store_id, kit.store_id, 16);
	memset(h->archive_id, 0xa7, 16);
	crypto_x_public(kit.eph->b, h->eph_pk);
	h->stream.kind = STREAM_VOLUME;
	memset(h->stream.nonce, 0x5e, 16);
	crypto_sign_public(kit.host->b, h->stream.host_pk);
	(void)snprintf(h->stream.host, sizeof(h->stream.host), "web");
	(void)snprintf(h->stream.name, sizeof(h->stream.name), "db");
	stream_identify(&h->stream);
}

static inline void kit_stanza_add(struct part_header *h, enum key_role role,
				  const uint8_t pk[32], const uint8_t payload[32])
{
	struct err e = ERR_EMPTY;

	h->stanzas = realloc(h->stanzas, (h->n_stanzas + 1) * STANZA_LEN);
	assert_non_null(h->stanzas);
	assert_int_equal(stanza_seal(h, role, pk, kit.eph->b, payload,
				     h->stanzas[h->n_stanzas], &e),
			 0);
	h->n_stanzas++;
}

/* A whole header, sealed to the reader. */
static inline void kit_header(struct part_header *h, uint32_t part)
{
	kit_header_bare(h, part);
	kit_stanza_add(h, KEY_READER, kit.reader_pk, kit.fk);
}

/* ---- parts in the store ---- */

struct kit_part {
	struct part_header h;
	struct part_trailer t;
	char name[512];
};

static inline void kit_part_free(struct kit_part *p)
{
	part_header_free(&p->h);
	part_trailer_free(&p->t);
}

/* A part about to be written: final, unless the caller says otherwise. */
static inline void kit_part_init(struct kit_part *p, uint32_t part)
{
	memset(p, 0, sizeof(*p));
	kit_header(&p->h, part);
	p->t.final = true;
	p->t.n_parts = part;
	p->t.parts = calloc(part, 32);
	assert_non_null(p->t.parts);
}

static inline void kit_part_name(struct kit_part *p)
{
	char dir[400], base[80];

	stream_dir(&p->h.stream, dir, sizeof(dir));
	part_header_name(&p->h, p->t.final, base, sizeof(base));
	(void)snprintf(p->name, sizeof(p->name), "%s/%s", dir, base);
}

/* Byte AT of the content of record NO. */
static inline uint8_t kit_byte(size_t no, size_t at)
{
	return (uint8_t)((at * 7 + at / 251 + no * 13) | 1);
}

static inline void kit_record(struct part_writer *w, size_t no, size_t len,
			      uint64_t *offset)
{
	auto_free uint8_t *data = malloc(len ? len : 1);
	uint8_t id[32] = { (uint8_t)no };
	struct err e = ERR_EMPTY;

	assert_non_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = kit_byte(no, i);
	assert_int_equal(part_writer_record(w, RECORD_BODY, CODEC_RAW, id, data, len, len,
					    offset, &e),
			 0);
}

/* Write it with N records of the lengths given, signed with HOST, and commit it under
 * p->name, or the name it should have if that is empty; what was there is replaced. */
static inline void kit_part_write(struct kit_part *p, const size_t *lens, size_t n,
				  uint64_t *offsets, const struct secret *host)
{
	static const uint8_t no_chain[32];
	struct store_part *file = NULL;
	struct part_writer *w = NULL;
	struct err e = ERR_EMPTY;
	char path[600];

	assert_int_equal(store_part_begin(kit.store, "kit", &file, &e), 0);
	assert_int_equal(part_writer_open(file, &p->h, kit.fk, &w, &e), 0);
	for (size_t i = 0; i < n; i++)
		kit_record(w, i, lens[i], &offsets[i]);
	assert_int_equal(part_writer_finish(w, &p->t, no_chain, host, &e), 0);
	part_writer_free(w);
	if (!p->name[0])
		kit_part_name(p);
	(void)snprintf(path, sizeof(path), "%s/%s", kit.location, p->name);
	(void)unlink(path);
	assert_int_equal(store_part_sync(file, &e), 0);
	assert_int_equal(store_part_commit(file, p->name, &e), 0);
	store_part_free(file);
}

/* The file itself, for damaging. */
static inline int kit_part_fd(const struct kit_part *p)
{
	char path[600];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", kit.location, p->name);
	(void)chmod(path, 0600);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Open P: 0 and the reader, or -1, which must be damage that names the file. */
static inline int kit_open(const struct kit_part *p, struct part_reader **r)
{
	struct err e = ERR_EMPTY;
	int result = part_reader_open(kit.store, &kit.d, p->name, r, &e);

	if (result < 0) {
		assert_int_equal(e.kind, ERR_DAMAGED);
		assert_non_null(strstr(e.text, p->name));
	}
	return result;
}

static inline int kit_opens(const struct kit_part *p)
{
	struct part_reader *r = NULL;
	int result = kit_open(p, &r);

	part_reader_free(r);
	return result;
}

/* As kit_opens, with the words that the message must have. */
static inline void kit_refused(const struct kit_part *p, const char *words)
{
	struct part_reader *r = NULL;
	struct err e = ERR_EMPTY;

	assert_int_equal(part_reader_open(kit.store, &kit.d, p->name, &r, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" lacks \"%s\"", e.text, words);
}

#define auto_part __attribute__((cleanup(kit_part_free)))
#define auto_header __attribute__((cleanup(part_header_free)))
#define auto_trailer __attribute__((cleanup(part_trailer_free)))

#endif
