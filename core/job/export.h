/* A snapshot as a pax tar, or one file of it as its bytes. */
#ifndef JOB_EXPORT_H
#define JOB_EXPORT_H

#include <stdbool.h>

struct err;
struct reader;
struct report;

struct export_options {
	const char *path;    /* NULL: everything */
	bool file;	     /* PATH must be a regular file, or a hard link to one: ERR_USAGE */
	const char *scratch; /* directory for spill files */
	int fd;		     /* where to write */
	const struct report *report;
};

/* With PATH naming a regular file: its content, holes as zeros.  Otherwise a tar. */
int job_export(struct reader *r, const struct export_options *o, struct err *e);

#endif
