/* One entry of a walk, from the file to the sink: what it is, what becomes of it if it
 * cannot be read, and the totals.  walk.c decides which entries and in which order. */
#ifndef SOURCE_EMIT_H
#define SOURCE_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/entry.h"
#include "base/report.h"

struct body;
struct emit;
struct entry_sink;
struct err;
struct header;
struct table;
struct meta;
struct texts;
struct walk_options;
struct walk_totals;

struct emit {
	const struct walk_options *o;
	const struct entry_sink *sink;
	struct walk_totals *totals;
	struct progress progress;
	struct meta *meta;
	struct header *header;
	struct body *body;
	struct table *links; /* file -> place of its first path */
	struct texts *texts;
	dev_t root_device;
	dev_t device; /* of the directory that the walk is in, */
	bool trusted; /* and whether its times can be trusted; owner: walk.c */
	char path[ENTRY_PATH_MAX + 1]; /* of the current entry; its owner is walk.c */
};

int emit_open(struct emit *em, struct err *e);
void emit_close(struct emit *em);

/* Outcomes of all below: 0 the entry is with the sink; 1 it was left out, reported and
 * counted. */

/* CALL on the current entry failed with SYS: vanished, unreadable or (-1) a failure of
 * the walk. */
int emit_failed(struct emit *em, const char *call, int sys, struct err *e);
/* The directory FD, looked at from READ_AT on (ns of real time). */
int emit_dir(struct emit *em, int fd, const struct stat *st, int64_t read_at, struct err *e);
/* A directory that is not looked into. */
int emit_mount_point(struct emit *em, const struct stat *st, struct err *e);
/* Anything but a directory: NAME under DIRFD, ST by lstat. */
int emit_other(struct emit *em, int dirfd, const char *name, const struct stat *st,
	       struct err *e);

#endif
