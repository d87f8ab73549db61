/* The entries of a snapshot in walk order, in segments of the tip cache (internal to this host; not
 * part of the archive format).  A segment begins with a whole path; others share what they can with
 * the one before:
 *
 *     u8 flags   varint shared, varint n, n bytes of path   varint ino, mode, uid, gid, size, rdev
 *     zigzag mtime, varint ns   zigzag ctime - mtime, varint ns   varint chunks, body
 *     of a hard link 8 bytes of keyed hash of its first path */
#ifndef ARCHIVE_CACHE_ENTRIES_H
#define ARCHIVE_CACHE_ENTRIES_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/cache.h"
#include "archive/chunker.h"
#include "base/entry.h"

struct err;
struct entries_reader;
struct entries_writer;

struct cache_entry {
	char path[ENTRY_PATH_MAX + 1]; /* of a gap: the file that could not be read to its end */
	struct entry_stat stat;
	bool settled, group_end, gap, link;
	uint64_t link_hash;
	enum chunk_mode mode;
	uint64_t chunks, body; /* of the body stream */
};

int entries_reader_new(struct cache *c, const struct cache_segs *segs, struct entries_reader **out,
		       struct err *e);
void entries_reader_free(struct entries_reader *r);
/* The next one; 1 at the end.  -1 with the cache broken. */
int entries_reader_next(struct entries_reader *r, struct cache_entry *out, struct err *e);

int entries_writer_new(struct cache *c, struct entries_writer **out, struct err *e);
void entries_writer_free(struct entries_writer *w);
/* Append.  With CUT a segment may end behind it. */
int entries_writer_add(struct entries_writer *w, const struct cache_entry *x, bool cut,
		       struct err *e);
int entries_writer_finish(struct entries_writer *w, struct cache_segs *out, struct err *e);

#endif
