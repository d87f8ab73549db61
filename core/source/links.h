/* A table from 16-byte keys to 64-bit values that stays small: in memory up to 65536 keys, in an
 * unlinked file of SCRATCH above.  For hard links: (device, inode) -> place of the first name. */
#ifndef SOURCE_LINKS_H
#define SOURCE_LINKS_H

#include <stdint.h>

struct err;
struct links;

int links_new(const char *scratch, struct links **out, struct err *e);
void links_free(struct links *l);
/* 0: found, *value filled.  1: not there. */
int links_get(struct links *l, const uint8_t key[16], uint64_t *value, struct err *e);
/* Add or replace. */
int links_put(struct links *l, const uint8_t key[16], uint64_t value, struct err *e);

/* Strings kept in an unlinked file: put gives the place, get reads it back (at most ENTRY_PATH_MAX
 * bytes, NUL terminated). */
struct texts; /* texts.c */
int texts_new(const char *scratch, struct texts **out, struct err *e);
void texts_free(struct texts *t);
int texts_put(struct texts *t, const char *text, uint64_t *place, struct err *e);
int texts_get(struct texts *t, uint64_t place, char *out, struct err *e);

#endif
