/* Walks a volume and sends its entries to a sink: siblings bytewise, depth first; contents by our
 * own pread, metadata and pax headers by libarchive (docs/format.md section 10; DESIGN 4.1).
 *
 * What the sink knows already is not opened: one statx an entry.
 *
 * Memory does not grow with the volume: names of large directories are sorted in runs, hard link
 * tables spill, both into unlinked files in SCRATCH. */
#ifndef SOURCE_WALK_H
#define SOURCE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry_sink;
struct err;
struct report;

/* A directory that the walk refuses to enter: it ends with ERR_CONFIG where it comes to it.
 * Known by device and inode, whatever links and bind mounts lead there. */
struct walk_bar {
	uint64_t dev, ino;
	const char *what; /* "the store /var/backups/volsnap" */
};

struct walk_options {
	const char *const *exclude; /* patterns, see match.h */
	size_t n_exclude;
	bool one_file_system;
	uint64_t racy_window_ms;    /* an entry that changed less than this before it was read may
				     * change unseen */
	const struct walk_bar *bars;
	size_t n_bars;
	const char *scratch;	    /* directory for spill files (the state directory) */
	const struct report *report;
};

struct walk_totals {
	uint64_t entries, files, dirs, bytes; /* files: not counting second names */
	uint64_t vanished, skipped;
	uint32_t unreadable, changed;
};

/* Walk the directory ROOT (an open descriptor, borrowed), or, with SINGLE not NULL, only the
 * regular file SINGLE in it.  Entries that vanish are counted; unreadable ones are reported
 * (NOTE_UNREADABLE with path, call and errno) and left out; ones that change while they are read
 * are reported (NOTE_CHANGED) and stored with the size that was read.  Directory and file times
 * are not touched (O_NOATIME where allowed).  FIFOs, sockets and devices are never opened.
 * A directory that cannot be listed at its beginning is unreadable; one whose listing fails midway
 * (EIO) fails the walk. -1: the walk or the sink failed. */
int walk(int root, const char *single, const struct walk_options *o,
	 const struct entry_sink *sink, struct walk_totals *out, struct err *e);

#endif
