/* Which archives a snapshot's trees reach, and how many of their stored bytes (DESIGN 4.4, 4.7):
 * what the trailer lists as dependencies, and what re-emission goes by.  Pure.
 *
 * Rule R1: a snapshot may refer to its parent, the parent's dependencies, and itself. */
#ifndef ARCHIVE_USAGE_H
#define ARCHIVE_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/cache.h"
#include "archive/chunk.h"

struct err;

struct usage {
	uint64_t own; /* sequence number of the archive being written */
	size_t n;
	struct cache_dep *deps; /* what may be referred to: live counted anew */
	bool *victim;		/* beside deps: is to be written anew */
	uint64_t own_live;
	size_t last; /* found last */
	struct record_place before; /* of the chunk counted last, */
	uint32_t before_offset;	    /* so that one that repeats is counted once */
};

/* DEPS: the tip's list, itself included; N 0: a full snapshot.  VICTIMS: sequence numbers. */
int usage_open(struct usage *u, uint64_t own, const struct cache_dep *deps, size_t n,
	       const uint64_t *victims, size_t n_victims, struct err *e);
void usage_close(struct usage *u);
/* Forget what was counted. */
void usage_restart(struct usage *u);
/* Whether what lies in SEQ may be referred to: false for victims and for strangers. */
bool usage_allows(struct usage *u, uint64_t seq);
/* A chunk, or a whole record of CLEN bytes, at AT is referred to.  False: a stranger. */
bool usage_chunk(struct usage *u, const struct chunk *x);
bool usage_record(struct usage *u, const struct record_place *at, uint32_t clen);
/* The archives of U that are referred to, ascending, own left out; returns their number. */
size_t usage_deps(const struct usage *u, struct cache_dep *out);

#endif
