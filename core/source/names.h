/* The names of a directory in bytewise order, whatever their number: up to 32768 names (and 1 MiB)
 * are sorted in memory, beyond that as runs in an unlinked file of SCRATCH, merged there. */
#ifndef SOURCE_NAMES_H
#define SOURCE_NAMES_H

#include <stddef.h>

struct err;
struct names;

/* Read all names of the directory FD (borrowed; its offset moves), but "." and "..".  What stays in
 * memory afterwards is the list itself if it takes at most KEEP bytes, else one small read buffer
 * over a spill file.  1: it could not be listed at all, errno says why.  A listing that fails
 * midway is an error. */
int names_read(int fd, const char *scratch, size_t keep, struct names **out, struct err *e);
/* Bytes of memory it holds. */
size_t names_memory(const struct names *n);
/* The next name; valid until the next call.  1 at the end. */
int names_next(struct names *n, const char **name, struct err *e);
void names_free(struct names *n);

#endif
