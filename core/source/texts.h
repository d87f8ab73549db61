/* Strings kept in an unlinked file: put gives the place, get reads it back (at most ENTRY_PATH_MAX
 * bytes, NUL terminated). */
#ifndef SOURCE_TEXTS_H
#define SOURCE_TEXTS_H

#include <stdint.h>

struct err;
struct texts;

int texts_new(const char *scratch, struct texts **out, struct err *e);
void texts_free(struct texts *t);
int texts_put(struct texts *t, const char *text, uint64_t *place, struct err *e);
int texts_get(struct texts *t, uint64_t place, char *out, struct err *e);

#endif
