/* One regular file: opened, its holes mapped, its data read into a sink, its metadata
 * compared before and after. */
#ifndef SOURCE_BODY_H
#define SOURCE_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "source/holes.h"

struct entry_sink;
struct err;
struct progress;
struct report;

#define BODY_PIECE 131072 /* bytes of a read */

/* Allocated once, used for file after file. */
struct body {
	int fd;
	struct stat st; /* as it was before reading; st_size is cut to what was read */
	uint64_t sent;	/* bytes given to the sink */
	bool changed;	/* while it was read */
	const char
		*call; /* the call that failed, its errno in SYS, after an outcome of 1 */
	int sys;
	struct holes holes;
	uint8_t piece[BODY_PIECE];
};

/* Open NAME under DIRFD, which was SEEN by lstat.  1: it could not be opened, b->call and
 * b->sys say why; ENOENT also stands for "it is not the same file any more". */
int body_open(struct body *b, int dirfd, const char *name, const struct stat *seen);
/* Read it to the sink, between begin and entry or drop.  1: it could not be read; the
 * sink may have got a part of it (b->sent).  -1: the sink failed. */
int body_read(struct body *b, const struct entry_sink *sink, const struct report *report,
	      struct progress *progress, struct err *e);
/* The next run of data at or after *AT, in order: false at the end. */
bool body_run(const struct body *b, size_t *hole, uint64_t *at, uint64_t *length);
void body_close(struct body *b);

#endif
