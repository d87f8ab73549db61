/* The names of a directory in bytewise order, whatever their number: up to 32768 names (and 1 MiB)
 * in memory, beyond that sorted runs in an unlinked file of SCRATCH, merged. */
#ifndef SOURCE_NAMES_H
#define SOURCE_NAMES_H

struct err;
struct names;

/* Read all names of the directory FD (borrowed; its offset moves), but "." and "..".  A listing
 * that fails midway is an error. */
int names_read(int fd, const char *scratch, struct names **out, struct err *e);
/* The next name; valid until the next call.  1 at the end. */
int names_next(struct names *n, const char **name, struct err *e);
void names_free(struct names *n);

#endif
