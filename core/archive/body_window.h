/* One body in the order in which its frames lie, so that each is decoded once
 * (docs/design.md).
 *
 * A body whose extents come in the order of their places is given as it comes.  From the
 * first step back on, the extents of up to 2 GiB of it, at most 131072, are collected (28
 * bytes each), sorted by archive, part and record, and given in that order. */
#ifndef ARCHIVE_BODY_WINDOW_H
#define ARCHIVE_BODY_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/tree.h"

struct body_source;
struct err;
struct window_home;
struct window_item;

#define BODY_WINDOW_SPAN ((uint64_t)2 << 30)
#define BODY_WINDOW_ITEMS 131072

/* All zeros before its first body. */
struct body_window {
	struct body_source *source; /* borrowed */
	uint64_t at, end;	    /* of the stream: neither given nor collected yet */
	bool begun;		    /* something was given, which lay at LAST */
	struct record_place last;
	/* collected, from BASE to AT */
	uint64_t base;
	size_t n, next;
	struct window_item *items; /* NULL until needed */
	struct window_home *homes; /* archives and parts that they lie in */
	size_t n_homes, home_room;
};

/* For the LEN bytes of the stream from AT on. */
void body_window_begin(struct body_window *w, struct body_source *source, uint64_t at,
		       uint64_t len);
/* The next bytes: *n > 0 of them at *p, valid until the next call, which lie at *at of
 * the stream.  1: all were given.  After a failure it fails again. */
int body_window_next(struct body_window *w, uint64_t *at, const uint8_t **p, size_t *n,
		     struct err *e);
void body_window_free(struct body_window *w);

#endif
