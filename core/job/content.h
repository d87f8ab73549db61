/* An entry's content, by its place in the file. */
#ifndef JOB_CONTENT_H
#define JOB_CONTENT_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct pax;
struct reader;

typedef int content_fn(void *ctx, uint64_t offset, const uint8_t *p, size_t n, struct err *e);

enum content_order {
	CONTENT_IN_ORDER,  /* offsets go up */
	CONTENT_ANY_ORDER, /* as takes the least decoding */
};

/* Send the content of the reader's current entry, whose header is P, to FN; holes are left out.
 * Nothing for entries other than regular files.  2, where the reader salvages: of the content a part
 * is lost, *e says why; FN may have got others. */
int content_send(struct reader *r, const struct pax *p, enum content_order order, content_fn *fn,
		 void *ctx, struct err *e);

#endif
