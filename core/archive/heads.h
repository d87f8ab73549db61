/* Copies of the HEAD frames that the tip's groups lie in, in the tip cache: the host cannot read the
 * store, and a group of which one entry changed is written anew with the headers of the others. */
#ifndef ARCHIVE_HEADS_H
#define ARCHIVE_HEADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/cache.h"
#include "archive/chunk.h"

struct err;
struct frame;
struct heads;

/* C and ID_KEY are borrowed throughout. */
int heads_new(struct cache *c, const uint8_t id_key[32], struct heads **out, struct err *e);
void heads_free(struct heads *h);
/* Keep F, which was packed and lies at AT. */
int heads_save(struct heads *h, const struct record_place *at, const struct frame *f,
	       struct err *e);
/* Bytes of the group X: X->length at *p, valid until the next call.  -1 with the cache broken where
 * the copy is missing or not what X says. */
int heads_load(struct heads *h, const struct chunk *x, const uint8_t **p, struct err *e);
/* The name of the copy of the frame at AT. */
void heads_name(const struct record_place *at, char *out, size_t size);

#endif
