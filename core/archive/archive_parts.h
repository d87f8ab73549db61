/* The archives that a snapshot's bytes lie in: its own and its dependencies, every part
 * of each opened, checked and unlocked before a byte is read, so that a file unlinked
 * later stays readable.  Inside of reader and catalog.
 *
 * Memory: slot hashes, stanzas and raw header of a part are given back once it is open
 * (reading rests on the segments' seals), and its segment buffers while it is not among
 * the two parts last read.  What stays is below 16 KiB a part, 8 of them the locked page
 * of its key: 1.3 MiB for 20 GB, 6.4 MiB for 100 GB.  Each part holds one file
 * descriptor: opening raises the soft limit of these to the hard one. */
#ifndef ARCHIVE_ARCHIVE_PARTS_H
#define ARCHIVE_ARCHIVE_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "archive/part.h"

struct err;
struct record_place;
struct reader_keys;
struct report;
struct store;

#define ARCHIVE_PARTS_AWAKE 2 /* parts with segment buffers */

struct archive {
	struct archive *next;
	uint64_t seq;
	uint32_t n; /* 0: it is lost */
	/* part 1 at [0]; the last has the final trailer; NULL: it is lost */
	struct part_reader *parts[];
};

struct archive_parts {
	struct archive *own; /* the others behind it: 128 at most are written */
	struct part_reader
		*awake[ARCHIVE_PARTS_AWAKE];	/* those last read; NULL: none yet */
	uint8_t *segments[ARCHIVE_PARTS_AWAKE]; /* lent to these */
	size_t last;				/* which was read last */
};

/* Open all; NAME is the .vsf.  ERR_STORE if it is not there, ERR_DAMAGED if anything that
 * belongs to it is missing or does not fit, ERR_KEY if no key opens it.  With SALVAGE this
 * holds for the last part alone: what else is missing, damaged or sealed to other keys is
 * reported there (NOTE_DAMAGED), and asking for it is ERR_DAMAGED.
 * archive_parts_close in any case. */
int archive_parts_open(struct archive_parts *a, struct store *store,
		       const struct descriptor *d, const char *name,
		       const struct reader_keys *keys, const struct report *salvage,
		       struct err *e);
void archive_parts_close(struct archive_parts *a);
/* The snapshot's own last part. */
struct part_reader *archive_parts_final(const struct archive_parts *a);
/* The part that AT names, ready to be read until the next call but one. */
int archive_parts_get(struct archive_parts *a, const struct record_place *at,
		      struct part_reader **out, struct err *e);

/* The file key of R's archive, by the first of KEYS that has a stanza: 32 bytes at FK,
 * which is locked memory.  ERR_KEY if none has. */
int archive_parts_key(const struct part_reader *r, const struct reader_keys *keys,
		      uint8_t *fk, struct err *e);

#endif
