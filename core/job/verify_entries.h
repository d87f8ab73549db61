/* Checking every record and entry of a snapshot, with a reading key.  Inside of verify. */
#ifndef JOB_VERIFY_ENTRIES_H
#define JOB_VERIFY_ENTRIES_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct host;
struct reader_keys;
struct report;
struct snapshot;

/* Read all of X.  What is lost is reported: entries by their paths, under WHAT, and counted in
 * *lost.  FILES_TOLD: its files were found damaged, and that was reported. */
int verify_entries(const struct host *h, const struct snapshot *x, const struct reader_keys *keys,
		   const char *what, bool files_told, const struct report *report,
		   uint64_t *lost, struct err *e);

#endif
