/* Puts entries into a directory, in a child process that has no keys, no store and no path but the
 * target (DESIGN 6).  The child is forked by extract_start, before any key is read; libarchive
 * parses headers and sets metadata there.
 *
 *     extract_start -> extract_target -> (extract_entry -> extract_data...)... -> extract_finish
 */
#ifndef SOURCE_EXTRACT_H
#define SOURCE_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct extract;
struct report;

/* Fork the child.  It waits.  REPORT gets NOTE_RESTORE for entries not restored in full. */
int extract_start(const struct report *report, struct extract **out, struct err *e);

struct extract_options {
	bool devices; /* make device nodes; otherwise they are reported and left out */
};
/* Hand over the target: DIRFD, an empty directory (borrowed; sent to the child, which makes it its
 * root directory where it may). */
int extract_target(struct extract *x, int dirfd, const struct extract_options *o, struct err *e);

/* One entry: HEADER blocks; the child makes the entry.  A parent directory that was not itself
 * restored is made 0755. */
int extract_entry(struct extract *x, const uint8_t *header, size_t n, struct err *e);
/* N bytes of the entry's content at OFFSET of the file. */
int extract_data(struct extract *x, uint64_t offset, const uint8_t *p, size_t n, struct err *e);

/* The entry's content is lost: the file is not to be, and counts as a problem.  The caller names
 * it. */
int extract_drop(struct extract *x, struct err *e);

struct extract_totals {
	uint64_t entries, files, dirs, bytes;
	uint64_t problems; /* entries not restored, or not in full; each was reported */
};
/* Directories get their metadata, all is synced (syncfs), the child ends.  0: done, look at
 * out->problems.  -1: failed (disk full, hostile entry: the target is not to be used). */
int extract_finish(struct extract *x, struct extract_totals *out, struct err *e);
/* Ends the child if it still runs. */
void extract_free(struct extract *x);

#endif
