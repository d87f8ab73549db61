/* Writes one snapshot's archive: takes entries, cuts and compares, makes frames, sealed parts, trees,
 * ROOT, trailer and the next tip cache; stages all of it, and commits it when told (docs/format.md;
 * DESIGN 4).
 *
 *     writer_open -> entries through writer_sink -> writer_stage -> (job saves `next`) ->
 *     writer_commit -> writer_sweep -> writer_free
 *
 * Up to writer_commit nothing of it is a snapshot; writer_free before that removes what it can
 * (temporary files; finished parts without their .vsf are left for the pruner, segments of the tip
 * cache for the next sweep).
 *
 * Memory is bounded whatever the volume: five frames, two workers, one node per level, one part's
 * slot hashes, some segments of the tip cache.  On a host with one CPU (sched_getaffinity) there are
 * no threads at all. */
#ifndef ARCHIVE_WRITER_H
#define ARCHIVE_WRITER_H

#include <stdint.h>

#include "archive/cache.h"
#include "archive/part.h"
#include "archive/root.h"
#include "base/entry.h"

struct err;
struct store;
struct writer;

struct writer_options {
	struct store *store;		  /* borrowed throughout */
	const struct descriptor *d;	  /* recipients in scope of the host key; borrowed */
	const struct secret *host;	  /* borrowed */
	const struct stream *stream;	  /* borrowed */
	const struct stream_keys *keys;	  /* borrowed */
	uint64_t seq;
	const struct archive_id *parent;  /* NULL: none */
	const uint8_t *parent_chain;	  /* 32 bytes; NULL: zeros */
	const struct predecessor *predecessor; /* of the stream; NULL: none; borrowed for the call */
	int compression;		  /* 0 off, 1..9 */
	uint32_t max_segments;		  /* a part's; 0: PART_MAX_SEGMENTS */

	struct cache *cache;		  /* the stream's; borrowed throughout */
	const char *scratch;		  /* directory for spill files; borrowed */
	const struct cache_list *tip;	  /* what the parent consists of; NULL: a full snapshot */
	uint8_t options[16];		  /* of the selection; another one than the tip's: no entry
					   * is taken as known, contents are still found */
	const uint64_t *victims;	  /* archives of which nothing may be used: written anew */
	size_t n_victims;
	bool another_pass;		  /* these entries are read a second time: writer_next_pass */
};

int writer_open(const struct writer_options *o, struct writer **out, struct err *e);
/* The sink; valid until writer_free. */
struct entry_sink writer_sink(struct writer *w);
/* All entries came; they come again, from writers that are held still now.  What came before is
 * known; entries that come are those of the snapshot, the others are forgotten, and what was written
 * of them stays behind as dead bytes. */
int writer_next_pass(struct writer *w, struct err *e);

/* Bytes of content so far that are new: of which there is something to lose. */
uint64_t writer_new_content(const struct writer *w);

struct writer_result {
	struct archive_id archive;
	uint8_t chain[32];
	uint64_t new_bytes; /* clen of all records */
	uint64_t stored;    /* bytes of all its files */
	size_t n_deps;
};
/* Finish: R comes with totals of the walk (vanished, skipped, unreadable, changed, files, dirs,
 * bytes), times, grade, level, identity; entries, lengths and trees are filled here.  S comes with
 * time and day; the rest is filled from R.  PARTIAL: a checkpoint, of entries that may end anywhere.
 * On return all parts but the last have their names, the last lies fsynced in tmp/, and the tip
 * cache knows the new archive. */
int writer_stage(struct writer *w, bool partial, struct root *r, struct summary *s,
		 struct writer_result *out, struct err *e);
/* Check that all parts are there, rename the last: after 0 the snapshot exists and is durable. */
int writer_commit(struct writer *w, struct err *e);
/* Committed, and the tip says so: remove what the tip cache needs no more. */
int writer_sweep(struct writer *w, struct err *e);
void writer_free(struct writer *w);

#endif
