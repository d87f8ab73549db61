/* Hard links within the restored tree.  Extracting child only. */
#ifndef SOURCE_ENTRY_LINK_H
#define SOURCE_ENTRY_LINK_H

struct err;
struct report;

/* Make NAME in the directory DIR (PATH in messages) another name of TARGET ("./a/b"),
 * which is reached from ROOT without following any link.  1: not made; reported. */
int entry_link(int root, const char *target, int dir, const char *name, const char *path,
	       const struct report *r, struct err *e);

#endif
