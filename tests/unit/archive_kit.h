/* What the tests of reader and catalog share: a store with one host and one reading key,
 * archives as the writer makes them, and archives made by hand that say what no writer
 * says. */
#ifndef TESTS_ARCHIVE_KIT_H
#define TESTS_ARCHIVE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive/crypto.h"
#include "archive/part.h"
#include "archive/reader.h"
#include "archive/root.h"
#include "archive/writer.h"
#include "base/err.h"
#include "base/scope.h"
#include "store/store.h"

#define KIT_TIME 1700000000000 /* of snapshot 0, Unix ms; each later one an hour after   \
				*/

struct kit {
	char location[32];
	int dirfd; /* of the store */
	struct store *store;
	struct secret *host, *reader, *stranger;
	struct descriptor d;
	struct stream stream;
	struct stream_keys *keys;
	struct cache cache; /* of the stream; "state" in the store's directory */
	const struct secret *x[1];
	struct reader_keys reader_keys; /* the one that fits */
};

extern struct kit kit;

/* EXPR gives 0, or the test fails with the sentence in oops. */
#define must(expr)                                                                       \
	do {                                                                             \
		if ((expr) != 0)                                                         \
			fail_msg("%s: %s", #expr, oops.text);                            \
	} while (0)

/* For cmocka: an empty store for each test. */
int kit_setup(void **state);
int kit_teardown(void **state);

/* An entry that is made up: HEADER blocks of 512 bytes (0: a gap), BODY bytes; content by
 * SEED. */
struct fake {
	size_t header, body;
	uint32_t seed;
};
/* The bytes of an entry's header (SALT 1) or body (SALT 2) from AT on; zeros for seed 0.
 */
void kit_bytes(const struct fake *f, uint32_t salt, uint64_t at, uint8_t *out, size_t n);

/* Write a snapshot of N entries as number SEQ. */
struct writer_result kit_write(uint64_t seq, const struct archive_id *parent,
			       const struct fake *f, size_t n, uint32_t max_segments);
/* What ROOT of snapshot SEQ says, without trees and totals. */
void kit_root(struct root *r, uint64_t seq);
/* Name of a part (NO 0: the last) of an archive, in the store. */
void kit_name(const struct archive_id *a, uint32_t no, char out[600]);
/* The .vsf read with the reading key; asserts that it opens. */
struct reader *kit_open(const char *name);

/* A snapshot in one part, made by hand. */
struct craft {
	uint64_t seq;
	const struct archive_id *parent;
	const uint8_t *parent_chain; /* NULL: as if it had none */
	const uint8_t *group;	     /* one group */
	size_t group_len;
	size_t body_len;	/* zeros */
	uint64_t entries, body; /* what extent, tree and totals say */
	uint64_t files, bytes;	/* what totals say */
	struct record_place *head,
		*tops; /* instead of where the HEAD frame, the trees lie */
	const struct dependency *dep; /* N_DEPS of them, or one */
	size_t n_deps;
	bool partial, bad_check, record_after_root, root_of_other_kind, bad_root_id,
		bad_stanza;
	const struct predecessor *predecessor;
	const struct secret *reader; /* instead of the one that fits */
	const char *root_name; /* instead of the volume's */
};
/* Returns its id; the places where its trees' tops lie go to TOPS[2] (head, body), if not
 * NULL. */
struct archive_id kit_craft(const struct craft *c, struct tree_ref tops[2]);
/* The same with the tops of OTHER in place of trees of its own. */
struct archive_id kit_craft_on(const struct craft *c, const struct tree_ref tops[2]);

/* Another part NO of the archive whose header and trailer fit in all but being the one
 * that was written: one byte of a segment changed, signed anew by the host. */
void kit_resign(const struct archive_id *a, uint32_t no);

/* Change or cut files of the store. */
void kit_flip(const char *name, uint64_t at);
uint64_t kit_size(const char *name);
void kit_truncate(const char *name, uint64_t size);
void kit_copy(const char *from, const char *to);
void kit_remove(const char *name);
void kit_put(const char *name, const void *p, size_t n);

#endif
