/* A host's memory of one of its streams: the tip, the staged next, the lock
 * (DESIGN "Streams and names"; crash states in docs/design.md).
 *
 * Directory STATE/<kind>-<escaped name>/ (kind: volume, bind, file) holds `tip`, `next`, `lock`.  Records are authenticated
 * with a key derived from the host's; a record that does not fit is as good as lost. */
#ifndef ARCHIVE_TIP_H
#define ARCHIVE_TIP_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/part.h"

struct err;

#define TIP_ABANDONED 8

struct tip {
	uint8_t stream_id[16], nonce[16];
	struct archive_id archive; /* seq 0: the stream has no snapshot yet */
	uint8_t chain[32];
	uint64_t entries;	   /* of that snapshot, root included */
	int64_t complete_day;	   /* of the newest complete one */
	bool has_complete;
	bool partial;		   /* all snapshots of the stream are checkpoints so far */
	uint8_t abandoned[TIP_ABANDONED][16]; /* archive ids of runs that did not commit; ring */
	uint8_t abandoned_at;
};

/* Open (make, 0700) the directory; returns its descriptor. */
int tip_dir(const char *state, enum stream_kind kind, const char *name, struct err *e);
/* The same if it is there already, else -1; makes nothing. */
int tip_find(const char *state, enum stream_kind kind, const char *name);
/* Lock it for as long as the returned descriptor is open; waits up to WAIT_S seconds.  Busy after
 * that: ERR_FAILED, naming the pid. */
int tip_lock(int dirfd, unsigned wait_s, struct err *e);

/* Names: "tip" and "next".  1: there is none, or it is unreadable (*why, static text, says which;
 * NULL where there is none). */
int tip_load(int dirfd, const char *name, const struct secret *host, struct tip *out,
	     const char **why, struct err *e);
int tip_save(int dirfd, const char *name, const struct secret *host, const struct tip *t,
	     struct err *e);
/* rename next -> tip, durable. */
int tip_promote(int dirfd, struct err *e);
/* Remove next, durable. */
int tip_drop_next(int dirfd, struct err *e);
bool tip_is_abandoned(const struct tip *t, const uint8_t archive_id[16]);
void tip_abandon(struct tip *t, const uint8_t archive_id[16]);

#endif
