/* Checking a store: structure and sizes, every byte without a key, every entry with one. */
#ifndef JOB_VERIFY_H
#define JOB_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/catalog.h"

struct err;
struct host;
struct report;

enum verify_depth {
	VERIFY_QUICK, /* headers, trailers, signatures, sizes, parts, chain */
	VERIFY_BYTES, /* and every segment's hash */
	VERIFY_KEYED, /* and every record and entry */
};

struct verify_outcome {
	uint64_t snapshots, damaged, bytes;
	uint64_t found;		 /* notes of damage, also of files that others rest on */
	enum verify_depth depth; /* the deepest that the keys allowed */
};

/* Verify snapshot X of S with those on which it rests, or (NULL) all of S.  Damage is reported
 * through REPORT (NOTE_DAMAGED; path is "NAME@SEQ", the sentence names file and segment) and
 * counted, not returned.  What is lost by it is reported as well: with a reading key each path
 * ("NAME@SEQ: PATH") as far as VERIFY_PATHS go, without one the snapshots that rest on what is
 * damaged.  -1: it could not be looked at. */
int job_verify(const struct host *h, const struct catalog_stream *s, const struct snapshot *x,
	       enum verify_depth depth, const struct report *report, struct verify_outcome *out,
	       struct err *e);

#define VERIFY_PATHS 20 /* of a snapshot */

#endif
