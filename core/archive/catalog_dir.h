/* One stream's directory, read into a catalog_stream.  Inside of catalog. */
#ifndef ARCHIVE_CATALOG_DIR_H
#define ARCHIVE_CATALOG_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/catalog.h"

/* A snapshot, and what it takes to judge it and to open its summary. */
struct found {
	struct snapshot x;
	bool verified; /* its last part was read, and header, trailer and signature fit */
	bool intact;   /* and all its own parts are there */
	bool opens;    /* with one of the keys */
	bool named;    /* as parent, by a verified one */
	uint8_t header_hash[32], sealed[SUMMARY_LEN + 16];
};

struct catalog_dir {
	/* set by the caller, borrowed */
	struct store *store;
	const struct descriptor *d;
	const struct secret *host_secret; /* may be NULL */
	const struct reader_keys *keys;	  /* may be NULL */
	/* public halves of the keys */
	uint8_t (*pk)[32];
	/* what is found */
	struct catalog_stream stream; /* identity from the first header that verifies */
	bool known;		      /* there was one */
	size_t n, room;
	struct found *all; /* by seq, then archive id */
	/* parts that were listed before their last part */
	char stem[80];
	uint64_t stem_size;
	struct bytes stem_parts; /* u32 each */
};

/* Read the directory d->stream.dir; d is freed by catalog_dir_free in any case. */
int catalog_dir_read(struct catalog_dir *d, struct err *e);
/* Find the list key, open the summaries, apply rule R5 and hand the snapshots over to
 * d->stream. */
int catalog_judge(struct catalog_dir *d, struct err *e);
void catalog_dir_free(struct catalog_dir *d);
/* Free what a snapshot, or a stream with its snapshots, holds. */
void catalog_dir_snapshot_free(struct snapshot *x);
void catalog_dir_stream_free(struct catalog_stream *s);

#endif
