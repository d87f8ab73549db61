/* What the snapshots of a stream cost: what each holds, what it added, what it rests on.
 */
#ifndef JOB_STATS_H
#define JOB_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/catalog.h"
#include "archive/tally.h"

struct err;

/* An archive that a snapshot rests on. */
struct stats_dep {
	uint64_t seq;
	uint8_t id[16];
	uint64_t live;	    /* stored bytes of it that are still referred to */
	uint64_t new_bytes; /* bytes of its records */
	bool known; /* new_bytes is; else its summary cannot be read, or it is gone */
};

struct stats {
	size_t n_deps;
	struct stats_dep *deps; /* by seq; owned */
	uint64_t live, live_of; /* sums over deps */
	bool has_live;		/* all of them are known, and there are some */
	bool has_tally;		/* there was a key that opens it */
	struct tally tally;
};
#define STATS_EMPTY { .deps = NULL }
#define auto_stats __attribute__((cleanup(stats_free)))
void stats_free(struct stats *s);

/* Of snapshot X of S, which is not damaged.  With KEYS (may be NULL, or n = 0) that open
 * it also what its records come to. */
int job_stats(struct store *store, const struct descriptor *d,
	      const struct reader_keys *keys, const struct catalog_stream *s,
	      const struct snapshot *x, struct stats *out, struct err *e);

/* How often each byte of content that this archive brought is used: content of the
 * snapshot, without holes, over content in its own frames.  0: unknown, or nothing was
 * new. */
double stats_dedup(const struct stats *s);
/* Bytes of its own records before compression over those after.  0: unknown. */
double stats_compression(const struct stats *s);
/* live over live_of; below 0: unknown. */
double stats_live(const struct stats *s);

#endif
