/* What lies in a store: streams and their committed snapshots, from names and signed headers and
 * trailers (docs/format.md 3, 13).  Needs no key; summaries open with a list key. */
#ifndef ARCHIVE_CATALOG_H
#define ARCHIVE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/part.h"
#include "archive/reader.h"

struct err;
struct store;

enum snapshot_state {
	SNAPSHOT_OK,
	SNAPSHOT_PARTIAL,   /* a checkpoint: not restorable */
	SNAPSHOT_DAMAGED,   /* header, trailer or signature do not fit, or a part is missing, or
			       so with a snapshot on which it rests */
	SNAPSHOT_ABANDONED, /* superseded sibling nobody names as parent (rule R5) */
};

/* About 300 bytes and a name each. */
struct snapshot {
	struct archive_id archive; /* by name where DAMAGED; seq 0 where the name is none either */
	enum snapshot_state state;
	char *name;	      /* of its .vsf in the store; owned */
	uint64_t stored;      /* bytes of all its files */
	uint32_t n_parts;
	struct archive_id parent;
	bool has_parent;
	int64_t created_ms;   /* header's label, where the summary is not readable */
	bool has_summary;     /* opened with the list key */
	struct summary summary;
	bool needs_key;	      /* keys were given, and it, or one on which it rests, is sealed to
				 none of them */
	char *problem;	      /* why it is damaged, without control characters; else ""; owned */
};

struct catalog_stream {
	struct stream stream; /* identity, from a verified header; host = label of the grant */
	char dir[512];	      /* in the store */
	bool has_predecessor;
	struct predecessor predecessor;
	size_t n;
	struct snapshot *snapshots; /* by seq, then archive id */
	/* NULL until known: 32 locked bytes.  Found from host secret, or by opening a ROOT. */
	uint8_t *list_key;
};

struct catalog {
	size_t n;
	struct catalog_stream *streams; /* by host, name, stream id */
};
#define CATALOG_EMPTY { .streams = NULL }
#define auto_catalog __attribute__((cleanup(catalog_free)))
void catalog_free(struct catalog *c);

/* Which streams to load: NULL fields mean any. */
struct catalog_filter {
	const char *host, *name;
};
/* HOST_SECRET (may be NULL) gives list keys of own streams; KEYS (may be NULL, or n = 0) open a
 * ROOT for the others.  A damaged file is a snapshot in state DAMAGED, not an error; where not
 * even a header of a stream directory verifies, or it is not the place of the stream whose
 * header does, the directory is left out and reported through PROBLEMS (appended lines, may be
 * NULL). */
int catalog_load(struct store *store, const struct descriptor *d,
		 const struct catalog_filter *filter, const struct secret *host_secret,
		 const struct reader_keys *keys, struct catalog *out, struct bytes *problems,
		 struct err *e);

/* Time of a snapshot: its summary's, else its header's label.  Unix ms. */
int64_t catalog_time(const struct snapshot *x);

/* Resolve WHICH within one stream: "latest", "latest~N", digits (a sequence number), hex prefix
 * of an archive id (8+ digits with a letter, or "id:..."), or DATE[THH:MM[Z]] (newest at or before,
 * local time unless Z; a minute counts to its end, a date alone to the end of that day).  "latest"
 * goes by sequence number, a date by catalog_time.  Only SNAPSHOT_OK ones count, but a damaged
 * one named by number or id is ERR_DAMAGED.  ERR_NOT_FOUND, ERR_REFUSED (ambiguous
 * prefix), ERR_USAGE (not a WHICH). */
int catalog_which(const struct catalog_stream *s, const char *which, const struct snapshot **out,
		  struct err *e);
/* The same for who salvages: a damaged one named by number or id is found. */
int catalog_which_damaged(const struct catalog_stream *s, const char *which,
			  const struct snapshot **out, struct err *e);

#endif
