/* ROOT: what a snapshot is, its totals, its keys, the tops of its trees (docs/format.md 11). */
#ifndef ARCHIVE_ROOT_H
#define ARCHIVE_ROOT_H

#include <stdint.h>

#include "archive/stream.h"
#include "archive/tree.h"
#include "base/bytes.h"

struct err;

enum grade { GRADE_STOPPED = 1, GRADE_FROZEN = 2, GRADE_FUZZY = 3 };

struct totals {
	uint64_t entries, files, dirs, bytes, body_len, head_len, vanished, skipped;
	uint32_t unreadable, changed;
};

struct root {
	struct totals totals;
	int64_t begun_ms;
	uint64_t begun_boot_ms;
	uint8_t boot_id[16];
	enum grade grade;
	uint8_t level;
	enum stream_kind kind;
	struct tree_ref head, body; /* length, entries, body of the refs are filled from totals */
	char name[VOLUME_NAME_MAX + 1];
	char source[4096]; /* path on the host */
};

/* Keys go in and come out beside the struct, since they are secrets. */
int root_encode(const struct root *r, const struct stream_keys *k, struct bytes *out,
		struct err *e);
int root_decode(const uint8_t *p, size_t n, struct root *out, struct stream_keys *k,
		struct err *e);

#endif
