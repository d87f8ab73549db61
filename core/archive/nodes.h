/* The nodes of the tip's trees by id: a node that is there already is referred to, not written.
 * In the tip cache 40 bytes a node: id, place, stored bytes. */
#ifndef ARCHIVE_NODES_H
#define ARCHIVE_NODES_H

#include <stdint.h>

#include "archive/cache.h"
#include "archive/chunk.h"

struct err;
struct nodes;

/* Loads the nodes that SEGS (NULL: none) lists.  C is borrowed throughout. */
int nodes_new(const char *scratch, struct cache *c, const struct cache_segs *segs,
	      struct nodes **out, struct err *e);
void nodes_free(struct nodes *n);
/* 0: the tip has the node ID, at *in.  1: it has not. */
int nodes_find(struct nodes *n, const uint8_t id[16], struct chunk_place *in, struct err *e);
/* The new trees have the node ID at IN. */
int nodes_add(struct nodes *n, const uint8_t id[16], const struct chunk_place *in, struct err *e);
int nodes_finish(struct nodes *n, struct cache_segs *out, struct err *e);

#endif
