/* Pax header blocks of an entry, made by libarchive: all that a tar has before the
 * entry's content, the map of a sparse file included. */
#ifndef SOURCE_HEADER_H
#define SOURCE_HEADER_H

#include <stddef.h>
#include <stdint.h>

struct archive_entry;
struct err;
struct header;

int header_new(struct header **out, struct err *e);
void header_free(struct header *h);
/* *P is valid until the next call.  1: libarchive cannot say this entry, or its header is
 * larger than ENTRY_HEADER_MAX; *why (valid until the next call) says which. */
int header_make(struct header *h, struct archive_entry *entry, const uint8_t **p,
		size_t *n, const char **why, struct err *e);

#endif
