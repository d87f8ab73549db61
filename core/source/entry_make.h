/* Making one entry that is not a directory, and its content.  Extracting child only. */
#ifndef SOURCE_ENTRY_MAKE_H
#define SOURCE_ENTRY_MAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/entry.h"
#include "source/entry_meta.h"

struct err;
struct report;

/* The regular file whose content comes now. */
struct entry_file {
	bool open; /* content may come */
	int fd;	   /* -1: it could not be made; content is passed over */
	uint64_t size, want, got;
	struct entry_meta meta;
	char path[ENTRY_PATH_MAX + 1];
};

/* Make PAX as NAME in the directory DIR.  Takes *META.  A regular file becomes *file, and
 * gets its metadata in entry_make_close.  ERR_DAMAGED: NAME is there already.  1: it
 * could not be made; reported. */
int entry_make(int dir, const char *name, const char *path, const struct pax *pax,
	       struct entry_meta *meta, struct entry_file *file, const struct report *r,
	       struct err *e);
/* A regular file that cannot be made: its content will be passed over. */
void entry_make_skip(const struct pax *pax, struct entry_file *file);
int entry_make_data(struct entry_file *file, uint64_t offset, const uint8_t *p, size_t n,
		    struct err *e);
/* The content will not be complete: the file goes out of the directory DIR, where it is
 * NAME. */
int entry_make_drop(struct entry_file *file, int dir, const char *name, struct err *e);
/* The content is complete. */
int entry_make_close(struct entry_file *file, const struct report *r, struct err *e);

/* CALL on PATH failed with errno: the entry's own trouble (a note; returns 1), or the
 * target's (full, broken: -1), or the archive's (there already: -1, ERR_DAMAGED). */
int entry_make_refused(const char *path, const char *call, const struct report *r,
		       struct err *e);

#endif
