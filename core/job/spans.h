/* The content of one file of a snapshot, from its first byte to its size, in spans: what
 * the body has in place, holes as runs of zeros.  Asked for, not sent, so that two can be
 * read in step. */
#ifndef JOB_SPANS_H
#define JOB_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "source/pax.h"

struct err;
struct linked_entry;
struct reader;

struct spans {
	struct reader *reader;
	const struct pax *file; /* borrowed */
	struct pax_runs runs;
	uint64_t at; /* of the file: where the open span begins */
	uint64_t run_at,
		run_left; /* the run of data that comes next, or is being given */
	bool more_runs;
	const uint8_t *body; /* what the reader gave and is not opened yet */
	size_t body_left;
	/* the span that lies open; p NULL: zeros */
	const uint8_t *p;
	uint64_t n;
};

/* Begin with EN's content; EN must be a regular file, or a hard link to one. */
int spans_begin(struct spans *c, struct reader *r, const struct linked_entry *en,
		  struct err *e);
/* Open the next span once the open one is used up (c->n 0).  1 at the end.  Its bytes are
 * valid until the next call. */
int spans_open(struct spans *c, struct err *e);
/* N bytes of the open span are done with. */
void spans_use(struct spans *c, uint64_t n);

/* 0: the rest of both is the same, 1: it is not. */
int spans_compare(struct spans *a, struct spans *b, struct err *e);

#endif
