/* The tip's entries beside a walk, both in ascending order of path: what was known of the path that
 * the walk is at, and where its chunks and its group lie in the tip's lists. */
#ifndef ARCHIVE_KNOWN_H
#define ARCHIVE_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/cache_entries.h"

struct err;

struct known {
	struct entries_reader *reader; /* NULL: there is no tip */
	struct cache_entry now;	       /* the entry that the walk has not passed */
	bool have;		       /* there is one */
	uint64_t body;		       /* number of its first chunk in the body stream */
	uint64_t group;		       /* number of its group */
	uint32_t in_group;	       /* its place in that, gaps counted */
};

/* SEGS NULL: no tip.  known_close in any case. */
int known_open(struct known *k, struct cache *c, const struct cache_segs *segs, struct err *e);
void known_close(struct known *k);
/* Go to PATH: 0, k->now is it (it may be a gap); 1, there is none of that path. */
int known_seek(struct known *k, const char *path, struct err *e);
/* Pass over k->now. */
int known_pass(struct known *k, struct err *e);
/* Whether an entry of which the walk sees STAT and LINK is k->now, unchanged. */
bool known_same(const struct known *k, const struct entry_stat *stat, const char *link,
		const uint8_t gear_key[32]);
/* Keyed hash of a hard link's first path. */
uint64_t known_link_hash(const char *link, const uint8_t gear_key[32]);

#endif
