/* The entries of a snapshot, each hard link together with the file that it is a name of:
 * what looks at entries one by one sees a second name's size, owner and content as ls
 * would.
 *
 * Two passes over the headers: the first finds which first names will be needed. */
#ifndef JOB_LINKED_H
#define JOB_LINKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/pax.h"

struct err;
struct linked;
struct reader;

/* Whether an entry is asked for; the same answer each time. */
typedef bool linked_wanted_fn(void *ctx, const struct pax *p);

/* R is borrowed, and read from its first entry to its last: totals and walk order are
 * checked (ERR_DAMAGED), and WANTED has seen every entry when this returns.  SCRATCH, a
 * directory, takes spill files; it is made when the first is needed.  WANTED may be NULL:
 * everything. */
int linked_new(struct reader *r, const char *scratch, linked_wanted_fn *wanted, void *ctx,
	       struct linked **out, struct err *e);
void linked_free(struct linked *l);

/* Valid until the next call. */
struct linked_entry {
	const struct pax *pax; /* as it is in the snapshot */
	const struct pax
		*file; /* of a hard link the file, under its first name; else pax */
	const uint8_t *header; /* of file */
	size_t header_len;
	uint64_t body_at, body_len; /* of file's content: for reader_body_from */
};
/* The next entry that is wanted; 1 behind the last of these, without reading on. */
int linked_next(struct linked *l, struct linked_entry *out, struct err *e);

#endif
