/* The directories from the root of the restored tree to where the work is now, as
 * descriptors: nothing is ever reached through a link.  Extracting child only. */
#ifndef SOURCE_DIRS_H
#define SOURCE_DIRS_H

#include <stddef.h>

struct dirs;
struct entry_meta;
struct err;
struct report;

/* ROOT is borrowed. */
int dirs_new(int root, const struct report *r, struct dirs **out, struct err *e);
void dirs_free(struct dirs *d);

/* Go to the directory that holds PATH ("./a/b": "./a"), leaving others, and making what
 * is missing, 0755.  Returns its descriptor (borrowed), *name the last component in PATH.
 * ERR_DAMAGED where a component is not a directory.  -2: it could not be made; reported.
 */
int dirs_enter(struct dirs *d, const char *path, const char **name, struct err *e);

/* Make the directory PATH and go into it; *META (taken) is set when it is left.  "." is
 * the root, which is there.  1: it could not be made; reported. */
int dirs_make(struct dirs *d, const char *path, struct entry_meta *meta, struct err *e);

/* Leave all directories, the root last. */
void dirs_leave(struct dirs *d);

#endif
