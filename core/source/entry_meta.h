/* The metadata of one entry, and setting it on the thing that was made.  Extracting child
 * only. */
#ifndef SOURCE_ENTRY_META_H
#define SOURCE_ENTRY_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/pax.h"

struct archive_entry;
struct err;
struct report;

struct entry_meta {
	enum pax_type type;
	uint32_t mode, mtime_ns;
	uint64_t uid, gid;
	int64_t mtime;
	struct archive_entry *attrs; /* xattrs, ACLs, flags; NULL: it has none */
};

/* From a header and what pax_parse said of it; libarchive reads the attributes. */
int entry_meta_read(const uint8_t *header, size_t n, const struct pax *pax,
		    struct entry_meta *out, struct err *e);
void entry_meta_free(struct entry_meta *m);

/* Flags that only an empty file or directory takes (no copy on write).  Failures show
 * later. */
void entry_meta_early(const struct entry_meta *m, int fd);

/* Owner, xattrs, ACLs, mode, times, flags, in this order, then a look whether they are
 * so.  On FD, or, with FD -1, on NAME in the current directory, never following a link.
 * What is refused is a note for PATH. */
void entry_meta_apply(const struct entry_meta *m, int fd, const char *name,
		      const char *path, const struct report *r);

#endif
