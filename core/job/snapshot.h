/* The journey of a snapshot: volume -> archive -> store. */
#ifndef JOB_SNAPSHOT_H
#define JOB_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/part.h"
#include "archive/root.h"

struct config_volume;
struct err;
struct host;
struct report;

struct snapshot_options {
	bool allow_empty; /* commit an empty volume where the last snapshot was not empty */
	bool full;	  /* refer to no earlier snapshot */
	unsigned wait_s;  /* for a stream that another run holds */
	const struct report *report;
};

struct snapshot_outcome {
	struct archive_id archive;
	struct totals totals;
	enum grade grade;
	uint8_t level;
	uint64_t new_bytes, stored;
	size_t n_deps; /* earlier snapshots that it refers to */
	uint64_t elapsed_ms; /* monotonic */
};

/* Take and commit one snapshot of V.  0: committed; look at totals.unreadable and changed.
 * -1: nothing was committed, but perhaps a checkpoint of a stream's first snapshot, from which the
 * next run goes on. */
int job_snapshot(const struct host *h, const struct config_volume *v,
		 const struct snapshot_options *o, struct snapshot_outcome *out, struct err *e);

#endif
