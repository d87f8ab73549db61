/* What an archive's own records come to, from their heads alone, and what its ROOT says:
 * a few segments are read of each frame's, and nothing is decoded. */
#ifndef ARCHIVE_TALLY_H
#define ARCHIVE_TALLY_H

#include <stdint.h>

#include "archive/root.h"

struct descriptor;
struct err;
struct reader_keys;
struct store;

struct tally_sum {
	uint64_t n, packed, plain; /* records; their clen and ulen */
};

struct tally {
	struct tally_sum body, head, node, root; /* by type of record */
	struct totals totals;			 /* ROOT's */
};

/* NAME is the .vsf in STORE; its dependencies are not opened.  ERR_KEY if no key opens
 * it, ERR_DAMAGED, ERR_STORE if it is not there. */
int tally_archive(struct store *store, const struct descriptor *d, const char *name,
		  const struct reader_keys *keys, struct tally *out, struct err *e);

#endif
