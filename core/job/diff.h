/* What differs between two snapshots, entry by entry.
 *
 * Both are in walk order, so they are read in step and nothing is kept.  A regular file
 * counts as modified where size or modification time differ (rsync's quick check); with
 * CONTENT both are decoded and compared where the sizes agree, whatever the times say.  A
 * hard link is compared as the file that it is a name of.  Renames are a removal and an
 * addition. */
#ifndef JOB_DIFF_H
#define JOB_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "job/linked.h"

struct err;
struct reader;
struct report;

enum diff_kind {
	DIFF_ADDED,
	DIFF_REMOVED,
	DIFF_MODIFIED, /* type, content, target or device */
	DIFF_META,     /* anything else */
};

struct diff_what {
	bool type, size, content, mtime, target, device;
	bool mode, owner, xattr, acl, flags;
	bool link; /* another file's name than before, or one more or one less name */
};

struct diff_change {
	enum diff_kind kind;
	struct diff_what what;		   /* MODIFIED and META */
	const struct linked_entry *before; /* NULL when ADDED */
	const struct linked_entry *after;  /* NULL when REMOVED */
};

struct diff_totals {
	uint64_t added, removed, modified, meta, same;
	uint64_t added_bytes,
		removed_bytes; /* apparent sizes of regular files, each name */
};

struct diff_options {
	bool content;
	const char *scratch; /* directory for spill files */
	const struct report *report;
	/* False: nobody wants the rest, job_diff ends with what there is. */
	bool (*change)(void *ctx, const struct diff_change *x);
	void *ctx;
};

/* BEFORE and AFTER are two readers, also where they are of one snapshot. */
int job_diff(struct reader *before, struct reader *after, const struct diff_options *o,
	     struct diff_totals *out, struct err *e);

#endif
