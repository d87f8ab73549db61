/* Reads one snapshot's entries in order, checking everything on the way (docs/format.md 13). */
#ifndef ARCHIVE_READER_H
#define ARCHIVE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "archive/part.h"
#include "archive/root.h"

struct err;
struct reader;
struct report;
struct store;

/* X25519 secrets to try; borrowed. */
struct reader_keys {
	size_t n;
	const struct secret *const *x;
};

/* NAME is the .vsf in STORE.  Opens all parts before anything else.  ERR_KEY if no key fits
 * (message: needs the recovery key, or an older one), ERR_DAMAGED names file and segment. */
int reader_open(struct store *store, const struct descriptor *d, const char *name,
		const struct reader_keys *keys, struct reader **out, struct err *e);
/* The same for what is left of a damaged snapshot.  Its last part must serve; what else of it, and
 * of those on which it rests, is missing, damaged or sealed to other keys is reported
 * (NOTE_DAMAGED; REPORT is not NULL), and reader_next passes over the entries lost with it. */
int reader_open_salvage(struct store *store, const struct descriptor *d, const char *name,
			const struct reader_keys *keys, const struct report *report,
			struct reader **out, struct err *e);
void reader_free(struct reader *r);

const struct root *reader_root(const struct reader *r);
const struct part_trailer *reader_trailer(const struct reader *r);
/* The stream's list key, from ROOT; valid until reader_free. */
const uint8_t *reader_list_key(const struct reader *r);

struct reader_entry {
	uint64_t no;		/* from 0 */
	const uint8_t *header;	/* valid until the next reader_next */
	size_t header_len;
	uint64_t body_at, body_len;
	uint64_t lost; /* entries, where reader_next gave 2 */
};
/* Next entry; 1 at the end, where all totals were found to fit.  What is unread of the body is
 * passed over without being decoded.  2, where salvaging: en->lost entries of en->body_len bytes
 * cannot be read here (none: bytes of no entry), *e says why; the next ones follow. */
int reader_next(struct reader *r, struct reader_entry *en, struct err *e);
/* Back to before the first entry. */
int reader_rewind(struct reader *r, struct err *e);
/* Next bytes of the current entry's body, in place: *p is valid until the next call; returns 0
 * with *n > 0, or 1 when the body is at its end. */
int reader_body(struct reader *r, const uint8_t **p, size_t *n, struct err *e);
/* The same in the order that takes the least decoding, all of it in the end: the bytes lie at *at
 * of the body.  For one body either this or reader_body. */
int reader_body_any(struct reader *r, uint64_t *at, const uint8_t **p, size_t *n, struct err *e);
/* Whether E, which reader_body gave, is loss of this body alone, and reading goes on with the next
 * entry: where salvaging, and damage is the reason. */
bool reader_goes_on(const struct reader *r, const struct err *e);
/* Make reader_body, or reader_body_any, give LEN bytes of the body stream from AT on, in place
 * of the current entry's: a file whose content another entry owns (a hard link restored without its first name). */
int reader_body_from(struct reader *r, uint64_t at, uint64_t len, struct err *e);
/* Decode and check all of the body stream, gaps too, or only what entries ask for.  With ALL,
 * reader_next decodes what was passed over.  Default: not. */
void reader_check_all(struct reader *r);

#endif
