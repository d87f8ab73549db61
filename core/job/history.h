/* In which snapshots of a stream a path occurs, and with which size and time: version by
 * version, newest first.  One snapshot is open at a time; kept are versions of paths that
 * match alone. */
#ifndef JOB_HISTORY_H
#define JOB_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "archive/catalog.h"
#include "base/bytes.h"
#include "source/pax.h"

struct err;
struct host;
struct report;

#define HISTORY_ROOM (4u << 20) /* bytes of versions, at most */

/* One path with the same type, size and modification time in every snapshot FIRST..LAST
 * that could be read. */
struct version {
	size_t path_at;	    /* see history_path */
	enum pax_type type; /* of a hard link's file */
	uint64_t size;
	int64_t mtime;
	uint32_t mtime_ns;
	uint64_t first, last; /* sequence numbers */
};

struct history {
	size_t n;
	struct bytes versions; /* by last, newest first; of one snapshot in walk order */
	struct bytes paths;
	uint64_t searched; /* snapshots */
	int worst;	   /* exit code of what could not be searched; 0: all was */
};
#define HISTORY_EMPTY { .n = 0 }
#define auto_history __attribute__((cleanup(history_free)))
void history_free(struct history *h);
const struct version *history_version(const struct history *h, size_t i);
/* "./a/b" */
const char *history_path(const struct history *h, const struct version *v);

struct history_options {
	const char *pattern; /* as source/match.h has it */
	const char *scratch; /* directory for spill files */
	const struct report *report;
};

/* Search all restorable snapshots of S.  One that is damaged or sealed to another key is
 * noted (NOTE_WARNING, path "NAME@SEQ"), kept in out->worst, and passed over.  ERR_USAGE
 * where more versions match than there is room for. */
int job_history(const struct host *h, const struct catalog_stream *s,
		const struct history_options *o, struct history *out, struct err *e);

#endif
