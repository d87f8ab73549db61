/* A table from 16-byte keys to 64-bit values that stays small: in memory up to a number of keys, in
 * an unlinked file of SCRATCH above.  For hard links, and for contents that are looked up by hash. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct table;

/* Up to MEMORY_KEYS keys stay in memory, in 30 to 60 bytes each. */
int table_new(const char *scratch, size_t memory_keys, struct table **out, struct err *e);
void table_free(struct table *t);
/* 0: found, *value filled.  1: not there. */
int table_get(struct table *t, const uint8_t key[16], uint64_t *value, struct err *e);
/* Add or replace; VALUE is below UINT64_MAX. */
int table_put(struct table *t, const uint8_t key[16], uint64_t value, struct err *e);

#endif
