/* A root directory's own metadata, from the tree that was made to the mount point it
 * fills. */
#ifndef SOURCE_PLACE_ROOT_H
#define SOURCE_PLACE_ROOT_H

#include <stdint.h>

struct err;

struct place_root {
	uint32_t mode, uid, gid, nsec;
	int64_t sec;	/* of the modification */
	uint32_t locks; /* immutable, append-only; place_root_read leaves it */
};

int place_root_read(int fd, struct place_root *out, struct err *e);
/* Extended attributes and ACLs exactly as on FROM, then owner and mode of ROOT, onto TO.
 */
int place_root_copy(int from, int to, const struct place_root *root, struct err *e);
/* What the last changes in the directory disturb: time and flags. */
int place_root_finish(int fd, const struct place_root *root, struct err *e);

#endif
