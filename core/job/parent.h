/* Which stream a snapshot goes on in, and from where: crash states and forks
 * (docs/format.md 4; DESIGN "Crash states" and "Streams and names"; docs/design.md). */
#ifndef JOB_PARENT_H
#define JOB_PARENT_H

#include "archive/stream.h"
#include "archive/tip.h"
#include "archive/writer.h"

struct config_volume;
struct err;
struct host;
struct report;

struct parent {
	struct stream stream;
	int state_fd;	/* borrowed */
	struct tip tip; /* tip.archive.seq 0: no parent */
	uint64_t next_seq; /* of the snapshot to take */
	bool has_predecessor;
	struct predecessor predecessor; /* a fork, or a re-installed host */
};

/* Settle what an earlier run left in the state directory STATE_FD (locked) against the store, and
 * find the parent of the next snapshot.  What is out of the ordinary is said through REPORT in one
 * line. */
int parent_find(const struct host *h, const struct config_volume *v, enum stream_kind kind,
		int state_fd, const struct report *report, struct parent *out, struct err *e);

/* Name of the last part of archive A of stream S in the store. */
void parent_final_name(const struct stream *s, const struct archive_id *a, char *out, size_t size);

#endif
