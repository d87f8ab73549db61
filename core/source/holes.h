/* Where a sparse file has data: at most HOLES_MAX holes, the largest; others count as
 * data. */
#ifndef SOURCE_HOLES_H
#define SOURCE_HOLES_H

#include <stddef.h>
#include <stdint.h>

#define HOLES_MAX 4096	 /* of one file */
#define HOLES_LEAST 4096 /* bytes; a smaller hole is none */

struct hole {
	uint64_t start, end;
};

struct holes {
	size_t n;
	struct hole list[HOLES_MAX];
};

/* Map the holes of [0, SIZE) of the regular file FD, ascending.  A file system that
 * cannot tell has none.  -1: errno says why it failed. */
int holes_map(int fd, uint64_t size, struct holes *out);

#endif
